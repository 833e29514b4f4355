//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// A permission is one line of the list of system calls that a core may make.
type permission struct {
	calls  []int
	only   []condition // all of them must hold
	reason string
}

// permitted returns the list of the system calls that a core may make after its start. Every other
// call fails with EPERM, so that a call that is missing here makes one operation fail and not the
// service.
//
// What is absent matters most. No program can be started (execve, execveat, memfd_create), and no
// process (fork, vfork; clone makes threads only). No other process can be traced, signalled or
// limited (ptrace, kill, pidfd_*, prlimit64 of others). No connection can be made (connect), except
// that the core accepts those of its listeners. Nothing can be mounted, and no namespace can be
// entered. The list has no call with which uid, gid or groups of the process change for good: only
// the ids for files do.
func (f Filter) permitted() []permission {
	return append([]permission{
		{calls: calls(unix.SYS_SETFSUID), only: f.uids(),
			reason: "the identity of a user around a call on files, for the thread alone"},
		{calls: calls(unix.SYS_SETFSGID, unix.SYS_SETGROUPS),
			reason: "as setfsuid, for the groups; a filter cannot see the list of setgroups"},

		{calls: calls(unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV,
			unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_CLOSE, unix.SYS_LSEEK),
			reason: "bytes of descriptors that are open"},
		{calls: calls(unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_PIPE2),
			reason: "downloads and uploads that the kernel moves"},
		{calls: calls(unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE),
			reason: "files that are open for writing"},
		{calls: calls(unix.SYS_FCNTL), only: oneOf(1, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL,
			unix.F_SETFL, unix.F_DUPFD_CLOEXEC, unix.F_GETPIPE_SZ, unix.F_SETPIPE_SZ),
			reason: "flags and pipes; F_SETOWN would send signals to other processes"},
		{calls: calls(unix.SYS_IOCTL), only: oneOf(1, unix.SIOCOUTQ, unix.FS_IOC_GETFLAGS,
			geometryOfXFS, unix.TCGETS),
			reason: "unacknowledged bytes, and whether names have one spelling; TCGETS is a query " +
				"of the Go runtime"},

		{calls: calls(unix.SYS_OPENAT), only: withoutSetID(3),
			reason: "one component of a path, relative to a directory of the user"},
		{calls: calls(unix.SYS_OPENAT2),
			reason: "a path below the user's root. The mode is in memory, where a filter cannot see " +
				"it: an empty set-user-ID file can be made, and loses the bit with its first byte"},
		{calls: calls(unix.SYS_MKDIRAT), only: withoutSetID(2), reason: "MKD"},
		{calls: calls(unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT),
			reason: "DELE, RMD, RNTO, and uploads that take their name at the end"},
		{calls: calls(unix.SYS_FCHMODAT2, unix.SYS_FCHMODAT), only: withoutFlags(2, unix.S_ISUID),
			reason: "SITE CHMOD, with fchmodat before Linux 6.6. A directory keeps set-group-ID"},
		{calls: calls(unix.SYS_FCHOWNAT), only: owners(),
			reason: "SITE CHGRP, which leaves the owner"},
		{calls: calls(unix.SYS_UTIMENSAT), reason: "MFMT"},
		{calls: calls(unix.SYS_STATX, unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_FSTATFS,
			unix.SYS_FACCESSAT2, unix.SYS_FACCESSAT, unix.SYS_READLINKAT, unix.SYS_GETDENTS64,
			unix.SYS_GETXATTR, unix.SYS_GETXATTRAT),
			reason: "what listings and checks report"},

		{calls: calls(unix.SYS_SOCKET), only: sockets(),
			reason: "passive data connections; no protocol but TCP"},
		{calls: calls(unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT4),
			reason: "listeners, and the ports of passive data connections"},
		{calls: calls(unix.SYS_SENDTO), only: noFastOpen(3), reason: "as write"},
		{calls: calls(unix.SYS_SENDMSG), only: noFastOpen(2),
			reason: "replies that end a segment, and the monitor; TCP fast open would connect"},
		{calls: calls(unix.SYS_RECVFROM, unix.SYS_RECVMSG), reason: "as read, and the monitor"},
		{calls: calls(unix.SYS_SHUTDOWN, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME,
			unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT),
			reason: "sockets that are open"},

		{calls: calls(unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2,
			unix.SYS_PPOLL, unix.SYS_EVENTFD2, unix.SYS_EPOLL_CREATE1),
			reason: "waits for descriptors"},
		{calls: calls(unix.SYS_MMAP), only: withoutFlags(2, unix.PROT_EXEC),
			reason: "memory, which never becomes code"},
		{calls: calls(unix.SYS_MPROTECT), only: withoutFlags(2, unix.PROT_EXEC), reason: "as mmap"},
		{calls: calls(unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK),
			reason: "memory"},
		{calls: calls(unix.SYS_CLONE), only: threads(), reason: "threads"},
		{calls: calls(unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
			unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETTID, unix.SYS_GETPID,
			unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION,
			unix.SYS_RT_SIGRETURN, unix.SYS_RESTART_SYSCALL, unix.SYS_CLOCK_GETTIME,
			unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM, unix.SYS_UNAME, unix.SYS_MEMBARRIER,
			unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_EXIT, unix.SYS_EXIT_GROUP),
			reason: "the Go runtime"},
		{calls: calls(unix.SYS_TGKILL), only: oneOf(0, uint32(unix.Getpid())),
			reason: "the Go runtime interrupts its own threads"},
		{calls: calls(unix.SYS_PRCTL), only: oneOf(0, unix.PR_SET_VMA, unix.PR_GET_NO_NEW_PRIVS),
			reason: "the Go runtime names its memory"},
		{calls: calls(unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
			unix.SYS_GETGROUPS), reason: "the ids of the process, which are no secret"},
	}, permittedHere...)
}

// geometryOfXFS is XFS_IOC_FSGEOMETRY_V1, which reports whether an XFS ignores case.
const geometryOfXFS = 0x80705864

func calls(numbers ...int) []int { return numbers }
