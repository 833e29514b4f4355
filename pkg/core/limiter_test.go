package core

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
)

// Transfers share a rate in equal parts, lose none of it when one of them ends, and go not far ahead after a pause.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		l := newLimiter(rate)
		time.Sleep(time.Hour)
		moved := make([]int, 3)
		began := time.Now()
		var all sync.WaitGroup
		for i := range moved {
			l.join()
			end := began.Add(time.Duration(10*(i+1)) * time.Second)
			all.Go(func() {
				defer l.leave()
				for time.Now().Before(end) {
					n := l.piece()
					if err := throttle(t.Context(), []*limiter{l}, n); err != nil {
						t.Error(err)
					}
					moved[i] += n
				}
			})
		}
		all.Wait()
		for i, want := range []float64{10 * rate / 3, 10*rate/3 + 10*rate/2, 10*rate/3 + 10*rate/2 + 10*rate} {
			if share := float64(moved[i]) / want; share < 0.95 || share > 1.05 { // who begins, and who is woken first, is chance
				t.Errorf("transfer %d got %.3f of its share", i, share)
			}
		}
		if all := float64(moved[0]+moved[1]+moved[2]) / (30 * rate); all < 0.99 || all > 1.01 {
			t.Errorf("together they got %.3f of the rate", all)
		}
		if !l.idle(time.Now().Add(time.Second)) {
			t.Error("the limiter is not idle")
		}
	})
}

// A transfer never waits for long between two bytes, whatever the rate is, and seldom wakes.
func TestLimiterIsSmooth(t *testing.T) {
	for _, rate := range []int64{1, 7, 1000, 30 << 10, 10 << 20, 5 << 30} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(rate)
			began := time.Now()
			var longest time.Duration
			wakes, moved := 0, 0
			for time.Since(began) < 10*time.Second {
				n, before := l.piece(), time.Now()
				if err := throttle(t.Context(), []*limiter{l}, n); err != nil {
					t.Fatal(err)
				}
				moved += n
				if took := time.Since(before); took > 0 {
					wakes++
					longest = max(longest, took)
				}
			}
			if longest > max(time.Second/steps, time.Second/time.Duration(rate))+time.Millisecond || wakes > int(10*time.Second/tick) {
				t.Errorf("at %d bytes a second: %d wakes, one after %v", rate, wakes, longest)
			}
			if share := float64(moved) / (float64(rate) * time.Since(began).Seconds()); share < 0.99 || share > 1.02 {
				t.Errorf("at %d bytes a second: %.3f of it", rate, share)
			}
		})
	}
}

func TestLimiterCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errStalled) })
		if err := throttle(ctx, []*limiter{l}, 1000); !errors.Is(err, errStalled) {
			t.Error(err)
		}
		if l.idle(time.Now().Add(990 * time.Second)) {
			t.Error("what was owed is forgotten")
		}
	})
}

// Of several limits the lowest decides; a wait for it is no stall, and no second passes without a byte.
func TestTransferWaitsForItsLimiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := memnet.Pipe(newWorld(t).local, newWorld(t).remote)
		tr := &transfer{limits: []*limiter{newLimiter(1 << 30), newLimiter(1000), newLimiter(1001)}}
		tr.data.conn, tr.data.stall = server, time.Second/2
		began := time.Now()
		go func() {
			defer server.Close()
			if err := tr.write(t.Context(), make([]byte, 100_000)); err != nil {
				t.Error(err)
			}
		}()
		last, longest, got := began, time.Duration(0), 0
		for {
			n, err := client.Read(make([]byte, 10_000))
			longest, last, got = max(longest, time.Since(last)), time.Now(), got+n
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 99*time.Second || took > 101*time.Second || got != 100_000 || longest > time.Second/5 {
			t.Errorf("%d bytes, 100 seconds' worth, took %v with a pause of %v", got, took, longest)
		}
		client.Close()
	})
}

// The sessions of one user share a limiter in each direction, and all users the server's; who logs in again begins with what he owes.
func TestRatesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRates(config.Limits{UploadRate: 4000})
		settings := config.Settings{SessionDownloadRate: 500, UserDownloadRate: 1000, UserUploadRate: 2000}
		alice := func() *login { return newTestLogin("alice", settings) }
		first, second, bob := r.join(alice(), downloads), r.join(alice(), downloads), r.join(newTestLogin("bob", settings), downloads)
		switch {
		case len(first) != 2 || len(second) != 2 || len(bob) != 2:
			t.Fatal("downloads do not wait on a session's and a user's limiter")
		case first[0] == second[0] || first[1] != second[1] || first[1] == bob[1]:
			t.Error("the wrong transfers share a limiter")
		}
		up := r.join(alice(), uploads)
		if len(up) != 2 || up[0].rate != 2000 || up[1].rate != 4000 || up[1] != r.join(newTestLogin("bob", settings), uploads)[1] {
			t.Error("uploads do not wait on a user's and the server's limiter")
		}
		first[1].take(time.Now(), 60_000)
		r.leave(first)
		r.leave(second)
		if r.join(newTestLogin("carla", settings), downloads); r.join(alice(), downloads)[1] != first[1] {
			t.Error("a new session owes nothing")
		}
		r.leave(first)
		time.Sleep(2 * time.Minute)
		if r.join(newTestLogin("dora", settings), downloads); len(r.users) != 5 {
			t.Errorf("%d limiters are kept", len(r.users)) // those of bob, carla and dora, and two for uploads
		}
	})
}

func newTestLogin(name string, s config.Settings) *login {
	return &login{account: &auth.Account{Name: name}, settings: config.Effective{Settings: s}, rates: sessionRates(s)}
}
