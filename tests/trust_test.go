//go:build linux

package tests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A trustWorld has a configuration in a directory of root, and accounts of other users.
type trustWorld struct {
	dir, config string
	user, other account
}

// in returns the path of a name in the directory.
func (w *trustWorld) in(name string) string { return filepath.Join(w.dir, name) }

// sub makes a directory with a copy of the configuration, and returns the path of the copy.
func (w *trustWorld) sub(t *testing.T, name string, uid, gid int, mode os.FileMode) string {
	t.Helper()
	dir := w.in(name)
	copied := filepath.Join(dir, "ftpd.toml")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, copied, readFile(t, w.config), 0o644)
	w.change(t, dir, uid, gid, mode)
	return copied
}

func (w *trustWorld) change(t *testing.T, path string, uid, gid int, mode os.FileMode) {
	t.Helper()
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func (w *trustWorld) link(t *testing.T, target, name string) string {
	t.Helper()
	if err := os.Symlink(target, w.in(name)); err != nil {
		t.Fatal(err)
	}
	return w.in(name)
}

// include adds a pattern to the configuration.
func (w *trustWorld) include(t *testing.T, pattern string) string {
	t.Helper()
	writeFile(t, w.config, fmt.Sprintf("include = [%q]\n", pattern)+readFile(t, w.config), 0o644)
	return w.config
}

// trustRow is a way in which a configuration lies on the host.
type trustRow struct {
	name string
	// prepare returns the path of the configuration, and the path that other accounts can change: ""
	// if none.
	prepare func(t *testing.T, w *trustWorld) (config, changeable string)
	why     string // the error has this text before the command
}

// trustedAsRoot are the rows for a service that root starts.
var trustedAsRoot = []trustRow{
	{"root's", func(t *testing.T, w *trustWorld) (string, string) { return w.config, "" }, ""},
	{"writable by all", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.config, 0, 0, 0o666)
		return w.config, w.config
	}, "every account can change "},
	{"writable by a group", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.config, 0, w.user.gid, 0o664)
		return w.config, w.config
	}, "group "},
	{"writable by an ACL", func(t *testing.T, w *trustWorld) (string, string) {
		need(t, "setfacl")
		command(t, "", "setfacl", "-m", "u:"+w.user.name+":rw", w.config)
		return w.config, w.config
	}, "group "},
	{"a user's", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.config, w.user.uid, 0, 0o600)
		return w.config, w.config
	}, " belongs to uid "},
	{"in a user's directory", func(t *testing.T, w *trustWorld) (string, string) {
		return w.sub(t, "a b", w.user.uid, 0, 0o755), w.in("a b")
	}, " belongs to uid "},
	{"in an open directory", func(t *testing.T, w *trustWorld) (string, string) {
		return w.sub(t, "open", 0, 0, 0o777), w.in("open")
	}, "every account can change "},
	{"in a sticky directory", func(t *testing.T, w *trustWorld) (string, string) {
		return w.sub(t, "sticky", 0, 0, 0o777|os.ModeSticky), ""
	}, ""},
	{"in a user's sticky directory", func(t *testing.T, w *trustWorld) (string, string) {
		return w.sub(t, "sticky", w.user.uid, 0, 0o777|os.ModeSticky), w.in("sticky")
	}, " belongs to uid "},
	{"by root's link", func(t *testing.T, w *trustWorld) (string, string) {
		return w.link(t, "ftpd.toml", "link"), ""
	}, ""},
	{"by root's link to a user's directory", func(t *testing.T, w *trustWorld) (string, string) {
		w.sub(t, "users", w.user.uid, 0, 0o755)
		return w.link(t, "users/ftpd.toml", "link"), w.in("users")
	}, " belongs to uid "},
	{"by a user's link", func(t *testing.T, w *trustWorld) (string, string) {
		w.sub(t, "sticky", 0, 0, 0o777|os.ModeSticky)
		link := w.link(t, "../ftpd.toml", "sticky/link")
		if err := os.Lchown(link, w.user.uid, 0); err != nil {
			t.Fatal(err)
		}
		return link, link
	}, " belongs to uid "},
	{"above the target of a link", func(t *testing.T, w *trustWorld) (string, string) {
		w.sub(t, "users", w.user.uid, 0, 0o755)
		if err := os.Mkdir(w.in("users/x"), 0o755); err != nil {
			t.Fatal(err)
		}
		return w.link(t, "users/x", "link") + "/../ftpd.toml", w.in("users")
	}, " belongs to uid "},
	{"a user's include", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.in("more.toml"), w.user.uid, 0, 0o644)
		return w.include(t, "more.toml"), w.in("more.toml")
	}, " belongs to uid "},
	{"a user's include directory", func(t *testing.T, w *trustWorld) (string, string) {
		if err := os.Mkdir(w.in("ftpd.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		w.change(t, w.in("ftpd.d"), w.user.uid, 0, 0o755)
		return w.config, w.in("ftpd.d")
	}, " belongs to uid "},
}

// trustedAsUser are the rows for a service that an ordinary user starts.
var trustedAsUser = []trustRow{
	{"root's", func(t *testing.T, w *trustWorld) (string, string) { return w.config, "" }, ""},
	{"own, with a umask of 002", func(t *testing.T, w *trustWorld) (string, string) {
		config := w.sub(t, "own", w.user.uid, w.user.gid, 0o775)
		w.change(t, config, w.user.uid, w.user.gid, 0o664)
		return config, ""
	}, ""},
	{"own, writable by another group", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.config, w.user.uid, w.other.gid, 0o664)
		return w.config, w.config
	}, "group "},
	{"own, writable by all", func(t *testing.T, w *trustWorld) (string, string) {
		w.change(t, w.config, w.user.uid, w.user.gid, 0o646)
		return w.config, w.config
	}, "every account can change "},
	{"in another user's directory", func(t *testing.T, w *trustWorld) (string, string) {
		return w.sub(t, "theirs", w.other.uid, w.other.gid, 0o755), w.in("theirs")
	}, " belongs to uid "},
}

