package core

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, piece, pieces = 1 << 20, 64 << 10, 16 * 10
		l := newLimiter(rate)
		began := time.Now()
		var both sync.WaitGroup
		for range 2 { // two transfers share the rate
			both.Go(func() {
				for range pieces / 2 {
					if err := l.wait(t.Context(), piece); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		if took := time.Since(began); took < 9500*time.Millisecond || took > 10*time.Second {
			t.Errorf("ten seconds' bytes took %v", took)
		}
		// A pause earns no more than a tenth of a second.
		time.Sleep(time.Hour)
		began = time.Now()
		for range 16 {
			l.wait(t.Context(), piece)
		}
		if took := time.Since(began); took < 800*time.Millisecond {
			t.Errorf("after a pause a second's bytes took %v", took)
		}
	})
}

func TestLimiterCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		l.wait(t.Context(), 1000)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errStalled) })
		if err := l.wait(ctx, 1); !errors.Is(err, errStalled) {
			t.Error(err)
		}
	})
}

// A transfer waits on each limiter, and a wait for a limiter is no stall.
func TestTransferWaitsForItsLimiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := memPipe(newWorld(t).local, newWorld(t).remote)
		tr := &transfer{limits: []*limiter{newLimiter(1 << 30), newLimiter(1000)}}
		tr.data.conn, tr.data.stall = server, time.Second
		began := time.Now()
		for range 11 {
			if err := tr.write(t.Context(), make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 99*time.Second || took > 101*time.Second {
			t.Errorf("100 seconds' bytes took %v", took)
		}
		server.Close()
		client.Close()
	})
}
