package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A decoder stores the keys of one file in the configuration. It decodes key by key, so that one
// mistake does not hide others. Each key has an id: its name with the index of each [[table]]
// and each item, such as "user[0].rule[1].path".
type decoder struct {
	*Source
	file   string
	main   bool         // the main file, which may contain include
	octals map[int]bool // offsets of numbers with leading zeroes
}

// An octal is the text of a number with leading zeroes.
type octal string

// table stores the keys of a table in a struct.
func (d *decoder) table(dst reflect.Value, values map[string]any, e *entry, prefix string) {
	fields := fieldsOf(dst.Type())
	for _, key := range inOrder(values, e) {
		id, place := prefix+key, e.keys[key]
		if place == nil {
			place = e
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			d.unknown(dst.Type(), key, id, place)
			continue
		}
		f := fields[i]
		d.key(dst.FieldByIndex(f.index), values[key], place, id)
	}
}

// inOrder returns the keys in the order of the file.
func inOrder(values map[string]any, e *entry) []string {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	line := func(k string) int {
		if e.keys[k] == nil {
			return e.line
		}
		return e.keys[k].line
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(line(a)-line(b), strings.Compare(a, b))
	})
	return keys
}

// key stores one key of a table.
func (d *decoder) key(dst reflect.Value, v any, e *entry, id string) {
	switch {
	case isTable(dst.Type()):
		values, ok := v.(map[string]any)
		if !ok {
			d.fail(id, e, cmp.Or(notRepeated(id, v), wrongType("a table", v)))
			return
		}
		if !d.given(id) {
			d.at[id] = Position{File: d.file, Line: e.line}
		}
		d.table(dst, values, e, id+".")
	case isTableList(dst.Type()):
		d.list(dst, v, e, id)
	case id == "include" && !d.main:
		d.fail(id, e, errors.New("only the main file may include others"))
	case d.setPosition(id, e):
		d.value(dst, v, e, id)
	}
}

// notRepeated returns the error for a table that is written as [[table]] but must be [table], or
// nil if v is no such table.
func notRepeated(id string, v any) error {
	if _, ok := v.([]map[string]any); ok {
		return fmt.Errorf("there is one such table: write [%s]", keyOf(id))
	}
	return nil
}

// setPosition records the position of a key. It reports whether the key is new; a key that
// another file has set already is a problem.
func (d *decoder) setPosition(id string, e *entry) bool {
	first, duplicate := d.at[id]
	if !duplicate {
		d.at[id] = Position{File: d.file, Line: e.line}
		return true
	}
	d.Problems = append(d.Problems, Problem{
		File: d.file, Line: e.line, Key: keyOf(id), Text: fmt.Sprintf("already set at %s", first),
	})
	return false
}

// list adds the items of a [[table]] to those of earlier files.
func (d *decoder) list(dst reflect.Value, v any, e *entry, id string) {
	items, ok := v.([]map[string]any)
	if untyped, isArray := v.([]any); isArray {
		ok = true
		for _, item := range untyped {
			table, isTable := item.(map[string]any)
			items, ok = append(items, table), ok && isTable
		}
	}
	if !ok {
		d.fail(id, e, fmt.Errorf("there may be several such tables: write [[%s]]", keyOf(id)))
		return
	}
	for i, values := range items {
		place := e
		if i < len(e.items) {
			place = e.items[i]
		}
		itemID := fmt.Sprintf("%s[%d]", id, dst.Len())
		d.at[itemID] = Position{File: d.file, Line: place.line}
		item := reflect.New(dst.Type().Elem()).Elem()
		setDefaults(item)
		d.table(item, values, place, itemID+".")
		recordSet(item, values)
		dst.Set(reflect.Append(dst, item))
	}
}

// setDefaults sets the defaults of the keys of an item.
func setDefaults(item reflect.Value) {
	switch item := item.Addr().Interface().(type) {
	case *Hook:
		*item = defaultHook()
	case *Site:
		*item = defaultSite()
	}
}

// recordSet records in an item which of its keys the file sets, if that is of importance later.
func recordSet(item reflect.Value, values map[string]any) {
	switch item := item.Addr().Interface().(type) {
	case *Group:
		item.Set = settingsIn(values)
	case *User:
		item.Set = settingsIn(values)
	case *Mount:
		_, given := values["permissions"]
		item.Inherit = !given
	}
}

// settingsIn returns the keys for Override.Set.
func settingsIn(values map[string]any) []string {
	keys := append(keysOf(reflect.TypeFor[Settings]()), "disabled", "expires")
	return slices.DeleteFunc(keys, func(key string) bool {
		_, given := values[key]
		return !given
	})
}

