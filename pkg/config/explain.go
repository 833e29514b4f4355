package config

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// An Explanation is the text of `ftpd help` about a section or a key.
type Explanation struct {
	Name    string        // "[limits]", "[[user]]", "limits.idle_timeout"
	Doc     []string      // lines; indented lines are columns
	Type    string        // "" for a section
	Default string        // in TOML; "" if there is none
	Example string        // lines of a file; "" for a section
	Keys    []Explanation // of a section
	Note    string        // one more sentence, or ""
}

// Explain returns the sections and keys with the name word: "limits", "[[user]]",
// "limits.idle_timeout", or "idle_timeout", which may exist in several sections.
func Explain(word string) []Explanation {
	word = strings.Trim(word, "[]")
	var found []Explanation
	for _, e := range explainAll() {
		id := e.id()
		if id == word {
			return []Explanation{e} // without keys of the same name in sections
		}
		if _, key := cutLast(id); key == word && !repeated(id) {
			found = append(found, e)
		}
	}
	return found
}

// Names returns the words for which Explain has a result, without brackets.
func Names() []string {
	var names []string
	for _, e := range explainAll() {
		_, key := cutLast(e.id())
		for _, name := range []string{e.id(), key} {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func explainAll() []Explanation {
	return explainTable(reflect.ValueOf(Default()).Elem(), readSchema().Properties, "")
}

// id returns the name without brackets.
func (e Explanation) id() string { return strings.Trim(e.Name, "[]") }

// cutLast cuts an id at its last dot.
func cutLast(id string) (table, key string) {
	i := strings.LastIndexByte(id, '.')
	return id[:max(i, 0)], id[i+1:]
}

// repeated reports whether a key of [[group]] or [[user]] is also a key of [defaults], or a key
// of [[group]] is also one of [[user]].
func repeated(id string) bool {
	if supportKey(id) != id {
		return true
	}
	rest, inGroup := strings.CutPrefix(id, "group.")
	return inGroup && rest != "name"
}

// explainTable returns the explanations of all keys and tables in a table, in the order of the
// file.
func explainTable(v reflect.Value, nodes map[string]*schemaNode, prefix string) []Explanation {
	var all []Explanation
	for _, f := range fieldsOf(v.Type()) {
		id, node, value := prefix+f.key, nodes[f.key], v.FieldByIndex(f.index)
		doc := strings.Split(node.Description, "\n")
		if !isTable(f.typ) && !isTableList(f.typ) {
			all = append(all, explainKey(id, doc, value))
			continue
		}
		e := Explanation{Name: "[" + id + "]", Doc: doc}
		if isTableList(f.typ) {
			e.Name, value = "[["+id+"]]", reflect.New(f.typ.Elem()).Elem()
			setDefaults(value)
		}
		keys := explainTable(value, node.below(), id+".")
		for _, k := range keys {
			if table, _ := cutLast(k.Name); table == id {
				e.Keys = append(e.Keys, k)
			}
		}
		all = append(append(all, e), keys...)
	}
	return all
}

// explainKey returns the explanation of a key. value is its default, if it has one.
func explainKey(id string, doc []string, value reflect.Value) Explanation {
	e := Explanation{Name: id, Doc: doc, Type: typeWords(value.Type())}
	table, key := cutLast(id)
	setting := supportKey(id)
	switch {
	case setting != id:
		e.Note = "Without it, " + setting + " holds."
	case !isListOf(id) || !value.IsZero():
		e.Default = encode(value)
	}
	if table == "defaults" {
		e.Note = "Each [[group]] or [[user]] may override it."
	}
	_, rest, _ := strings.Cut(id, ".")
	e.Example = key + " = " + cmp.Or(examples[id], examples[setting], examples["user."+rest])
	switch {
	case table == "":
	case isListOf(table):
		e.Example = "[[" + table + "]]\n" + e.Example
	default:
		e.Example = "[" + table + "]\n" + e.Example
	}
	return e
}

// isListOf reports whether an id is in a table that is written [[table]].
func isListOf(id string) bool {
	top, _, _ := strings.Cut(id, ".")
	for _, f := range fieldsOf(reflect.TypeFor[Config]()) {
		if f.key == top {
			return isTableList(f.typ)
		}
	}
	return false
}

// typeWords returns a description of the values of a type.
func typeWords(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case Duration:
		return `duration: "90s", "5m", "250ms" or "1h30m"`
	case Size:
		return `size: "64KiB", "10MiB", "2GB" or a number of bytes`
	case Rate:
		return `rate, each second: "64KiB", "10MiB", "2GB" or a number of bytes`
	case Count:
		return `number, or "auto"`
	case Mode:
		return `mode: octal digits as a string, such as "022"`
	case Date:
		return "date without quotes, such as 2027-01-31"
	case Hash:
		return "hash of a password, from ftpd passwd"
	case Permissions:
		return `permissions: "read-only", "drop-box" or "full", ` +
			`or an array of words such as ["list", "read"]`
	case PortRange:
		return `range of ports: "50000-50999", or one port: "50000"`
	case Address:
		return `address and port: "[::]:21", "192.0.2.1:21" or ":21"`
	case Network:
		return `network: "10.0.0.0/8", or an address: "192.0.2.1"`
	case map[netip.Addr]string:
		return "table from addresses to addresses or names"
	}
	if c, ok := reflect.Zero(t).Interface().(interface{ choices() []string }); ok {
		return `one of "` + strings.Join(c.choices(), `", "`) + `"`
	}
	switch t.Kind() {
	case reflect.Slice:
		return "array; each item a " + strings.TrimPrefix(typeWords(t.Elem()), "a ")
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	}
	return "string"
}
