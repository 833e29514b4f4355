package impersonate

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// newBounds returns what NewThreads returns, without its effect on the runtime.
func newBounds(max int) *Threads { return &Threads{max: max, users: make(map[string]int)} }

// take acquires n sections for user. The test fails if one of them has to wait.
func take(t *testing.T, threads *Threads, user string, n int) {
	t.Helper()
	start := time.Now()
	for range n {
		if err := threads.acquire(user); err != nil {
			t.Fatal(err)
		}
	}
	if waited := time.Since(start); waited != 0 {
		t.Fatalf("%d sections of %s waited %v", n, user, waited)
	}
}

func TestBoundPerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(1000)
		take(t, threads, "1", perUser)
		start := time.Now()
		err := threads.acquire("1")
		if waited := time.Since(start); !errors.Is(err, ErrBusy) || waited != maxWait {
			t.Fatalf("section %d of a user: %v after %v, want ErrBusy after %v",
				perUser+1, err, waited, maxWait)
		}
		take(t, threads, "2", perUser)
	})
}

func TestGlobalBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(3)
		for _, user := range []string{"1", "2", "3"} {
			take(t, threads, user, 1)
		}
		if err := threads.acquire("9"); !errors.Is(err, ErrBusy) {
			t.Fatalf("a section beyond the bound: %v, want ErrBusy", err)
		}
		threads.release("1")
		take(t, threads, "9", 1)
	})
}

// release skips a waiter with a user at the bound, and grants the section to the next waiter.
func TestReleaseSkipsUserAtBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(perUser + 1)
		take(t, threads, "1", perUser)
		take(t, threads, "2", 1)
		got := make(chan string, 2)
		for _, user := range []string{"1", "3"} {
			go func() { // ends when the section is granted or refused
				if threads.acquire(user) == nil {
					got <- user
				}
			}()
			synctest.Wait() // the user at the bound waits first
		}
		threads.release("2")
		synctest.Wait()
		if len(got) != 1 || <-got != "3" {
			t.Fatal("the section was not granted to the user below the bound")
		}
		threads.release("1")
		synctest.Wait()
		if len(got) != 1 || <-got != "1" {
			t.Fatal("the first user still waits, though below the bound again")
		}
	})
}

func TestAllSectionsAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := newBounds(4)
		for i := range 100 {
			go func() { // ends after its section
				if err := threads.acquire(fmt.Sprint(i % 7)); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond)
				threads.release(fmt.Sprint(i % 7))
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
