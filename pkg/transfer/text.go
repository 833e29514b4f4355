package transfer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The first reply of a transfer has the wording of vsftpd, because clients read the number of
// bytes in it: Python's ftplib, curl, and Java's URL, which learns the length of a file from
// no other text.

// OpeningList is the text of a listing's first reply.
const OpeningList = "Opening ASCII mode data connection for file list."

// Opening returns the text of a file's first reply. name is the pathname as the client has sent it.
// bytes is the number of bytes that the transfer sends; it is 0 for an upload, or if the number is
// not known.
func Opening(ascii bool, name string, bytes int64) string {
	text := "Opening BINARY mode data connection"
	if ascii {
		text = "Opening ASCII mode data connection"
	}
	if name = openingName(name); name != "" {
		text += " for " + name
	}
	if bytes > 0 {
		text += fmt.Sprintf(" (%d bytes)", bytes)
	}
	return text + "."
}

// maxOpeningName bounds the name in bytes: some clients read replies into a small buffer.
const maxOpeningName = 200

// openingName returns the pathname from the command, cut to maxOpeningName, with "?" for
// control characters. It is empty if the name could be read as a number of bytes: curl takes
// the first number before the word "bytes", and ftplib does so in any case of letters.
func openingName(typed string) string {
	if strings.Contains(strings.ToLower(typed), " bytes") {
		return ""
	}
	var name []byte
	for typed != "" {
		r, size := utf8.DecodeRuneInString(typed)
		if len(name)+size > maxOpeningName {
			break
		}
		if unicode.IsControl(r) {
			name = append(name, '?')
		} else {
			name = append(name, typed[:size]...)
		}
		typed = typed[size:]
	}
	return string(name)
}

// Progress returns a line for STAT: how far the transfer is. size is the number of bytes that will
// move; 0: not known. It may be called while Run runs.
func (t *Transfer) Progress(size int64) string {
	moved := t.data.Moved()
	switch {
	case !t.data.IsOpen():
		return "Waiting for the data connection."
	case size > 0:
		return fmt.Sprintf("Data connection open: %d of %d bytes moved.", moved, size)
	}
	return fmt.Sprintf("Data connection open: %d bytes moved.", moved)
}
