package supervisor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"ftpd/pkg/admission"
	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/keyring"
	"ftpd/pkg/roots"
	"ftpd/pkg/unixauth"
)

// maxWaiting bounds the logins that wait until their password is hashed.
const maxWaiting = 512

// A backend checks logins. It holds the helper processes that this takes.
type backend struct {
	auth   auth.Authorizer
	bans   *admission.Bans
	system *unixauth.Authorizer // nil without system users
	names  *unixauth.Names      // for listings; nil without ftpd-auth
	runs   *unixauth.Names      // for logins, which must not wait for listings; nil like names
}

// InOneProcess reports whether one process can serve the configuration, because nothing in it
// needs root: it has no system users, and files are accessed with the rights of the user that
// started the server. root states whether that user is root. The error names what this user
// cannot do, and what to change. What no user can do is reported as a problem of the
// configuration before.
func InOneProcess(c *config.Config, root bool) (bool, error) {
	runAs := c.RunAsInForce()
	impersonates := slices.ContainsFunc(runAs, func(account string) bool { return account != "" })
	switch {
	case c.Auth.Backend == config.BackendUnix:
		return false, nil
	case root && slices.Contains(runAs, ""):
		return false, errors.New(`run_as = "" would access files as root: ` +
			`name an account, or run ftpd as another user`)
	case !root && impersonates:
		return false, errors.New(`run_as needs root: set run_as = "" in [defaults] ` +
			`(and [anonymous]) to access files as the user who starts ftpd`)
	}
	return !root, nil
}

// startBackend starts the helpers that the configuration needs. It needs root. lost becomes the
// field Lost of auth.Policy.
func startBackend(o Options, lost func(dir string) error) (*backend, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New(`auth.backend = "unix" needs root, as PAM does: ` +
			`run ftpd as a service, or share a directory with ftpd share`)
	}
	b := &backend{bans: admission.NewBans(o.Config.Ban)}
	queue := auth.NewQueue(runtime.NumCPU(), maxWaiting, b.bans.Standing)
	helper, err := unixauth.Find()
	if err == nil {
		b.names, err = unixauth.StartNames(helper)
		b.runs = unixauth.NewNames(helper)
	}
	var system auth.Authorizer
	if o.Config.Auth.Backend == config.BackendUnix {
		if err == nil {
			b.system, err = newSystem(o.Config, helper, queue)
		}
		if err != nil {
			b.close()
			return nil, fmt.Errorf(`auth.backend = "unix": %w; auth.backend = "virtual" does without`, err)
		}
		system = b.system
	} else if err != nil {
		o.Log.Warn().Err(err).Msg("only virtual users can log in, and owners are shown as numbers")
	}
	compare := comparison(o, true)
	if b.auth, err = compose(o.Config, b.runAs, queue, compare, system, lost); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func newSystem(c *config.Config, helper string, queue *auth.Queue) (*unixauth.Authorizer, error) {
	return unixauth.New(unixauth.Options{
		Helper:       helper,
		Service:      c.Auth.PAMService,
		MinUID:       c.Auth.MinUID,
		RequireShell: c.Auth.RequireShell,
		Guest:        c.Auth.Guest,
		KeepSession:  c.Auth.PAMSession,
		Queue:        queue,
	})
}

// compose returns the Authorizer of the configuration. Its policy is checked first; then come the
// anonymous users, the users of the configuration, and the system's users (nil: there are none).
func compose(
	c *config.Config, runAs auth.RunAs, queue *auth.Queue, compare auth.CompareFunc,
	system auth.Authorizer, lost func(dir string) error,
) (auth.Authorizer, error) {
	virtual, err := auth.NewVirtual(c, runAs, queue, compare, system)
	if err != nil {
		return nil, err
	}
	return &auth.Policy{
		Config:      c,
		Backend:     &auth.Anonymous{Config: c, RunAs: runAs, Next: virtual},
		MakeHome:    makeHome,
		FileSystems: roots.FileSystems,
		Lost:        lost,
	}, nil
}

func (b *backend) close() {
	if b.system != nil {
		b.system.Close()
	}
	if b.names != nil {
		b.names.Close()
		b.runs.Close()
	}
}

// runAs returns the credentials of a system account.
func (b *backend) runAs(account string) (*impersonate.Credentials, error) {
	if b.names == nil {
		return unixauth.Files{}.RunAs(account)
	}
	return b.runs.RunAs(account)
}

// handler returns the handler of the requests that the cores send.
func (b *backend) handler(o Options, keys *keyring.Keyring) *handler {
	d := newHandler(o, b.bans, b.auth, keys)
	if b.names != nil {
		d.owners = b.names
	}
	return d
}

func newHandler(
	o Options, b *admission.Bans, authorizer auth.Authorizer, keys *keyring.Keyring,
) *handler {
	return &handler{
		config:   o.Config,
		bans:     b,
		registry: admission.NewRegistry(o.Config.Limits),
		auth:     authorizer,
		keys:     keys,
		log:      events.Log{Logger: o.Log},
		repeats:  events.NewRepeats(o.Log, countInterval),
		xferlog:  o.Xferlog,
	}
}

// countInterval is how long records that repeat others are counted until the log has their number.
const countInterval = time.Minute

// forever stands for a timeout that is switched off.
const forever = time.Duration(1) << 62

// timeout returns a timeout of the configuration, where 0 switches it off.
func timeout(d config.Duration) time.Duration {
	if d == 0 {
		return forever
	}
	return time.Duration(d)
}
