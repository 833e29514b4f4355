package core

import (
	"bytes"
	"context"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/checksum"
	"ftpd/pkg/config"
	"ftpd/pkg/control"
	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/listing"
)

// For every line the same command is found in either case, and its argument is the end of the
// line. A client that is not logged in gets nothing beyond the refusals in the table, and no
// secret reaches the log.
func FuzzCommand(f *testing.F) {
	for _, lines := range commandLines {
		for line := range strings.SplitSeq(lines, "\r\n") {
			f.Add([]byte(line))
		}
	}
	f.Add([]byte("site  chmod  600 f"))
	f.Add([]byte("\xf4\xf2ABOR"))
	f.Add([]byte("pass a secret"))
	srv := New(Options{Config: config.Default(), Supervisor: &fakeSupervisor{}})
	f.Fuzz(func(t *testing.T, line []byte) {
		cmd, arg := srv.commands.Lookup(line)
		upper, _ := srv.commands.Lookup(bytes.ToUpper(line))
		lower, _ := srv.commands.Lookup(bytes.ToLower(line))
		if isASCII(line) && (upper != cmd || lower != cmd) {
			t.Errorf("%q: in another case it is another command", line)
		}
		if !bytes.HasSuffix(line, arg) {
			t.Errorf("%q: the argument is %q", line, arg)
		}
		if cmd != nil &&
			!strings.Contains(strings.ToUpper(string(line)),
				strings.TrimPrefix(cmd.verb, "SITE ")) {
			t.Errorf("%q is found as %s", line, cmd.verb)
		}
		if cmd != nil && !strings.Contains(string(arg), cmd.pathname(string(arg))) {
			t.Errorf("%s %q: the pathname is %q", cmd.verb, arg, cmd.pathname(string(arg)))
		}
		log := &fakeSupervisor{}
		s := &Session{srv: &Server{supervisor: log, debug: true, commands: srv.commands}}
		s.attempt.user = "alice"
		s.trace(cmd, line, string(arg))
		want := eventText(events.Event{Kind: events.Line, Verb: "***"})
		if cmd != nil && cmd.secret {
			want = eventText(events.Event{Kind: events.Line, Verb: cmd.verb, Path: "***"})
		}
		if (cmd == nil || cmd.secret) && log.events[0] != want {
			t.Errorf("the log has %q", log.events)
		}
		r, err := s.check(cmd, line, string(arg))
		if err == nil &&
			(cmd.login || bytes.IndexByte(line, 0) >= 0 || len(line) > ftpwire.MaxLine) {
			t.Errorf("%q runs", line)
		}
		if err != nil {
			r = refuse(err)
		}
		if !slices.Contains([]int{0, 500, 501, 502, 530}, r.Code) {
			t.Errorf("%q is answered %v", line, r)
		}
	})
}

func isASCII(line []byte) bool {
	return !slices.ContainsFunc(line, func(c byte) bool { return c >= 0x80 })
}

// PORT and EPRT accept an address of the named family and a port. The server connects only to
// the host of the client and to the allowed hosts, and to no port below 1024.
func FuzzActive(f *testing.F) {
	for _, arg := range []string{
		"192,0,2,99,19,137", "192,0,2,1,0,21", "127,0,0,1,19,137", "203,0,113,7,255,255",
		"|1|192.0.2.99|5001|", "|1|203.0.113.7|5001|",
		"!2!2001:db8::1!65535!",
		"|2|::ffff:192.0.2.99|5001|", "|2|fe80::1%eth0|5001|", "||||", "|1|0.0.0.0|5001|",
		" 192, 0, 2, 99, 4, 0 ", "11111",
		"192,0,2,99,2,1", "|1|192.0.2.99|1023|",
	} {
		f.Add(arg, true)
		f.Add(arg, false)
	}
	clients := map[bool]string{true: "192.0.2.99:4321", false: "[2001:db8::1]:4321"}
	servers := map[bool]string{true: "192.0.2.1:21", false: "[2001:db8::2]:21"}
	foreign := config.Networks{{Prefix: netip.MustParsePrefix("203.0.113.0/24")}}
	f.Fuzz(func(t *testing.T, arg string, is4 bool) {
		c := config.Default()
		c.Data.ForeignNetworks = foreign
		srv := &Server{config: c, ports: dtp.NewPorts(c, &memnet.Network{}, config.PortRange{})}
		conn, _ := memnet.Pipe(netip.MustParseAddrPort(servers[is4]),
			netip.MustParseAddrPort(clients[is4]))
		for verb, run := range map[string]func(*Session, context.Context, string) (Reply, error){
			"PORT": (*Session).port, "EPRT": (*Session).eprt,
		} {
			s := &Session{srv: srv, conn: conn}
			r, err := run(s, t.Context(), arg)
			if err != nil {
				if r = refuse(err); !slices.Contains([]int{501, 522}, r.Code) ||
					s.params.opener != nil {
					t.Errorf("%s %q: %v", verb, arg, r)
				}
				continue
			}
			to := s.params.opener.(*dtp.Active).Client
			if to.Addr() != conn.Remote().Addr() && !foreign.Contains(to.Addr()) ||
				to.Port() < 1024 {
				t.Errorf("%s %q leads to %v", verb, arg, to)
			}
		}
	})
}

