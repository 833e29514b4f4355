package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
)

// Transcripts are the tests of the protocol, and its manual: testdata has one file for each
// behaviour, whose first lines describe it.
//
//	C: text      the client sends a line (Go escapes; \c at the end sends no line end)
//	S: pattern   the server sends a line, at once; ... matches any text
//	S: (nothing), S: (closed)
//	D: pattern   a line of the data connection, read to its end; empty: it has no bytes
//	E: pattern   an event was emitted, after the one before
//
// Data connections: connect opens the connection that the last 227 or 229 offers (D: does so
// by itself); connect from ADDR does so from another address. listen ADDR:PORT and accept wait
// for a connection of the server, and the argument of accept is the address from which it must
// come (no listener is at port 9999). send TEXT, send SIZE*TEXT, fin, reset, read SIZE, data
// closed and data open act on the connection.
//
// Control connection: login NAME sends USER, PASS and TYPE I. hang up closes it (hang hard by
// a reset, hang politely with close_notify), half-close closes its sending direction. leave
// TEXT sends TEXT, if any, and closes that direction and the data connection at once. kill
// closes both connections at once, and again starts a new client. advance D lets time pass.
//
// Before the first C: or S: there may be set KEY VALUE, file PATH TEXT, sized PATH BYTES, dir
// PATH, link PATH TARGET, time PATH TIME, client ADDR:PORT and server ADDR:PORT. header TEXT
// is sent by a load balancer before the client sends anything.
//
// check PATH TEXT and gone PATH check the home. drain stops the server, cut ends its wait for
// sessions, and refuse TEXT makes admission refuse with this text. hashes busy takes all
// places of HASH, hashes free returns them. fail CALL ERROR makes a call on files fail from
// then on, under "full" permissions; the call "every" stands for all calls, and fail nothing
// ends it.
//
// TLS: set certificate gives the server a certificate, and with set implicit TLS begins with
// the connection. secure begins TLS on the control connection (secure 1.2; secure 1.2 refused;
// secure last holds back its last piece; secure as NAME sends that server name instead of x,
// and secure as nobody sends none). protect begins TLS on data connections from then on; after
// forget the client has no TLS sessions for them. fin then ends with close_notify, end
// without. offer NAMES offers these protocols by ALPN from then on. raw TEXT is sent beneath TLS,
// handshake does only the handshake (handshake refused), and resumed and not resumed check whether
// the last one resumed a session. hold keeps back what the client sends, release sends it in one
// piece, and dribble sends byte by byte from then on.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "# ") {
				t.Fatal("does not tell its story first")
			}
			synctest.Test(t, func(t *testing.T) {
				play(t, file, string(text))
			})
		})
	}
}

// A player runs a transcript.
type player struct {
	*world
	control *memnet.Conn
	said    []byte // received from the server, not yet compared
	data    *memnet.Conn
	dialled bool     // since the last offer
	listed  []string // lines of the data connection, not yet compared
	listing bool
	active  transport.Listener // where listen waits
	passive uint16
	seen    int // events
	cut     context.CancelFunc
	clientTLS
}

func play(t *testing.T, file, text string) {
	p := &player{world: newWorld(t)}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.step(line); err != nil {
			t.Errorf("%s:%d: %s\n\t%v", file, i+1, line, err)
			break
		}
	}
	if err := p.endListing(); err != nil {
		t.Error(file, "at the end:", err)
	}
	p.finish(file)
}

// finish closes the connection and checks that the session leaves nothing behind.
func (p *player) finish(file string) {
	if p.control != nil {
		p.control.Close()
	}
	p.sessions.Wait()
	if p.data != nil {
		p.data.Close()
	}
	time.Sleep(dtp.FarewellTime)
	if p.active != nil {
		p.active.Close()
	}
	if p.cut != nil {
		p.cut()
	}
	if n := p.net.Listeners(); n > 0 {
		p.t.Errorf("%s: %d listeners are left", file, n)
	}
	if len(p.supervisor.ended) != p.supervisor.ids {
		p.t.Errorf("%s: %d sessions were admitted, %d ended",
			file, p.supervisor.ids, len(p.supervisor.ended))
	}
}

