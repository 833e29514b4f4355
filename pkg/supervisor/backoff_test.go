package supervisor

import (
	"testing"
	"time"
)

// A core that ran for long is replaced at once. After cores that die early, the pause grows each
// time, up to a bound.
func TestBackoff(t *testing.T) {
	var b backoff
	want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	for i, w := range want {
		if got := b.next(time.Second); got != w {
			t.Errorf("pause %d = %v, want %v", i, got, w)
		}
	}
	for range 20 {
		b.next(time.Second)
	}
	if got := b.next(time.Second); got != maxPause {
		t.Errorf("after many: %v, want %v", got, maxPause)
	}
	if got := b.next(time.Hour); got != 0 {
		t.Errorf("after a long life: %v, want none", got)
	}
}
