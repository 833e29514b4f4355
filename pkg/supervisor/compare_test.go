package supervisor

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/rs/zerolog"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
)

// TestMain compares passwords in processes, as ftpd does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == CompareCommand {
		os.Exit(RunCompare(os.Stdin, os.Stderr))
	}
	os.Exit(m.Run())
}

// bcryptHash is a hash of "secret", made by mkpasswd(1).
const bcryptHash config.Hash = "$2b$05$1b6CMcgVht2h4KWsMOTAr.gU5A5MQnUePdyqhnYkmSGHKMTGcy0eG"

// The process that compares a password shows the result by its exit code. It compares nothing if it
// has not received the whole password.
func TestRunCompare(t *testing.T) {
	for _, c := range []struct {
		name     string
		hash     config.Hash
		password string
		cut      int // bytes that are missing at the end
		want     int
	}{
		{name: "equal", hash: bcryptHash, password: "secret", want: exitEqual},
		{name: "different", hash: bcryptHash, password: "Secret", want: exitDifferent},
		{name: "empty", hash: bcryptHash, want: exitDifferent},
		{name: "a damaged hash", hash: bcryptHash[:20], password: "secret", want: exitUnusable},
		{name: "no hash", want: exitUnusable},
		{name: "a part of the password", hash: bcryptHash, password: "secret, and more", cut: 10,
			want: exitFailed},
		{name: "a part of the hash", hash: bcryptHash, cut: 3, want: exitFailed},
		{name: "a part of the lengths", cut: 1, want: exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent, stderr bytes.Buffer
			if err := send(&sent, c.hash, auth.Password(c.password)); err != nil {
				t.Fatal(err)
			}
			sent.Truncate(sent.Len() - c.cut)
			code := RunCompare(&sent, &stderr)
			failed := code == exitUnusable || code == exitFailed
			if code != c.want || failed != (stderr.Len() > 0) {
				t.Errorf("exit code %d, want %d; standard error: %s", code, c.want, &stderr)
			}
		})
	}
}

// A process that does not start is no refusal of the login.
func TestCompareWithoutProgram(t *testing.T) {
	c := &comparer{program: "/nonexistent/ftpd", timeout: compareTimeout}
	c.confinement.Bare = true
	ok, err := c.compare(bcryptHash, auth.Password("secret"))
	var refusal *auth.Refusal
	if ok || err == nil || errors.As(err, &refusal) {
		t.Errorf("%v, %v", ok, err)
	}
	if c.probe() == nil {
		t.Error("the probe finds no error")
	}
}

// A service compares passwords in processes. It compares them itself, with a warning, where it
// cannot start any: Landlock refuses a program that is linked dynamically, as this one may be.
func TestComparison(t *testing.T) {
	for _, sandbox := range []config.Sandbox{config.SandboxOff, config.SandboxAuto} {
		var log bytes.Buffer
		c := config.Default()
		c.Server.Sandbox = sandbox
		c.Users = []config.User{{Name: "carla", Password: bcryptHash}}
		compare := comparison(Options{Config: c, Log: zerolog.New(&log)}, false)
		for password, want := range map[string]bool{"secret": true, "Secret": false} {
			got, err := compare(bcryptHash, auth.Password(password))
			if err != nil || got != want {
				t.Errorf("sandbox = %q: %s: %v, %v", sandbox, password, got, err)
			}
		}
		if sandbox == config.SandboxOff && log.Len() > 0 {
			t.Errorf("sandbox = %q: the log has %s", sandbox, &log)
		}
	}
}
