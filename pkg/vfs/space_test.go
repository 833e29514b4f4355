package vfs

import (
	"errors"
	"math"
	"runtime"
	"syscall"
	"testing"
)

// Uploads that append to one file at the same moment cannot make it larger than Creation.Most.
func TestMostOfAppendsTogether(t *testing.T) {
	dir := tree(t, "file") // whose content is its name
	f := open(t, dir)
	var uploads [2]*Upload
	for i := range uploads {
		var err error
		uploads[i], err = f.Create("/file", Creation{Append: true, Most: 14})
		is(t, "create", err, nil)
	}
	for i, want := range []error{nil, nil, ErrLimit, ErrLimit} {
		_, err := uploads[i%2].Write([]byte("1234"))
		is(t, "write", err, want)
	}
	for _, u := range uploads {
		is(t, "abort", u.Abort(), nil)
	}
	if got := content(t, dir, "/file"); got != "file1234123412" {
		t.Errorf("the file holds %q", got)
	}
}

// No upload makes a file larger than Creation.Most, whatever its offset. The bytes that fit are
// written.
func TestMost(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		c          Creation
		want       string // the content after the upload; unchanged if the upload is refused
		err        error
	}{
		{"/new", "12345", Creation{Most: 5}, "12345", nil},
		{"/new", "123456", Creation{Most: 5}, "12345", ErrLimit},
		{"/new", "123456", Creation{Most: 5, New: true}, "12345", ErrLimit},
		{"/new", "123456", Creation{Most: 5, Append: true}, "12345", ErrLimit},
		{"/file", "123", Creation{Most: 3}, "123", nil},
		{"/file", "1", Creation{Most: 5, Append: true}, "file1", nil},
		{"/file", "12", Creation{Most: 5, Append: true}, "file1", ErrLimit},
		{"/file", "", Creation{Most: 4, Append: true}, "file", nil},
		{"/file", "", Creation{Most: 3, Append: true}, "file", ErrLimit},
		{"/file", "12", Creation{Most: 3, Offset: 1}, "f12e", nil},
		{"/file", "123", Creation{Most: 3, Offset: 1}, "f12e", ErrLimit},
		{"/file", "", Creation{Most: 1, Offset: 2}, "file", ErrLimit},
		{"/file", "", Creation{Most: 4, Offset: 5}, "file", ErrOffset},
	} {
		dir := tree(t, "file")
		f := open(t, dir)
		if could := f.CanCreate(test.name, test.c); test.sent == "" || could != nil {
			is(t, "may begin", could, test.err)
		}
		is(t, "upload", upload(f, test.name, test.sent, test.c), test.err)
		if got := content(t, dir, test.name); got != test.want {
			t.Errorf("%+v of %q leaves %q, not %q", test.c, test.sent, got, test.want)
		}
	}
}

// Free returns the space for a directory and for an upload, or errors.ErrUnsupported.
func TestFree(t *testing.T) {
	var failing error
	f := open(t, tree(t, "dir/file"), func(o *Options) {
		o.Faults = func(call string) error {
			if call == "fstatfs" {
				return failing
			}
			return nil
		}
	})
	want := error(nil)
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		want = errors.ErrUnsupported
	}
	up, err := f.Create("/dir/new", Creation{})
	is(t, "upload", err, nil)
	for what, free := range map[string]func() (int64, error){
		"a file":     func() (int64, error) { return f.Free("/dir/file") },
		"a new name": func() (int64, error) { return f.Free("/none") },
		"an upload":  up.Free,
	} {
		failing = nil
		n, err := free()
		is(t, what, err, want)
		if err == nil && n <= 0 {
			t.Errorf("%s: %d bytes are free", what, n)
		}
		failing = syscall.EACCES
		_, err = free()
		is(t, what, err, kind(failing))
	}
	is(t, "abort", up.Abort(), nil)
}

func TestBytesOf(t *testing.T) {
	for _, test := range []struct {
		blocks, size uint64
		want         int64
	}{
		{0, 4096, 0}, {3, 4096, 12288}, {math.MaxUint64, 1, math.MaxInt64},
		{math.MaxInt64/4096 + 1, 4096, math.MaxInt64}, {1, 0, math.MaxInt64},
	} {
		if got := bytesOf(test.blocks, test.size); got != test.want {
			t.Errorf("%d blocks of %d bytes are %d", test.blocks, test.size, got)
		}
	}
}
