package core

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/monitor"
)

// A fakeSupervisor has a few users, and records its calls.
type fakeSupervisor struct {
	home   string
	broken bool // Names panics

	mu     sync.Mutex
	refuse string // of the next admissions; guarded by mu
	ids    int    // guarded by mu
	ended  []string
	events []string
	asked  int // number of calls of Names
	// of certificates besides testCertificate; guarded by mu
	keys map[monitor.Digest]crypto.Signer
}

func (f *fakeSupervisor) Admit(_ context.Context, c monitor.Connection) (monitor.Admission, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Fault != "" {
		f.events = append(f.events, fmt.Sprintf("fault %s (%s)", c.Remote.Addr(), c.Fault))
		return monitor.Admission{Refusal: "Not introduced."}, nil
	}
	if f.refuse != "" {
		return monitor.Admission{Refusal: f.refuse}, nil
	}
	f.ids++
	return monitor.Admission{Session: fmt.Sprintf("session%d", f.ids)}, nil
}

// Authenticate logs what it refuses, as a supervisor does.
func (f *fakeSupervisor) Authenticate(ctx context.Context, session string,
	c auth.Credentials) (*auth.Account, error) {
	account, err := f.check(ctx, c)
	if err != nil {
		if errors.Is(err, auth.ErrBusy) {
			f.Emit(
				events.Event{
					Kind: events.LoginFailed, Session: session, User: c.User, Reply: 421,
					Cause: err.Error(),
				},
			)
			return nil, auth.ErrBusy
		}
		f.Emit(
			events.Event{
				Kind: events.LoginFailed, Session: session, User: c.User, Reply: 530,
				Cause: err.Error(),
			},
		)
		refusal := &auth.Refusal{Cause: "refused by the supervisor"}
		if why := new(auth.Refusal); errors.As(err, &why) {
			refusal.Public = why.Public
		}
		return nil, refusal
	}
	return account, nil
}

// check accepts the password "secret" for alice, and anonymous without a password. The other
// names stand for failures.
func (f *fakeSupervisor) check(ctx context.Context, c auth.Credentials) (*auth.Account, error) {
	account := &auth.Account{Name: c.User, Home: f.home}
	switch c.User {
	case "alice", "bob":
		if c.Password != "secret" {
			return nil, &auth.Refusal{Cause: "wrong password"}
		}
	case "anonymous":
	case "slow": // the backend takes ten seconds
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	case "stuck": // the backend never answers
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case "unlucky":
		return nil, fmt.Errorf("%w: all places are taken", auth.ErrBusy)
	case "crowded":
		return nil, &auth.Refusal{
			Cause: "max_sessions is reached", Public: "Too many sessions of this user.",
		}
	case "crash":
		panic("the backend's answer makes no sense")
	case "homeless":
		account.Home = f.home + "/missing"
	case "foreign":
		account.As = &impersonate.Credentials{UID: 1000, GID: 1000}
	default:
		return nil, &auth.Refusal{Cause: "unknown user"}
	}
	return account, nil
}

func (f *fakeSupervisor) Names(_ context.Context, uids, gids []uint32) (monitor.Names, error) {
	if f.broken {
		panic("at the disco")
	}
	if len(uids)+len(gids) > monitor.MaxNames {
		return monitor.Names{}, errors.New("too many")
	}
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	n := monitor.Names{Users: map[uint32]string{}, Groups: map[uint32]string{}}
	for _, id := range uids {
		n.Users[id] = "owner"
	}
	for _, id := range gids {
		n.Groups[id] = "group"
	}
	return n, nil
}

// Group returns the group of the test process for "mine" and takes long for "slow". The lookup
// of "broken" fails.
func (f *fakeSupervisor) Group(ctx context.Context, name string) (gid uint32, found bool,
	err error) {
	switch name {
	case "mine":
		return uint32(os.Getegid()), true, nil
	case "slow":
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
		return uint32(os.Getegid()), true, nil
	case "broken":
		return 0, false, errors.New("the name service is down")
	}
	return 0, false, nil
}

