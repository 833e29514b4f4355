package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"

	"github.com/spf13/pflag"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
)

// A share holds the values of the options.
type share struct {
	dir      string
	write    bool
	user     string
	password string
	tls      bool
	require  bool
	cert     string // file
	key      string // file
	foreign  bool
	local    bool
	copying  bool // without sendfile
	debug    bool
	public   netip.Addr
	listen   config.Address
	cfg      *config.Config // receives the other options
}

func newShare() *share {
	return &share{
		cfg:    config.Default(),
		listen: config.Address{AddrPort: netip.AddrPortFrom(netip.IPv6Unspecified(), 2121)},
	}
}

func (s *share) flags() *pflag.FlagSet {
	f := newFlags("share", "[DIR] [OPTIONS]", "ftpd share ~/Public --listen :2121\n"+
		"         ftpd share ~/Inbox --write --user alice --password sesame --tls")
	c := s.cfg
	f.TextVar(&s.listen, "listen", s.listen, "listen on `ADDR:PORT`")
	f.BoolVar(&s.write, "write", false, "let clients store, change and delete files too")
	f.StringVar(&s.user, "user", "",
		"admit only the user `NAME`, with --password; else everyone may log in (anonymous)")
	f.StringVar(&s.password, "password", "",
		"the user's password `PW`; "+
			"for a moment, other users of this machine may see it in the list of processes")
	f.TextVar(&s.public, "public-address", netip.Addr{},
		"clients reach this machine by the IPv4 address `IP`, when it is behind NAT")
	f.TextVar(&c.Data.PassivePorts, "passive-ports", config.PortRange{},
		"data connections use the ports `A-B`, such as 50000-50999")
	f.BoolVar(&s.tls, "tls", false, "offer TLS (AUTH TLS), with a certificate made for this run")
	f.StringVar(&s.cert, "certificate", "",
		"PEM `FILE` with the certificate and its chain, instead of one made for this run")
	f.StringVar(&s.key, "key", "", "PEM `FILE` with the key, if --certificate does not contain it")
	f.BoolVar(&s.require, "require-tls", false, "refuse logins and data connections without TLS")
	f.StringVar(&c.Server.Banner, "banner", c.Server.Banner, "greet clients with `TEXT`")
	f.TextVar(&c.Limits.IdleTimeout, "idle-timeout", c.Limits.IdleTimeout,
		"end sessions that send nothing for the time `D`; 0s: never")
	f.IntVar(&c.Limits.MaxSessions, "max-sessions", c.Limits.MaxSessions,
		"at most `N` sessions at one time; 0: any number")
	f.IntVar(&c.Limits.MaxSessionsPerIP, "max-sessions-per-ip", c.Limits.MaxSessionsPerIP,
		"at most `N` sessions of one address at one time; 0: any number")
	f.IntVar(&c.Auth.MaxAttempts, "max-attempts", c.Auth.MaxAttempts,
		"close a connection after `N` failed logins")
	f.BoolVar(&s.foreign, "allow-foreign", false,
		"allow data connections with addresses other than the client's (FXP)")
	f.BoolVar(&s.local, "local-time", false, "show local time in listings, instead of UTC")
	f.BoolVar(&s.copying, "no-sendfile", false,
		"do not use sendfile(2), which works badly on some network file systems")
	f.BoolVar(&s.debug, "debug", false, "log every command and reply")
	return f
}

func runShare(args []string, stdout, stderr io.Writer) int {
	s := newShare()
	flags := s.flags()
	if code, done := parse(flags, args, 1, stdout, stderr); done {
		return code
	}
	if err := s.check(); err != nil {
		fmt.Fprintf(stderr, "ftpd share: %v; ftpd share --help says more\n", err)
		return exitUsage
	}
	o, err := s.prepare(flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, "ftpd share:", err)
		return exitError
	}
	hideArgument(&s.password)
	t := newTerminal(stderr)
	defer t.close()
	o.Log = events.NewLog(t, o.Config.Log.Level, o.Config.Log.Format)
	if s.write && s.user == "" {
		o.Log.Warn().Str("directory", s.dir).
			Msg("anybody who reaches this port may change and delete these files")
	}
	if t.isTerminal {
		o.Announce = func(start supervisor.Start) { t.announce(s, start) }
		o.Watch = t.watch
	}
	return serve(func(ctx context.Context, o supervisor.Options) error {
		context.AfterFunc(ctx, t.stopping)
		return supervisor.ServeHere(ctx, o)
	}, o, stderr)
}

