package inspect

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
)

// TestMain lets the test program serve as the second process that opens directories, like ftpd.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.OpenCommand {
		if err := sandbox.ServeOpen(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newInspection reads a configuration, in which DIR stands for a directory of the test.
func newInspection(t *testing.T, text string) (l *inspection, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ftpd.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	source := config.Inspect(file, nil)
	// The accounts were not looked up, and keys of the configuration may be missing.
	source.Problems = nil
	return &inspection{Source: source}, dir
}

func TestDirectories(t *testing.T) {
	for _, test := range []struct {
		text string
		want string // behind "ftpd.toml:"; "" means no problem
	}{
		{"defaults.home = 'DIR'", ""},
		{"defaults.home = 'DIR/{user}'", ""},
		{
			"defaults.home = 'DIR/none/{user}'",
			"1: warning: defaults.home: there is no directory none: " +
				"users with a home in it cannot log in",
		},
		{
			"[anonymous]\nenabled = true\ndirectory = 'DIR/none'",
			"3: warning: anonymous.directory: there is no directory none: " +
				"no anonymous user can log in",
		},
		{
			"server.roots = ['DIR', 'DIR/none']",
			"1: warning: server.roots: there is no directory none: " +
				"it is served only if it exists when the service starts",
		},
		{
			"[[group]]\nname = 'a'\nhome = 'DIR/file'",
			"3: warning: group.home: file is not a directory: users with this home cannot log in",
		},
		{
			"[[user]]\nname = 'a'\nhome = 'DIR/none'",
			"3: warning: user.home: there is no directory none: users with this home cannot log in",
		},
		{"[[user]]\nname = 'a'\nhome = '/usr/ftpdtest-none'\ncreate_home = true", ""},
		{
			"[[user]]\nname = 'a'\nhome = 'DIR/open/a'\ncreate_home = true",
			"3: warning: user.home: create_home makes no home in open: every account can change …",
		},
		{
			"[[user]]\nname = 'a'\nhome = 'DIR/none/a'\ncreate_home = true",
			"3: warning: user.home: there is no directory none: users with this home cannot log in",
		},
		{
			"defaults.create_home = true\n[[user]]\nname = 'a'\nhome = '/usr/ftpdtest-none'",
			"",
		},
		{
			"defaults.create_home = true\n" +
				"[[user]]\nname = 'a'\nhome = 'DIR/none'\ncreate_home = false",
			"4: warning: user.home: there is no directory none: users with this home cannot log in",
		},
		{"[[user]]\nname = 'a'\n[[user.mount]]\npath = '/m'\ndirectory = 'DIR'", ""},
		{
			"[[user]]\nname = 'a'\n[[user.mount]]\npath = '/m'\ndirectory = 'DIR/none'",
			"5: warning: user.mount.directory: there is no directory none: " +
				"nothing can be shown at /m",
		},
	} {
		l, dir := newInspection(t, test.text)
		open := filepath.Join(dir, "open")
		if err := errors.Join(os.Mkdir(open, 0), os.Chmod(open, 0o777)); err != nil {
			t.Fatal(err)
		}
		l.directories(t.Context())
		got := strings.ReplaceAll(l.Problems.Error(), dir+"/", "")
		got = strings.TrimPrefix(got, "ftpd.toml:")
		beginning, cut := strings.CutSuffix(test.want, "…")
		if got != test.want && !(cut && strings.HasPrefix(got, beginning)) {
			t.Errorf("%s:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestLogs(t *testing.T) {
	for text, want := range map[string]string{
		"log.file = 'DIR/new.log'": "",
		"log.file = 'DIR/file'":    "",
		"log.transfer_log = 'DIR/none/log'": "ftpd.toml:1: log.transfer_log: " +
			"there is no directory none",
		"log.file = 'DIR'": "ftpd.toml:1: log.file: open DIR: is a directory",
	} {
		l, dir := newInspection(t, text)
		l.logs()
		got := strings.NewReplacer(dir+"/", "", dir, "DIR").Replace(l.Problems.Error())
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
		if _, err := os.Stat(filepath.Join(dir, "new.log")); err == nil {
			t.Error("the log was created")
		}
	}
}

func TestDaysLeft(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]int{
		72 * time.Hour: 3, 72*time.Hour - 1: 2, time.Hour: 0, 0: 0,
		-1: -1, -24 * time.Hour: -1, -24*time.Hour - 1: -2,
	} {
		if got := daysLeft(&x509.Certificate{NotAfter: now.Add(left)}, now); got != want {
			t.Errorf("%v: %d days, want %d", left, got, want)
		}
	}
}
