package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/auth"
)

// A process that dies, hangs or is another program is no refusal of the login, and the error names
// what happened.
func TestCompareFails(t *testing.T) {
	for _, c := range []struct {
		name, script string
		timeout      time.Duration
		want         string // part of the error
	}{
		{name: "dies", script: "kill -9 $$", timeout: compareTimeout, want: "signal: killed"},
		{name: "crashes", script: "cat >/dev/null; echo 'panic: no'; echo stack; exit 2",
			timeout: compareTimeout, want: `exit status 2: "panic: no"`},
		{name: "ends without a result", script: "exec cat", timeout: compareTimeout,
			want: "exit status 0"},
		{name: "hangs", script: "exec sleep 1000", timeout: 10 * time.Millisecond,
			want: "no answer within 10ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "program")
			script := []byte("#!/bin/sh\n" + c.script + "\n")
			if err := os.WriteFile(program, script, 0o755); err != nil {
				t.Fatal(err)
			}
			comparer := &comparer{program: program, timeout: c.timeout}
			comparer.confinement.Bare = true
			// The password does not fit in a pipe, so send waits until the process ends.
			password := make(auth.Password, 4*pipeSize)
			ok, err := comparer.compare(bcryptHash, password)
			var refusal *auth.Refusal
			if ok || err == nil || errors.As(err, &refusal) ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want %q", ok, err, c.want)
			}
		})
	}
}
