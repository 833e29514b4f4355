package transport

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A failing is a listener whose Accept returns one error after another.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// Accept goes on after an error that may pass, with a pause that grows, and returns one that stays.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passing := fmt.Errorf("accept: %w", syscall.EMFILE)
		gone := errors.New("the listener is gone")
		for want, errs := range map[error][]error{
			net.ErrClosed: {passing, passing, passing, passing, passing, passing, net.ErrClosed},
			gone:          {syscall.ECONNABORTED, gone},
		} {
			l := &failing{errs: errs}
			began := time.Now()
			err := Accept(l, func(*TCPConn) { t.Error("served") }, func(*TCPConn) { t.Error("refused") })
			if err != want || len(l.errs) > 0 {
				t.Errorf("%v, and %d errors are left", err, len(l.errs))
			}
			if time.Since(began) == 0 {
				t.Error("the loop does not pause")
			}
		}
	})
}
