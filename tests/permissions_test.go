//go:build linux

package tests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// wordCalls are commands in a directory with a file "f" with the text "text", another file "g",
// and an empty directory "d"; each with all the permission words that it needs.
var wordCalls = []struct{ line, words string }{
	{"LIST", "list"}, {"NLST", "list"}, {"MLSD", "list"}, {"MLST f", "list"}, {"STAT f", "list"},
	{"SIZE f", "list"}, {"MDTM f", "list"},
	{"RETR f", "read"}, {"HASH f", "read"}, {"XCRC f", "read"}, {"XMD5 f", "read"},
	{"XSHA1 f", "read"}, {"XSHA256 f", "read"},
	{"STOR new", "write"}, {"STOU", "write"}, {"STOR f", "overwrite"}, {"APPE f", "append"},
	{"REST 4, STOR f", "append"}, {"REST 2, STOR f", "overwrite"},
	{"DELE f", "delete"}, {"RMD d", "delete"}, {"RNFR f, RNTO new", "rename"},
	{"RNFR f, RNTO g", "rename overwrite"}, {"MKD new", "mkdir"},
	{"SITE CHMOD 600 f", "chmod"}, {"SITE UMASK 077", "chmod"}, {"MFMT 20200102030405 f", "touch"},
	{"MDTM 20200102030405 f", "touch"}, {"SITE UTIME 20200102030405 f", "touch"},
}

// TestPermissionWords checks that each permission word stands for the documented commands and for
// no other: with users that have one word alone, and all but one.
func TestPermissionWords(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	words := strings.Fields("list read write overwrite append delete rename mkdir chmod touch")
	sets := map[string][]string{}
	var users strings.Builder
	for i, word := range words {
		for name, set := range map[string][]string{"only-" + word: {word},
			"without-" + word: slices.Delete(slices.Clone(words), i, i+1)} {
			sets[name] = set
			fmt.Fprintf(&users, "[[user]]\nname = %q\npassword = %q\nhome = %q\nrun_as = %q\npermissions = [\"%s\"]\n",
				name, hashes["bcrypt"], owner.home, owner.name, strings.Join(set, `", "`))
		}
	}
	s := serve(t, settings{"end": users.String()})
	for name, set := range sets {
		c := login(t, s.addr, name, "secret")
		for _, call := range wordCalls {
			owner.wordDir(t, "w")
			c.expect(t, 250, "CWD /w")
			allowed := true
			for _, word := range strings.Fields(call.words) {
				allowed = allowed && slices.Contains(set, word)
			}
			if r, err := c.doAll(call.line); err != nil || (r.code < 400) != allowed {
				t.Errorf("%s: %s is answered %v, %v", name, call.line, r, err)
			}
			c.expect(t, 250, "CWD /")
		}
	}
}

// wordDir makes the directory of wordCalls again.
func (a account) wordDir(t *testing.T, name string) {
	t.Helper()
	dir := filepath.Join(a.home, name)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, dir + "/d"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d, a.uid, a.gid); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"/f", "/g"} {
		a.file(t, name+f, "text", a.uid, a.gid, 0o644)
	}
}

// doAll sends commands, separated by commas, with or without data, and returns the last reply, or
// the first refusal.
func (c *client) doAll(lines string) (r reply, err error) {
	for _, line := range strings.Split(lines, ", ") {
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "LIST", "NLST", "MLSD", "RETR":
			_, r, err = c.retrieve(line)
		case "STOR", "APPE", "STOU":
			r, err = c.store(line, "more")
		default:
			r, err = c.do(line)
		}
		if err != nil || r.code >= 400 {
			return r, err
		}
	}
	return r, nil
}

