package main

import (
	"fmt"
	"os"

	"ftpd/pkg/sandbox"
)

// confined marks the run that confine has started.
const confined = "FTPD_CONFINED"

// isConfined says whether this is the run that confine has started, or one that somebody else confines.
func isConfined() bool { return os.Getenv(confined) != "" }

// confine runs the program again, confined, with the time zone's files to read and env besides, and returns in that run. Where the kernel
// has no such layer it returns at once, and the layers tell what is missing.
func confine(c sandbox.Confinement, env ...string) (sandbox.Layers, error) {
	layers := sandbox.Probe()
	if layers.Landlock == "" || isConfined() {
		return layers, nil
	}
	c.ReadOnly = append(c.ReadOnly, "/etc/localtime", "/usr/share/zoneinfo")
	if err := sandbox.Exec(append(append(os.Environ(), confined+"=1"), env...), c); err != nil {
		return layers, fmt.Errorf("confine the process: %w", err)
	}
	return layers, nil
}
