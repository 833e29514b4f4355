package supervisor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
)

// The libraries that hash passwords leave copies of them in memory. Therefore a process compares
// one password of a virtual user with a hash, and the copies end with it.

// CompareCommand is the first argument of the process that compares a password with a hash. The
// program calls RunCompare then.
const CompareCommand = "compare-password"

// The exit codes of RunCompare. A program that fails, or is another one, has none of the first
// three.
const (
	exitEqual     = 60 + iota
	exitDifferent // from the password of the hash
	exitUnusable  // the password cannot be hashed; standard error has the cause
	exitFailed    = 1
)

// compareTimeout bounds one comparison. config.Hash bounds its cost to about five seconds of a
// processor; the rest is for a host under load.
const compareTimeout = time.Minute

// A comparer compares passwords, each in a process of its own.
type comparer struct {
	program     string
	attributes  *syscall.SysProcAttr // nil: the process has the identity of this one
	confinement sandbox.Confinement
	timeout     time.Duration
}

// comparison returns the function that compares the passwords of virtual users. root states
// whether this process is the supervisor of a service, which runs as root. Where no process can be
// started, the passwords are compared in this one, and a warning has the cause.
func comparison(o Options, root bool) auth.CompareFunc {
	if !slices.ContainsFunc(o.Config.Users, func(u config.User) bool { return u.Password != "" }) {
		return auth.Compare // is never called
	}
	c, err := newComparer(o.Config, root)
	if err == nil {
		err = c.probe()
	}
	if err != nil {
		o.Log.Warn().Err(err).Msg("passwords of virtual users are compared in this process, " +
			"and copies of them may stay in its memory")
		return auth.Compare
	}
	return c.compare
}

func newComparer(c *config.Config, root bool) (*comparer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	comparer := &comparer{
		program:     program,
		confinement: sandbox.Confinement{Bare: c.Server.Sandbox == config.SandboxOff},
		timeout:     compareTimeout,
	}
	if root {
		comparer.confinement.Keep = []uintptr{} // no capability
		comparer.attributes, err = compareAttributes()
	}
	return comparer, err
}

// probe returns an error if no process can be started. It costs no hash.
func (c *comparer) probe() error {
	_, err := c.compare("", nil)
	if _, refused := errors.AsType[*auth.Refusal](err); refused {
		return nil // of a process that works
	}
	return err
}

// compare implements auth.CompareFunc.
func (c *comparer) compare(h config.Hash, p auth.Password) (bool, error) {
	input, ours, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer ours.Close()
	output := new(tail)
	cmd := exec.Command(c.program, CompareCommand)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, output, output
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = c.attributes
	err = startConfined(cmd, c.confinement)
	input.Close()
	if err != nil {
		return false, fmt.Errorf("start the process that compares passwords: %w", err)
	}
	late := time.AfterFunc(c.timeout, func() { cmd.Process.Kill() })
	_ = send(ours, h, p) // an error means that the process has ended
	ours.Close()
	_ = cmd.Wait() // the exit code has the result
	inTime := late.Stop()
	switch cmd.ProcessState.ExitCode() {
	case exitEqual:
		return true, nil
	case exitDifferent:
		return false, nil
	case exitUnusable:
		return false, &auth.Refusal{Cause: output.String()}
	}
	end := cmd.ProcessState.String()
	if !inTime {
		end = fmt.Sprintf("no answer within %v", c.timeout)
	}
	message, _, _ := strings.Cut(output.String(), "\n") // the rest is a stack
	return false, fmt.Errorf("the process that compares passwords: %s: %q", end, message)
}

// send writes a hash and a password to the process, after their lengths. It makes no copy of the
// password.
func send(w io.Writer, h config.Hash, p auth.Password) error {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(h)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(p)))
	if _, err := w.Write(append(head, h...)); err != nil {
		return err
	}
	_, err := w.Write(p)
	return err
}

// receive reads what send has written.
func receive(r io.Reader) (config.Hash, auth.Password, error) {
	var lengths [2]uint32
	if err := binary.Read(r, binary.BigEndian, &lengths); err != nil {
		return "", nil, err
	}
	text, err := io.ReadAll(r)
	hash, password := uint64(lengths[0]), uint64(lengths[1])
	if err == nil && uint64(len(text)) != hash+password {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", nil, err
	}
	return config.Hash(text[:hash]), auth.Password(text[hash:]), nil
}

// RunCompare runs the process that compares a password with a hash, which come from in. It returns
// the exit code.
func RunCompare(in io.Reader, stderr io.Writer) (code int) {
	// A terminal or a service manager may send signals to all processes of the service. The login
	// is checked to its end then.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := hideMemory(); err != nil {
		fmt.Fprint(stderr, "hide the memory: ", err)
		return exitFailed
	}
	hash, password, err := receive(in)
	if err != nil {
		fmt.Fprint(stderr, "receive a hash and a password: ", err)
		return exitFailed
	}
	equal, err := auth.Compare(hash, password)
	switch {
	case err != nil:
		fmt.Fprint(stderr, err)
		return exitUnusable
	case equal:
		return exitEqual
	}
	return exitDifferent
}
