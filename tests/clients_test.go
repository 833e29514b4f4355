//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table of clients: what everybody does with FTP, done by each client that people use, in each mode that it has. What is
// expected is stated once, in clients_steps_test.go, by what is on disk afterwards. A cell that a client cannot express says why.

// An action is one thing that a client is asked to do. Remote names are relative to the home.
type action struct {
	verb          string // list, get, put, get text, put text, reget, reput, head, missing, rename, time, delete, mkdir, rmdir, pull, push
	remote, local string
	to            string // rename: the new name; time: YYYYMMDDhhmmss
}

// A ftpClient is a row of the table.
type ftpClient struct {
	name    string
	version string                                                       // of Debian 12, or pinned here; docs/clients.md names it
	print   []string                                                     // the command that prints it; nil: go.mod has it
	needs   []string                                                     // a file or program, and the package that has it
	do      func(t *testing.T, at target, all ...action) (string, error) // in one session where it can; a list gives what the client shows
	cannot  map[string]string                                            // a step or a property of a mode → why
}

// A mode is how a client reaches the server.
type mode struct {
	security string // plain, explicit, implicit
	active   bool
	ipv6     bool
}

// modes are all of them. The first of each security is for all steps, the others for those that differ by data connection.
var modes = func() (all []mode) {
	for _, security := range []string{"plain", "explicit", "implicit"} {
		for _, ipv6 := range []bool{false, true} {
			for _, active := range []bool{false, true} {
				all = append(all, mode{security, active, ipv6})
			}
		}
	}
	return all
}()

func (m mode) data() string {
	if m.active {
		return "active"
	}
	return "passive"
}

func (m mode) String() string {
	family := "IPv4"
	if m.ipv6 {
		family = "IPv6"
	}
	return m.security + "/" + m.data() + "/" + family
}

// whole says whether all steps are done in this mode.
func (m mode) whole() bool { return !m.active && !m.ipv6 && m.security != "implicit" }

// properties are the names of a mode in a client's cannot.
func (m mode) properties() []string {
	all := []string{m.security, m.data()}
	if m.ipv6 {
		all = append(all, "IPv6", m.data()+" over IPv6")
	}
	if m.security != "plain" {
		all = append(all, "TLS", m.data()+" over TLS")
	}
	return all
}

// reason is why a client cannot do a step, or anything for the step "", in a mode. It is empty when it can.
func (c ftpClient) reason(m mode, step string) string {
	for _, property := range m.properties() {
		name := property
		if step != "" {
			name = step + " " + property
		}
		if why := c.cannot[name]; why != "" {
			return why
		}
	}
	return c.cannot[step]
}

// A target is where a client works.
type target struct {
	account
	mode
	host, port string
	folder     string // for the client's own files
}

// TestClients has each client do each step, several clients at a time.
func TestClients(t *testing.T) {
	needRoot(t)
	data := make([]byte, 300_001)
	rand.Read(data)
	s := serveClients(t)
	t.Run("of", func(t *testing.T) { // ends with the last of them
		for _, c := range ftpClients {
			user := newAccount(t)
			user.cheapen(t)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				for _, requirement := range c.needs {
					needPackage(t, requirement)
				}
				c.checkVersion(t)
				for _, m := range modes {
					t.Run(m.String(), func(t *testing.T) { c.work(t, s.at(t, user, m), data) })
				}
			})
		}
	})
}

// work does the steps of one mode.
func (c ftpClient) work(t *testing.T, at target, data []byte) {
	m := at.mode
	if why := c.reason(m, ""); why != "" {
		t.Logf("%s %s cannot: %s", c.name, m, why)
		return
	}
	var told strings.Builder
	for _, st := range steps {
		if !st.everywhere && !m.whole() {
			continue
		}
		result := "ok"
		if why := c.reason(m, st.name); why != "" {
			result = "cannot: " + why
		} else if err := st.run(&work{t: t, client: c, data: data, at: at.anew(t)}); err != nil {
			result = "FAILS"
			t.Errorf("%s: %v", st.name, err)
		}
		fmt.Fprintf(&told, "\n%-16s %-21s %-17q %s", c.name, m, st.name, result)
	}
	t.Log(told.String())
}

// A clientServer serves with and without TLS.
type clientServer struct {
	*server
	implicit uint16 // the port of implicit TLS
}

func serveClients(t *testing.T) clientServer {
	t.Helper()
	a := newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	port := freePort(t)
	return clientServer{serve(t, settings{
		"server":   fmt.Sprintf("listen_tls = [\"127.0.0.1:%d\", \"[::1]:%d\"]\n", port, port),
		"defaults": "require_tls = \"off\"\n",
		"end":      a.section("localhost"),
	}), port}
}

// at is where to reach it in a mode.
func (s clientServer) at(t *testing.T, user account, m mode) target {
	t.Helper()
	addr := s.addr
	if m.ipv6 {
		addr = s.addr6
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	if m.security == "implicit" {
		port = fmt.Sprint(s.implicit)
	}
	return target{account: user, mode: m, host: host, port: port}
}

// anew empties the user's home for one step, and gives the client a folder.
func (at target) anew(t *testing.T) target {
	t.Helper()
	entries, err := os.ReadDir(at.home)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(at.home, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	at.folder = t.TempDir()
	return at
}

// cheapen gives the account a password that costs little to check: a table is many logins.
func (a account) cheapen(t *testing.T) {
	t.Helper()
	command(t, a.name+":"+a.password+"\n", "chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "1000")
}
