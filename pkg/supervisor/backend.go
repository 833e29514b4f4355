package supervisor

import (
	"errors"
	"os"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/unixauth"
)

// A backend is who knows the users, with the helpers behind it.
type backend struct {
	system *unixauth.Authorizer
	names  *unixauth.Names
}

// startBackend starts the helpers that the configuration needs.
func startBackend(o Options) (*backend, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New(`auth.backend = "unix" needs root, as PAM does: run ftpd as a service, or share a directory with ftpd share`)
	}
	helper, err := unixauth.Find()
	if err != nil {
		return nil, err
	}
	names, err := unixauth.StartNames(helper)
	if err != nil {
		return nil, err
	}
	system, err := unixauth.New(unixauth.Options{
		Helper:       helper,
		Service:      o.Config.Auth.PAMService,
		MinUID:       o.Config.Auth.MinUID,
		RequireShell: o.Config.Auth.RequireShell,
	})
	if err != nil {
		names.Close()
		return nil, err
	}
	return &backend{system: system, names: names}, nil
}

func (b *backend) close() {
	b.system.Close()
	b.names.Close()
}

// desk composes what answers the cores: the policy of the configuration over the system's users.
func (b *backend) desk(o Options) *desk {
	return &desk{
		registry: newRegistry(o.Config.Limits.MaxSessions, o.Config.Limits.MaxSessionsPerIP),
		auth:     &auth.Policy{Config: o.Config, Backend: b.system},
		owners:   b.names,
		log:      events.Log{Logger: o.Log},
	}
}

// forever stands for a timeout that is switched off.
const forever = time.Duration(1) << 62

func timeout(d config.Duration) time.Duration {
	if d == 0 {
		return forever
	}
	return time.Duration(d)
}
