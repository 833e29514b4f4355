package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/core"
	"ftpd/pkg/monitor"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
)

// TestMain opens directories in a process of its own, as ftpd does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.OpenCommand {
		os.Exit(runOpenRoots(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A mistake ends the command before it serves anything, with exit code 2 for a usage error and 1
// for any other, and with one line that names what to change.
func TestShareMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"a b", exitUsage, `too many arguments: ["b"]`},
		{"--user alice", exitUsage, "--user and --password go together"},
		{"--password x", exitUsage, "--user and --password go together"},
		{"--user a/b --password x", exitUsage, `--user: the name "a/b" has a slash`},
		{"--certificate x", exitUsage, "--certificate and --key need --tls"},
		{"--key x", exitUsage, "--certificate and --key need --tls"},
		{"--tls --key x", exitUsage, "--key needs --certificate"},
		{"--require-tls", exitUsage, "--require-tls needs --tls"},
		{"--public-address 2001:db8::1", exitUsage, "only IPv4 needs one"},
		{"--public-address home", exitUsage, `unable to parse IP`},
		{"--passive-ports 9-1", exitUsage, `"9-1" ends before it begins`},
		{"--passive-ports 0-9", exitUsage, `1 to 65535`},
		{"--listen 2121", exitUsage, `"2121" is not an address and port such as`},
		{"--idle-timeout 5", exitUsage, `"5" needs a unit`},
		{"--max-sessions -1", exitUsage, "--max-sessions is negative"},
		{"--max-sessions-per-ip -1", exitUsage, "--max-sessions-per-ip is negative"},
		{"--max-attempts 0", exitUsage, "--max-attempts is at least 1"},
		{"--nat x", exitUsage, "unknown flag: --nat"},
		{file, exitError, file + " is no directory"},
		{file + "/x", exitError, file + "/x"},
		{
			filepath.Dir(file) + " --tls --certificate " + file + "x", exitError,
			"--certificate: open " + file + "x",
		},
		{
			filepath.Dir(file) + " --tls --certificate " + file, exitError,
			"the file must contain the key, too",
		},
		{
			filepath.Dir(file) + " --tls --certificate " + file + " --key " + file + "x",
			exitError, "--key: open " + file + "x",
		},
	} {
		var stdout, stderr strings.Builder
		code := runShare(strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || stdout.String() != "" ||
			!strings.Contains(stderr.String(), test.want) ||
			strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("ftpd share %s: exit %d\nstdout: %s\nstderr: %s",
				test.args, code, &stdout, &stderr)
		}
	}
}

func TestShareConfig(t *testing.T) {
	s := newShare()
	args := "--listen [::1]:2122 --write --user alice --password x --public-address ::ffff:203.0.113.7 --passive-ports 50000-50009 --tls --require-tls " +
		"--idle-timeout 0s --max-sessions 0 --max-sessions-per-ip 7 --max-attempts 5 --allow-foreign --local-time --no-sendfile --debug"
	if err := s.flags().Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	c, err := s.config()
	if err != nil {
		t.Fatal(err)
	}
	alice, err := c.For("alice", nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"listen":    c.Server.Listen[0].String() == "[::1]:2122",
		"write":     alice.Permissions == config.Full,
		"anonymous": !c.Anonymous.Enabled,
		"public":    c.NAT.PublicAddress == "203.0.113.7",
		"ports":     c.Data.PassivePorts == config.PortRange{First: 50000, Last: 50009},
		"tls":       alice.RequireTLS == config.RequireTLSAll,
		"idle":      c.Limits.IdleTimeout == 0,
		"sessions":  c.Limits.MaxSessions == 0 && c.Limits.MaxSessionsPerIP == 7,
		"attempts":  c.Auth.MaxAttempts == 5,
		"foreign": c.Data.ForeignNetworks.Contains(netip.MustParseAddr("2001:db8::1")) &&
			c.Data.ForeignNetworks.Contains(netip.MustParseAddr("192.0.2.1")),
		"local time": !c.Files.UTCTimes,
		"sendfile":   !c.Data.Sendfile,
		"debug":      c.Log.Level == config.LogDebug,
		"user":       len(c.Users) == 1 && c.Users[0].Password.Kind() == "argon2id" && alice.RunAs == "" && len(c.Auth.Deny) == 0,
		"patience":   c.Server.DrainTimeout == 0,
	} {
		if !ok {
			t.Errorf("%s is wrong in %+v", what, c)
		}
	}
	if c, err = newShare().config(); err != nil {
		t.Fatal(err)
	}
	anonymous, err := c.For(config.AnonymousUser, nil)
	if err != nil || !c.Anonymous.Enabled || anonymous.Permissions != config.ReadOnly ||
		anonymous.RequireTLS != config.RequireTLSOff ||
		c.Server.Listen[0].String() != "[::]:2121" || len(c.Data.ForeignNetworks) > 0 || !c.Data.Sendfile || !c.Files.UTCTimes {
		t.Errorf("the defaults are %+v, %v", c, err)
	}
}

