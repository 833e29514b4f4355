package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a configuration without mistakes, which also has unsupported keys.
const sample = `
[server]
listen_tls = [":990"]
[tls]
certificate = "/etc/ssl/ftpd.pem"
[anonymous]
enabled = true
directory = "/srv/pub"
[defaults]
home = "/srv/ftp/{user}/files"
permissions = "read-only"
umask = "027"
[[group]]
name = "staff"
umask = "002"
disabled = true
[[group.rule]]
path = "/in"
permissions = "drop-box"
[[group]]
name = "boss"
umask = "077"
disabled = false
[[group.mount]]
path = "/shared"
directory = "/data/{user}x/y"
[[group.mount]]
path = "/own"
directory = "/data/own"
permissions = "full"
[[user]]
name = "alice"
password = "` + sampleHash + `"
umask = "022"
expires = 2027-01-31
[[user.rule]]
path = "/in"
permissions = "full"
[[user.rule]]
path = "/shared/x"
permissions = []
[[user]]
name = "anonymous"
login_message = "Welcome."
[nat]
public_addresses = { "10.0.0.5" = "203.0.113.7" }
[[hook]]
on = ["upload"]
command = ["/bin/true"]
[[site]]
name = "X"
command = ["/bin/true"]
permission = "delete"
`

const sampleHash = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0a" +
	"Dehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"

// readSample returns the configuration in sample.
func readSample(t *testing.T) *Config {
	t.Helper()
	s := inspectText(t, sample)
	for _, p := range s.Problems.Errors() {
		if !strings.Contains(p.Text, notSupported) {
			t.Fatal(p)
		}
	}
	return s.Config
}

func TestForMerges(t *testing.T) {
	c := readSample(t)
	for _, test := range []struct {
		user   string
		groups string
		want   string
	}{
		{"bob", "", "/srv/ftp/bob/files 027 false"},
		{"bob", "staff", "/srv/ftp/bob/files 002 true"},
		{"bob", "boss staff", "/srv/ftp/bob/files 077 false"}, // the order of the file counts
		{"alice", "boss staff", "/srv/ftp/alice/files 022 false 2027-01-31"},
		{"alice", "staff", "/srv/ftp/alice/files 022 true 2027-01-31"},
		{"anonymous", "", "/srv/pub 027 false Welcome."},
		{"{user}", "", "/srv/ftp/{user}/files 027 false"},
	} {
		e, err := c.For(test.user, strings.Fields(test.groups))
		got := strings.TrimSpace(fmt.Sprintln(e.Home, e.Umask, e.Disabled,
			e.Expires+Date(e.LoginMessage)))
		if err != nil || got != test.want {
			t.Errorf("%s of %s: %s, %v; want %s", test.user, test.groups, got, err, test.want)
		}
	}
}

func TestForMergesRulesAndMounts(t *testing.T) {
	c := readSample(t)
	e, err := c.For("alice", []string{"staff", "boss"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Mount{
		{Path: "/shared", Directory: "/data/alicex/y", Permissions: ReadOnly, Inherit: true},
		{Path: "/own", Directory: "/data/own", Permissions: Full},
	}; !reflect.DeepEqual(e.Mounts, want) {
		t.Errorf("mounts are %+v", e.Mounts)
	}
	rights := e.Rights()
	for path, want := range map[string]Permissions{
		"/": ReadOnly, "/in/x": Full, "/shared": ReadOnly, "/shared/x/y": 0, "/own/z": Full,
	} {
		if got := rights.At(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if c.Groups[1].Mounts[0].Directory != "/data/{user}x/y" {
		t.Error("the configuration was changed")
	}
}

// A name that is not a single component of a path gets no settings.
func TestForRefusesNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/", "a\x00", "a\nb", "\x7f", "../root"} {
		if e, err := Default().For(name, nil); err == nil {
			t.Errorf("%q: %+v", name, e)
		}
	}
	for _, name := range []string{"...", "a b", "DOM\\alice", "-rf", "ünal", "\xff"} {
		if _, err := Default().For(name, nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Every key of Settings can be overridden, and is overridden only if it is set.
func TestForOverridesEveryKey(t *testing.T) {
	for _, f := range fieldsOf(reflect.TypeFor[Settings]()) {
		c := Default()
		u := User{Name: "bob"}
		other := reflect.ValueOf(&u.Settings).Elem().FieldByIndex(f.index)
		switch other.Kind() {
		case reflect.String:
			other.SetString("other")
		case reflect.Slice:
			other.Set(reflect.ValueOf(Networks{{netip.MustParsePrefix("10.0.0.0/8")}}))
		case reflect.Uint16, reflect.Uint32:
			other.SetUint(0o77)
		case reflect.Bool:
			other.SetBool(f.key != "confine")
		default:
			other.SetInt(77)
		}
		c.Users = []User{u}
		if e, _ := c.For("bob", nil); !reflect.DeepEqual(e.Settings, c.Defaults) {
			t.Errorf("%s is overridden although it is not set", f.key)
		}
		c.Users[0].Set = []string{f.key}
		e, _ := c.For("bob", nil)
		got := reflect.ValueOf(e.Settings).FieldByIndex(f.index).Interface()
		if !reflect.DeepEqual(got, other.Interface()) {
			t.Errorf("%s is %v, want %v", f.key, got, other)
		}
	}
}

// The core receives its configuration as JSON.
func TestJSONRoundTrip(t *testing.T) {
	for name, c := range map[string]*Config{
		"default": Default(), "sample": readSample(t), "empty": {},
	} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(&back, c) {
			t.Errorf("%s: %s\nbecomes %+v", name, text, back)
		}
	}
	if text, _ := json.Marshal(Duration(90 * time.Second)); string(text) != `"90s"` {
		t.Errorf("a duration is %s", text)
	}
}

func TestWithoutSecrets(t *testing.T) {
	c := readSample(t)
	text, err := json.Marshal(c.WithoutSecrets())
	if err != nil || strings.Contains(string(text), "$6$") {
		t.Errorf("%s, %v", text, err)
	}
	if c.Users[0].Password != sampleHash {
		t.Error("the original has lost its hash")
	}
	c.Users[0].Password = ""
	if !reflect.DeepEqual(c, c.WithoutSecrets()) {
		t.Error("the copy lacks more than the hashes")
	}
}

func TestRoots(t *testing.T) {
	c := readSample(t)
	want := []string{"/data", "/home", "/srv/ftp", "/srv/pub"}
	if got := c.Roots(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.Server.Roots = []string{"/srv/ftp", "/srv", "/srvx"}
	if got, want := c.Roots(), []string{"/srv", "/srvx"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.Server.Roots = []string{"/", "/home", "/etc/skel", "/rooted"}
	if got, want := c.Roots(), []string{"/", "/etc/skel"}; !slices.Equal(got, want) {
		t.Errorf("directories that / does not include: got %v, want %v", got, want)
	}
	c = Default()
	c.Defaults.Home = "/{user}"
	if got, want := c.Roots(), []string{"/home"}; !slices.Equal(got, want) {
		t.Errorf("a home that may be anywhere: got %v, want %v", got, want)
	}
}
