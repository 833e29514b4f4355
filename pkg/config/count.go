package config

import (
	"fmt"
	"math"
	"strconv"
)

// A Count is a number, or Auto; 0 is unlimited.
type Count int

// Auto is the Count "auto", which the comment of the key explains.
const Auto Count = -1

// UnmarshalText reads a number or "auto".
func (c *Count) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*c = Auto
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is neither a number nor \"auto\"", text)
	}
	return c.set(n)
}

func (c *Count) set(n int64) error {
	switch {
	case n < 0:
		return fmt.Errorf("%d is too small: at least 0", n)
	case n > math.MaxInt32:
		return fmt.Errorf("%d is too large: at most %d", n, math.MaxInt32)
	}
	*c = Count(n)
	return nil
}

// MarshalText returns the number or "auto".
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Count) String() string {
	if c == Auto {
		return "auto"
	}
	return strconv.Itoa(int(c))
}

// encode returns the count as TOML.
func (c Count) encode() string {
	if c == Auto {
		return quote(c.String())
	}
	return c.String()
}

func (c *Count) decodeTOML(v any, _ string) error {
	switch v := v.(type) {
	case string:
		if v == "auto" {
			return c.UnmarshalText([]byte(v))
		}
	case int64:
		return c.set(v)
	}
	return wrongType(`a number or "auto"`, v)
}
