//go:build linux

package tests

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPasswdOnTerminal checks that `ftpd passwd` on a terminal prompts twice without echo, that
// two passwords that differ give no hash, and that Ctrl-C leaves a terminal with echo.
func TestPasswdOnTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typed [2]string
		fails bool
		shown string
	}{
		"the same":    {[2]string{"sesame\n", "sesame\n"}, false, "$argon2id$"},
		"different":   {[2]string{"sesame\n", "sesam\n"}, true, "different"},
		"interrupted": {[2]string{"sesame\n", "\x03"}, true, "Again: "},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := terminal(t)
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), "passwd")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(master)
			var shown string
			for i, prompt := range []string{"Password: ", "Again: "} {
				shown += readUntil(t, in, prompt)
				eventually(t, "the terminal hides what is typed",
					func() bool { return !echoes(t, slave) })
				if _, err := master.WriteString(c.typed[i]); err != nil {
					t.Fatal(err)
				}
			}
			err := cmd.Wait()
			fmt.Fprintln(slave, "the end.")
			shown += readUntil(t, in, "the end.")
			if (err != nil) != c.fails || !strings.Contains(shown, c.shown) ||
				strings.Contains(shown, "sesam") {
				t.Errorf("%v: %q", err, shown)
			}
			if !echoes(t, slave) {
				t.Error("the terminal does not show any more what is typed")
			}
		})
	}
}

// echoes reports whether a terminal has echo.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// readUntil returns what a terminal shows up to the text.
func readUntil(t *testing.T, in *bufio.Reader, text string) string {
	t.Helper()
	var shown strings.Builder
	for !strings.HasSuffix(shown.String(), text) {
		b, err := in.ReadByte()
		if err != nil {
			t.Fatalf("%v after %q", err, shown.String())
		}
		shown.WriteByte(b)
	}
	return shown.String()
}

// terminal opens a pair of which the slave is a terminal (pty(7)).
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
