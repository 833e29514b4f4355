package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestProblemLine(t *testing.T) {
	for want, p := range map[string]Problem{
		"/etc/ftpd.toml:12: limits.idle_timout: unknown key; did you mean idle_timeout?": {
			File: "/etc/ftpd.toml", Line: 12, Key: "limits.idle_timout",
			Text: "unknown key; did you mean idle_timeout?"},
		"f:3:9: bad":             {File: "f", Line: 3, Column: 9, Text: "bad"},
		"f: bad":                 {File: "f", Text: "bad"},
		`f:1: k\u000Al: t\u001B`: {File: "f", Line: 1, Key: "k\nl", Text: "t\x1b"},
		"f:1: warning: k: w":     {File: "f", Line: 1, Key: "k", Text: "w", Warning: true},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The name of the directory of the main file is no pattern, even if it looks like one.
func TestIncludeBesideDirectoryWithPattern(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	if err := os.MkdirAll(filepath.Join(dir, "ftpd.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ftpd.toml"), "")
	write(t, filepath.Join(dir, "ftpd.d", "x.toml"), "log.level = 'debug'")
	if s := Inspect(filepath.Join(dir, "ftpd.toml"), nil); len(s.Problems) > 0 ||
		s.Config.Log.Level != LogDebug {
		t.Errorf("%+v, %v", s.Config, s.Problems)
	}
}

// Editors on Windows may write a byte order mark first, and end lines with CR LF.
func TestByteOrderMarkAndCRLF(t *testing.T) {
	s := inspectText(t, "\ufeff[log]\r\nlevel = \"loud\"\r\n[server]\r\n"+
		"banner = \"\"\"a\r\nb\"\"\"\r\nsandbox = 1\r\n")
	if len(s.Problems) != 2 || s.Problems[0].Line != 2 || s.Problems[1].Line != 6 {
		t.Error(s.Problems)
	}
}

// Each unsupported key exists. It is refused unless it has its default, also in [[group]] and
// [[user]] if it is a key of [defaults].
func TestUnsupportedKeysAreRefused(t *testing.T) {
	for key := range unsupported {
		section, name, _ := strings.Cut(key, ".")
		sections := []string{"[" + section + "]"}
		switch {
		case name == "":
			s := inspectText(t, "[["+key+"]]\n")
			if !hasError(s.Problems, key, notSupported) {
				t.Errorf("[[%s]] is accepted: %v", key, s.Problems)
			}
			continue
		case section == "defaults":
			sections = []string{"[defaults]", "[[group]]", "[[user]]"}
		}
		for _, header := range sections {
			other := otherValue(t, key)
			s := inspectText(t, header+"\n"+name+" = "+other+"\n")
			if !hasError(s.Problems, strings.Trim(header, "[]")+"."+name, notSupported) {
				t.Errorf("%s %s = %s is accepted: %v", header, name, other, s.Problems)
			}
		}
	}
}

// otherValue returns a value of the key that is neither its default nor supported.
func otherValue(t *testing.T, key string) string {
	words := map[string]string{
		"server.sandbox": "log", "auth.backend": "windows", "defaults.require_tls": "all",
		"tls.min_version": "1.3",
		"tls.client_auth": "optional", "files.publish": "complete",
		"server.listen_tls": ":990",
	}
	root := reflect.ValueOf(Default()).Elem()
	v, ok := lookUp(root, key)
	if !ok {
		t.Fatalf("%s is no key", key)
	}
	word, known := words[key]
	switch {
	case v.Kind() == reflect.Map:
		return word
	case v.Kind() == reflect.Slice && known:
		return `["` + word + `"]`
	case known:
		return quote(word)
	case v.Kind() == reflect.Slice:
		return `["192.0.2.0"]`
	case v.Kind() == reflect.Bool:
		return map[bool]string{true: "false", false: "true"}[v.Bool()]
	case v.Kind() == reflect.Int:
		return "77"
	case v.Type() == reflect.TypeFor[Duration]():
		return `"77s"`
	case v.Kind() == reflect.Int64:
		return `"77KiB"`
	}
	return `"/other"`
}

// hasError reports whether there is an error about the key that contains the text.
func hasError(ps Problems, key, text string) bool {
	for _, p := range ps {
		if p.Key == key && strings.Contains(p.Text, text) && !p.Warning {
			return true
		}
	}
	return false
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Any file is accepted, or every problem has a file, a line and one line of text. The index has
// the same tables, keys and arrays as the decoder, at lines that exist.
func FuzzLoad(f *testing.F) {
	stories, _ := filepath.Glob("testdata/*.txt")
	for _, story := range stories {
		text, err := os.ReadFile(story)
		if err != nil {
			f.Fatal(err)
		}
		_, sections := split(string(text))
		for _, s := range sections {
			if strings.HasSuffix(s.name, ".toml") {
				f.Add(s.text)
			}
		}
	}
	for _, text := range []string{
		"", "a.b.c.d = 1\n[a.b]\nx=2\n[a]\ny=3",
		"[[a.b]]\n[a.b.c]\nd=[{e={f=1}}, {g=\"}\"}]\n[[a.b]]\n[a.b.c]\nd=2",
		"\"a\\\"b\\u00e9\\x41\" = '''\n''''' # x\n'' = 1\n",
		"a = \"\"\"x\\\"\"\"\"\"\"\nb = {c = [1, # {\n2,], }\n",
		"\ufeffa=1\r\n", "\ufeff\xff\xfea=1", "x=-01\ny=[07,{z=08}]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := inspectAs(text, testAccounts{})
		lines := strings.Count(text, "\n") + 1
		for _, p := range s.Problems.arrange(s.Files) {
			if p.Line < 1 || p.Line > lines || p.File != "ftpd.toml" ||
				strings.ContainsFunc(p.String(), isControl) {
				t.Errorf("%q: %+v", text, p)
			}
		}
		if len(s.Problems.Errors()) == 0 {
			checkRoundTrip(t, text, s)
		}
		values, root, _, problem := parse(text)
		if problem == nil {
			checkIndex(t, text, values, root, lines)
		}
		var decoded map[string]any
		_, err := toml.Decode(text, &decoded)
		if err == nil && problem != nil && !strings.Contains(problem.Text, "as a table") {
			t.Errorf("%q is refused: %v", text, problem)
		}
	})
}

// checkRoundTrip checks that JSON preserves a configuration without errors, in which it is sent
// to the core. It also checks that the shown configuration is read as the same one, unless it
// has hashes, which are not shown.
func checkRoundTrip(t *testing.T, text string, s *Source) {
	t.Helper()
	packed, err := json.Marshal(s.Config)
	unpacked := new(Config)
	if err == nil {
		err = json.Unmarshal(packed, unpacked)
	}
	if again, _ := json.Marshal(unpacked); err != nil || string(again) != string(packed) {
		t.Errorf("%q is %s in JSON, and then %s, %v", text, packed, again, err)
	}
	if strings.Contains(string(packed), "$") {
		return
	}
	var shown strings.Builder
	if err := s.Show(&shown, true); err != nil {
		t.Errorf("%q is not shown: %v", text, err)
	}
	// The shown text sets the accounts that are defaults. They may be missing, so no account is
	// looked up.
	again := inspectAs(shown.String(), nil)
	got, _ := json.Marshal(again.Config)
	if errs := again.Problems.Errors(); len(errs) > 0 || string(got) != string(packed) {
		t.Errorf("%q is shown as\n%s\n%v\n%s\n%s", text, shown.String(), errs, packed, got)
	}
}

// inspectAs inspects text as if it were the text of the main file.
func inspectAs(text string, accounts Accounts) *Source {
	s := newSource()
	s.Files = []string{"ftpd.toml"}
	s.text("ftpd.toml", text, true)
	s.check()
	s.checkAccounts(accounts)
	s.checkSupported()
	return s
}

// checkIndex checks that an entry has the structure of a value, and lines that exist.
func checkIndex(t *testing.T, text string, v any, e *entry, lines int) {
	if e == nil || e.line < 1 || e.line > lines {
		t.Fatalf("%q: no place for %v", text, v)
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) != len(e.keys) {
			t.Fatalf("%q: keys %v are indexed as %v", text, v, e.keys)
		}
		for key, value := range v {
			checkIndex(t, text, value, e.keys[key], lines)
		}
	case []map[string]any:
		if len(v) != len(e.items) {
			t.Fatalf("%q: %d tables are indexed as %d", text, len(v), len(e.items))
		}
		for i := range v {
			checkIndex(t, text, v[i], e.items[i], lines)
		}
	case []any:
		if len(v) != len(e.items) {
			t.Fatalf("%q: %d items are indexed as %d", text, len(v), len(e.items))
		}
		for i := range v {
			checkIndex(t, text, v[i], e.items[i], lines)
		}
	}
}
