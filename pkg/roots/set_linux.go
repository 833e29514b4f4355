package roots

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
)

// A Set opens the roots for each core, and records the roots that had to be left out. A root is
// left out if its file system is dead or hangs, so that it is missing for its own users alone.
type Set struct {
	config *config.Config
	log    zerolog.Logger
	opener *sandbox.Opener
	mounts *mountWatch

	// instead has the directory that is opened in place of a root: the automounter, for each root
	// that is a link into an automounter.
	instead map[string]string

	// leadsTo has the path without links for each root of the configuration that has been opened.
	leadsTo map[string]string

	mu   sync.Mutex
	lost map[string]error // guarded by mu; the reason for each root that is left out
}

// NewSet returns a Set for the roots of the configuration.
func NewSet(c *config.Config, log zerolog.Logger) (*Set, error) {
	opener, err := sandbox.NewOpener()
	if err != nil {
		return nil, err
	}
	return &Set{
		config:  c,
		log:     log,
		opener:  opener,
		mounts:  watchMounts(),
		instead: map[string]string{},
		leadsTo: map[string]string{},
	}, nil
}

// Mounted receives a value when a file system was mounted over a root, or unmounted from it.
func (s *Set) Mounted() <-chan struct{} { return s.mounts.changed }

// Answered receives a value when a root that was left out answers.
func (s *Set) Answered() <-chan struct{} { return s.opener.Answered }

// MountFirst makes autofs mount the file systems that belong over roots. Later, autofs mounts them
// only when such a root is used.
func (s *Set) MountFirst(ctx context.Context) error {
	table := readMounts()
	var unmounted []string
	for _, root := range expand(s.config) {
		if awaitsMount(table, root) {
			unmounted = append(unmounted, root+"/.")
		}
	}
	roots, err := s.opener.Open(ctx, unmounted, func(string) string { return "" })
	sandbox.Close(roots)
	return err
}

// Open opens the roots for a core. From now on, changes of mounts at these roots are reported.
func (s *Set) Open(ctx context.Context) ([]sandbox.Root, error) {
	table := readMounts()
	mounted := func(path string) string { return mountsAt(table, path) }
	watched, paths := s.toOpen(table)
	s.mounts.cover(table, watched)
	roots, err := s.opener.Open(ctx, paths, mounted)
	if err != nil {
		return nil, err
	}
	named, links := s.config.Roots(), false
	roots = withoutExcluded(named, roots)
	for _, r := range roots {
		if r.Err == nil && slices.Contains(named, r.Path) {
			s.leadsTo[r.Path] = r.Real
		}
		if path := automounter(table, r.Real); path != r.Real && s.instead[r.Path] != path {
			s.instead[r.Path], links = path, true
		}
		watched = append(watched, r.Real)
	}
	if links {
		sandbox.Close(roots)
		return s.Open(ctx)
	}
	s.mounts.cover(table, watched)
	s.leaveOut(roots)
	return roots, nil
}

// Places returns the roots of the configuration, as they are written and as Open has resolved them.
// A core compares the homes that it has opened with them.
func (s *Set) Places() []string {
	return append(s.config.Roots(), slices.Sorted(maps.Values(s.leadsTo))...)
}

// toOpen returns the directories at which mounts have to be watched, and those of them that can be
// opened without mounting anything.
func (s *Set) toOpen(table []mount) (watched, paths []string) {
	seen := map[string]bool{}
	for _, root := range expand(s.config) {
		path := automounter(table, root)
		if other, ok := s.instead[root]; ok {
			path = other
		}
		if seen[path] {
			continue
		}
		seen[path] = true
		watched = append(watched, path)
		if !awaitsMount(table, path) {
			paths = append(paths, path)
		}
	}
	return watched, paths
}

// leaveOut records the roots that could not be opened. It warns of each that was not left out
// before.
func (s *Set) leaveOut(roots []sandbox.Root) {
	lost := map[string]error{}
	var absent []string
	for _, r := range roots {
		if r.Err != nil {
			lost[r.Path] = r.Err
		}
	}
	s.mu.Lock()
	before := s.lost
	s.lost = lost
	s.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(lost)) {
		switch err := lost[path]; {
		case before[path] != nil:
		case errors.Is(err, fs.ErrNotExist):
			absent = append(absent, path)
		default:
			warnLeftOut(s.log, path, err)
		}
	}
	if len(absent) > 0 {
		s.log.Warn().Strs("roots", absent).
			Msg("roots that do not exist are served only after the next start")
	}
}

// LostError returns the reason why a directory lies in a root that is left out, nil for all others.
func (s *Set) LostError(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, err := range s.lost {
		if errors.Is(err, fs.ErrNotExist) {
			continue // the core reports it
		}
		if config.Within(dir, path) {
			return fmt.Errorf("%s is left out of what is served: %w; "+
				"it is tried again when it answers, or is mounted again", path, err)
		}
	}
	return nil
}
