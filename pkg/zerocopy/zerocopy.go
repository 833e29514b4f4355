// Package zerocopy moves bytes between files and sockets inside the kernel, by sendfile(2) and
// splice(2) on Linux. On other systems, and if the kernel refuses, its functions return
// errors.ErrUnsupported before any byte has moved, and the caller copies the bytes instead.
//
// The package has its own loops and does not use those of Go's library, so that the caller
// regains control after each piece: it shows the progress, applies limits of rate, and detects
// a client that has stalled.
package zerocopy

import "sync"

// A SocketError is a failure of the socket, as opposed to one of the file.
type SocketError struct{ Err error }

func (e *SocketError) Error() string { return e.Err.Error() }
func (e *SocketError) Unwrap() error { return e.Err }

const (
	// PipeSize is the capacity of a Pipe in bytes.
	PipeSize = 1 << 20
	// maxPipes bounds the pipes of a process. The kernel charges pipes to the user and grants
	// no more than 64 of this size (pipe-user-pages-soft). Further pipes would be so small
	// that copying is faster.
	maxPipes = 48
	// idlePipes bounds the pipes that are kept for the next transfers.
	idlePipes = 8
)

// Pipes is a pool of the pipes that uploads go through. The zero value is ready for use by
// several goroutines.
type Pipes struct {
	mu   sync.Mutex
	idle []*Pipe // guarded by mu
	open int     // guarded by mu; the pipes in use and the idle ones
}

// Get returns an empty pipe, or nil if none is available. Each call tries anew after a failure,
// because the shortage, of descriptors or of the pipe memory of the user, may be over.
func (ps *Pipes) Get() *Pipe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n := len(ps.idle); n > 0 {
		p := ps.idle[n-1]
		ps.idle = ps.idle[:n-1]
		return p
	}
	if ps.open == maxPipes {
		return nil
	}
	p, err := newPipe()
	if err != nil {
		return nil
	}
	ps.open++
	return p
}

// Held returns the number of bytes in the pipe.
func (p *Pipe) Held() int { return p.held }

// Put returns a pipe to the pool. It closes a pipe that still holds bytes, because these would
// end up in the next transfer.
func (ps *Pipes) Put(p *Pipe) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.held == 0 && len(ps.idle) < idlePipes {
		ps.idle = append(ps.idle, p)
		return
	}
	p.close()
	ps.open--
}
