package auth

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// A hash that the configuration accepts can be checked, or is an error before the first login
// that does not show the hash. No password but the right one matches it.
func FuzzHash(f *testing.F) {
	for _, h := range foreign {
		f.Add(string(h), "pä ss")
		f.Add(string(h[:len(h)-4])+"./AB", "pä ss")
	}
	f.Add("$6$rounds=1000$$"+strings.Repeat("x", 86), "")
	f.Add("$y$j75$salt$OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502", "x")
	f.Add("$y$j/.$..$"+strings.Repeat(".", 43), "x")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQx$"+
		"PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs", "x")
	f.Fuzz(func(t *testing.T, text, password string) {
		var h config.Hash
		if h.UnmarshalText([]byte(text)) != nil || text == "" {
			return
		}
		match, err := matcher(h)
		if err != nil {
			if strings.Contains(err.Error(), text) {
				t.Errorf("the error shows the hash: %v", err)
			}
			return
		}
		if !quick(text) {
			return
		}
		matched, err := match(Password(password))
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the hash: %v", err)
		}
		// For bcrypt, a password equals the same password with a NUL and itself behind it. No
		// client can send that.
		const known = "pä ss"
		if matched && !strings.HasPrefix(password, known) ||
			!matched && password == known && slices.Contains(foreign, h) {
			t.Errorf("%s: %q matches: %v, %v", text, password, matched, err)
		}
	})
}

// cheap matches hashes with low cost parameters; those of argon2 are memory in KiB and passes.
var cheap = regexp.MustCompile(`^\$2.\$0[4-5]\$|^\$[56]\$rounds=\d{1,4}\$|` +
	`^\$argon2id\$v=19\$m=\d{1,4},t=[1-3],p=\d\$|^\$y\$j7[./0-9T]\$`)

// quick reports whether a hash can be checked within some milliseconds.
func quick(text string) bool {
	if strings.HasPrefix(text, "$5$") || strings.HasPrefix(text, "$6$") {
		return !strings.Contains(text, "rounds=") || cheap.MatchString(text)
	}
	return cheap.MatchString(text)
}
