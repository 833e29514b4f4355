//go:build linux

package tests

import "testing"

// TestMemoryOfManyTransfers checks that transfers leave no memory behind, neither for ever nor as
// long as some timer runs.
func TestMemoryOfManyTransfers(t *testing.T) {
	needRoot(t)
	const transfers, mayGrow = 15_000, 12 << 20
	u := newAccount(t)
	u.file(t, "file", "some text", u.uid, u.gid, 0o644)
	s := serve(t, nil)
	c := login(t, s.addr, u.name, u.password)
	core := s.core(t)
	before := resident(core)
	for range transfers {
		if _, r, err := c.retrieve("RETR file"); r.code != 226 || err != nil {
			t.Fatalf("RETR: %v, %v", r, err)
		}
	}
	grown := resident(core) - before
	t.Logf("%d transfers made the core grow from %d KiB by %d KiB", transfers, before>>10,
		grown>>10)
	if grown > mayGrow {
		t.Errorf("the core grew by %d KiB", grown>>10)
	}
}
