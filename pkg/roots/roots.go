// Package roots opens the directories that the configuration serves, for processes that are confined
// to them. A root that cannot be opened is left out, and the others are served.
package roots

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
)

// Look opens the roots of the configuration once, and warns of those that cannot be used.
func Look(c *config.Config, log zerolog.Logger) ([]sandbox.Root, error) {
	roots, err := sandbox.Look(context.Background(), expand(c)...)
	roots = withoutExcluded(c.Roots(), roots)
	for _, r := range roots {
		if r.Err != nil && !errors.Is(r.Err, fs.ErrNotExist) {
			warnLeftOut(log, r.Path, r.Err)
		}
	}
	return roots, err
}

// expand returns the directories that the roots of the configuration stand for.
func expand(c *config.Config) []string { return config.ExpandRoots(c.Roots(), sandbox.TopNames()) }

// Places returns the roots of the configuration, as they are written and as opened has resolved
// them. The directories that are served are compared with them once they are open.
func Places(c *config.Config, opened []sandbox.Root) []string {
	named := c.Roots()
	places := named
	for _, r := range opened {
		if r.Err == nil && slices.Contains(named, r.Path) {
			places = append(places, r.Real)
		}
	}
	return places
}

// withoutExcluded closes and removes the roots that lead to a directory that is never served, or
// that "/" in server.roots does not include: the entries of "/" can be links. named are the roots
// of the configuration.
func withoutExcluded(named []string, roots []sandbox.Root) []sandbox.Root {
	return slices.DeleteFunc(roots, func(r sandbox.Root) bool {
		byRoot := filepath.Dir(r.Path) == "/" && !slices.Contains(named, r.Path)
		excluded := config.NeverServed(r.Real) || byRoot && !config.ByRoot(r.Real)
		if excluded {
			sandbox.Close([]sandbox.Root{r})
		}
		return excluded
	})
}

// warnLeftOut logs that a root cannot be used.
func warnLeftOut(log zerolog.Logger, root string, err error) {
	log.Warn().Str("directory", root).Err(err).
		Msg("this root is left out: users whose home is there are refused")
}
