package config

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// A field is one key of a table: a field of the struct with its name in the file.
type field struct {
	key   string
	index []int // for reflect.Value.FieldByIndex
	typ   reflect.Type
}

// fieldsOf returns the keys of a table in the order of the struct, including those of embedded
// structs.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		key := f.Tag.Get("toml")
		if key == "" || key == "-" {
			continue
		}
		fields = append(fields, field{key, f.Index, f.Type})
	}
	return fields
}

// keysOf returns the names of the keys of a table.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, f.key)
	}
	return keys
}

// A tomlValue sets itself to a value of TOML. v is the value from the decoder, and raw its text
// in the file.
type tomlValue interface {
	decodeTOML(v any, raw string) error
}

// isTable reports whether a type is a table of keys rather than a value.
func isTable(t reflect.Type) bool {
	isValue := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	return t.Kind() == reflect.Struct && !isValue
}

// isTableList reports whether a type is written as [[table]].
func isTableList(t reflect.Type) bool { return t.Kind() == reflect.Slice && isTable(t.Elem()) }

// copyKeys copies the named keys from one table to another of the same type. It ignores names
// that are no keys.
func copyKeys[T any](dst, src *T, keys []string) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	named := map[string]bool{}
	for _, k := range keys {
		named[k] = true
	}
	for _, f := range fieldsOf(to.Type()) {
		if named[f.key] {
			to.FieldByIndex(f.index).Set(from.FieldByIndex(f.index))
		}
	}
}

// lookUp returns the value in a table to which an id such as "user[0].home" leads.
func lookUp(table reflect.Value, id string) (reflect.Value, bool) {
	part, rest, deeper := strings.Cut(id, ".")
	key, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
	for _, f := range fieldsOf(table.Type()) {
		if f.key != key {
			continue
		}
		v := table.FieldByIndex(f.index)
		if indexed {
			n, err := strconv.Atoi(index)
			if err != nil || n >= v.Len() {
				break
			}
			v = v.Index(n)
		}
		if !deeper {
			return v, true
		}
		if isTable(v.Type()) {
			return lookUp(v, rest)
		}
	}
	return reflect.Value{}, false
}
