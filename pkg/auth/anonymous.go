package auth

import (
	"context"
	"errors"
	"fmt"

	"ftpd/pkg/config"
)

// Anonymous accepts config.AnonymousUser (case-sensitive) with any password. It passes other
// names to Next.
type Anonymous struct {
	Config *config.Config
	RunAs  RunAs
	Next   Authorizer
}

// Authenticate implements Authorizer.
func (a *Anonymous) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	if !a.Config.Anonymous.Enabled || c.User != config.AnonymousUser {
		return a.Next.Authenticate(ctx, c)
	}
	return configured(a.Config, a.RunAs, config.AnonymousUser)
}

// configured returns the account of a user that exists in the configuration only. The user is
// in no system group, so no [[group]] applies.
func configured(c *config.Config, r RunAs, name string) (*Account, error) {
	settings, err := c.For(name, nil)
	if err != nil {
		return nil, refuse(name, err.Error())
	}
	as, err := r.identity(settings.RunAs)
	switch {
	case errors.Is(err, ErrBusy):
		return nil, fmt.Errorf("%s: %w", name, err)
	case err != nil:
		return nil, refuse(name, err.Error())
	}
	return &Account{Name: name, Home: settings.Home, As: as}, nil
}
