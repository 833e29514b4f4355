package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// These tests compare the schema with the loader: the schema must accept every file that the
// loader accepts. They use a small validator, which implements the words of JSON schema that the
// schema contains. TestTaplo of the system tests uses a complete validator.

// refusals returns the errors that a schema finds in a value.
func refusals(s map[string]any, v any, at string) (found []string) {
	no := func(format string,
		args ...any) {
		found = append(found, at+": "+fmt.Sprintf(format, args...))
	}
	for word, arg := range s {
		switch word {
		case "$schema", "title", "description", "default":
		case "properties", "additionalProperties": // see refusedKeys
		case "type":
			if !isType(v, arg.(string)) {
				no("not a %s: %v", arg, v)
			}
		case "enum":
			if !slices.ContainsFunc(arg.([]any), func(a any) bool { return a == v }) {
				no("%v is none of %v", v, arg)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(text) {
				no("%q does not match %s", text, arg)
			}
		case "minimum":
			if n, ok := v.(int64); ok && float64(n) < arg.(float64) {
				no("%d is less than %v", n, arg)
			}
		case "maximum":
			if n, ok := v.(int64); ok && float64(n) > arg.(float64) {
				no("%d is more than %v", n, arg)
			}
		case "items":
			for i, item := range asList(v) {
				found = append(found,
					refusals(arg.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "oneOf":
			accepting := 0
			for _, s := range arg.([]any) {
				if len(refusals(s.(map[string]any), v, at)) == 0 {
					accepting++
				}
			}
			if accepting != 1 {
				no("%v is accepted by %d of oneOf", v, accepting)
			}
		case "required":
			for _, key := range arg.([]any) {
				if table, ok := v.(map[string]any); ok && table[key.(string)] == nil {
					no("%s is missing", key)
				}
			}
		case "propertyNames":
			table, _ := v.(map[string]any)
			for key := range table {
				found = append(found, refusals(arg.(map[string]any), key, at)...)
			}
		default:
			panic("the validator of this test lacks " + word)
		}
	}
	return append(found, refusedKeys(s, v, at)...)
}

// refusedKeys returns the errors in the keys and values of a table.
func refusedKeys(s map[string]any, v any, at string) (found []string) {
	table, _ := v.(map[string]any)
	known, _ := s["properties"].(map[string]any)
	for key, value := range table {
		if below, ok := known[key].(map[string]any); ok {
			found = append(found, refusals(below, value, at+"."+key)...)
		} else if others, ok := s["additionalProperties"].(map[string]any); ok {
			found = append(found, refusals(others, value, at+"."+key)...)
		} else if s["additionalProperties"] == false {
			found = append(found, at+"."+key+": unknown")
		}
	}
	return found
}

// isType reports whether a value of the TOML decoder has a type of JSON.
func isType(v any, name string) bool {
	switch v.(type) {
	case string:
		return name == "string"
	case int64:
		return name == "integer"
	case bool:
		return name == "boolean"
	case []any, []map[string]any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}

// asList returns an array of tables or values as an array of values.
func asList(v any) []any {
	list, _ := v.([]any)
	if tables, ok := v.([]map[string]any); ok {
		for _, table := range tables {
			list = append(list, table)
		}
	}
	return list
}

// withoutDates replaces dates by strings, as editors do.
func withoutDates(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.DateOnly)
	case map[string]any:
		for key, value := range v {
			v[key] = withoutDates(value)
		}
	case []any, []map[string]any:
		list := asList(v)
		for i := range list {
			list[i] = withoutDates(list[i])
		}
		return list
	}
	return v
}

// refusedBySchema returns the errors that the schema finds in the text of a file, which is TOML.
func refusedBySchema(t *testing.T, text string) []string {
	t.Helper()
	var schema, values map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if _, err := toml.Decode(trimByteOrderMarks(text), &values); err != nil {
		t.Fatal(err)
	}
	return refusals(schema, withoutDates(values), "")
}

// The schema accepts every file of the stories that has no errors, apart from unsupported keys.
func TestSchemaAcceptsValidFiles(t *testing.T) {
	stories, _ := filepath.Glob("testdata/*.txt")
	passed := 0
	for _, story := range stories {
		text, err := os.ReadFile(story)
		if err != nil {
			t.Fatal(err)
		}
		_, sections := split(string(text))
		for _, sec := range sections {
			if !strings.HasSuffix(sec.name, ".toml") || len(refusedByLoader(t, sec.text)) > 0 {
				continue
			}
			passed++
			for _, refusal := range refusedBySchema(t, sec.text) {
				t.Errorf("%s, %s: %s", story, sec.name, refusal)
			}
		}
	}
	if passed < 10 {
		t.Errorf("only %d files are valid", passed)
	}
}

// refusedByLoader returns the errors that the loader finds in the text of a file, without those
// about unsupported keys.
func refusedByLoader(t *testing.T, text string) Problems {
	t.Helper()
	return slices.DeleteFunc(inspectText(t, text).Problems.Errors(), func(p Problem) bool {
		return strings.HasPrefix(p.Text, notSupported)
	})
}

// The schema and the loader refuse mistakes of each kind.
func TestSchemaRefusesMistakes(t *testing.T) {
	for _, text := range []string{
		`limits.idle_timout = "5m"`, `limits = 3`, `nosuch = 1`, `limits.idle_timeout = 5`,
		`limits.idle_timeout = "5"`, `limits.idle_timeout = "-5m"`,
		`limits.max_sessions = -1`, `auth.min_uid = 0`, `auth.max_attempts = "3"`,
		`auth.backend = "linux"`, `auth.deny = "root"`, `auth.deny = [1]`,
		`defaults.umask = 18`, `defaults.umask = "999"`, `defaults.permissions = "all"`,
		`defaults.permissions = ["full"]`, `defaults.permissions = 3`,
		`defaults.max_file_size = -1`, `defaults.max_file_size = "10 apples"`,
		`defaults.confine = "yes"`, `defaults.allow_from = ["home"]`,
		`server.listen = ["localhost:21"]`, `server.listen = [21]`, `data.passive_ports = "many"`,
		`nat.public_addresses = { "here" = "1.2.3.4" }`,
		`nat.public_addresses = { "10.0.0.5" = 3 }`, `[user]`, `[[limits]]`, `[[user]]`,
		"[[user]]\nname = \"a\"\n[[user.rule]]\npath = \"/x\"",
		"[[group]]\nname = \"a\"\npassword = \"x\"",
		"[[user]]\nname = \"a\"\npassword = \"secret\"",
		"[[user]]\nname = \"a\"\nexpires = \"never\"",
		"[[hook]]\non = [\"upload\"]", "[[hook]]\ncommand = [\"/x\"]", "[[host]]\nbanner = \"\"",
		"[[site]]\nname = \"X\"\ncommand = [\"/x\"]",
		"[[group]]\nname = \"a\"\n[[group.mount]]\npath = \"/x\"",
	} {
		if len(refusedBySchema(t, text)) == 0 {
			t.Errorf("%s: the schema accepts it", text)
		}
		if len(refusedByLoader(t, text)) == 0 {
			t.Errorf("%s: the loader accepts it", text)
		}
	}
}

// The pattern of a type accepts every text that the type reads.
func FuzzSchemaTakesWhatTypesRead(f *testing.F) {
	types := []reflect.Type{reflect.TypeFor[Duration](), reflect.TypeFor[Size](),
		reflect.TypeFor[Mode](), reflect.TypeFor[Hash](),
		reflect.TypeFor[PortRange](), reflect.TypeFor[Address](), reflect.TypeFor[Network](),
		reflect.TypeFor[Permissions](), reflect.TypeFor[Backend]()}
	for _, text := range []string{"1h30m", "+.5s", "-0s", "0", "1.5 MiB", "10kb", " 7 ", "022",
		"1 - 2", "[::1%lo]:21", ":21", "::ffff:1.2.3.4", "10.0.0.0/8", "full", "unix"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text,
			func(r rune) bool { return r == '\v' || r > '~' && r != 'µ' && r != 'μ' }) {
			t.Skip() // implementations of patterns differ about white space beyond ASCII
		}
		for _, typ := range types {
			v := reflect.New(typ).Elem()
			var schema map[string]any
			encoded, _ := json.Marshal(valueNode(typ))
			if err := json.Unmarshal(encoded, &schema); err != nil {
				t.Fatal(err)
			}
			if assign(v, text, text) == nil && text != "" &&
				len(refusals(schema, text, typ.Name())) > 0 {
				t.Errorf("%s reads %q, but the schema refuses it", typ, text)
			}
		}
	})
}
