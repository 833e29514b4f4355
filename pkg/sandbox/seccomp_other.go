//go:build !linux || !(amd64 || arm64)

package sandbox

import "errors"

// Enter is not supported on this system or architecture.
func (Filter) Enter() error { return errors.ErrUnsupported }
