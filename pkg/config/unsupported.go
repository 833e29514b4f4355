package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unsupported are the keys that the service does not support yet, with the values besides the
// default that it does support. A key of [defaults] includes the same key of [[group]] and
// [[user]]. When a key becomes supported, its line here is removed.
var unsupported = map[string][]string{
	"server.sandbox": {"auto", "off"},

	"auth.backend": {"unix", "virtual"},

	"files.atomic_uploads": nil,
	"files.sync_uploads":   nil,
	"files.publish":        nil,

	"admin.metrics": nil,

	"hook": nil,
	"site": nil,
}

// notSupported is the beginning of the error for an unsupported key.
const notSupported = "not supported yet"

// checkSupported refuses each key and each [[table]] of unsupported, unless it is set to a
// supported value. So no key in a file is ever ignored.
func (s *Source) checkSupported() {
	for id := range s.at {
		key := supportKey(keyOf(id))
		supported, listed := unsupported[key]
		value, found := lookUp(reflect.ValueOf(s.Config).Elem(), id)
		if !listed || !found || s.failed[id] {
			continue
		}
		isItem := strings.HasSuffix(id, "]")
		if isItem && isTable(value.Type()) || !isItem && !isSupported(key, value, supported) {
			s.problem(id, "%s%s", notSupported, only(supported))
		}
	}
}

// supportKey returns the key of [defaults] for a setting of [[group]] or [[user]], and any other
// key unchanged.
func supportKey(key string) string {
	table, rest, _ := strings.Cut(key, ".")
	if (table == "group" || table == "user") &&
		slices.Contains(keysOf(reflect.TypeFor[Settings]()), rest) {
		return "defaults." + rest
	}
	return key
}

// isSupported reports whether a value is the default of its key or one of the supported values.
func isSupported(key string, value reflect.Value, supported []string) bool {
	text := fmt.Sprint(value.Interface())
	if slices.Contains(supported, text) {
		return true
	}
	if standard, ok := lookUp(reflect.ValueOf(Default()).Elem(), key); ok {
		if standard.Kind() == reflect.Slice || standard.Kind() == reflect.Map {
			return standard.Len() == 0 && value.Len() == 0 ||
				reflect.DeepEqual(value.Interface(), standard.Interface())
		}
		return value.Equal(standard)
	}
	return value.IsZero()
}

// only returns the end of the error for a key with some supported values, or "".
func only(supported []string) string {
	if len(supported) == 0 {
		return ""
	}
	return "; what is: " + strings.Join(quoted(supported), ", ")
}

// quoted returns the values in quotes.
func quoted(values []string) []string {
	out := slices.Clone(values)
	for i, v := range out {
		out[i] = `"` + v + `"`
	}
	return out
}
