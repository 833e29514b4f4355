// Package zerocopy moves bytes between files and sockets inside the kernel: sendfile(2) and splice(2) on Linux. On other systems, and
// where the kernel refuses, its functions fail with errors.ErrUnsupported before a byte has moved, and the caller copies instead.
//
// Its own loops, and not those of Go's library, so that each piece is seen: by what shows progress, by limits, by a client that stalls.
package zerocopy

import "sync"

// A SocketError is a failure of the socket, as opposed to one of the file.
type SocketError struct{ Err error }

func (e *SocketError) Error() string { return e.Err.Error() }
func (e *SocketError) Unwrap() error { return e.Err }

const (
	// PipeSize is how many bytes a Pipe takes.
	PipeSize = 1 << 20
	// maxPipes bounds the pipes of a process. The kernel charges them to the user and gives no more than 64 of this size
	// (pipe-user-pages-soft); those beyond are so small that copying is faster.
	maxPipes = 48
	// idlePipes are kept for the next transfer.
	idlePipes = 8
)

// Pipes lends out pipes, which uploads go through. The zero value is ready; it may be used by several goroutines.
type Pipes struct {
	mu   sync.Mutex
	idle []*Pipe // guarded by mu
	out  int     // guarded by mu; lent and idle together
}

// Get takes an empty pipe, or nil when there is none to be had. A refusal is not remembered: what was short, descriptors or what the
// user's other processes hold, may be there again for the next one.
func (ps *Pipes) Get() *Pipe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n := len(ps.idle); n > 0 {
		p := ps.idle[n-1]
		ps.idle = ps.idle[:n-1]
		return p
	}
	if ps.out == maxPipes {
		return nil
	}
	p, err := newPipe()
	if err != nil {
		return nil
	}
	ps.out++
	return p
}

// Held is how many bytes came in and did not go out.
func (p *Pipe) Held() int { return p.held }

// Put gives a pipe back. One that still holds bytes is closed: they would be the next transfer's.
func (ps *Pipes) Put(p *Pipe) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.held == 0 && len(ps.idle) < idlePipes {
		ps.idle = append(ps.idle, p)
		return
	}
	p.close()
	ps.out--
}
