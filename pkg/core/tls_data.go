package core

import (
	"context"
	"errors"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
)

// A handshakeError is why TLS did not begin on a data connection.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// A notResumedError is why a data connection did not resume the TLS session of its control
// connection, where that is required.
type notResumedError struct{ err error }

func (e *notResumedError) Error() string { return e.err.Error() }
func (e *notResumedError) Unwrap() error { return e.err }

// protect puts TLS under the data connection (RFC 4217 §9). A client that fails or takes too long
// loses only this transfer.
func (t *transfer) protect(ctx context.Context) error {
	shaking, stop := ctx, func() bool { return true }
	if limit := time.Duration(t.s.srv.config.Limits.ConnectTimeout); limit > 0 {
		var cancel context.CancelFunc
		shaking, cancel = context.WithTimeoutCause(ctx, limit, errHandshakeLate)
		defer cancel()
		stop = context.AfterFunc(shaking, t.data.Interrupt)
	}
	t.secure = ftptls.NewData(t.proof, t.data.Transport(), &t.data, t.data.Blocks)
	t.data.Protect(t.secure)
	err := t.secure.Handshake(shaking)
	switch {
	case !stop():
		err = context.Cause(shaking)
	case errors.Is(err, dtp.ErrStalled):
		err = errHandshakeLate // dtp.ErrStalled would end the session
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &handshakeError{err}
	}
	return t.requireResumption(ctx)
}

// requireResumption reports a data connection that has not resumed the session of its control
// connection, and refuses it if that is demanded. It does so after the handshake and with TLS's
// close_notify, because few clients read the reply after a failure inside TLS.
func (t *transfer) requireResumption(ctx context.Context) error {
	reason, refused := t.secure.NotResumed()
	if reason == nil {
		return nil
	}
	e := events.Event{
		Kind: events.NotResumed, Verb: t.what.verb, Client: t.client, Cause: reason.Error(),
	}
	if !refused {
		t.report(e)
		return nil
	}
	err := &notResumedError{reason}
	e.Reply = refuse(err).Code
	t.report(e)
	if err := t.endTLS(ctx); err != nil {
		return err
	}
	return err
}

// endTLS sends TLS's close_notify. A client that has the length of a file may have closed the
// connection already, so that only a wait that was cut is a failure.
func (t *transfer) endTLS(ctx context.Context) error {
	err := t.secure.CloseWrite(ctx)
	if errors.Is(err, dtp.ErrStalled) || ctx.Err() != nil {
		return err
	}
	return nil
}
