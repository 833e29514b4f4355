// Package roots opens the directories that the configuration serves, for processes that are confined
// to them. A root that cannot be opened is left out, and the others are served.
package roots

import (
	"context"
	"errors"
	"io/fs"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
)

// Look opens the roots of the configuration once, and warns of those that cannot be used.
func Look(c *config.Config, log zerolog.Logger) ([]sandbox.Root, error) {
	roots, err := sandbox.Look(context.Background(), expand(c)...)
	for _, r := range roots {
		if r.Err != nil && !errors.Is(r.Err, fs.ErrNotExist) {
			warnLeftOut(log, r.Path, r.Err)
		}
	}
	return roots, err
}

// expand returns the directories that the roots of the configuration stand for.
func expand(c *config.Config) []string { return config.ExpandRoots(c.Roots(), sandbox.TopNames()) }

// warnLeftOut logs that a root cannot be used.
func warnLeftOut(log zerolog.Logger, root string, err error) {
	log.Warn().Str("directory", root).Err(err).
		Msg("this root is left out: users whose home is there are refused")
}
