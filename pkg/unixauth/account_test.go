package unixauth

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"ftpd/pkg/auth"
)

func TestCheckCredentials(t *testing.T) {
	for _, c := range []struct{ user, password, cause string }{
		{"alice", "secret", ""},
		{"jos\xe9", "caf\xe9", ""}, // PAM decides about Latin-1
		{"with blank", "", ""},
		{"", "x", `"": the name is empty`},
		{".", "x", `".": the name is a directory's`},
		{"..", "x", `"..": the name is a directory's`},
		{"../etc", "x", `"../etc": the name holds "/"`},
		{"a\nb", "x", `"a\nb": the name holds control characters`},
		{"a\x00b", "x", `"a\x00b": the name holds control characters`},
		{"a\x7f", "x", `"a\x7f": the name holds control characters`},
		{strings.Repeat("a", 256), "x", ""},
		{strings.Repeat("a", 257), "x",
			`"` + strings.Repeat("a", 256) + `": the name is longer than 256 bytes`},
		{"alice", "a\x00b", "alice: the password holds a NUL"},
		{"alice", strings.Repeat("a", 511), ""},
		{"alice", strings.Repeat("a", 512),
			"alice: the password is longer than the 511 bytes that PAM takes"},
	} {
		err := checkCredentials(auth.Credentials{User: c.user, Password: auth.Password(c.password)})
		wantRefusal(t, err, c.cause)
	}
}

func TestCheckAccount(t *testing.T) {
	strict := Options{MinUID: 1000, RequireShell: true}
	for _, c := range []struct {
		options Options
		passwd  Passwd
		cause   string
	}{
		{strict, Passwd{Name: "a", UID: 1000, Home: "/home/a", Shell: "/bin/sh"}, ""},
		{strict, Passwd{Name: "a", UID: 1000, Home: "/home/a"}, ""}, // an empty shell is /bin/sh
		{strict, Passwd{Name: "a", UID: 999, Home: "/home/a", Shell: "/bin/sh"},
			"a: uid 999 is below auth.min_uid 1000"},
		{strict, Passwd{Name: "a", UID: 1000, Home: "/home/a", Shell: "/usr/sbin/nologin"},
			"a: shell /usr/sbin/nologin is not in /etc/shells (auth.require_shell)"},
		{strict, Passwd{Name: "a", UID: 1000, Home: "home", Shell: "/bin/sh"},
			`a: the home "home" is not an absolute path`},
		{Options{}, Passwd{Name: "a", UID: 1, Home: "/", Shell: "/usr/sbin/nologin"}, ""},
		{Options{}, Passwd{Name: "a", UID: 0, Home: "/root"},
			"a: uid 0 may not log in, whatever auth.min_uid says"},
		{Options{MinUID: 1000}, Passwd{Name: "a", UID: 4294967294, Home: "/a"}, ""},
	} {
		wantRefusal(t, c.options.check(loginResult{passwd: c.passwd}), c.cause)
	}
	wantRefusal(t,
		strict.check(loginResult{passwd: Passwd{Name: "a/b", UID: 1000, Home: "/home/a"}}),
		`PAM and the name service give the name "a/b", which holds "/"`)
}

// The administrator chooses the account of guests, which may be any but root. The name of a
// guest belongs to no account.
func TestCheckGuest(t *testing.T) {
	strict := Options{MinUID: 1000, RequireShell: true, Guest: "ftp"}
	account := Passwd{Name: "ftp", UID: 100, Home: "/srv/ftp", Shell: "/usr/sbin/nologin"}
	wantRefusal(t, strict.check(loginResult{passwd: account, guest: "ghost"}), "")
	root := Passwd{Name: "root", UID: 0, Home: "/root", Shell: "/bin/sh"}
	wantRefusal(t, strict.check(loginResult{passwd: root, guest: "ghost"}),
		"ghost: uid 0 may not log in, whatever auth.min_uid says")
	wantRefusal(t, strict.check(loginResult{passwd: account, guest: "a\nb"}),
		`PAM and the name service give the name "a\nb", which holds control characters`)
	strict.Guest = ""
	wantFailure(t, strict.check(loginResult{passwd: account, guest: "ghost"}))
}

func TestParseShells(t *testing.T) {
	text := "# comment\n/bin/sh\n  /bin/zsh # good\n\nrelative\n/bin/last"
	got, err := parseShells(strings.NewReader(text))
	if want := []string{"/bin/sh", "/bin/zsh", "/bin/last"}; err != nil ||
		!reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

// wantFailure checks that err is an error but not a refusal.
func wantFailure(t *testing.T, err error) {
	t.Helper()
	var refusal *auth.Refusal
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("got %v, want a failure", err)
	}
}

// wantRefusal checks that err is the refusal with this cause; "" wants no error.
func wantRefusal(t *testing.T, err error, cause string) {
	t.Helper()
	var refusal *auth.Refusal
	switch {
	case cause == "" && err != nil:
		t.Errorf("refused: %v", err)
	case cause != "" && !errors.As(err, &refusal):
		t.Errorf("got %v, want the refusal %s", err, cause)
	case cause != "" && refusal.Cause != cause:
		t.Errorf("cause %s\nwant  %s", refusal.Cause, cause)
	}
}
