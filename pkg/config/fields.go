package config

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// A field is one key of a table: the struct's field with its name in the file.
type field struct {
	key   string
	index []int // for reflect.Value.FieldByIndex
	typ   reflect.Type
}

// fieldsOf lists the keys of a table in the order of the struct; embedded structs count as if written out.
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

// keysOf are the names of the table's keys.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, f.key)
	}
	return keys
}

// A value that reads itself from TOML: v is what the decoder made of the text raw.
type tomlValue interface {
	decodeTOML(v any, raw string) error
}

// isTable says whether a type is a table of keys rather than a value.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isTableList says whether a type is written as [[table]].
func isTableList(t reflect.Type) bool { return t.Kind() == reflect.Slice && isTable(t.Elem()) }

// copyKeys copies the named keys from one table to another of the same type. Other names are passed over.
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

// lookUp finds what an id such as "user[0].home" leads to, from a table's value.
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
