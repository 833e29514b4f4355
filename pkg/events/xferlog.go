package events

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"ftpd/pkg/config"
)

// A TransferLog writes one line in the format of xferlog(5) for each transfer, complete or not.
type TransferLog struct {
	w    io.Writer
	zone *time.Location
	now  func() time.Time
}

// NewTransferLog returns a log that writes to w, with times in zone.
func NewTransferLog(w io.Writer, zone *time.Location) *TransferLog {
	return &TransferLog{w, zone, time.Now}
}

// Write writes a line for the record of a transfer and ignores all other records. The fields
// of a line, separated by one blank each, are:
//
//	current-time transfer-time remote-host file-size filename transfer-type
//	special-action-flag direction access-mode username
//	service-name authentication-method authenticated-user-id completion-status
func (l *TransferLog) Write(r Record) {
	if !r.Kind.OfTransfer() {
		return
	}
	kind, direction, access, complete := 'b', 'o', 'r', 'c'
	if r.ASCII {
		kind = 'a'
	}
	if r.Kind == Upload || r.Kind == UploadIncomplete {
		direction = 'i'
	}
	if r.Kind == UploadIncomplete || r.Kind == DownloadIncomplete {
		complete = 'i'
	}
	if r.Name == config.AnonymousUser {
		access = 'a'
	}
	name := r.Host // programs that read the file expect a path of the host
	if name == "" {
		name = r.Path
	}
	fmt.Fprintf(l.w, "%s %d %s %d %s %c _ %c %c %s ftp 0 * %c\n",
		l.now().In(l.zone).Format(time.ANSIC), int64(math.Round(r.Took.Seconds())),
		r.Remote.Addr().Unmap(), r.Bytes, oneWord(name),
		kind, direction, access, oneWord(r.Name), complete)
}

// oneWord returns name with "_" in place of each blank, which would end the field, and of each
// character that would end the line or control a terminal. An empty name becomes "?".
func oneWord(name string) string {
	if name == "" {
		return "?"
	}
	return strings.Map(func(c rune) rune {
		if c == ' ' || c != '\\' && needsEscape(c) {
			return '_'
		}
		return c
	}, name)
}
