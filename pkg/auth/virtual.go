package auth

import (
	"context"
	"fmt"

	"ftpd/pkg/config"
)

// Virtual lets the users of the configuration in, each [[user]] with a password. Everybody else is asked of Next; a name that has a
// password here never is, so that one password alone opens it.
type Virtual struct {
	users  map[string]config.Hash
	config *config.Config
	runAs  RunAs
	queue  *Queue // hashing takes a processor and memory, so logins take turns
	next   Authorizer
}

// NewVirtual refuses a configuration with a hash that cannot be used. A nil next knows nobody.
func NewVirtual(c *config.Config, r RunAs, queue *Queue, next Authorizer) (*Virtual, error) {
	v := &Virtual{users: map[string]config.Hash{}, config: c, runAs: r, queue: queue, next: next}
	for _, u := range c.Users {
		if u.Password == "" {
			continue
		}
		if err := CheckHash(u.Password); err != nil {
			return nil, fmt.Errorf("the password of [[user]] %q: %w", u.Name, err)
		}
		v.users[u.Name] = u.Password
	}
	return v, nil
}

// Authenticate implements Authorizer.
func (v *Virtual) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	hash, known := v.users[c.User]
	switch {
	case !known && v.next != nil:
		return v.next.Authenticate(ctx, c)
	case !known:
		return nil, refuse(c.User, "no such [[user]] with a password")
	}
	if err := v.queue.Enter(ctx, c.Remote); err != nil {
		return nil, err
	}
	match, err := matches(hash, c.Password)
	v.queue.Leave()
	if err != nil {
		return nil, fmt.Errorf("check the password of %s: %w", c.User, err)
	}
	if !match {
		return nil, refuse(c.User, "wrong password")
	}
	return configured(v.config, v.runAs, c.User)
}
