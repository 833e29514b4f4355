package auth

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// Whatever hash the configuration takes, it can be checked, or is told to be damaged before anybody logs in, without showing it; and
// no other password is taken for it than the one that it was made of.
func FuzzHash(f *testing.F) {
	for _, h := range foreign {
		f.Add(string(h), "pä ss")
		f.Add(string(h[:len(h)-4])+"./AB", "pä ss")
	}
	f.Add("$6$rounds=1000$$"+strings.Repeat("x", 86), "")
	f.Add("$y$j75$salt$OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502", "x")
	f.Add("$y$j/.$..$"+strings.Repeat(".", 43), "x")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs", "x")
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
		took, err := match(Password(password))
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the hash: %v", err)
		}
		// bcrypt takes a password with a NUL and itself behind it for the same; no client can send that.
		if known := "pä ss"; took && !strings.HasPrefix(password, known) || !took && password == known && slices.Contains(foreign, h) {
			t.Errorf("%s: %q matches: %v, %v", text, password, took, err)
		}
	})
}

// costs are the numbers in hashes that say what they cost; argon2 gives memory in KiB and passes.
var costs = regexp.MustCompile(`^\$2.\$0([4-5])\$|^\$[56]\$rounds=(\d{1,4})\$|^\$argon2id\$v=19\$m=(\d{1,4}),t=[1-3],p=\d\$|^\$y\$j([7])[./0-9T]\$`)

// quick says whether a hash is checked in some milliseconds.
func quick(text string) bool {
	if strings.HasPrefix(text, "$5$") || strings.HasPrefix(text, "$6$") {
		return !strings.Contains(text, "rounds=") || costs.MatchString(text)
	}
	return costs.MatchString(text)
}
