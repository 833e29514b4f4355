//go:build linux

package tests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// logRows are ways in which a log file lies on the host, below the directory of root that w has.
var logRows = []struct {
	name    string
	prepare func(t *testing.T, w *trustWorld) (log string)
	why     string // "" if it is accepted
}{
	{"missing", func(t *testing.T, w *trustWorld) string { return w.in("log") }, ""},
	{"in a directory of a group", func(t *testing.T, w *trustWorld) string {
		w.change(t, w.dir, 0, w.user.gid, 0o775)
		return w.in("log")
	}, ""},
	{"in an open directory", func(t *testing.T, w *trustWorld) string {
		w.change(t, w.dir, 0, 0, 0o777)
		return w.in("log")
	}, "every account can change {dir}: chown root {dir} && chmod go-w {dir}"},
	{"in a sticky directory", func(t *testing.T, w *trustWorld) string {
		w.change(t, w.dir, 0, 0, 0o777|os.ModeSticky)
		return w.in("log")
	}, ""},
	{"in a user's directory", func(t *testing.T, w *trustWorld) string {
		w.change(t, w.dir, w.user.uid, 0, 0o755)
		return w.in("log")
	}, "{dir} belongs to uid "},
	{"a user's", func(t *testing.T, w *trustWorld) string {
		w.change(t, w.in("more.toml"), w.user.uid, 0, 0o644)
		return w.in("more.toml")
	}, "{dir}/more.toml belongs to uid "},
	{"a user's link", func(t *testing.T, w *trustWorld) string {
		link := w.link(t, "more.toml", "log")
		if err := os.Lchown(link, w.user.uid, 0); err != nil {
			t.Fatal(err)
		}
		return link
	}, "{dir}/log belongs to uid "},
	{"root's link", func(t *testing.T, w *trustWorld) string {
		return w.link(t, "more.toml", "log")
	}, ""},
	{"root's link to nothing", func(t *testing.T, w *trustWorld) string {
		return w.link(t, "nothing", "log")
	}, "{dir}/log: a symbolic link leads to another file"},
	{"with a second name", func(t *testing.T, w *trustWorld) string {
		if err := os.Link(w.in("more.toml"), w.in("log")); err != nil {
			t.Fatal(err)
		}
		return w.in("log")
	}, "{dir}/log: the file has another name"},
	{"a descriptor", func(t *testing.T, w *trustWorld) string { return "/dev/stdout" }, ""},
}

// TestTrustedLogFiles checks that a log that another account could replace by another file is
// refused by `ftpd check` and by a start, and that nothing was written or made.
func TestTrustedLogFiles(t *testing.T) {
	t.Parallel()
	needRoot(t)
	user := newAccount(t)
	for i, row := range logRows {
		key := []string{"file", "transfer_log"}[i%2]
		t.Run(row.name, func(t *testing.T) {
			w := &trustWorld{dir: sharedDir(t), user: user}
			writeFile(t, w.in("more.toml"), "", 0o644)
			config := writeConfig(t, freePort(t), settings{
				"log": fmt.Sprintf("%s = %q\n", key, row.prepare(t, w))})
			out, code := checkAs(t, config, nil)
			if row.why == "" {
				if code != 0 || strings.Contains(out, "log.") {
					t.Errorf("exit %d:\n%s", code, out)
				}
				return
			}
			why := "log." + key + ": " + strings.ReplaceAll(row.why, "{dir}", w.dir)
			if code != 1 || !strings.Contains(out, why) {
				t.Errorf("ftpd check: exit %d, want 1 and %q:\n%s", code, why, out)
			}
			if out, code := startRefused(t, config, nil); code != 1 || !strings.Contains(out, why) {
				t.Errorf("ftpd serve: exit %d, want 1 and %q:\n%s", code, why, out)
			}
			if text := readFile(t, w.in("more.toml")); text != "" {
				t.Errorf("the file has %q", text)
			}
			if _, err := os.Stat(w.in("nothing")); err == nil {
				t.Error("the target of the link was made")
			}
		})
	}
}

// swapLog is a program of a user who may write in the directory of a log and above. It exchanges
// the log and its directory by links to a secret again and again.
const swapLog = `
my ($logs, $secret) = @ARGV;
while (1) {
	symlink("$secret/ftpd.log", "$logs/l"); rename("$logs/l", "$logs/ftpd.log");
	link("$secret/ftpd.log", "$logs/h"); rename("$logs/h", "$logs/ftpd.log");
	unlink("$logs/ftpd.log");
	rename($logs, "$logs.x"); symlink($secret, $logs);
	unlink($logs); rename("$logs.x", $logs);
}`

// TestLogRace checks that a service never opens another file than its log, while a user who may
// write in the directory of the log exchanges both. In the same race, a plain open by name appends
// to the user's choice.
func TestLogRace(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "perl")
	user := newAccount(t)
	dir := sharedDir(t)
	logs, secret := filepath.Join(dir, "logs"), sharedDir(t)
	for _, d := range []string{dir, logs} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chown(d, 0, user.gid),
			os.Chmod(d, 0o775)); err != nil {
			t.Fatal(err)
		}
	}
	const text = "secret\n"
	target, log := filepath.Join(secret, "ftpd.log"), filepath.Join(logs, "ftpd.log")
	writeFile(t, target, text, 0o644)
	port := freePort(t)
	s := newServer(t, port, "serve", "--config",
		writeConfig(t, port, settings{"log": fmt.Sprintf("file = %q\n", log)}))
	s.launch(t)
	lines(t, log, `"message":"ready"`)

	swap := exec.Command("perl", "-e", swapLog, logs, secret)
	swap.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)}}
	if err := swap.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		swap.Process.Kill()
		swap.Wait()
	}()
	eventually(t, "a plain open escapes", func() bool {
		if f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640); err == nil {
			f.WriteString("escaped\n")
			f.Close()
		}
		return readFile(t, target) != text
	})
	writeFile(t, target, text, 0o644)

	connections := 0
	for end := time.Now().Add(logRaceTime(t)); connections < 50 || time.Now().Before(end); {
		c, r, err := dial(s.addr)
		if err != nil || r.code != 220 {
			t.Fatalf("%v, %v", r, err)
		}
		c.expect(t, 221, "QUIT")
		c.conn.Close()
		connections++
	}
	if got := readFile(t, target); got != text {
		t.Errorf("the secret has %.200q", got)
	}
	entries, err := os.ReadDir(secret)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the secret: %v, %v", entries, err)
	}
	t.Logf("%d connections were logged", connections)
}

// logRaceTime returns how long TestLogRace runs at least.
func logRaceTime(t *testing.T) time.Duration {
	t.Helper()
	long := os.Getenv("FTPD_TEST_LOG_RACE")
	if long == "" {
		return 0
	}
	d, err := time.ParseDuration(long)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
