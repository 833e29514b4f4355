package listing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/vfs"
)

// A file system may yield a name twice when it was replaced meanwhile (xfs does): what is
// sorted shows it once. Different names that look the same, since a listing has a "?" for what
// would end a line, stay.
func TestNamesThatAreListedTwice(t *testing.T) {
	size := func(dst []byte, e *vfs.Entry) []byte { return fmt.Appendf(dst, "%d ", e.Size) }
	l := &Lister{Before: size, Arrows: true, Classify: true, Prefix: "d/"}
	l.add(t.Context(), []vfs.Entry{
		{Name: "b", Size: 1}, {Name: "a", Size: 1}, {Name: "b", Size: 2, Target: "x"},
		{Name: "b", Size: 3, Mode: fs.ModeDir}, {Name: "a\nb", Size: 1}, {Name: "a?b", Size: 2},
		{Name: "a?b", Size: 3}, {Name: "bb", Size: 1},
	})
	got := strings.Join(l.Lines(), "\n")
	if want := "1 d/a\n1 d/a?b\n2 d/a?b\n1 d/b\n1 d/bb"; got != want {
		t.Errorf("%q", got)
	}
}

// batches returns a function that yields count entries in descending order, size at a time.
func batches(count, size int) func() ([]vfs.Entry, error) {
	return func() ([]vfs.Entry, error) {
		if count == 0 {
			return nil, io.EOF
		}
		batch := make([]vfs.Entry, min(size, count))
		for i := range batch {
			count--
			batch[i].Name = fmt.Sprintf("%06d", count)
		}
		return batch, nil
	}
}

// A directory of MaxSorted entries is sorted, in pieces of a block. A larger one is written
// while it is read, in its own order.
func TestRead(t *testing.T) {
	for _, count := range []int{0, 1, MaxSorted, MaxSorted + 1, 3 * MaxSorted} {
		l := &Lister{}
		var got []string
		longest := 0
		write := func(_ context.Context, p []byte) error {
			longest = max(longest, len(p))
			got = append(got, strings.Fields(string(p))...)
			return nil
		}
		if err := l.Read(t.Context(), batches(count, 500), write); err != nil {
			t.Fatal(err)
		}
		if early := len(got) > 0; early != (count > MaxSorted) {
			t.Errorf("of %d entries %d were written at once", count, len(got))
		}
		longest = 0
		if err := l.Flush(t.Context(), make([]byte, 1000), write); err != nil {
			t.Fatal(err)
		}
		if count > MaxSorted {
			slices.Reverse(got)
		} else if longest > 1000 {
			t.Errorf("a piece has %d bytes", longest)
		}
		if len(got) != count || !slices.IsSorted(got) {
			t.Errorf("%d of %d entries, or in disorder", len(got), count)
		}
	}
}

func TestReadFails(t *testing.T) {
	write := func(context.Context, []byte) error { return io.ErrClosedPipe }
	err := (&Lister{}).Read(t.Context(), batches(2*MaxSorted, 500), write)
	if err != io.ErrClosedPipe {
		t.Error("write fails:", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrNoProgress)
	if err := (&Lister{}).Read(ctx, batches(1, 1), write); err != io.ErrNoProgress {
		t.Error("the context has ended:", err)
	}
	next := func() ([]vfs.Entry, error) { return nil, io.ErrUnexpectedEOF }
	if err := (&Lister{}).Read(t.Context(), next, write); err != io.ErrUnexpectedEOF {
		t.Error("next fails:", err)
	}
}

func TestCollectIsBounded(t *testing.T) {
	const most = MaxReply / len("000000\r\n")
	for count, want := range map[int]error{most: nil, most + 1: ErrTooLarge} {
		l := &Lister{}
		err := l.Collect(t.Context(), batches(count, 2000))
		if err != want || want == nil && len(l.Lines()) != count {
			t.Errorf("%d entries: %v, %d lines", count, err, len(l.Lines()))
		}
	}
	l, long := &Lister{}, make([]vfs.Entry, 2000) // one batch
	for i := range long {
		long[i].Name = strings.Repeat("x", 4000)
	}
	next := func() ([]vfs.Entry, error) { return long, nil }
	if err := l.Collect(t.Context(), next); err != ErrTooLarge || len(l.text) > MaxReply+4002 {
		t.Errorf("%v, %d bytes are kept", err, len(l.text))
	}
}

func TestProblem(t *testing.T) {
	l := &Lister{}
	l.add(t.Context(), []vfs.Entry{{Name: "a"}})
	if l.Problem() != nil {
		t.Error(l.Problem())
	}
	l.add(t.Context(), []vfs.Entry{
		{Name: "b", Unknown: fs.ErrPermission}, {Name: "c", Unknown: io.EOF},
	})
	const want = `listed by name alone: 2 of the entries, the first is "b": permission denied`
	if err := l.Problem(); !errors.Is(err, fs.ErrPermission) || err.Error() != want {
		t.Error(err)
	}
}
