package roots

import (
	"os/exec"
	"testing"
)

const someMounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /net rw,relatime shared:2 - autofs /etc/auto.net rw,fd=6,timeout=300,indirect
31 30 0:41 / /net/alice rw,relatime shared:3 - nfs4 files:/alice rw
32 22 0:42 / /mnt/my\040disk rw,relatime - autofs systemd-1 rw,fd=7,timeout=0,direct,pipe_ino=1
33 22 0:43 / /mnt/used rw,relatime - autofs systemd-1 rw,fd=8,timeout=0,direct,pipe_ino=2
34 33 8:17 / /mnt/used rw,relatime - ext4 /dev/sdb1 rw
35 22 0:44 / /share rw,relatime - cifs //files/share rw
short line
`

// A name of a file system is found in the table, and not by an access to the path.
func TestFileSystem(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/home/alice": "/", "/network": "/",
		"/net": "/net", "/net/alice/a": "files:", "/net/bob/a": "/net/bob",
		"/mnt/my disk/a": "/mnt/my disk", "/mnt/used/a": "/mnt/used", "/share/a": "files:",
	} {
		if got := fileSystem(parseMounts(someMounts), path); got != want {
			t.Errorf("%s is on %s, want %s", path, got, want)
		}
	}
}

// The table of mounts shows which directory Landlock has to grant for a root, and whether opening
// the root would mount something.
func TestMountTable(t *testing.T) {
	for _, test := range []struct {
		root, automounter, over string
		awaits                  bool
	}{
		{"/home", "/home", "22/0", false},
		{"/net", "/net", "22/0 30/0", false},
		{"/net/alice", "/net", "22/0 30/0 31/0", false},
		{"/net/bob/projects", "/net", "22/0 30/0", false},
		{"/network", "/network", "22/0", false},
		{"/mnt/my disk", "/mnt/my disk", "22/0 32/0", true},
		{"/mnt/my disk/a", "/mnt/my disk/a", "22/0 32/0", true},
		{"/mnt/used/a", "/mnt/used/a", "22/0 33/0 34/0", false},
	} {
		all := parseMounts(someMounts)
		if got := automounter(all, test.root); got != test.automounter {
			t.Errorf("automounter of %s: %s, want %s", test.root, got, test.automounter)
		}
		if got := mountsAt(all, test.root); got != test.over {
			t.Errorf("over %s: %s, want %s", test.root, got, test.over)
		}
		if got := awaitsMount(all, test.root); got != test.awaits {
			t.Errorf("%s awaits a mount: %v", test.root, got)
		}
	}
}

// Each mount of this host has a unique number, where the kernel has such numbers.
func TestUniqueMounts(t *testing.T) {
	if len(uniqueMounts()) == 0 {
		release, _ := exec.Command("uname", "-r").Output()
		t.Skipf("needs Linux 6.8, this is %s", release)
	}
	for range 100 { // other programs may mount something between two calls
		if allUnique(readMounts()) {
			return
		}
	}
	t.Errorf("some mounts have no unique number: %v", readMounts())
}

func allUnique(all []mount) bool {
	seen := map[uint64]bool{}
	for _, m := range all {
		if m.point == "/" && m.unique == 0 {
			continue // listmount leaves out the root of this process
		}
		if m.unique == 0 || seen[m.unique] {
			return false
		}
		seen[m.unique] = true
	}
	return true
}
