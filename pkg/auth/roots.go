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

// A login that finds the home's file system dead is refused; the thread that the kernel holds is lost until it lives again. That is one
// for each home, so that those whose homes answer are let in, and so many for the whole service.
const (
	homeTimeout = 5 * time.Second
	maxLooks    = 1024
)

// A look at a home is shared by the logins that come while it lasts.
type look struct {
	until time.Time     // later, its file system is taken for dead
	done  chan struct{} // closed when the file system has answered; why may be read then
	why   string
}

// settle refuses a home outside the roots, and one whose file system does not answer. It makes the home where that is missing and the
// configuration wants it.
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
	late := time.NewTimer(time.Until(l.until))
	defer late.Stop()
	select {
	case <-l.done:
		if l.why == "" {
			return nil
		}
		return refuse(a.Name, l.why)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return refuse(a.Name, fmt.Sprintf("the file system of home %s does not answer", a.Home))
	}
}

func directories(mounts []config.Mount) (dirs []string) {
	for _, m := range mounts {
		dirs = append(dirs, m.Directory)
	}
	return dirs
}

// lost is Lost where there is one.
func (p *Policy) lost(dir string) error {
	if p.Lost == nil {
		return nil
	}
	return p.Lost(dir)
}

// look begins a look at the account's home, or returns the one that has begun; nil where there are too many.
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
	go func() { // ends with the file system's answers
		l.why = p.outside(home, s.CreateHome)
		if l.why == "" && s.CreateHome {
			l.why = p.makeHome(home, owner, s.Umask)
		}
		p.mu.Lock()
		delete(p.looks, home)
		p.mu.Unlock()
		close(l.done)
	}()
	return l
}

// makeHome makes a missing home, and says why it could not.
func (p *Policy) makeHome(home string, owner *impersonate.Credentials, umask config.Mode) string {
	if p.MakeHome == nil {
		return ""
	}
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return "" // the core says what is wrong with it
	}
	if err := p.MakeHome(home, owner, umask); err != nil {
		return err.Error()
	}
	return ""
}

// outside says why a home, a clean path, may not be served and what to add to the configuration, "" being nothing. Paths are compared with their
// symlinks resolved, for the kernel will do so when it keeps the core inside the roots.
func (p *Policy) outside(home string, create bool) string {
	if !filepath.IsAbs(home) {
		return fmt.Sprintf("home %q is not an absolute path", home)
	}
	dir, roots := p.links.resolve(home), p.Config.Roots()
	if config.NeverServed(dir) {
		return fmt.Sprintf("home %s is in /proc or /sys, which are never served", described(home, dir))
	}
	if p.inRoots(dir, roots) {
		return ""
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return fmt.Sprintf("home %s does not exist", described(home, dir))
	}
	if len(p.Config.Server.Roots) > 0 {
		return fmt.Sprintf("home %s is outside server.roots; add %q to it", described(home, dir), dir)
	}
	var list []string
	for _, root := range append(roots, dir) {
		list = append(list, fmt.Sprintf("%q", root))
	}
	return fmt.Sprintf("home %s is outside the directories served; to serve it set server.roots = [%s]", described(home, dir), strings.Join(list, ", "))
}

// inRoots reports whether a path without symlinks lies in one of the roots. As written, a root above it
// has no symlinks either; only for the other roots these are resolved, which their file systems do.
func (p *Policy) inRoots(dir string, roots []string) bool {
	in := func(root, real string) bool {
		return config.Within(dir, real) && (filepath.Clean(root) != "/" || config.ByRoot(dir))
	}
	return slices.ContainsFunc(roots, func(root string) bool { return in(root, filepath.Clean(root)) }) ||
		slices.ContainsFunc(roots, func(root string) bool {
			return p.lost(root) == nil && in(root, p.links.resolve(root))
		})
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
