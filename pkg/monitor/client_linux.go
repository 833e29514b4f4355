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

// ErrHungUp means that the supervisor is gone; a core ends with it.
var ErrHungUp = errors.New("the supervisor hung up")

// A Client is the core's end. Its methods may be called from any goroutine.
type Client struct {
	conn   *net.UnixConn
	bounds map[kind]chan struct{} // a place for each request that may be under way
	gone   chan struct{}          // closed when the supervisor hung up

	mu      sync.Mutex
	last    uint64              // the newest request's number
	pending map[uint64]*pending // requests whose answer is awaited
}

type pending struct {
	kind kind
	body chan delivery // takes the one answer without a reader
	left bool          // nobody waits for the answer any more; guarded by the client's mu
}

// A delivery is an answer, with the descriptor that has come along (nil: none).
type delivery struct {
	body json.RawMessage
	file *os.File
}

// decode reads an answer, and gives away what has come along. A caller that expects no file gets none.
func (d delivery) decode(out any) (*os.File, error) {
	err := json.Unmarshal(d.body, out)
	if err != nil && d.file != nil {
		d.file.Close()
		return nil, err
	}
	return d.file, err
}

// Connect takes the supervisor's first message from the socket fd, which it owns from then on, with the listeners that came along.
func Connect(fd uintptr) (*Client, Setup, []net.Listener, error) {
	file := os.NewFile(fd, "monitor")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, Setup{}, nil, fmt.Errorf("no supervisor at descriptor %d (ftpd serve starts its core itself): %w", fd, err)
	}
	c := &Client{
		conn:    conn.(*net.UnixConn),
		bounds:  map[kind]chan struct{}{},
		gone:    make(chan struct{}),
		pending: map[uint64]*pending{},
	}
	for _, r := range fromCore {
		if r.atOnce > 0 {
			c.bounds[r.kind] = make(chan struct{}, r.atOnce)
		}
	}
	setup, listeners, err := c.first()
	return c, setup, listeners, err
}

func (c *Client) first() (Setup, []net.Listener, error) {
	m, files, err := receive(c.conn, make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*maxDescriptors)))
	defer func() {
		for _, f := range files {
			f.Close() // listeners work on duplicates
		}
	}()
	if err != nil {
		return Setup{}, nil, fmt.Errorf("read the first message: %w", err)
	}
	var body configureBody
	if m.Kind != configure {
		return Setup{}, nil, fmt.Errorf("the first message is %.32q", m.Kind)
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return Setup{}, nil, fmt.Errorf("read the first message: %w", err)
	}
	if body.Version != version || len(files) == 0 || len(files) != 1+body.Listeners {
		return Setup{}, nil, fmt.Errorf("supervisor speaks version %d with %d descriptors, this core version %d", body.Version, len(files), version)
	}
	var setup Setup
	if err := json.NewDecoder(files[0]).Decode(&setup); err != nil {
		return Setup{}, nil, fmt.Errorf("read the setup: %w", err)
	}
	if setup.Config == nil {
		return Setup{}, nil, errors.New("the setup holds no configuration")
	}
	var listeners []net.Listener
	for _, f := range files[1:] {
		l, err := net.FileListener(f)
		if err != nil {
			return Setup{}, nil, fmt.Errorf("use a listener of the supervisor: %w", err)
		}
		listeners = append(listeners, l)
	}
	if setup.Implicit < 0 || setup.Implicit > len(listeners) {
		return Setup{}, nil, fmt.Errorf("of %d listeners %d begin with TLS", len(listeners), setup.Implicit)
	}
	return setup, listeners, nil
}

// Ready tells the supervisor that connections may come.
func (c *Client) Ready() error { return c.send(ready, 0, struct{}{}) }

// Orders are what the supervisor may tell a core to do.
type Orders struct {
	Drain    func(time.Duration)       // accept no more; running transfers may take this long. Called in a goroutine of its own
	Retire   func()                    // accept no more, and end with the last session. Likewise
	Sessions func() []SessionState     // tell of the sessions. Called in the reader, it must not wait
	Kick     func(session string) bool // end it. Likewise
	Found    func(FoundName)           // name this address in PASV from now on. Likewise
	Exchange func(Certificate) error   // show this certificate from now on. It must not wait; an error is the supervisor's mistake
}

// Run obeys what the supervisor says until it hangs up, which is ErrHungUp.
func (c *Client) Run(o Orders) error {
	defer close(c.gone)
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	for {
		m, files, err := receive(c.conn, buf, oob)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			return ErrHungUp
		}
		if err != nil {
			return fmt.Errorf("read from the supervisor: %w", err)
		}
		if r, ok := find(fromSupervisor, m.Kind); !ok || r.state != serving || len(m.Body) > r.size {
			return fmt.Errorf("the supervisor said %.32q with %d bytes", m.Kind, len(m.Body))
		}
		if m.Kind == answer {
			c.deliver(m, files)
		} else if err := c.obey(o, m); err != nil {
			return fmt.Errorf("obey %q: %w", m.Kind, err)
		}
	}
}

// obey carries out an order, which is one of the table.
func (c *Client) obey(o Orders, m message) error {
	switch m.Kind {
	case drain:
		return ordered(m, func(b drainBody) error {
			go o.Drain(b.Timeout) // ends with the process, which it ends
			return nil
		})
	case retire:
		go o.Retire() // likewise
	case nameFound:
		return ordered(m, func(f FoundName) error {
			o.Found(f)
			return nil
		})
	case exchange:
		return ordered(m, o.Exchange)
	case askStates:
		return ordered(m, func(b lookBody) error {
			go c.states(b.Look, o.Sessions()) // ends when all of it is sent
			return nil
		})
	case kick:
		return ordered(m, func(b kickBody) error {
			o.Kick(b.Session)
			return nil
		})
	}
	return nil
}

