//go:build linux

package tests

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLogFiles checks that logs in files are written under their names after a rotation, in
// separate processes and in one.
func TestLogFiles(t *testing.T) {
	t.Parallel()
	for _, separate := range []bool{true, false} {
		t.Run(fmt.Sprintf("separate %v", separate), func(t *testing.T) {
			dir := sharedDir(t)
			log, transfers := filepath.Join(dir, "ftpd.log"), filepath.Join(dir, "xferlog")
			files := fmt.Sprintf("file = %q\ntransfer_log = %q\n", log, transfers)
			var s *server
			var user, password string
			if separate {
				needRoot(t)
				u := newAccount(t)
				user, password = u.name, u.password
				port := freePort(t)
				s = newServer(t, port, "serve", "--config",
					writeConfig(t, port, settings{"log": files}))
			} else {
				user, password = "carla", "secret"
				s = ordinaryServer(t, files)
				if as := s.cmd.SysProcAttr; as != nil {
					uid, gid := int(as.Credential.Uid), int(as.Credential.Gid)
					if err := os.Chown(dir, uid, gid); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.launch(t)
			lines(t, log, `"message":"ready"`)
			c := login(t, s.addr, user, password)
			storeAs(t, c, "one file")
			lines(t, transfers, "/one_file b _ i r "+user+" ftp 0 * c")
			for _, file := range []string{log, transfers} {
				if err := os.Rename(file, file+".1"); err != nil {
					t.Fatal(err)
				}
			}
			storeAs(t, c, "another")
			lines(t, log, `"path":"/another"`)
			lines(t, transfers, "/another b _ i r "+user+" ftp 0 * c")
			if old := readFile(t, transfers+".1"); !strings.Contains(old, "/one_file b") ||
				strings.Contains(old, "another") {
				t.Errorf("the old transfer log has %q", old)
			}
		})
	}
}

// TestLogOnATerminal checks that the log is in the readable form on a terminal, by default.
func TestLogOnATerminal(t *testing.T) {
	t.Parallel()
	master, slave := terminal(t)
	s := ordinaryServer(t, "")
	s.cmd.Stderr = slave
	if err := errors.Join(master.SetReadDeadline(time.Now().Add(patience)),
		s.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer s.cmd.Process.Kill()
	shown := readUntil(t, bufio.NewReader(master), "ready")
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(shown, "{") || !strings.Contains(shown, "INF") {
		t.Errorf("the terminal shows %q", shown)
	}
}

// ordinaryServer returns a server that an ordinary user runs in one process, for carla with the
// password "secret".
func ordinaryServer(t *testing.T, log string) *server {
	t.Helper()
	home := sharedDir(t)
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := filepath.Join(sharedDir(t), "ftpd.toml")
	writeFile(t, config, ordinaryConfig(t, port, home, log), 0o644)
	s := newServer(t, port, "serve", "--config", config)
	asOrdinaryUser(s.cmd)
	return s
}

// ordinaryConfig returns the configuration of such a server, whose admin socket is in the home.
func ordinaryConfig(t *testing.T, port uint16, home, log string) string {
	t.Helper()
	return fmt.Sprintf(`[server]
listen = ["127.0.0.1:%d"]
[auth]
backend = "virtual"
[admin]
socket = %q
[log]
%s[[user]]
name = "carla"
password = %q
home = %q
run_as = ""
`, port, filepath.Join(home, "admin.sock"), log, hashes["bcrypt"], home)
}

func storeAs(t *testing.T, c *client, name string) {
	t.Helper()
	if r, err := c.store("STOR "+name, "text"); err != nil || r.code != 226 {
		t.Fatalf("STOR %s: %v, %v", name, r, err)
	}
}

// lines waits until a file has some text.
func lines(t *testing.T, path, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has %q", path, text), func() bool {
		data, _ := os.ReadFile(path)
		return strings.Contains(string(data), text)
	})
}
