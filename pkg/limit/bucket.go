// Package limit holds back what sessions may use up: the rate of their transfers, the number
// of commands in a second, and the free space of a file system. It knows no session and no
// connection; its callers wait, refuse or end.
//
// Rates, a Bucket and Commands may be used by several goroutines at the same time. A Login belongs
// to one session, Buckets and a Reserve belong to one transfer.
package limit

import (
	"context"
	"math"
	"sync"
	"time"
)

// A Bucket is a token bucket for the bytes of transfers. It counts what is owed: bytes move
// first and are earned afterwards, so that a transfer ends when all of its bytes have moved.
// Transfers that share a Bucket take turns, in the order in which they take from it.
type Bucket struct {
	rate float64 // bytes per second; positive

	mu sync.Mutex
	// debt is the number of bytes that have moved and are not earned yet. Below 0, it is the
	// number of bytes that are earned ahead. Guarded by mu.
	debt    float64
	earned  time.Time // debt is the debt at this time; guarded by mu
	sharing int       // transfers that joined and have not left; guarded by mu
}

// NewBucket returns a bucket without debt, or nil where the rate is 0 or less, which is no limit.
func NewBucket(bytesPerSecond int64) *Bucket {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &Bucket{rate: float64(bytesPerSecond), earned: time.Now()}
}

const (
	// piecesPerSecond is the number of pieces into which a bucket divides a second's bytes of
	// each transfer. It is high enough that no transfer seems to stand still.
	piecesPerSecond = 10
	// aheadFor bounds for how long bytes are earned ahead. A transfer that wakes late catches
	// up with them, and a transfer that begins goes no further ahead of its rate.
	aheadFor = 100 * time.Millisecond
	// tick is the shortest pause. Shorter ones are not slept but stay in the debt until they
	// add up to a tick, so that a high rate causes no more wakes than a low one.
	tick = 5 * time.Millisecond
	// maxPiece is the size in bytes of the largest piece that moves under a limit.
	maxPiece = 64 << 10
)

// take adds n bytes to the debt. It returns how long it takes to earn all of the debt.
func (b *Bucket) take(now time.Time, n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earnLocked(now)
	b.debt += float64(n)
	return time.Duration(b.debt / b.rate * float64(time.Second))
}

func (b *Bucket) earnLocked(now time.Time) {
	b.debt = max(b.debt-now.Sub(b.earned).Seconds()*b.rate, -b.rate*aheadFor.Seconds())
	b.earned = now
}

// piece returns how many bytes one of the transfers may move before it waits again.
func (b *Bucket) piece() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(max(1, min(maxPiece, b.rate/float64(piecesPerSecond*max(1, b.sharing)))))
}

func (b *Bucket) join() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sharing++
}

func (b *Bucket) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sharing--
}

// idle reports whether no transfer shares the bucket and nothing is owed, so that a new bucket
// would not differ from it.
func (b *Bucket) idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earnLocked(now)
	return b.sharing == 0 && b.debt <= 0
}

// Buckets are those of one transfer, which keeps to each of them. None means that its rate has
// no limit.
type Buckets []*Bucket

// Wait waits until n bytes that have moved are earned in each bucket, and what was owed there
// before. When ctx ends first, Wait returns its cause.
func (bs Buckets) Wait(ctx context.Context, n int) error {
	if len(bs) == 0 {
		return nil
	}
	now, pause := time.Now(), time.Duration(0)
	for _, b := range bs {
		pause = max(pause, b.take(now, n))
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

// Piece returns how many bytes may move before the next Wait, at least 1. Under limits they
// are few, since more would arrive in bursts.
func (bs Buckets) Piece() int {
	most := math.MaxInt
	for _, b := range bs {
		most = min(most, b.piece())
	}
	return most
}

// Rate returns the lowest rate in bytes per second, +Inf where there is no limit.
func (bs Buckets) Rate() float64 {
	lowest := math.Inf(1)
	for _, b := range bs {
		lowest = min(lowest, b.rate)
	}
	return lowest
}

// Leave takes the transfer out of each bucket. It must be called once for each Rates.Join.
func (bs Buckets) Leave() {
	for _, b := range bs {
		b.leave()
	}
}
