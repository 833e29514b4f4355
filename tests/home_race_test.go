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

// race logs in as the user while the home or a mount is exchanged by a link to /etc. file is the
// path under which /etc/passwd would be seen.
func (s *server) race(t *testing.T, user, file string) {
	t.Helper()
	least, lasts := homeRaces(t)
	served, refused, escapes := 0, 0, 0
	for end := time.Now().Add(lasts); served+refused < least || time.Now().Before(end); {
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
	late, _ := s.log.find(func(r record) bool {
		return r.User == user && strings.Contains(r.Cause,
			"it leads to /etc, which is outside server.roots")
	})
	t.Logf("%s: %d logins, %d refused (%d by the place of the open directory), %d escapes",
		user, served, refused, len(late), escapes)
	if escapes > 0 || served == 0 || refused == 0 {
		t.Errorf("%d of %d sessions had /etc as their %s", escapes, served, user)
	}
}

// TestHomeRace checks that a user who may write above a home or a mount, and exchanges it by a
// link to /etc at the moment of the login, never gets /etc as a directory of the session. The
// service compares the directory that it has opened.
func TestHomeRace(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	if err := os.Chmod(owner.home, 0o755); err != nil {
		t.Fatal(err)
	}
	directory := func(name string) string {
		dir := filepath.Join(owner.home, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	home, mount := directory("home"), directory("mount")
	user := func(name, home, mount string) string {
		return fmt.Sprintf("[[user]]\nname = %q\npassword = %q\nhome = %q\n"+
			"[[user.mount]]\npath = \"/m\"\ndirectory = %q\n",
			name, hashes["sha512-crypt"], home, mount)
	}
	users := "[ban]\nexempt = [\"127.0.0.1\"]\n" +
		user("home", home, directory("quiet")) + user("mount", directory("still"), mount)
	exchange(t, home, mount)
	t.Logf("the control escaped at try %d", escapesByName(t, home))
	t.Run("a core", func(t *testing.T) {
		s := serve(t, settings{
			"auth":     "failure_delay = \"0s\"\n",
			"defaults": fmt.Sprintf("run_as = %q\n", owner.name), "end": users,
		})
		s.race(t, "home", "/passwd")
		s.race(t, "mount", "/m/passwd")
	})
	t.Run("one process", func(t *testing.T) {
		port := freePort(t)
		config := filepath.Join(sharedDir(t), "ftpd.toml")
		writeFile(t, config, fmt.Sprintf("[server]\nlisten = [\"127.0.0.1:%d\"]\n"+
			"[auth]\nbackend = \"virtual\"\nfailure_delay = \"0s\"\n"+
			"[defaults]\nrun_as = \"\"\n%s", port, users), 0o644)
		s := newServer(t, port, "serve", "--config", config)
		asOrdinaryUser(s.cmd)
		s.start(t)
		s.race(t, "home", "/passwd")
		s.race(t, "mount", "/m/passwd")
	})
}
