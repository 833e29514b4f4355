package supervisor

import (
	"errors"
	"os"
)

// clearUmask does nothing: Windows has no umask.
func clearUmask() {}

// inheritable is not supported: on Windows the program never replaces itself.
func inheritable(*os.File) (fd int, err error) { return -1, errors.ErrUnsupported }
