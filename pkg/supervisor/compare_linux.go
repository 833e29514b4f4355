package supervisor

import (
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"ftpd/pkg/sandbox"
	"ftpd/pkg/unixauth"
)

// compareAttributes returns the identity of the process that compares a password, for a supervisor
// that runs as root. It has the uid of the helper for names and the gid of the cores, so that
// neither can trace it: the kernel compares both ids.
func compareAttributes() (*syscall.SysProcAttr, error) {
	identity, err := coreIdentity()
	if err != nil {
		return nil, err
	}
	if identity.Uid, err = unixauth.NamesUID(); err != nil {
		return nil, fmt.Errorf("look up the account that compares passwords: %w", err)
	}
	return &syscall.SysProcAttr{Credential: identity}, nil
}

// startConfined starts the process that compares a password.
func startConfined(cmd *exec.Cmd, c sandbox.Confinement) error {
	_, err := sandbox.Start(cmd, c)
	return err
}

// hideMemory keeps other processes of the same account from reading the memory of this one, and the
// kernel from writing it to a core dump.
func hideMemory() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
