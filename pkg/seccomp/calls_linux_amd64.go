package seccomp

import "golang.org/x/sys/unix"

// permittedHere lists the calls that only this architecture has.
var permittedHere = []permission{
	{calls: calls(unix.SYS_POLL), reason: "waits for room in a socket"},
}

const nativeArch = unix.AUDIT_ARCH_X86_64