func (p *player) step(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if word != "D:" {
		if err := p.endListing(); err != nil {
			return err
		}
	}
	name, value, _ := strings.Cut(rest, " ")
	switch word {
	case "file", "sized", "dir", "link", "time", "check", "gone":
		name = unescape(name)
	}
	path := filepath.Join(p.supervisor.home, name)
	switch word {
	case "set":
		p.set(name, unescape(value))
		return nil
	case "file":
		return os.WriteFile(path, []byte(unescape(value)), 0o644)
	case "sized":
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(value, 10, 64)
		return errors.Join(err, f.Truncate(size), f.Close())
	case "dir":
		return os.Mkdir(path, 0o755)
	case "link":
		return os.Symlink(value, path)
	case "time":
		at, err := time.Parse("2006-01-02T15:04:05", value)
		return errors.Join(err, os.Chtimes(path, at, at))
	case "client":
		p.remote = netip.MustParseAddrPort(rest)
		return nil
	case "server":
		p.local = netip.MustParseAddrPort(rest)
		return nil
	case "refuse":
		p.supervisor.refuse = rest
		return nil
	case "check":
		got, err := os.ReadFile(path)
		if err == nil && string(got) != unescape(value) {
			err = fmt.Errorf("%s holds %q", name, got)
		}
		return err
	case "gone":
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			return fmt.Errorf("%s is there (%v)", name, err)
		}
		return nil
	}
	if p.control == nil {
		p.control = p.connect()
	}
	synctest.Wait()
	return p.talk(word, rest)
}

func (p *player) talk(word, rest string) error {
	switch word {
	case "C:":
		end := "\r\n"
		if strings.HasSuffix(rest, `\c`) {
			rest, end = strings.TrimSuffix(rest, `\c`), ""
		}
		return p.write(unescape(rest) + end)
	case "header":
		return p.write(unescape(rest))
	case "S:":
		return p.expect(rest)
	case "login":
		for _, line := range []string{
			"C: USER " + rest, "S: 331 ...", "C: PASS secret", "S: 230 ...", "C: TYPE I",
			"S: 200 ...",
		} {
			if err := p.step(line); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
		}
		return nil
	case "secure", "offer", "protect", "forget", "hold", "release", "dribble":
		return p.talkTLS(word, rest)
	case "half-close":
		return p.control.CloseWrite()
	case "hang", "leave", "kill", "again":
		return p.goes(word, rest)
	case "advance":
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		return err
	case "D:":
		return p.listLine(rest)
	case "E:":
		return p.event(rest)
	case "drain":
		p.drain()
		return nil
	case "cut":
		p.cut()
		return nil
	case "fail":
		call, name, _ := strings.Cut(rest, " ")
		return p.fail(call, name)
	case "hashes": // busy, or free again
		for range cap(p.server().hashes.Taken) {
			if rest == "busy" {
				p.server().hashes.Taken <- struct{}{}
			} else {
				<-p.server().hashes.Taken
			}
		}
		return nil
	}
	return p.act(word, rest)
}

// drain stops the server; cut ends its wait for sessions.
func (p *player) drain() {
	var ctx context.Context
	ctx, p.cut = context.WithCancel(context.Background())
	p.sessions.Go(func() { p.server().Shutdown(ctx) }) // ends with the sessions
}

// act runs an instruction for the data connection.
func (p *player) act(word, rest string) error {
	switch word {
	case "connect":
		from := p.remote
		if other, ok := strings.CutPrefix(rest, "from "); ok {
			from = netip.MustParseAddrPort(other)
		}
		return p.dial(from)
	case "listen", "accept":
		return p.serveData(word, rest)
	case "send":
		if count, text, ok := strings.Cut(rest, "*"); ok {
			n, err := strconv.Atoi(count)
			if err != nil {
				return err
			}
			rest = strings.Repeat(text, n)
		}
		_, err := p.through().Write([]byte(unescape(rest)))
		return err
	case "fin":
		p.farewell()
		return p.data.Finish()
	case "reset":
		p.data.Reset()
		return nil
	case "read":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		_, err = io.ReadFull(p.through(), make([]byte, n))
		return err
	case "data":
		p.data.SetReadDeadline(time.Now().Add(time.Nanosecond))
		want := map[string]error{"closed": io.EOF, "open": os.ErrDeadlineExceeded}[rest]
		if _, err := p.data.Read(make([]byte, 1)); !errors.Is(err, want) {
			return fmt.Errorf("the data connection is not %s: %v", rest, err)
		}
		return nil
	}
	return p.actTLS(word, rest)
}

func (p *player) dial(from netip.AddrPort) (err error) {
	p.dialled = p.dialled || from == p.remote
	p.data, err = p.net.Connect(from, netip.AddrPortFrom(p.local.Addr().Unmap(), p.passive))
	return err
}

