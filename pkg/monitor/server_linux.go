package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// maxDescriptors bounds what one message carries: the kernel's own bound (SCM_MAX_FD).
const maxDescriptors = 253

// answerTimeout bounds how long a core may leave its answers unread.
const answerTimeout = 10 * time.Second

// A Server is the supervisor's end of one core, every message of which it takes for hostile.
type Server struct {
	conn     *net.UnixConn
	sup      Supervisor
	attempts int // failed logins that one session may try

	state state // owned by Run

	mu       sync.Mutex
	sessions map[string]*session // admitted to this core and not ended
	underWay map[kind]int
	looks    uint64 // so many looks were asked for
	look     *look  // the one under way; nil: none is

	looking sync.Mutex // one look at a time
	writing sync.Mutex // one message at a time
}

// A session is what the supervisor's end knows of one of the core's sessions; Server.mu guards it.
type session struct {
	asking context.CancelCauseFunc // ends the login that is under way; nil: none is
	failed int
}

var errLeft = errors.New("the session ended before the login was checked")

// NewServer answers the core at the other end of conn from sup. No session may fail more logins than attempts.
func NewServer(conn *net.UnixConn, sup Supervisor, attempts int) *Server {
	return &Server{conn: conn, sup: sup, attempts: attempts, sessions: map[string]*session{}, underWay: map[kind]int{}}
}

// Configure sends the first message: the setup, and the listeners that the core shall serve. The caller keeps its
// listeners, which are plain descriptors: an *os.File would switch them to blocking mode, for all cores.
func (s *Server) Configure(setup Setup, listeners []int) error {
	memory, err := sealed(setup)
	if err != nil {
		return fmt.Errorf("pack the configuration: %w", err)
	}
	defer memory.Close()
	fds := append([]int{int(memory.Fd())}, listeners...)
	packet, err := encode(configure, 0, configureBody{Version: version, Listeners: len(listeners)})
	if err != nil {
		return err
	}
	_, _, err = s.conn.WriteMsgUnix(packet, unix.UnixRights(fds...), nil)
	return err
}

