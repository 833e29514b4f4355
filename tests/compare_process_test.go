//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"syscall"
	"testing"
)

// slowHash is a hash of "secret" by bcrypt with a cost of 14, which takes a second or more.
const slowHash = "$2b$14$l/FbfAg/UqBNFHnDdOIGYeExu2XSKUBq8NeAwMmHi0ThMKcm5/hvC"

// TestCompareProcess checks what the process that compares a password of a virtual user may do, and
// that its death is an error of the service and no failed login of the user.
func TestCompareProcess(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	s := serve(t, settings{
		"auth":     "failure_delay = \"0s\"\n",
		"defaults": "require_tls = \"off\"\n",
		"end": fmt.Sprintf("[ban]\nfailures = 1\n"+
			"[[user]]\nname = \"carla\"\npassword = %q\nhome = %q\nrun_as = %q\n",
			slowHash, owner.home, owner.name),
	})
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.expect(t, 331, "USER carla")
	if _, err := c.conn.Write([]byte("PASS secret\r\n")); err != nil {
		t.Fatal(err)
	}
	pid := hidingProcess(t, s.cmd.Process.Pid)
	names, service := systemUser(t, "ftpd-names"), systemUser(t, "ftpd")
	for field, want := range map[string]string{
		"Uid":        strings.TrimSpace(strings.Repeat(names.Uid+" ", 4)),
		"Gid":        strings.TrimSpace(strings.Repeat(service.Gid+" ", 4)),
		"Groups":     "",
		"CapInh":     "0000000000000000",
		"CapPrm":     "0000000000000000",
		"CapEff":     "0000000000000000",
		"CapBnd":     "0000000000000000",
		"CapAmb":     "0000000000000000",
		"NoNewPrivs": "1",
	} {
		if got := status(pid, field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if args := commandLine(pid); len(args) != 2 {
		t.Errorf("its arguments: %q", args)
	}
	if environment := procFile(pid, "environ"); environment != "" {
		t.Errorf("its environment: %q", environment)
	}
	for _, socket := range filesOf(t, pid) {
		t.Errorf("it has %s", socket)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	if r, err := c.reply(); err != nil || r.code != 530 {
		t.Errorf("its death: %v, %v", r, err)
	}
	login(t, s.addr, "carla", "secret") // a failed login would have caused a ban
	if !strings.Contains(s.log.String(), "signal: killed") {
		t.Errorf("the log does not show its death")
	}
}

// hidingProcess returns the process that compares a password, stopped, after it has hidden its
// memory from its own account.
func hidingProcess(t *testing.T, supervisor int) (found int) {
	t.Helper()
	eventually(t, "the process that compares a password", func() bool {
		for _, pid := range descendants(supervisor) {
			info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", pid))
			args := commandLine(pid)
			if err == nil && len(args) > 1 && args[1] == "compare-password" &&
				info.Sys().(*syscall.Stat_t).Uid == 0 && status(pid, "Uid")[0] != '0' {
				found = pid
				return syscall.Kill(pid, syscall.SIGSTOP) == nil
			}
		}
		return false
	})
	return found
}

// filesOf returns the open files of a process that are no pipes, and no descriptors that the
// runtime of Go makes.
func filesOf(t *testing.T, pid int) (others []string) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink(dir + "/" + e.Name())
		if !strings.HasPrefix(target, "pipe:") && !strings.HasPrefix(target, "anon_inode:") {
			others = append(others, target)
		}
	}
	return others
}

func systemUser(t *testing.T, name string) *user.User {
	t.Helper()
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return account
}
