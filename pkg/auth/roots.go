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
	"ftpd/pkg/impersonate"
)

// settle refuses a home outside the roots, and a home on a file system that does not answer. It
// creates a missing home if the configuration requests it.
func (p *Policy) settle(ctx context.Context, a *Account, s config.Effective) error {
	for _, dir := range append([]string{a.Home}, directories(s.Mounts)...) {
		if err := p.lost(dir); err != nil {
			return refuse(a.Name, err.Error())
		}
	}
	if !filepath.IsAbs(a.Home) {
		return refuse(a.Name, fmt.Sprintf("home %q is not an absolute path", a.Home))
	}
	l := p.look(a, s)
	timer := time.NewTimer(time.Until(l.until))
	defer timer.Stop()
	err := errSilent
	select {
	case <-l.done:
		err = l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrBusy):
		return err
	case err == errSilent:
		return refuse(a.Name, fmt.Sprintf("the file system of home %s does not answer", a.Home))
	}
	return refuse(a.Name, err.Error())
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

// look starts a look at the home of an account, or returns the one that runs.
func (p *Policy) look(a *Account, s config.Effective) *look {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.looks[a.Home]; l != nil {
		return l
	}
	if p.looks == nil {
		p.looks = map[string]*look{}
	}
	l := p.newLook()
	p.looks[a.Home] = l
	home, owner := a.Home, a.As
	go func() { // ends when the file system answers, or when there is no turn for a call
		l.err = p.examine(l, home, owner, s)
		p.mu.Lock()
		delete(p.looks, home)
		p.mu.Unlock()
		close(l.done)
	}()
	return l
}

// examine returns why a home may not be served now, and creates it if it is missing and the
// settings request that. Symlinks are resolved before paths are compared, because the kernel does
// the same when it confines the core to the roots. The core compares the directory that it has
// opened once more, because a user may exchange a link in between.
func (p *Policy) examine(
	l *look, home string, owner *impersonate.Credentials, s config.Effective,
) error {
	dir, err := l.resolve(home)
	if err != nil {
		return err
	}
	if err := p.outside(l, home, dir, s.CreateHome); err != nil || !s.CreateHome {
		return err
	}
	return l.call(dir, func() error { return p.makeHome(dir, owner, s.Umask) })
}

// makeHome creates a missing home.
func (p *Policy) makeHome(home string, owner *impersonate.Credentials, umask config.Mode) error {
	if p.MakeHome == nil {
		return nil
	}
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return nil // if the home cannot be used, the core reports it
	}
	return p.MakeHome(home, owner, umask)
}

// outside returns why a home, which is a clean path, may not be served, with the change to the
// configuration that would permit it. dir is the resolved home.
func (p *Policy) outside(l *look, home, dir string, create bool) error {
	roots := p.Config.Roots()
	if config.NeverServed(dir) {
		return fmt.Errorf("home %s is in /proc or /sys, which are never served",
			described(home, dir))
	}
	if in, err := p.inRoots(l, dir, roots); in || err != nil {
		return err
	}
	err := l.call(dir, func() error {
		_, err := os.Stat(dir)
		return err
	})
	switch {
	case err == errSilent, errors.Is(err, ErrBusy):
		return err
	case errors.Is(err, fs.ErrNotExist) && !create:
		return fmt.Errorf("home %s does not exist", described(home, dir))
	case len(p.Config.Server.Roots) > 0:
		return fmt.Errorf("home %s is outside server.roots; add %q to it",
			described(home, dir), dir)
	}
	var list []string
	for _, root := range append(roots, dir) {
		list = append(list, fmt.Sprintf("%q", root))
	}
	return fmt.Errorf("home %s is outside the directories served; "+
		"to serve it set server.roots = [%s]", described(home, dir), strings.Join(list, ", "))
}

// inRoots reports whether a path without symlinks is in one of the roots. It first compares the
// roots as they are written: a root above the path then has no symlinks either. Only if none
// matches, it resolves the symlinks of the roots, for which their file systems must answer.
func (p *Policy) inRoots(l *look, dir string, roots []string) (bool, error) {
	if config.Serves(roots, dir) {
		return true, nil
	}
	for _, root := range roots {
		if root == "/" || p.lost(root) != nil {
			continue
		}
		real, err := l.resolve(root)
		if err != nil || config.Within(dir, real) {
			return err == nil, err
		}
	}
	return false, nil
}

// described returns the home with the resolved path, if that differs.
func described(home, resolved string) string {
	if home == resolved {
		return home
	}
	return fmt.Sprintf("%s (%s)", home, resolved)
}
