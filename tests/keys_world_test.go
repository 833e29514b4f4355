//go:build linux

package tests

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A keyWorld is what all rows share.
type keyWorld struct {
	t                                     *testing.T // outlives the rows
	plain, member, named, noShell, system account
	group                                 string
	pam, guestPAM, trusted                string
	ours, others                          *authority
	mu                                    sync.Mutex
	standard                              map[string]*server // with the defaults, by what stands beside them
	runs                                  atomic.Int32
	turns                                 chan struct{} // of rows that run at one time: all share an address, and many a service
}

// A keyRun is one service with one configuration, and who probes it.
type keyRun struct {
	t    *testing.T
	w    *keyWorld
	row  keyRow
	s    *server
	user account // whom the key is about
	path string  // a directory of the user's own, as FTP has it
	dir  string  // as the host has it; there is a file f with the text "text"
	port int     // the first of ten that no other run uses
	from string  // a loopback address that no other run uses

	begun  chan struct{}   // closed when a probe waits for something to happen
	enough <-chan struct{} // closed when it need not happen any more; nil: it has to
	once   sync.Once
}

// keyPorts is where ports begin that freePort gives to nobody; 270 runs have ten each.
const keyPorts = 30_000

// notStarted begins what is told of a service that does not start.
const notStarted = "does not start"

func newKeyWorld(t *testing.T) *keyWorld {
	t.Helper()
	w := &keyWorld{t: t, turns: make(chan struct{}, 8), standard: map[string]*server{}, pam: pamService(t), guestPAM: passwordService(t, "ftpdtest-ghost", "sesame")}
	w.group, _ = newGroup(t)
	w.plain, w.named, w.member = newAccount(t), newAccount(t), newAccount(t, "--groups", w.group)
	w.noShell, w.system = newAccount(t, "--shell", "/usr/sbin/nologin"), newAccount(t, "--system")
	for _, u := range []account{w.plain, w.named, w.member, w.noShell, w.system} {
		u.cheapen(t)
		u.file(t, "where", "home", u.uid, u.gid, 0o644)
	}
	w.ours, w.others = newAuthority(t), newAuthority(t)
	for _, name := range []string{"localhost", "ftp.example.net", "alice"} {
		w.ours.issue(t, name, "ecdsa")
		writeFile(t, w.ours.file(name+".both"), readFile(t, w.ours.file(name+".pem"))+readFile(t, w.ours.file(name+".key")), 0o600)
	}
	w.others.issue(t, "alice", "ecdsa")
	w.trusted = trustedDir(t)
	runAsAccounts(t)
	return w
}

// runAsAccounts makes the accounts that run_as names by default, where they are missing.
func runAsAccounts(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ftp", "ftp-virtual"} {
		if _, err := user.Lookup(name); err != nil {
			options := []string{"--system", "--no-create-home", "--shell", "/usr/sbin/nologin"}
			command(t, "", "useradd", append(options, name)...)
			t.Cleanup(func() { command(t, "", "userdel", name) })
		}
	}
}

// newRun prepares a run: the user's directory, and the service.
func (w *keyWorld) newRun(t *testing.T, row keyRow, value string) *keyRun {
	t.Helper()
	n := w.runs.Add(1)
	r := &keyRun{t: t, w: w, row: row, user: w.plain, port: keyPorts + int(n)%270*10, path: fmt.Sprintf("/run-%d", n), begun: make(chan struct{})}
	r.from = fmt.Sprintf("127.3.%d.%d", n/250, n%250+1)
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
	if w.standard[row.beside] == nil {
		w.standard[row.beside] = r.serve(w.t, text)
	}
	r.s = w.standard[row.beside]
	return r
}

// shares says whether rows with the same beside may share the service with the default.
func (row keyRow) shares() bool {
	return !row.own && !row.silent && row.apart == "" && row.env == "" && !strings.Contains(row.beside, "{dir}")
}

// words are what stands in braces in the texts of rows. {me} is the name of a [[user]] or [[group]] that the run is about.
func (r *keyRun) words(text string) string {
	me := r.w.named.name
	if strings.HasPrefix(r.row.key, "group.") {
		me = r.w.group
	}
	return strings.NewReplacer("{me}", me, "{dir}", r.dir, "{path}", r.path, "{home}", r.user.home, "{new}", r.w.trusted+r.path, "{port}", fmt.Sprint(r.port), "{port+9}", fmt.Sprint(r.port+9),
		"{group}", r.w.group, "{plain}", r.w.plain.name, "{member}", r.w.member.name, "{named}", r.w.named.name, "{system}", r.w.system.name, "{noshell}", r.w.noShell.name,
		"{ghost}", r.w.guestPAM, "{tls}", r.w.ours.dir, "{others}", r.w.others.dir, "{hash}", hashes["bcrypt"],
		"{today}", time.Now().UTC().Format(time.DateOnly)).Replace(text)
}

