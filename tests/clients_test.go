//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The table of clients: common uses of FTP, done by each common client, in each mode that it has.
// clients_steps_test.go states once what is expected, by what is on disk afterwards. A client
// that cannot do a step has the reason in its field cannot.

// An action is one action of a client. Remote names are relative to the home.
type action struct {
	verb          string // list, get, put, get text, put text, reget, reput, head, missing, rename, time, delete, mkdir, rmdir, pull, push
	remote, local string
	to            string // rename: the new name; time: YYYYMMDDhhmmss
}

// An ftpClient is a row of the table.
type ftpClient struct {
	name string
	// of Debian 12, or pinned here; docs/clients.md names it
	version string
	// the command that prints the version; nil: go.mod has it
	print []string
	// a file or program, and the package that contains it
	needs []string
	// in one session where the client can; for a list, it returns what the client shows
	do func(t *testing.T, at target, all ...action) (string, error)
	// a step or a property of a mode, with the reason
	cannot map[string]string
}

// A mode is a way to reach the server.
type mode struct {
	security string // plain, explicit, implicit
	active   bool
	ipv6     bool
}

// modes are all modes. The first of each security is for all steps, the others for those about
// the data connection.
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

// whole reports whether all steps are done in this mode.
func (m mode) whole() bool { return !m.active && !m.ipv6 && m.security != "implicit" }

// properties returns the names of a mode in the field cannot of a client.
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

// reason returns why a client cannot do a step, or any step where step is "", in a mode. It is
// empty where the client can.
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

// A target is a server and an account, as one client uses them.
type target struct {
	account
	mode
	host, port string
	folder     string // for the client's own files
}

// TestClients runs each step with each client, several clients at a time.
func TestClients(t *testing.T) {
	t.Parallel()
	needRoot(t)
	data := make([]byte, 300_001)
	rand.Read(data)
	s := serveClients(t)
	t.Run("of", func(t *testing.T) { // ends with the last of them
		for _, c := range ftpClients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				for _, requirement := range c.needs {
					needPackage(t, requirement)
				}
				c.checkVersion(t)
				for _, security := range []string{"plain", "explicit", "implicit"} {
					t.Run(security, func(t *testing.T) {
						t.Parallel()
						user := newAccount(t)
						for _, m := range modes {
							if m.security == security {
								t.Run(m.String(), func(t *testing.T) {
									c.work(t, s.at(t, user, m),
										data)
								})
							}
						}
					})
				}
			})
		}
	})
}

// work runs the steps of one mode.
func (c ftpClient) work(t *testing.T, at target, data []byte) {
	m := at.mode
	if why := c.reason(m, ""); why != "" {
		t.Logf("%s %s cannot: %s", c.name, m, why)
		return
	}
	var results strings.Builder
	for _, st := range steps {
		if !st.everywhere && !m.whole() ||
			slices.Contains(oddNames, st.name) && m.security != "plain" {
			continue
		}
		result := "ok"
		if why := c.reason(m, st.name); why != "" {
			result = "cannot: " + why
		} else if err := st.run(&work{t: t, client: c, data: data, at: at.anew(t)}); err != nil {
			result = "FAILS"
			t.Errorf("%s: %v", st.name, err)
		}
		fmt.Fprintf(&results, "\n%-16s %-21s %-17q %s", c.name, m, st.name, result)
	}
	t.Log(results.String())
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

// at returns how to reach the server in a mode.
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

// anew empties the user's home for one step, and makes a folder for the client.
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

// hashAsUsual hashes the password of the account by the system's method.
func (a account) hashAsUsual(t *testing.T) {
	t.Helper()
	changeAccounts(t, a.name+":"+a.password+"\n", "chpasswd")
}
