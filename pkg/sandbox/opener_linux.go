package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A system call on a dead file system can block forever, and its process cannot be ended then.
// Therefore a separate process opens the roots and passes the descriptors on. This process can be
// left behind, because its end of the socket is the only thing it has open.

// An Opener opens roots. It does not open a root again while an earlier call for it is blocked, so
// each root blocks at most one thread.
type Opener struct {
	// Answered receives a value when a file system that was silent has answered.
	Answered chan struct{}

	program string

	mu     sync.Mutex
	silent map[string]bool // guarded by mu; keys of the roots for which a process is blocked
}

// NewOpener returns an Opener. It starts the program of this process to open roots.
func NewOpener() (*Opener, error) {
	program, err := os.Executable()
	return &Opener{
		Answered: make(chan struct{}, 1),
		program:  program,
		silent:   map[string]bool{},
	}, err
}

// Open opens the paths, each of which may fail alone. mounted returns what is mounted at a path. A
// silent path is not opened again until that changes. Open returns an error if ctx ends or if the
// process cannot be started.
func (o *Opener) Open(
	ctx context.Context, paths []string, mounted func(string) string,
) ([]Root, error) {
	roots := make([]Root, len(paths))
	b := &batch{open: map[int]bool{}, answers: make(chan answer)}
	for i, path := range paths {
		roots[i] = Root{Path: path, Real: path, Err: ErrSilent}
		if key := path + "\x00" + mounted(path); !o.waits(key) {
			b.add(&roots[i], key)
		}
	}
	if len(b.roots) == 0 {
		return roots, nil
	}
	err := b.start(o.program)
	if err != nil {
		return nil, fmt.Errorf("start the process that opens roots: %w", err)
	}
	if err := b.collect(ctx); err != nil {
		Close(roots)
		b.conn.Close() // ends the process
		go b.drop(func(int) {})
		return nil, err
	}
	if len(b.open) == 0 {
		// The process ends at once. It is waited for here, because the caller may call exec,
		// and the new program would not do so.
		<-b.ended
	}
	o.leave(b)
	return roots, nil
}

func (o *Opener) waits(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.silent[key]
}

// A batch holds the roots that one process opens.
type batch struct {
	roots   []*Root
	keys    []string
	open    map[int]bool // indexes of the roots without an answer
	conn    *net.UnixConn
	answers chan answer // closed after the last answer
	ended   chan struct{}
}

func (b *batch) add(r *Root, key string) {
	b.open[len(b.roots)] = true
	b.roots, b.keys = append(b.roots, r), append(b.keys, key)
}

// start starts the process of the batch.
func (b *batch) start(program string) (err error) {
	args := []string{OpenCommand}
	for _, r := range b.roots {
		args = append(args, r.Path)
	}
	if b.conn, b.ended, err = startOpening(program, args); err != nil {
		return err
	}
	go func() { // ends with the process, or when its connection is closed
		defer close(b.answers)
		for {
			a, err := receive(b.conn)
			if err != nil || a.index >= len(b.roots) {
				return
			}
			b.answers <- a
		}
	}()
	return nil
}

// startOpening starts the process and returns the socket that receives its answers. ended is closed
// after the process has ended and has been waited for.
func startOpening(program string, args []string) (_ *net.UnixConn, ended chan struct{}, _ error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "roots"), os.NewFile(uintptr(pair[1]), "roots")
	defer ours.Close() // the connection works on a duplicate
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{theirs}                   // openSocket
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not ended by Ctrl-C of a terminal
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, nil, err
	}
	ended = make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		cmd.Wait()
	}()
	return conn.(*net.UnixConn), ended, nil
}

