package main

import (
	"fmt"
	"io"

	"ftpd/pkg/sandbox"
)

// runOpenRoots runs the process that opens roots for another process of this program. A dead file
// system may block it.
func runOpenRoots(args []string, _, stderr io.Writer) int {
	if err := sandbox.ServeOpen(args); err != nil {
		fmt.Fprintln(stderr, "ftpd open-roots:", err)
		return exitError
	}
	return exitOK
}