// AUTH, PBSZ and PROT accept the words of RFC 4217, in either case, and nothing else.
func FuzzSecurity(f *testing.F) {
	for _, arg := range []string{"TLS", "ssl", "TLS-C", "tls-p", " TLS\t", "TLS 1.3", "GSSAPI", "0",
		"65536", "4294967296", "-1", "0x0",
		"P", "c", "S", "E", "PP", ""} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		is := func(words ...string) bool {
			return slices.ContainsFunc(words, func(word string) bool {
				return strings.EqualFold(word, trimBlanks(arg))
			})
		}
		s := &Session{ctl: control.Conn{TLS: &ftptls.Control{}}, tls: tlsState{sized: true}}
		answer := func(r Reply, err error) int {
			if err != nil {
				r = refuse(err)
			}
			return r.Code
		}
		if code := answer(s.authTLS(t.Context(), arg)); code != 503 &&
			is("TLS", "SSL", "TLS-C", "TLS-P") || code != 502 && code != 503 {
			t.Errorf("AUTH %q, TLS being on: %d", arg, code)
		}
		digits := strings.Trim(trimBlanks(arg), "0123456789") == ""
		if code := answer(s.pbsz(t.Context(), arg)); code != 200 && code != 501 ||
			code == 200 && !digits {
			t.Errorf("PBSZ %q: %d", arg, code)
		}
		switch code := answer(s.prot(t.Context(), arg)); {
		case code == 200 && is("P") && s.tls.private, code == 200 && is("C") && !s.tls.private:
		case code != 502 && code != 521 && code != 504, is("P", "C"):
			t.Errorf("PROT %q: %d, private: %v", arg, code, s.tls.private)
		}
	})
}

// HOST accepts the names of virtual hosts, in either case and with or without a dot at the
// end, and the address of the server. The reply is then 220. Every other name changes nothing.
func FuzzHostName(f *testing.F) {
	for _, arg := range []string{"ftp.example.org", "FTP.Example.ORG.", "other.example",
		"192.0.2.1", "[::ffff:192.0.2.1]", "192.0.2.9",
		"[fe80::1%eth0]", "", ".", "..", "a b", "-", "ftp.example.org..", "fTp.example.orG\x00"} {
		f.Add(arg)
	}
	c := config.Default()
	c.Hosts = []config.Host{{Name: "ftp.example.org", Banner: "Example.\nWelcome."}}
	srv := New(Options{Config: c, Supervisor: &fakeSupervisor{}})
	conn, _ := memnet.Pipe(netip.MustParseAddrPort("192.0.2.1:21"),
		netip.MustParseAddrPort("192.0.2.99:4321"))
	f.Fuzz(func(t *testing.T, arg string) {
		s := &Session{srv: srv, conn: conn}
		r, err := s.hostName(t.Context(), arg)
		name := strings.TrimSuffix(strings.ToLower(trimBlanks(arg)), ".")
		addr, addrErr := netip.ParseAddr(strings.Trim(trimBlanks(arg), "[]"))
		own := addrErr == nil && addr.WithZone("").Unmap() == conn.Local().Addr()
		switch {
		case err == nil && r.Code == 220 &&
			(name == "ftp.example.org" && s.host == &c.Hosts[0] || own && s.host == nil):
		case err == nil || name == "ftp.example.org":
			t.Errorf("HOST %q: %v, %v", arg, r, err)
		case !slices.Contains([]int{501, 504}, refuse(err).Code) || s.host != nil:
			t.Errorf("HOST %q: %v", arg, err)
		}
	})
}

