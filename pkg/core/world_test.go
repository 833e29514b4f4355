package core

import (
	"context"
	"crypto"
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
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

	activePort bool // data.active_port is set

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
		if string(c.Password) != "secret" {
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

// ActiveSocket lets the core dial, because there are no sockets. It fails if data.active_port is set.
func (f *fakeSupervisor) ActiveSocket(
	_ context.Context, _ string, way monitor.ActiveWay,
) (*os.File, error) {
	if f.activePort {
		return nil, fmt.Errorf("somebody listens at port 20 of %s", way.From)
	}
	return nil, errors.ErrUnsupported
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
	if e.ResumedBefore {
		words = append(words, "resumed before")
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
		w.supervisor.activePort = w.config.Data.ActivePort != 0
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

// set changes a key of the configuration, such as "limits.idle_timeout". Other words stand for
// more than one key, or for a key of one user.
func (w *world) set(key, value string) {
	switch key {
	case "certificate":
		w.certified = true
	case "implicit":
		w.certified, w.implicit = true, true
	case "host":
		name, banner, _ := strings.Cut(value, " ")
		w.config.Hosts = append(w.config.Hosts, config.Host{Name: name, Banner: banner})
	case "user.require_tls": // alice's
		o := config.Override{
			Set:      []string{"require_tls"},
			Settings: config.Settings{RequireTLS: config.RequireTLS(value)},
		}
		w.config.Users = append(w.config.Users, config.User{Name: "alice", Override: o})
	case "proxy_protocol_from":
		w.set("server."+key, value)
	default:
		if err := setKey(reflect.ValueOf(w.config), key, value); err != nil {
			w.t.Fatalf("set %s: %v", key, err)
		}
	}
}

// setKey sets a key below a table of the configuration.
func setKey(table reflect.Value, key, value string) (err error) {
	name, rest, isTable := strings.Cut(key, ".")
	tagged := func(f reflect.StructField) bool { return f.Tag.Get("toml") == name }
	fields := reflect.VisibleFields(table.Elem().Type())
	i := slices.IndexFunc(fields, tagged)
	if i < 0 {
		return fmt.Errorf("no key %s here", name)
	}
	field := table.Elem().FieldByIndex(fields[i].Index).Addr()
	if isTable {
		return setKey(field, rest, value)
	}
	switch field := field.Interface().(type) {
	case encoding.TextUnmarshaler:
		return field.UnmarshalText([]byte(value))
	case *config.Networks:
		*field = make(config.Networks, 1)
		return (*field)[0].UnmarshalText([]byte(value))
	case *string:
		*field = value
	case *int:
		*field, err = strconv.Atoi(value)
	case *bool:
		*field, err = strconv.ParseBool(value)
	default:
		err = fmt.Errorf("no value of type %T in a transcript", field)
	}
	return err
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
