//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// Start is not supported: on this system the server runs in one process.
func Start(*exec.Cmd, Confinement) (Layers, error) { return Layers{}, errors.ErrUnsupported }

// Exec is not supported on this system.
func Exec([]string, Confinement) error { return errors.ErrUnsupported }

// KeepInherited does nothing on this system.
func KeepInherited() error { return nil }

// Probe returns no layer.
func Probe() Layers {
	return Layers{Missing: []string{"this system has no Landlock"}}
}

// An Opener opens roots.
type Opener struct{}

// NewOpener returns an Opener.
func NewOpener() (*Opener, error) { return new(Opener), nil }

// Open looks up the paths. It waits as long as their file systems take.
func (*Opener) Open(_ context.Context, paths []string, _ func(string) string) ([]Root, error) {
	roots := make([]Root, len(paths))
	for i, path := range paths {
		info, err := os.Stat(path)
		roots[i] = Root{Path: path, Real: path, Dir: err == nil && info.IsDir(), Err: err}
	}
	return roots, nil
}

// ServeOpen is not supported on this system.
func ServeOpen([]string) error { return errors.ErrUnsupported }
