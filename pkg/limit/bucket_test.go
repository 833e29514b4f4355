package limit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
)

// Transfers share a rate in equal parts, lose none of it when one of them ends, and go not far
// ahead after a pause.
func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		b := NewBucket(rate)
		time.Sleep(time.Hour)
		moved := make([]int, 3)
		began := time.Now()
		var all sync.WaitGroup
		for i := range moved {
			b.join()
			end := began.Add(time.Duration(10*(i+1)) * time.Second)
			all.Go(func() {
				defer b.leave()
				for time.Now().Before(end) {
					n := b.piece()
					if err := (Buckets{b}).Wait(t.Context(), n); err != nil {
						t.Error(err)
					}
					moved[i] += n
				}
			})
		}
		all.Wait()
		for i, want := range []float64{
			10 * rate / 3, 10*rate/3 + 10*rate/2, 10*rate/3 + 10*rate/2 + 10*rate,
		} {
			// chance decides which transfer begins and which one wakes first
			if share := float64(moved[i]) / want; share < 0.95 || share > 1.05 {
				t.Errorf("transfer %d got %.3f of its share", i, share)
			}
		}
		if all := float64(moved[0]+moved[1]+moved[2]) / (30 * rate); all < 0.99 || all > 1.01 {
			t.Errorf("together they got %.3f of the rate", all)
		}
		if !b.idle(time.Now().Add(time.Second)) {
			t.Error("the bucket is not idle")
		}
	})
}

// A transfer never waits for long between two bytes, whatever the rate is, and seldom wakes.
func TestBucketIsSmooth(t *testing.T) {
	for _, rate := range []int64{1, 7, 1000, 30 << 10, 10 << 20, 5 << 30} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBucket(rate)
			began := time.Now()
			var longest time.Duration
			wakes, moved := 0, 0
			for time.Since(began) < 10*time.Second {
				n, before := b.piece(), time.Now()
				if err := (Buckets{b}).Wait(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				moved += n
				if took := time.Since(before); took > 0 {
					wakes++
					longest = max(longest, took)
				}
			}
			most := time.Millisecond +
				max(time.Second/piecesPerSecond, time.Second/time.Duration(rate))
			if longest > most || wakes > int(10*time.Second/tick) {
				t.Errorf("at %d bytes a second: %d wakes, one after %v", rate, wakes, longest)
			}
			share := float64(moved) / (float64(rate) * time.Since(began).Seconds())
			if share < 0.99 || share > 1.02 {
				t.Errorf("at %d bytes a second: %.3f of it", rate, share)
			}
		})
	}
}

var errEnded = errors.New("the transfer has ended")

func TestBucketCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errEnded) })
		if err := (Buckets{b}).Wait(ctx, 1000); !errors.Is(err, errEnded) {
			t.Error(err)
		}
		if b.idle(time.Now().Add(990 * time.Second)) {
			t.Error("what was owed is forgotten")
		}
	})
}

// The sessions of one user share a bucket in each direction, and all users the server's. A
// second login of a user begins with the debt of the first one.
func TestRatesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRates(config.Limits{UploadRate: 4000})
		join := func(user string, d Direction) Buckets {
			l := NewLogin(user, config.Settings{
				SessionDownloadRate: 500, UserDownloadRate: 1000, UserUploadRate: 2000,
			})
			return r.Join(&l, d)
		}
		first, second := join("alice", Download), join("alice", Download)
		bob := join("bob", Download)
		switch {
		case len(first) != 2 || len(second) != 2 || len(bob) != 2:
			t.Fatal("downloads do not wait on a session's and a user's bucket")
		case first[0] == second[0] || first[1] != second[1] || first[1] == bob[1]:
			t.Error("the wrong transfers share a bucket")
		}
		up := join("alice", Upload)
		if len(up) != 2 || up[0].rate != 2000 || up[1].rate != 4000 ||
			up[1] != join("bob", Upload)[1] {
			t.Error("uploads do not wait on a user's and the server's bucket")
		}
		first[1].take(time.Now(), 60_000)
		first.Leave()
		second.Leave()
		if join("carla", Download); join("alice", Download)[1] != first[1] {
			t.Error("a new session owes nothing")
		}
		first.Leave()
		time.Sleep(2 * time.Minute)
		if join("dora", Download); len(r.users) != 5 {
			t.Errorf("%d buckets are kept", len(r.users)) // bob's, carla's, dora's, two for uploads
		}
	})
}