func (f *fakeSupervisor) Sign(_ context.Context, h monitor.Handshake) ([]byte, error) {
	f.mu.Lock()
	key := f.keys[h.Certificate]
	f.mu.Unlock()
	if key == nil {
		key = testCertificate().PrivateKey.(crypto.Signer)
	}
	return h.Sign(key)
}

func (f *fakeSupervisor) ActiveSocket(_ context.Context, _ string,
	local netip.Addr) (*os.File, error) {
	return nil, fmt.Errorf("somebody listens at port 20 of %s", local)
}

func (f *fakeSupervisor) End(session string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, session)
}

func (f *fakeSupervisor) Emit(e events.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, eventText(e))
}

// eventText returns an event in the form of transcripts: its kind and the fields that are set.
// Sessions and times are left out.
func eventText(e events.Event) string {
	words := []string{string(e.Kind)}
	for _, w := range []struct{ name, value string }{
		{"", e.Verb}, {"", e.Path}, {"to=", e.To}, {"user=", e.User},
	} {
		if w.value != "" {
			words = append(words, w.name+w.value)
		}
	}
	if e.Bytes != 0 {
		words = append(words, fmt.Sprintf("bytes=%d", e.Bytes))
	}
	if e.Reply != 0 {
		words = append(words, fmt.Sprint(e.Reply))
	}
	if e.Client != "" {
		words = append(words, "client="+e.Client)
	}
	if e.Evidence != "" {
		words = append(words, "evidence="+e.Evidence)
	}
	if e.Cause != "" {
		words = append(words, "("+e.Cause+")")
	}
	return strings.Join(words, " ")
}

// A world is a server with its environment in a synctest bubble.
type world struct {
	t          *testing.T
	config     *config.Config
	supervisor *fakeSupervisor
	net        *memnet.Network
	srv        *Server
	shown      *ftptls.Certificates // by the server
	clientCAs  [][]byte             // of clients' certificates, in DER
	certified  bool                 // the server has testCertificate
	implicit   bool                 // TLS begins with the connection
	local      netip.AddrPort       // the server's address
	remote     netip.AddrPort       // the client's
	sessions   sync.WaitGroup
}

func newWorld(t *testing.T) *world {
	w := &world{
		t:          t,
		config:     config.Default(),
		supervisor: &fakeSupervisor{home: t.TempDir()},
		net:        &memnet.Network{},
		local:      netip.MustParseAddrPort("192.0.2.1:21"),
		remote:     netip.MustParseAddrPort("192.0.2.99:4321"),
	}
	w.config.Data.PassivePorts = config.PortRange{First: 50000, Last: 50009}
	return w
}

func (w *world) server() *Server {
	if w.srv == nil {
		o := Options{Config: w.config, Supervisor: w.supervisor, Network: w.net}
		if w.certified {
			o.Certificates = w.certificates()
		}
		w.srv = New(o)
	}
	return w.srv
}

// certificates are testCertificate, whose key only the supervisor has.
func (w *world) certificates() *ftptls.Certificates {
	chain := []monitor.Certificate{{Chain: testCertificate().Certificate}}
	c, err := ftptls.NewCertificates(w.supervisor, chain, w.clientCAs)
	if err != nil {
		w.t.Fatal(err)
	}
	w.shown = c
	return c
}

// at returns the address of the server with that port.
func (w *world) at(port uint16) netip.AddrPort { return netip.AddrPortFrom(w.local.Addr(), port) }

// connect starts a session and returns the client's end.
func (w *world) connect() *memnet.Conn {
	server, client := memnet.Pipe(w.local, w.remote)
	srv := w.server()
	serve := srv.ServeConn
	if w.implicit {
		serve = srv.ServeTLSConn
	}
	w.sessions.Go(func() { serve(server) }) // ends with the session
	return client
}

