package ftpwire

import (
	"bytes"
	"fmt"
	"strings"
)

// A Table has the commands of a server by their names in upper case. The names of SITE and OPTS
// commands have two words, such as "SITE CHMOD".
type Table[C any] map[string]*C

// maxName is the length in bytes of the longest name in a Table.
const maxName = 16

// Lookup returns a line's command, in any case of letters, and its argument: all that follows
// the first blank, other blanks included. The command is nil if the table has none of that
// name. A SITE or OPTS command is found by its two words.
func (t Table[C]) Lookup(line []byte) (cmd *C, arg []byte) {
	word, arg, _ := bytes.Cut(line, []byte{' '})
	if cmd = t.find("", word); cmd == nil {
		return t.behindTelnet(word), arg
	}
	for _, family := range []string{"SITE ", "OPTS "} {
		if !isWord(word, family[:4]) {
			continue
		}
		word, rest, _ := bytes.Cut(bytes.TrimLeft(arg, " "), []byte{' '})
		if second := t.find(family, word); second != nil {
			return second, rest
		}
	}
	return cmd, arg
}

func (t Table[C]) find(prefix string, word []byte) *C {
	var name [maxName]byte
	if len(prefix)+len(word) > len(name) {
		return nil
	}
	n := copy(name[:], prefix)
	for _, c := range word {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		name[n] = c
		n++
	}
	return t[string(name[:n])]
}

// behindTelnet returns the command that a client has sent as urgent data, behind the rest of a
// Telnet command that was torn apart on its way (RFC 959 §4.1.3).
func (t Table[C]) behindTelnet(word []byte) *C {
	at := max(len(word)-len("ABOR"), 0)
	for _, c := range word[:at] {
		if c < 0x80 {
			return nil
		}
	}
	for _, urgent := range []string{"ABOR", "STAT", "QUIT"} {
		if isWord(word[at:], urgent) {
			return t.find("", word[at:])
		}
	}
	return nil
}

// isWord reports whether a word, in any case of letters, is the name of a command.
func isWord(word []byte, name string) bool {
	return len(word) == len(name) && bytes.EqualFold(word, []byte(name))
}

// Rows arranges words for a reply, in columns of five characters and lines of about 60 bytes.
func Rows(words []string) (lines []string) {
	row := ""
	for i, word := range words {
		row += fmt.Sprintf(" %-5s", word)
		if len(row) >= 60 || i == len(words)-1 {
			lines, row = append(lines, strings.TrimRight(row, " ")), ""
		}
	}
	return lines
}
