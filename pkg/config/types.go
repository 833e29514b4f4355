package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Every type of a value has its text form here or in hash.go, units.go, network.go, words.go and
// permissions.go. UnmarshalText refuses text that is no valid value, so that other packages need
// not check values. MarshalText returns the text again, so that JSON preserves a Config.

// A Mode holds permission bits or a mask of them, written in octal as a string: "022".
type Mode uint32

// UnmarshalText reads one to four octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || len(text) > 4 {
		return fmt.Errorf("%q is not a mode: three octal digits are needed, such as \"022\"", text)
	}
	*m = Mode(n)
	return nil
}

// MarshalText returns three octal digits or more.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m Mode) String() string { return fmt.Sprintf("%03o", uint32(m)) }

// decodeTOML accepts a string. For a number it returns an error with the string to write
// instead, because in TOML 022 is a syntax error and 22 is twenty-two.
func (m *Mode) decodeTOML(v any, raw string) error {
	if text, ok := v.(string); ok {
		return m.UnmarshalText([]byte(text))
	}
	digits := strings.TrimPrefix(raw, "0o")
	switch v := v.(type) {
	case octal:
		digits = string(v)
	case int64:
	default:
		return wrongType("a mode as a string, such as \"022\"", v)
	}
	if n, err := strconv.ParseUint(digits, 8, 32); err == nil && n <= 0o7777 {
		return fmt.Errorf("a mode is a string in quotes: write \"%03o\"", n)
	}
	return errors.New("a mode is a string in quotes, of three octal digits, such as \"022\"")
}

// A Date is a day as YYYY-MM-DD; "" is never.
type Date string

// Over reports whether the day has passed at now. The day ends at midnight UTC.
func (d Date) Over(now time.Time) bool {
	return d != "" && now.UTC().Format(time.DateOnly) > string(d)
}

func (d *Date) decodeTOML(v any, raw string) error {
	t, ok := v.(time.Time)
	if !ok {
		if text, isText := v.(string); isText {
			if _, err := time.Parse(time.DateOnly, text); err == nil {
				return fmt.Errorf("a date is written without quotes: %s", text)
			}
		}
		return wrongType("a date without quotes, such as 2027-01-31", v)
	}
	if len(raw) != len(time.DateOnly) || t.Location().String() == "time-local" {
		return errors.New("a date without a time is needed, such as 2027-01-31")
	}
	*d = Date(t.Format(time.DateOnly))
	return nil
}
