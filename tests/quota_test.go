//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReservedBlocks checks that an upload cannot use the blocks that a file system keeps for root:
// it ends where a program of the user ends, with 552, and the other files stay as they were.
func TestReservedBlocks(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const size, slack = 32 << 20, 512 << 10 // the file system reserves some blocks for its own use
	disk := mountPoint(t)
	command(t, "", "mount", "-o", "loop",
		diskImage(t, size>>20, "mkfs.ext4", "-q", "-m", "25"), disk)
	u := newAccount(t, "--home-dir", filepath.Join(disk, "home"))
	kept := u.file(t, "kept", strings.Repeat("kept\n", 20_000), u.uid, u.gid, 0o644)
	large := filepath.Join(sharedDir(t), "large")
	writeFile(t, large, "", 0o644)
	if err := os.Truncate(large, size); err != nil {
		t.Fatal(err)
	}
	copyAs := func(user string) int64 {
		copied := filepath.Join(u.home, "copied")
		script := fmt.Sprintf("cp --sparse=never %s %s 2>&1 || true", large, copied)
		if out := command(t, "", "su", user, "-c", script); !strings.Contains(out, "No space left") {
			t.Fatalf("cp printed %q", out)
		}
		defer os.Remove(copied)
		return fileSize(t, copied)
	}
	want := copyAs(u.name)
	if root := copyAs("root"); root < want+size/8 {
		t.Fatalf("root can store %d bytes and the user %d, so this test shows nothing", root, want)
	}
	for _, sendfile := range []bool{true, false} {
		s := serve(t, settings{"server": fmt.Sprintf("roots = [%q]\n", disk),
			"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		c := login(t, s.addr, u.name, u.password)
		for _, line := range []string{"STOR a", "APPE a"} {
			c.do("DELE a")
			if r := c.upload(t, line, size); r.code != 552 {
				t.Errorf("%s: %v", line, r)
			}
			got := fileSize(t, filepath.Join(u.home, "a"))
			if got < want-slack || got > want+slack {
				t.Errorf("%s: %d bytes arrived, cp of the user stored %d", line, got, want)
			}
			var st syscall.Statfs_t
			if err := syscall.Statfs(disk, &st); err != nil {
				t.Fatal(err)
			}
			if free := st.Bfree * uint64(st.Bsize); free < size/4-slack {
				t.Errorf("%s: %d bytes are left for root", line, free)
			}
			s.log.wait(t, "the reason", func(r record) bool {
				return r.Message == "upload_incomplete" && r.Verb == line[:4] &&
					strings.Contains(r.Cause, "no space left")
			})
		}
		if readFile(t, kept) != strings.Repeat("kept\n", 20_000) {
			t.Error("another file was changed")
		}
		c.expect(t, 250, "DELE a")
		if r := c.upload(t, "STOR b", 1<<20); r.code != 226 {
			t.Errorf("after the file was removed: %v", r)
		}
		c.expect(t, 250, "DELE b")
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestQuota checks that an upload ends at the user's quota, with 552, and that the log names the
// quota. The quota is that of a btrfs subvolume, because this kernel may have no other.
func TestQuota(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "btrfs")
	const quota = 8 << 20
	disk := mountPoint(t)
	command(t, "", "mount", "-o", "loop", diskImage(t, 128, "mkfs.btrfs", "-q"), disk)
	home := filepath.Join(disk, "home")
	command(t, "", "btrfs", "quota", "enable", disk)
	command(t, "", "btrfs", "subvolume", "create", home)
	command(t, "", "btrfs", "qgroup", "limit", fmt.Sprint(quota), home)
	u := newAccount(t, "--home-dir", home)
	if err := os.Chown(home, u.uid, u.gid); err != nil {
		t.Fatal(err)
	}
	s := serve(t, settings{"server": fmt.Sprintf("roots = [%q]\n", disk)})
	c := login(t, s.addr, u.name, u.password)
	if r := c.upload(t, "STOR a", 2*quota); r.code != 552 || r.text != "Quota exceeded." {
		t.Errorf("beyond the quota: %v", r)
	}
	if got := fileSize(t, filepath.Join(home, "a")); got < quota/2 || got > quota {
		t.Errorf("%d bytes arrived", got)
	}
	s.log.wait(t, "the reason", func(r record) bool {
		return r.Message == "upload_incomplete" && strings.Contains(r.Cause, "quota exceeded")
	})
	c.expect(t, 250, "DELE a")
}
