package seccomp

import "golang.org/x/sys/unix"

// permittedHere lists the calls that only this architecture has.
var permittedHere []permission

const nativeArch = unix.AUDIT_ARCH_AARCH64
