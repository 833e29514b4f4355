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

// The schema is held against the loader: what the loader takes, the schema takes. Here it is read by a small reader of JSON schema,
// which knows the words that the schema uses and no other; TestTaplo of the system tests runs a real one.

// refusals are what a schema has against a value.
func refusals(s map[string]any, v any, at string) (found []string) {
	no := func(format string, args ...any) { found = append(found, at+": "+fmt.Sprintf(format, args...)) }
	for word, arg := range s {
		switch word {
		case "$schema", "title", "description", "default", "additionalProperties": // the last is read with properties
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
				found = append(found, refusals(arg.(map[string]any), item, item0(at, i))...)
			}
		case "oneOf":
			taken := 0
			for _, s := range arg.([]any) {
				if len(refusals(s.(map[string]any), v, at)) == 0 {
					taken++
				}
			}
			if taken != 1 {
				no("%v is taken by %d of oneOf", v, taken)
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
		case "properties":
		default:
			panic("this test does not know " + word)
		}
	}
	return append(found, refusedKeys(s, v, at)...)
}

// refusedKeys are refusals of the keys of a table and their values.
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

func item0(at string, i int) string { return fmt.Sprintf("%s[%d]", at, i) }

// isType knows the types of JSON that the schema uses, and what the TOML decoder makes of them.
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

// asList is an array, of tables or of values.
func asList(v any) []any {
	list, _ := v.([]any)
	if tables, ok := v.([]map[string]any); ok {
		for _, table := range tables {
			list = append(list, table)
		}
	}
	return list
}

// withoutDates writes dates as editors hand them over.
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

// refusedBySchema are the refusals of a file's text, which is TOML.
func refusedBySchema(t *testing.T, text string) []string {
	t.Helper()
	var schema, values map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if _, err := toml.Decode(withoutMarks(text), &values); err != nil {
		t.Fatal(err)
	}
	return refusals(schema, withoutDates(values), "")
}

// Every file of the stories that has no errors, or none but keys that are not supported yet, passes.
func TestSchemaTakesWhatIsRight(t *testing.T) {
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
		t.Errorf("only %d files are right", passed)
	}
}

// refusedByLoader are the errors of a file, but for what is not supported yet.
func refusedByLoader(t *testing.T, text string) Problems {
	t.Helper()
	return slices.DeleteFunc(inspectText(t, text).Problems.Errors(), func(p Problem) bool { return strings.HasPrefix(p.Text, notSupported) })
}

// Mistakes of each kind are refused, and by the loader too.
func TestSchemaRefusesMistakes(t *testing.T) {
	for _, text := range []string{
		`limits.idle_timout = "5m"`, `limits = 3`, `nosuch = 1`, `limits.idle_timeout = 5`, `limits.idle_timeout = "5"`, `limits.idle_timeout = "-5m"`,
		`limits.max_sessions = -1`, `auth.min_uid = 0`, `auth.max_attempts = "3"`, `auth.backend = "linux"`, `auth.deny = "root"`, `auth.deny = [1]`,
		`defaults.umask = 18`, `defaults.umask = "999"`, `defaults.permissions = "all"`, `defaults.permissions = ["full"]`, `defaults.permissions = 3`,
		`defaults.max_file_size = -1`, `defaults.max_file_size = "10 apples"`, `defaults.confine = "yes"`, `defaults.allow_from = ["home"]`,
		`server.listen = ["localhost:21"]`, `server.listen = [21]`, `data.passive_ports = "many"`, `nat.public_addresses = { "here" = "1.2.3.4" }`,
		`nat.public_addresses = { "10.0.0.5" = 3 }`, `[user]`, `[[limits]]`, `[[user]]`, "[[user]]\nname = \"a\"\n[[user.rule]]\npath = \"/x\"",
		"[[group]]\nname = \"a\"\npassword = \"x\"", "[[user]]\nname = \"a\"\npassword = \"secret\"", "[[user]]\nname = \"a\"\nexpires = \"never\"",
		"[[hook]]\non = [\"upload\"]", "[[hook]]\ncommand = [\"/x\"]", "[[host]]\nbanner = \"\"", "[[site]]\nname = \"X\"\ncommand = [\"/x\"]",
		"[[group]]\nname = \"a\"\n[[group.mount]]\npath = \"/x\"",
	} {
		if len(refusedBySchema(t, text)) == 0 {
			t.Errorf("%s: the schema takes it", text)
		}
		if len(refusedByLoader(t, text)) == 0 {
			t.Errorf("%s: the loader takes it", text)
		}
	}
}

// What a type reads, its pattern takes: every spelling of every value.
func FuzzSchemaTakesWhatTypesRead(f *testing.F) {
	types := []reflect.Type{reflect.TypeFor[Duration](), reflect.TypeFor[Size](), reflect.TypeFor[Mode](), reflect.TypeFor[Hash](),
		reflect.TypeFor[PortRange](), reflect.TypeFor[Address](), reflect.TypeFor[Network](), reflect.TypeFor[Permissions](), reflect.TypeFor[Backend]()}
	for _, text := range []string{"1h30m", "+.5s", "-0s", "0", "1.5 MiB", "10kb", " 7 ", "022", "1 - 2", "[::1%lo]:21", ":21", "::ffff:1.2.3.4", "10.0.0.0/8", "full", "unix"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool { return r == '\v' || r > '~' && r != 'µ' && r != 'μ' }) {
			t.Skip() // what is white space beyond ASCII is another question for each reader of patterns
		}
		for _, typ := range types {
			v := reflect.New(typ).Elem()
			var schema map[string]any
			encoded, _ := json.Marshal(valueNode(typ))
			if err := json.Unmarshal(encoded, &schema); err != nil {
				t.Fatal(err)
			}
			if assign(v, text, text) == nil && text != "" && len(refusals(schema, text, typ.Name())) > 0 {
				t.Errorf("%s reads %q, which the schema refuses", typ, text)
			}
		}
	})
}
