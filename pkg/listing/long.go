package listing

import (
	"io/fs"
	"strconv"
	"time"

	"ftpd/pkg/vfs"
)

// A LongFormat writes lines as `ls -lA` does: mode, links, owner, group, size, time, name.
// Many clients split them at blanks, so no column is empty and only the last one contains
// blanks. Exactly one blank stands before the name, since the name may begin with another.
//
// Where ls shows question marks for what is not known, clients drop the line or the whole
// listing. A LongFormat shows no permissions, 1 link, 0 bytes and the time 0 there, since
// clients expect a letter, numbers and a date. Only owner and group may be any word.
type LongFormat struct {
	Zone  *time.Location
	Now   time.Time
	Names func(*vfs.Entry) (user, group string)
}

// Long returns a Lister whose lines have a LongFormat, with the times in zone, and the targets of links.
// If owners is nil, each owner and group is "ftp". classify is that of the Lister.
func Long(zone *time.Location, owners *Owners, classify bool) Lister {
	format := &LongFormat{Zone: zone, Now: time.Now()}
	l := Lister{Before: format.Append, Arrows: true, Classify: classify}
	if owners != nil {
		format.Names, l.Learn = owners.Of, owners.Learn
	} else {
		format.Names = func(*vfs.Entry) (user, group string) { return "ftp", "ftp" }
	}
	return l
}

// Append appends what stands before an entry's name.
func (f *LongFormat) Append(dst []byte, e *vfs.Entry) []byte {
	user, group := f.Names(e)
	links, changed := int64(e.Links), e.ModTime
	if e.Unknown != nil {
		links, changed = 1, time.Date(1970, 1, 1, 0, 0, 0, 0, f.Zone)
	}
	dst = appendMode(dst, e.Mode)
	dst = appendRight(append(dst, ' '), links, 3)
	dst = appendLeft(append(dst, ' '), user, 8)
	dst = appendLeft(append(dst, ' '), group, 8)
	dst = appendRight(append(dst, ' '), e.Size, 8)
	dst = f.appendTime(append(dst, ' '), changed)
	return append(dst, ' ')
}

// halfYear is the age from which on ls shows the year instead of the hour.
const halfYear = 365 * 24 * time.Hour / 2

func (f *LongFormat) appendTime(dst []byte, t time.Time) []byte {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	old := f.Now.Sub(t) >= halfYear || t.After(f.Now.Add(time.Minute))
	t = t.In(f.Zone)
	year, month, day := t.Date()
	dst = append(dst, months[3*month-3:3*month]...)
	dst = appendRight(append(dst, ' '), int64(day), 2)
	if old {
		return appendRight(append(dst, ' ', ' '), int64(year), 4)
	}
	hour, minute, _ := t.Clock()
	dst = appendTwo(append(dst, ' '), hour)
	return appendTwo(append(dst, ':'), minute)
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendRight appends a number, right-aligned in a column.
func appendRight(dst []byte, n int64, width int) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for range width - len(text) {
		dst = append(dst, ' ')
	}
	return append(dst, text...)
}

// appendLeft appends a word, left-aligned in a column.
func appendLeft(dst []byte, word string, width int) []byte {
	dst = append(dst, word...)
	for range width - len(word) {
		dst = append(dst, ' ')
	}
	return dst
}

// appendMode appends a mode as ls shows it.
func appendMode(dst []byte, m fs.FileMode) []byte {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	case m&fs.ModeSocket != 0:
		kind = 's'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeDevice != 0:
		kind = 'b'
	}
	at := len(dst)
	dst = append(append(dst, kind), "rwxrwxrwx"...)
	for bit := range 9 {
		if m&(1<<(8-bit)) == 0 {
			dst[at+1+bit] = '-'
		}
	}
	special := func(set fs.FileMode, at int, with, without byte) {
		if m&set == 0 {
			return
		}
		if dst[at] == 'x' {
			dst[at] = with
		} else {
			dst[at] = without
		}
	}
	special(fs.ModeSetuid, at+3, 's', 'S')
	special(fs.ModeSetgid, at+6, 's', 'S')
	special(fs.ModeSticky, at+9, 't', 'T')
	return dst
}
