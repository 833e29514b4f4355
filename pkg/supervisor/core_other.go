//go:build !linux

package supervisor

import "errors"

// RunCore fails: on this system the server runs in one process.
func RunCore() error { return errors.New("not on this system") }
