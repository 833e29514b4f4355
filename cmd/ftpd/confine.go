package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
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

// runOpenRoots is the process that opens roots for another one of this program; a dead file system may hold it up.
func runOpenRoots(args []string, _, stderr io.Writer) int {
	if err := sandbox.ServeOpen(args); err != nil {
		fmt.Fprintln(stderr, "ftpd open-roots:", err)
		return exitError
	}
	return exitOK
}

// servedRoots opens the directories that the configuration serves, and warns of those that cannot be used.
func servedRoots(c *config.Config, log zerolog.Logger) ([]sandbox.Root, error) {
	roots, err := sandbox.Look(context.Background(), config.ExpandRoots(c.Roots(), sandbox.TopNames())...)
	for _, r := range roots {
		if r.Err != nil && !errors.Is(r.Err, fs.ErrNotExist) {
			supervisor.WarnLeftOut(log, r.Path, r.Err)
		}
	}
	return roots, err
}
