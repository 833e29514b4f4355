//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestFFmpegUploads covers a client that closes both connections after the last byte of an
// upload, the control connection first, and waits for no reply: ffmpeg.
func TestFFmpegUploads(t *testing.T) {
	t.Parallel()
	needPackage(t, "ffmpeg ffmpeg")
	s, dir := share(t, "--write", "--user", "alice", "--password", "sesame")
	content := make([]byte, 2<<20)
	rand.Read(content)
	source := filepath.Join(t.TempDir(), "source")
	writeFile(t, source, string(content), 0o600)
	for i := range 20 {
		name := fmt.Sprintf("copy%d", i)
		command(t, "", "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "u8", "-i", source,
			"-codec", "copy", "-f", "u8",
			fmt.Sprintf("ftp://alice:sesame@%s/%s", s.addr, name))
		r := s.log.wait(t, "record of "+name,
			func(r record) bool { return r.Path == "/"+name && r.Verb == "STOR" })
		if sha256File(t, filepath.Join(dir, name)) != sha256File(t, source) {
			t.Errorf("%s differs from what was sent: %s", name, r.Text)
		}
	}
}

// TestUploadOutlivesControl checks that an upload is shown as such after the end of its control
// connection, is completed, and is ended by a kick.
func TestUploadOutlivesControl(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	port := freePort(t)
	socket := filepath.Join(sharedDir(t), "run", "admin.sock")
	config := writeConfig(t, port, settings{"admin": fmt.Sprintf("socket = %q\n", socket)})
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	for name, linger := range map[string]int{"FIN": -1, "RST": 0, "kicked": -1} {
		t.Run(name, func(t *testing.T) {
			up := beginUpload(t, login(t, s.addr, u.name, u.password), name)
			tcp := up.control.conn.(*net.TCPConn)
			tcp.SetLinger(linger)
			tcp.Close()
			eventually(t, "ftpd who shows that the control connection has ended", func() bool {
				all := who(t, config).Sessions
				return len(all) == 1 && all[0].Gone && all[0].User == u.name
			})
			table := command(t, "", filepath.Join(bin, "ftpd"), "who", "--config", config)
			if !strings.Contains(table, "control connection ended") {
				t.Errorf("ftpd who does not show it:\n%s", table)
			}
			want, cause := "one half, the other half", "the control connection ended first"
			if name == "kicked" {
				want, cause = "one half, ", "ended by the administrator"
				command(t, "", filepath.Join(bin, "ftpd"), "kick", "--config", config, u.name)
			} else if _, err := up.data.Write([]byte("the other half")); err != nil {
				t.Fatal(err)
			}
			up.data.Close()
			r := s.log.wait(t, "record", func(r record) bool { return r.Message == "upload_incomplete" && r.Path == "/"+name })
			if r.Cause != cause {
				t.Errorf("the cause is %q, not %q", r.Cause, cause)
			}
			if got := readFile(t, filepath.Join(u.home, name)); got != want {
				t.Errorf("the file holds %q, not %q", got, want)
			}
			eventually(t, "the session has ended",
				func() bool { return len(who(t, config).Sessions) == 0 })
		})
	}
}
