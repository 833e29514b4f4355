package supervisor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/monitor"
)

// inNamespace is set in the second process of a test, which is the first process of a pid
// namespace.
const inNamespace = "FTPD_TEST_NAMESPACE"

// The kernel gives the number of a core that has ended to another process, soon where there are
// few numbers. A stop leaves that other process alone.
func TestKillAfterTheEnd(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		runInNamespace(t)
		return
	}
	g := endedGeneration(t)
	other := startAs(t, g.pid)
	g.drain(0)
	other.Process.Signal(unix.SIGTERM) // if drain has sent SIGKILL, the process ends by that
	other.Wait()
	if by := other.ProcessState.Sys().(syscall.WaitStatus).Signal(); by != unix.SIGTERM {
		t.Errorf("process %d, which is no core, was ended by %v", g.pid, by)
	}
}

func runInNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: sudo go test -run '^TestKillAfterTheEnd$' ./pkg/supervisor")
	}
	if _, err := os.Stat("/proc/sys/kernel/ns_last_pid"); err != nil {
		t.Skip("needs a kernel with CONFIG_CHECKPOINT_RESTORE")
	}
	test := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	test.Env = append(os.Environ(), inNamespace+"=1")
	test.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// endedGeneration returns a core that has been waited for. No thread gets its number by chance.
func endedGeneration(t *testing.T) *generation {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(pair[1])
	file := os.NewFile(uintptr(pair[0]), "monitor")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	g := &generation{
		cmd:    startAs(t, 10_000),
		server: monitor.NewServer(conn.(*net.UnixConn), nil, 0),
		pid:    10_000,
		output: new(tail),
		ended:  make(chan struct{}),
	}
	g.watch(func() {})
	return g
}

// startAs starts a process with this number that only waits. It leads its own process group.
func startAs(t *testing.T, pid int) *exec.Cmd {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		last := fmt.Append(nil, pid-1)
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", last, 0); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if cmd.Process.Pid == pid {
			return cmd
		}
		cmd.Process.Kill() // another process or thread was faster
		cmd.Wait()
	}
	t.Fatalf("no process gets the number %d", pid)
	return nil
}
