//go:build !linux

package main

import (
	"fmt"
	"io"
)

// runCore is not there on this system, where the server runs in one process.
func runCore(_ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "ftpd core: not on this system")
	return exitError
}
