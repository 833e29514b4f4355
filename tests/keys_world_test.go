//go:build linux

package tests

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A keyWorld holds what all rows share.
type keyWorld struct {
	t                                     *testing.T // outlives the rows
	plain, member, named, noShell, system account
	group                                 string // member is in it
	pam, guestPAM                         string // PAM services
	trusted                               string // a directory in which only root may write
	ours, others                          *authority
	mu                                    sync.Mutex
	standard                              map[string]*server // with the defaults, by otherSettings
	runs                                  atomic.Int32

	// turns bounds the rows that run at one time, since all share an address, and many a service.
	turns chan struct{}
}

// A keyRun is one service with one configuration, and what the probe of it needs.
type keyRun struct {
	t    *testing.T
	w    *keyWorld
	row  keyRow
	s    *server
	user account // the user that the key applies to
	path string  // an FTP path: a directory of this run in the user's home
	dir  string  // the same as a path of the host; it contains a file f with the text "text"
	port int     // the first of ten that no other run uses
	from string  // a loopback address that no other run uses

	begun  chan struct{}   // closed when the probe waits for an event
	enough <-chan struct{} // closed when the probe may stop to wait; nil: the event must happen
	once   sync.Once
}

// keyPorts is the first port above those of freePort; 270 runs have ten ports each.
const keyPorts = 30_000

// notStarted begins the result for a service that does not start.
const notStarted = "does not start"

func newKeyWorld(t *testing.T) *keyWorld {
	t.Helper()
	w := &keyWorld{
		t: t, turns: make(chan struct{}, 8), standard: map[string]*server{},
		pam: pamService(t), guestPAM: passwordService(t, "ftpdtest-ghost", "sesame"),
	}
	w.group, _ = newGroup(t)
	w.plain, w.named, w.member = newAccount(t), newAccount(t), newAccount(t, "--groups", w.group)
	w.noShell, w.system = newAccount(t, "--shell", "/usr/sbin/nologin"), newAccount(t, "--system")
	for _, u := range []account{w.plain, w.named, w.member, w.noShell, w.system} {
		u.file(t, "where", "home", u.uid, u.gid, 0o644)
	}
	w.ours, w.others = newAuthority(t), newAuthority(t)
	for _, name := range []string{"localhost", "ftp.example.net", "alice"} {
		w.ours.issue(t, name, "ecdsa")
		both := readFile(t, w.ours.file(name+".pem")) + readFile(t, w.ours.file(name+".key"))
		writeFile(t, w.ours.file(name+".both"), both, 0o600)
	}
	w.others.issue(t, "alice", "ecdsa")
	w.trusted = trustedDir(t)
	return w
}

// newRun prepares a run: it makes the user's directory and starts the service.
func (w *keyWorld) newRun(t *testing.T, row keyRow, value string) *keyRun {
	t.Helper()
	n := w.runs.Add(1)
	r := &keyRun{
		t: t, w: w, row: row, user: w.plain, begun: make(chan struct{}),
		port: keyPorts + int(n)%270*10,
		path: fmt.Sprintf("/run-%d", n),
		from: fmt.Sprintf("127.3.%d.%d", n/250, n%250+1),
	}
	switch table, _, _ := strings.Cut(row.key, "."); table {
	case "group":
		r.user = w.member
	case "user":
		r.user = w.named
	}
	r.dir = r.user.home + r.path
	for _, dir := range []string{r.dir, r.dir + "/sub"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, r.user.uid, r.user.gid); err != nil {
			t.Fatal(err)
		}
	}
	r.user.file(t, r.path+"/f", "text", r.user.uid, r.user.gid, 0o644)
	r.user.file(t, r.path+"/where", "elsewhere", r.user.uid, r.user.gid, 0o644)
	if err := os.Mkdir(w.trusted+r.path, 0o755); err != nil {
		t.Fatal(err)
	}
	text := r.text(value)
	if value != "" || !row.shares() {
		r.s = r.serve(t, text)
		return r
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.standard[row.otherSettings] == nil {
		w.standard[row.otherSettings] = r.serve(w.t, text)
	}
	r.s = w.standard[row.otherSettings]
	return r
}

