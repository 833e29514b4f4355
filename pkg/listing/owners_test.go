package listing

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/vfs"
)

func TestOwners(t *testing.T) {
	const request = 256
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		o := NewOwners(request, func(
			_ context.Context, uids, gids []uint32,
		) (users, groups map[uint32]string, err error) {
			if requests++; len(uids)+len(gids) > request {
				t.Errorf("a request has %d ids", len(uids)+len(gids))
			}
			return named(uids, "owner"), named(gids, "group"), nil
		})
		batch := []vfs.Entry{{UID: 1, GID: 2}, {UID: 1, GID: 2}, {UID: 2, GID: 1}}
		look := func(want int, why string) {
			t.Helper()
			o.Learn(t.Context(), batch)
			for i := range batch {
				if user, group := o.Of(&batch[i]); user != "owner" || group != "group" {
					t.Error(user, group)
				}
			}
			if requests != want {
				t.Errorf("%s: %d requests, not %d", why, requests, want)
			}
		}
		look(1, "a batch is one request")
		time.Sleep(ownersLife - time.Second)
		look(1, "known names are not looked up again")
		time.Sleep(2 * time.Second)
		look(2, "old names are looked up again")

		var many []vfs.Entry
		for id := range uint32(maxOwners + 10) {
			many = append(many, vfs.Entry{UID: id, GID: id})
		}
		requests = 0
		o.Learn(t.Context(), many)
		if least := 2 * len(many) / request; requests < least || requests > least+1 {
			t.Errorf("%d names were %d requests", 2*len(many), requests)
		}
		o.Learn(t.Context(), batch)
		if len(o.known.users) > maxOwners {
			t.Error("more names are remembered than the bound:", len(o.known.users))
		}
		// A listing that began before the bound was reached still shows what it has learnt.
		if user, _ := o.Of(&many[maxOwners]); user != "owner" {
			t.Error("a name was lost:", user)
		}
	})
}

// named gives all ids the same name.
func named(ids []uint32, name string) map[uint32]string {
	names := make(map[uint32]string)
	for _, id := range ids {
		names[id] = name
	}
	return names
}

func TestOwnersThatDoNotFit(t *testing.T) {
	known := map[uint32]string{}
	remember(known, []uint32{1, 2, 3, 4, 6, 7, 8, 9}, map[uint32]string{
		1: `DOM\gööd`, 2: "two words", 3: "line\nend", 6: "no\u00a0break", 7: "a;type=dir",
		8: "esc\x1b", 9: strings.Repeat("x", maxNameLength+1),
	})
	for id, want := range map[uint32]string{
		1: `DOM\gööd`, 2: "2", 3: "3", 4: "4", 5: "5", 6: "6", 7: "7", 8: "8", 9: "9",
	} {
		if got := nameOf(known, nil, id); got != want {
			t.Errorf("%d is %q, not %q", id, got, want)
		}
	}
}