// collect receives the answers until they are complete or patience is over.
func (b *batch) collect(ctx context.Context) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for len(b.open) > 0 {
		select {
		case a, ok := <-b.answers:
			if !ok {
				return errors.New("the process that opens roots has ended")
			}
			a.fill(b.roots[a.index])
			delete(b.open, a.index)
		case <-late.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leave marks the roots without an answer as silent, and receives their answers in the background.
func (o *Opener) leave(b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range b.open {
		o.silent[b.keys[i]] = true
	}
	go func() { // ends with the process
		b.drop(func(i int) { o.answered(b.keys[i]) })
		b.conn.Close()
	}()
}

// drop receives the late answers until the process has ended. It calls late with the index of each
// root that is no longer silent.
func (b *batch) drop(late func(index int)) {
	for a := range b.answers {
		if a.file != nil {
			a.file.Close()
		}
		delete(b.open, a.index)
		late(a.index)
	}
	for i := range b.open {
		late(i)
	}
}

// answered marks a root as no longer silent, so that it can be opened again.
func (o *Opener) answered(key string) {
	o.mu.Lock()
	delete(o.silent, key)
	o.mu.Unlock()
	select {
	case o.Answered <- struct{}{}:
	default: // the channel already holds a value
	}
}

// An answer is the result for one root. On the socket it is the index, the error number and the
// kind in 9 bytes, followed by the real path.
type answer struct {
	index  int
	number unix.Errno // 0: no error, and file is set
	dir    bool
	real   string
	file   *os.File
}

const answerHead = 9

func (a answer) fill(r *Root) {
	switch a.number {
	case 0:
	case unix.ELOOP:
		r.Err = ErrLink
		return
	default:
		r.Err = a.number
		return
	}
	r.Err, r.Real, r.Dir, r.file = nil, a.real, a.dir, a.file
}

func (a answer) send(conn *net.UnixConn, fd int) {
	packet := binary.BigEndian.AppendUint32(nil, uint32(a.index))
	packet = binary.BigEndian.AppendUint32(packet, uint32(a.number))
	if a.dir {
		packet = append(packet, 1)
	} else {
		packet = append(packet, 0)
	}
	var rights []byte
	if a.number == 0 {
		rights = unix.UnixRights(fd)
	}
	conn.WriteMsgUnix(append(packet, a.real...), rights, nil) // fails if the other end has closed
}

func receive(conn *net.UnixConn) (answer, error) {
	packet, oob := make([]byte, answerHead+unix.PathMax), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(packet, oob)
	if err != nil {
		return answer{}, err
	}
	if n < answerHead {
		return answer{}, unix.EPROTO
	}
	a := answer{
		index:  int(binary.BigEndian.Uint32(packet)),
		number: unix.Errno(binary.BigEndian.Uint32(packet[4:])),
		dir:    packet[8] == 1,
		real:   string(packet[answerHead:n]),
	}
	if a.number != 0 {
		return a, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return answer{}, unix.EPROTO
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return answer{}, unix.EPROTO
	}
	a.file = os.NewFile(uintptr(fds[0]), a.real)
	return a, nil
}

// openSocket is the descriptor to which the process that opens roots writes its answers.
const openSocket = 3

// ServeOpen opens the paths and writes the answers. It runs in the process that an Opener starts,
// and returns when all paths are opened, or when the Opener closes the socket.
func ServeOpen(paths []string) error {
	file := os.NewFile(openSocket, "roots")
	c, err := net.FileConn(file)
	if err != nil {
		return err
	}
	file.Close()
	conn := c.(*net.UnixConn)
	ended := make(chan struct{}, 2)
	go func() { // ends with the process
		conn.Read(make([]byte, 1)) // receives nothing, and returns when the socket is closed
		ended <- struct{}{}
	}()
	var opening sync.WaitGroup
	for i, path := range paths {
		opening.Go(func() { open(conn, i, path) }) // ends when the file system answers
	}
	go func() { // ends with the process
		opening.Wait()
		ended <- struct{}{}
	}()
	<-ended
	return nil
}

// open opens one root and writes the answer. The type of the file is requested from the file system
// itself, because the cache of the kernel still has it when the server of the file system is gone.
func open(conn *net.UnixConn, index int, path string) {
	a := answer{index: index}
	fd, err := openTrusting(path)
	if err == nil {
		defer unix.Close(fd)
		var st unix.Statx_t
		const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_FORCE_SYNC | unix.AT_NO_AUTOMOUNT
		err = unix.Statx(fd, "", flags, unix.STATX_TYPE, &st)
		a.dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	errors.As(err, &a.number)
	if a.real, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil {
		a.real = path // there is no /proc
	}
	a.send(conn, fd)
}
