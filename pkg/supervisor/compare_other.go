//go:build !linux

package supervisor

import (
	"errors"
	"os/exec"
	"syscall"

	"ftpd/pkg/sandbox"
)

// compareAttributes is not supported: on this system the service does not run as root.
func compareAttributes() (*syscall.SysProcAttr, error) { return nil, errors.ErrUnsupported }

// startConfined starts the process that compares a password. This system has nothing that confines
// it.
func startConfined(cmd *exec.Cmd, _ sandbox.Confinement) error { return cmd.Start() }

// hideMemory does nothing on this system.
func hideMemory() error { return nil }
