//go:build linux

package tests

import (
	"os"
	"testing"
)

// TestRightsOfUsers checks that the kernel decides about each file as in the user's shell: by
// owner, by all groups, by mode.
func TestRightsOfUsers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	group, gid := newGroup(t)
	user, other := newAccount(t, "--groups", group), newAccount(t)
	team := user.file(t, "team", "of the team", 0, gid, 0o660)
	private := user.file(t, "private", "of the other", other.uid, other.gid, 0o600)
	user.file(t, "roots", "of root", 0, 0, 0o600)
	s := serve(t, nil)
	c := login(t, s.addr, user.name, user.password)

	if data, r, err := c.retrieve("RETR team"); data != "of the team" || r.code != 226 ||
		err != nil {
		t.Errorf("a file of a supplementary group: %q, %v, %v", data, r, err)
	}
	if r, err := c.store("STOR team", "written"); r.code != 226 || err != nil {
		t.Errorf("a file of a supplementary group is written: %v, %v", r, err)
	}
	if got := readFile(t, team); got != "written" {
		t.Errorf("the file of the team has %q", got)
	}
	belongsTo(t, team, 0, gid)

	for _, file := range []string{"private", "roots"} {
		if _, r, err := c.retrieve("RETR " + file); r.code != 550 || err != nil {
			t.Errorf("RETR %s: %v, %v", file, r, err)
		}
		for _, verb := range []string{"STOR", "APPE"} {
			if r, err := c.store(verb+" "+file, "overwritten"); r.code != 550 || err != nil {
				t.Errorf("%s %s: %v, %v", verb, file, r, err)
			}
		}
	}
	if got := readFile(t, private); got != "of the other" {
		t.Errorf("the other's file has %q", got)
	}

	if r, err := c.store("STOR new", "mine"); r.code != 226 || err != nil {
		t.Fatalf("STOR new: %v, %v", r, err)
	}
	c.expect(t, 257, "MKD dir")
	for name, mode := range map[string]os.FileMode{"new": 0o644, "dir": os.ModeDir | 0o755} {
		info, err := os.Stat(user.home + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
		belongsTo(t, user.home+"/"+name, user.uid, user.gid)
	}
}
