package main

import (
	"io"
	"os"

	"ftpd/pkg/supervisor"
)

// runCompare runs the process that compares a password with a hash, which another process of this
// program starts.
func runCompare(_ []string, _, stderr io.Writer) int {
	return supervisor.RunCompare(os.Stdin, stderr)
}
