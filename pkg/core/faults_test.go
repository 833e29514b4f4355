package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"ftpd/pkg/config"
	"ftpd/pkg/dtp"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/listing"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

// refit replaces the file system of the logged-in session by one whose calls may fail.
func (w *world) refit(t *testing.T, faults vfs.Faults) {
	t.Helper()
	view, err := vfs.Open(vfs.Options{
		Mounts: []config.Mount{{Path: "/", Directory: w.supervisor.home}},
		Rights: config.Rights{Base: config.Full},
		Faults: faults,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := w.session(t)
	s.turn.Lock()
	defer s.turn.Unlock()
	s.login.Files.Close()
	s.login.Files = view
}

// session returns the only session.
func (w *world) session(t *testing.T) *Session {
	t.Helper()
	all := slices.Collect(maps.Values(w.srv.sessions.Admitted()))
	if len(all) != 1 {
		t.Fatalf("there are %d sessions", len(all))
	}
	return all[0]
}

// storageErrors are the errors that a transcript can make calls fail with.
var storageErrors = map[string]error{
	"EACCES": syscall.EACCES, "EOPNOTSUPP": syscall.EOPNOTSUPP, "EIO": syscall.EIO,
	"ENAMETOOLONG": syscall.ENAMETOOLONG, "ENOSPC": syscall.ENOSPC,
	"busy": impersonate.ErrBusy,
}

// fail makes a call fail from this moment on.
func (p *player) fail(call, name string) error {
	err := storageErrors[name]
	if err == nil && call != "nothing" {
		return fmt.Errorf("no error %q", name)
	}
	var armed atomic.Bool // so that opening the view succeeds
	p.refit(p.t, func(made string) error {
		if armed.Load() && (call == "every" || call == made) {
			return err
		}
		return nil
	})
	armed.Store(true)
	return nil
}

// A file error during a transfer never leads to 226.
func TestStorageFails(t *testing.T) {
	for _, test := range []struct {
		call string
		err  error
		cmd  string
		want string
	}{
		{"write", syscall.ENOSPC, "STOR new", "552 No space left on the device."},
		{"write", syscall.EDQUOT, "STOR new", "552 Quota exceeded."},
		{"write", syscall.EFBIG, "STOR new", "552 File too large."},
		{"write", syscall.EIO, "STOR new", "451 Local error."},
		{"close", syscall.EIO, "STOR new", "451 Local error."},
		{"close", syscall.EDQUOT, "APPE new", "552 Quota exceeded."},
		{"read", syscall.EIO, "RETR old", "451 Local error."},
		{"read", syscall.EACCES, "RETR old", "550 Permission denied."}, // a network file system
		{"write", syscall.EROFS, "STOR new", "550 File system is read-only."},
		{"ftruncate", syscall.EPERM, "STOR old", "550 Permission denied."},
		// The file is open, so the error is not one of its name.
		{"write", syscall.EINVAL, "STOR new", "451 Local error."},
		{"close", syscall.ENODEV, "STOR new", "451 Local error."},
		{"read", syscall.EINVAL, "RETR old", "451 Local error."},
		{"ftruncate", syscall.EINVAL, "STOR old", "451 Local error."},
	} {
		t.Run(fmt.Sprint(test.call, test.err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if err := os.WriteFile(filepath.Join(w.supervisor.home, "old"), []byte("text"),
					0o600); err != nil {
					t.Fatal(err)
				}
				c := w.connect()
				heard(c)
				say(t, c, "USER alice\r\nPASS secret\r\nTYPE I")
				w.refit(t, func(call string) error {
					if call == test.call {
						return test.err
					}
					return nil
				})
				port := passivePort(t, say(t, c, "EPSV"))
				if got := say(t, c, test.cmd); !strings.HasPrefix(got, "150 ") {
					t.Fatal(got)
				}
				w.upload(t, port, "hello")
				if got := heard(c); got != test.want+"\r\n" {
					t.Errorf("the server says %q", got)
				}
				c.Close()
				w.sessions.Wait()
				all := strings.Join(w.supervisor.events, "\n")
				if !strings.Contains(all, "_incomplete ") {
					t.Error(all)
				}
			})
		})
	}
}

