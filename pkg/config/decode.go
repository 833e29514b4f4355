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

// The decoder goes through a file key by key, so that one mistake hides no other. Each key has an id: its name in the file, with the
// index of each [[table]] and each item: "user[0].rule[1].path".

type decoder struct {
	*Source
	file   string
	main   bool         // include may stand here
	octals map[int]bool // offsets of numbers with leading zeroes
}

// An octal is a number with leading zeroes, as it was typed.
type octal string

// table reads the keys of a table into a struct.
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

// inOrder are the keys in the order of the file.
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
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(line(a)-line(b), strings.Compare(a, b)) })
	return keys
}

// key reads one key of a table.
func (d *decoder) key(dst reflect.Value, v any, e *entry, id string) {
	switch {
	case isTable(dst.Type()):
		values, ok := v.(map[string]any)
		if !ok {
			d.wrong(id, e, cmp.Or(madeList(id, v), wrongType("a table", v)))
			return
		}
		if !d.given(id) {
			d.at[id] = Position{File: d.file, Line: e.line}
		}
		d.table(dst, values, e, id+".")
	case isTableList(dst.Type()):
		d.list(dst, v, e, id)
	case id == "include" && !d.main:
		d.wrong(id, e, errors.New("only the main file may include others"))
	case d.mark(id, e):
		d.value(dst, v, e, id)
	}
}

// madeList is the error of [[server]], or nil.
func madeList(id string, v any) error {
	if _, ok := v.([]map[string]any); ok {
		return fmt.Errorf("there is one such table: write [%s]", keyOf(id))
	}
	return nil
}

// mark remembers where a value was written. One that another file has set already is refused.
func (d *decoder) mark(id string, e *entry) bool {
	before, twice := d.at[id]
	if !twice {
		d.at[id] = Position{File: d.file, Line: e.line}
		return true
	}
	d.Problems = append(d.Problems, Problem{
		File: d.file, Line: e.line, Key: keyOf(id), Text: fmt.Sprintf("already set at %s", before),
	})
	return false
}

// list reads the items of a [[table]] and adds them to those of earlier files.
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
		d.wrong(id, e, fmt.Errorf("there may be several such tables: write [[%s]]", keyOf(id)))
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
		begin(item)
		d.table(item, values, place, itemID+".")
		finish(item, values)
		dst.Set(reflect.Append(dst, item))
	}
}

// begin sets what an item holds before its keys are read.
func begin(item reflect.Value) {
	switch item := item.Addr().Interface().(type) {
	case *Hook:
		*item = defaultHook()
	case *Site:
		*item = defaultSite()
	}
}

// finish records which keys the file gave, where later settings depend on it.
func finish(item reflect.Value, values map[string]any) {
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

// settingsIn are the keys that an Override counts as set.
func settingsIn(values map[string]any) []string {
	return slices.DeleteFunc(append(keysOf(reflect.TypeFor[Settings]()), "disabled", "expires"), func(key string) bool {
		_, given := values[key]
		return !given
	})
}

// value reads a value. Items of arrays are told with their own line.
func (d *decoder) value(dst reflect.Value, v any, e *entry, id string) {
	if d.octals[e.start] {
		v = octal(e.raw[1 : len(e.raw)-1])
	}
	_, reads := dst.Addr().Interface().(tomlValue)
	if dst.Kind() != reflect.Slice || reads {
		d.wrong(id, e, assign(dst, v, e.raw))
		return
	}
	items, ok := v.([]any)
	if text, isText := v.(string); isText {
		d.wrong(id, e, fmt.Errorf("wrong type: an array is needed: [%s]", quote(text)))
		return
	}
	if !ok {
		d.wrong(id, e, wrongType("an array of strings such as [\"a\", \"b\"]", v))
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
			d.failed[id], d.told[id] = true, true
		}
	}
	if len(items) == 0 {
		out = reflect.Zero(dst.Type()) // one form for "none"
	}
	dst.Set(out)
}

// wrong tells of an error, if there is one.
func (d *decoder) wrong(id string, e *entry, err error) {
	if err != nil {
		d.Problems = append(d.Problems, Problem{File: d.file, Line: e.line, Key: keyOf(id), Text: err.Error()})
		d.failed[id], d.told[id] = true, true
	}
}

// assign sets a variable to a value of TOML.
func assign(dst reflect.Value, v any, raw string) error {
	if zeroes, ok := v.(octal); ok && dst.Kind() == reflect.Int {
		return fmt.Errorf("a number has no leading zeroes: write %s", strings.TrimLeft(string(zeroes), "+0"))
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
		panic("config: no way to read " + dst.Type().String())
	}
	return nil
}

// assignAddresses reads a table from addresses to text.
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

// wrongType says what is needed and what was found.
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

// unknown tells of a key that there is not, and what may have been meant.
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
	d.Problems = append(d.Problems, Problem{File: d.file, Line: e.line, Key: keyOf(id), Text: text})
}

// findKey looks for a key in a table and all tables below it, and gives it as users write it: "idle_timeout" in the same table,
// "limits.idle_timeout" in another, "[limits]" or "[[user]]" for a table. It gives "" when there is none.
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
