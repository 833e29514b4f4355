//go:build !linux && !darwin

package vfs

import (
	"errors"
	"os"
)

func freeAt(*os.File) (int64, error) { return 0, errors.ErrUnsupported }
