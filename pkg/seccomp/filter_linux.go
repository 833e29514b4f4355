//go:build linux && (amd64 || arm64)

package seccomp

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// newest is the highest number of a system call that the list of permitted calls takes into account
// (Linux 6.18). Calls above it fail with ENOSYS, as on a kernel that does not have them, because
// programs then use an older call.
const newest = unix.SYS_RSEQ_SLICE_YIELD

// The filter answers with these actions. No answer ends the process but that to a call of a foreign
// architecture, whose numbers mean other calls.
const (
	allow  = unix.SECCOMP_RET_ALLOW
	refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	kill   = unix.SECCOMP_RET_KILL_PROCESS
)

// Probe returns why the kernel cannot filter system calls, nil if it can.
func Probe() error {
	action := uint32(refuse &^ unix.SECCOMP_RET_DATA)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0,
		uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return fmt.Errorf("this kernel, or the profile of a container, has no seccomp filters (%w)", errno)
	}
	return nil
}

// Enter applies the filter to all threads of the process, and to those that it will have. This
// cannot be undone. The process needs no_new_privs.
func (f Filter) Enter() error {
	program, err := bpf.Assemble(f.program())
	if err != nil {
		return err
	}
	raw := make([]unix.SockFilter, len(program))
	for i, in := range program {
		raw[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	switch {
	case errno != 0:
		return fmt.Errorf("enter the filter of system calls: %w", errno)
	case thread != 0:
		return errors.New("enter the filter of system calls: a thread has a filter of its own")
	}
	return nil
}

// The offsets of struct seccomp_data.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16 // six words of 64 bits, on both architectures the low half first
)

// program returns the instructions of the filter.
func (f Filter) program() []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: atArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeArch, SkipTrue: 1},
		bpf.RetConstant{Val: kill},
		bpf.LoadAbsolute{Off: atNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: newest, SkipFalse: 1}, // also those of x32
		bpf.RetConstant{Val: absent},
	}
	for _, number := range absentCalls {
		program = append(program, onCall(number, []bpf.Instruction{bpf.RetConstant{Val: absent}})...)
	}
	for _, p := range f.permitted() {
		for _, number := range p.calls {
			program = append(program, onCall(number, p.decide())...)
		}
	}
	return append(program, bpf.RetConstant{Val: refuse})
}

// absentCalls fail with ENOSYS, because libraries then use an older call: clone, whose flags a
// filter can see.
var absentCalls = []int{unix.SYS_CLONE3}

// onCall returns the instructions that run body for one system call, and skip it for all others.
func onCall(number int, body []bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(number), SkipFalse: uint8(len(body))},
	}, body...)
}

// decide returns the instructions that allow a call whose conditions all hold.
func (p permission) decide() (body []bpf.Instruction) {
	for _, c := range p.only {
		body = append(body, c.instructions()...)
	}
	return append(body, bpf.RetConstant{Val: allow})
}

// A condition holds for one argument of a call: its low half, after the mask, is one of the values,
// or at least a bound. The arguments here are of types with 32 bits (int, mode_t, uid_t) or flags
// below them, so that the kernel does not see the high half.
type condition struct {
	arg    int    // 0 to 5
	mask   uint32 // 0: all bits
	values []uint32
	least  uint32 // this value and higher ones hold too; 0: there is no such bound
}

func (c condition) instructions() []bpf.Instruction {
	code := []bpf.Instruction{bpf.LoadAbsolute{Off: uint32(atArgs + 8*c.arg), Size: 4}}
	if c.mask != 0 {
		code = append(code, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.mask})
	}
	tests := len(c.values)
	if c.least != 0 {
		tests++
	}
	// Each test that finds a value skips the other tests and the refusal.
	var found []bpf.Instruction
	skip := func() uint8 { return uint8(tests - len(found)) }
	for _, v := range c.values {
		found = append(found, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: skip()})
	}
	if c.least != 0 {
		found = append(found, bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: c.least, SkipTrue: skip()})
	}
	return append(append(code, found...), bpf.RetConstant{Val: refuse})
}

func oneOf(arg int, values ...uint32) []condition { return []condition{{arg: arg, values: values}} }

// withoutFlags holds if the argument has none of the flags.
func withoutFlags(arg int, flags uint32) []condition {
	return []condition{{arg: arg, mask: flags, values: []uint32{0}}}
}

// withoutSetID holds for modes without set-user-ID and set-group-ID.
func withoutSetID(arg int) []condition { return withoutFlags(arg, unix.S_ISUID|unix.S_ISGID) }

// noFastOpen holds for flags of a message that do not open a connection.
func noFastOpen(arg int) []condition { return withoutFlags(arg, unix.MSG_FASTOPEN) }

// threads holds for clone if it makes a thread, and no namespace.
func threads() []condition {
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	const thread = unix.CLONE_THREAD | unix.CLONE_VM | unix.CLONE_SIGHAND
	return []condition{{arg: 0, mask: thread | namespaces, values: []uint32{thread}}}
}

// sockets holds for TCP over IPv4 and IPv6.
func sockets() []condition {
	return []condition{
		{arg: 0, values: []uint32{unix.AF_INET, unix.AF_INET6}},
		{arg: 1, mask: ^uint32(unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC),
			values: []uint32{unix.SOCK_STREAM}},
		{arg: 2, values: []uint32{0, unix.IPPROTO_TCP}},
	}
}

// owners holds for a change of the group alone.
func owners() []condition { return oneOf(2, ^uint32(0)) }

// uids holds for the uids that a core may take: those of users, those that the configuration names,
// and -1, which queries the present one.
func (f Filter) uids() []condition {
	return []condition{
		{arg: 0, values: f.UIDs, least: f.MinUID},
	}
}
