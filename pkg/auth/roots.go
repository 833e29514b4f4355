package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// A login is refused if the file system of its home does not answer. The thread that waits in
// the kernel is lost until the file system answers again. At most one thread is lost for each
// home, so that users with other homes can log in, and the number is bounded for the whole
// service.
const (
	homeTimeout = 5 * time.Second
	maxLooks    = 1024
)

// A look is one examination of a home. Logins with the same home share it while it runs.
type look struct {
	until time.Time     // after this time the file system counts as dead
	done  chan struct{} // closed when the file system has answered; why is valid then
	why   string        // why the home is refused, or ""
}

// settle refuses a home outside the roots, and a home on a file system that does not answer. It
// creates a missing home if the configuration requests it.
func (p *Policy) settle(ctx context.Context, a *Account, s config.Effective) error {
	for _, dir := range append([]string{a.Home}, directories(s.Mounts)...) {
		if err := p.lost(dir); err != nil {
			return refuse(a.Name, err.Error())
		}
	}
	l := p.look(a, s)
	if l == nil {
		return fmt.Errorf("%w: the file systems of %d homes do not answer", ErrBusy, maxLooks)
	}
	timer := time.NewTimer(time.Until(l.until))
	defer timer.Stop()
	select {
	case <-l.done:
		if l.why == "" {
			return nil
		}
		return refuse(a.Name, l.why)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return refuse(a.Name, fmt.Sprintf("the file system of home %s does not answer", a.Home))
	}
}

// directories returns the directories of the mounts.
func directories(mounts []config.Mount) (dirs []string) {
	for _, m := range mounts {
		dirs = append(dirs, m.Directory)
	}
	return dirs
}

// lost calls Lost, if there is one.
func (p *Policy) lost(dir string) error {
	if p.Lost == nil {
		return nil
	}
	return p.Lost(dir)
}

// look starts a look at the home of an account, or returns the one that runs. It returns nil if
// there are too many.
func (p *Policy) look(a *Account, s config.Effective) *look {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.looks[a.Home]; l != nil {
		return l
	}
	if len(p.looks) >= maxLooks {
		return nil
	}
	if p.looks == nil {
		p.looks = map[string]*look{}
	}
	l := &look{until: time.Now().Add(homeTimeout), done: make(chan struct{})}
	p.looks[a.Home] = l
	home, owner := a.Home, a.As
	go func() { // ends when the file system answers
		dir := p.links.resolve(home)
		l.why = p.outside(home, dir, s.CreateHome)
		if l.why == "" && s.CreateHome {
			l.why = p.makeHome(dir, owner, s.Umask)
		}
		p.mu.Lock()
		delete(p.looks, home)
		p.mu.Unlock()
		close(l.done)
	}()
	return l
}

// makeHome creates a missing home. It returns why that failed, or "".
func (p *Policy) makeHome(home string, owner *impersonate.Credentials, umask config.Mode) string {
	if p.MakeHome == nil {
		return ""
	}
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return "" // if the home cannot be used, the core reports it
	}
	if err := p.MakeHome(home, owner, umask); err != nil {
		return err.Error()
	}
	return ""
}

// outside returns why a home, which is a clean path, may not be served, with the change to the
// configuration that would permit it. It returns "" if the home may be served. Symlinks are
// resolved before paths are compared, because the kernel does the same when it confines the core
// to the roots. dir is the resolved home. The core compares the directory that it has opened once
// more, because a user may exchange a link in between.
func (p *Policy) outside(home, dir string, create bool) string {
	if !filepath.IsAbs(home) {
		return fmt.Sprintf("home %q is not an absolute path", home)
	}
	roots := p.Config.Roots()
	if config.NeverServed(dir) {
		return fmt.Sprintf("home %s is in /proc or /sys, which are never served",
			described(home, dir))
	}
	if p.inRoots(dir, roots) {
		return ""
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return fmt.Sprintf("home %s does not exist", described(home, dir))
	}
	if len(p.Config.Server.Roots) > 0 {
		return fmt.Sprintf("home %s is outside server.roots; add %q to it",
			described(home, dir), dir)
	}
	var list []string
	for _, root := range append(roots, dir) {
		list = append(list, fmt.Sprintf("%q", root))
	}
	return fmt.Sprintf("home %s is outside the directories served; "+
		"to serve it set server.roots = [%s]", described(home, dir), strings.Join(list, ", "))
}

// inRoots reports whether a path without symlinks is in one of the roots. It first compares the
// roots as they are written: a root above the path then has no symlinks either. Only if none
// matches, it resolves the symlinks of the roots, for which their file systems must answer.
func (p *Policy) inRoots(dir string, roots []string) bool {
	return config.Serves(roots, dir) || slices.ContainsFunc(roots, func(root string) bool {
		return root != "/" && p.lost(root) == nil && config.Within(dir, p.links.resolve(root))
	})
}

// described returns the home with the resolved path, if that differs.
func described(home, resolved string) string {
	if home == resolved {
		return home
	}
	return fmt.Sprintf("%s (%s)", home, resolved)
}

// links resolves symlinks. nil means filepath.EvalSymlinks; tests use another function.
type links func(string) (string, error)

// resolve resolves the symlinks of a path, as far as the path exists and can be read.
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
