package config

import (
	"reflect"
	"strings"
	"testing"
)

// Every key has a description, a type and an example, which is valid and not the default.
func TestEveryKeyIsExplained(t *testing.T) {
	for _, id := range allKeys() {
		found := Explain(id)
		if len(found) != 1 || found[0].id() != id || len(found[0].Doc) == 0 ||
			found[0].Doc[0] == "" {
			t.Errorf("%s: %+v", id, found)
			continue
		}
		e := found[0]
		if e.Type == "" {
			if len(e.Keys) == 0 {
				t.Errorf("%s has no keys", id)
			}
			continue
		}
		text := strings.ReplaceAll(e.Example, "$…", "$"+strings.Repeat("x", 53))
		table, key := cutLast(id)
		at := key
		if outer, _ := cutLast(table); outer != "" { // a [[user.rule]] is in a [[user]]
			text = "[[" + outer + "]]\n" + text
			at = outer + "[0]." + strings.TrimPrefix(table, outer+".") + "[0]." + key
		} else if isListOf(table) {
			at = table + "[0]." + key
		} else if table != "" {
			at = table + "." + key
		}
		s := inspectText(t, text)
		if !s.given(at) || s.failed[at] {
			t.Errorf("%s: the example %q: %v", id, text, s.Problems)
		}
		got, _ := lookUp(reflect.ValueOf(s.Config).Elem(), at)
		if standard, ok := lookUp(reflect.ValueOf(Default()).Elem(), at); ok &&
			encode(got) == encode(standard) {
			t.Errorf("%s: the example is the default: %s", id, text)
		}
	}
}

func TestExplainFindsNames(t *testing.T) {
	for word, want := range map[string]string{
		"limits":              "[limits]",
		"[limits]":            "[limits]",
		"[[user.rule]]":       "[[user.rule]]",
		"limits.idle_timeout": "limits.idle_timeout",
		"idle_timeout":        "limits.idle_timeout",
		"umask":               "defaults.umask",
		"group.umask":         "group.umask",
		"disabled":            "user.disabled",
		"max_sessions":        "defaults.max_sessions limits.max_sessions",
		"key":                 "tls.key host.key",
		"include":             "include",
		"idle_timout":         "",
		"":                    "",
		"[]":                  "",
	} {
		var names []string
		for _, e := range Explain(word) {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
