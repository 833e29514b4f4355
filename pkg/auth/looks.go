package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// homeTimeout is how long a login waits for the file system of its home.
const homeTimeout = 5 * time.Second

// errSilent is the error of a look at a file system that does not answer.
var errSilent = errors.New("the file system does not answer")

// A look is one examination of a home. Logins with the same home share it while it runs.
type look struct {
	until    time.Time // after this time the file system counts as dead
	systems  *fileSystems
	systemOf func(path string) string
	readlink func(path string) (string, error)

	done chan struct{} // closed when the look has ended; err is valid then
	err  error         // why the home is refused; errSilent; it wraps ErrBusy without a thread
}

func (p *Policy) newLook() *look {
	l := &look{
		until:    time.Now().Add(homeTimeout),
		systems:  &p.systems,
		systemOf: func(path string) string { return path },
		readlink: p.readlink,
		done:     make(chan struct{}),
	}
	if p.FileSystems != nil {
		l.systemOf = p.FileSystems()
	}
	if l.readlink == nil {
		l.readlink = readlink
	}
	return l
}

// call runs f, which makes calls on the file system at a path. The error is that of f, or errSilent
// or ErrBusy without a call.
func (l *look) call(path string, f func() error) error {
	return l.systems.call(l.systemOf(path), l.until, f)
}

// maxLinks bounds the links of a path, as the kernel does.
const maxLinks = 40

// resolve resolves the symlinks of an absolute path, as far as the path exists and can be read. It
// makes one call for each directory, so that each call is on a file system that is known before.
func (l *look) resolve(path string) (string, error) {
	const separator = string(filepath.Separator)
	top := func(path string) (at, rest string) {
		volume := filepath.VolumeName(path)
		return volume + separator, path[len(volume):]
	}
	at, rest := top(filepath.Clean(path))
	for links := 0; rest != ""; {
		var name, target string
		name, rest, _ = strings.Cut(rest, separator)
		next := filepath.Join(at, name) // of "..", the directory above: at has no links
		if len(next) <= len(at) {
			at = next
			continue
		}
		err := l.call(next, func() (err error) {
			target, err = l.readlink(next)
			return err
		})
		switch {
		case err == errSilent, errors.Is(err, ErrBusy):
			return "", err
		case err != nil || links == maxLinks: // the rest does not exist, or cannot be read
			return filepath.Join(next, rest), nil
		case target == "":
			at = next
			continue
		}
		links++
		rest = filepath.FromSlash(target) + separator + rest
		if filepath.IsAbs(target) {
			at, rest = top(rest)
		}
	}
	return at, nil
}

// readlink returns the target of a symlink, and "" for any other file.
func readlink(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return "", err
	}
	return os.Readlink(path)
}

// A call on a file system that does not answer occupies a thread until that answers again. So the
// number of calls is bounded, for each file system and for all together. A look beyond the bound of
// its file system waits without a thread, and users with homes elsewhere can log in. The bound of
// all is reached only if very many file systems do not answer.
const (
	callsOfOne = 16
	callsOfAll = 1024
)

// fileSystems bounds the calls of looks.
type fileSystems struct {
	mu      sync.Mutex
	calls   int                    // guarded by mu; running calls
	systems map[string]*fileSystem // guarded by mu; those with running or waiting calls
}

// A fileSystem has the calls on one file system.
type fileSystem struct {
	turns chan struct{} // holds a value for each running call
	users int           // guarded by fileSystems.mu; running and waiting calls
}

// call runs f, which makes calls on the file system with that name. The error is that of f;
// errSilent if there was no turn until then; it wraps ErrBusy if too many calls run elsewhere.
func (s *fileSystems) call(name string, until time.Time, f func() error) error {
	at := s.enter(name)
	defer s.leave(name, at)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case at.turns <- struct{}{}:
		defer func() { <-at.turns }()
	case <-timer.C:
		return errSilent
	}
	if !s.add(1) {
		return fmt.Errorf("%w: too many file systems of homes do not answer", ErrBusy)
	}
	defer s.add(-1)
	return f()
}

func (s *fileSystems) enter(name string) *fileSystem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.systems == nil {
		s.systems = map[string]*fileSystem{}
	}
	at := s.systems[name]
	if at == nil {
		at = &fileSystem{turns: make(chan struct{}, callsOfOne)}
		s.systems[name] = at
	}
	at.users++
	return at
}

func (s *fileSystems) leave(name string, at *fileSystem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(s.systems, name)
	}
}

// add adds n running calls. It reports whether the bound permits that.
func (s *fileSystems) add(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls+n > callsOfAll {
		return false
	}
	s.calls += n
	return true
}
