package limit

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A disk is a volume that counts how often its free space is queried.
type disk struct {
	free    int64
	err     error
	queries int
}

func (d *disk) Free() (int64, error) {
	d.queries++
	return d.free, d.err
}

// The free space is queried with the first bytes, then after half of what may still be filled
// or a second, and ends the upload when it is too low.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{free: 30 << 20}
		r := NewReserve(10<<20, d)
		check := func(arrived int64, queries int, want error) {
			t.Helper()
			if err := r.Check(arrived); !errors.Is(err, want) || d.queries != queries {
				t.Errorf("after %d bytes: %v, %d queries", arrived, err, d.queries)
			}
		}
		check(1, 1, nil)
		check(10<<20, 1, nil)
		check(10<<20+1, 2, nil)
		time.Sleep(time.Second)
		check(10<<20+2, 3, nil)
		d.err = io.ErrNoProgress
		check(20<<20+2, 4, io.ErrNoProgress)
		d.free, d.err = 10<<20, nil
		time.Sleep(time.Second)
		check(20<<20+2, 5, nil)
		check(21<<20+1, 5, nil)
		d.free--
		check(21<<20+2, 6, ErrReserve)
	})
}

func TestNoReserve(t *testing.T) {
	d := &disk{}
	if err := NewReserve(0, d).Check(1 << 40); err != nil || d.queries != 0 {
		t.Errorf("%v, %d queries", err, d.queries)
	}
}

func TestEnough(t *testing.T) {
	const want = "min_free_space: 0 bytes would be free, of 10"
	if err := Enough(-5, 10); err == nil || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
	if err := Enough(10, 10); err != nil {
		t.Error(err)
	}
}
