package unixauth

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"

	"ftpd/pkg/auth"
)

// No input of a client and no answer of PAM and the name service logs in root or a name that
// could be a path, and no refusal shows the password.
func FuzzAccount(f *testing.F) {
	f.Add("alice", "sesame", "alice", "/home/alice", "/bin/sh", uint32(1000), "")
	f.Add("../etc", "a\x00sesame", "..", "home", "", uint32(0), "guest")
	f.Add("a/b", "", "guest", "/", "", uint32(0), "bob")
	f.Add("a\nb", strings.Repeat("sesame", 100), "a/b", "/", "/none", uint32(999), "")
	f.Add("", "", "", "", "", uint32(1<<32-1), "\xff")
	f.Fuzz(func(t *testing.T, user, password, name, home, shell string, uid uint32, guest string) {
		err := checkCredentials(auth.Credentials{User: user, Password: auth.Password(password)})
		badUser := user == "" || len(user) > maxName || user == "." || user == ".." ||
			strings.ContainsAny(user, "/\x00\r\n\t\x7f")
		badPassword := strings.Contains(password, "\x00") || len(password) > maxPassword
		if (badUser || badPassword) && err == nil {
			t.Errorf("%q was accepted", user)
		}
		var refusal *auth.Refusal
		valid := strings.ToValidUTF8(password, "?")
		masked := regexp.MustCompile(`[^\x00]`).ReplaceAllString(valid, "x")
		other := checkCredentials(auth.Credentials{User: user, Password: auth.Password(masked)})
		if len(masked) == len(password) && fmt.Sprint(err) != fmt.Sprint(other) ||
			err != nil && !errors.As(err, &refusal) {
			t.Errorf("%v", err)
		}
		passwd := Passwd{Name: name, UID: uid, GID: 1, Home: home, Shell: shell}
		l := loginResult{passwd: passwd, guest: guest}
		if (Options{MinUID: 1000, Guest: "guest"}).check(l) != nil {
			return
		}
		if uid == 0 || guest == "" && uid < 1000 || !path.IsAbs(home) ||
			badName(l.name()) != "" || strings.ContainsAny(l.name(), "/\n\x00") {
			t.Errorf("%+v may log in", l)
		}
	})
}