// shares reports whether rows with the same otherSettings may share the service with the default.
func (row keyRow) shares() bool {
	return !row.ownService && !row.unusualLog && row.unshareOptions == "" && row.env == "" &&
		!strings.Contains(row.otherSettings, "{dir}")
}

// words replaces the words in braces in the text of a row. {me} is the name of the [[user]] or [[group]]
// that the run is about.
func (r *keyRun) words(text string) string {
	me := r.w.named.name
	if strings.HasPrefix(r.row.key, "group.") {
		me = r.w.group
	}
	w := r.w
	return strings.NewReplacer(
		"{me}", me, "{dir}", r.dir, "{path}", r.path, "{home}", r.user.home, "{new}",
		w.trusted+r.path,
		"{port}", fmt.Sprint(r.port), "{port+9}", fmt.Sprint(r.port+9),
		"{group}", w.group, "{plain}", w.plain.name, "{member}", w.member.name, "{named}",
		w.named.name,
		"{system}", w.system.name, "{noshell}", w.noShell.name,
		"{ghost}", w.guestPAM, "{tls}", w.ours.dir, "{others}", w.others.dir, "{hash}",
		hashes["bcrypt"],
		"{today}", time.Now().UTC().Format(time.DateOnly)).Replace(text)
}

// text returns the configuration: what every run needs, the otherSettings of the row, and the key.
func (r *keyRun) text(value string) string {
	table, key, _ := strings.Cut(r.row.key, ".")
	switch {
	case value == "" || strings.HasPrefix(value, "[["):
	case table == "user" || table == "group":
		value = fmt.Sprintf("[[%s]]\nname = %q\n%s = %s\n", table, "{me}", key, value)
	default:
		value = r.row.key + " = " + value
	}
	var lines, tables []string
	for _, text := range []string{r.row.otherSettings, value} {
		head, tail, ok := strings.Cut(text, "[[")
		lines = append(lines, head)
		if ok {
			tables = append(tables, "[["+tail)
		}
	}
	head := strings.Join(lines, "\n")
	for key, value := range map[string]string{
		"server.listen":      fmt.Sprintf(`["127.0.0.1:%d", "[::1]:%[1]d"]`, freePort(r.t)),
		"auth.pam_service":   fmt.Sprintf("%q", r.w.pam),
		"auth.failure_delay": `"0s"`,
		"admin.socket":       `"{new}/admin.sock"`,
	} {
		if !strings.Contains(head, key+" = ") && r.row.key != key {
			head += "\n" + key + " = " + value
		}
	}
	return r.words(head + "\n" + strings.Join(tables, "\n"))
}

// serve starts a service and returns when it is ready or has ended.
func (r *keyRun) serve(t *testing.T, text string) *server {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	config := filepath.Join(dir, "ftpd.toml")
	writeFile(r.t, config, text, 0o600)
	if r.row.key == "include" {
		command(r.t, "", "mkdir", filepath.Join(dir, "ftpd.d"))
		writeFile(r.t, filepath.Join(dir, "ftpd.d", "a.toml"), "server.banner = \"of ftpd.d\"\n",
			0o600)
		writeFile(r.t, filepath.Join(dir, "other.toml"), "server.banner = \"of the other\"\n",
			0o600)
	}
	s := newServer(r.t, 0, "serve", "--config", config)
	if _, after, ok := strings.Cut(text, `"127.0.0.1:`); ok {
		port, _, _ := strings.Cut(after, `"`)
		s.addr, s.addr6 = "127.0.0.1:"+port, "[::1]:"+port
	}
	if r.row.unshareOptions != "" {
		s.cmd = r.unshared(s.cmd.Args)
	}
	s.cmd.Env = append(os.Environ(), r.row.env)
	s.launch(t)
	eventually(r.t, "the service is ready or ends", func() bool {
		ready, _ := s.log.find(message("ready"))
		select {
		case <-s.exited:
			s.killed = true // by its configuration
			return true
		default:
		}
		if r.row.unusualLog {
			c, _, err := dial(s.addr)
			if err == nil {
				c.conn.Close()
			}
			return err == nil
		}
		return len(ready) > 0
	})
	return s
}

// needNamespaces skips a test that runs its service in namespaces of its own.
func needNamespaces(t *testing.T) {
	t.Helper()
	need(t, "unshare")
	need(t, "ip")
	if out, err := exec.Command("unshare", "--mount", "--net",
		"true").CombinedOutput(); err != nil {
		t.Skipf("needs a machine that may make namespaces: %s; run there: sudo make system", out)
	}
}

