package core

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/internal/memnet"
)

// sessionStates are the states of a session in which the lines of a client may arrive: the
// lines that the client has sent before, and whether the requested data connection is
// established.
var sessionStates = []struct {
	name   string
	before string
	dial   bool
	tls    bool // the server offers AUTH TLS
	secure bool // TLS begins with the connection
	debug  bool // the log contains every line
}{
	{name: "connected"},
	{name: "connected, with TLS there", tls: true},
	{name: "TLS begun", before: "AUTH TLS", tls: true},
	{name: "user named", before: "USER alice", debug: true},
	{name: "password under way", before: "USER slow\r\nPASS secret"},
	{name: "logged in", before: loggedIn},
	{name: "passive port, nobody there", before: loggedIn + "\r\nPASV"},
	{name: "passive port, client there", before: loggedIn + "\r\nPASV", dial: true},
	{name: "active port", before: loggedIn + "\r\nPORT 192,0,2,99,200,1"},
	{name: "upload waits for its client", before: loggedIn + "\r\nEPSV\r\nSTOR upload"},
	{name: "upload runs", before: loggedIn + "\r\nEPSV\r\nSTOR upload", dial: true},
	{name: "download runs", before: loggedIn + "\r\nEPSV\r\nRETR large", dial: true},
	{name: "over TLS", secure: true},
	{
		name: "over TLS, upload runs", before: loggedIn + "\r\nEPSV\r\nSTOR upload", dial: true,
		secure: true,
	},
	{name: "rename begun", before: loggedIn + "\r\nRNFR d/f"},
	{name: "leaving", before: loggedIn + "\r\nEPSV\r\nSTOR upload\r\nQUIT"},
}

const loggedIn = "USER alice\r\nPASS secret\r\nTYPE I"

// commandLines are seeds: lines that clients send, and lines that they should not send.
var commandLines = []string{
	"NOOP", "USER alice\r\nPASS secret", "RETR \xff\xff", "CWD a\r\nMKD \"b\"\r\nPWD", "LIST -la",
	"MLST\r\nOPTS MLST size;type;",
	"PASV\r\nPASV\r\nEPSV ALL", "STOR x\r\nNOOP\r\nQUIT\r\nPWD", "REST 5\r\nRETR d/f",
	"RNFR d/f\r\nRNTO g\r\nDELE g", "TYPE A N\r\nSIZE d/f",
	"EPSV\r\nRETR d/f\r\nNOOP\r\nPWD", "MKD a\x00b\r\nXMKD \r\r\n", "HELP\r\nFEAT\r\nHELP HELP",
	"REIN\r\nUSER b",
	"PORT 192,0,2,99,4,1\r\nRETR d/f\r\nSTAT\r\nABOR",
	"EPRT |1|192.0.2.99|9999|\r\nSTOU\r\n\xff\xf4\xff\xf2ABOR\r\nSTAT", "STAT /",
	"SITE CHMOD 644 d/f\r\nSITE UMASK 077\r\n" +
		"SITE UTIME d/f 20200101000000 20200101000000 20200101000000 UTC",
	"MFMT 20200101000000 d/f",
	"EPSV\r\nSTOR f\r\nUSER b\r\nABOR\r\nREIN",
	"MDTM 20200101000000 d/f\r\nSITE HELP\r\nHELP SITE X\r\nALLO 1\r\nCLNT x",
	"AUTH TLS\r\nUSER alice", "AUTH ssl\r\n\x16\x03\x01\x00\x05hello", "PBSZ 0\r\nPROT P\r\nPROT C",
	"\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n",
	"MLST no\r\nMLSD \r\nNLST ../..\r\nSTAT d", "CWD ..//./d\r\nCDUP\r\nRETR ../../../etc/passwd",
	"APPE upload\r\nABOR\r\nABOR\r\nNOOP",
	"PASS", "ACCT x\r\nCCC\r\nHOST x\r\nHASH d/f", "RMD d\r\nRMD /\r\nDELE d",
	"LIST *\r\nNLST [a-\r\nLIST d/?",
	"OPTS HASH SHA-256\r\nHASH d/f\r\nXCRC d/f 1 2",
}

// A client reads whole replies, whatever it sends and in whatever state. Its session ends with
// the client and leaves nothing behind: no listener, no session, no panic, and nothing outside
// the home.
func FuzzSession(f *testing.F) {
	for i, lines := range commandLines {
		f.Add([]byte(lines), uint8(0))
		f.Add([]byte(lines), uint8(1+i%(len(sessionStates)-1)))
	}
	for i := range sessionStates {
		f.Add([]byte("NOOP\r\nSTAT\r\nPWD\r\nABOR\r\nREIN\r\nQUIT"), uint8(i))
	}
	f.Fuzz(func(t *testing.T, lines []byte, state uint8) {
		if len(lines) > 8<<10 {
			t.Skip("more of the same")
		}
		synctest.Test(t, func(t *testing.T) { converse(t, lines, int(state)%len(sessionStates)) })
	})
}

