//go:build linux

package tests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk is a file system in an image, with one directory that belongs to an account.
type disk struct {
	name  string
	needs string // the package of its programs
	make  string // shell commands; $1 is the image's device, $2 where it is mounted, $3 and $4 are the account's uid and gid
	mount string
	after string // when it is mounted
}

// disks accept several spellings for one name: each of these, or those of spellingsOf that they
// accept.
var disks = []disk{
	{"exfat-fuse", "exfat-fuse exfatprogs", "mkfs.exfat $1",
		"mount.exfat-fuse -o allow_other,uid=$3,gid=$4 $1 $2", ""},
	{"exfat", "exfatprogs", "mkfs.exfat $1", "mount -t exfat -o uid=$3,gid=$4 $1 $2", ""},
	{"vfat", "dosfstools", "mkfs.vfat $1", "mount -t vfat -o uid=$3,gid=$4,utf8 $1 $2", ""},
	{"lowntfs-3g", "ntfs-3g", "mkntfs -q -f $1",
		"lowntfs-3g -o allow_other,ignore_case,uid=$3,gid=$4,umask=022 $1 $2", ""},
	{"ntfs-3g", "ntfs-3g", "mkntfs -q -f $1",
		"ntfs-3g -o allow_other,streams_interface=windows,uid=$3,gid=$4,umask=022 $1 $2", ""},
	{"ext4 casefold", "e2fsprogs", "mkfs.ext4 -q -O casefold $1", "mount -t ext4 $1 $2",
		"rmdir $2/lost+found; chattr +F $2 && chown $3:$4 $2"},
	{"XFS ascii-ci", "xfsprogs", "mkfs.xfs -q -n version=ci $1", "mount -t xfs $1 $2",
		"chown $3:$4 $2"},
}