// set changes a key of the configuration.
func (w *world) set(key, value string) {
	c := w.config
	texts := map[string]interface{ UnmarshalText([]byte) error }{
		"limits.login_timeout":   &c.Limits.LoginTimeout,
		"limits.idle_timeout":    &c.Limits.IdleTimeout,
		"limits.stall_timeout":   &c.Limits.StallTimeout,
		"limits.connect_timeout": &c.Limits.ConnectTimeout,
		"limits.download_rate":   &c.Limits.DownloadRate,
		"limits.upload_rate":     &c.Limits.UploadRate,
		"limits.min_free_space":  &c.Limits.MinFreeSpace,
		"defaults.max_file_size": &c.Defaults.MaxFileSize,
		"auth.failure_delay":     &c.Auth.FailureDelay,
		"data.passive_ports":     &c.Data.PassivePorts,
		"defaults.umask":         &c.Defaults.Umask,
		"log.level":              &c.Log.Level,

		"defaults.session_download_rate": &c.Defaults.SessionDownloadRate,
		"defaults.session_upload_rate":   &c.Defaults.SessionUploadRate,
		"defaults.user_download_rate":    &c.Defaults.UserDownloadRate,
		"defaults.user_upload_rate":      &c.Defaults.UserUploadRate,

		"defaults.permissions": &c.Defaults.Permissions,
		"defaults.require_tls": &c.Defaults.RequireTLS,
		"tls.min_version":      &c.TLS.MinVersion,
		"tls.session_reuse":    &c.TLS.SessionReuse,
	}
	words := map[string]*string{
		"server.banner":            &c.Server.Banner,
		"defaults.login_message":   &c.Defaults.LoginMessage,
		"defaults.quit_message":    &c.Defaults.QuitMessage,
		"defaults.start_directory": &c.Defaults.StartDirectory,
		"nat.public_address":       &c.NAT.PublicAddress,
	}
	flags := map[string]*bool{
		"defaults.confine":            &c.Defaults.Confine,
		"defaults.hide_owners":        &c.Defaults.HideOwners,
		"data.active":                 &c.Data.Active,
		"data.passive":                &c.Data.Passive,
		"data.allow_privileged_ports": &c.Data.AllowPrivilegedPorts,
	}
	networks := map[string]*config.Networks{
		"data.foreign_networks":    &c.Data.ForeignNetworks,
		"proxy_protocol_from":      &c.Server.ProxyProtocolFrom,
		"nat.local_networks":       &c.NAT.LocalNetworks,
		"tls.session_reuse_exempt": &c.TLS.SessionReuseExempt,
	}
	switch {
	case key == "ban.commands_per_second":
		c.Ban.CommandsPerSecond, _ = strconv.Atoi(value)
	case key == "data.active_port":
		c.Data.ActivePort, _ = strconv.Atoi(value)
	case key == "certificate":
		w.certified = true
	case key == "host":
		name, banner, _ := strings.Cut(value, " ")
		c.Hosts = append(c.Hosts, config.Host{Name: name, Banner: banner})
	case key == "implicit":
		w.certified, w.implicit = true, true
	case key == "user.require_tls": // alice's
		o := config.Override{
			Set:      []string{"require_tls"},
			Settings: config.Settings{RequireTLS: config.RequireTLS(value)},
		}
		c.Users = append(c.Users, config.User{Name: "alice", Override: o})
	case networks[key] != nil:
		*networks[key] = make(config.Networks, 1)
		if err := (*networks[key])[0].UnmarshalText([]byte(value)); err != nil {
			w.t.Fatal(err)
		}
	case texts[key] != nil:
		if err := texts[key].UnmarshalText([]byte(value)); err != nil {
			w.t.Fatal(err)
		}
	case words[key] != nil:
		*words[key] = value
	case flags[key] != nil:
		*flags[key] = value == "true"
	default:
		w.t.Fatalf("no key %s here", key)
	}
}

// goes ends a client in one of several ways, or begins with the next client.
func (p *player) goes(word, rest string) error {
	switch word {
	case "hang":
		switch rest {
		case "hard":
			p.control.Reset()
		case "politely":
			p.secured.CloseWrite()
		}
		return p.control.Close()
	case "leave":
		if rest != "" {
			if err := p.write(unescape(rest) + "\r\n"); err != nil {
				return err
			}
		}
		return errors.Join(p.control.CloseWrite(), p.data.Finish())
	case "kill":
		if rest == "data first" {
			return errors.Join(p.data.Close(), p.control.Close())
		}
		return errors.Join(p.control.Close(), p.data.Close())
	}
	err := p.control.Close()
	p.control, p.said, p.data, p.clientTLS = p.connect(), nil, nil, clientTLS{}
	return err
}
