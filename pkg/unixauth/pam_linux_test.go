package unixauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/auth"
)

// Logins of real accounts by real PAM. The accounts and services are made for the test and carry its process id, so that two runs do
// not meet.

const secret = "Ftpd-Test 9"

// A world is a machine with accounts.
type world struct {
	t      *testing.T
	helper string
	prefix string // of the names of accounts, groups and services
	out    string // where pam_exec writes
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: sudo go test ./pkg/unixauth -run PAM")
	}
	return &world{t: t, helper: buildHelper(t), prefix: fmt.Sprintf("ftpdtest%d", os.Getpid()), out: t.TempDir()}
}

// buildHelper builds ftpd-auth as it is now.
func buildHelper(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ftpd-auth")
	build := exec.Command("go", "build", "-o", path, "ftpd/cmd/ftpd-auth")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("pam_appl.h")) || bytes.Contains(out, []byte("C compiler")) {
			t.Skip("needs a C compiler and libpam: apt-get install gcc libpam0g-dev")
		}
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func (w *world) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (w *world) name(short string) string { return w.prefix + short }

// user makes an account with a password.
func (w *world) user(short string, useradd ...string) string {
	w.t.Helper()
	name := w.name(short)
	w.run("useradd", append([]string{"-M", "-N", "-g", "users", "-d", "/home/" + name, "-s", "/bin/bash"}, append(useradd, name)...)...)
	w.t.Cleanup(func() { w.run("userdel", "-f", name) })
	set := exec.Command("chpasswd")
	set.Stdin = strings.NewReader(name + ":" + secret + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		w.t.Fatalf("chpasswd: %v\n%s", err, out)
	}
	return name
}

// service makes a PAM service of the lines, with pam_unix for what they leave out. {prefix} and {out} are filled in.
func (w *world) service(short string, lines ...string) string {
	w.t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	for _, facility := range []string{"auth", "account"} {
		if !strings.Contains(text, facility+" ") {
			text += facility + " required pam_unix.so nullok nodelay\n"
		}
	}
	text += "session required pam_permit.so\n"
	text = strings.NewReplacer("{prefix}", w.prefix, "{out}", w.out).Replace(text)
	file := "/etc/pam.d/" + w.name(short)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.Remove(file) })
	return w.name(short)
}

func (w *world) authorizer(o Options) *Authorizer {
	w.t.Helper()
	o.Helper, o.Queue = w.helper, auth.NewQueue(turns, 512, nil)
	a, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { a.Close() })
	return a
}

// login gives "in", the cause of a refusal, or what failed, with the prefix of names taken out.
func (w *world) login(a *Authorizer, user, password string) (*auth.Account, string) {
	got, err := a.Authenticate(w.t.Context(), auth.Credentials{User: user, Password: auth.Password(password), Remote: netip.MustParseAddr("2001:db8::7")})
	text := "in"
	var refusal *auth.Refusal
	switch {
	case errors.As(err, &refusal):
		text = refusal.Cause
	case err != nil:
		text = "failed: " + err.Error()
	}
	return got, strings.ReplaceAll(text, w.prefix, "")
}

