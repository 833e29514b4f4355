package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Duration is written "90s", "5m", "250ms" or "1h30m"; never negative.
type Duration time.Duration

// UnmarshalText reads a duration as time.ParseDuration does. "0s" and "" are zero.
func (d *Duration) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	parsed, err := time.ParseDuration(string(text))
	switch {
	case err != nil && isNumber(string(text)):
		return fmt.Errorf("%q needs a unit: \"%ss\", \"%sm\" or \"%sms\"", text, text, text, text)
	case err != nil:
		return fmt.Errorf("%q is not a duration such as \"90s\", \"5m\", \"250ms\" or \"1h\"", text)
	case parsed < 0:
		return fmt.Errorf("%q is negative", text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText returns the duration with the largest unit that divides it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := time.Duration(d); n != 0 && n%u.size == 0 {
			return strconv.FormatInt(int64(n/u.size), 10) + u.name
		}
	}
	return time.Duration(d).String()
}

func (d *Duration) decodeTOML(v any, raw string) error {
	text, ok := v.(string)
	switch _, isInt := v.(int64); {
	case isInt:
		return fmt.Errorf("a duration is a string with a unit: \"%ss\"", raw)
	case !ok:
		return wrongType("a duration such as \"90s\"", v)
	case text == "":
		return errors.New("a duration is needed, such as \"90s\"; \"0s\" is none")
	}
	return d.UnmarshalText([]byte(text))
}

// A Size is a number of bytes, written "64KiB", "10MiB" or "2GB"; 0 is unlimited.
type Size int64

// A Rate is a number of bytes per second, written as a Size; 0 is unlimited.
type Rate int64

// sizeUnits are the units of sizes. "" and "B" are bytes.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
	{"B", 1}, {"", 1},
}

// UnmarshalText reads a number with a unit, in upper or lower case. "" is 0.
func (s *Size) UnmarshalText(text []byte) error {
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		*s = 0
		return nil
	}
	digits := strings.TrimRight(trimmed, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	number := strings.TrimSpace(digits)
	for _, u := range sizeUnits {
		if !strings.EqualFold(u.name, trimmed[len(digits):]) || !isNumber(number) {
			continue
		}
		f, err := strconv.ParseFloat(number, 64)
		if n, wholeErr := strconv.ParseInt(number, 10, 64); wholeErr == nil &&
			n <= math.MaxInt64/u.bytes {
			*s = Size(n * u.bytes)
			return nil
		}
		if f *= float64(u.bytes); err != nil || f >= math.MaxInt64 {
			return fmt.Errorf("%q is too large", text)
		}
		*s = Size(f)
		return nil
	}
	if strings.HasPrefix(trimmed, "-") {
		return fmt.Errorf("%q is negative", text)
	}
	return fmt.Errorf("%q is not a size such as \"64KiB\", \"10MiB\" or \"2GB\"", text)
}

// MarshalText returns the size with the unit that yields the smallest whole number.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	number, unit := int64(s), ""
	for _, u := range sizeUnits {
		if n := int64(s) / u.bytes; int64(s)%u.bytes == 0 && n < number {
			number, unit = n, u.name
		}
	}
	return strconv.FormatInt(number, 10) + unit
}

func (s *Size) decodeTOML(v any, _ string) error {
	switch v := v.(type) {
	case string:
		return s.UnmarshalText([]byte(v))
	case int64:
		if v < 0 {
			return fmt.Errorf("%d is negative", v)
		}
		*s = Size(v)
		return nil
	}
	return wrongType("a size such as \"10MiB\"", v)
}

// UnmarshalText reads a number with a unit. "" is 0.
func (r *Rate) UnmarshalText(text []byte) error {
	if err := (*Size)(r).UnmarshalText(text); err != nil {
		return fmt.Errorf("%w (each second)", err)
	}
	return nil
}

// MarshalText returns the rate in the form of a size.
func (r Rate) MarshalText() ([]byte, error) { return Size(r).MarshalText() }

func (r Rate) String() string { return Size(r).String() }

func (r *Rate) decodeTOML(v any, raw string) error { return (*Size)(r).decodeTOML(v, raw) }

// isNumber reports whether text consists of digits and at most one decimal point.
func isNumber(text string) bool {
	whole, fraction, _ := strings.Cut(text, ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	return whole != "" && digits(whole) && digits(fraction)
}
