//go:build !linux

package zerocopy

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// Send is not there on this system.
func Send(syscall.RawConn, *os.File, int) (int, error) { return 0, errors.ErrUnsupported }

// Unacknowledged is not known on this system.
func Unacknowledged(syscall.RawConn) int { return 0 }

// Ended is not known on this system.
func Ended(syscall.RawConn, time.Duration) bool { return false }

// WriteApart is not there on this system.
func WriteApart(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Pace does nothing on this system.
func Pace(syscall.RawConn, int64) {}

// GiveUpAfter does nothing on this system.
func GiveUpAfter(syscall.RawConn, time.Duration) {}

// A Pipe is not there on this system.
type Pipe struct{ held int }

func newPipe() (*Pipe, error) { return nil, errors.ErrUnsupported }

func (*Pipe) close() {}

// Fill is not there on this system.
func (*Pipe) Fill(syscall.RawConn, int) (int, error) { return 0, errors.ErrUnsupported }

// Empty is not there on this system.
func (*Pipe) Empty(*os.File) error { return errors.ErrUnsupported }

// Read is not there on this system.
func (*Pipe) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
