//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutHelper checks that root, without ftpd-auth, which needs a C compiler, serves virtual
// users as accounts of /etc/passwd. System users need ftpd-auth, as the start reports.
func TestWithoutHelper(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "unshare")
	owner := newAccount(t, "--system", "--shell", "/usr/sbin/nologin")
	alone := filepath.Join(sharedDir(t), "ftpd")
	command(t, "", "cp", filepath.Join(bin, "ftpd"), alone)
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "ftpd.toml")
	text := fmt.Sprintf("[server]\nlisten = [\"127.0.0.1:%d\"]\n[auth]\nbackend = %%q\n[[user]]\nname = \"carla\"\npassword = %q\nhome = %q\nrun_as = %%q\n",
		port, hashes["bcrypt"], owner.home)

	writeFile(t, config, fmt.Sprintf(text, "unix", owner.name), 0o600)
	out, err := withoutHelper(alone, "serve", "--config", config).CombinedOutput()
	if line := strings.TrimSpace(string(out)); err == nil || strings.Contains(line, "\n") ||
		!strings.Contains(line, "ftpd-auth") ||
		!strings.Contains(line, `auth.backend = "virtual"`) {
		t.Errorf("system users: %v\n%s", err, out)
	}

	writeFile(t, config, fmt.Sprintf(text, "virtual", "ftpdtest-nobody"), 0o600)
	if out, err := withoutHelper(alone, "check", "--config", config).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), ":9: user.run_as: ") {
		t.Errorf("an account that is not there: %v\n%s", err, out)
	}

	writeFile(t, config, fmt.Sprintf(text, "virtual", owner.name), 0o600)
	s := newServer(t, port)
	s.cmd = withoutHelper(alone, "serve", "--config", config)
	s.start(t)
	c := login(t, s.addr, "carla", "secret")
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	belongsTo(t, filepath.Join(owner.home, "file"), owner.uid, owner.gid)
	if !strings.Contains(s.log.String(), "only virtual users can log in") {
		t.Errorf("the start does not report it:\n%s", s.log)
	}
}

// withoutHelper runs a program in a mount namespace in which no installed ftpd-auth is visible.
func withoutHelper(program string, args ...string) *exec.Cmd {
	script := `for d in /usr/libexec/ftpd /usr/lib/ftpd; do [ ! -d $d ] || mount -t tmpfs none $d || exit; done; exec "$@"`
	cmd := exec.Command("unshare",
		append([]string{"--mount", "sh", "-c", script, "sh", program}, args...)...)
	cmd.Dir = "/"
	cmd.Env = os.Environ()
	return cmd
}
