package events

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"ftpd/pkg/config"
)

// A TransferLog writes a line in the form of xferlog(5) for each transfer, whole or not.
type TransferLog struct {
	w    io.Writer
	zone *time.Location
	now  func() time.Time
}

// NewTransferLog writes to w, with times of the zone.
func NewTransferLog(w io.Writer, zone *time.Location) *TransferLog {
	return &TransferLog{w, zone, time.Now}
}

// Write writes a line for a record that is a transfer's. The fields, one blank between any two:
//
//	current-time transfer-time remote-host file-size filename transfer-type special-action-flag direction access-mode username
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
	name := r.Host // the host's, where known, as other programs read it
	if name == "" {
		name = r.Path
	}
	fmt.Fprintf(l.w, "%s %d %s %d %s %c _ %c %c %s ftp 0 * %c\n", l.now().In(l.zone).Format(time.ANSIC),
		int64(math.Round(r.Took.Seconds())), r.Remote.Addr().Unmap(), r.Bytes, oneWord(name), kind, direction, access, oneWord(r.Name), complete)
}

// oneWord is a name without blanks, which would end its field, and without what would end the line or reach a terminal.
func oneWord(name string) string {
	if name == "" {
		return "?"
	}
	return strings.Map(func(c rune) rune {
		if c == ' ' || c != '\\' && strange(c) {
			return '_'
		}
		return c
	}, name)
}
