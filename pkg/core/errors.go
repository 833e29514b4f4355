package core

import (
	"errors"
	"io/fs"

	"ftpd/pkg/auth"
	"ftpd/pkg/dtp"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

// Errors become reply codes here and nowhere else. The client reads a fixed sentence; the log
// has the error itself.

// refusals are the replies to commands that failed; the first that matches is used. Storage
// that is used up is 552, which curl reports as "remote disk full". rclone takes 550 for a
// missing file.
var refusals = []struct {
	err   error
	reply Reply
}{
	{vfs.ErrNotAllowed, reply(550, "Not enough privileges.")},
	{vfs.ErrQuota, reply(552, "Quota exceeded.")},
	{limit.ErrReserve, reply(452, "The file system has too little free space.")},
	{vfs.ErrNoSpace, reply(552, "No space left on the device.")},
	{vfs.ErrTooLarge, reply(552, "File too large.")},
	{vfs.ErrCutOff, reply(451, "The file became shorter while it was sent.")},
	{vfs.ErrOffset, reply(554, "Restart position is beyond the end of the file.")},
	{vfs.ErrMode, reply(550, "A file is never made setuid, setgid or sticky.")},
	{vfs.ErrNotRegular, reply(550, "Not a plain file.")},
	{vfs.ErrNotDir, reply(550, "Not a directory.")},
	{vfs.ErrIsDir, reply(550, "Is a directory.")},
	{vfs.ErrNotEmpty, reply(550, "Directory is not empty.")},
	{vfs.ErrReadOnly, reply(550, "File system is read-only.")},
	{vfs.ErrCrossMount, reply(553, "Cannot rename from one file system to another.")},
	{vfs.ErrName, reply(553, "File name not allowed.")},
	{vfs.ErrCannot, reply(550, "The file system cannot do that.")},
	{fs.ErrPermission, reply(550, "Permission denied.")},
	{fs.ErrNotExist, reply(550, "No such file or directory.")},
	{fs.ErrExist, reply(550, "File exists.")},
	{impersonate.ErrBusy, reply(450, "Too much is going on; try again later.")},
}

// These replies refuse a line before its handler runs; some handlers return them, too.
var (
	errTooLong   = reply(500, "Command too long.")
	errUnknown   = reply(500, "Unknown command.")
	errNUL       = reply(501, "A command may not hold a NUL.")
	errAbsent    = reply(502, "Command not implemented.")
	errNoArg     = reply(501, "Syntax error: command needs an argument.")
	errArg       = reply(501, "Syntax error: command takes no argument.")
	errNeedLogin = reply(530, "Please log in with USER and PASS.")
)

var errNoData = reply(425, "Use PASV, EPSV, PORT or EPRT first.")

// unopened are the replies to a transfer without a data connection.
var unopened = map[dtp.OpenFailure]Reply{
	dtp.NoClient:  reply(425, "No data connection was made."),
	dtp.Spent:     errNoData,
	dtp.NoConnect: reply(425, "Cannot open the data connection."),
}

// The text of errNotResumed is that of vsftpd: clients and administrators recognize it.
var (
	errNoTLS      = reply(522, "TLS handshake on the data connection failed.")
	errNotResumed = reply(522, "TLS session reuse required: "+
		"the data connection must resume the TLS session of its control connection.")
)

var errLocal = reply(451, "Local error.")

// refuse returns the reply to a command that failed.
func refuse(err error) Reply {
	if r, ok := errors.AsType[Reply](err); ok {
		return r
	}
	if e, ok := errors.AsType[*dtp.OpenError](err); ok {
		return unopened[e.Reason].Because(err)
	}
	if _, ok := errors.AsType[*transfer.HandshakeError](err); ok {
		return errNoTLS.Because(err)
	}
	if _, ok := errors.AsType[*transfer.NotResumedError](err); ok {
		return errNotResumed.Because(err)
	}
	if e, ok := errors.AsType[*transfer.SizeError](err); ok {
		return reply(552, "A file may have %d bytes at most.", e.Most).Because(e)
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.reply.Because(err)
		}
	}
	return errLocal.Because(err)
}

var errBusy = reply(421, "Closing the control connection: %s.", auth.ErrBusy)

// refuseLogin returns the reply to a login that failed. 421 does not mean that the password is
// wrong: the login has waited for others too long.
func refuseLogin(err error) Reply {
	refusal, _ := errors.AsType[*auth.Refusal](err)
	switch {
	case refusal != nil && refusal.Public != "":
		return reply(530, "%s", refusal.Public)
	case errors.Is(err, auth.ErrBusy), errors.Is(err, impersonate.ErrBusy):
		return errBusy
	}
	return errLogin
}

var errLeft = reply(426, "Control connection closed; transfer aborted.")

// conclude returns the last reply to a transfer that has begun (RFC 959 §5.4). The code is 426
// if the data connection failed or the client aborted the transfer. If the file failed, it is
// the reply that the command would have received before the 150: RFC 959 has only 451 and 552
// there, but clients try again after a 451, lftp for ever. The code is zero if the session
// ends for the same cause, with its own reply.
func conclude(ending transfer.Ending, err error) Reply {
	switch ending {
	case transfer.Complete:
		return reply(226, "Transfer complete.")
	case transfer.Aborted:
		return reply(426, "Transfer aborted.").Because(err)
	case transfer.Left:
		return errLeft.Because(err)
	case transfer.Dismissed:
		return Reply{Cause: err}
	case transfer.Disconnected:
		return reply(426, "Data connection closed; transfer aborted.").Because(err)
	}
	return refuse(err)
}
