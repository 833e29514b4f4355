//go:build unix

package core

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A command that arrives as urgent data is read like any other. Without SO_OOBINLINE its last
// byte would be missing. ftplib of Python sends ABOR as urgent data.
func TestUrgentData(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	c := l.client(net.IPv4(127, 0, 0, 1))
	for _, line := range []string{"NOOP\r\n", "\xff\xf4\xff\xf2NOOP\r\n"} {
		c.send(line, syscall.MSG_OOB)
		c.expect("200 ")
	}
}

// ABOR ends a download that the client no longer reads, in each way in which clients send
// ABOR. The session continues: the next download has its own bytes and no others.
func TestAbortOfAStalledDownload(t *testing.T) {
	type piece struct {
		text  string
		flags int // of send(2)
	}
	l := serveTCP(t, "127.0.0.1:0")
	for name, size := range map[string]int{"big": 64 << 20, "small": 1000} {
		if err := os.WriteFile(filepath.Join(l.supervisor.home, name),
			bytes.Repeat([]byte(name[:1]), size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, pieces := range map[string][]piece{
		"Python ftplib, Ruby": {{"ABOR\r\n", syscall.MSG_OOB}},
		"Net::FTP":            {{"\xff\xf4\xff", syscall.MSG_OOB}, {"\xf2ABOR\r\n", 0}},
		"lftp":                {{"\xff", syscall.MSG_OOB}, {"\xf4\xff\xf2ABOR\r\n", 0}},
		"RFC 959":             {{"\xff\xf4\xff\xf2", syscall.MSG_OOB}, {"ABOR\r\n", 0}},
		"pyftpdlib's tests": {
			{"\xf4", syscall.MSG_OOB}, {"\xff", syscall.MSG_OOB}, {"abor\r\n", 0},
		},
		"commons-net": {{"ABOR\r\n", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.t = t
			c.login()
			stalled := c.pasv("PASV")
			defer stalled.Close()
			io.WriteString(c.conn, "RETR big\r\n")
			c.expect("1")
			if _, err := io.ReadFull(stalled, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			for _, p := range pieces {
				c.send(p.text, p.flags)
			}
			c.expect("426 ")
			c.expect("226 ")
			d := c.pasv("PASV")
			io.WriteString(c.conn, "RETR small\r\n")
			c.expect("1")
			if got, err := io.ReadAll(d); err != nil ||
				!bytes.Equal(got, bytes.Repeat([]byte("s"), 1000)) {
				t.Errorf("the next download brings %d bytes, %v", len(got), err)
			}
			c.expect("226 ")
			c.cmd("221 ", "QUIT")
		})
	}
}

// send calls send(2) on the control connection.
func (c *tcpClient) send(text string, flags int) {
	c.t.Helper()
	raw, err := c.conn.SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	raw.Write(func(fd uintptr) bool {
		err = syscall.Sendto(int(fd), []byte(text), flags, nil)
		return true
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// fewDescriptors bounds the open descriptors of the server in TestOutOfDescriptors.
const fewDescriptors = 48

// When no descriptor is left, clients still read 421 and the listener stays. When some clients
// have gone, the next one is served. The server runs in a separate process, whose limit is
// low.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv("FTPD_TEST_SERVE") != "" {
		serveWithFewDescriptors(t)
		return
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	server := exec.Command(os.Args[0], "-test.run=^TestOutOfDescriptors$")
	server.Env = append(os.Environ(), "FTPD_TEST_SERVE=1")
	server.ExtraFiles = []*os.File{file}
	server.Stderr = os.Stderr
	stop, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stop.Close()

	greeting := func() (string, net.Conn) {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		line := make([]byte, 4)
		if _, err := io.ReadFull(c, line); err != nil {
			t.Fatal("no greeting:", err)
		}
		return string(line), c
	}
	var open []net.Conn
	served, turned := 0, 0
	for range 2 * fewDescriptors {
		line, c := greeting()
		open = append(open, c)
		switch line {
		case "220 ":
			served++
		case "421 ":
			turned++
		default:
			t.Errorf("the server says %q", line)
		}
	}
	if served < fewDescriptors/3 || turned < fewDescriptors {
		t.Errorf("%d were served and %d turned away", served, turned)
	}
	for _, c := range open {
		c.Close()
	}
	for range 10_000 { // until the server has noticed their end
		line, c := greeting()
		c.Close()
		if line == "220 " {
			return
		}
	}
	t.Error("the server does not recover")
}

func serveWithFewDescriptors(t *testing.T) {
	limit := syscall.Rlimit{Cur: fewDescriptors, Max: fewDescriptors}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	srv := New(Options{Config: w.config, Supervisor: w.supervisor})
	go func() {
		io.Copy(io.Discard, os.Stdin) // until the parent has finished
		l.Close()
	}()
	if err := srv.Serve(l); !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
