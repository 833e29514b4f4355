//go:build !linux

package sandbox

import (
	"errors"
	"os/exec"
)

// Start is not there on this system, where the server runs in one process.
func Start(*exec.Cmd, Confinement) (Layers, error) { return Layers{}, errors.ErrUnsupported }

// Exec is not there on this system.
func Exec([]string, Confinement) error { return errors.ErrUnsupported }

// Probe finds no layer.
func Probe() Layers {
	return Layers{Missing: []string{"this system has no Landlock"}}
}