// Any pathname and any working directory make an absolute path without a step upwards.
func FuzzPathname(f *testing.F) {
	for _, names := range [][2]string{{"/", "a/../../b"}, {"/d", ".."}, {"/d", "/../.."},
		{"/", "//a//./b/"}, {"/d", ""}, {"/\xff", " x "},
		{"/a", "\x00"}} {
		f.Add(names[0], names[1])
	}
	f.Fuzz(func(t *testing.T, dir, name string) {
		if !strings.HasPrefix(dir, "/") {
			return
		}
		got := clean(clean("/", dir), name)
		if !strings.HasPrefix(got, "/") || path.Clean(got) != got ||
			slices.Contains(strings.Split(got, "/"), "..") {
			t.Errorf("%q in %q is %q", name, dir, got)
		}
		if again := clean(got, ""); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
		if shown, ok := readQuoted(ftpwire.Quote(got)); !ok || shown != got {
			t.Errorf("%q is shown as %s", got, ftpwire.Quote(got))
		}
	})
}

// readQuoted reads a path as clients do: RFC 959 appendix II.
func readQuoted(s string) (string, bool) {
	inner, ok := strings.CutPrefix(s, `"`)
	inner, end := strings.CutSuffix(inner, `"`)
	halves := strings.ReplaceAll(inner, `""`, "")
	return strings.ReplaceAll(inner, `""`, `"`), ok && end && !strings.Contains(halves, `"`)
}

// OPTS MLST accepts every list of facts in which each fact ends with a semicolon. The reply
// names the facts that are in force.
func FuzzOptsMLST(f *testing.F) {
	for _, arg := range []string{
		"", "type;size;", "SIZE;Type;size;", "none;", "type", "type; size;", " size; ", ";;;",
		"unix.mode;unix.uid;",
	} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s := &Session{params: transferParams{facts: listing.DefaultFacts}}
		r, err := s.optsMLST(t.Context(), arg)
		if err != nil {
			if s.params.facts != listing.DefaultFacts || refuse(err).Code != 501 {
				t.Errorf("%q: %v, facts %b", arg, err, s.params.facts)
			}
			return
		}
		list, ok := strings.CutPrefix(r.Text[0], "MLST OPTS")
		wanted := strings.Split(strings.ToLower(trimBlanks(arg)), ";")
		for fact := range strings.SplitSeq(strings.TrimSuffix(s.params.facts.Feature(), ";"), ";") {
			name, set := strings.CutSuffix(fact, "*")
			in := strings.Contains(list, " "+name+";") || strings.Contains(list, ";"+name+";")
			if set != in || set != slices.Contains(wanted, name) {
				t.Errorf("%q: the reply has %s: %v, FEAT: %v", arg, name, in, set)
			}
		}
		again := &Session{params: transferParams{facts: listing.DefaultFacts}}
		r2, err := again.optsMLST(t.Context(), list)
		if r.Code != 200 || !ok || err != nil || r2.Text[0] != r.Text[0] ||
			again.params.facts != s.params.facts {
			t.Errorf("%q: %v, %v, %v", arg, r, r2, err)
		}
	})
}

// OPTS HASH can select only the algorithms that FEAT names.
func FuzzOptsHASH(f *testing.F) {
	for _, arg := range []string{"sha-256", "SHA-512", " md5 ", "CRC32", "", "SHA-1;MD5"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s := &Session{params: transferParams{algorithm: checksum.Default()}}
		r, err := s.optsHASH(t.Context(), arg)
		chosen := s.params.algorithm
		if err != nil && (refuse(err).Code != 501 || chosen != checksum.Default()) ||
			err == nil && r.Text[0] != chosen.Name {
			t.Errorf("OPTS HASH %q: %v, %v, %s", arg, r, err, chosen.Name)
		}
		name := trimBlanks(arg)
		if err == nil && name != "" && !strings.EqualFold(name, chosen.Name) {
			t.Errorf("OPTS HASH %q chooses %s", arg, chosen.Name)
		}
	})
}
