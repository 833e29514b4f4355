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

// valueTypes are the types of values that are written as text.
var valueTypes = []encoding.TextUnmarshaler{
	new(Duration), new(Size), new(Rate), new(Mode), new(Network), new(Address), new(PortRange),
	new(Permissions), new(Backend), new(Count),
	new(Sandbox), new(RequireTLS),
	new(TLSVersion), new(ClientAuth), new(SessionReuse), new(Publish), new(LogLevel),
	new(LogFormat), new(HookEvent),
}

// Any text of a value is refused in one line or accepted. An accepted value is not negative, its
// text is read as the same value, and JSON preserves it, in which it is sent to the core.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		"", "90s", "1.5h", "-1s", "9223372036854775807ns", "10MiB", "1.5 GiB",
		"9223372036854775807", "0.0000001kB", "1e3", "022", "7777",
		"10.0.0.0/8", "::ffff:10.0.0.1", "fe80::1%lo",
		":21", "[::]:0", "50000-50999", "5 - 6", "full", "list,read", "list,list", "drop-box,read",
		"auto", "login", "1.2", "json",
		"upload", "\x00", "\xff\n", " ", "µs", "1µs",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range valueTypes {
			kind := reflect.TypeOf(of).Elem()
			if value := read(t, kind, text); value.IsValid() {
				checkPreserved(t, kind, value)
			}
		}
	})
}

// checkPreserved checks that a value is not negative, and that its text and JSON preserve it.
func checkPreserved(t *testing.T, kind reflect.Type, value reflect.Value) {
	t.Helper()
	if value.Kind() == reflect.Int64 && value.Int() < 0 {
		t.Errorf("%s %v", kind, value)
	}
	if again := read(t, kind, fmt.Sprint(value)); !again.IsValid() || !again.Equal(value) {
		// The zero value of some types has no text.
		if fmt.Sprint(value) != fmt.Sprint(reflect.Zero(kind)) {
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

// read returns the value of a text. The result is not valid if the text is refused.
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

// Any text of a hash is one of the kinds and cheap enough to check, or is refused with an error
// that does not contain it.
func FuzzHashText(f *testing.F) {
	const b22, b31 = "6mqNGMJrXtIrRSDy7Uyo5e", "hEjABpsezqC5JS.LMjgjN2j9NhWK2yW"
	const b43 = "OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502"
	const argon = "$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs"
	for _, text := range []string{
		"", "plain", "$2b$12$" + b22 + b31, "$2b$31$" + b22 + b31, "$2x$10$" + b22 +
			b31, "$y$j9T$salt$" + b43, "$y$jGT$salt$" + b43,
		"$6$rounds=5000001$salt$" + b43 + b43, "$5$salt$" + b43,
		"$5$rounds=1000$$" + b43, "$argon2id$v=19$m=1048576,t=4,p=255" + argon,
		"$argon2id$v=19$m=4294967295,t=4294967295,p=1" + argon,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var h Hash
		err := h.UnmarshalText([]byte(text))
		if err == nil && text != "" && (h.Kind() == "" || string(h) != text || len(text) > 300) {
			t.Errorf("%q is accepted as %q", text, h.Kind())
		}
		showsHash := func(message string) bool {
			return len(text) > 12 && strings.Contains(text, "$") && strings.Contains(message, text)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || showsHash(err.Error())) {
			t.Errorf("%q: %v", text, err)
		}
		u := User{Password: h}
		if shown := fmt.Sprintf("%v %s %q %x %+v %#v", h, h, h, h, u, u); showsHash(shown) {
			t.Errorf("%q is shown: %s", text, shown)
		}
	})
}

// For any rules and any path, the rule with the longest path at or above it decides, and another
// spelling of the path has the same permissions.
func FuzzRights(f *testing.F) {
	for _, seed := range [][3]string{{"/in", "/in/deep", "/in/deep/x"}, {"/in", "/x", "/inbox"},
		{"/", "/a", "/a/../b"},
		{"/a/b", "/a", "//a/./b"}, {"/a", "/a", "/a/"}, {"/\xff", "/", "\xff"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, first, second, name string) {
		rules := []Rule{
			{Path: path.Clean("/" + first), Permissions: List},
			{Path: path.Clean("/" + second), Permissions: Read},
		}
		if rules[0].Path == rules[1].Path {
			return
		}
		r := NewRights(Full, rules)
		want, longest := Full, -1
		for _, rule := range rules {
			dir := strings.TrimSuffix(rule.Path, "/") + "/"
			if strings.HasPrefix(path.Clean("/"+name)+"/", dir) && len(dir) > longest {
				want, longest = rule.Permissions, len(dir)
			}
		}
		for _, spelling := range []string{name, "/" + name, "/./" + name + "/", "/x/../" + name} {
			if got := r.At(spelling); got != want {
				t.Errorf("%q with rules for %q and %q: %v, not %v", spelling, first,
					second, got, want)
			}
		}
	})
}