// mounted makes the file system for an account and mounts it, or skips the test where the machine
// cannot.
func (d disk) mounted(t *testing.T, owner account) string {
	t.Helper()
	dir := sharedDir(t)
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	run := func(script, device string) string {
		out, err := exec.Command("sh", "-c", script, "sh", device, at, strconv.Itoa(owner.uid),
			strconv.Itoa(owner.gid)).CombinedOutput()
		if err != nil {
			t.Skipf("needs a machine that can mount %s (packages: %s): %s: %v: %s", d.name, d.needs,
				script, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := errors.Join(os.Mkdir(at, 0o755), os.WriteFile(image, nil, 0o600),
		os.Truncate(image, 512<<20)); err != nil {
		t.Fatal(err)
	}
	device := run(`losetup --find --show "$1"`, image)
	t.Cleanup(func() { command(t, "", "losetup", "--detach", device) })
	run(d.make, device)
	run(d.mount, device)
	t.Cleanup(func() { unmountLazily(t, at) })
	run(d.after, device)
	return at
}

// spellingsOf returns the name and the spellings that some file system accepts for it.
func spellingsOf(name string) []string {
	all := []string{name, strings.ToUpper(name), name + ".", name + " ", name + ":",
		name + "::$DATA", "PRIVAT~1"}
	for i := range name {
		all = append(all, name[:i]+strings.ToUpper(name[i:i+1])+name[i+1:])
	}
	return append(all, "p\u0280ivate", "pri\u0301vate", "pr\u0131vate", "priva\u200bte")
}

// TestSpellings checks that rules, mounts and files.hide hold for each spelling of a name that
// the file system accepts.
func TestSpellings(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	for _, d := range disks {
		t.Run(d.name, func(t *testing.T) {
			home, shared := d.mounted(t, owner), sharedDir(t)
			for _, file := range []string{"private/secret.txt", "ro/a.txt", "shared/covered",
				"deep/er/x", "pub/b.txt", "ünder/x", "open/in/x", "A.KEY", "pub/k.key"} {
				plant(t, owner, home, file)
			}
			nameShort(filepath.Join(home, "private"), "PRIVAT~1")
			plant(t, owner, shared, "news")
			s := serve(t, settings{"end": fmt.Sprintf(`[files]
hide = ["*.key"]
[[user]]
name = "carla"
password = %q
home = %q
run_as = %q
mount = [{path = "/shared", directory = %q}, {path = "/deep/er/m", directory = %[4]q}]
rule = [{path = "/private", permissions = []}, {path = "/ro", permissions = "read-only"}, {path = "/absent", permissions = []},
	{path = "/ünder", permissions = []}, {path = "/open", permissions = "read-only"}, {path = "/open/in", permissions = "full"}]
`, hashes["sha256-crypt"], home, owner.name, shared)})
			c := login(t, s.addr, "carla", "secret")
			before := contents(t, home)
			for _, name := range spellingsOf("private") {
				c.refusedBelow(t, "/"+name)
			}
			c.refusedAll(t, "RETR /ÜNDER/x", "SIZE /u\u0308nder/x", "STOR /ÜNDER/new")
			c.keepsRules(t)
			if after := contents(t, home); !slices.Equal(before, after) {
				t.Errorf("the disk had %q and has %q", before, after)
			}
			c.keepsHidden(t)
			c.goesOn(t)
		})
	}
}

// plant makes a file of an account that contains its own name, and the directories above it.
func plant(t *testing.T, owner account, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, name), name, 0o644)
	for ; name != "."; name = filepath.Dir(name) {
		if err := os.Chown(filepath.Join(dir, name), owner.uid, owner.gid); err != nil &&
			!errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
}

// nameShort gives a file of NTFS a short name, as Windows does; others have none, or have it already.
func nameShort(path, name string) {
	_ = unix.Setxattr(path, "system.ntfs_dos_name", []byte(name),
		0)
}

// contents returns a tree as text.
func contents(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			path += " " + readFile(t, path)
		}
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refusedAll checks that all lines are refused, each at its last command.
func (c *client) refusedAll(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if r, err := c.doAll(line); err != nil || r.code != 550 && r.code != 553 {
			t.Errorf("%s: %v, %v", line, r, err)
		}
	}
}

// refusedBelow checks that everything is refused in a directory that has the file secret.txt,
// where dir is a spelling of it. Otherwise the directory must not exist.
func (c *client) refusedBelow(t *testing.T, dir string) {
	t.Helper()
	for _, verb := range []string{"RETR", "SIZE", "MDTM", "MLST", "HASH", "STOR", "APPE", "DELE",
		"RNFR", "SITE CHMOD 600", "MFMT 20200102030405"} {
		c.refusedAll(t, verb+" "+dir+"/secret.txt")
	}
	c.refusedAll(t, "STOR "+dir+"/new", "MKD "+dir+"/new", "RNFR /pub/b.txt, RNTO "+dir+"/b.txt",
		"LIST "+dir, "MLSD "+dir, "CWD "+dir, "RMD "+dir, "RNFR "+dir)
}

// keepsRules tries to evade rules and mounts.
func (c *client) keepsRules(t *testing.T) {
	t.Helper()
	for _, name := range []string{"/RO", "/ro", "/Ro"} {
		c.refusedAll(t, "DELE "+name+"/a.txt", "STOR "+name+"/new", "STOR "+name+"/A.TXT",
			"APPE "+name+"/a.txt", "MKD "+name+"/d",
			"RNFR "+name+", RNTO /moved", "RNFR /pub/b.txt, RNTO "+name+"/b.txt")
	}
	c.refusedAll(t, "MKD /absent", "STOR /absent", "RETR /SHARED/covered", "MLST /Shared/covered",
		"STOR /SHARED/new",
		"RMD /deep", "RNFR /DEEP, RNTO /moved", "RNFR /deep/ER, RNTO /moved", "RETR /deep/ER/m/x",
		"RNFR /OPEN, RNTO /moved")
	if data, r, err := c.retrieve("RETR /shared/news"); data != "news" || err != nil {
		t.Errorf("the mount: %q, %v, %v", data, r, err)
	}
}

// keepsHidden checks that names that match files.hide cannot be reached in any spelling where the
// disk ignores case, and that other names can.
func (c *client) keepsHidden(t *testing.T) {
	t.Helper()
	folds := c.send("MLST /PUB").code == 250
	c.refusedAll(t, "RETR /pub/k.key", "RETR /pub/K.KEY", "STOR /new.key",
		"RNFR /pub/b.txt, RNTO /pub/b.key", "DELE /pub/K.Key")
	list, _, err := c.retrieve("NLST /")
	if err != nil || strings.Contains(list, "A.KEY") == folds ||
		strings.Count(strings.ToLower(list), "shared") != 1 {
		t.Errorf("listed, where case is ignored (%v): %q, %v", folds, list, err)
	}
	if !folds {
		return
	}
	c.refusedAll(t, "RETR /A.KEY", "RETR /a.key", "STOR /NEW.KEY", "MKD /NEW.KEY", "MKD /SHARED",
		"MKD /ABSENT", "STOR /Absent", "DELE /A.KEY", "RNFR /pub/b.txt, RNTO /B.KEY")
	if data, r, err := c.retrieve("RETR /RO/A.TXT"); data != "ro/a.txt" || err != nil {
		t.Errorf("another spelling has the rule's own answer: %q, %v, %v", data, r, err)
	}
	if r, err := c.store("STOR /OPEN/IN/y", "y"); r.code != 226 || err != nil {
		t.Errorf("another spelling has the permissions of the inner rule: %v, %v", r, err)
	}
}

// goesOn does what no rule forbids.
func (c *client) goesOn(t *testing.T) {
	t.Helper()
	if r, err := c.store("STOR /pub/New.txt", "x"); r.code != 226 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	c.expect(t, 257, "MKD /Privately")
	c.expect(t, 350, "RNFR /pub/New.txt")
	c.expect(t, 250, "RNTO /pub/Newer.txt")
	c.expect(t, 250, "DELE /pub/Newer.txt")
	c.expect(t, 250, "RMD /Privately")
}
