package core

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"ftpd/pkg/dtp"
)

// ways are the ways in which the bytes of a transfer move.
var ways = []struct {
	name    string
	prepare func(t *testing.T, l *loopback)
}{
	{"by the kernel", func(*testing.T, *loopback) {}},
	{"copied", func(_ *testing.T, l *loopback) { l.config.Data.Sendfile = false }},
	{"without a pipe", func(t *testing.T, l *loopback) {
		for p := l.srv.pipes.Get(); p != nil; p = l.srv.pipes.Get() {
			t.Cleanup(func() { l.srv.pipes.Put(p) })
		}
	}},
}

// Each byte arrives, in each of the ways, for lengths around the limits of pieces, pipes and
// buffers.
func TestEveryByteOverTCP(t *testing.T) {
	sizes := []int{
		0, 1, dtp.FirstPiece - 1, dtp.FirstPiece, dtp.FirstPiece + 1, 256 << 10, 1<<20 - 1,
		1 << 20, 1<<20 + 1, 5<<20 + 12345,
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			way.prepare(t, l)
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.login()
			for _, size := range sizes {
				data := make([]byte, size)
				rand.Read(data)
				c.upload(t, "STOR file", data)
				l.holds(t, "file", data)
				if got := c.download(t, "RETR file"); !bytes.Equal(got, data) {
					t.Errorf("RETR of %d bytes brings %d, or others", size, len(got))
				}
				c.upload(t, "APPE file", data)
				l.holds(t, "file", append(bytes.Clone(data), data...))
				if size < 2 {
					continue
				}
				c.cmd("350 ", fmt.Sprintf("REST %d", size/2))
				if got := c.download(t, "RETR file"); !bytes.Equal(got,
					append(bytes.Clone(data[size/2:]), data...)) {
					t.Errorf("REST and RETR of %d bytes bring %d, or others", size, len(got))
				}
				c.cmd("350 ", fmt.Sprintf("REST %d", size/2))
				c.upload(t, "STOR file", data)
				whole := append(bytes.Clone(data), data...)
				copy(whole[size/2:], data)
				l.holds(t, "file", whole)
			}
		})
	}
}

// holds checks that a file holds the bytes of want.
func (l *loopback) holds(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(l.supervisor.home, name))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes, or others, not %d: %v", name, len(got), len(want), err)
	}
}

func (c *tcpClient) upload(t *testing.T, line string, data []byte) {
	t.Helper()
	conn := c.pasv("EPSV")
	c.cmd("1", line)
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	c.expect("226 ")
}

func (c *tcpClient) download(t *testing.T, line string) []byte {
	t.Helper()
	conn := c.pasv("EPSV")
	defer conn.Close()
	c.cmd("1", line)
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	c.expect("226 ")
	return data
}
