//go:build linux

package tests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestEntryOfADamagedFileSystem checks that a damaged entry does not hide its directory: the
// entry is listed by name, the others as usual, and clients can read the whole listing. The log
// names the entry once for each listing.
func TestEntryOfADamagedFileSystem(t *testing.T) {
	t.Parallel()
	dir := damagedFileSystem(t)
	port := freePort(t)
	s := newServer(t, port, "share", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	asOrdinaryUser(s.cmd)
	s.start(t)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	for verb, want := range map[string]string{
		"LIST": "----------   1 ?        ?               0 Jan  1  1970 bad\r\n",
		"MLSD": "type=file;perm=r; bad\r\n",
	} {
		got, answer, err := c.retrieve(verb)
		if err != nil || answer.code != 226 {
			t.Fatal(verb, answer, err)
		}
		if !strings.Contains("\n"+got, "\n"+want) || !strings.Contains(got, " good\r\n") {
			t.Errorf("%s:\n%s", verb, got)
		}
		r := s.log.wait(t, verb, func(r record) bool { return r.Verb == verb })
		const cause = `listed by name alone: 1 of the entries, the first is "bad": structure needs cleaning`
		if r.Reply != 226 || r.Cause != cause {
			t.Errorf("%+v", r)
		}
	}
	for program, does := range map[string]func(*testing.T, target, ...action) (string, error){
		"lftp": lftpDoes, "rclone": each(rcloneDoes), "curl": curlDoes, "wget": each(wgetDoes),
	} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			names, err := does(t, s.visitor(t), action{verb: "list"})
			if err != nil || !strings.Contains(names, "bad") || !strings.Contains(names, "good") {
				t.Errorf("lists %q, %v", names, err)
			}
		})
	}
}

// damagedFileSystem mounts a file system with the names of two files, "good" and "bad". The inode
// of "bad" is cleared, as fsck(8) finds it after a power failure.
func damagedFileSystem(t *testing.T) (dir string) {
	t.Helper()
	needRoot(t)
	need(t, "debugfs")
	image := diskImage(t, 8, "mkfs.ext4", "-q")
	dir = mountPoint(t)
	command(t, "", "mount", "-o", "loop", image, dir)
	for _, name := range []string{"good", "bad"} {
		writeFile(t, filepath.Join(dir, name), name, 0o644)
	}
	command(t, "", "umount", dir)
	command(t, "", "debugfs", "-w", "-R", "clri bad", image)
	command(t, "", "mount", "-o", "loop", image, dir)
	return dir
}