// TestLongestPathWins checks that the longest path decides, whether a group or the user has it,
// at the place where the directory really is: through symlinks and "..". A user's rule for a path
// replaces a group's rule for the same path.
func TestLongestPathWins(t *testing.T) {
	t.Parallel()
	needRoot(t)
	group, _ := newGroup(t)
	u := newAccount(t, "--groups", group)
	for _, dir := range []string{"a", "a/b", "a/b/c", "same"} {
		u.wordDir(t, dir)
	}
	for link, to := range map[string]string{"link": "a/b", "a/b/c/up": "../..",
		"a/b/absolute": "/a/b/c"} {
		if err := os.Symlink(to, filepath.Join(u.home, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, settings{"defaults": "permissions = \"read-only\"\n", "end": fmt.Sprintf(`
[[group]]
name = %q
  [[group.rule]]
  path = "/a"
  permissions = "full"
  [[group.rule]]
  path = "/a/b/c"
  permissions = ["list", "delete"]
  [[group.rule]]
  path = "/same"
  permissions = "full"
[[user]]
name = %q
  [[user.rule]]
  path = "/a/b"
  permissions = "drop-box"
  [[user.rule]]
  path = "/same"
  permissions = ["list"]
`, group, u.name)})
	c := login(t, s.addr, u.name, u.password)
	for _, test := range []struct{ dir, real, may string }{
		// ".." leads back the way that led in
		{"/", "", "MLSD"}, {"/a/..", "", "MLSD"}, {"/link/..", "", "MLSD"},
		{"/a", "a", "MLSD STOR DELE"}, {"/a/b/..", "a", "MLSD STOR DELE"},
		{"/a/b/c/up", "a", "MLSD STOR DELE"}, {"/link/c/up", "a", "MLSD STOR DELE"},
		{"/a/b", "a/b", "STOR"}, {"/link", "a/b", "STOR"}, {"/link/absolute/..", "a/b", "STOR"},
		{"/a/b/c/up/b", "a/b", "STOR"},
		{"/a/b/c", "a/b/c", "MLSD DELE"}, {"/link/c", "a/b/c", "MLSD DELE"},
		{"/a/b/absolute", "a/b/c", "MLSD DELE"}, {"/link/absolute", "a/b/c", "MLSD DELE"},
		{"/same", "same", "MLSD"}, {"/same/d", "same/d", "MLSD"},
	} {
		u.file(t, test.real+"/victim", "x", u.uid, u.gid, 0o644)
		var may []string
		for _, line := range []string{"MLSD " + test.dir, "STOR " + test.dir + "/new",
			"DELE " + test.dir + "/victim"} {
			r, err := c.doAll(line)
			if err != nil {
				t.Fatal(err)
			}
			if r.code < 400 {
				may = append(may, line[:4])
			}
		}
		os.Remove(filepath.Join(u.home, test.real, "new"))
		if got := strings.Join(may, " "); got != test.may {
			t.Errorf("%s: may %q, not %q", test.dir, got, test.may)
		}
	}
}

// TestRuleOfALink checks that a rule for a symlink holds for the directory, under both names.
func TestRuleOfALink(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	data := filepath.Join(u.home, "data")
	if err := errors.Join(os.Mkdir(data, 0o755), os.Chown(data, u.uid, u.gid)); err != nil {
		t.Fatal(err)
	}
	u.file(t, "data/file", "text", u.uid, u.gid, 0o644)
	if err := os.Symlink("data", filepath.Join(u.home, "link")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, settings{"end": fmt.Sprintf("[[user]]\nname = %q\n"+
		"[[user.rule]]\npath = \"/link\"\npermissions = \"drop-box\"\n", u.name)})
	c := login(t, s.addr, u.name, u.password)
	for _, dir := range []string{"link", "data"} {
		if _, r, err := c.retrieve("RETR " + dir + "/file"); err != nil || r.code != 550 {
			t.Errorf("RETR %s/file: %v, %v", dir, r, err)
		}
		if r, err := c.store("STOR "+dir+"/of-"+dir, "text"); err != nil || r.code != 226 {
			t.Errorf("STOR %s/of-%s: %v, %v", dir, dir, r, err)
		}
	}
}

// TestGroupsInTheirOrder checks that a member of several groups has the settings of the last one
// in the file, for settings that it lacks those of the groups before, and the user's own settings
// before all.
func TestGroupsInTheirOrder(t *testing.T) {
	t.Parallel()
	needRoot(t)
	first, _ := newGroup(t)
	second, _ := newGroup(t)
	u, member := newAccount(t, "--groups", first+","+second), newAccount(t, "--groups", first)
	s := serve(t, settings{"defaults": "quit_message = \"of all\"\n", "end": fmt.Sprintf(`
[[group]]
name = %q
login_message = "of the second"
umask = "077"
[[group]]
name = %q
login_message = "of the first"
quit_message = "of the first"
[[user]]
name = %q
quit_message = "own"
`, second, first, u.name)})
	for _, test := range []struct {
		user              account
		hello, mode, quit string
	}{{u, "of the first", "-rw-------", "own"},
		{member, "of the first", "-rw-r--r--", "of the first"}} {
		c, _, err := dial(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		c.expect(t, 331, "USER "+test.user.name)
		if r := c.expect(t, 230, "PASS "+test.user.password); r.text != test.hello {
			t.Errorf("login: %v, want %q", r, test.hello)
		}
		storeAs(t, c, "new")
		if info, err := os.Stat(filepath.Join(test.user.home, "new")); err != nil ||
			info.Mode().String() != test.mode {
			t.Errorf("the file: %v, %v, want %s", info.Mode(), err, test.mode)
		}
		if r := c.expect(t, 221, "QUIT"); r.text != test.quit {
			t.Errorf("QUIT: %v, want %q", r, test.quit)
		}
	}
}

// TestDefaultACLs checks that the default ACL of a directory applies to new entries in place of
// the umask, as for every other program.
func TestDefaultACLs(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "setfacl")
	u, other := newAccount(t), newAccount(t)
	u.wordDir(t, "shared")
	dir := filepath.Join(u.home, "shared")
	command(t, "", "setfacl", "--default", "--modify", "u:"+other.name+":rwx", dir)
	s := serve(t, settings{"defaults": "umask = \"077\"\n"})
	c := login(t, s.addr, u.name, u.password)
	storeAs(t, c, "shared/new")
	c.expect(t, 257, "MKD shared/newdir")
	storeAs(t, c, "elsewhere")
	for name, want := range map[string]string{"shared/new": "mask::rw-",
		"shared/newdir": "mask::rwx"} {
		acl := command(t, "", "getfacl", "--absolute-names", filepath.Join(u.home, name))
		if !strings.Contains(acl, "user:"+other.name+":rwx") || !strings.Contains(acl, want+"\n") {
			t.Errorf("%s: %s", name, acl)
		}
	}
	if info, err := os.Stat(filepath.Join(u.home, "elsewhere")); err != nil ||
		info.Mode().Perm() != 0o600 {
		t.Errorf("elsewhere the umask decides: %v, %v", info.Mode(), err)
	}
	if n, _ := unix.Getxattr(filepath.Join(u.home, "elsewhere"), "system.posix_acl_access",
		nil); n > 0 {
		t.Error("elsewhere there is an ACL")
	}
}

// TestMountsInATree checks that a mount is in the listing of its parent, in each form, has
// permissions of its own, and can be neither the target of a rename nor removed.
func TestMountsInATree(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	u.wordDir(t, "docs")
	shared := sharedDir(t)
	writeFile(t, filepath.Join(shared, "news"), "news", 0o666)
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	s := serve(t, settings{"end": fmt.Sprintf(`[[user]]
name = %q
  [[user.mount]]
  path = "/shared"
  directory = %q
  [[user.mount]]
  path = "/docs/shared"
  directory = %[2]q
  permissions = "read-only"
`, u.name, shared)})
	c := login(t, s.addr, u.name, u.password)
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		for _, dir := range []string{"/", "/docs"} {
			if list, _, err := c.retrieve(verb + " " + dir); err != nil ||
				strings.Count(list, "shared\r\n") != 1 {
				t.Errorf("%s %s has %q, %v", verb, dir, list, err)
			}
		}
	}
	for line, code := range map[string]int{
		"RETR /shared/news": 226, "RETR /docs/shared/news": 226,
		"STOR /shared/new": 226, "STOR /docs/shared/new2": 550, "DELE /docs/shared/news": 550,
		"RNFR /docs/f, RNTO /shared/f": 553, "RNFR /shared/news, RNTO /news": 553,
		"RNFR /docs/f, RNTO /docs/shared/f":    553,
		"RNFR /shared/news, RNTO /shared/olds": 250,
		"RMD /shared":                          550, "RNFR /shared, RNTO /other": 550,
		"RMD /docs": 550,
	} {
		if r, err := c.doAll(line); err != nil || r.code != code {
			t.Errorf("%s: %v, %v, want %d", line, r, err, code)
		}
		writeFile(t, filepath.Join(shared, "news"), "news", 0o666)
	}
}
