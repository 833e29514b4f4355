package roster

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
)

func TestRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Roster[int]
		for s := range 3 {
			if !r.Enter(s) {
				t.Fatal("no session may begin")
			}
		}
		r.Admit(1, "one")
		decided := false
		go func() { // returns after the third Decided
			r.WaitDecided()
			decided = true
		}()
		for range 3 {
			synctest.Wait()
			if decided {
				t.Error("a session is neither admitted nor refused")
			}
			r.Decided()
		}
		synctest.Wait()
		if !decided {
			t.Error("all are decided")
		}
		if s, ok := r.Find("one"); !ok || s != 1 {
			t.Errorf("one is %d, %v", s, ok)
		}
		if _, ok := r.Find(""); ok {
			t.Error("a session without an id is found")
		}
		if got := r.Admitted(); !maps.Equal(got, map[string]int{"one": 1}) {
			t.Error(got)
		}
		empty := r.Empty()
		var all []int
		r.Drain(func(s int) { all = append(all, s) })
		slices.Sort(all)
		if !slices.Equal(all, []int{0, 1, 2}) || !r.IsDraining() {
			t.Error(all)
		}
		if r.Enter(3) {
			t.Error("a session begins after Drain")
		}
		for s := range 3 {
			select {
			case <-empty:
				t.Error("a session has not left")
			default:
			}
			r.Leave(s)
			synctest.Wait()
		}
		<-empty
		if _, ok := r.Find("one"); ok {
			t.Error("a session that has left is found")
		}
	})
}
