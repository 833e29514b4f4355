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

// A Policy lets those of a backend's users in whom the configuration lets in: auth.deny, auth.allow, disabled, expires, allow_from,
// and a home inside server.roots. Names compare as bytes, with the name that the backend gives back.
type Policy struct {
	Config  *config.Config
	Backend Authorizer
	Now     func() time.Time // nil is time.Now
	// MakeHome makes a missing home for its user, who is nil where nobody is impersonated; nil makes none.
	MakeHome func(home string, owner *impersonate.Credentials, umask config.Mode) error

	// Lost returns why a directory of the host cannot be served now, nil for those that can; nil: all can.
	Lost func(dir string) error

	links links

	mu    sync.Mutex
	looks map[string]*look // guarded by mu; of homes that are being looked at
}

// Authenticate implements Authorizer. The account's home is that of the configuration where it names one.
func (p *Policy) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	// The backend is spared the names that can only be refused: guessing root's password here must not lock root out elsewhere.
	if slices.Contains(p.Config.Auth.Deny, c.User) {
		return nil, refuse(c.User, "named in auth.deny")
	}
	a, err := p.Backend.Authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	if a.Name != c.User && p.Config.KnowsAlone(a.Name) {
		return nil, refuse(a.Name, fmt.Sprintf("the system lets %q in by that name, which is another user's in the configuration", c.User))
	}
	if why := p.listed(a); why != "" {
		return nil, refuse(a.Name, why)
	}
	settings, err := p.Config.For(a.Name, a.Groups)
	if err != nil {
		return nil, refuse(a.Name, err.Error())
	}
	if why := p.forbidden(settings, c); why != "" {
		return nil, refuse(a.Name, why)
	}
	if settings.Home != "" {
		a.Home = settings.Home
	}
	a.Home = filepath.Clean(a.Home)
	if err := p.settle(ctx, a, settings); err != nil {
		return nil, err
	}
	return a, nil
}

func refuse(name, why string) error { return &Refusal{Cause: name + ": " + why} }

// listed says what auth.deny and auth.allow have against the user, "" being nothing.
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

// match finds the entry, a name or "@group", that means the account.
func match(entries []string, a *Account) (string, bool) {
	for _, entry := range entries {
		group, isGroup := strings.CutPrefix(entry, "@")
		if entry == a.Name || isGroup && slices.Contains(a.Groups, group) {
			return entry, true
		}
	}
	return "", false
}

// forbidden says what the user's settings have against a login now and from there.
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
