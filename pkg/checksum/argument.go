package checksum

import (
	"strconv"
	"strings"
)

// An Argument is the argument of XCRC and similar commands, which no RFC defines.
type Argument struct {
	Name       string
	Start, End int64 // a negative End is the end of the file
}

// ParseArgument reads "pathname [start [end]]", the pathname perhaps in double quotes.
func ParseArgument(arg string) Argument {
	rest, last, ok := lastNumber(arg)
	if !ok {
		return Argument{unquoted(arg), 0, -1}
	}
	if name, start, ok := lastNumber(rest); ok {
		return Argument{unquoted(name), start, last}
	}
	return Argument{unquoted(rest), last, -1}
}

// lastNumber cuts off a number at the end of s. Other text must stand before the number.
func lastNumber(s string) (before string, n int64, ok bool) {
	s = strings.TrimRight(s, " ")
	at := strings.LastIndexByte(s, ' ')
	u, err := strconv.ParseUint(s[at+1:], 10, 63)
	before = strings.TrimRight(s[:max(at, 0)], " ")
	return before, int64(u), err == nil && before != ""
}

// unquoted removes double quotes that enclose the whole name.
func unquoted(name string) string {
	bare := strings.TrimRight(name, " ")
	if len(bare) > 2 && bare[0] == '"' && bare[len(bare)-1] == '"' {
		return bare[1 : len(bare)-1]
	}
	return name
}
