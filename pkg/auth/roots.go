package auth

import (
	"fmt"
	"path/filepath"
	"strings"

	"ftpd/pkg/config"
)

// outside says why a home, a clean path, may not be served and what to add to the configuration, "" being nothing. Paths are compared with their
// symlinks resolved, for the kernel will do so when it keeps the core inside the roots.
func outside(c *config.Config, home string) string {
	if !filepath.IsAbs(home) {
		return fmt.Sprintf("home %q is not an absolute path", home)
	}
	dir, roots := resolve(home), c.Roots()
	if config.NeverServed(dir) {
		return fmt.Sprintf("home %s is in /proc or /sys, which are never served", described(home, dir))
	}
	for _, root := range roots {
		if inside(dir, resolve(root)) && (filepath.Clean(root) != "/" || config.ByRoot(dir)) {
			return ""
		}
	}
	if len(c.Server.Roots) > 0 {
		return fmt.Sprintf("home %s is outside server.roots; add %q to it", described(home, dir), dir)
	}
	var list []string
	for _, root := range append(roots, dir) {
		list = append(list, fmt.Sprintf("%q", root))
	}
	return fmt.Sprintf("home %s is outside the directories served; to serve it set server.roots = [%s]", described(home, dir), strings.Join(list, ", "))
}

func described(home, resolved string) string {
	if home == resolved {
		return home
	}
	return fmt.Sprintf("%s (%s)", home, resolved)
}

// resolve follows the symlinks of a path as far as it exists and can be read.
func resolve(dir string) string {
	dir = filepath.Clean(dir)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return dir
	}
	return filepath.Join(resolve(parent), filepath.Base(dir))
}

// inside tells whether dir is root or below it; both are clean.
func inside(dir, root string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel)
}
