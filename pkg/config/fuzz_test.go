package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"testing"
)

// valueTypes are the types whose values are written as text.
var valueTypes = []encoding.TextUnmarshaler{
	new(Duration), new(Size), new(Rate), new(Mode), new(Network), new(Address), new(PortRange), new(Permissions), new(Backend),
	new(Sandbox), new(RequireTLS),
	new(TLSVersion), new(ClientAuth), new(SessionReuse), new(Publish), new(LogLevel), new(LogFormat), new(HookEvent),
}

// Whatever the text of a value is, it is refused in one line, or taken: then it is never below zero, its text is taken for the same
// value again, and it survives JSON, in which it reaches the core.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		"", "90s", "1.5h", "-1s", "9223372036854775807ns", "10MiB", "1.5 GiB", "9223372036854775807", "0.0000001kB", "1e3", "022", "7777",
		"10.0.0.0/8", "::ffff:10.0.0.1", "fe80::1%lo",
		":21", "[::]:0", "50000-50999", "5 - 6", "full", "list,read", "list,list", "drop-box,read", "auto", "login", "1.2", "json",
		"upload", "\x00", "\xff\n", " ", "µs", "1µs",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range valueTypes {
			kind := reflect.TypeOf(of).Elem()
			if value := read(t, kind, text); value.IsValid() {
				keeps(t, kind, value)
			}
		}
	})
}

// keeps checks that a value is not below zero and survives its text and JSON.
func keeps(t *testing.T, kind reflect.Type, value reflect.Value) {
	t.Helper()
	if value.Kind() == reflect.Int64 && value.Int() < 0 {
		t.Errorf("%s %v", kind, value)
	}
	if again := read(t, kind, fmt.Sprint(value)); !again.IsValid() || !again.Equal(value) {
		if fmt.Sprint(value) != fmt.Sprint(reflect.Zero(kind)) { // the zero of some has no text
			t.Errorf("%s %v is read as %v", kind, value, again)
		}
	}
	packed, err := json.Marshal(value.Interface())
	unpacked := reflect.New(kind)
	if err == nil {
		err = json.Unmarshal(packed, unpacked.Interface())
	}
	if err != nil || !unpacked.Elem().Equal(value) {
		t.Errorf("%s %v is %s in JSON, and then %v, %v", kind, value, packed, unpacked.Elem(), err)
	}
}

// read reads the text of a value; the result is not valid when it is refused.
func read(t *testing.T, kind reflect.Type, text string) reflect.Value {
	t.Helper()
	value := reflect.New(kind)
	if err := value.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		if err.Error() == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %q: %q", kind, text, err)
		}
		return reflect.Value{}
	}
	return value.Elem()
}

// Whatever the text of a hash is, it is one of the kinds and cheap enough to check, or refused with words that do not repeat it.
func FuzzHashText(f *testing.F) {
	const b22, b31, b43 = "6mqNGMJrXtIrRSDy7Uyo5e", "hEjABpsezqC5JS.LMjgjN2j9NhWK2yW", "OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502"
	for _, text := range []string{
		"", "plain", "$2b$12$" + b22 + b31, "$2b$31$" + b22 + b31, "$2x$10$" + b22 + b31, "$y$j9T$salt$" + b43, "$y$jGT$salt$" + b43,
		"$6$rounds=5000001$salt$" + b43 + b43, "$5$salt$" + b43,
		"$5$rounds=1000$$" + b43, "$argon2id$v=19$m=1048576,t=4,p=255$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs",
		"$argon2id$v=19$m=4294967295,t=4294967295,p=1$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var h Hash
		err := h.UnmarshalText([]byte(text))
		if err == nil && text != "" && (h.Kind() == "" || string(h) != text || len(text) > 300) {
			t.Errorf("%q is taken for %q", text, h.Kind())
		}
		repeats := func(message string) bool {
			return len(text) > 12 && strings.Contains(text, "$") && strings.Contains(message, text)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || repeats(err.Error())) {
			t.Errorf("%q: %v", text, err)
		}
		u := User{Password: h}
		if shown := fmt.Sprintf("%v %s %q %x %+v %#v", h, h, h, h, u, u); repeats(shown) {
			t.Errorf("%q is shown: %s", text, shown)
		}
	})
}

// Whatever rules and a path are, the rule with the longest path at or above it decides, and a path is not escaped by writing it
// otherwise.
func FuzzRights(f *testing.F) {
	for _, seed := range [][3]string{{"/in", "/in/deep", "/in/deep/x"}, {"/in", "/x", "/inbox"}, {"/", "/a", "/a/../b"},
		{"/a/b", "/a", "//a/./b"}, {"/a", "/a", "/a/"}, {"/\xff", "/", "\xff"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, first, second, name string) {
		rules := []Rule{{Path: path.Clean("/" + first), Permissions: List}, {Path: path.Clean("/" + second), Permissions: Read}}
		if rules[0].Path == rules[1].Path {
			return
		}
		r := NewRights(Full, rules)
		want, longest := Full, -1
		for _, rule := range rules {
			if dir := strings.TrimSuffix(rule.Path, "/") + "/"; strings.HasPrefix(path.Clean("/"+name)+"/", dir) && len(dir) > longest {
				want, longest = rule.Permissions, len(dir)
			}
		}
		for _, written := range []string{name, "/" + name, "/./" + name + "/", "/x/../" + name} {
			if got := r.At(written); got != want {
				t.Errorf("%q with rules for %q and %q: %v, not %v", written, first, second, got, want)
			}
		}
	})
}
