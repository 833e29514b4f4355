//go:build !(amd64 || arm64)

package sandbox

import "errors"

func seccompError() error {
	return errors.New("this architecture has no list of permitted system calls")
}
