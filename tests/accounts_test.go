//go:build linux

package tests

import (
	"crypto/rand"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// accountsMu serializes the programs that change /etc/passwd and /etc/group: they lock these files and
// give up after a while. It also guards accountsMade.
var accountsMu sync.Mutex

// accountsMade holds the names of all accounts of this run, whether they are removed or not.
var accountsMade []string

// changeAccounts runs one of these programs, which must succeed.
func changeAccounts(t *testing.T, stdin, program string, args ...string) {
	t.Helper()
	accountsMu.Lock()
	defer accountsMu.Unlock()
	command(t, stdin, program, args...)
}

// An account is a system user that lives as long as the test that made it.
type account struct {
	name, password, home string
	uid, gid             int
}

// newAccount makes an account that may log in; options of useradd change it. Its home is removed with it.
func newAccount(t *testing.T, options ...string) account {
	t.Helper()
	name := "ftpdtest" + strings.ToLower(rand.Text()[:8])
	options = append([]string{"--create-home", "--shell", "/bin/bash"}, append(options, name)...)
	changeAccounts(t, "", "useradd", options...)
	t.Cleanup(func() { changeAccounts(t, "", "userdel", name) })
	accountsMu.Lock()
	accountsMade = append(accountsMade, name)
	accountsMu.Unlock()
	a := account{name: name, password: "Pw-" + rand.Text()}
	changeAccounts(t, a.name+":"+a.password+"\n",
		"chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "1000") // cheap: tests log in often
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	a.home = u.HomeDir
	t.Cleanup(func() { os.RemoveAll(a.home) })
	a.uid, _ = strconv.Atoi(u.Uid)
	a.gid, _ = strconv.Atoi(u.Gid)
	return a
}

// newGroup makes a system group.
func newGroup(t *testing.T) (name string, gid int) {
	t.Helper()
	name = "ftpdtest" + strings.ToLower(rand.Text()[:8])
	changeAccounts(t, "", "groupadd", name)
	t.Cleanup(func() { changeAccounts(t, "", "groupdel", name) })
	g, err := user.LookupGroup(name)
	if err != nil {
		t.Fatal(err)
	}
	gid, _ = strconv.Atoi(g.Gid)
	return name, gid
}

// file makes a file in the account's home.
func (a account) file(t *testing.T, name, text string, uid, gid int, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(a.home, name)
	writeFile(t, path, text, mode)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	return path
}

// shadowHash returns the hashed password from /etc/shadow, which no other process may hold.
func (a account) shadowHash(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(readFile(t, "/etc/shadow")) {
		if fields := strings.Split(line, ":"); fields[0] == a.name {
			return fields[1]
		}
	}
	t.Fatalf("no line of %s in /etc/shadow", a.name)
	return ""
}

// pamService installs the PAM file that the packages ship, under a name of this run.
func pamService(t *testing.T) string {
	t.Helper()
	name := "ftpdtest" + strings.ToLower(rand.Text()[:8])
	path := filepath.Join("/etc/pam.d", name)
	writeFile(t, path, readFile(t, "../packaging/pam.d/ftpd"), 0o644)
	t.Cleanup(func() { os.Remove(path) })
	return name
}

// command runs a program that must succeed. It returns the output.
func command(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}