// TestTrustedConfiguration checks that `ftpd check` and a start refuse a configuration that other
// accounts can change, and name the command that mends it.
func TestTrustedConfiguration(t *testing.T) {
	t.Parallel()
	needRoot(t)
	user, other := newAccount(t), newAccount(t)
	for _, test := range trustedAsRoot {
		t.Run("root/"+test.name, func(t *testing.T) {
			text := readFile(t, writeConfig(t, freePort(t), nil))
			test.run(t, &trustWorld{user: user, other: other}, text, nil)
		})
	}
	for _, test := range trustedAsUser {
		t.Run("user/"+test.name, func(t *testing.T) {
			as := &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)}
			w := &trustWorld{user: user, other: other}
			test.run(t, w, ordinaryConfig(t, freePort(t), user.home, ""), as)
		})
	}
}

func (row *trustRow) run(t *testing.T, w *trustWorld, text string, as *syscall.Credential) {
	w.dir = sharedDir(t)
	w.config = w.in("ftpd.toml")
	writeFile(t, w.config, text, 0o644)
	writeFile(t, w.in("more.toml"), "", 0o644)
	config, changeable := row.prepare(t, w)
	out, code := checkAs(t, config, as)
	if changeable == "" {
		if code != 0 {
			t.Errorf("exit %d, want 0:\n%s", code, out)
		}
		return
	}
	quoted := changeable
	if strings.Contains(changeable, " ") {
		quoted = "'" + changeable + "'"
	}
	want := ": chmod go-w " + quoted + "\n"
	if as == nil || strings.Contains(row.why, "belongs") {
		want = fmt.Sprintf(": chown root %s && chmod go-w %s\n", quoted, quoted)
	}
	if code != 1 || !strings.Contains(out, want) || !strings.Contains(out, row.why) ||
		strings.Count(out, "\n") != 1 {
		t.Errorf("ftpd check: exit %d, want 1 and %q%q:\n%s", code, row.why, want, out)
	}
	if out, code := startRefused(t, config, as); code != 1 || !strings.Contains(out, want) {
		t.Errorf("ftpd serve: exit %d, want 1 and %q:\n%s", code, want, out)
	}
}

// startRefused runs a start that is to fail.
func startRefused(t *testing.T, config string, as *syscall.Credential) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "ftpd"), "serve", "--config", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return outcome(t, cmd)
}

// TestReadOnlyMountIsTrusted checks that a file on a read-only mount counts as one that nothing can
// change, as those are that a container gets from its host.
func TestReadOnlyMountIsTrusted(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "unshare")
	dir := sharedDir(t)
	config := filepath.Join(dir, "ftpd.toml")
	writeFile(t, config, readFile(t, writeConfig(t, freePort(t), nil)), 0o666)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]int{"rw": 1, "ro": 0} {
		cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c",
			`mount --bind "$1" "$1" && mount -o remount,bind,$2 "$1" && exec "$3" check --config "$4"`,
			"sh", dir, mode, filepath.Join(bin, "ftpd"), config)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%s: exit %d, want %d:\n%s", mode, code, want, out)
		}
	}
}

// TestIncludedSpecialFiles checks that nothing but regular files is included, because a FIFO or a
// device, which another account may have made, would be read for ever.
func TestIncludedSpecialFiles(t *testing.T) {
	t.Parallel()
	needRoot(t)
	w := &trustWorld{dir: sharedDir(t)}
	w.config = w.in("ftpd.toml")
	writeFile(t, w.config, readFile(t, writeConfig(t, freePort(t), nil)), 0o644)
	w.include(t, "*.special")
	if err := syscall.Mkfifo(w.in("fifo.special"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.link(t, "/dev/zero", "device.special")
	out, code := startRefused(t, w.config, nil)
	for _, name := range []string{"fifo", "device"} {
		want := w.in(name) + ".special: cannot be read: it is not a regular file\n"
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, want 1 and %q:\n%s", code, want, out)
		}
	}
}

// TestConfigurationFromAPipe checks that a configuration may come from the program that starts the
// service.
func TestConfigurationFromAPipe(t *testing.T) {
	t.Parallel()
	needRoot(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), "check", "--config",
		"/dev/stdin")
	cmd.Stdin = strings.NewReader(readFile(t, writeConfig(t, freePort(t), nil)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
