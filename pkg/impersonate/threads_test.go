package impersonate

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// newBounds returns what NewThreads returns, without its effect on the runtime.
func newBounds(max int) *Threads { return &Threads{max: max, users: make(map[uint32]int)} }

// take acquires n sections for uid. The test fails if one of them has to wait.
func take(t *testing.T, threads *Threads, uid uint32, n int) {
	t.Helper()
	start := time.Now()
	for range n {
		if err := threads.acquire(uid); err != nil {
			t.Fatal(err)
		}
	}
	if waited := time.Since(start); waited != 0 {
		t.Fatalf("%d sections of uid %d waited %v", n, uid, waited)
	}
}

func TestBoundPerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(1000)
		take(t, threads, 1, perUser)
		start := time.Now()
		err := threads.acquire(1)
		if waited := time.Since(start); !errors.Is(err, ErrBusy) || waited != maxWait {
			t.Fatalf("section %d of a user: %v after %v, want ErrBusy after %v",
				perUser+1, err, waited, maxWait)
		}
		take(t, threads, 2, perUser)
	})
}

func TestGlobalBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(3)
		for uid := range uint32(3) {
			take(t, threads, uid, 1)
		}
		if err := threads.acquire(9); !errors.Is(err, ErrBusy) {
			t.Fatalf("a section beyond the bound: %v, want ErrBusy", err)
		}
		threads.release(1)
		take(t, threads, 9, 1)
	})
}

// release skips a waiter with a user at the bound, and grants the section to the next waiter.
func TestReleaseSkipsUserAtBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(perUser + 1)
		take(t, threads, 1, perUser)
		take(t, threads, 2, 1)
		got := make(chan uint32, 2)
		for _, uid := range []uint32{1, 3} {
			go func() { // ends when the section is granted or refused
				if threads.acquire(uid) == nil {
					got <- uid
				}
			}()
			synctest.Wait() // the user at the bound waits first
		}
		threads.release(2)
		synctest.Wait()
		if len(got) != 1 || <-got != 3 {
			t.Fatal("the section was not granted to the user below the bound")
		}
		threads.release(1)
		synctest.Wait()
		if len(got) != 1 || <-got != 1 {
			t.Fatal("the first user still waits, though below the bound again")
		}
	})
}

func TestAllSectionsAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(4)
		for i := range 100 {
			go func() { // ends after its section
				if err := threads.acquire(uint32(i % 7)); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond)
				threads.release(uint32(i % 7))
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second) // on the clock of the bubble
		synctest.Wait()
		if threads.held != 0 || len(threads.users) != 0 || len(threads.waiting) != 0 {
			t.Fatalf("left over: held %d, users %v, waiting %d",
				threads.held, threads.users, len(threads.waiting))
		}
	})
}
