package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each text of a value has another text from MarshalText, or "" if it is refused.
func TestTextForms(t *testing.T) {
	for _, test := range []struct {
		value encoding.TextUnmarshaler
		forms map[string]string
	}{
		{new(Duration), map[string]string{
			"90s": "90s", "5m": "5m", "250ms": "250ms", "120s": "2m", "60m": "1h", "1h30m": "90m",
			"1.5s": "1500ms", "100us": "100µs",
			"-1s": "", "5": "", "five": "", "1d": "", "0s": "0s", "0": "0s",
		}},
		{new(Size), map[string]string{
			"0": "0", "64KiB": "64KiB", "65536": "64KiB", "10MiB": "10MiB", "2GB": "2GB",
			"1kb": "1kB", "1.5 GiB": "1536MiB", "10b": "10",
			"9223372036854775807": "9223372036854775807", "9223372036854775808": "",
			"8388608TiB": "", "8388607TiB": "8388607TiB",
			"-1": "", "10M": "", "1,5GiB": "", "KiB": "", ".": "", "1..2": "", "1e3": "",
			"0x10": "", "Inf": "", "10MiBs": "",
		}},
		{new(Rate), map[string]string{"100KiB": "100KiB", "1MB": "1MB", "1MB/s": ""}},
		{new(Count), map[string]string{
			"auto": "auto", "0": "0", "100": "100", "2147483647": "2147483647",
			"2147483648": "", "-1": "", "": "", "Auto": "", "1.5": "",
		}},
		{new(Mode),
			map[string]string{"022": "022", "22": "022", "0022": "022", "2755": "2755", "8": "",
				"00022": "", "-1": "", "0o22": ""}},
		{new(Network), map[string]string{
			"10.0.0.0/8": "10.0.0.0/8", "10.0.0.1": "10.0.0.1", "10.0.0.1/32": "10.0.0.1",
			"::1": "::1", "2001:db8::/32": "2001:db8::/32",
			"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1",
			"0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
			"10.0.0.1/8": "", "fe80::1%lo": "", "10.0.0.0/33": "", "host": "",
		}},
		{new(Address), map[string]string{
			":21": "[::]:21", "[::]:21": "[::]:21", "192.0.2.1:21": "192.0.2.1:21",
			"[fe80::1%lo]:21": "[fe80::1%lo]:21", ":0": "[::]:0",
			"21": "", "::1": "", "::1:21": "", "host:21": "", "[::]": "", ":65536": "",
		}},
		{new(PortRange), map[string]string{
			"50000-50999": "50000-50999", "50000": "50000-50000", "1-65535": "1-65535",
			"5 - 6": "5-6",
			"6-5":   "", "0-5": "", "1-65536": "", "a-b": "", "-": "", "1-2-3": "",
		}},
		{new(Permissions), map[string]string{
			"full": "full", "read-only": "read-only", "list,read": "read-only",
			"mkdir,write": "drop-box", "list": "list",
			"write,list": "list,write", "all": "", "list,": "", "list, read": "",
		}},
		{new(RequireTLS),
			map[string]string{"auto": "auto", "login": "login", "Login": "", "on": ""}},
	} {
		name := reflect.TypeOf(test.value).Elem().Name()
		for text, want := range test.forms {
			value := reflect.New(reflect.TypeOf(test.value).Elem())
			err := value.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
			if err != nil && want != "" || err == nil && fmt.Sprint(value.Elem()) != want {
				t.Errorf("%s %q is %v, %v; want %q", name, text, value.Elem(), err, want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s %q: more than one line: %v", name, text, err)
			}
		}
	}
}

func TestNetworksContain(t *testing.T) {
	var ns Networks
	text := `["10.0.0.0/8", "::1", "fe80::/10", "::ffff:192.0.2.0/120"]`
	if err := json.Unmarshal([]byte(text), &ns); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "::1": true, "::2": false,
		"fe80::1%eth0": true,
		"192.0.2.77":   true, "::ffff:192.0.2.77": true, "192.0.3.1": false,
	} {
		if got := ns.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if Networks(nil).Contains(netip.MustParseAddr("::1")) || (Networks{{}}).Contains(netip.Addr{}) {
		t.Error("no network contains an address")
	}
}

func TestHashNeverPrints(t *testing.T) {
	h := Hash("$6$salt$secret")
	user := User{Name: "bob", Password: h}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		for _, v := range []any{h, &h, user, &user, []Hash{h}, Config{Users: []User{user}}} {
			args := []any{v}
			if verb == "%T %v" {
				args = []any{v, v}
			}
			if got := fmt.Sprintf(verb, args...); strings.Contains(got, "secret") ||
				strings.Contains(got, "736563") {
				t.Errorf("%s of a %T prints %s", verb, v, got)
			}
		}
	}
	if got := fmt.Sprint(h); got != "***" {
		t.Errorf("got %s", got)
	}
}

