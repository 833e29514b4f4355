package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"ftpd/pkg/seccomp"
)

// Start starts cmd confined. The path of cmd must be absolute, and its Stdin, Stdout and Stderr
// must be set: for nil, os/exec would open /dev/null, which the new thread can no longer do.
//
// Landlock, no_new_privs and the capability bounding set belong to a thread. So Start uses a new
// thread, which enters them, starts the program, and ends with its goroutine, because that is
// never unlocked. (A parent-death signal would be sent when the thread ends, so cmd must not
// request one.)
func Start(cmd *exec.Cmd, c Confinement) (Layers, error) {
	type result struct {
		layers Layers
		err    error
	}
	done := make(chan result)
	go func() { // ends when the program was started, or could not be
		runtime.LockOSThread()
		layers, err := enter(cmd.Path, c)
		if err == nil {
			err = linkedStatically(cmd.Start())
		}
		done <- result{layers, err}
	}()
	r := <-done
	return r.layers, r.err
}

// Exec replaces this process by a confined run of its own program, with the same arguments and the
// given environment. It returns only after an error. The calling goroutine is confined then, so the
// caller must end the process.
func Exec(env []string, c Confinement) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if _, err := enter(program, c); err != nil {
		return err
	}
	return linkedStatically(unix.Exec(program, os.Args, env))
}

// linkedStatically adds the likely causes to an error of exec. A program that needs a loader and
// libraries cannot be confined to its own file.
func linkedStatically(err error) error {
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (either the account that runs it cannot reach the program's folder, "+
			"or it is linked dynamically, which cannot be confined: "+
			"build it with CGO_ENABLED=0, as make build does)", err)
	}
	return err
}

// Probe returns the layers of this kernel, without entering any.
func Probe() Layers {
	var layers Layers
	if abi, err := landlockABI(); err != nil {
		layers.Missing = append(layers.Missing, err.Error())
	} else {
		layers.Landlock = fmt.Sprintf("landlock ABI %d", abi)
	}
	if err := seccomp.Probe(); err != nil {
		layers.Missing = append(layers.Missing, err.Error())
	} else {
		layers.Seccomp = "seccomp"
	}
	return layers
}

// enter confines the calling thread by each layer of this kernel.
func enter(program string, c Confinement) (Layers, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return Layers{}, fmt.Errorf("set no_new_privs: %w", err)
	}
	if c.Keep != nil {
		if err := dropBounding(c.Keep); err != nil {
			return Layers{}, err
		}
	}
	if c.Bare {
		return Layers{Missing: []string{"switched off by server.sandbox"}}, nil
	}
	abi, err := landlockABI()
	if err != nil {
		return Probe(), nil // Missing contains err
	}
	layers := Probe()
	return layers, restrict(abi, program, c)
}

// dropBounding removes all capabilities except keep from the bounding set of the thread, so that no
// later exec can grant them.
func dropBounding(keep []uintptr) error {
	for capability := range uintptr(64) {
		kept := false
		for _, k := range keep {
			kept = kept || k == capability
		}
		if kept {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // after the last capability of this kernel
		}
		if err != nil {
			return fmt.Errorf("drop capability %d from the bounding set: %w", capability, err)
		}
	}
	return nil
}
