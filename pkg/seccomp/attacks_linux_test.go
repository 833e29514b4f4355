//go:build amd64 || arm64

package seccomp

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An attack is a system call that a core never makes, or makes only with other arguments.
type attack struct {
	name   string
	number uintptr
	args   [6]uintptr
}

var (
	dot   = [...]byte{'.', 0}
	made  = [...]byte{'m', 'a', 'd', 'e', 0}
	peer  = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: 9 << 8, Addr: [4]byte{127, 0, 0, 1}}
	limit = unix.Rlimit{Cur: 1, Max: 1}
	ring  [256]byte
)

func at[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// attacks returns the calls that code in a core would like to make. Each succeeds for root, or fails
// with an error that shows that the kernel has looked at its arguments.
func attacks() []attack {
	const cwd = ^uintptr(99) // AT_FDCWD
	return []attack{
		{"setuid(0)", unix.SYS_SETUID, [6]uintptr{0}},
		{"setresuid(0)", unix.SYS_SETRESUID, [6]uintptr{0, 0, 0}},
		{"setresgid(0)", unix.SYS_SETRESGID, [6]uintptr{0, 0, 0}},
		{"setfsuid(0)", unix.SYS_SETFSUID, [6]uintptr{0}},
		{"setfsuid(999)", unix.SYS_SETFSUID, [6]uintptr{999}},
		{"setfsuid(1<<32)", unix.SYS_SETFSUID, [6]uintptr{1 << 32}},
		{"execve", unix.SYS_EXECVE, [6]uintptr{at(&dot[0])}},
		{"execveat", unix.SYS_EXECVEAT, [6]uintptr{cwd, at(&dot[0])}},
		{"memfd_create", unix.SYS_MEMFD_CREATE, [6]uintptr{at(&dot[0])}},
		{"clone of a process", unix.SYS_CLONE, [6]uintptr{unix.CLONE_NEWUSER | unix.CLONE_FS}},
		{"unshare", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_FS}},
		{"setns", unix.SYS_SETNS, [6]uintptr{^uintptr(0)}},
		{"ptrace", unix.SYS_PTRACE, [6]uintptr{unix.PTRACE_ATTACH, 1 << 22}},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, [6]uintptr{1 << 22}},
		{"kill", unix.SYS_KILL, [6]uintptr{1 << 22}},
		{"tgkill", unix.SYS_TGKILL, [6]uintptr{1 << 22, 1 << 22}},
		{"pidfd_open", unix.SYS_PIDFD_OPEN, [6]uintptr{1}},
		{"prlimit64 of another process", unix.SYS_PRLIMIT64, [6]uintptr{1, unix.RLIMIT_NOFILE}},
		{"setrlimit", unix.SYS_PRLIMIT64, [6]uintptr{0, unix.RLIMIT_MSGQUEUE, at(&limit)}},
		{"keyctl", unix.SYS_KEYCTL, [6]uintptr{0, ^uintptr(2)}},
		{"shmget", unix.SYS_SHMGET, [6]uintptr{0, 1}},
		{"msgget", unix.SYS_MSGGET, [6]uintptr{1}},
		{"semget", unix.SYS_SEMGET, [6]uintptr{1}},
		{"mq_open", unix.SYS_MQ_OPEN, [6]uintptr{at(&dot[0])}},
		{"inotify_init1", unix.SYS_INOTIFY_INIT1, [6]uintptr{}},
		{"fanotify_init", unix.SYS_FANOTIFY_INIT, [6]uintptr{}},
		{"mount", unix.SYS_MOUNT, [6]uintptr{}},
		{"umount2", unix.SYS_UMOUNT2, [6]uintptr{}},
		{"open_tree", unix.SYS_OPEN_TREE, [6]uintptr{}},
		{"chroot", unix.SYS_CHROOT, [6]uintptr{at(&dot[0])}},
		{"bpf", unix.SYS_BPF, [6]uintptr{^uintptr(0)}},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [6]uintptr{1, at(&ring[0])}},
		{"userfaultfd", unix.SYS_USERFAULTFD, [6]uintptr{1}},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [6]uintptr{}},
		{"init_module", unix.SYS_INIT_MODULE, [6]uintptr{}},
		{"mknodat", unix.SYS_MKNODAT, [6]uintptr{cwd, at(&made[0]), unix.S_IFCHR | 0o600}},
		{"symlinkat", unix.SYS_SYMLINKAT, [6]uintptr{at(&dot[0]), cwd, at(&made[0])}},
		{"socket of AF_UNIX", unix.SYS_SOCKET, [6]uintptr{unix.AF_UNIX, unix.SOCK_STREAM}},
		{"socket of AF_NETLINK", unix.SYS_SOCKET, [6]uintptr{unix.AF_NETLINK, unix.SOCK_RAW}},
		{"socket for UDP", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_DGRAM}},
		{"raw socket", unix.SYS_SOCKET, [6]uintptr{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}},
		{"connect", unix.SYS_CONNECT, [6]uintptr{^uintptr(0), at(&peer), unsafe.Sizeof(peer)}},
		{"sendto with MSG_FASTOPEN", unix.SYS_SENDTO,
			[6]uintptr{^uintptr(0), at(&dot[0]), 1, unix.MSG_FASTOPEN, at(&peer), unsafe.Sizeof(peer)}},
		{"sendmsg with MSG_FASTOPEN", unix.SYS_SENDMSG,
			[6]uintptr{^uintptr(0), at(&ring[0]), unix.MSG_FASTOPEN}},
		{"openat of a set-user-ID file", unix.SYS_OPENAT, [6]uintptr{cwd, at(&made[0]),
			unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, unix.S_ISUID | 0o700}},
		{"mkdirat of a set-group-ID directory", unix.SYS_MKDIRAT,
			[6]uintptr{cwd, at(&made[0]), unix.S_ISGID | 0o700}},
		{"fchmodat to set-user-ID", unix.SYS_FCHMODAT,
			[6]uintptr{cwd, at(&dot[0]), unix.S_ISUID | 0o700}},
		{"fchmodat2 to set-user-ID", unix.SYS_FCHMODAT2,
			[6]uintptr{cwd, at(&dot[0]), unix.S_ISUID | 0o700}},
		{"fchmod", unix.SYS_FCHMOD, [6]uintptr{^uintptr(0), unix.S_ISUID | 0o700}},
		{"fchownat of the owner", unix.SYS_FCHOWNAT,
			[6]uintptr{cwd, at(&dot[0]), 1, ^uintptr(0)}},
		{"fcntl F_SETOWN", unix.SYS_FCNTL, [6]uintptr{0, unix.F_SETOWN, 1}},
		{"ioctl TIOCSTI", unix.SYS_IOCTL, [6]uintptr{0, unix.TIOCSTI, at(&dot[0])}},
		{"mmap of code", unix.SYS_MMAP, [6]uintptr{0, 4096, unix.PROT_READ | unix.PROT_EXEC,
			unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, ^uintptr(0)}},
		{"setxattr", unix.SYS_SETXATTR, [6]uintptr{at(&dot[0])}},
		{"prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, [6]uintptr{unix.PR_SET_DUMPABLE, 1}},
		{"sched_setaffinity of another process", unix.SYS_SCHED_SETAFFINITY, [6]uintptr{1}},
		{"reboot", unix.SYS_REBOOT, [6]uintptr{}},
		{"settimeofday", unix.SYS_SETTIMEOFDAY, [6]uintptr{}},
	}
}

// try makes the call and returns its error.
func (a attack) try() unix.Errno {
	runtime.LockOSThread() // never unlocked: the identity of the thread may have changed
	_, _, errno := unix.RawSyscall6(a.number, a.args[0], a.args[1], a.args[2], a.args[3], a.args[4], a.args[5])
	return errno
}
