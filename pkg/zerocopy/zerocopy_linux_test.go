package zerocopy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connected returns both ends of a TCP connection, and the raw connection of ours.
func connected(t *testing.T) (socket syscall.RawConn, ours, peer *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if ours, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if socket, err = ours.SyscallConn(); err != nil {
		t.Fatal(err)
	}
	return socket, ours, peer
}

func create(t *testing.T, name string, flags int, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func random(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

// fillSocket writes to a socket until it is full.
func fillSocket(t *testing.T, socket syscall.RawConn) {
	t.Helper()
	err := socket.Write(func(fd uintptr) bool {
		for {
			if _, err := unix.Write(int(fd), make([]byte, 1<<20)); err != nil {
				return true
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each pipe has the capacity PipeSize. If the kernel grants only smaller pipes, Get returns
// none.
func TestPipeSize(t *testing.T) {
	var ps Pipes
	var all []*Pipe
	for p := ps.Get(); p != nil; p = ps.Get() {
		size, err := unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0)
		if err != nil || size < PipeSize {
			t.Errorf("pipe %d takes %d bytes, %v", len(all), size, err)
		}
		all = append(all, p)
	}
	if len(all) > maxPipes {
		t.Errorf("%d pipes are in use, more than %d", len(all), maxPipes)
	}
	if len(all) < maxPipes && os.Getuid() == 0 {
		t.Errorf("only %d pipes of %d could be made", len(all), maxPipes)
	}
	for _, p := range all {
		ps.Put(p)
	}
	if len(ps.idle) > idlePipes || ps.open != len(ps.idle) {
		t.Errorf("%d pipes are idle, %d are counted as open", len(ps.idle), ps.open)
	}
	for _, p := range ps.idle {
		p.close()
	}
}

// Get returns pipes again after a shortage of descriptors, so that one shortage does not make
// all later transfers slow.
func TestPipeAfterShortage(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var ps Pipes
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	none := ps.Get()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if none != nil {
		t.Fatal("a pipe without free descriptors")
	}
	p := ps.Get()
	if p == nil {
		t.Fatal("no pipe after the shortage")
	}
	p.close()
}

// Put closes a pipe that still holds bytes, so that they cannot end up in the next transfer.
func TestPutClosesPipeWithBytes(t *testing.T) {
	var ps Pipes
	p := ps.Get()
	socket, _, peer := connected(t)
	peer.Write([]byte("left over"))
	if n, err := p.Fill(socket, PipeSize); n != 9 || err != nil || p.Held() != 9 {
		t.Fatal(n, err, p.Held())
	}
	ps.Put(p)
	if len(ps.idle) != 0 || ps.open != 0 {
		t.Errorf("%d pipes are idle, %d are open", len(ps.idle), ps.open)
	}
}

func TestSend(t *testing.T) {
	content := random(3*maxSend + 77)
	f := create(t, "f", os.O_RDONLY, content)
	socket, ours, peer := connected(t)
	received := make(chan []byte, 1)
	go func() { // ends with the connection
		got, _ := io.ReadAll(peer)
		received <- got
	}()
	if n, err := Send(socket, f, 10); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	sent := 10
	for {
		n, err := Send(socket, f, len(content))
		if err == io.EOF {
			break
		}
		if err != nil || n <= 0 || n > maxSend {
			t.Fatalf("%d bytes, %v", n, err)
		}
		sent += n
	}
	ours.Close()
	if got := <-received; sent != len(content) || !bytes.Equal(got, content) {
		t.Errorf("%d bytes were sent, %d arrived, want %d equal ones", sent, len(got), len(content))
	}
}

// A wait for a full socket ends at the deadline. No byte has moved then, and the position of
// the file is unchanged.
func TestSendToFullSocket(t *testing.T) {
	f := create(t, "f", os.O_RDONLY, random(1000))
	socket, ours, _ := connected(t)
	fillSocket(t, socket)
	ours.SetWriteDeadline(time.Unix(1, 0))
	if n, err := Send(socket, f, 1000); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
		t.Error(at, err)
	}
}

// The number of unacknowledged bytes falls as the peer reads.
func TestUnacknowledged(t *testing.T) {
	socket, ours, peer := connected(t)
	if n := Unacknowledged(socket); n != 0 {
		t.Errorf("%d bytes before the first write", n)
	}
	fillSocket(t, socket)
	if n := Unacknowledged(socket); n == 0 {
		t.Error("no bytes in a full socket")
	}
	ours.CloseWrite()
	if _, err := io.Copy(io.Discard, peer); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for Unacknowledged(socket) > 1 { // the FIN counts as 1 until it is acknowledged
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are unacknowledged", Unacknowledged(socket))
		}
	}
}

// A failure of the socket is a SocketError, a failure of the file is not. A file that cannot
// be read is not reported as errors.ErrUnsupported either.
func TestErrorTypes(t *testing.T) {
	var failed *SocketError
	f := create(t, "f", os.O_RDONLY, random(1000))
	socket, ours, peer := connected(t)
	ours.CloseWrite()
	if _, err := Send(socket, f, 1000); !errors.As(err, &failed) {
		t.Errorf("to a socket that is closed for writing: %v", err)
	}
	peer.SetLinger(0)
	peer.Close()
	p, err := newPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if _, err := p.Fill(socket, PipeSize); !errors.As(err, &failed) {
		t.Errorf("from a connection that was reset: %v", err)
	}
	socket, _, _ = connected(t)
	writeOnly := create(t, "f", os.O_WRONLY, random(1000))
	_, err = Send(socket, writeOnly, 1000)
	if err == nil || errors.As(err, &failed) || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := Send(socket, dir, 1000); err == nil || errors.As(err, &failed) {
		t.Errorf("a directory: %v", err)
	}
}

// Bytes pass through a pipe from a socket into a file, by splice(2) and by Read.
func TestSocketToFile(t *testing.T) {
	flagsOf := map[string]int{"spliced": os.O_RDWR, "copied": os.O_RDWR | os.O_APPEND}
	for name, flags := range flagsOf {
		t.Run(name, func(t *testing.T) {
			content := random(3*PipeSize + 77)
			socket, _, peer := connected(t)
			go func() { // ends with the connection
				peer.Write(content)
				peer.CloseWrite()
			}()
			f := create(t, "f", flags, nil)
			p, err := newPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			for {
				n, err := p.Fill(socket, 100_000)
				if err == io.EOF {
					break
				}
				if err != nil || n <= 0 || n > 100_000 || p.Held() != n {
					t.Fatal(n, err, p.Held())
				}
				err = p.Empty(f)
				if refused := errors.Is(err, errors.ErrUnsupported); refused != (name == "copied") {
					t.Fatal(err)
				} else if refused {
					_, err = io.Copy(f, p)
				}
				if err != nil || p.Held() != 0 {
					t.Fatal(err, p.Held())
				}
			}
			if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, want %d equal bytes: %v", len(got), len(content), err)
			}
		})
	}
}

// If writing to the file fails half-way, the rest stays in the pipe. File and pipe together
// hold all bytes that were received.
func TestFileTooLarge(t *testing.T) {
	const room, size = 5000, 9000
	f := create(t, "f", os.O_RDWR, nil)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	socket, _, peer := connected(t)
	content := random(size)
	peer.Write(content)
	peer.CloseWrite()
	p, err := newPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if n, err := p.Fill(socket, PipeSize); n != size || err != nil {
		t.Fatal(n, err)
	}
	low := unix.Rlimit{Cur: room, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	failed := p.Empty(f)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(failed, unix.EFBIG) {
		t.Error(failed)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil || len(got) > room || p.Held() != size-len(got) {
		t.Errorf("%d bytes are in the file and %d in the pipe: %v", len(got), p.Held(), err)
	}
	rest, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(append(got, rest...), content) {
		t.Errorf("%d bytes are in the pipe, or not the right ones: %v", len(rest), err)
	}
}

// The kernel receives the rate of Pace, also beyond 2^31, but no rate that it would take as "no
// bound". It receives the timeout of GiveUpAfter.
func TestSocketOptions(t *testing.T) {
	socket, _, _ := connected(t)
	option := func(level, name int) (n int) {
		socket.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), level, name) })
		return n
	}
	for _, rate := range []int64{1000, 3 << 30} {
		Pace(socket, rate)
		if got := uint32(option(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE)); int64(got) != rate {
			t.Errorf("the kernel paces at %d, want %d", got, rate)
		}
	}
	Pace(socket, 5<<30)
	if got := uint32(option(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE)); got != 3<<30 {
		t.Errorf("a rate beyond the bounds of the kernel became %d", got)
	}
	GiveUpAfter(socket, 2*time.Minute)
	if got := option(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 120_000 {
		t.Errorf("the kernel gives up after %d ms, want 120000", got)
	}
}
