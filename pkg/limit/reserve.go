package limit

import (
	"errors"
	"fmt"
	"time"
)

// ErrReserve is the error of an upload that would leave less than limits.min_free_space to its
// file system.
var ErrReserve = errors.New("min_free_space")

// Enough returns nil when free bytes are at least as many as have to stay free, and an error
// that wraps ErrReserve otherwise. A negative free is shown as 0.
func Enough(free, least int64) error {
	if free >= least {
		return nil
	}
	return fmt.Errorf("%w: %d bytes would be free, of %d", ErrReserve, max(0, free), least)
}

// A Reserve keeps free space on the file system of one upload, which other programs fill too.
// A nil Reserve keeps none.
type Reserve struct {
	volume volume
	least  int64     // bytes that stay free
	at     int64     // the next check comes when so many bytes have arrived,
	due    time.Time // or at this time
}

// A volume is a file system, or what stands on it: a *vfs.Upload.
type volume interface {
	Free() (int64, error) // bytes
}

// NewReserve returns a Reserve of least bytes on v, nil where least is 0.
func NewReserve(least int64, v volume) *Reserve {
	if least == 0 {
		return nil
	}
	return &Reserve{volume: v, least: least}
}

// Check is called for each piece of an upload, with the number of all bytes that have arrived.
// It queries the file system once in a second, and after as many bytes as half of the space
// that may still be filled, in the bounds of 1 MiB and 64 MiB. Its error wraps ErrReserve, or
// is the one of Free.
func (r *Reserve) Check(arrived int64) error {
	if r == nil || arrived < r.at && time.Now().Before(r.due) {
		return nil
	}
	free, err := r.volume.Free()
	if err == nil {
		err = Enough(free, r.least)
	}
	r.at = arrived + min(max(1<<20, (free-r.least)/2), 64<<20)
	r.due = time.Now().Add(time.Second)
	return err
}
