package config

import (
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Keys that the documents contain, in a sentence as `log.level` or in a block of TOML, are keys of
// the configuration.
func TestDocumentsNameKeysThatExist(t *testing.T) {
	keys := allKeys()
	files, _ := filepath.Glob("../../docs/*.md")
	named := 0
	for _, file := range append(files, "../../README.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, key := range keysIn(line) {
				named++
				matches := func(k string) bool { ok, _ := path.Match(key, k); return ok }
				if !slices.ContainsFunc(keys, matches) {
					t.Errorf("%s:%d: there is no key %s", file, i+1, key)
				}
			}
		}
		blocks := regexp.MustCompile(`(?m)(^    +[^ ].*\n|^\n)+`)
		for _, block := range blocks.FindAllString(string(text), -1) {
			if !regexp.MustCompile(`(?m)^ *\[+[a-z.]+\]+$`).MatchString(block) {
				continue
			}
			named++
			const hash = "$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
			s := inspectText(t, strings.ReplaceAll(block, "$…", hash))
			for _, p := range s.Problems.Errors() {
				t.Errorf("%s: %s:%s", file, p, block)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d keys were found: this test misses keys", named)
	}
}

var keyInSentence = regexp.MustCompile("`" + `([a-z]+(?:\.[a-z_*]+)+)`)

// keysIn returns the keys in a line of prose, which begin with the name of a table.
func keysIn(line string) []string {
	var found []string
	for _, m := range keyInSentence.FindAllStringSubmatch(line, -1) {
		table, rest, _ := strings.Cut(m[1], ".")
		isFile := slices.Contains([]string{"go", "md", "toml"}, rest)
		if slices.Contains(keysOf(reflect.TypeFor[Config]()), table) && !isFile {
			found = append(found, m[1])
		}
	}
	return found
}

// allKeys returns the keys of all tables, as "log.level" or "user.rule.path".
func allKeys() []string {
	var all []string
	var walk func(typ reflect.Type, prefix string)
	walk = func(typ reflect.Type, prefix string) {
		for _, f := range fieldsOf(typ) {
			all = append(all, prefix+f.key)
			if isTableList(f.typ) {
				walk(f.typ.Elem(), prefix+f.key+".")
			} else if isTable(f.typ) {
				walk(f.typ, prefix+f.key+".")
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return all
}
