package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Start starts cmd confined. cmd must name its program by an absolute path and have Stdin, Stdout and Stderr set: os/exec would
// open /dev/null for those that are nil, which is no longer allowed by then.
//
// Landlock, no_new_privs and the capability bounding set belong to a thread. So a thread of its own enters them, starts the
// program, and ends with its goroutine, which never unlocks it. (A parent-death signal would fire at that moment: ask for none.)
func Start(cmd *exec.Cmd, c Confinement) (Layers, error) {
	type result struct {
		layers Layers
		err    error
	}
	done := make(chan result)
	go func() { // ends when the program was started or could not be
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

// Exec replaces this process by a confined run of its own program with the same arguments and the given environment. It returns
// only if that fails, and then the calling goroutine is confined already: the caller must end the process.
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

// linkedStatically explains the error of an exec: a program that needs a loader and libraries cannot be confined to itself.
func linkedStatically(err error) error {
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (either the account that runs it cannot reach the program's folder, or it is linked dynamically, which cannot be confined: build it with CGO_ENABLED=0, as make build does)", err)
	}
	return err
}

// Probe tells which layers there are, without entering any.
func Probe() Layers {
	abi, err := landlockABI()
	if err != nil {
		return Layers{Missing: []string{err.Error()}}
	}
	return Layers{Landlock: fmt.Sprintf("landlock ABI %d", abi)}
}

// enter confines the calling thread by each layer that this kernel has.
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
		return Probe(), nil // tells why
	}
	layers := Probe()
	return layers, restrict(abi, program, c)
}

// dropBounding takes every capability but keep out of the thread's bounding set, so that no later exec can bring it back.
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
			return nil // past the last one that this kernel knows
		}
		if err != nil {
			return fmt.Errorf("drop capability %d from the bounding set: %w", capability, err)
		}
	}
	return nil
}