// value stores a value. Problems with an item of an array have the line of the item.
func (d *decoder) value(dst reflect.Value, v any, e *entry, id string) {
	if d.octals[e.start] {
		v = octal(e.raw[1 : len(e.raw)-1])
	}
	_, decodes := dst.Addr().Interface().(tomlValue)
	if dst.Kind() != reflect.Slice || decodes {
		d.fail(id, e, assign(dst, v, e.raw))
		return
	}
	items, ok := v.([]any)
	if text, isText := v.(string); isText {
		d.fail(id, e, fmt.Errorf("wrong type: an array is needed: [%s]", quote(text)))
		return
	}
	if !ok {
		d.fail(id, e, wrongType("an array of strings such as [\"a\", \"b\"]", v))
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		place := e
		if i < len(e.items) {
			place = e.items[i]
		}
		itemID := fmt.Sprintf("%s[%d]", id, i)
		d.at[itemID] = Position{File: d.file, Line: place.line}
		d.value(out.Index(i), item, place, itemID)
		if d.failed[itemID] {
			d.failed[id], d.reported[id] = true, true
		}
	}
	if len(items) == 0 {
		out = reflect.Zero(dst.Type()) // empty arrays are nil, as in Default
	}
	dst.Set(out)
}

// fail adds err as a problem of a key that has no valid value. It does nothing if err is nil.
func (d *decoder) fail(id string, e *entry, err error) {
	if err != nil {
		d.Problems = append(d.Problems, Problem{
			File: d.file, Line: e.line, Key: keyOf(id), Text: err.Error(),
		})
		d.failed[id], d.reported[id] = true, true
	}
}

// assign sets a variable to a value of TOML.
func assign(dst reflect.Value, v any, raw string) error {
	if zeroes, ok := v.(octal); ok && dst.Kind() == reflect.Int {
		return fmt.Errorf("a number has no leading zeroes: write %s",
			strings.TrimLeft(string(zeroes), "+0"))
	}
	switch to := dst.Addr().Interface().(type) {
	case tomlValue:
		return to.decodeTOML(v, raw)
	case encoding.TextUnmarshaler:
		text, ok := v.(string)
		if !ok {
			return wrongType("a string", v)
		}
		if c, ok := dst.Interface().(interface{ choices() []string }); ok && text == "" {
			return notAmong(text, c.choices())
		}
		return to.UnmarshalText([]byte(text))
	case *string:
		text, ok := v.(string)
		if !ok {
			return wrongType("a string", v)
		}
		*to = text
	case *bool:
		on, ok := v.(bool)
		if !ok {
			return wrongType("true or false", v)
		}
		*to = on
	case *int:
		n, ok := v.(int64)
		if !ok || int64(int(n)) != n {
			return wrongType("a whole number", v)
		}
		*to = int(n)
	case *map[netip.Addr]string:
		return assignAddresses(to, v)
	default:
		panic("config: cannot decode " + dst.Type().String())
	}
	return nil
}

// assignAddresses sets a map to a table of TOML with addresses as keys.
func assignAddresses(to *map[netip.Addr]string, v any) error {
	const need = `a table such as { "10.0.0.5" = "203.0.113.7" }`
	values, ok := v.(map[string]any)
	if !ok {
		return wrongType(need, v)
	}
	*to = nil
	if len(values) > 0 {
		*to = map[netip.Addr]string{}
	}
	for key, value := range values {
		addr, err := netip.ParseAddr(key)
		text, isText := value.(string)
		switch {
		case err != nil:
			return fmt.Errorf("%q is not an IP address", key)
		case !isText:
			return wrongType("a string", value)
		}
		(*to)[addr.Unmap()] = text
	}
	return nil
}

// wrongType returns the error for a value of a wrong type.
func wrongType(need string, v any) error {
	found := "an array"
	switch v.(type) {
	case string:
		found = "a string"
	case octal:
		found = "a number with leading zeroes"
	case int64:
		found = "a number"
	case float64:
		found = "a number with a fraction"
	case bool:
		found = "true or false"
	case time.Time:
		found = "a date or time"
	case map[string]any:
		found = "a table"
	}
	return fmt.Errorf("wrong type: %s is needed, not %s", need, found)
}

// unknown reports a key that does not exist, with a suggestion if there is a similar one.
func (d *decoder) unknown(table reflect.Type, key, id string, e *entry) {
	text := "unknown key"
	if e.keys != nil || len(e.items) > 0 {
		text = "unknown table"
	}
	meant := ""
	if near := Nearest(key, keysOf(table)); near != "" {
		meant = findKey(table, near, strings.TrimSuffix(keyOf(id), key), "")
	} else {
		meant = findKey(reflect.TypeFor[Config](), key, "", "")
	}
	if meant != "" {
		text += "; did you mean " + meant + "?"
	}
	d.Problems = append(d.Problems,
		Problem{File: d.file, Line: e.line, Key: keyOf(id), Text: text})
}

// findKey looks for a key in a table and all tables below it. It returns the key as users write
// it: "idle_timeout" in the same table, "limits.idle_timeout" in another table, "[limits]" or
// "[[user]]" for a table. It returns "" if there is no such key.
func findKey(table reflect.Type, key, above, prefix string) string {
	for _, f := range fieldsOf(table) {
		below := f.typ
		switch {
		case f.key == key && isTableList(f.typ):
			return "[[" + above + prefix + key + "]]"
		case f.key == key && isTable(f.typ):
			return "[" + above + prefix + key + "]"
		case f.key == key:
			return prefix + key
		case isTableList(below):
			below = below.Elem()
		}
		if isTable(below) {
			if found := findKey(below, key, above, prefix+f.key+"."); found != "" {
				return found
			}
		}
	}
	return ""
}