func TestProgressLine(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	down := core.Progress{TransferState: monitor.TransferState{
		Verb: "RETR", Path: "/photos.zip", Moved: 5 << 20, Size: 20 << 20,
		Began: now.Add(-2 * time.Second),
	}}
	up := core.Progress{TransferState: monitor.TransferState{
		Verb: "STOR", Path: "/\x1b[2J" + strings.Repeat("ü", 100), Moved: 999, Began: now,
	}}
	for _, test := range []struct {
		running []core.Progress
		stopped bool
		want    string
	}{
		{nil, false, ""},
		{nil, true, ""},
		{[]core.Progress{down}, false, "sending /photos.zip, 25 %, 2.5 MiB/s"},
		{
			[]core.Progress{down, up}, true,
			"sending /photos.zip, 25 %, 2.5 MiB/s (and 1 more); Ctrl-C again cuts it off",
		},
		{[]core.Progress{up}, false, `receiving /\x1b[2J` + strings.Repeat("ü", 51) + "..., 999 B"},
	} {
		got := progressLine(test.running, test.stopped, now)
		if got != test.want || len([]rune(got)) > lineWidth {
			t.Errorf("%q\nwant %q", got, test.want)
		}
	}
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 999 << 10: "999.0 KiB",
		1000 << 10: "1.0 MiB", 5 << 40: "5.0 TiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

// screen returns what a terminal shows after it has received text. "\r" returns to the first
// column.
func screen(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		var shown []rune
		column := 0
		for _, r := range line {
			if r == '\r' {
				column = 0
				continue
			}
			if column == len(shown) {
				shown = append(shown, r)
			}
			shown[column] = r
			column++
		}
		lines = append(lines, strings.TrimRight(string(shown), " "))
	}
	return strings.Join(lines, "\n")
}

// Log records and progress never mix on a line, and the line of progress disappears at the end.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	term := newTerminal(&out)
	now := time.Now()
	moved := core.Progress{TransferState: monitor.TransferState{
		Verb: "RETR", Path: "/some/long/name", Size: 100, Began: now,
	}}
	term.running = func() []core.Progress { return []core.Progress{moved} }
	see := func(want string) {
		t.Helper()
		if got := screen(out.String()); got != want {
			t.Errorf("the screen shows %q, want %q", got, want)
		}
	}
	term.update(now)
	see("sending /some/long/name, 0 %")
	term.Write([]byte("login\n"))
	see("login\n")
	moved.Moved = 50
	term.update(now)
	see("login\nsending /some/long/name, 50 %")
	moved.Path = "/x"
	term.update(now)
	see("login\nsending /x, 50 %")
	term.stopping()
	if !strings.Contains(screen(out.String()), "Ctrl-C again cuts it off") {
		t.Errorf("%q", out.String())
	}
	term.Write([]byte("logout\n"))
	term.running = func() []core.Progress { return nil }
	term.update(now)
	see("login\nlogout\n")
	term.close()
	term.update(now)
	see("login\nlogout\n")
}

func TestStartLines(t *testing.T) {
	var out bytes.Buffer
	s := newShare()
	s.dir, s.user, s.write = "/srv/x", "alice", true
	s.public = netip.MustParseAddr("203.0.113.7")
	s.listen = config.Address{AddrPort: netip.MustParseAddrPort("192.0.2.7:0")}
	newTerminal(&out).announce(s, supervisor.Start{
		Version: "1.2", PID: 77, Listen: []string{"192.0.2.7:2121"}, Passive: "50000-50009",
		Public: "203.0.113.7", Fingerprint: "AB:CD",
		Layers: sandbox.Layers{Missing: []string{"no Landlock here"}},
	})
	want := `ftpd 1.2 shares /srv/x, for reading and writing, with alice:
  ftp://alice@203.0.113.7:2121/
  ftp://alice@192.0.2.7:2121/
TLS by AUTH TLS; the SHA-256 fingerprint of the certificate is
  AB:CD
NAT address 203.0.113.7, passive ports 50000-50009, sendfile off, sandbox none, pid 77
not confined: no Landlock here
Ctrl-C stops it when running transfers have ended.
`
	if out.String() != want {
		t.Errorf("%s\nwant %s", &out, want)
	}
}
