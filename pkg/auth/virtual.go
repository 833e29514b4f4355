package auth

import (
	"context"
	"fmt"

	"ftpd/pkg/config"
)

// Virtual lets the users of the configuration in, each [[user]] with a password. Everybody else is asked of Next; a name that has a
// password here never is, so that one password alone opens it.
type Virtual struct {
	users  map[string]matchFunc
	decoy  matchFunc // of names that nobody has; nil without users
	config *config.Config
	runAs  RunAs
	queue  *Queue // hashing takes a processor and memory, so logins take turns
	next   Authorizer
}

// NewVirtual refuses a configuration with a hash that cannot be used. A nil next knows nobody.
func NewVirtual(c *config.Config, r RunAs, queue *Queue, next Authorizer) (*Virtual, error) {
	v := &Virtual{users: map[string]matchFunc{}, config: c, runAs: r, queue: queue, next: next}
	for _, u := range c.Users {
		if u.Password == "" {
			continue
		}
		match, err := matcher(u.Password)
		if err != nil {
			return nil, fmt.Errorf("the password of [[user]] %q: %w", u.Name, err)
		}
		v.users[u.Name] = match
		if v.decoy == nil {
			v.decoy = match
		}
	}
	return v, nil
}

// Authenticate implements Authorizer. The core answers refusals after auth.failure_delay, whatever they took. Where a hash or the
// queue takes longer, an unknown name is told apart all the same, so it has a hash to wait for as well; PAM sees to that by itself.
func (v *Virtual) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	match, known := v.users[c.User]
	switch {
	case !known && v.next != nil:
		return v.next.Authenticate(ctx, c)
	case !known:
		match = v.decoy
	}
	ok, err := v.matches(ctx, match, c)
	switch {
	case err != nil:
		return nil, fmt.Errorf("check the password of %s: %w", c.User, err)
	case !known:
		return nil, refuse(c.User, "no such [[user]] with a password")
	case !ok:
		return nil, refuse(c.User, "wrong password")
	}
	return configured(v.config, v.runAs, c.User)
}

// matches waits for its turn.
func (v *Virtual) matches(ctx context.Context, match matchFunc, c Credentials) (bool, error) {
	if match == nil {
		return false, nil
	}
	if err := v.queue.Enter(ctx, c.Remote); err != nil {
		return false, err
	}
	defer v.queue.Leave()
	return match(c.Password)
}
