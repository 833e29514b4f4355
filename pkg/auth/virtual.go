package auth

import (
	"context"
	"fmt"

	"ftpd/pkg/config"
)

// Virtual logs in the users of the configuration: each [[user]] with a password. It passes other
// names to next. It never passes on a name that has a password in the configuration, so that
// only this password is valid for the name.
type Virtual struct {
	users   map[string]config.Hash
	decoy   config.Hash // for names without a user, so that they take as long; "" without users
	config  *config.Config
	runAs   RunAs
	queue   *Queue // bounds how many logins use a processor and memory for hashing
	compare CompareFunc
	next    Authorizer
}

// NewVirtual returns a Virtual, or an error for a configuration with a hash that cannot be
// used. Without next, other names are refused.
func NewVirtual(
	c *config.Config, r RunAs, queue *Queue, compare CompareFunc, next Authorizer,
) (*Virtual, error) {
	v := &Virtual{users: map[string]config.Hash{}, config: c, runAs: r, queue: queue,
		compare: compare, next: next}
	for _, u := range c.Users {
		if u.Password == "" {
			continue
		}
		if _, err := matcher(u.Password); err != nil {
			return nil, fmt.Errorf("the password of [[user]] %q: %w", u.Name, err)
		}
		v.users[u.Name] = u.Password
		if v.decoy == "" {
			v.decoy = u.Password
		}
	}
	return v, nil
}

// Authenticate implements Authorizer. The core answers all refusals after auth.failure_delay,
// but a hash or the queue may take longer, so that a client could recognize unknown names by a
// faster answer. That is why an unknown name is hashed as well; PAM does the same itself.
func (v *Virtual) Authenticate(ctx context.Context, c Credentials) (*Account, error) {
	hash, known := v.users[c.User]
	switch {
	case !known && v.next != nil:
		return v.next.Authenticate(ctx, c)
	case !known:
		hash = v.decoy
	}
	ok, err := v.matches(ctx, hash, c)
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

// matches reports whether the password has the hash, after it has waited for a turn in the queue.
func (v *Virtual) matches(ctx context.Context, hash config.Hash, c Credentials) (bool, error) {
	if hash == "" {
		return false, nil
	}
	if err := v.queue.Enter(ctx, c.Remote); err != nil {
		return false, err
	}
	defer v.queue.Leave()
	return v.compare(hash, c.Password)
}
