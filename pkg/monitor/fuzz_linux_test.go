package monitor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
)

// In the input of FuzzServer and FuzzClient, each line is a packet.

// A ledger is a supervisor that answers at once, keeps a record of the sessions, and fails the
// test if a request breaks a bound.
type ledger struct {
	t      *testing.T
	mu     sync.Mutex
	open   map[string]int // the failed logins of each running session; guarded by mu
	events int            // guarded by mu
}

func (l *ledger) Admit(_ context.Context, c Connection) (Admission, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if zone := c.Remote.Addr().Zone(); zone != "" {
		if _, err := Link(zone); err != nil {
			l.t.Errorf("a client at %v", c.Remote)
		}
	}
	if len(l.open) == 3 {
		return Admission{Refusal: "Too many."}, nil
	}
	id := fmt.Sprintf("s%d", len(l.open)+1)
	for _, taken := l.open[id]; taken; _, taken = l.open[id] {
		id += "x"
	}
	l.open[id] = 0
	return Admission{Session: id}, nil
}

func (l *ledger) Authenticate(
	_ context.Context, session string, c auth.Credentials,
) (*auth.Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.User == "alice" {
		as := &impersonate.Credentials{UID: 1000, GID: 1000}
		return &auth.Account{Name: "alice", Home: "/home/alice", As: as}, nil
	}
	if n, ok := l.open[session]; ok {
		if l.open[session]++; n >= 3 {
			l.t.Errorf("%d logins failed in one session", n+1)
		}
	}
	return nil, &auth.Refusal{Cause: "unknown"}
}

func (l *ledger) Names(_ context.Context, uids, gids []uint32) (Names, error) {
	if len(uids)+len(gids) > MaxNames {
		l.t.Errorf("a request for %d names", len(uids)+len(gids))
	}
	n := Names{Users: map[uint32]string{}, Groups: map[uint32]string{}}
	for _, id := range uids {
		n.Users[id] = "alice"
	}
	return n, nil
}

func (l *ledger) Group(_ context.Context, name string) (uint32, bool, error) {
	if len(name) > MaxGroupName {
		l.t.Errorf("a request for a group name of %d bytes", len(name))
	}
	return 50, name == "staff", nil
}

func (l *ledger) Sign(_ context.Context, h Handshake) ([]byte, error) {
	err := h.Check()
	if err != nil || bytes.Contains(h.Message, []byte("client CertificateVerify")) {
		l.t.Errorf("a request to sign %q, %v", h.Message, err)
	}
	return h.Message, nil
}

func (l *ledger) ActiveSocket(
	_ context.Context, session string, _ ActiveWay,
) (*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[session]; !ok {
		l.t.Errorf("a request for a socket of the session %q", session)
	}
	return os.Open(os.DevNull)
}

func (l *ledger) End(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[session]; !ok {
		l.t.Errorf("end of the session %q, which does not run", session)
	}
	delete(l.open, session)
}

func (l *ledger) Emit(e events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !e.Kind.Known() {
		l.t.Errorf("an event %+v", e)
	}
	if _, ok := l.open[e.Session]; !ok && e.Kind != events.LoginFailed {
		l.t.Errorf("an event of the session %q: %+v", e.Session, e)
	}
	l.events++
}

// packets writes each line as a packet and then calls then. It stops when the other end has
// closed the connection.
func packets(conn *net.UnixConn, lines []byte, then func(line []byte)) {
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		if len(line) == 0 {
			continue // an empty packet means the end of the connection
		}
		if _, err := conn.Write(line); err != nil {
			return
		}
		then(line)
	}
}

func checkAnswer(t *testing.T, packet []byte) {
	t.Helper()
	var m message
	err := json.Unmarshal(packet, &m)
	if err != nil || m.Kind != answer || len(packet) > maxMessage || len(m.Body) > maxAnswer {
		t.Errorf("answered %.200q, %v", packet, err)
	}
}

