//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNTFS covers a file system that cannot have every name, and has no modes and groups without
// options. What it refuses is refused with the reason, so that clients do not try again. What it
// ignores is answered with the result.
func TestNTFS(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "ntfs-3g")
	image := diskImage(t, 8, "mkfs.ntfs", "--fast", "--force", "--quiet")
	dir := mountPoint(t)
	command(t, "", "ntfs-3g", "-o", "windows_names,allow_other", image, dir)
	s := shareWritable(t, dir)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	refusesNames(t, c)
	for line, want := range map[string]string{
		"SITE CHMOD 600 f": "The file system keeps the mode 777.",
		"SITE CHMOD 777 f": "Mode set to 777.",
		"SITE CHGRP 1 f":   "The file system keeps the group 0.",
		"SITE CHGRP 0 f":   "Group set to 0.",
	} {
		if r := c.expect(t, 200, line); r.text != want {
			t.Errorf("%s: %v", line, r)
		}
	}
	for _, verb := range []string{"SITE CHMOD", "SITE CHGRP"} {
		s.log.wait(t, verb, func(r record) bool {
			return r.Verb == verb && r.Reply == 200 &&
				strings.HasPrefix(r.Cause, "the file system keeps the ")
		})
	}
	lftpUploads(t, s)
}

// TestExfat covers exfat-fuse: it reports a missing file where the name of a new file is not
// possible, and accepts modes that it does not have, and times before 1980, which change when
// they are read again.
func TestExfat(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "mount.exfat-fuse")
	image := diskImage(t, 8, "mkfs.exfat")
	device := strings.TrimSpace(command(t, "", "losetup", "--find", "--show", image))
	t.Cleanup(func() { command(t, "", "losetup", "--detach", device) })
	dir := mountPoint(t)
	command(t, "", "mount.exfat-fuse", "-o", "allow_other,uid=65534", device, dir)
	s := shareWritable(t, dir)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	refusesNames(t, c)
	if r := c.expect(t, 200, "SITE CHMOD 600 f"); r.text != "The file system keeps the mode 777." {
		t.Error(r)
	}
	for _, line := range []string{"MFMT 20210304050607 f", "MFMT 19700101000001 f",
		"MDTM 19750304050607 f"} {
		stored := c.expect(t, 213, line).text
		if now := c.expect(t, 213, "MDTM f").text; strings.TrimSuffix(strings.TrimPrefix(stored,
			"Modify="), "; f") != now {
			t.Errorf("%s: %s, then %s", line, stored, now)
		}
	}
}

// refusesNames checks that the refusal of a name has the right reason, and makes the file f.
func refusesNames(t *testing.T, c *client) {
	t.Helper()
	for _, verb := range []string{"STOR", "APPE", "STOU"} {
		r, err := c.store(verb+" a:b", "text")
		if r.code != 553 || !strings.Contains(r.text, "File name not allowed.") || err != nil {
			t.Errorf("%s: %v, %v", verb, r, err)
		}
	}
	if r, err := c.store("STOR f", "text"); r.code != 226 || err != nil {
		t.Fatal(r, err)
	}
	c.expect(t, 553, "MKD a:b")
	c.expect(t, 350, "RNFR f")
	c.expect(t, 553, "RNTO a:b")
	// known before there is a data connection
	for _, verb := range []string{"STOR", "APPE", "STOU", "MKD"} {
		for _, name := range []string{"\xfe", strings.Repeat("x", 256)} {
			c.expect(t, 553, verb+" "+name)
		}
	}
}

// lftpUploads checks that lftp gives up a name that is not possible after one try, and accepts
// that a mode is not possible.
func lftpUploads(t *testing.T, s *server) {
	need(t, "lftp")
	at := s.visitor(t)
	odd := filepath.Join(at.folder, "odd")
	writeFile(t, odd, "text", 0o644)
	stors := func() int {
		found, _ := s.log.find(func(r record) bool { return r.Verb == "STOR" && r.Path == "/o:d" })
		return len(found)
	}
	if _, err := lftpDoes(t, at, action{verb: "put", local: odd, remote: "o:d"}); err == nil ||
		stors() > 1 {
		t.Errorf("lftp stored a file %d times: %v", stors(), err)
	}
	tree := filepath.Join(at.folder, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "sub"), 0o750); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(tree, "sub", "file"), "text", 0o640)
	if _, err := lftpDoes(t, at, action{verb: "push", local: tree, remote: "tree"}); err != nil {
		t.Error(err)
	}
}

// TestExt4ThatRefuses checks that a time that the file system rounds, or does not have after some
// year, is answered with the time that the file has. An immutable directory and a read-only file
// system refuse before there is a data connection.
func TestExt4ThatRefuses(t *testing.T) {
	t.Parallel()
	needRoot(t)
	image := diskImage(t, 8, "mkfs.ext4", "-q", "-I", "128")
	dir := mountPoint(t)
	command(t, "", "mount", "-o", "loop", image, dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := shareWritable(t, dir)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	if r, err := c.store("STOR f", "text"); r.code != 226 || err != nil {
		t.Fatal(r, err)
	}
	const last = "20380119031407"
	for _, test := range [][2]string{
		{"MFMT 20500101000000 f", "Modify=" + last + "; f"}, {"MDTM f", last},
		{"MDTM 20500101000000 f", last}, {"MDTM f", last},
	} {
		if r := c.expect(t, 213, test[0]); r.text != test[1] {
			t.Errorf("%s: %v", test[0], r)
		}
	}
	if r := c.expect(t, 200, "SITE UTIME 20500101000000 f"); !strings.Contains(r.text, last) {
		t.Error(r)
	}
	fixed := filepath.Join(dir, "fixed")
	if err := os.Mkdir(fixed, 0o777); err != nil {
		t.Fatal(err)
	}
	command(t, "", "chattr", "+i", fixed)
	for _, line := range []string{"STOR fixed/n", "APPE fixed/n", "STOU fixed/n", "MKD fixed/n"} {
		if r := c.expect(t, 550, line); r.text != "Permission denied." {
			t.Errorf("%s: %v", line, r)
		}
	}
	command(t, "", "mount", "-o", "remount,ro", dir)
	for _, line := range []string{"STOR n", "APPE f", "STOU n", "MKD n", "DELE f",
		"SITE CHMOD 600 f", "MFMT 20210304050607 f"} {
		if r := c.expect(t, 550, line); r.text != "File system is read-only." {
			t.Errorf("%s: %v", line, r)
		}
	}
}

// diskImage makes a file system of so many MiB in a file.
func diskImage(t *testing.T, mebibytes int64, mkfs string, options ...string) (image string) {
	t.Helper()
	need(t, mkfs)
	image = filepath.Join(t.TempDir(), "image")
	writeFile(t, image, "", 0o600)
	if err := os.Truncate(image, mebibytes<<20); err != nil {
		t.Fatal(err)
	}
	command(t, "", mkfs, append(options, image)...)
	return image
}

// shareWritable serves a directory that all users may change.
func shareWritable(t *testing.T, dir string) *server {
	t.Helper()
	port := freePort(t)
	s := newServer(t, port, "share", dir, "--write", "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	asOrdinaryUser(s.cmd)
	s.start(t)
	return s
}

// mountPoint makes a directory for a mount, which ends before the directory is removed. Nothing
// below it is ever removed.
func mountPoint(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ftpdtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if isMounted(dir) {
			unmountLazily(t, dir)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
