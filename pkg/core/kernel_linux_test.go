package core

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/zerocopy"
)

// The tests in this file are for errors while the kernel moves the bytes. Transfers are larger
// than the buffers of sockets and pipes.
const large = 24 << 20

func (l *loopback) put(t *testing.T, name string, size int) []byte {
	t.Helper()
	data := make([]byte, size)
	rand.Read(data)
	if err := os.WriteFile(filepath.Join(l.supervisor.home, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}

// begin starts a transfer and returns its data connection.
func (c *tcpClient) begin(line string) *net.TCPConn {
	c.t.Helper()
	d := c.pasv("EPSV")
	c.t.Cleanup(func() { d.Close() })
	c.cmd("1", line)
	return d
}

// reported returns the first event of that kind.
func (l *loopback) reported(t *testing.T, kind string) string {
	t.Helper()
	l.supervisor.mu.Lock()
	defer l.supervisor.mu.Unlock()
	for _, e := range l.supervisor.events {
		if strings.HasPrefix(e, kind+" ") {
			return e
		}
	}
	t.Fatalf("no %s among %v", kind, l.supervisor.events)
	return ""
}

// holdsWhatIsReported checks that the file holds the beginning of data, and as many bytes as
// the log reports.
func (l *loopback) holdsWhatIsReported(t *testing.T, name string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(l.supervisor.home, name))
	if err != nil || !bytes.HasPrefix(data, got) {
		t.Errorf("%d bytes are not the first ones that were sent: %v", len(got), err)
	}
	e := l.reported(t, "upload_incomplete")
	said := 0 // a count of 0 is left out
	if _, after, ok := strings.Cut(e, "bytes="); ok {
		fmt.Sscan(after, &said)
	}
	if said != len(got) {
		t.Errorf("the file holds %d bytes, the log says %s", len(got), e)
	}
}

// fault returns a hook that calls act before the n-th call of that name; an error of act
// becomes the error of the call.
func fault(call string, n int, act func() error) func(string) error {
	seen := 0
	return func(name string) error {
		if name != call {
			return nil
		}
		if seen++; seen != n {
			return nil
		}
		return act()
	}
}

// A client that stops reading or sending has stalled, however full or empty the connection is.
func TestStallsOverTCP(t *testing.T) {
	for _, line := range []string{"RETR big", "STOR up"} {
		t.Run(line, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			l.config.Limits.StallTimeout = config.Duration(time.Second)
			data := l.put(t, "big", large)
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.login()
			d := c.begin(line)
			if line == "STOR up" {
				if _, err := d.Write(data[:1<<20]); err != nil {
					t.Fatal(err)
				}
			}
			c.expect("421 ")
			if line == "STOR up" {
				l.holds(t, "up", data[:1<<20])
				l.holdsWhatIsReported(t, "up", data)
			}
		})
	}
}

// ABOR and a reset end an upload that the kernel moves. The file holds the bytes that have
// arrived, and the session continues.
func TestCutUploadsOverTCP(t *testing.T) {
	for _, end := range []string{"ABOR", "reset"} {
		t.Run(end, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			data := l.put(t, "old", large)
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.login()
			d := c.begin("STOR up")
			if _, err := d.Write(data[:large/2]); err != nil {
				t.Fatal(err)
			}
			if end == "ABOR" {
				c.cmd("426 ", "ABOR")
				c.expect("226 ")
			} else {
				d.SetLinger(0)
				d.Close()
				c.expect("426 ")
			}
			l.holdsWhatIsReported(t, "up", data)
			if got := c.download(t, "RETR old"); !bytes.Equal(got, data) {
				t.Errorf("the next download brings %d bytes, or others", len(got))
			}
		})
	}
}