// ordered reads what belongs to an order, and carries that out.
func ordered[B any](m message, carryOut func(B) error) error {
	var body B
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return err
	}
	return carryOut(body)
}

func (c *Client) deliver(m message, files []*os.File) {
	c.mu.Lock()
	p, ok := c.pending[m.ID]
	delete(c.pending, m.ID)
	left := ok && p.left
	c.mu.Unlock()
	if !ok || left {
		for _, f := range files {
			f.Close()
		}
		files = nil
	}
	if !ok {
		return
	}
	body := append(json.RawMessage(nil), m.Body...)
	d := delivery{body: body}
	if len(files) > 0 {
		d.file = files[0]
	}
	p.body <- d
	<-c.bounds[p.kind]
	if left && p.kind == admit {
		go c.endUnknown(body) // ends when it is sent; the reader must not wait for that
	}
}

// endUnknown gives back the slot of a session that was admitted too late: nobody knows it.
func (c *Client) endUnknown(body json.RawMessage) {
	var a Admission
	if err := json.Unmarshal(body, &a); err == nil && a.Session != "" {
		c.End(a.Session)
	}
}

// call sends a request and waits for its answer.
func (c *Client) call(ctx context.Context, k kind, body, out any) error {
	file, err := c.ask(ctx, k, body, out)
	if file != nil {
		file.Close()
	}
	return err
}

// ask is call for an answer that may bring a file, which is the caller's. A caller that leaves early leaves its place taken until the
// answer came, since the supervisor counts it until then.
func (c *Client) ask(ctx context.Context, k kind, body, out any) (*os.File, error) {
	r, _ := find(fromCore, k)
	ctx, cancel := r.within(ctx, answerTimeout) // later than the supervisor, which then has answered
	defer cancel()
	select {
	case c.bounds[k] <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: too many under way: %w", k, context.Cause(ctx))
	}
	p := &pending{kind: k, body: make(chan delivery, 1)}
	c.mu.Lock()
	c.last++
	id := c.last
	c.pending[id] = p
	c.mu.Unlock()

	if err := c.send(k, id, body); err != nil {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		<-c.bounds[k]
		return nil, err
	}
	select {
	case d := <-p.body:
		return d.decode(out)
	case <-c.gone:
		return nil, ErrHungUp
	case <-ctx.Done():
	}
	if c.leave(id, p) {
		return nil, fmt.Errorf("%s: no answer: %w", k, context.Cause(ctx))
	}
	return (<-p.body).decode(out) // it came just now
}

// leave says that nobody waits for a request any more. It is false when the answer is there, or about to be.
func (c *Client) leave(id uint64, p *pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.left = c.pending[id] == p
	return p.left
}

func (c *Client) send(k kind, id uint64, body any) error {
	packet, err := encode(k, id, body)
	if err != nil {
		return err
	}
	_, err = c.conn.Write(packet)
	return err
}

// Admit implements Supervisor.
func (c *Client) Admit(ctx context.Context, conn Connection) (Admission, error) {
	var a Admission
	err := c.call(ctx, admit, conn, &a)
	return a, err
}

// Authenticate implements Supervisor.
func (c *Client) Authenticate(ctx context.Context, session string, cred auth.Credentials) (*auth.Account, error) {
	var a authenticateAnswer
	body := authenticateBody{Session: session, User: []byte(cred.User), Password: []byte(cred.Password)}
	if err := c.call(ctx, authenticate, body, &a); err != nil {
		return nil, err
	}
	switch {
	case a.Refused:
		return nil, &auth.Refusal{Cause: "refused by the supervisor", Public: a.Public}
	case a.Busy:
		return nil, auth.ErrBusy
	case a.Account == nil:
		return nil, errors.New("the supervisor could not check the login")
	}
	return a.Account, nil
}

// Names implements Supervisor.
func (c *Client) Names(ctx context.Context, uids, gids []uint32) (Names, error) {
	var n Names
	err := c.call(ctx, names, namesBody{Users: uids, Groups: gids}, &n)
	return n, err
}

// Group implements Supervisor.
func (c *Client) Group(ctx context.Context, name string) (gid uint32, found bool, err error) {
	if len(name) > MaxGroupName {
		return 0, false, nil
	}
	var a groupAnswer
	switch err := c.call(ctx, group, groupBody{Name: []byte(name)}, &a); {
	case err != nil:
		return 0, false, err
	case a.Failed:
		return 0, false, errors.New("the supervisor could not look the group up")
	case a.GID == nil:
		return 0, false, nil
	}
	return *a.GID, true, nil
}

// Sign implements Supervisor.
func (c *Client) Sign(ctx context.Context, h Handshake) ([]byte, error) {
	var a signAnswer
	if err := c.call(ctx, sign, h, &a); err != nil {
		return nil, err
	}
	if len(a.Signature) == 0 {
		return nil, errors.New("the supervisor did not sign")
	}
	return a.Signature, nil
}

// ActiveSocket implements Supervisor.
func (c *Client) ActiveSocket(ctx context.Context, session string, local netip.Addr) (*os.File, error) {
	var a activeAnswer
	file, err := c.ask(ctx, activeSocket, activeBody{Session: session, Local: local}, &a)
	if err == nil && file == nil {
		err = fmt.Errorf("the supervisor has no socket: %s", a.Failure)
	}
	return file, err
}

// End implements Supervisor. It fails only when the supervisor is gone, and then the core ends too.
func (c *Client) End(session string) { _ = c.send(end, 0, endBody{Session: session}) }

// Emit implements events.Sink; as End, it fails only when the supervisor is gone.
func (c *Client) Emit(e events.Event) { _ = c.send(event, 0, packEvent(e)) }
