//go:build linux

package tests

import (
	"fmt"
	"testing"
)

// TestChgrp checks that SITE CHGRP gives a user's file to a group of the user's, by the name that
// the name service has or by number, and to no other group. A file of another user stays as it
// is.
func TestChgrp(t *testing.T) {
	t.Parallel()
	needRoot(t)
	group, gid := newGroup(t)
	foreign, foreignID := newGroup(t)
	user, other := newAccount(t, "--groups", group), newAccount(t)
	mine := user.file(t, "mine", "x", user.uid, user.gid, 0o644)
	theirs := user.file(t, "theirs", "x", other.uid, gid, 0o666)
	c := login(t, serve(t, nil).addr, user.name, user.password)

	c.expect(t, 200, "SITE CHGRP "+group+" mine")
	belongsTo(t, mine, user.uid, gid)
	c.expect(t, 200, fmt.Sprintf("SITE CHGRP %d mine", user.gid))
	belongsTo(t, mine, user.uid, user.gid)
	for _, line := range []string{"SITE CHGRP " + foreign + " mine",
		fmt.Sprintf("SITE CHGRP %d mine", foreignID), "SITE CHGRP 0 mine",
		"SITE CHGRP root mine", "SITE CHGRP no-such-group mine",
		"SITE CHGRP " + group + " missing"} {
		c.expect(t, 550, line)
	}
	belongsTo(t, mine, user.uid, user.gid)
	c.expect(t, 550, fmt.Sprintf("SITE CHGRP %d theirs", user.gid))
	belongsTo(t, theirs, other.uid, gid)
}