// Bytes that the kernel cannot move are copied, from the first byte on or from any later one.
func TestRefusedByTheFileSystem(t *testing.T) {
	for _, call := range []string{"sendfile", "splice"} {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprint(call, n), func(t *testing.T) {
				l := serveTCP(t, "127.0.0.1:0")
				data := l.put(t, "old", large)
				c := l.client(net.IPv4(127, 0, 0, 1))
				c.login()
				refused := false
				l.refit(t, fault(call, n, func() error {
					refused = true
					return syscall.ENOSYS
				}))
				if got := c.download(t, "RETR old"); !bytes.Equal(got, data) {
					t.Errorf("%d bytes come, or others", len(got))
				}
				c.upload(t, "STOR new", data)
				l.holds(t, "new", data)
				if !refused {
					t.Errorf("there was no %s number %d", call, n)
				}
			})
		}
	}
}

// A file error while the kernel moves the bytes never leads to 226, and the log counts the
// bytes that are in the file.
func TestStorageFailsOverTCP(t *testing.T) {
	for _, test := range []struct {
		call string
		n    int
		err  error
		cmd  string
		want string
	}{
		{"sendfile", 1, syscall.EIO, "RETR old", "451 Local error."},
		{"sendfile", 2, syscall.EIO, "RETR old", "451 Local error."},
		{"splice", 1, syscall.ENOSPC, "STOR new", "552 No space left on the device."},
		{"splice", 2, syscall.ENOSPC, "STOR new", "552 No space left on the device."},
		{"splice", 1, syscall.EDQUOT, "STOR new", "552 Quota exceeded."},
		{"splice", 2, syscall.EFBIG, "STOR new", "552 File too large."},
		{"splice", 2, syscall.EIO, "STOR new", "451 Local error."},
		{"write", 1, syscall.ENOSPC, "STOR new", "552 No space left on the device."},
		// out of the pipe, or copied
		{"write", 5, syscall.ENOSPC, "APPE new", "552 No space left on the device."},
	} {
		t.Run(fmt.Sprint(test.cmd, test.call, test.n, test.err), func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			data := l.put(t, "old", large)
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.login()
			l.refit(t, fault(test.call, test.n, func() error { return test.err }))
			d := c.begin(test.cmd)
			if test.cmd == "RETR old" {
				io.Copy(io.Discard, d)
			} else {
				d.ReadFrom(bytes.NewReader(data)) // until the server closes the connection
			}
			if got := c.expect(test.want[:4]); got != test.want+"\r\n" {
				t.Errorf("the server says %q", got)
			}
			if test.cmd != "RETR old" {
				l.holdsWhatIsReported(t, "new", data)
			}
			c.cmd("200 ", "NOOP")
		})
	}
}

// A download has the length that the file had at the 150: bytes that are added meanwhile are
// not sent, and missing bytes prevent the 226.
func TestFilesThatChangeMeanwhile(t *testing.T) {
	for way, call := range map[string]string{"by the kernel": "sendfile", "copied": "read"} {
		for _, n := range []int{1, 2} {
			for _, change := range []int{-large / 2, large} {
				t.Run(fmt.Sprintf("%s, from call %d on %+d bytes", way, n,
					change), func(t *testing.T) {
					l := serveTCP(t, "127.0.0.1:0")
					l.config.Data.Sendfile = way == "by the kernel"
					data := l.put(t, "old", large)
					c := l.client(net.IPv4(127, 0, 0, 1))
					c.login()
					l.refit(t, fault(call, n, func() error {
						return os.Truncate(filepath.Join(l.supervisor.home, "old"),
							int64(large+change))
					}))
					got, err := io.ReadAll(c.begin("RETR old"))
					if err != nil {
						t.Fatal(err)
					}
					want, answer := data, "226 Transfer complete.\r\n"
					if change < 0 {
						want = data[:large+change]
						answer = "451 The file became shorter while it was sent.\r\n"
					}
					if said := c.expect(answer[:4]); said != answer || !bytes.Equal(got, want) {
						t.Errorf("%d bytes come, or others; the server says %q", len(got), said)
					}
				})
			}
		}
	}
}

// Every transfer returns its pipe.
func TestPipesComeBack(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	data := make([]byte, 1<<20)
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.login()
	for range 100 {
		c.upload(t, "STOR up", data)
	}
	var all []*zerocopy.Pipe
	for p := l.srv.pipes.Get(); p != nil; p = l.srv.pipes.Get() {
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Error("no pipe is left")
	}
	for _, p := range all {
		l.srv.pipes.Put(p)
	}
}
