package auth

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// A Policy accepts a user of a backend only if the configuration permits the login. It applies
// auth.deny, auth.allow, disabled, expires and allow_from, and the home must be inside
// server.roots. Names are compared as bytes. The name of a user is the one that the backend
// returns.
type Policy struct {
	Config  *config.Config
	Backend Authorizer
	Now     func() time.Time // nil means time.Now
	// MakeHome creates a missing home for its owner, which is nil without impersonation. The path
	// has no links. A nil MakeHome creates none.
	MakeHome func(home string, owner *impersonate.Credentials, umask config.Mode) error

	// Lost returns why a directory of the host cannot be served now, or nil if it can. A nil Lost
	// means that all directories can be served.
	Lost func(dir string) error

	// FileSystems returns a function that names the file system of a path of the host, without any
	// access to it. Nil stands for a file system for each path.
	FileSystems func() func(path string) string

	readlink func(path string) (target string, err error) // of a look; nil: that of the system

	systems fileSystems
	mu      sync.Mutex
	looks   map[string]*look // guarded by mu; running looks, by home
}

// Authenticate implements Authorizer. The account has the home of the configuration, if that
// names one.
func (p *Policy) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	// A name that is refused in any case does not reach the backend, so that guessing the
	// password of root here cannot lock root out of other services.
	if slices.Contains(p.Config.Auth.Deny, c.User) {
		return nil, refuse(c.User, "named in auth.deny")
	}
	a, err := p.Backend.Authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := p.admit(ctx, a, c); err != nil {
		a.End()
		return nil, err
	}
	return a, nil
}

// admit checks an account of the backend, and gives it the home of the configuration.
func (p *Policy) admit(ctx context.Context, a *Account, c Credentials) error {
	if a.Name != c.User && p.Config.KnowsAlone(a.Name) {
		return refuse(a.Name, fmt.Sprintf("the system lets %q in by that name, "+
			"which is another user's in the configuration", c.User))
	}
	if why := p.listed(a); why != "" {
		return refuse(a.Name, why)
	}
	settings, err := p.Config.For(a.Name, a.Groups)
	if err != nil {
		return refuse(a.Name, err.Error())
	}
	if why := p.forbidden(settings, c); why != "" {
		return refuse(a.Name, why)
	}
	if settings.Home != "" {
		a.Home = settings.Home
	}
	a.Home = filepath.Clean(a.Home)
	return p.settle(ctx, a, settings)
}

// refuse returns a Refusal for the log.
func refuse(name, why string) error { return &Refusal{Cause: name + ": " + why} }

// listed returns why auth.deny or auth.allow refuses the user, or "".
func (p *Policy) listed(a *Account) string {
	if entry, ok := match(p.Config.Auth.Deny, a); ok {
		return entry + " is named in auth.deny"
	}
	allow := p.Config.Auth.Allow
	if _, ok := match(allow, a); !ok && len(allow) > 0 {
		return "neither the name nor a group is in auth.allow"
	}
	return ""
}

// match returns the entry, a name or "@group", that matches the account.
func match(entries []string, a *Account) (string, bool) {
	for _, entry := range entries {
		group, isGroup := strings.CutPrefix(entry, "@")
		if entry == a.Name || isGroup && slices.Contains(a.Groups, group) {
			return entry, true
		}
	}
	return "", false
}

// forbidden returns why the settings of the user refuse a login now and from this address, or
// "".
func (p *Policy) forbidden(s config.Effective, c Credentials) string {
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	switch {
	case s.Disabled:
		return "disabled in the configuration"
	case s.Expires.Over(now()):
		return fmt.Sprintf("expired on %s (expires)", s.Expires)
	case len(s.AllowFrom) > 0 && !s.AllowFrom.Contains(c.Remote):
		return fmt.Sprintf("%s is not in allow_from", c.Remote)
	}
	return ""
}