// serveData runs the instructions for the client end of active mode.
func (p *player) serveData(word, rest string) (err error) {
	if word == "listen" {
		if p.active != nil {
			p.active.Close()
		}
		p.active, err = p.net.Listen(netip.MustParseAddrPort(rest))
		return err
	}
	c, err := p.active.Accept()
	if err != nil {
		return err
	}
	p.data, p.dialled = c.(*memnet.Conn), true
	if from := p.data.Remote().Addr().String(); from != rest {
		return fmt.Errorf("the data connection comes from %s", from)
	}
	return nil
}

// expect compares the next line of the server.
func (p *player) expect(pattern string) error {
	ended, err := p.listen()
	if err != nil {
		return err
	}
	line, rest, ok := strings.Cut(string(p.said), "\r\n")
	switch {
	case pattern == "(nothing)" && len(p.said) == 0 && !ended:
		return nil
	case pattern == "(closed)" && len(p.said) == 0 && ended:
		return nil
	case !ok && len(p.said) == 0 && ended:
		return errors.New("the server has closed the connection")
	case !ok:
		return fmt.Errorf("the server has said %q", p.said)
	case !matches(pattern, line):
		return fmt.Errorf("the server says %q", line)
	}
	p.said = []byte(rest)
	var h, port, low int
	if n, _ := fmt.Sscanf(line[min(4, len(line)):], "Entering Passive Mode (%d,%d,%d,%d,%d,%d)", &h,
		&h, &h, &h, &port, &low); n == 6 {
		p.passive, p.dialled = uint16(port<<8|low), false
	}
	if n, _ := fmt.Sscanf(line[min(4, len(line)):], "Entering Extended Passive Mode (|||%d|)",
		&port); n == 1 {
		p.passive, p.dialled = uint16(port), false
	}
	return nil
}

// listen reads what the server has sent. It reports whether the connection has ended.
func (p *player) listen() (ended bool, err error) {
	if p.secured != nil {
		return p.listenSecured()
	}
	ended = p.control.Ended(0)
	if unread := p.control.Unread(); unread > 0 {
		buf := make([]byte, unread)
		n, err := p.control.Read(buf)
		if err != nil {
			return false, err
		}
		p.said = append(p.said, buf[:n]...)
	}
	return ended, nil
}

// listLine compares the next line of the data connection, which is read to its end at the
// first call.
func (p *player) listLine(pattern string) error {
	if !p.listing {
		if !p.dialled {
			if err := p.dial(p.remote); err != nil {
				return err
			}
		}
		p.data.SetReadDeadline(time.Now().Add(time.Nanosecond))
		all, err := io.ReadAll(p.through())
		if err != nil {
			return fmt.Errorf("after %q: %w", all, err)
		}
		p.data.Close()
		p.listing, p.listed = true, nil
		if len(all) > 0 {
			p.listed = strings.Split(strings.TrimSuffix(string(all), "\r\n"), "\r\n")
		}
	}
	if pattern == "" && len(p.listed) == 0 {
		return nil
	}
	if len(p.listed) == 0 || !matches(pattern, p.listed[0]) {
		return fmt.Errorf("the data connection brings %q", p.listed)
	}
	p.listed = p.listed[1:]
	return nil
}

// endListing ends a listing: the transcript must have named all of its lines.
func (p *player) endListing() error {
	p.listing = false
	if len(p.listed) > 0 {
		return fmt.Errorf("the data connection has also brought %q", p.listed)
	}
	return nil
}

// event checks that the events which were not compared yet contain this one. The event of an
// upload may come a moment after its 226.
func (p *player) event(pattern string) error {
	if p.emitted(pattern) {
		return nil
	}
	time.Sleep(p.srv.waits.Record)
	synctest.Wait()
	if p.emitted(pattern) {
		return nil
	}
	p.supervisor.mu.Lock()
	defer p.supervisor.mu.Unlock()
	return fmt.Errorf("the events were %q", p.supervisor.events[p.seen:])
}

func (p *player) emitted(pattern string) bool {
	p.supervisor.mu.Lock()
	defer p.supervisor.mu.Unlock()
	for i, e := range p.supervisor.events[p.seen:] {
		if matches(pattern, e) {
			p.seen += i + 1
			return true
		}
	}
	return false
}

// matches compares a text with a pattern, in which ... stands for any text.
func matches(pattern, text string) bool {
	pattern = unescape(pattern)
	parts := strings.Split(pattern, "...")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok = strings.Cut(rest, part)
		if !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// unescape reads Go's escapes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", s, err))
	}
	return text
}
