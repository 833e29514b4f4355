//go:build linux

package tests

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestCopiesOfTreesWithDanglingLinks checks that clients that copy whole trees do not fail at
// links that lead nowhere, out of the home, or in a circle.
func TestCopiesOfTreesWithDanglingLinks(t *testing.T) {
	t.Parallel()
	s, dir := share(t)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "sub", "file"), "text\n", 0o644)
	links := map[string]string{
		"good": "hello.txt", "gone": "missing",
		"sub/out": "../../../../../../../etc/passwd", "sub/round": "round",
	}
	for name, leads := range links {
		if err := os.Symlink(leads, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for program, does := range map[string]func(*testing.T, target, ...action) (string, error){
		"lftp": lftpDoes, "rclone": each(rcloneDoes),
	} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			at := s.visitor(t)
			copied := filepath.Join(at.folder, "copied")
			if _, err := does(t, at, action{verb: "pull", local: copied}); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"hello.txt", "good", "sub/file"} {
				want := readFile(t, filepath.Join(dir, name))
				if got := readFile(t, filepath.Join(copied, name)); got != want {
					t.Errorf("%s holds %q", name, got)
				}
			}
			for _, name := range []string{"gone", "sub/out", "sub/round"} {
				if _, err := os.Stat(filepath.Join(copied, name)); err == nil {
					t.Errorf("%s was copied", name)
				}
			}
		})
	}
}

// visitor returns the target of a client of `ftpd share`.
func (s *server) visitor(t *testing.T) target {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return target{
		account: account{name: "anonymous", password: "guest@example.org"},
		mode:    mode{security: "plain"},
		host:    host, port: port, folder: t.TempDir(),
	}
}