// check returns an error for options that cannot be combined.
func (s *share) check() error {
	c := s.cfg
	switch {
	case (s.user == "") != (s.password == ""):
		return errors.New("--user and --password go together")
	case !s.tls && (s.cert != "" || s.key != ""):
		return errors.New("--certificate and --key need --tls")
	case s.key != "" && s.cert == "":
		return errors.New("--key needs --certificate")
	case !s.tls && s.require:
		return errors.New("--require-tls needs --tls")
	case s.public.IsValid() && !s.public.Unmap().Is4():
		return fmt.Errorf("--public-address %s: only IPv4 needs one (EPSV, for IPv6, sends none)",
			s.public)
	case c.Limits.MaxSessions < 0:
		return errors.New("--max-sessions is negative")
	case c.Limits.MaxSessionsPerIP < 0:
		return errors.New("--max-sessions-per-ip is negative")
	case c.Auth.MaxAttempts < 1:
		return errors.New("--max-attempts is at least 1")
	}
	if s.user == "" {
		return nil
	}
	if _, err := c.For(s.user, nil); err != nil {
		return fmt.Errorf("--user: %w", err)
	}
	if _, err := usable(s.password); err != nil {
		return fmt.Errorf("--password: %w", err)
	}
	return nil
}

// prepare reads the files outside of the directory, and then confines the process to the directory.
func (s *share) prepare(dir string) (o supervisor.Options, err error) {
	root, err := sharedDir(dir)
	if err != nil {
		return o, err
	}
	defer sandbox.Close([]sandbox.Root{root})
	s.dir = root.Path
	certificate, err := s.readCertificate()
	if err != nil {
		return o, err
	}
	layers, err := supervisor.ConfineShare(root, s.write, certificate)
	if err != nil {
		return o, err
	}
	cfg, err := s.config()
	if err != nil {
		return o, err
	}
	o = supervisor.Options{Config: cfg, Version: version, Layers: layers}
	if s.tls {
		o.Certificate, err = s.certificate(certificate)
	}
	return o, err
}

// sharedDir opens the directory, or the working directory if dir is empty.
func sharedDir(dir string) (root sandbox.Root, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return root, err
	}
	if supervisor.IsConfined() { // the run that started this one has opened it
		return sandbox.Root{Path: dir}, nil
	}
	roots, err := sandbox.Look(context.Background(), dir)
	switch {
	case err != nil:
		return root, err
	case roots[0].Err != nil:
		return root, fmt.Errorf("%s: %w", dir, roots[0].Err)
	case !roots[0].Dir:
		return root, fmt.Errorf("%s is no directory: name the one that it is in", dir)
	}
	return roots[0], nil
}

// config returns the configuration of a share.
func (s *share) config() (*config.Config, error) {
	c := s.cfg
	c.Server.Listen = []config.Address{s.listen}
	c.Server.DrainTimeout = 0 // wait for transfers without limit; a second Ctrl-C ends them
	c.Admin.Socket = ""       // the terminal shows what runs, and Ctrl-C ends it
	c.Auth.Backend = config.BackendVirtual
	c.Auth.Deny = nil // the only user may have any name
	permissions := config.ReadOnly
	if s.write {
		permissions = config.Full
	}
	c.Defaults.RunAs = ""
	c.Defaults.Permissions = permissions
	c.Defaults.RequireTLS = config.RequireTLSOff
	if s.require {
		c.Defaults.RequireTLS = config.RequireTLSAll
	}
	c.Anonymous = config.Anonymous{
		Enabled: s.user == "", Directory: s.dir, Permissions: permissions,
	}
	if s.public.IsValid() {
		c.NAT.PublicAddress = s.public.Unmap().String()
	}
	if s.foreign {
		c.Data.ForeignNetworks = config.Networks{
			{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")},
		}
	}
	c.Files.UTCTimes = !s.local
	c.Data.Sendfile = !s.copying
	if s.debug {
		c.Log.Level = config.LogDebug
	}
	if s.user == "" {
		return c, nil
	}
	hash, err := auth.NewHash(auth.Password(s.password))
	c.Users = []config.User{{
		Name:     s.user,
		Password: hash,
		Override: config.Override{Set: []string{"home"}, Settings: config.Settings{Home: s.dir}},
	}}
	return c, err
}
