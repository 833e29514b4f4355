package core

import "ftpd/pkg/ftpwire"

// A Reply answers a command. A handler may return it as the error that refuses the command.
type Reply = ftpwire.Reply

// reply returns a Reply of one line.
func reply(code int, format string, args ...any) Reply {
	return ftpwire.Replyf(code, format, args...)
}