func TestPAM(t *testing.T) {
	nothingLeft(t)
	w := newWorld(t)
	good := w.user("good")
	w.user("locked")
	w.run("usermod", "-L", w.name("locked"))
	w.user("expired")
	w.run("chage", "-E", "1", w.name("expired"))
	w.user("aged")
	w.run("chage", "-d", "0", w.name("aged"))
	w.user("nologin", "-s", "/usr/sbin/nologin")
	w.user("empty")
	w.run("passwd", "-q", "-d", w.name("empty"))
	w.user("system", "-u", "777")
	w.user("zero", "-o", "-u", "0")

	service := w.service("plain")
	strict := w.authorizer(Options{Service: service, MinUID: 1000, RequireShell: true})
	lax := w.authorizer(Options{Service: service})
	for _, c := range []struct {
		a              *Authorizer
		user, password string
		want           string
	}{
		{strict, "good", secret, "in"},
		{strict, "good", "wrong", "good: PAM authentication: Authentication failure"},
		{strict, "good", "", "good: PAM authentication: Authentication failure"},
		{strict, "locked", secret, "locked: PAM authentication: Authentication failure; its password is locked in /etc/shadow"},
		{strict, "expired", secret, "expired: PAM account: User account has expired; the account has expired (Your account has expired; please contact your system administrator.)"},
		{strict, "aged", secret, "aged: PAM account: Authentication token is no longer valid; new one required; the password has expired and must be changed, which FTP cannot do (You are required to change your password immediately (administrator enforced).)"},
		{strict, "nologin", secret, "nologin: shell /usr/sbin/nologin is not in /etc/shells (auth.require_shell)"},
		{lax, "nologin", secret, "in"},
		{strict, "nologin", "wrong", "nologin: PAM authentication: Authentication failure; " + noShell},
		{strict, "empty", "", "empty: PAM authentication: Authentication failure; " + noPassword},
		{strict, "empty", "anything", "empty: PAM authentication: Authentication failure; " + noPassword},
		{strict, "system", secret, "system: uid 777 is below auth.min_uid 1000"},
		{lax, "system", secret, "in"},
		{lax, "zero", secret, "zero: uid 0 may not log in, whatever auth.min_uid says"},
		{strict, "unknown", secret, "unknown: PAM authentication: User not known to the underlying authentication module; the system knows no such account"},
	} {
		if _, got := w.login(c.a, w.name(c.user), c.password); got != c.want {
			t.Errorf("%s with %q:\n got %s\nwant %s", c.user, c.password, got, c.want)
		}
	}
	a, _ := w.login(strict, good, secret)
	if a.Name != good || a.Home != "/home/"+good || a.As.GID != 100 || !slices.Contains(a.Groups, "users") {
		t.Errorf("account %+v %+v", a, a.As)
	}
}

const (
	noShell    = "its shell /usr/sbin/nologin is not in /etc/shells, which pam_shells and auth.require_shell demand"
	noPassword = "its password is empty in /etc/shadow, and an account without one may not log in"
)

// A cause names what an administrator can change, also where PAM's result does not.
func TestPAMCauses(t *testing.T) {
	w := newWorld(t)
	w.user("good")
	w.user("nologin", "-s", "/usr/sbin/nologin")
	w.user("bytes", "-d", "/home/\xff")
	w.appendTo("/etc/ftpusers", w.user("listed")+"\n")
	const permit = "account required pam_permit.so"
	for i, c := range []struct {
		service []string
		user    string
		want    string
	}{
		{[]string{"session required pam_exec.so quiet /bin/false"}, "good",
			"failed: good: PAM session: System error; a module in the session lines of PAM service case0 failed"},
		{[]string{"auth required pam_exec.so quiet /bin/true", permit}, "good",
			"good: PAM credentials: Permission denied; no module in the auth lines of PAM service case1 sets credentials: " +
				"add \"auth optional pam_permit.so\" behind them"},
		{[]string{"auth required pam_shells.so", "auth required pam_unix.so nodelay"}, "nologin",
			"nologin: PAM authentication: Authentication failure; " + noShell},
		{[]string{"account required pam_shells.so"}, "nologin", "nologin: PAM account: Authentication failure; " + noShell},
		{[]string{"auth required pam_listfile.so item=user sense=deny file=/etc/ftpusers"}, "listed",
			"listed: PAM authentication: Authentication failure; it stands in /etc/ftpusers"},
		{[]string{"auth required pam_deny.so"}, "bytes",
			`bytes: PAM authentication: Authentication failure; ` +
				`getpwnam: name, home or shell in the entry of "bytes" is not UTF-8`},
		{[]string{"auth required pam_permit.so"}, "bytes",
			`failed: bytes: getpwnam: name, home or shell in the entry of "bytes" is not UTF-8`},
	} {
		service := w.service(fmt.Sprint("case", i), c.service...)
		if _, got := w.login(w.authorizer(Options{Service: service}), w.name(c.user), secret); got != c.want {
			t.Errorf("%s with %q:\n got %s\nwant %s", c.user, c.service, got, c.want)
		}
	}
}

// A stack that lets empty passwords in is not asked to: pam_unix obeys PAM_DISALLOW_NULL_AUTHTOK. This is its control.
func TestPAMNullPasswordControl(t *testing.T) {
	w := newWorld(t)
	empty := w.user("empty")
	w.run("passwd", "-q", "-d", empty)
	a := w.authorizer(Options{Service: w.service("permit", "auth required pam_permit.so")})
	if _, got := w.login(a, empty, ""); got != "in" {
		t.Errorf("the account itself cannot log in: %s", got)
	}
}

