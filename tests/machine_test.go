//go:build linux

package tests

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A machine is a Debian of its own that is removed with its test.
type machine struct {
	root string // its file system, as this machine sees it
	host string // its address
	run  func(t *testing.T, stdin string, args ...string) string
}

// bootstrapMu lets one test bootstrap while the others wait for its result.
var bootstrapMu sync.Mutex

// debian returns a fresh root of Debian 12. The first one takes a minute or two and the network; it is
// kept in the user's cache.
func debian(t *testing.T) (root string) {
	t.Helper()
	needRoot(t)
	need(t, "debootstrap")
	bootstrapMu.Lock()
	defer bootstrapMu.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "/var/cache"
	}
	cache = filepath.Join(cache, "ftpd-tests")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(cache, "bookworm")
	if _, err := os.Stat(kept); err != nil {
		bootstrap(t, cache, kept)
	}
	root = filepath.Join(sharedDir(t), "root")
	command(t, "", "cp", "--archive", "--reflink=auto", kept, root)
	return root
}

// bootstrap makes the root that is kept. A root that is not complete never gets that name.
func bootstrap(t *testing.T, cache, kept string) {
	t.Helper()
	dir, err := os.MkdirTemp(cache, "incomplete")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	out, err := exec.Command("debootstrap", "--variant=minbase",
		"--include=systemd,systemd-sysv,dbus,libpam-systemd", "bookworm", root).CombinedOutput()
	if err != nil {
		t.Skipf("needs Debian's packages: debootstrap: %v: %s; run with a network: sudo make system", err, lastLine(out))
	}
	command(t, "", "chroot", root, "apt-get", "clean")
	if err := os.Rename(root, kept); err != nil && !errors.Is(err, syscall.ENOTEMPTY) &&
		!errors.Is(err, syscall.EEXIST) {
		t.Fatal(err) // another run was faster, and its root serves as well
	}
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// boot starts the root as a container with systemd, a network of its own and one link to it.
func boot(t *testing.T, root string) machine {
	t.Helper()
	for _, program := range []string{"systemd-nspawn", "nsenter", "ip"} {
		need(t, program)
	}
	name := "ftpdt" + strings.ToLower(rand.Text()[:6])
	host := link(t, name)
	nspawn := exec.Command("sh", "-c", `
		for h in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
			if [ -e $h/cgroup.procs ]; then mkdir $h/$1; echo $$ >$h/$1/cgroup.procs; fi
		done
		exec systemd-nspawn --quiet --directory="$2" --machine=$1 --register=no --keep-unit --network-namespace-path=/run/netns/$1 \
			--system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" --boot`,
		"sh", name, root)
	output := new(strings.Builder)
	nspawn.Stdout, nspawn.Stderr = output, output
	if err := nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { nspawn.Wait(); close(ended) }() // ends with the container
	t.Cleanup(func() {
		for _, p := range descendants(nspawn.Process.Pid) {
			if isInit(p) {
				syscall.Kill(p, syscall.SIGKILL) // and all that runs below it
			}
		}
		<-ended
		command(t, "", "find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/"+name+"*",
			"-exec", "rmdir", "{}", "+")
	})
	leader := 0
	eventually(t, "the container starts", func() bool {
		select {
		case <-ended:
			t.Skipf("needs a machine that may start containers: systemd-nspawn: %s", output)
		default:
		}
		for _, p := range descendants(nspawn.Process.Pid) {
			if isInit(p) {
				leader = p
			}
		}
		return leader != 0
	})
	inside := func(args ...string) *exec.Cmd {
		return exec.Command("nsenter",
			append([]string{"--target", strconv.Itoa(leader), "--mount", "--uts", "--ipc", "--net",
				"--pid", "--cgroup", "--"}, args...)...)
	}
	eventually(t, "the container is up", func() bool {
		state, _ := inside("systemctl", "is-system-running").Output()
		return string(state) == "running\n" || string(state) == "degraded\n"
	})
	return machine{root, host, func(t *testing.T, stdin string, args ...string) string {
		t.Helper()
		cmd := inside(args...)
		return command(t, stdin, cmd.Path, cmd.Args[1:]...)
	}}
}

// isInit reports whether a process is the first one of a container.
func isInit(pid int) bool {
	pids := strings.Fields(status(pid, "NSpid"))
	return len(pids) > 1 && pids[len(pids)-1] == "1"
}

// link makes a network namespace and joins it to this one by two unused addresses. It returns the
// address of the namespace.
func link(t *testing.T, name string) (other string) {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("needs a machine that may make networks: %s", out)
	}
	t.Cleanup(func() { command(t, "", "ip", "netns", "del", name) }) // and the link with it
	random := make([]byte, 2)
	rand.Read(random)
	net := fmt.Sprintf("198.18.%d.%d", random[0], random[1]&^3) // RFC 2544 keeps these for tests
	ours, other := fmt.Sprintf("198.18.%d.%d", random[0], random[1]&^3|1),
		fmt.Sprintf("198.18.%d.%d", random[0], random[1]&^3|2)
	if routes := command(t, "", "ip", "route", "show", "root", net+"/30"); routes != "" {
		t.Fatalf("%s is in use: %s", net, routes)
	}
	for _, args := range []string{
		"ip link add " + name + " type veth peer name host0 netns " + name,
		"ip address add " + ours + "/30 dev " + name,
		"ip link set " + name + " up",
		"ip -n " + name + " address add " + other + "/30 dev host0",
		"ip -n " + name + " link set host0 up",
		"ip -n " + name + " link set lo up",
	} {
		f := strings.Fields(args)
		command(t, "", f[0], f[1:]...)
	}
	return other
}
