package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxDescriptors bounds the descriptors of one message; the kernel has the same bound
// (SCM_MAX_FD).
const maxDescriptors = 253

// answerTimeout bounds the time in which a core must read an answer.
const answerTimeout = 10 * time.Second

// A Server is the supervisor's end of the connection to one core. It treats each message of
// the core as hostile.
type Server struct {
	conn     *net.UnixConn
	sup      Supervisor
	attempts int           // bounds the failed logins of one session
	retired  atomic.Bool   // Retire was called
	closed   chan struct{} // closed when the core has closed its listeners

	pingInterval time.Duration // pingInterval; tests shorten it

	// Only the goroutine of Run uses the following.
	state      state
	onReady    func()
	waited     time.Duration // for messages, since the last ping
	unanswered int           // pings without an answer
	records    budget        // of the records that the core causes

	mu       sync.Mutex
	sessions map[string]*session // the running sessions of this core
	underWay map[kind]int        // requests without an answer
	lastLook uint64              // the number of the newest look
	look     *look               // the present look, or nil

	looking sync.Mutex // held during a look
	writing sync.Mutex // held while a message is written
}

// A session is the record of one session of the core. Server.mu guards it.
type session struct {
	cancelLogin context.CancelCauseFunc // ends the running login; nil if none runs
	failed      int                     // failed logins
	history     history
}

// NewServer returns a server that answers the requests of the core at the other end of conn by
// calls of sup. attempts bounds the failed logins of one session.
func NewServer(conn *net.UnixConn, sup Supervisor, attempts int) *Server {
	return &Server{
		conn: conn, sup: sup, attempts: attempts,
		closed: make(chan struct{}), pingInterval: pingInterval,
		sessions: map[string]*session{}, underWay: map[kind]int{},
	}
}

const configure kind = "configure"

type configureBody struct {
	Version   int `json:"version"`
	Listeners int `json:"listeners"`
}

// Configure sends the first message, with the setup and the listeners that the core has to
// serve. The caller keeps its listeners. They are plain descriptors, because an *os.File would
// switch them to blocking mode for all cores.
func (s *Server) Configure(setup Setup, listeners []int) error {
	memory, err := sealed(setup)
	if err != nil {
		return fmt.Errorf("pack the configuration: %w", err)
	}
	defer memory.Close()
	fds := append([]int{int(memory.Fd())}, listeners...)
	body := configureBody{Version: version, Listeners: len(listeners)}
	packet, err := encode(configure, 0, body)
	if err != nil {
		return err
	}
	_, _, err = s.conn.WriteMsgUnix(packet, unix.UnixRights(fds...), nil)
	return err
}

// sealed returns a file in memory that holds the setup and can no longer be changed.
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
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Run answers the core until the core closes the connection, breaks a rule of the table, or does
// not answer pings. In the latter cases Run returns an error, and the caller must kill the core.
// Run calls onReady when the core is ready. At its end it releases the slots of all sessions that
// still run, and returns their number.
func (s *Server) Run(onReady func()) (lost int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.onReady = onReady
	buf := make([]byte, maxMessage)
	for err == nil {
		var m message
		m, err = s.next(buf)
		if err == nil {
			err = s.dispatch(ctx, m)
			clear(m.Body) // it may hold a password
		}
	}
	for _, closed := range []error{io.EOF, unix.ECONNRESET, unix.EPIPE, net.ErrClosed} {
		if errors.Is(err, closed) {
			err = nil
		}
	}
	s.conn.Close()
	s.records.report(s.sup, time.Now())
	return s.release(), err
}

// Close makes Run return, whatever the core does.
func (s *Server) Close() { s.conn.Close() }

// release ends the sessions that the core has left behind. It returns their number.
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

// dispatch checks a message against the table and carries it out. An error is fatal for the
// core.
func (s *Server) dispatch(ctx context.Context, m message) error {
	r, ok := find(fromCore, m.Kind)
	switch {
	case !ok:
		return fmt.Errorf("core sent %.32q, which is not in the table", m.Kind)
	case r.state != s.state:
		return fmt.Errorf("core sent %q at the wrong time", m.Kind)
	case len(m.Body) > r.size:
		return fmt.Errorf("core sent a %s of %d bytes, over the bound of %d",
			m.Kind, len(m.Body), r.size)
	case !s.begin(r):
		return fmt.Errorf("core has more than %d of %s under way", r.concurrent, m.Kind)
	}
	return r.handle(s, ctx, r, m)
}

// A request is a message of the core, under its rule. A message without an answer has the id 0.
type request struct {
	rule
	id uint64
}

// parsed returns the handler for a rule that parses the body of the message.
func parsed[B any](
	handle func(*Server, context.Context, request, B) error,
) func(*Server, context.Context, rule, message) error {
	return func(s *Server, ctx context.Context, r rule, m message) error {
		var body B
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return fmt.Errorf("core sent a malformed %s: %w", m.Kind, err)
		}
		return handle(s, ctx, request{r, m.ID}, body)
	}
}

// begin counts a request. It returns false if there are too many without an answer.
func (s *Server) begin(r rule) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.concurrent == 0 {
		return true
	}
	s.underWay[r.kind]++
	// The core may have received an answer that is still counted, because reply counts after
	// writing.
	return s.underWay[r.kind] <= r.concurrent+1
}

const answer kind = "answer"

// reply sends the answer to a request, which ends the request. It returns false, and sends
// nothing, if the answer is too large. It closes the connection of a core that does not read
// its answers.
func (s *Server) reply(r request, body any) bool { return s.replyWith(r, body, nil) }

// replyWith is reply for an answer that carries descriptors, in oob.
func (s *Server) replyWith(r request, body any, oob []byte) bool {
	packet, err := encode(answer, r.id, body)
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
	s.underWay[r.kind]-- // after writing, so that unread answers of a core are bounded as well
	return true
}

// send sends a message that has no answer.
func (s *Server) send(k kind, body any) error {
	packet, err := encode(k, 0, body)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writeLocked(packet, nil)
}

// writeLocked writes one message, with a deadline for this message. The caller holds writing.
func (s *Server) writeLocked(packet, oob []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	_, _, err := s.conn.WriteMsgUnix(packet, oob, nil)
	return err
}

// inBackground runs the work for a request in a goroutine. The context of the work ends at the
// deadline of the request.
func inBackground(ctx context.Context, r request, work func(context.Context)) {
	go func() { // ends with the work
		ctx, cancel := r.within(ctx, 0)
		defer cancel()
		work(ctx)
	}()
}

// has reports whether the core has a running session with this id.
func (s *Server) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id] != nil
}

const ready kind = "ready"

// ready handles the message that ends the start of the core.
func (s *Server) ready(context.Context, rule, message) error {
	s.state = serving
	s.onReady()
	return nil
}