// A hash that is complete and cheap enough to check is accepted. The error for another one does
// not contain it.
func TestHashes(t *testing.T) {
	const b22, b31 = "6mqNGMJrXtIrRSDy7Uyo5e", "hEjABpsezqC5JS.LMjgjN2j9NhWK2yW"
	const b43 = "OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502"
	const argon = "$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs"
	for _, c := range []struct{ text, kind, refused string }{
		{"$2a$04$" + b22 + b31, "bcrypt", ""}, {"$2b$16$" + b22 + b31, "bcrypt",
			""}, {"$2y$10$" + b22 + b31, "bcrypt", ""},
		{"$2b$17$" + b22 + b31, "bcrypt", "a cost of 16 at most"}, {"$2b$03$" + b22 + b31,
			"bcrypt", "damaged"},
		{"$2b$10$" + b31, "bcrypt", "damaged"}, {"$2x$10$" + b22 + b31, "", "not a password hash"},
		{"$argon2id$v=19$m=1048576,t=4,p=255" + argon, "argon2id",
			""}, {"$argon2id$v=19$m=8,t=64,p=1" + argon, "argon2id", ""},
		{"$argon2id$v=19$m=1048577,t=1,p=1" + argon, "argon2id",
			"at most"}, {"$argon2id$v=19$m=1048576,t=5,p=1" + argon, "argon2id", "at most"},
		{"$argon2id$v=19$m=8,t=65,p=1" + argon, "argon2id",
			"at most"}, {"$argon2id$v=19$m=64,t=1,p=1073741824" + argon, "argon2id", "at most"},
		{"$argon2id$v=19$m=9999999999,t=9999999999,p=1" + argon, "argon2id", "at most"},
		{"$argon2id$v=19$t=1,m=64,p=1" + argon, "argon2id",
			"damaged"}, {"$argon2id$v=19$m=64,t=1,p=1,m=4294967295" + argon, "argon2id", "damaged"},
		{"$argon2id$v=16$m=64,t=1,p=1" + argon, "argon2id",
			"damaged"}, {"$argon2i$v=19$m=64,t=1,p=1" + argon, "", "not a password hash"},
		{"$y$j75$salt$" + b43, "yescrypt", ""}, {"$y$jFT$salt$" + b43, "yescrypt", ""},
		{"$y$jGT$salt$" + b43, "yescrypt", "damaged"}, {"$y$j9U$salt$" + b43, "yescrypt",
			"damaged"}, {"$y$j9T$" + b43, "yescrypt", "damaged"},
		{"$6$salt$" + b43 + b43, "sha512-crypt", ""}, {"$6$rounds=5000000$salt$" + b43 + b43,
			"sha512-crypt", ""},
		{"$6$rounds=5000001$salt$" + b43 + b43, "sha512-crypt",
			"rounds=5000000 at most"}, {"$6$salt$" + b43, "sha512-crypt", "damaged"},
		{"$6$rounds=1000,rounds=4000000000$salt$" + b43 + b43, "sha512-crypt", "damaged"},
		{"$5$salt$" + b43, "sha256-crypt", ""}, {"$5$rounds=5000001$salt$" + b43,
			"sha256-crypt", "at most"},
		{"$5$salt$" + b43 + "\n", "sha256-crypt", "damaged"}, {"$5$salt$" + b43[1:] + "ä",
			"sha256-crypt", "damaged"},
		{"$1$s$h", "", "not a password hash"}, {"plain", "", "not a password hash"}, {"{SSHA}x", "",
			"not a password hash"}, {"!", "", "not a password hash"},
	} {
		var h Hash
		err := h.UnmarshalText([]byte(c.text))
		if c.refused == "" && err != nil || c.refused != "" &&
			(err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", c.text, err)
		}
		if kind := Hash(c.text).Kind(); kind != c.kind {
			t.Errorf("%s: %s", c.text, kind)
		}
		if err != nil && strings.Contains(err.Error(), c.text) && len(c.text) > 1 {
			t.Errorf("the error contains %s: %v", c.text, err)
		}
	}
}

func TestDateEndsAtMidnightUTC(t *testing.T) {
	day := Date("2027-01-31")
	zone := time.FixedZone("", -3600)
	for at, want := range map[time.Time]bool{
		time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC): false,
		time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC):     true,
		time.Date(2027, 1, 31, 23, 30, 0, 0, zone):      true, // half past midnight, UTC
		time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC):   false,
	} {
		if day.Over(at) != want {
			t.Errorf("%v: %v", at, !want)
		}
	}
	if Date("").Over(time.Now()) {
		t.Error("an empty date has passed")
	}
}

func TestRightsCompareComponents(t *testing.T) {
	r := NewRights(Full,
		[]Rule{{"/in", DropBox}, {"/in/deep/er", List}, {"/in/deep", ReadOnly}, {"/out/", 0}})
	for path, want := range map[string]Permissions{
		"/": Full, "/in": DropBox, "/in/": DropBox, "/inbox": Full, "/in/x": DropBox,
		"/in/deeper": DropBox, "/in/deep": ReadOnly,
		"/in/deep/er/x": List, "/in/deep/../x": DropBox, "/in/../out": 0, "/IN": Full, "/out": 0,
		"/out/x": 0, "/../in": DropBox,
	} {
		if got := r.At(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := NewRights(Full, []Rule{{"/", List}}).At("/x/y"); got != List {
		t.Errorf("a rule for the root: %s", got)
	}
}

// Every permission has exactly one word.
func TestPermissionWords(t *testing.T) {
	if got := len(Full.Words()); got != len(permissionWords) || Full != 1<<len(permissionWords)-1 {
		t.Errorf("%d words for %b", got, Full)
	}
	for i, word := range permissionWords {
		if p, err := permission(word); err != nil || p != 1<<i || p.String() != word {
			t.Errorf("%s: %v, %v", word, p, err)
		}
	}
	if !Full.Has(DropBox) || ReadOnly.Has(DropBox|List) || !ReadOnly.Has(0) {
		t.Error("Has")
	}
}
