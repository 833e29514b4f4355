package transfer

import (
	"context"
	"errors"

	"ftpd/pkg/dtp"
	"ftpd/pkg/ftptls"
)

// A HandshakeError is the reason why TLS did not begin on a data connection.
type HandshakeError struct{ err error }

func (e *HandshakeError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.err }

// A NotResumedError is the reason why a data connection has not resumed the TLS session of its
// control connection, where that is required (tls.session_reuse).
type NotResumedError struct{ err error }

func (e *NotResumedError) Error() string { return e.err.Error() }

// Unwrap returns the cause, such as ftptls.ErrNoTicket.
func (e *NotResumedError) Unwrap() error { return e.err }

// protect puts TLS under the data connection (RFC 4217 §9). A client that fails or takes too long
// loses only this transfer.
func (t *Transfer) protect(ctx context.Context) error {
	shaking, stop := ctx, func() bool { return true }
	if t.HandshakeLimit > 0 {
		var cancel context.CancelFunc
		shaking, cancel = context.WithTimeoutCause(ctx, t.HandshakeLimit, ftptls.ErrLate)
		defer cancel()
		stop = context.AfterFunc(shaking, t.data.Interrupt)
	}
	t.secure = ftptls.NewData(t.Proof, t.data.Transport(), &t.data, t.data.Blocks)
	t.data.Protect(t.secure)
	err := t.secure.Handshake(shaking)
	switch {
	case !stop():
		err = context.Cause(shaking)
	case errors.Is(err, dtp.ErrStalled):
		err = ftptls.ErrLate // dtp.ErrStalled would end the session
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &HandshakeError{err}
	}
	return t.requireResumption(ctx)
}

// requireResumption reports a data connection that has not resumed the session of its control
// connection, and refuses it if that is demanded. It does so after the handshake and with TLS's
// close_notify, because few clients read the reply after a failure inside TLS.
func (t *Transfer) requireResumption(ctx context.Context) error {
	reason, refused := t.secure.NotResumed()
	if reason == nil {
		return nil
	}
	t.NotResumed(reason, refused)
	if !refused {
		return nil
	}
	if err := t.endTLS(ctx); err != nil {
		return err
	}
	return &NotResumedError{reason}
}

// endTLS sends TLS's close_notify. A client that has the length of a file may have closed the
// connection already, so that only a wait that was cut is a failure.
func (t *Transfer) endTLS(ctx context.Context) error {
	err := t.secure.CloseWrite(ctx)
	if errors.Is(err, dtp.ErrStalled) || ctx.Err() != nil {
		return err
	}
	return nil
}
