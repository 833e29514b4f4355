//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// homeRaces returns how many logins TestHomeRace waits for, and how long it runs at least.
// FTPD_TEST_HOME_RACE, such as "30s", replaces the number by a time.
func homeRaces(t *testing.T) (logins int, lasts time.Duration) {
	t.Helper()
	text := os.Getenv("FTPD_TEST_HOME_RACE")
	if text == "" {
		return 100, 0
	}
	lasts, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FTPD_TEST_HOME_RACE: %v", err)
	}
	return 0, lasts
}

// exchange exchanges the directories by links to /etc, and back, until the test has ended.
func exchange(t *testing.T, directories ...string) {
	t.Helper()
	var ended atomic.Bool
	var running sync.WaitGroup
	t.Cleanup(func() {
		ended.Store(true)
		running.Wait()
	})
	for _, dir := range directories {
		if err := os.Symlink("/etc", dir+".link"); err != nil {
			t.Fatal(err)
		}
	}
	running.Go(func() { // ends with the test
		for !ended.Load() {
			for _, dir := range directories {
				unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, dir+".link", unix.RENAME_EXCHANGE)
			}
		}
	})
}

// escapesByName opens a directory in the way that this test is about, by a name that was checked
// before, until it has opened /etc. It returns how often it tried.
func escapesByName(t *testing.T, dir string) (tries int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		tries++
		if real, err := filepath.EvalSymlinks(dir); err != nil || real != dir {
			continue
		}
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		err = unix.Fstatat(fd, "passwd", &st, 0)
		unix.Close(fd)
		if err == nil {
			return tries
		}
	}
	t.Error("an open by name never led to /etc, so this test shows nothing")
	return tries
}

// TestHomeRace checks that a user who may write above a home or a mount, and exchanges it by a
// link to /etc at the moment of the login, never gets /etc as a directory of the session. The
// service compares the directory that it has opened.
func TestHomeRace(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	directory := func(name string) string {
		dir := filepath.Join(owner.home, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	home, mount := directory("home"), directory("mount")
	user := func(name, home, mount string) string {
		return fmt.Sprintf("[[user]]\nname = %q\npassword = %q\nrun_as = %q\nhome = %q\n"+
			"[[user.mount]]\npath = \"/m\"\ndirectory = %q\n",
			name, hashes["sha512-crypt"], owner.name, home, mount)
	}
	s := serve(t, settings{
		"auth": "failure_delay = \"0s\"\n",
		"end": "[ban]\nfailures = 0\n" +
			user("home", home, directory("quiet")) + user("mount", directory("still"), mount),
	})
	exchange(t, home, mount)
	t.Logf("the control escaped at try %d", escapesByName(t, home))
	least, lasts := homeRaces(t)
	end := time.Now().Add(lasts)
	for user, file := range map[string]string{"home": "/passwd", "mount": "/m/passwd"} {
		served, refused, escapes := 0, 0, 0
		for served+refused < least || time.Now().Before(end) {
			c, r, err := dial(s.addr)
			if err != nil || r.code != 220 {
				t.Fatal(r, err)
			}
			c.expect(t, 331, "USER "+user)
			if r, err = c.do("PASS secret"); err != nil {
				t.Fatal(err)
			}
			if r.code == 230 {
				served++
				if r, err = c.do("MDTM " + file); err != nil || r.code != 550 {
					escapes++
				}
			} else {
				refused++
			}
			c.conn.Close()
		}
		t.Logf("%s: %d logins, %d refused, %d escapes", user, served, refused, escapes)
		if escapes > 0 || served == 0 || refused == 0 {
			t.Errorf("%d of %d sessions had /etc as their %s", escapes, served, user)
		}
		end = time.Now().Add(lasts)
	}
	s.log.wait(t, "the reason", func(r record) bool {
		return r.Message == "login_failed" && strings.Contains(r.Cause,
			"it leads to /etc, which is outside server.roots")
	})
}