func converse(t *testing.T, lines []byte, number int) {
	state := sessionStates[number]
	w := newWorld(t)
	w.set("auth.failure_delay", "0s")
	w.set("data.passive_ports", "50000")
	if state.tls {
		w.set("certificate", "")
	}
	if state.debug {
		w.set("log.level", "debug")
	}
	if state.secure {
		w.set("implicit", "")
	}
	untouched := w.homeInside(t)
	c := w.connectAs(t)
	text := c.heard()
	if state.before != "" {
		text += c.say(state.before)
	}
	var data *memnet.Conn
	if state.dial {
		var err error
		if data, err = w.net.Connect(w.remote, w.at(50000)); err != nil {
			t.Fatal(err)
		}
	}
	text += c.say(string(lines))
	if data != nil {
		data.Close()
		text += c.heard()
	}
	text += c.stillThere(t)
	c.conn.Close()
	w.sessions.Wait()
	if before, _, tls := strings.Cut(text, "234 Ready for TLS.\r\n"); tls {
		text = before // the following bytes are not text
	}
	checkReplies(t, text)
	w.leftNothing(t)
	untouched()
}

// A talker is the client end of a control connection.
type talker struct {
	conn *memnet.Conn
	tls  *tls.Conn // nil: in clear text
}

// connectAs starts a session, and begins TLS if TLS begins with the connection.
func (w *world) connectAs(t *testing.T) talker {
	t.Helper()
	c := talker{conn: w.connect()}
	if w.implicit {
		c.tls = tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
		if err := c.tls.Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// say sends lines and returns the replies that arrive at once. Over TLS the lines are split
// into two records, which need not end with a line.
func (c talker) say(lines string) string {
	lines += "\r\n"
	if c.tls != nil {
		c.tls.Write([]byte(lines[:len(lines)/2]))
		c.tls.Write([]byte(lines[len(lines)/2:]))
	} else {
		c.conn.Write([]byte(lines))
	}
	return c.heard()
}

func (c talker) heard() string {
	if c.tls == nil {
		return heard(c.conn)
	}
	synctest.Wait()
	c.conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
	defer c.conn.SetReadDeadline(time.Time{})
	text, _ := io.ReadAll(c.tls)
	return string(text)
}

// over reports whether the server has closed the connection.
func (c talker) over() bool { return c.conn.Ended(0) }

// stillThere checks that the session has ended or replies, at the latest when every possible
// wait is over.
func (c talker) stillThere(t *testing.T) (said string) {
	if said = c.say("NOOP"); said == "" && !c.over() {
		// longer than each default timeout except the idle timeout
		time.Sleep(4 * time.Minute)
		if said = c.heard(); said == "" && !c.over() {
			t.Error("the session neither answers nor ends")
		}
	}
	return said
}

// homeInside moves the home into a new directory and fills it. The returned function checks
// that nothing beside the home was touched.
func (w *world) homeInside(t *testing.T) (check func()) {
	parent := w.supervisor.home
	w.supervisor.home = filepath.Join(parent, "home")
	secret, large := filepath.Join(parent, "secret"), filepath.Join(w.supervisor.home, "large")
	err := errors.Join(
		os.MkdirAll(filepath.Join(w.supervisor.home, "d"), 0o755),
		os.WriteFile(secret, []byte("outside"), 0o644),
		os.WriteFile(filepath.Join(w.supervisor.home, "d/f"), []byte("inside"), 0o644),
		os.WriteFile(large, nil, 0o644),
		os.Truncate(large, 4*memnet.WindowSize),
	)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		entries, err := os.ReadDir(parent)
		text, readErr := os.ReadFile(secret)
		if err := errors.Join(err, readErr); err != nil || len(entries) != 2 ||
			string(text) != "outside" {
			t.Errorf("beside the home: %v, %q, %v", entries, text, err)
		}
	}
}

// leftNothing checks that every session has ended without a panic, and that no port is still
// open.
func (w *world) leftNothing(t *testing.T) {
	t.Helper()
	if w.net.Listeners() > 0 {
		t.Error("listeners are left")
	}
	if len(w.supervisor.ended) != w.supervisor.ids {
		t.Errorf("%d sessions were admitted, %d ended", w.supervisor.ids, len(w.supervisor.ended))
	}
	if all := strings.Join(w.supervisor.events, "\n"); strings.Contains(all, "panic (") {
		t.Error(all)
	}
}

// replyLine matches the first or last line of a reply: a code and the character that separates
// it from the text.
var replyLine = regexp.MustCompile(`^[1-5][0-9][0-9][ -]`)

// checkReplies checks that text consists of replies in the form of RFC 959 §4.2: whole lines,
// from a line with a code to a line with the same code and a blank. No line between them looks
// like the line of another reply. It returns the number of replies.
func checkReplies(t *testing.T, text string) (n int) {
	t.Helper()
	if text == "" {
		return 0
	}
	rest, ok := strings.CutSuffix(text, "\r\n")
	if !ok {
		t.Errorf("%q does not end with a line", text)
	}
	open := "" // the code of a reply that has not ended
	for _, line := range strings.Split(rest, "\r\n") {
		coded := replyLine.MatchString(line)
		switch {
		case strings.ContainsAny(line, "\r\n\x00"):
			t.Errorf("a line %q", line)
		case open == "" && !coded, open != "" && coded && line[:3] != open:
			t.Errorf("no reply of %q: %q", open, line)
		case coded && line[3] == ' ':
			open = ""
			n++
		case coded:
			open = line[:3]
		}
	}
	if open != "" {
		t.Errorf("a reply without an end: %q", text)
	}
	return n
}
