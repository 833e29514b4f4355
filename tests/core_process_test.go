//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const setuidSetgid = 1<<6 | 1<<7 // capabilities(7): CAP_SETGID is 6, CAP_SETUID 7

// TestCoreProcess checks that the core has an identity of its own and two capabilities, no
// secret, and no file outside its roots. The documents name what is not there yet.
func TestCoreProcess(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	planted := "planted-" + rand.Text()
	s := serve(t, settings{"server": fmt.Sprintf("banner = %q\n", planted)})
	c := login(t, s.addr, u.name, u.password)
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	core := s.core(t)

	t.Run("identity", func(t *testing.T) {
		account, err := user.Lookup("ftpd")
		if err != nil {
			t.Fatal(err)
		}
		for field, want := range map[string]string{
			"Uid": strings.Join([]string{account.Uid, account.Uid, account.Uid, account.Uid},
				" "),
			"Gid": strings.Join([]string{account.Gid, account.Gid, account.Gid, account.Gid},
				" "),
			"Groups":     "",
			"NoNewPrivs": "1",
		} {
			if got := status(core, field); got != want {
				t.Errorf("%s is %q, want %q", field, got, want)
			}
		}
	})
	t.Run("capabilities", func(t *testing.T) {
		for field, want := range map[string]uint64{"CapPrm": setuidSetgid, "CapEff": setuidSetgid,
			"CapInh": 0, "CapAmb": 0} {
			if got, err := strconv.ParseUint(status(core, field), 16, 64); err != nil ||
				got != want {
				t.Errorf("%s is %#x, want %#x (%v)", field, got, want, err)
			}
		}
		if got, err := strconv.ParseUint(status(core, "CapBnd"), 16, 64); err != nil ||
			got&^setuidSetgid != 0 {
			t.Errorf("CapBnd is %#x (%v)", got, err)
		}
	})
	t.Run("filter", func(t *testing.T) {
		if filters := filtersOf(core) - filtersOf(os.Getpid()); filters != 1 { // a container may have one
			t.Errorf("the core has %d filters of system calls", filters)
		}
	})
	t.Run("descriptors", func(t *testing.T) { openFiles(t, core, u.home) })
	t.Run("memory", func(t *testing.T) {
		secrets := append(strings.Split(strings.TrimSpace(readFile(t, "/etc/shadow")), "\n"),
			u.shadowHash(t))
		found := searchMemory(t, core, append(secrets, planted)...)
		if !found[planted] {
			t.Fatal("the search does not find what is there: the banner")
		}
		for _, secret := range secrets {
			if found[secret] {
				t.Errorf("%q is in the core's memory", secret)
			}
		}
	})
}

// TestInheritedDescriptors checks that no process of the service but the supervisor has a file that
// the program which started the service left open.
func TestInheritedDescriptors(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	secret := filepath.Join(sharedDir(t), "secret")
	writeFile(t, secret, "secret", 0o600)
	file, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	port := freePort(t)
	s := newServer(t, port, "serve", "--config", writeConfig(t, port, nil))
	for range 7 {
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, file) // 3 to 9
	}
	s.start(t)
	c := login(t, s.addr, u.name, u.password)
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if !hasOpen(s.cmd.Process.Pid, secret) {
		t.Fatal("the supervisor has not inherited the file: this test looks for the wrong name")
	}
	family := descendants(s.cmd.Process.Pid)
	for _, pid := range family {
		if hasOpen(pid, secret) {
			t.Errorf("%q has the file", commandLine(pid))
		}
	}
	if len(family) < 3 {
		t.Errorf("the service has the processes %v alone: no core or no helpers", family)
	}
}

// TestNamesProcess checks that each thread of the helper for names has an account of its own, no
// capability, and no way to get one.
func TestNamesProcess(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	account, err := user.Lookup("ftpd-names")
	if err != nil {
		t.Fatal(err)
	}
	const none = "0000000000000000"
	helpers := 0
	for _, pid := range descendants(s.cmd.Process.Pid) {
		if args := commandLine(pid); len(args) < 2 || args[1] != "names" {
			continue
		}
		helpers++
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, thread := range threads {
			id, _ := strconv.Atoi(filepath.Base(thread))
			for field, want := range map[string]string{
				"Uid":    strings.TrimSpace(strings.Repeat(account.Uid+" ", 4)),
				"Gid":    strings.TrimSpace(strings.Repeat(account.Gid+" ", 4)),
				"Groups": "", "NoNewPrivs": "1",
				"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
			} {
				if got := status(id, field); got != want {
					t.Errorf("%s of thread %d is %q, want %q", field, id, got, want)
				}
			}
		}
	}
	if helpers == 0 {
		t.Error("there is no helper for names")
	}
}

// hasOpen reports whether a process has a descriptor of a file.
func hasOpen(pid int, file string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(links, func(link string) bool {
		target, _ := os.Readlink(link)
		return target == file
	})
}

// filtersOf returns how many seccomp filters a process has.
func filtersOf(pid int) int {
	n, _ := strconv.Atoi(status(pid, "Seccomp_filters"))
	return n
}

// openFiles fails the test for each descriptor that is a file outside root.
func openFiles(t *testing.T, pid int, root string) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("no descriptors: %v", err)
	}
	inRoot := 0
	for _, link := range links {
		target, err := os.Readlink(link)
		switch {
		case err != nil: // closed meanwhile
		case target == root || strings.HasPrefix(target, root+"/"):
			inRoot++
		case target == "/dev/null" || !strings.HasPrefix(target, "/"): // socket:[1], pipe:[2], anon_inode:[eventpoll]
		default:
			t.Errorf("descriptor %s is %s", filepath.Base(link), target)
		}
	}
	if inRoot == 0 {
		t.Error("not even the session's home is open: this test looks at the wrong process")
	}
}