// text is the configuration: what every run needs, what stands beside the key, and the key.
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
	for _, text := range []string{r.row.beside, value} {
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
		"admin.socket":       `"{dir}/admin.sock"`,
	} {
		if !strings.Contains(head, key+" = ") && r.row.key != key {
			head += "\n" + key + " = " + value
		}
	}
	return r.words(head + "\n" + strings.Join(tables, "\n"))
}

// serve starts a service, and returns when it is ready or has ended.
func (r *keyRun) serve(t *testing.T, text string) *server {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	config := filepath.Join(dir, "ftpd.toml")
	writeFile(r.t, config, text, 0o600)
	if r.row.key == "include" {
		command(r.t, "", "mkdir", filepath.Join(dir, "ftpd.d"))
		writeFile(r.t, filepath.Join(dir, "ftpd.d", "a.toml"), "server.banner = \"of ftpd.d\"\n", 0o600)
		writeFile(r.t, filepath.Join(dir, "other.toml"), "server.banner = \"of the other\"\n", 0o600)
	}
	s := newServer(r.t, 0, "serve", "--config", config)
	if _, after, ok := strings.Cut(text, `"127.0.0.1:`); ok {
		port, _, _ := strings.Cut(after, `"`)
		s.addr, s.addr6 = "127.0.0.1:"+port, "[::1]:"+port
	}
	if r.row.apart != "" {
		s.cmd = r.apart(s.cmd.Args)
	}
	s.cmd.Env = append(os.Environ(), r.row.env)
	s.launch(t)
	eventually(r.t, "the service is ready, or ends", func() bool {
		ready, _ := s.log.find(message("ready"))
		select {
		case <-s.exited:
			s.killed = true // by its configuration
			return true
		default:
		}
		if r.row.silent {
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

// needNamespaces skips a test that gives a service a view of the machine of its own.
func needNamespaces(t *testing.T) {
	t.Helper()
	need(t, "unshare")
	need(t, "ip")
	if out, err := exec.Command("unshare", "--mount", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("needs a machine that may make namespaces: %s; run there: sudo make system", out)
	}
}

// apart is a command in namespaces of its own, where /etc/pam.d/ftpd is that of the packages.
func (r *keyRun) apart(args []string) *exec.Cmd {
	script := `ip link set lo up && mount -t tmpfs tmpfs /run && cp -r /etc/pam.d /run/pam.d && cp "/etc/pam.d/$1" /run/pam.d/ftpd && ` +
		`mount --bind /run/pam.d /etc/pam.d && shift && exec "$@"`
	all := append(strings.Fields(r.row.apart), "sh", "-c", script, "sh", r.w.pam)
	return exec.Command("unshare", append(all, args...)...)
}

// tell is the outcome of the probe.
func (r *keyRun) tell() string {
	defer r.begins()
	if r.s.killed {
		return notStarted + ": " + strings.TrimSpace(r.s.log.String())
	}
	return r.row.probe(r)
}

func (r *keyRun) begins() { r.once.Do(func() { close(r.begun) }) }

// login is what a login of the user is answered, and the client.
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

// logIn is what a client is answered that logs in; replies that do not come have the number 0 and say why.
func (c *client) logIn(user, password string) reply {
	if r := c.ask("USER " + user); r.code != 331 {
		return r
	}
	r := c.ask("PASS " + password)
	if r.code == 230 {
		c.ask("TYPE I")
	}
	return r
}

func (c *client) ask(line string) reply {
	r, err := c.do(line)
	if err != nil {
		return reply{text: err.Error()}
	}
	return r
}

// dial connects, for as long as the row lasts.
func (r *keyRun) dial() (*client, reply) {
	conn, err := net.DialTimeout("tcp", r.s.addr, patience)
	return r.connected(conn, err)
}

// dialFrom does so from an address of the run's own.
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

// outlasts is what the server says by itself; or, once the run that had to end has ended, what it answers.
func (r *keyRun) outlasts(c *client, send func()) reply {
	said := make(chan reply, 1)
	go func() { // ends with the connection
		got, err := c.reply()
		if err != nil {
			got.text = err.Error()
		}
		said <- got
	}()
	r.begins()
	select {
	case got := <-said:
		return got
	case <-r.enough:
	}
	send()
	return <-said
}

// codes are the numbers of replies.
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

// moved is the number of the last reply of a transfer, and what came, if anything did.
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
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
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