// FuzzServer sends arbitrary packets of a core. Each must be answered, or end the core with an
// error. Each admitted session must end exactly once, no event may name another session, and
// no answer may be over the bound.
func FuzzServer(f *testing.F) {
	const (
		admitOne = `{"kind":"admit","id":1,` +
			`"body":{"remote":"192.0.2.1:4000","local":"192.0.2.2:21"}}`
		loginAlice = `{"kind":"authenticate","id":2,` +
			`"body":{"session":"s1","user":"YWxpY2U=","password":"eA=="}}`
		loginBob = `{"kind":"authenticate","id":2,"body":{"session":"s1","user":"Ym9i"}}`
		upload   = `{"kind":"event","body":{"kind":"upload","session":"s1",` +
			`"path":"L2E=","cause":"/w==","bytes":-1,"took":9223372036854775807}}`
		endOne = `{"kind":"end","body":{"session":"s1"}}`
	)
	for _, lines := range []string{
		admitOne,
		admitOne + strings.Repeat("\n"+admitOne, 3),
		admitOne + "\n" + loginAlice + "\n" + endOne,
		admitOne + strings.Repeat("\n"+loginBob, 6),
		`{"kind":"names","id":3,"body":{"users":[0,4294967295],"groups":[5]}}`,
		`{"kind":"names","id":3,"body":{"users":[-1]}}`,
		admitOne + "\n" + upload,
		admitOne + "\n" + endOne + "\n" + endOne,
		`{"kind":"ready","body":{}}`,
		`{"kind":"answer","id":1,"body":{}}`,
		`{"kind":"event","body":{"kind":"root","session":"s1"}}`,
		`{"kind":"admit","body":null}`,
		`{"kind":"admit","id":18446744073709551615,"body":{"remote":"[fe80::1%eth0]:1"}}`,
		`{"kind":"admit","id":3,"body":{"remote":"[fe80::1%lo]:1"}}`,
		`[]`, `null`, `{}`, "\x00\xff",
		`{"kind":"admit","body":{}}{}`,
		`{"kind":"group","id":4,"body":{"name":"c3RhZmY="}}`,
		`{"kind":"group","body":{"name":"` + strings.Repeat("c3Rh", 90) + `"}}`,
		signRequest(append(slices.Clone(verifyPrefix), make([]byte, 32)...)),
		signRequest(slices.Concat(
			make([]byte, randoms), []byte{namedCurve, 0, 29, 32}, make([]byte, 32))),
		signRequest(bytes.Replace(verifyPrefix, []byte("server"), []byte("client"), 1)),
		signRequest([]byte("a text")),
	} {
		f.Add([]byte(lines), true)
		f.Add([]byte(lines), false)
	}
	// With inTurn, the core waits for the answer to each request before it sends the next
	// packet.
	f.Fuzz(func(t *testing.T, lines []byte, inTurn bool) {
		conn, fd := pair(t)
		core := connOf(t, fd)
		sup := &ledger{t: t, open: map[string]int{}}
		server := NewServer(conn, sup, 3)
		done := make(chan error, 1)
		go func() { // ends with the core's connection
			_, err := server.Run(func() {})
			done <- err
		}()
		answers := make(chan struct{}, bytes.Count(lines, []byte("\n"))+2)
		go func() { // ends when the supervisor closes the connection
			defer close(answers)
			for buf := make([]byte, maxMessage+1); ; {
				n, err := core.Read(buf)
				if err != nil || n == 0 {
					return
				}
				checkAnswer(t, buf[:n])
				answers <- struct{}{}
			}
		}()
		packets(core, []byte(`{"kind":"ready","body":{}}`), func([]byte) {})
		packets(core, lines, func(line []byte) {
			var m message
			if err := json.Unmarshal(line, &m); err != nil || !inTurn {
				return
			}
			if r, _ := find(fromCore, m.Kind); r.concurrent > 0 {
				<-answers // or closed, if the core was ended
			}
		})
		_ = core.CloseWrite()
		for range answers { // until the supervisor closes the connection
		}
		if err := <-done; err != nil && (err.Error() == "" || len(err.Error()) > 1000) {
			t.Errorf("ended with %.1000q", err)
		}
		server.mu.Lock()
		defer server.mu.Unlock()
		sup.mu.Lock()
		defer sup.mu.Unlock()
		if len(sup.open) > 0 {
			t.Errorf("the sessions %v still run", sup.open)
		}
	})
}

