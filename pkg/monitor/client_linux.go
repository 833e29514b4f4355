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

	"golang.org/x/sys/unix"
)

// ErrHungUp means that the supervisor has ended. The core has to end, too.
var ErrHungUp = errors.New("the supervisor hung up")

// A Client is the core's end of the connection to the supervisor. It implements Supervisor. Its
// methods may be called from any goroutine.
type Client struct {
	conn  *net.UnixConn
	slots map[kind]chan struct{} // one slot for each request without an answer
	done  chan struct{}          // closed when Run returns

	mu      sync.Mutex
	lastID  uint64              // of the newest request
	pending map[uint64]*pending // requests without an answer, by id
}

// A pending is a request without an answer.
type pending struct {
	kind      kind
	answer    chan received // has room for the answer, so that the reader does not wait
	abandoned bool          // the caller has returned; guarded by Client.mu
}

// A received is an answer, with its descriptor or nil.
type received struct {
	body json.RawMessage
	file *os.File
}

// decode parses the answer into out and returns its file, which the caller owns.
func (a received) decode(out any) (*os.File, error) {
	err := json.Unmarshal(a.body, out)
	if err != nil && a.file != nil {
		a.file.Close()
		return nil, err
	}
	return a.file, err
}

// Connect reads the first message of the supervisor from the socket fd, which it takes over. It
// returns the setup and the listeners in that message.
func Connect(fd uintptr) (*Client, Setup, []net.Listener, error) {
	file := os.NewFile(fd, "monitor")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, Setup{}, nil, fmt.Errorf(
			"no supervisor at descriptor %d (ftpd serve starts its core itself): %w", fd, err)
	}
	c := &Client{
		conn:    conn.(*net.UnixConn),
		slots:   map[kind]chan struct{}{},
		done:    make(chan struct{}),
		pending: map[uint64]*pending{},
	}
	for _, r := range fromCore {
		if r.concurrent > 0 {
			c.slots[r.kind] = make(chan struct{}, r.concurrent)
		}
	}
	setup, listeners, err := c.first()
	return c, setup, listeners, err
}

// first reads the first message.
func (c *Client) first() (Setup, []net.Listener, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxDescriptors))
	m, files, err := receive(c.conn, make([]byte, maxMessage), oob)
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
		return Setup{}, nil, fmt.Errorf(
			"the supervisor has version %d and sent %d descriptors, this core has version %d",
			body.Version, len(files), version)
	}
	var setup Setup
	if err := json.NewDecoder(files[0]).Decode(&setup); err != nil {
		return Setup{}, nil, fmt.Errorf("read the setup: %w", err)
	}
	if setup.Config == nil || len(setup.Roots) == 0 {
		return Setup{}, nil, errors.New("the setup lacks the configuration or the roots")
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
		return Setup{}, nil, fmt.Errorf("of %d listeners %d begin with TLS",
			len(listeners), setup.Implicit)
	}
	return setup, listeners, nil
}

// Ready reports to the supervisor that the core accepts connections.
func (c *Client) Ready() error { return c.send(ready, 0, struct{}{}) }

// Run carries out the orders of the supervisor, and delivers its answers, until the supervisor
// closes the connection. Then it returns ErrHungUp.
func (c *Client) Run(o Orders) error {
	defer close(c.done)
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	for {
		m, files, err := receive(c.conn, buf, oob)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			return ErrHungUp
		}
		if err != nil {
			return fmt.Errorf("read from the supervisor: %w", err)
		}
		r, ok := find(fromSupervisor, m.Kind)
		switch {
		case !ok || r.state != serving || len(m.Body) > r.size:
			return fmt.Errorf("the supervisor sent %.32q with %d bytes", m.Kind, len(m.Body))
		case m.Kind == answer:
			c.deliver(m, files)
		default:
			if err := r.obey(c, o, m); err != nil {
				return fmt.Errorf("obey %q: %w", m.Kind, err)
			}
		}
	}
}

// deliver passes an answer to the caller that waits for it.
func (c *Client) deliver(m message, files []*os.File) {
	c.mu.Lock()
	p, ok := c.pending[m.ID]
	delete(c.pending, m.ID)
	abandoned := ok && p.abandoned
	c.mu.Unlock()
	if !ok || abandoned {
		for _, f := range files {
			f.Close()
		}
		files = nil
	}
	if !ok {
		return
	}
	a := received{body: append(json.RawMessage(nil), m.Body...)}
	if len(files) > 0 {
		a.file = files[0]
	}
	p.answer <- a
	<-c.slots[p.kind]
	if abandoned && p.kind == admit {
		go c.endUnknown(a.body) // ends when it is sent; the reader must not wait for that
	}
}

// call sends a request and waits for its answer.
func (c *Client) call(ctx context.Context, k kind, body, out any) error {
	file, err := c.callFile(ctx, k, body, out)
	if file != nil {
		file.Close()
	}
	return err
}

// callFile is call for an answer that may carry a file, which the caller owns. If ctx ends
// early, the request keeps its slot until the answer arrives, because the supervisor counts it
// until then.
func (c *Client) callFile(ctx context.Context, k kind, body, out any) (*os.File, error) {
	r, _ := find(fromCore, k)
	// The deadline is later than that of the supervisor, whose answer then arrives in time.
	ctx, cancel := r.within(ctx, answerTimeout)
	defer cancel()
	select {
	case c.slots[k] <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: too many under way: %w", k, context.Cause(ctx))
	}
	p := &pending{kind: k, answer: make(chan received, 1)}
	c.mu.Lock()
	c.lastID++
	id := c.lastID
	c.pending[id] = p
	c.mu.Unlock()

	if err := c.send(k, id, body); err != nil {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		<-c.slots[k]
		return nil, err
	}
	select {
	case a := <-p.answer:
		return a.decode(out)
	case <-c.done:
		return nil, ErrHungUp
	case <-ctx.Done():
	}
	if c.abandon(id, p) {
		return nil, fmt.Errorf("%s: no answer: %w", k, context.Cause(ctx))
	}
	return (<-p.answer).decode(out) // deliver has taken the request meanwhile
}

// abandon marks a request as one without a caller. It returns false if deliver has taken the
// request already.
func (c *Client) abandon(id uint64, p *pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.abandoned = c.pending[id] == p
	return p.abandoned
}

// send sends a message. The id is 0 for a message without an answer.
func (c *Client) send(k kind, id uint64, body any) error {
	packet, err := encode(k, id, body)
	if err != nil {
		return err
	}
	_, err = c.conn.Write(packet)
	clear(packet) // it may hold a password
	return err
}
