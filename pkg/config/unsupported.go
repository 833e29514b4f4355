package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// notYet are the keys that the service does not honour yet, with the values besides the default that it does honour. A key of
// [defaults] stands for that of [[group]] and [[user]] too. A key is honoured when its line here is gone.
var notYet = map[string][]string{
	"server.sandbox": {"auto", "off"},

	"auth.backend":     {"unix", "virtual"},
	"auth.pam_session": nil,

	"files.atomic_uploads": nil,
	"files.sync_uploads":   nil,
	"files.publish":        nil,

	"admin.metrics": nil,

	"hook": nil,
	"site": nil,
}

// notSupported begins what is said of a key that is not honoured yet.
const notSupported = "not supported yet"

// checkSupported refuses each key of notYet that is set to a value that is not honoured, and each [[table]]. Nothing is ever ignored.
func (s *Source) checkSupported() {
	for id := range s.at {
		key := supportKey(keyOf(id))
		honoured, listed := notYet[key]
		value, found := lookUp(reflect.ValueOf(s.Config).Elem(), id)
		if !listed || !found || s.failed[id] {
			continue
		}
		isItem := strings.HasSuffix(id, "]")
		if isItem && isTable(value.Type()) || !isItem && !isDefault(key, value, honoured) {
			s.problem(id, "%s%s", notSupported, only(honoured))
		}
	}
}

// supportKey is the key that stands in notYet for one of [[group]] or [[user]].
func supportKey(key string) string {
	table, rest, _ := strings.Cut(key, ".")
	if (table == "group" || table == "user") && slices.Contains(keysOf(reflect.TypeFor[Settings]()), rest) {
		return "defaults." + rest
	}
	return key
}

// isDefault says whether a value is the default of its key, or one of those that are honoured.
func isDefault(key string, value reflect.Value, honoured []string) bool {
	text := fmt.Sprint(value.Interface())
	if slices.Contains(honoured, text) {
		return true
	}
	if standard, ok := lookUp(reflect.ValueOf(Default()).Elem(), key); ok {
		if standard.Kind() == reflect.Slice || standard.Kind() == reflect.Map {
			return standard.Len() == 0 && value.Len() == 0 || reflect.DeepEqual(value.Interface(), standard.Interface())
		}
		return value.Equal(standard)
	}
	return value.IsZero()
}

// only names the values that are honoured.
func only(honoured []string) string {
	if len(honoured) == 0 {
		return ""
	}
	return "; what is: " + strings.Join(quoted(honoured), ", ")
}

// quoted puts the values into quotes, as they stand in a file.
func quoted(values []string) []string {
	out := slices.Clone(values)
	for i, v := range out {
		out[i] = `"` + v + `"`
	}
	return out
}
