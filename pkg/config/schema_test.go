package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// These tests generate ftpd.schema.json, the JSON schema of a configuration file, from the
// structs, their comments and Default. `go generate ./pkg/config` writes the file. The schema is
// as strict as patterns and bounds can be, and accepts everything that Inspect accepts.

const schemaFile = "ftpd.schema.json"

// required are the keys without which a [[table]] is refused.
var required = map[string][]string{
	"group":      {"name"},
	"user":       {"name"},
	"user.rule":  {"path", "permissions"},
	"user.mount": {"path", "directory"},
	"hook":       {"on", "command"},
	"site":       {"name", "command", "permission"},
	"host":       {"name"},
}

func TestSchemaIsFresh(t *testing.T) {
	want := makeSchema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return // the new file is embedded in the next build
	}
	if !bytes.Equal(Schema(), want) {
		t.Errorf("%s is stale: go generate ./pkg/config", schemaFile)
	}
}

// A node is a piece of JSON schema.
type node map[string]any

func makeSchema(t *testing.T) []byte {
	t.Helper()
	m := &schemaMaker{docs: docs(t)}
	root := m.table(reflect.ValueOf(Default()).Elem(), "")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "The configuration of ftpd"
	root["description"] = "/etc/ftpd.toml, and each file that it includes: see ftpd.toml(5)."
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type schemaMaker struct {
	docs map[string][]string // the lines of each field's comment, by "Type.Field"
}

// table returns the node of a table with the defaults in v.
func (m *schemaMaker) table(v reflect.Value, prefix string) node {
	properties := node{}
	for _, f := range fieldsOf(v.Type()) {
		properties[f.key] = m.property(v, f, prefix+f.key)
	}
	n := node{"type": "object", "additionalProperties": false, "properties": properties}
	id := strings.TrimSuffix(prefix, ".")
	if keys, ok := required[strings.Replace(id, "group.", "user.", 1)]; ok {
		n["required"] = keys
	}
	return n
}

// property returns the node of a key of a table.
func (m *schemaMaker) property(table reflect.Value, f field, id string) node {
	var n node
	value := table.FieldByIndex(f.index)
	switch {
	case isTableList(f.typ):
		item := reflect.New(f.typ.Elem()).Elem()
		setDefaults(item)
		n = node{"type": "array", "items": m.table(item, id+".")}
	case isTable(f.typ):
		n = m.table(value, id+".")
	default:
		n = valueNode(f.typ)
		m.bound(n, id)
		if standard := jsonValue(encode(value)); !isListOf(id) && standard != nil {
			n["default"] = standard
		}
	}
	doc := slices.Concat(m.docs[owner(table.Type(), f)], support(supportKey(id)))
	n["description"] = strings.Join(doc, "\n")
	return n
}

// bound adds the bounds of a number.
func (m *schemaMaker) bound(n node, id string) {
	for _, b := range bounds {
		if b.key == supportKey(id) {
			n["minimum"], n["maximum"] = b.low, b.high
		}
	}
}

// jsonValue returns the value that the TOML text stands for, or nil if it is no value.
func jsonValue(text string) any {
	var doc map[string]any
	if _, err := toml.Decode("x = "+text, &doc); err != nil {
		return nil
	}
	return doc["x"]
}

// pattern returns the node of a string that matches a regular expression.
func pattern(form string) node { return node{"type": "string", "pattern": form} }

// valueNode returns the node of the values of a type.
func valueNode(t reflect.Type) node {
	switch reflect.Zero(t).Interface().(type) {
	case Duration:
		const number, unit = `([0-9]+(\.[0-9]*)?|\.[0-9]+)`, `(ns|us|µs|μs|ms|s|m|h)`
		return pattern(`^(\+?(` + number + unit + `)+|-((0+(\.0*)?|\.0+)` + unit + `)+|[+-]?0)$`)
	case Size, Rate:
		return node{"oneOf": []node{{"type": "integer", "minimum": 0}, pattern(sizePattern())}}
	case Count:
		return node{"oneOf": []node{
			{"type": "integer", "minimum": 0, "maximum": math.MaxInt32}, pattern(`^auto$`),
		}}
	case Mode:
		return pattern(`^[0-7]{1,4}$`)
	case Date: // editors pass dates of TOML as strings
		return pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	case Hash:
		var prefixes []string
		for _, k := range hashKinds {
			prefixes = append(prefixes, k.prefix.String())
		}
		return pattern(strings.Join(prefixes, "|"))
	case Permissions:
		words := slices.Clone(permissionWords)
		for _, p := range permissionPresets {
			words = append(words, p.name)
		}
		return node{"oneOf": []node{
			{"type": "string", "enum": words},
			{"type": "array", "items": node{"type": "string", "enum": permissionWords}},
		}}
	case PortRange:
		return pattern(`^(\s*[0-9]+\s*(-\s*[0-9]+\s*)?)?$`)
	case Address:
		return pattern(`^(([0-9.]*|\[[0-9A-Fa-f:.]+(%.+)?\]):[0-9]+)?$`)
	case Network:
		return pattern(`^[0-9A-Fa-f:.]*(/[0-9]{1,3})?$`)
	case map[netip.Addr]string:
		return node{
			"type":                 "object",
			"propertyNames":        node{"pattern": `^[0-9A-Fa-f:.]+(%.+)?$`},
			"additionalProperties": node{"type": "string"},
		}
	}
	if c, ok := reflect.Zero(t).Interface().(interface{ choices() []string }); ok {
		return node{"type": "string", "enum": c.choices()}
	}
	switch t.Kind() {
	case reflect.Slice:
		return node{"type": "array", "items": valueNode(t.Elem())}
	case reflect.Bool:
		return node{"type": "boolean"}
	case reflect.Int:
		return node{"type": "integer"}
	case reflect.String:
		return node{"type": "string"}
	}
	panic("config: no schema of " + t.String())
}

// sizePattern returns the pattern of sizes, with units in upper and lower case.
func sizePattern() string {
	var units []string
	for _, u := range sizeUnits {
		var unit strings.Builder
		for _, letter := range u.name {
			fmt.Fprintf(&unit, "[%s%s]", strings.ToUpper(string(letter)),
				strings.ToLower(string(letter)))
		}
		if u.name != "" {
			units = append(units, unit.String())
		}
	}
	return `^\s*([0-9]+\.?[0-9]*\s*(` + strings.Join(units, "|") + `)?)?\s*$`
}
