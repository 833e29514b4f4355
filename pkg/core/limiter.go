package core

import (
	"context"
	"sync"
	"time"
)

// A limiter is a token bucket, kept as what is owed: bytes move first and are earned afterwards, so that a transfer is over when all of
// its bytes are. Transfers that share one take turns, in the order in which they asked.
type limiter struct {
	rate float64 // bytes per second; positive

	mu      sync.Mutex
	debt    float64   // bytes that have moved and are not earned yet; below 0, that are earned ahead; guarded by mu
	earned  time.Time // until when; guarded by mu
	sharing int       // transfers that run under it; guarded by mu
}

// newLimiter is nil for no limit.
func newLimiter(bytesPerSecond int64) *limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &limiter{rate: float64(bytesPerSecond), earned: time.Now()}
}

const (
	// steps is into how many pieces a limit divides the bytes of a second, for each transfer: often enough that none seems to stand.
	steps = 10
	// aheadFor is for how long bytes are earned that nobody moves. Whoever wakes late catches up with them, and a transfer that begins
	// goes no further ahead of its rate.
	aheadFor = 100 * time.Millisecond
	// tick is the shortest pause worth a sleep. What is owed stays owed, so that shorter ones add up to it: however high the rate is,
	// there are no more wakes.
	tick = 5 * time.Millisecond
	// maxPiece is the largest piece that moves under a limit.
	maxPiece = 64 << 10
)

// take owes n bytes more, and tells how long it takes to earn all that is owed.
func (l *limiter) take(now time.Time, n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.earnLocked(now)
	l.debt += float64(n)
	return time.Duration(l.debt / l.rate * float64(time.Second))
}

func (l *limiter) earnLocked(now time.Time) {
	l.debt = max(l.debt-now.Sub(l.earned).Seconds()*l.rate, -l.rate*aheadFor.Seconds())
	l.earned = now
}

// piece is how many bytes one of the transfers may move before it waits again.
func (l *limiter) piece() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(max(1, min(maxPiece, l.rate/float64(steps*max(1, l.sharing)))))
}

func (l *limiter) join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sharing++
}

func (l *limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sharing--
}

// idle says that no transfer runs and nothing is owed: a new limiter would be the same.
func (l *limiter) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.earnLocked(now)
	return l.sharing == 0 && l.debt <= 0
}

// throttle waits until n bytes that have moved are earned in each limiter, and what was owed there before, or returns the cause when
// ctx ends first.
func throttle(ctx context.Context, limits []*limiter, n int) error {
	now, pause := time.Now(), time.Duration(0)
	for _, l := range limits {
		pause = max(pause, l.take(now, n))
	}
	if pause < tick {
		return context.Cause(ctx)
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
