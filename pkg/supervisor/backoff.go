package supervisor

import "time"

// maxPause bounds the pause before a core is started again.
const maxPause = 10 * time.Second

// A backoff decides how long to wait before a core is started again: not at all after a core that has lived, twice as long each time
// that one dies young.
type backoff struct{ pause time.Duration }

func (b *backoff) next(lived time.Duration) time.Duration {
	now := b.pause
	switch {
	case lived >= time.Minute:
		now, b.pause = 0, 0
	case b.pause == 0:
		b.pause = 100 * time.Millisecond
	default:
		b.pause = min(2*b.pause, maxPause)
	}
	return now
}