// A file that can no longer be written when the data connection is established is refused with
// the same reply as before the 150.
func TestUploadRefusedBehind150(t *testing.T) {
	for _, test := range []struct {
		cmd    string
		change func(home string) error
		want   string
	}{
		{"STOR dir/new", func(home string) error {
			return os.Remove(filepath.Join(home, "dir"))
		}, "550 No such file or directory."},
		{"STOU dir/new", func(home string) error {
			return os.Remove(filepath.Join(home, "dir"))
		}, "550 No such file or directory."},
		{"STOR new", func(home string) error {
			return os.Mkdir(filepath.Join(home, "new"), 0o700)
		}, "550 Is a directory."},
		{"APPE old", func(home string) error {
			old := filepath.Join(home, "old")
			return errors.Join(os.Remove(old), os.Mkdir(old, 0o700))
		}, "550 Is a directory."},
		{"REST 3\r\nSTOR old", func(home string) error {
			return os.Truncate(filepath.Join(home, "old"), 1)
		},
			"554 Restart position is beyond the end of the file."},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			home := w.supervisor.home
			if err := errors.Join(os.WriteFile(filepath.Join(home, "old"), []byte("text"), 0o600),
				os.Mkdir(filepath.Join(home, "dir"), 0o700)); err != nil {
				t.Fatal(err)
			}
			c := w.connect()
			heard(c)
			say(t, c, "USER alice\r\nPASS secret\r\nTYPE I")
			port := passivePort(t, say(t, c, "EPSV"))
			if got := say(t, c, test.cmd); !strings.Contains(got, "150 ") {
				t.Fatal(got)
			}
			if err := test.change(home); err != nil {
				t.Fatal(err)
			}
			w.upload(t, port, "hello")
			if got := heard(c); got != test.want+"\r\n" {
				t.Errorf("%s: the server says %q", test.cmd, got)
			}
			c.Close()
			w.sessions.Wait()
		})
	}
}

// A listing that fails half-way ends with 451, never with 226.
func TestListingFailsHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		fill(t, w.supervisor.home, 1200)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		var stats atomic.Int64
		w.refit(t, func(call string) error {
			if strings.HasPrefix(call, "getdents") || call == "readdir" {
				if stats.Add(1) == 2 {
					return syscall.EIO
				}
			}
			return nil
		})
		port := passivePort(t, say(t, c, "EPSV"))
		if got := say(t, c, "LIST"); !strings.HasPrefix(got, "150 ") {
			t.Fatal(got)
		}
		w.upload(t, port, "")
		if got := heard(c); got != "451 Local error.\r\n" {
			t.Errorf("the server says %q", got)
		}
		c.Close()
		w.sessions.Wait()
	})
}

func fill(t *testing.T, dir string, files int) (names []string) {
	t.Helper()
	for i := range files {
		name := fmt.Sprintf("file%06d", i)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// Up to the bound a listing is sorted. Beyond the bound it has every entry once, in the order
// of the directory.
func TestLargeListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		names := fill(t, w.supervisor.home, listing.MaxSorted)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		if got := w.listing(t, c, "NLST"); !slices.Equal(got, names) {
			t.Errorf("%d names are not all of them, sorted", len(got))
		}
		more := filepath.Join(w.supervisor.home, "file-extra")
		if err := os.WriteFile(more, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		// has the length of the other names and sorts first
		want := append([]string{"file-extra"}, names...)
		for _, verb := range []string{"NLST", "MLSD", "LIST"} {
			got := w.listing(t, c, verb)
			if verb == "NLST" && slices.IsSorted(got) {
				t.Error("sorted beyond the bound")
			}
			for i, line := range got {
				got[i] = line[len(line)-len("file-extra"):]
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s: %d names are not all of them", verb, len(got))
			}
		}
		c.Close()
		w.sessions.Wait()
	})
}

func (w *world) listing(t *testing.T, c *memnet.Conn, verb string) []string {
	t.Helper()
	port := passivePort(t, say(t, c, "EPSV"))
	d, err := w.net.Connect(w.remote, w.at(port))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(verb + "\r\n")); err != nil {
		t.Fatal(err)
	}
	var all []byte
	block := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = d.Read(block)
		all = append(all, block[:n]...)
	}
	d.Close()
	if got := heard(c); !strings.HasSuffix(got, "226 Transfer complete.\r\n") {
		t.Fatal(got, err)
	}
	return strings.Split(strings.TrimSuffix(string(all), "\r\n"), "\r\n")
}

// An ABOR that arrives after its transfer has failed or has ended well does not change the
// reply of the transfer, and never ends the session.
func TestAbortThatComesLate(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errAborted)
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 226}, {errAborted, 426},
		{&dtp.ConnError{Err: syscall.ECONNRESET}, 426},
		{vfs.ErrNoSpace, 552}, {vfs.ErrName, 553}, {fs.ErrPermission, 550},
		{&dtp.OpenError{Reason: dtp.Spent, Err: fs.ErrPermission}, 425},
		{&dtp.OpenError{Reason: dtp.NoClient, Err: os.ErrDeadlineExceeded}, 425},
		{errors.New("else"), 451},
	} {
		if got := conclude(transfer.EndingOf(ctx, test.err), test.err); got.Code != test.want {
			t.Errorf("%v is answered %v, not %d", test.err, got, test.want)
		}
	}
}

// Each sentinel error of vfs has a reply, and no error has a 2xx or 3xx reply.
func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		wrapped := fmt.Errorf("open %q: %w", "x", r.err)
		if got := refuse(wrapped); got.Code != r.reply.Code || got.Text[0] != r.reply.Text[0] ||
			got.Reason() != wrapped.Error() {
			t.Errorf("%v is answered %v", r.err, got)
		}
		if r.reply.Code < 400 {
			t.Errorf("%v is no refusal: %v", r.err, r.reply)
		}
	}
	if got := refuse(errors.New("else")); got.Code != 451 {
		t.Error(got)
	}
}