// The user whom PAM means at the end counts, not the one that was typed. pam_ftp makes the first of its users of each.
func TestPAMRewritesUser(t *testing.T) {
	w := newWorld(t)
	w.user("real")
	a := w.authorizer(Options{MinUID: 1000, Service: w.service("ftp", "auth required pam_ftp.so users={prefix}real,{prefix}alias", "auth required pam_permit.so")})
	got, text := w.login(a, w.name("alias"), "me@example.org")
	if text != "in" || got.Name != w.name("real") {
		t.Errorf("alias: %s, %+v", text, got)
	}
	ghost := w.authorizer(Options{MinUID: 1000, Service: w.service("ghost", "auth required pam_permit.so", "account required pam_permit.so")})
	if _, text := w.login(ghost, w.name("ghost"), "x"); text != "ghost: PAM accepts the user, but the system knows no such account (auth.guest could stand for it)" {
		t.Errorf("ghost: %s", text)
	}
}

// Where there is a guest account, it stands for users whom PAM accepts and the system does not know, under their own name.
func TestPAMGuest(t *testing.T) {
	w := newWorld(t)
	guest := w.user("guest", "-s", "/usr/sbin/nologin")
	service := w.service("guest", "auth required pam_permit.so", "account required pam_permit.so", "session required pam_permit.so")
	a := w.authorizer(Options{MinUID: 1000, RequireShell: true, Service: service, Guest: guest})
	got, text := w.login(a, w.name("ghost"), "x")
	if text != "in" || got.Name != w.name("ghost") || got.Home != "/home/"+guest || got.As.GID != 100 || !slices.Contains(got.Groups, "users") {
		t.Errorf("ghost: %s, %+v", text, got)
	}
	absent := w.authorizer(Options{Service: service, Guest: w.name("absent")})
	if _, text := w.login(absent, w.name("ghost"), "x"); !strings.Contains(text, `the account auth.guest = "absent" is not there`) {
		t.Errorf("without the account: %s", text)
	}
}

