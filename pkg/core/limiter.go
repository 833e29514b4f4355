package core

import (
	"context"
	"sync"
	"time"
)

// A limiter is a token bucket: it holds up to one tenth of a second's bytes. A transfer waits on each one that applies.
type limiter struct {
	rate float64 // bytes per second

	mu     sync.Mutex
	debt   float64   // bytes that were let through and are not earned yet; guarded by mu
	earned time.Time // until when; guarded by mu
}

func newLimiter(bytesPerSecond int64) *limiter {
	return &limiter{rate: float64(bytesPerSecond), earned: time.Now()}
}

// wait lets n bytes through when the ones before them are paid for, or returns the cause when ctx ends first. n may be more than the
// bucket holds: whoever comes next waits the longer.
func (l *limiter) wait(ctx context.Context, n int) error {
	pause := l.take(time.Now(), n)
	if pause <= 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *limiter) take(now time.Time, n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debt = max(l.debt-now.Sub(l.earned).Seconds()*l.rate, -l.rate/10)
	l.earned = now
	pause := time.Duration(l.debt / l.rate * float64(time.Second))
	l.debt += float64(n)
	return pause
}
