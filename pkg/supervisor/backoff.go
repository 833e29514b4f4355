package supervisor

import "time"

// maxPause bounds the pause before a core is started again.
const maxPause = 10 * time.Second

// A backoff computes the pause before a core is started again. There is no pause after a core that
// ran for a minute. Each core that died earlier doubles the pause, up to maxPause.
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
