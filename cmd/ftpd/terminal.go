package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ftpd/pkg/core"
	"ftpd/pkg/events"
	"ftpd/pkg/supervisor"
)

// This file is the output of ftpd share on a terminal. It begins with a few plain lines: the
// shared directory, its URLs and the settings. Log records follow. While files are transferred, a
// line of progress below the records is redrawn in place. If standard error is not a terminal,
// the lines at the start are a log record, and there is no progress, so that a file receives
// complete lines only.

// A terminal writes log records and the line of progress.
type terminal struct {
	out        io.Writer
	isTerminal bool
	done       chan struct{} // closed by close

	mu       sync.Mutex
	running  func() []core.Progress // guarded by mu, as the following; nil before watch
	line     string                 // the visible line of progress
	stopped  bool                   // the service ends with its last transfer
	finished bool                   // nothing more is drawn
}

func newTerminal(out io.Writer) *terminal {
	return &terminal{out: out, isTerminal: events.IsTerminal(out), done: make(chan struct{})}
}

// IsTerminal reports whether the log formats its records for a terminal.
func (t *terminal) IsTerminal() bool { return t.isTerminal }

// Write writes a record in place of the line of progress, which the next update draws below it.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draw("")
	return t.out.Write(p)
}

// often is the interval between two updates of the progress.
const often = 300 * time.Millisecond

// watch shows the progress of transfers until close is called.
func (t *terminal) watch(running func() []core.Progress) {
	t.mu.Lock()
	t.running = running
	t.mu.Unlock()
	go func() { // ends with close
		tick := time.NewTicker(often)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				t.update(time.Now())
			case <-t.done:
				return
			}
		}
	}()
}

func (t *terminal) update(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.finished || t.running == nil {
		return
	}
	t.draw(progressLine(t.running(), t.stopped, now))
}

// stopping makes the line of progress state what a second Ctrl-C does.
func (t *terminal) stopping() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.update(time.Now())
}

func (t *terminal) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draw("")
	t.finished = true
	close(t.done)
}

// draw replaces the visible line of progress.
func (t *terminal) draw(line string) {
	if line == t.line {
		return
	}
	gap := max(0, len([]rune(t.line))-len([]rune(line)))
	fmt.Fprint(t.out, "\r", line, strings.Repeat(" ", gap))
	if line == "" {
		fmt.Fprint(t.out, "\r")
	}
	t.line = line
}

// lineWidth is less than the width of any terminal, because a line that wraps cannot be redrawn.
const lineWidth = 79

// progressLine returns the line of progress, and "" without transfers.
func progressLine(running []core.Progress, stopped bool, now time.Time) string {
	if len(running) == 0 {
		return ""
	}
	p := running[0]
	verb := "receiving"
	if p.Verb == "RETR" {
		verb = "sending"
	}
	far := size(p.Moved)
	if p.Size > 0 {
		far = fmt.Sprintf("%d %%", 100*p.Moved/p.Size)
	}
	end := ", " + far
	if seconds := now.Sub(p.Began).Seconds(); seconds > 0 {
		end += fmt.Sprintf(", %s/s", size(int64(float64(p.Moved)/seconds)))
	}
	if more := len(running) - 1; more > 0 {
		end += fmt.Sprintf(" (and %d more)", more)
	}
	if stopped {
		end += "; Ctrl-C again cuts it off"
	}
	return shorten(verb+" "+events.Clean(p.Path), lineWidth-len(end)) + end
}

// shorten cuts a text to n characters.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:max(0, n-3)]) + "..."
}

// size returns a number of bytes as text, with about three digits.
func size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	for ; value >= 1000 && unit < len("KMGTPE"); unit++ {
		value /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit-1])
}

// announce writes the lines at the start.
func (t *terminal) announce(s *share, start supervisor.Start) {
	rights, who, login := "read-only", "anybody", ""
	if s.write {
		rights = "for reading and writing"
	}
	if s.user != "" {
		who, login = s.user, s.user+"@"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ftpd %s shares %s, %s, with %s:\n", start.Version, s.dir, rights, who)
	for _, host := range s.hosts() {
		address := net.JoinHostPort(host, fmt.Sprint(s.port(start)))
		fmt.Fprintf(&b, "  ftp://%s%s/\n", login, address)
	}
	if start.Fingerprint != "" {
		fmt.Fprintf(&b, "TLS by AUTH TLS; the SHA-256 fingerprint of the certificate is\n  %s\n",
			start.Fingerprint)
	}
	if start.Public != "" {
		fmt.Fprintf(&b, "NAT address %s, ", start.Public)
	}
	sendfile := "on"
	if !start.Sendfile {
		sendfile = "off"
	}
	fmt.Fprintf(&b, "passive ports %s, sendfile %s, sandbox %s, pid %d\n",
		start.Passive, sendfile, start.Layers, start.PID)
	for _, missing := range start.Layers.Missing {
		fmt.Fprintf(&b, "not confined: %s\n", missing)
	}
	b.WriteString("Ctrl-C stops it when running transfers have ended.\n")
	t.Write([]byte(b.String()))
}

// port returns the port of the listener, which the system has chosen if --listen has port 0.
func (s *share) port(start supervisor.Start) uint16 {
	if got, err := netip.ParseAddrPort(start.Listen[0]); err == nil {
		return got.Port()
	}
	return s.listen.Port()
}

// maxHosts bounds the number of URLs, because a machine may have an address for each container.
const maxHosts = 6

// hosts returns the names and addresses for URLs.
func (s *share) hosts() []string {
	var hosts []string
	if s.public.IsValid() {
		hosts = append(hosts, s.public.Unmap().String())
	}
	for _, a := range s.reachable() {
		if len(hosts) < maxHosts && !a.IsLoopback() {
			hosts = append(hosts, a.String())
		}
	}
	if a := s.listen.Addr(); a.IsUnspecified() {
		return append(hosts, "localhost")
	} else if a.IsLoopback() {
		return append(hosts, a.Unmap().String())
	}
	return hosts
}

// hostAddresses returns the addresses of this machine that other machines may use, followed by the
// loopback addresses.
func hostAddresses(only4 bool) []netip.Addr {
	var global, loopback []netip.Addr
	addresses, _ := net.InterfaceAddrs() // after an error there are no addresses to show
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		addr := prefix.Addr()
		switch {
		case err != nil || only4 && !addr.Is4():
		case addr.IsLoopback():
			loopback = append(loopback, addr)
		case addr.IsGlobalUnicast():
			global = append(global, addr)
		}
	}
	return append(global, loopback...)
}
