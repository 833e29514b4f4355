package transfer

import (
	"context"
	"errors"
	"fmt"

	"ftpd/pkg/dtp"
	"ftpd/pkg/limit"
	"ftpd/pkg/vfs"
)

// An Upload stores a file from the client: the work of STOR, APPE and STOU (RFC 959 §4.1.3).
type Upload struct {
	Files    *vfs.FS
	Name     string       // an absolute FTP path
	Creation vfs.Creation // Most is the largest size of the file
	Reserve  int64        // bytes that stay free on the file system (limits.min_free_space)

	host string
}

// A SizeError is the failure of an upload because of its size. It wraps vfs.ErrLimit.
type SizeError struct {
	Most int64 // bytes that the file may have (max_file_size)
	err  error
}

func (e *SizeError) Error() string { return "max_file_size: " + e.err.Error() }

// Unwrap returns the cause.
func (e *SizeError) Unwrap() error { return e.err }

// Check returns the reason why the upload cannot begin: an error of the name, a *SizeError or
// limit.ErrReserve. announced is the size in bytes that the client has sent with ALLO; 0 means that
// it has sent none. Size and free space are checked again while bytes arrive.
func (u *Upload) Check(announced int64) error {
	err := u.Files.CanCreate(u.Name, u.Creation)
	if err == nil && u.Creation.Most > 0 && announced > u.Creation.Most {
		err = fmt.Errorf("%d bytes are announced: %w", announced, vfs.ErrLimit)
	}
	if err != nil {
		return u.sizeError(err)
	}
	if u.Reserve == 0 {
		return nil
	}
	free, err := u.Files.Free(u.Name)
	if err != nil {
		return err
	}
	return limit.Enough(free-announced, u.Reserve)
}

// Move receives the file; it is the Move of an upload's Options. The file is created or truncated
// only now that the data connection is open, so that a client that never opens it destroys no file.
// An upload that does not count is aborted.
func (u *Upload) Move(ctx context.Context, t *Transfer) error {
	up, err := u.Files.Create(u.Name, u.Creation)
	if err != nil {
		return u.sizeError(err)
	}
	u.host = up.HostPath()
	receive := (*dtp.Conn).ReceiveFile
	if t.ASCII {
		receive = (*dtp.Conn).ReceiveText
	}
	err = receive(&t.data, ctx, up, limit.NewReserve(u.Reserve, up))
	if err == nil {
		err = t.arrived(ctx)
	}
	if err != nil {
		up.Abort()
		return u.sizeError(err)
	}
	return up.Commit()
}

// Host returns the path of the file on the host, or "" if Move has not created it.
func (u *Upload) Host() string { return u.host }

// sizeError returns a *SizeError where err is vfs.ErrLimit, and err otherwise.
func (u *Upload) sizeError(err error) error {
	if !errors.Is(err, vfs.ErrLimit) {
		return err
	}
	return &SizeError{Most: u.Creation.Most, err: err}
}
