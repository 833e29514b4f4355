package auth

import (
	"context"
	"errors"
	"fmt"

	"ftpd/pkg/config"
)

// Anonymous lets anybody in as config.AnonymousUser (case-sensitive), with any password. Everybody else is asked of Next.
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

// configured is the account of a user whom only the configuration knows. It is in no system group, so no [[group]] is meant.
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