// sealed is a file in memory that holds the setup and cannot be changed any more.
func sealed(setup Setup) (*os.File, error) {
	fd, err := unix.MemfdCreate("ftpd-setup", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "ftpd-setup")
	if err := json.NewEncoder(f).Encode(setup); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Drain asks the core to accept no more, to let running transfers end within the timeout, and then to end itself.
func (s *Server) Drain(timeout time.Duration) error {
	return s.send(drain, 0, drainBody{Timeout: timeout})
}

// Exchange gives the core a certificate to show from now on, in place of the one for the same host.
func (s *Server) Exchange(c Certificate) error { return s.send(exchange, 0, c) }

// Found tells the core which address a host name of [nat] has now.
func (s *Server) Found(f FoundName) error { return s.send(nameFound, 0, f) }

// Retire asks the core to accept no more and to end with the last of its sessions.
func (s *Server) Retire() error { return s.send(retire, 0, struct{}{}) }

// Run answers the core until it hangs up (nil) or says something impossible (an error, after which the caller kills it). It calls
// onReady when the core is ready, and gives back the slots of all sessions that were left, whose number it returns.
func (s *Server) Run(onReady func()) (lost int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	buf := make([]byte, maxMessage)
	for err == nil {
		var m message
		m, _, err = receive(s.conn, buf, nil) // with no room for descriptors: those of a core are dropped, and the message is impossible
		if err == nil {
			err = s.take(ctx, m, onReady)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.conn.Close()
	return s.release(), err
}

// Close lets Run return, whatever the core does.
func (s *Server) Close() { s.conn.Close() }

// release ends the sessions that the core has left behind.
func (s *Server) release() int {
	s.mu.Lock()
	left := s.sessions
	s.sessions = nil
	s.mu.Unlock()
	for id := range left {
		s.sup.End(id)
	}
	return len(left)
}

// take checks a message against the table and acts on it. An error is fatal for the core.
func (s *Server) take(ctx context.Context, m message, onReady func()) error {
	r, ok := find(fromCore, m.Kind)
	switch {
	case !ok:
		return fmt.Errorf("core said %.32q, which is no request", m.Kind)
	case r.state != s.state:
		return fmt.Errorf("core said %q at the wrong time", m.Kind)
	case len(m.Body) > r.size:
		return fmt.Errorf("core said a %s of %d bytes, over the bound of %d", m.Kind, len(m.Body), r.size)
	case !s.begin(r):
		return fmt.Errorf("core has more than %d of %s under way", r.atOnce, m.Kind)
	}
	switch m.Kind {
	case ready:
		s.state = serving
		onReady()
		return nil
	case admit:
		return s.admit(ctx, m)
	case authenticate:
		return s.authenticate(ctx, m)
	case names:
		return s.names(ctx, r, m)
	case group:
		return s.group(ctx, r, m)
	case sign:
		return s.sign(ctx, r, m)
	case activeSocket:
		return s.activeSocket(ctx, r, m)
	case end:
		return s.end(m)
	case states:
		return s.states(m)
	default:
		return s.event(m)
	}
}

func (s *Server) begin(r rule) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.atOnce == 0 {
		return true
	}
	s.underWay[r.kind]++
	return s.underWay[r.kind] <= r.atOnce+1 // the core may have an answer already that is not counted as written yet
}

// reply answers a request, which is no longer under way then. It is false for an answer that does not fit, which was not sent. A core
// that does not read its answers loses its supervisor.
func (s *Server) reply(k kind, id uint64, body any) bool { return s.replyWith(k, id, body, nil) }

// replyWith sends descriptors along, as oob.
func (s *Server) replyWith(k kind, id uint64, body any, oob []byte) bool {
	packet, err := encode(answer, id, body)
	if err != nil {
		return false
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writeLocked(packet, oob); err != nil {
		s.conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay[k]-- // only now: answers that wait for a core that does not read are bounded, too
	return true
}

func (s *Server) send(k kind, id uint64, body any) error {
	packet, err := encode(k, id, body)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writeLocked(packet, nil)
}

// writeLocked is called with writing held: each message has a deadline of its own.
func (s *Server) writeLocked(packet, oob []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	_, _, err := s.conn.WriteMsgUnix(packet, oob, nil)
	return err
}

func unpack(m message, body any) error {
	if err := json.Unmarshal(m.Body, body); err != nil {
		return fmt.Errorf("core said a malformed %s: %w", m.Kind, err)
	}
	return nil
}

func (s *Server) admit(ctx context.Context, m message) error {
	var c Connection
	if err := unpack(m, &c); err != nil {
		return err
	}
	c.Remote = netip.AddrPortFrom(c.Remote.Addr().WithZone(""), c.Remote.Port()) // a zone is any text, and this goes to PAM and the log
	a, err := s.sup.Admit(ctx, c)
	if err != nil {
		a = Admission{Refusal: "Service not available."}
	}
	if a.Session != "" {
		s.mu.Lock()
		s.sessions[a.Session] = &session{}
		if s.look != nil {
			s.look.most++
		}
		s.mu.Unlock()
	}
	s.reply(admit, m.ID, a)
	return nil
}

func (s *Server) authenticate(ctx context.Context, m message) error {
	var body authenticateBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	s.mu.Lock()
	ses := s.sessions[body.Session]
	possible := ses != nil && ses.asking == nil && ses.failed < s.attempts
	if possible {
		own, cancel := context.WithCancelCause(ctx)
		ses.asking = cancel
		go s.login(own, m.ID, ses, body) // ends with the login, or with its session
	}
	s.mu.Unlock()
	switch {
	case ses == nil:
		return errors.New("core asked for a login of a session that it does not have")
	case !possible: // one at a time, and so many failures: more are not looked at
		s.reply(authenticate, m.ID, authenticateAnswer{Refused: true})
	}
	return nil
}

func (s *Server) login(ctx context.Context, id uint64, ses *session, body authenticateBody) {
	account, err := s.sup.Authenticate(ctx, body.Session, auth.Credentials{User: string(body.User), Password: auth.Password(body.Password)})
	var refusal *auth.Refusal
	a := authenticateAnswer{
		Account: account,
		Refused: errors.As(err, &refusal),
		Busy:    errors.Is(err, auth.ErrBusy),
	}
	if a.Refused {
		a.Public = refusal.Public
	}
	s.mu.Lock()
	ses.asking(nil)
	ses.asking = nil
	if a.Refused {
		ses.failed++ // a backend that failed has told nothing
	}
	s.mu.Unlock()
	if !s.reply(authenticate, id, a) {
		s.sup.Emit(events.Event{Kind: events.LoginFailed, Session: body.Session, User: string(body.User), Reply: 530,
			Cause: fmt.Sprintf("what is to be said of the account is over %d bytes: it is in too many groups", maxAnswer)})
		s.reply(authenticate, id, authenticateAnswer{})
	}
}

// beside does what a request needs apart from the others, until it is answered or at its deadline.
func beside(ctx context.Context, r rule, work func(context.Context)) {
	go func() { // ends with the work
		ctx, cancel := r.within(ctx, 0)
		defer cancel()
		work(ctx)
	}()
}

// has says whether the core has a session.
func (s *Server) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id] != nil
}

func (s *Server) names(ctx context.Context, r rule, m message) error {
	var body namesBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	if n := len(body.Users) + len(body.Groups); n > MaxNames {
		return fmt.Errorf("core asked for %d names at once", n)
	}
	beside(ctx, r, func(ctx context.Context) {
		n, err := s.sup.Names(ctx, body.Users, body.Groups)
		if err != nil {
			n = Names{} // the listing shows numbers
		}
		if !s.reply(names, m.ID, n) {
			s.reply(names, m.ID, Names{})
		}
	})
	return nil
}

func (s *Server) group(ctx context.Context, r rule, m message) error {
	var body groupBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	if n := len(body.Name); n > MaxGroupName {
		return fmt.Errorf("core asked for a group whose name has %d bytes", n)
	}
	beside(ctx, r, func(ctx context.Context) {
		gid, found, err := s.sup.Group(ctx, string(body.Name))
		a := groupAnswer{Failed: err != nil}
		if found {
			a.GID = &gid
		}
		s.reply(group, m.ID, a)
	})
	return nil
}

func (s *Server) sign(ctx context.Context, r rule, m message) error {
	var h Handshake
	if err := unpack(m, &h); err != nil {
		return err
	}
	if err := h.Check(); err != nil {
		return fmt.Errorf("core asked for a signature of %w", err)
	}
	beside(ctx, r, func(ctx context.Context) {
		signature, err := s.sup.Sign(ctx, h)
		if err != nil {
			signature = nil // the handshake fails; the certificate was exchanged a while ago
		}
		s.reply(sign, m.ID, signAnswer{Signature: signature})
	})
	return nil
}

func (s *Server) activeSocket(ctx context.Context, r rule, m message) error {
	var body activeBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	if !s.has(body.Session) {
		return errors.New("core asked for a socket of a session that it does not have")
	}
	beside(ctx, r, func(ctx context.Context) {
		file, err := s.sup.ActiveSocket(ctx, body.Session, body.Local)
		if err != nil {
			s.reply(activeSocket, m.ID, activeAnswer{Failure: err.Error()})
			return
		}
		defer file.Close()
		raw, err := file.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { s.replyWith(activeSocket, m.ID, activeAnswer{}, unix.UnixRights(int(fd))) }) // Fd would make it block
		}
		if err != nil {
			s.reply(activeSocket, m.ID, activeAnswer{Failure: err.Error()})
		}
	})
	return nil
}

func (s *Server) end(m message) error {
	var body endBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	s.mu.Lock()
	ses := s.sessions[body.Session]
	delete(s.sessions, body.Session)
	if ses != nil && ses.asking != nil {
		ses.asking(errLeft)
	}
	s.mu.Unlock()
	if ses == nil {
		return errors.New("core ended a session that it does not have")
	}
	s.sup.End(body.Session)
	return nil
}

func (s *Server) event(m message) error {
	var body eventBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	if !body.Kind.Known() {
		return fmt.Errorf("core reported an event of the kind %.32q", body.Kind)
	}
	if !s.has(body.Session) {
		return errors.New("core reported an event of a session that it does not have")
	}
	s.sup.Emit(body.unpack())
	return nil
}
