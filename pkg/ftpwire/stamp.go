package ftpwire

import (
	"strings"
	"time"
)

// stampLayout is a time-val without its fraction (RFC 3659 §2.3).
const stampLayout = "20060102150405"

// ParseStamp reads a time-val: 14 digits in UTC, behind which a fraction of the second may
// stand (RFC 3659 §2.3).
func ParseStamp(s string) (time.Time, bool) {
	t, err := time.Parse(stampLayout, s)
	return t, err == nil
}

// AppendStamp appends a time-val of 14 digits (RFC 3659 §2.3). A time outside of the years 0
// to 9999, which file systems may have and 14 digits cannot show, is written as the nearest
// that they can.
func AppendStamp(dst []byte, t time.Time) []byte {
	if t.Before(firstStamp) {
		t = firstStamp
	} else if t.After(lastStamp) {
		t = lastStamp
	}
	return t.UTC().AppendFormat(dst, stampLayout)
}

var (
	firstStamp = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastStamp  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// CutStamp splits "YYYYMMDDhhmmss pathname", with which older clients set the modification time of a
// file by MDTM. It reports whether the argument has this form.
func CutStamp(arg string) (t time.Time, name string, ok bool) {
	stamp, name, _ := strings.Cut(arg, " ")
	t, ok = ParseStamp(stamp)
	return t, name, ok && name != ""
}

// MDTMPath returns the pathname in the argument of MDTM.
func MDTMPath(arg string) string {
	if _, name, ok := CutStamp(arg); ok {
		return name
	}
	return arg
}

// UtimeArgument returns the pathname and the time in the argument of SITE UTIME: "YYYYMMDDhhmmss
// pathname", or "pathname atime mtime ctime UTC", of which the second time is returned. The time of
// the first form is not checked.
func UtimeArgument(arg string) (name, stamp string) {
	if rest, ok := strings.CutSuffix(arg, " UTC"); ok {
		var times [3]string
		found := true
		for i := len(times) - 1; i >= 0; i-- {
			at := max(strings.LastIndexByte(rest, ' '), 0)
			rest, times[i] = rest[:at], strings.TrimPrefix(rest[at:], " ")
			_, isTime := ParseStamp(times[i])
			found = found && isTime
		}
		if found {
			return rest, times[1]
		}
	}
	stamp, name, _ = strings.Cut(arg, " ")
	return name, stamp
}

// UtimePath returns the pathname in the argument of SITE UTIME.
func UtimePath(arg string) string {
	name, _ := UtimeArgument(arg)
	return name
}
