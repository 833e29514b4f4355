package core

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The first reply of a transfer is worded as vsftpd's, because clients read the number of bytes in it: Python's ftplib, curl, and
// Java's URL, which learns the length of a file from no other text.

const openingList = "Opening ASCII mode data connection for file list."

// opening is the text of a file's first reply. The transfer sends so many bytes; 0: it receives, or the number is not known.
func (s *Session) opening(name string, bytes int64) string {
	text := "Opening BINARY mode data connection"
	if s.params.dataType.ascii() {
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

// maxOpeningName is in bytes: some clients read replies into a small buffer.
const maxOpeningName = 200

// openingName returns a pathname as it was typed, cut, and with "?" for control characters. It is empty where the name itself could be
// read as a number of bytes: curl takes the first number before that word, ftplib in any case of letters.
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
