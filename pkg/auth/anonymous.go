package auth

import (
	"context"

	"ftpd/pkg/config"
)

// Anonymous lets anybody in as config.AnonymousUser (case-sensitive), with any password, and nobody else.
type Anonymous struct{ Config *config.Config }

// Authenticate implements Authorizer.
func (a *Anonymous) Authenticate(_ context.Context, c Credentials) (*Account, error) {
	if !a.Config.Anonymous.Enabled {
		return nil, &Refusal{Cause: "anonymous is not enabled"}
	}
	if c.User != config.AnonymousUser {
		return nil, &Refusal{Cause: "only anonymous may log in"}
	}
	return &Account{Name: config.AnonymousUser, Home: a.Config.Anonymous.Directory}, nil
}
