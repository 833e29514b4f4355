//go:build !linux

package zerocopy

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// Send returns errors.ErrUnsupported.
func Send(syscall.RawConn, *os.File, int) (int, error) { return 0, errors.ErrUnsupported }

// Unacknowledged returns 0, because the number is not available on this system.
func Unacknowledged(syscall.RawConn) int { return 0 }

// Ended returns false, because this system cannot be queried for the end.
func Ended(syscall.RawConn, time.Duration) bool { return false }

// WriteApart returns errors.ErrUnsupported.
func WriteApart(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Pace does nothing on this system.
func Pace(syscall.RawConn, int64) {}

// GiveUpAfter does nothing on this system.
func GiveUpAfter(syscall.RawConn, time.Duration) {}

// A Pipe does not exist on this system.
type Pipe struct{ held int }

func newPipe() (*Pipe, error) { return nil, errors.ErrUnsupported }

func (*Pipe) close() {}

// Fill returns errors.ErrUnsupported.
func (*Pipe) Fill(syscall.RawConn, int) (int, error) { return 0, errors.ErrUnsupported }

// Empty returns errors.ErrUnsupported.
func (*Pipe) Empty(*os.File) error { return errors.ErrUnsupported }

// Read returns errors.ErrUnsupported.
func (*Pipe) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
