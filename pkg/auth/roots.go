package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ftpd/pkg/config"
)

// A login that finds the home's file system dead is refused; the thread that the kernel holds is lost until it lives again. So many
// are let go that way, for the whole service. A login beyond them waits.
const (
	homeTimeout = 5 * time.Second
	maxStuck    = 64
)

func (p *Policy) looks() chan struct{} {
	p.made.Do(func() { p.stuck = make(chan struct{}, maxStuck) })
	return p.stuck
}

// unserved refuses a home outside the roots, and one whose file system does not answer. With create, a
// missing one is made later.
func (p *Policy) unserved(ctx context.Context, name, home string, create bool) error {
	late := time.NewTimer(homeTimeout)
	defer late.Stop()
	select {
	case p.looks() <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return fmt.Errorf("%w: the file systems of %d homes do not answer", ErrBusy, maxStuck)
	}
	found := make(chan string, 1)
	go func() { // ends with the file system's answers
		defer func() { <-p.looks() }()
		found <- outside(p.Config, home, create, p.links)
	}()
	late.Reset(homeTimeout)
	select {
	case why := <-found:
		if why == "" {
			return nil
		}
		return refuse(name, why)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return refuse(name, fmt.Sprintf("the file system of home %s does not answer", home))
	}
}

// outside says why a home, a clean path, may not be served and what to add to the configuration, "" being nothing. Paths are compared with their
// symlinks resolved, for the kernel will do so when it keeps the core inside the roots.
func outside(c *config.Config, home string, create bool, links links) string {
	if !filepath.IsAbs(home) {
		return fmt.Sprintf("home %q is not an absolute path", home)
	}
	dir, roots := links.resolve(home), c.Roots()
	if config.NeverServed(dir) {
		return fmt.Sprintf("home %s is in /proc or /sys, which are never served", described(home, dir))
	}
	for _, root := range roots {
		if config.Within(dir, links.resolve(root)) && (filepath.Clean(root) != "/" || config.ByRoot(dir)) {
			return ""
		}
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return fmt.Sprintf("home %s does not exist", described(home, dir))
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

// links follows symlinks as filepath.EvalSymlinks does, which nil stands for.
type links func(string) (string, error)

// resolve follows the symlinks of a path as far as it exists and can be read.
func (l links) resolve(dir string) string {
	dir = filepath.Clean(dir)
	follow := l
	if l == nil {
		follow = filepath.EvalSymlinks
	}
	if real, err := follow(dir); err == nil {
		return real
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return dir
	}
	return filepath.Join(l.resolve(parent), filepath.Base(dir))
}
