package unixauth

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/unixauth/internal/wire"
)

// fakeNames answers queries as a helper would. Ids below 1000 have names that contain the
// number of the answer. The user alice exists, and some other users make the helper misbehave.
func fakeNames(c *wire.Conn) error {
	for n := 1; ; n++ {
		var q wire.Query
		if err := c.Receive(&q); err != nil {
			return nil
		}
		a := wire.Answer{UserNames: map[uint32]string{}, GroupNames: map[uint32]string{}}
		for _, id := range q.UIDs {
			if id == 30_000 {
				os.Exit(6)
			}
			if id < 1000 {
				a.UserNames[id] = fmt.Sprintf("u%d.%d", id, n)
			}
		}
		for _, id := range q.GIDs {
			if id < 1000 {
				a.GroupNames[id] = fmt.Sprintf("g%d.%d", id, n)
			}
		}
		switch q.User {
		case "dies":
			os.Exit(7)
		case "down":
			a.Failed = "the directory is down"
		case "alice":
			a.Passwd = &Passwd{Name: "alice", UID: 1000, Home: "/home/alice"}
			a.Groups = &wire.Session{GIDs: []uint32{100, 4}, Groups: []string{"users"}}
		}
		if q.Group == "users" {
			gid := uint32(100)
			a.GID = &gid
		}
		if err := c.Send(a); err != nil {
			return err
		}
	}
}

func newFakeNames(t *testing.T) *Names {
	t.Helper()
	checkLeaks(t)
	n := NewNames(helperNamed(t, "good"))
	t.Cleanup(func() { n.Close() })
	return n
}

func TestNames(t *testing.T) {
	n := newFakeNames(t)
	p, groups, found, err := n.User("alice")
	if err != nil || !found || p.Home != "/home/alice" ||
		!reflect.DeepEqual(groups, []string{"users"}) {
		t.Errorf("alice: %v %v %v %v", p, groups, found, err)
	}
	for _, name := range []string{"mallory", "", "../alice", "ali\x00ce"} {
		if found, err := n.UserExists(name); found || err != nil {
			t.Errorf("%q: %v %v", name, found, err)
		}
	}
	if gid, found, err := n.Group("users"); gid != 100 || !found || err != nil {
		t.Errorf("users: %v %v %v", gid, found, err)
	}
	if _, found, err := n.Group("absent"); found || err != nil {
		t.Errorf("absent: %v %v", found, err)
	}
}

// Each id is queried once, also one without a name.
func TestNamesAreKept(t *testing.T) {
	n := newFakeNames(t)
	for range 2 {
		users, groups, err := n.Lookup([]uint32{1, 5000}, []uint32{2})
		if want := map[uint32]string{1: "u1.1"}; err != nil || !maps.Equal(users, want) {
			t.Errorf("users %v, %v", users, err)
		}
		if want := map[uint32]string{2: "g2.2"}; !maps.Equal(groups, want) {
			t.Errorf("groups %v", groups)
		}
	}
	if e := n.users[5000]; e.until.IsZero() || e.name != "" {
		t.Errorf("an id without a name is kept as %v", e)
	}
	old := n.users[1]
	old.until = old.until.Add(-nameTTL)
	n.users[1] = old
	if users, _, _ := n.Lookup([]uint32{1}, nil); users[1] != "u1.3" {
		t.Errorf("after five minutes: %v", users)
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := newFakeNames(t)
	ids := make([]uint32, maxNames)
	for i := range ids {
		ids[i] = uint32(i)
	}
	users, _, err := n.Lookup(ids, nil)
	if err != nil || len(users) != 1000 || len(n.users) != maxNames {
		t.Fatalf("%d names, %d kept, %v", len(users), len(n.users), err)
	}
	if _, _, err := n.Lookup([]uint32{20000}, nil); err != nil || len(n.users) != 1 {
		t.Errorf("%d kept, %v", len(n.users), err)
	}
}

func TestNamesHelperFails(t *testing.T) {
	n := newFakeNames(t)
	if _, err := n.UserExists("down"); err == nil ||
		err.Error() != "name service: the directory is down" {
		t.Errorf("down: %v", err)
	}
	if _, err := n.UserExists("dies"); err == nil ||
		!strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("dies: %v", err)
	}
	if found, err := n.UserExists("alice"); !found || err != nil {
		t.Errorf("after the helper died: %v %v", found, err)
	}
	n.helper.kill()
	<-n.helper.exited
	if found, err := n.UserExists("alice"); !found || err != nil {
		t.Errorf("after the helper was killed: %v %v", found, err)
	}
	n.Close()
	if _, err := n.UserExists("alice"); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

// After a failed Lookup, the following ones fail without a query for a while, so that a listing
// does not wait for each of its batches.
func TestOwnersFail(t *testing.T) {
	n := newFakeNames(t)
	const deadly = 30_000
	_, _, first := n.Lookup([]uint32{deadly}, nil)
	if first == nil {
		t.Fatal("no error")
	}
	if _, _, err := n.Lookup([]uint32{1}, nil); err != first {
		t.Errorf("the next Lookup: %v", err)
	}
	n.retryAt = time.Now()
	if users, _, err := n.Lookup([]uint32{1}, nil); err != nil || users[1] == "" {
		t.Errorf("later: %v, %v", users, err)
	}
}

// A query that is past its deadline after it waited for other queries is not sent.
func TestLateQueries(t *testing.T) {
	n := newFakeNames(t)
	_, err := n.query(wire.Query{User: "alice"}, time.Now().Add(-time.Second))
	if !errors.Is(err, errLate) || n.helper != nil {
		t.Errorf("%v, helper %v", err, n.helper)
	}
}