// signRequest returns the packet of a request to sign.
func signRequest(message []byte) string {
	body, err := json.Marshal(Handshake{Scheme: tls.Ed25519, Message: message})
	if err != nil {
		panic(err)
	}
	return `{"kind":"sign","id":5,"body":` + string(body) + `}`
}

// FuzzClient sends arbitrary packets of a supervisor. The core must read them to the end or
// fail, each caller must return, and no answered request may keep its slot.
func FuzzClient(f *testing.F) {
	for _, lines := range []string{
		`{"kind":"answer","id":1,"body":{"session":"s1"}}` + "\n" +
			`{"kind":"answer","id":2,"body":{"refused":true}}` + "\n" +
			`{"kind":"answer","id":3,"body":{"users":{"1000":"alice"}}}`,
		`{"kind":"answer","id":1,"body":{"account":{"name":"alice","home":"/",` +
			`"as":{"uid":1,"gid":2,"groups":[3]}}}}`,
		`{"kind":"answer","id":2}`,
		`{"kind":"answer","id":3,"body":[]}`,
		`{"kind":"answer","id":1,"body":{}}` + "\n" + `{"kind":"answer","id":1,"body":{}}`,
		`{"kind":"answer","id":99,"body":{}}`,
		`{"kind":"drain","body":{"timeout":-5}}`,
		`{"kind":"drain","body":{}}` + "\n" + `{"kind":"retire","body":{}}`,
		`{"kind":"retire","body":{ }}`,
		`{"kind":"configure","body":{"version":1}}`,
		`{"kind":"admit"}`, `null`, "\x00\xff",
		`{"kind":"exchange","body":{"host":"x","chain":["AA=="]}}` + "\n" +
			`{"kind":"exchange","body":{"chain":3}}`,
		`{"kind":"answer","id":4,"body":{"gid":-1}}` + "\n" +
			`{"kind":"answer","id":5,"body":{"signature":"AA=="}}`,
		`{"kind":"answer","id":3,"body":{"users":{"-1":"x"}}}`,
		`{"kind":"answer","id":3,"body":{"users":{"1":"a b\u0000"},"groups":null}}`,
	} {
		f.Add([]byte(lines))
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		conn, fd := pair(t)
		server := NewServer(conn, &ledger{t: t}, 3)
		setup := Setup{Config: &config.Config{}, Roots: []string{"/home"}}
		if err := server.Configure(setup, nil); err != nil {
			t.Fatal(err)
		}
		c, _, _, err := Connect(uintptr(fd))
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		ran := make(chan error, 1)
		go func() { // ends with the connection
			ran <- c.Run(Orders{
				Drain:    func(time.Duration) {},
				Retire:   func() {},
				Exchange: func(Certificate) error { return nil },
				Found:    func(FoundName) {},
			})
		}()
		var calls sync.WaitGroup
		calls.Go(func() {
			remote := netip.MustParseAddrPort("192.0.2.1:1")
			_, _ = c.Admit(t.Context(), Connection{Remote: remote})
		})
		calls.Go(func() {
			a, err := c.Authenticate(t.Context(), "s1", auth.Credentials{User: "alice"})
			if (a == nil) == (err == nil) {
				t.Errorf("Authenticate: %v, %v", a, err)
			}
		})
		calls.Go(func() { _, _ = c.Names(t.Context(), []uint32{1}, []uint32{2}) })
		calls.Go(func() { _, _, _ = c.Group(t.Context(), "staff") })
		calls.Go(func() { _, _ = c.Sign(t.Context(), Handshake{}) })
		calls.Go(func() {
			if _, err := c.ActiveSocket(t.Context(), "s1", ActiveWay{}); err == nil {
				t.Error("ActiveSocket returned a socket that was not sent")
			}
		})
		buf := make([]byte, maxMessage)
		for range 6 { // wait for all requests, so that the ids of the answers can match
			if _, err := conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		packets(conn, lines, func([]byte) {})
		_ = conn.CloseWrite()
		go func() { // ends with the connection; reads the end messages of the client
			for {
				if n, err := conn.Read(buf); n == 0 || err != nil {
					return
				}
			}
		}()
		calls.Wait()
		if err := <-ran; err == nil || len(err.Error()) > 1000 {
			t.Errorf("Run ended with %.1000q", fmt.Sprint(err))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for k, slots := range c.slots {
			waiting := 0
			for _, p := range c.pending {
				if p.kind == k {
					waiting++
				}
			}
			if len(slots) != waiting {
				t.Errorf("%s: %d slots are in use, %d requests are pending",
					k, len(slots), waiting)
			}
		}
	})
}

// FuzzFirstMessage connects a core with an arbitrary first message and an arbitrary setup. The
// core must have a configuration or fail, and must close all descriptors.
func FuzzFirstMessage(f *testing.F) {
	setup, err := json.Marshal(Setup{Config: config.Default(), Zone: []byte("TZif")})
	if err != nil {
		f.Fatal(err)
	}
	configured := func(listeners int) []byte {
		const format = `{"kind":"configure","body":{"version":1,"listeners":%d}}`
		return fmt.Appendf(nil, format, listeners)
	}
	f.Add(configured(0), setup, uint8(1))
	f.Add(configured(-1), setup, uint8(0))
	f.Add(configured(2), []byte(`{"config":{"data":{"passive_ports":"2-1"}}}`), uint8(3))
	f.Add(configured(0), []byte(`null`), uint8(1))
	f.Add(configured(0), []byte(`{"config":{},"implicit":1,"certificates":[{}]}`), uint8(1))
	f.Add([]byte(`{"kind":"drain","body":{}}`), []byte(""), uint8(2))
	f.Fuzz(func(t *testing.T, packet, setup []byte, descriptors uint8) {
		before := openDescriptors(t)
		connectWith(t, packet, setup, int(descriptors%4))
		if after := openDescriptors(t); after != before {
			t.Errorf("%d descriptors are open, before it were %d", after, before)
		}
	})
}

// connectWith connects a core to a supervisor that sends this packet with a number of
// descriptors, each of a file with the setup.
func connectWith(t *testing.T, packet, setup []byte, descriptors int) {
	sup, fd := pair(t)
	defer sup.Close()
	memory, err := os.CreateTemp(t.TempDir(), "setup")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if _, err := memory.WriteAt(setup, 0); err != nil {
		t.Fatal(err)
	}
	var rights []byte
	if descriptors > 0 {
		rights = unix.UnixRights(slices.Repeat([]int{int(memory.Fd())}, descriptors)...)
	}
	if _, _, err := sup.WriteMsgUnix(append(packet, ' '), rights, nil); err != nil {
		unix.Close(fd) // the packet is too long for the kernel
		return
	}
	client, got, listeners, err := Connect(uintptr(fd))
	if client == nil {
		t.Fatal(err)
	}
	defer client.conn.Close()
	if err == nil && (len(listeners) > 0 || descriptors != 1) {
		t.Errorf("%q with %d descriptors, none of them a listener: %d listeners",
			packet, descriptors, len(listeners))
	}
	if err == nil && (got.Config == nil || got.Implicit < 0 || got.Implicit > len(listeners)) {
		t.Errorf("Connect accepted the setup %q", setup)
	}
	_, _ = got.Location()
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
