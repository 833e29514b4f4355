package config

import (
	"cmp"
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// encode returns a value as TOML. Hashes are masked. A date that is not set has no form in TOML
// and becomes "".
func encode(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Date:
		return string(x)
	case Hash:
		return quote(x.String())
	case Size:
		return encodeSize(x)
	case Rate:
		return encodeSize(Size(x))
	case Count:
		return x.encode()
	case Permissions:
		if x.preset() != "" {
			return quote(x.String())
		}
		return encode(reflect.ValueOf(x.Words()))
	case map[netip.Addr]string:
		return encodeAddresses(x)
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			panic(err) // no type of this package returns an error
		}
		return quote(string(text))
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = encode(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// encodeSize returns a size as TOML: a number if it has no unit, else a string.
func encodeSize(s Size) string {
	text := s.String()
	if strings.Trim(text, "0123456789") == "" {
		return text
	}
	return quote(text)
}

func encodeAddresses(m map[netip.Addr]string) string {
	var pairs []string
	for addr, to := range m {
		pairs = append(pairs, quote(addr.String())+" = "+quote(to))
	}
	slices.SortFunc(pairs, cmp.Compare[string])
	if len(pairs) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

// quote returns s as a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case isControl(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
