package ftpwire

import "time"

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
