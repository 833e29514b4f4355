//go:build amd64 || arm64

package seccomp

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// attackCommand is the first argument of a process that makes all attacks and prints their error
// numbers. The second one is whether it enters the filter before.
const attackCommand = "attack"

// init makes the attacks in the process that attackWith starts, before the tests begin.
func init() {
	if len(os.Args) != 3 || os.Args[1] != attackCommand {
		return
	}
	if os.Args[2] == "true" {
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = testFilter().Enter()
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	for _, a := range attacks() {
		result := make(chan unix.Errno)
		go func() { result <- a.try() }() // ends with the call, and with it the thread
		fmt.Println(int(<-result))
	}
	os.Exit(0)
}

func testFilter() Filter {
	return Filter{MinUID: 1000, UIDs: []uint32{33}}
}

// attackWith makes the attacks in another process, and returns their error numbers.
func attackWith(t *testing.T, filtered bool) []unix.Errno {
	t.Helper()
	cmd := exec.Command(os.Args[0], attackCommand, strconv.FormatBool(filtered))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var numbers []unix.Errno
	for line := range strings.Lines(string(out)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		numbers = append(numbers, unix.Errno(n))
	}
	if len(numbers) != len(attacks()) {
		t.Fatalf("%d results\n%s", len(numbers), out)
	}
	return numbers
}

// The filter refuses each attack with EPERM. Without the filter the kernel carries it out, or refuses
// it for another reason than the missing right of an ordinary process, which shows that the test can
// fail.
func TestFilterRefuses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, whom nothing else refuses these calls: sudo go test ./pkg/seccomp")
	}
	with, without := attackWith(t, true), attackWith(t, false)
	for i, a := range attacks() {
		if with[i] != unix.EPERM {
			t.Errorf("%s: the filter answers %v (%d)", a.name, with[i], int(with[i]))
		}
		if without[i] == unix.EPERM {
			t.Errorf("%s: the kernel answers EPERM without the filter too", a.name)
		}
	}
}

// The filter lets a thread take the ids of users, and of the accounts that it names.
func TestFilterPermits(t *testing.T) {
	for _, a := range []attack{
		{"setfsuid of a user", unix.SYS_SETFSUID, [6]uintptr{1000}},
		{"setfsuid of run_as", unix.SYS_SETFSUID, [6]uintptr{33}},
		{"setfsuid query", unix.SYS_SETFSUID, [6]uintptr{^uintptr(0)}},
		{"setfsgid", unix.SYS_SETFSGID, [6]uintptr{100}},
		{"clone of a thread", unix.SYS_CLONE, [6]uintptr{unix.CLONE_VM | unix.CLONE_FS |
			unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD}},
		{"socket", unix.SYS_SOCKET,
			[6]uintptr{unix.AF_INET6, unix.SOCK_STREAM | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC}},
	} {
		if action := decision(t, a); action != allow {
			t.Errorf("%s: %#x", a.name, action)
		}
	}
}

// decision returns the action of the filter for a call, as the kernel would compute it.
func decision(t *testing.T, a attack) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(testFilter().program())
	if err != nil {
		t.Fatal(err)
	}
	words := []uint32{uint32(a.number), nativeArch, 0, 0} // struct seccomp_data
	for _, arg := range a.args {
		words = append(words, uint32(arg), uint32(arg>>32))
	}
	var data []byte
	for _, w := range words {
		data = binary.BigEndian.AppendUint32(data, w) // the order that the VM loads
	}
	action, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(action)
}
