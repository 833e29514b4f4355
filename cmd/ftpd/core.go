package main

import (
	"fmt"
	"io"

	"ftpd/pkg/supervisor"
)

// runCore runs the process of a core, which ftpd serve starts.
func runCore(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("core", "", "ftpd serve, which starts it")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	if err := supervisor.RunCore(); err != nil {
		fmt.Fprintln(stderr, "ftpd core:", err)
		return exitError
	}
	return exitOK
}
