//go:build unix

package admin

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type fake struct{}

func (fake) Who(context.Context) Report { return Report{Version: "1.0"} }

func (fake) Kick(_ context.Context, target string) int { return len(target) }

func start(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "run", "admin.sock")
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { // ends with the listener
		Serve(l, -1, fake{})
		close(served)
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return path
}

func TestRequests(t *testing.T) {
	path := start(t)
	if r, err := Who(path); err != nil || r.Version != "1.0" {
		t.Errorf("Who = %+v, %v", r, err)
	}
	if n, err := Kick(path, "alice"); err != nil || n != 5 {
		t.Errorf("Kick = %d, %v", n, err)
	}
	_, err := exchange(path, request{Command: "reload"})
	if err == nil || !strings.Contains(err.Error(), `"reload"`) {
		t.Errorf("an unknown command: %v", err)
	}
	_, err = Who(path + ".none")
	if err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("no service: %v", err)
	}
	for _, text := range []string{"noise\n", strings.Repeat("x", 2*maxRequest)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(text))
		buf := make([]byte, 100)
		if n, _ := conn.Read(buf); !strings.Contains(string(buf[:n]), "cannot be read") {
			t.Errorf("%.10q is answered %q", text, buf[:n])
		}
		conn.Close()
	}
}

// Listen replaces a socket that a crash has left behind, but not a socket that a service
// listens on.
func TestSocketThatIsThere(t *testing.T) {
	path := start(t)
	if _, err := Listen(path, -1); err == nil || !strings.Contains(err.Error(), "another ftpd") {
		t.Errorf("while another service listens: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file, -1); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("in place of a file: %v", err)
	}
	stale := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := Listen(stale, os.Getgid())
	if err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if info, err := os.Stat(stale); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l.Close()
}

// A client reads the refusal of a service that has closed the connection before the request.
func TestRefusalBeforeTheRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends when l is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, `{"error":"refused"}`+"\n")
			conn.Close()
		}
	}()
	for range 200 {
		if _, err := Who(path); err == nil || err.Error() != "refused" {
			t.Fatal(err)
		}
	}
}
