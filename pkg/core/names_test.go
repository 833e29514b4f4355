package core

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/monitor"
	"ftpd/pkg/vfs"
)

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSupervisor{}
		n := newNames(f)
		batch := []vfs.Entry{{UID: 1, GID: 2}, {UID: 1, GID: 2}, {UID: 2, GID: 1}}
		look := func(want int, why string) {
			t.Helper()
			n.learn(t.Context(), batch)
			for i := range batch {
				if user, group := n.of(&batch[i]); user != "owner" || group != "group" {
					t.Error(user, group)
				}
			}
			if f.asked != want {
				t.Errorf("%s: asked %d times, not %d", why, f.asked, want)
			}
		}
		look(1, "a batch is one request")
		time.Sleep(namesLife - time.Second)
		look(1, "known names are not asked again")
		time.Sleep(2 * time.Second)
		look(2, "names are asked anew when they are old")

		var many []vfs.Entry
		for id := range uint32(maxNames + 10) {
			many = append(many, vfs.Entry{UID: id, GID: id})
		}
		f.asked = 0
		n.learn(t.Context(), many)
		if least := 2 * len(many) / monitor.MaxNames; f.asked < least || f.asked > least+1 {
			t.Errorf("%d names were %d requests", 2*len(many), f.asked)
		}
		n.learn(t.Context(), batch)
		if len(n.known.users) > maxNames {
			t.Error("more names are remembered than the bound:", len(n.known.users))
		}
		// A listing that began before the bound was met still shows what it has learnt.
		if user, _ := n.of(&many[maxNames]); user != "owner" {
			t.Error("a name was lost:", user)
		}
	})
}

func TestNamesThatDoNotFit(t *testing.T) {
	known := map[uint32]string{}
	remember(known, []uint32{1, 2, 3, 4, 6, 7, 8, 9}, map[uint32]string{1: `DOM\gööd`, 2: "two words", 3: "line\nend",
		6: "no\u00a0break", 7: "a;type=dir", 8: "esc\x1b", 9: strings.Repeat("x", maxNameLength+1)})
	for id, want := range map[uint32]string{1: `DOM\gööd`, 2: "2", 3: "3", 4: "4", 5: "5", 6: "6", 7: "7", 8: "8", 9: "9"} {
		if got := name(known, nil, id); got != want {
			t.Errorf("%d is %q, not %q", id, got, want)
		}
	}
}