func TestPAMAsksMore(t *testing.T) {
	w := newWorld(t)
	user := w.user("second")
	a := w.authorizer(Options{Service: w.service("two", "auth required pam_unix.so nodelay", "auth required pam_ftp.so")})
	want := `second: PAM authentication: Authentication service cannot retrieve authentication info; a module asks "Password required for second.", and FTP can answer one hidden prompt only`
	if _, got := w.login(a, user, secret); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// pam_group gives groups in pam_setcred, which only this process can read back.
func TestPAMGroups(t *testing.T) {
	w := newWorld(t)
	w.run("groupadd", w.name("grp"))
	t.Cleanup(func() { w.run("groupdel", w.name("grp")) })
	w.run("groupadd", w.name("extra"))
	t.Cleanup(func() { w.run("groupdel", w.name("extra")) })
	user := w.user("member", "-G", w.name("grp"))
	w.appendTo("/etc/security/group.conf", fmt.Sprintf("%s;*;%s;Al0000-2400;%s\n", w.name("group"), user, w.name("extra")))
	a := w.authorizer(Options{Service: w.service("group", "auth required pam_unix.so nodelay", "auth optional pam_group.so")})
	got, text := w.login(a, user, secret)
	if text != "in" {
		t.Fatal(text)
	}
	slices.Sort(got.Groups)
	if want := []string{w.name("extra"), w.name("grp"), "users"}; !reflect.DeepEqual(got.Groups, want) || len(got.As.Groups) != 3 {
		t.Errorf("groups %v %v, want %v", got.Groups, got.As.Groups, want)
	}
}

// appendTo adds a line to a file of the system and takes it out again.
func (w *world) appendTo(file, line string) {
	w.t.Helper()
	was, err := os.ReadFile(file)
	restore := func() error { return os.WriteFile(file, was, 0o644) }
	if errors.Is(err, fs.ErrNotExist) {
		restore, err = func() error { return os.Remove(file) }, nil
	}
	if err == nil {
		err = os.WriteFile(file, append(bytes.Clone(was), line...), 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := restore(); err != nil {
			w.t.Error(err)
		}
	})
}

// What modules are told, and where the password is not.
func TestPAMEnvironment(t *testing.T) {
	w := newWorld(t)
	user := w.user("env")
	script := filepath.Join(w.out, "note")
	note := "#!/bin/sh\n{ echo \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_RUSER\"; tr '\\0' '\\n' </proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$PPID/environ; env; } >>" + w.out + "/notes\n"
	if err := os.WriteFile(script, []byte(note), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FTPD_SECRET", "of the server")
	a := w.authorizer(Options{Service: w.service("exec", "session required pam_exec.so {out}/note")})
	if _, got := w.login(a, user, secret); got != "in" {
		t.Fatal(got)
	}
	b, err := os.ReadFile(w.out + "/notes")
	if err != nil {
		t.Fatal(err)
	}
	notes := string(b)
	items := user + " 2001:db8::7 ftp " + user + "\n" // PAM_RUSER is the name that was typed
	for _, want := range []string{"open_session " + items, "close_session " + items, w.helper + "\nlogin\n"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in\n%s", want, notes)
		}
	}
	for _, bad := range []string{secret, "FTPD_SECRET"} {
		if strings.Contains(notes, bad) {
			t.Errorf("%q in\n%s", bad, notes)
		}
	}
}

// A user whom we refuse gets no session: no home made, no login noted.
func TestPAMNoSessionForTheRefused(t *testing.T) {
	w := newWorld(t)
	user := w.user("sys", "-u", "778")
	a := w.authorizer(Options{MinUID: 1000, Service: w.service("touch", "session required pam_exec.so /usr/bin/touch {out}/opened")})
	if _, got := w.login(a, user, secret); !strings.Contains(got, "below auth.min_uid") {
		t.Fatal(got)
	}
	a.Close() // so that the helper has ended
	if _, err := os.Stat(w.out + "/opened"); !os.IsNotExist(err) {
		t.Errorf("the session was opened: %v", err)
	}
}

// PAM wants to sleep ten minutes after the failure; the cause must not wait for that.
func TestPAMDelay(t *testing.T) {
	w := newWorld(t)
	user := w.user("late")
	a := w.authorizer(Options{Service: w.service("delay", "auth required pam_faildelay.so delay=600000000", "auth required pam_unix.so")})
	ctx, cancel := context.WithTimeout(t.Context(), loginTimeout/2)
	defer cancel()
	if _, err := a.Authenticate(ctx, auth.Credentials{User: user, Password: "wrong"}); err == nil || !strings.Contains(err.Error(), "Authentication failure") {
		t.Errorf("got %v", err)
	}
}

func TestPAMNames(t *testing.T) {
	nothingLeft(t)
	w := newWorld(t)
	w.run("groupadd", w.name("grp"))
	t.Cleanup(func() { w.run("groupdel", w.name("grp")) })
	user := w.user("named", "-G", w.name("grp"), "-s", "/bin/sh")
	n, err := StartNames(w.helper)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p, groups, found, err := n.User(user)
	if slices.Sort(groups); err != nil || !found || p.Name != user || p.Shell != "/bin/sh" || !reflect.DeepEqual(groups, []string{w.name("grp"), "users"}) {
		t.Errorf("%+v %v %v %v", p, groups, found, err)
	}
	if _, found, err := n.Group(w.name("nobody")); found || err != nil {
		t.Errorf("unknown group: %v %v", found, err)
	}
	gid, found, err := n.Group(w.name("grp"))
	if !found || err != nil {
		t.Errorf("group: %v %v", found, err)
	}
	users, names, err := n.Lookup([]uint32{0, p.UID, 4000000000}, []uint32{gid, 4000000000})
	if err != nil || !reflect.DeepEqual(users, map[uint32]string{0: "root", p.UID: user}) || !reflect.DeepEqual(names, map[uint32]string{gid: w.name("grp")}) {
		t.Errorf("%v %v %v", users, names, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.helper.process.Pid))
	if err != nil || !bytes.Contains(status, []byte("Uid:\t65534\t65534\t65534\t65534")) || !bytes.Contains(status, []byte("CapEff:\t0000000000000000")) || !bytes.Contains(status, []byte("Groups:\t \n")) {
		t.Errorf("the helper is\n%s%v", status, err)
	}
}