// unshared returns a command that runs in its own namespaces, where /etc/pam.d/ftpd is that of the packages.
func (r *keyRun) unshared(args []string) *exec.Cmd {
	script := `ip link set lo up && mount -t tmpfs tmpfs /run && cp -r /etc/pam.d /run/pam.d && ` +
		`cp "/etc/pam.d/$1" /run/pam.d/ftpd && mount --bind /run/pam.d /etc/pam.d && shift && exec "$@"`
	all := append(strings.Fields(r.row.unshareOptions), "sh", "-c", script, "sh", r.w.pam)
	return exec.Command("unshare", append(all, args...)...)
}

// result returns the result of the probe.
func (r *keyRun) result() string {
	defer r.begins()
	if r.s.killed {
		return notStarted + ": " + strings.TrimSpace(r.s.log.String())
	}
	return r.row.probe(r)
}

func (r *keyRun) begins() { r.once.Do(func() { close(r.begun) }) }

// login logs the user in. It returns the client and the last reply.
func (r *keyRun) login() (*client, reply) {
	return r.loginAs(r.user.name, r.user.password)
}

func (r *keyRun) loginAs(user, password string) (*client, reply) {
	c, greeting := r.dial()
	if greeting.code != 220 {
		return c, greeting
	}
	return c, c.logIn(user, password)
}

// logIn logs in and returns the last reply. A reply that does not arrive has the code 0 and the error as
// its text.
func (c *client) logIn(user, password string) reply {
	if r := c.send("USER " + user); r.code != 331 {
		return r
	}
	r := c.send("PASS " + password)
	if r.code == 230 {
		if typed := c.send("TYPE I"); typed.code != 200 {
			return typed
		}
	}
	return r
}

// send sends a command and returns its reply, as logIn does.
func (c *client) send(line string) reply {
	r, err := c.do(line)
	if err != nil {
		return reply{text: err.Error()}
	}
	return r
}

// dial connects to the service until the row ends. It returns the greeting.
func (r *keyRun) dial() (*client, reply) {
	conn, err := net.DialTimeout("tcp", r.s.addr, patience)
	return r.connected(conn, err)
}

// dialFrom does the same from the address of the run.
func (r *keyRun) dialFrom() (*client, reply) {
	conn, err := dialLocal(r.s.addr, r.from)
	return r.connected(conn, err)
}

func (r *keyRun) connected(conn net.Conn, err error) (*client, reply) {
	if err != nil {
		conn, _ = net.Pipe()
		conn.Close()
		return newClient(conn), reply{text: "no connection"}
	}
	r.t.Cleanup(func() { conn.Close() })
	c := newClient(conn)
	greeting, err := c.reply()
	if err != nil {
		greeting.text = err.Error()
	}
	return c, greeting
}

// outlasts returns the reply that the server sends by itself. Once the run that ends by itself has ended,
// it calls send and returns the reply to that.
func (r *keyRun) outlasts(c *client, send func()) reply {
	replies := make(chan reply, 1)
	go func() { // ends with the connection
		got, err := c.reply()
		if err != nil {
			got.text = err.Error()
		}
		replies <- got
	}()
	r.begins()
	select {
	case got := <-replies:
		return got
	case <-r.enough:
	}
	send()
	return <-replies
}

// codes returns the codes of replies; for one that did not arrive, its text.
func codes(replies ...reply) string {
	var all []string
	for _, r := range replies {
		if r.code == 0 {
			all = append(all, r.text)
			continue
		}
		all = append(all, fmt.Sprint(r.code))
	}
	return strings.Join(all, " ")
}

// moved returns the code of the last reply of a transfer, and the data if there is any.
func moved(data string, r reply, err error) string {
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(codes(r) + " " + data)
}

// stop ends the service, so that its log is complete.
func (r *keyRun) stop() {
	r.s.stop(r.t)
}

// inNetworkOf runs f in the network of a process.
func inNetworkOf(pid int, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // without unlock: the thread ends with this goroutine
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			defer ns.Close()
			if unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) == nil {
				f()
			}
		}
	}()
	<-done
}
