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

// These tests log in real accounts with the system's PAM. Their accounts and services have the
// process id of the test in their names, so that two runs do not collide.

const secret = "Ftpd-Test 9"

// A world holds what a test adds to the system: accounts, groups and PAM services.
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
	prefix := fmt.Sprintf("ftpdtest%d", os.Getpid())
	return &world{t: t, helper: buildHelper(t), prefix: prefix, out: t.TempDir()}
}

// buildHelper builds ftpd-auth from the current source.
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

// user adds an account with a password.
func (w *world) user(short string, useradd ...string) string {
	w.t.Helper()
	name := w.name(short)
	args := []string{"-M", "-N", "-g", "users", "-d", "/home/" + name, "-s", "/bin/bash"}
	w.run("useradd", append(args, append(useradd, name)...)...)
	w.t.Cleanup(func() { w.run("userdel", "-f", name) })
	set := exec.Command("chpasswd")
	set.Stdin = strings.NewReader(name + ":" + secret + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		w.t.Fatalf("chpasswd: %v\n%s", err, out)
	}
	return name
}

// service adds a PAM service with these lines, in which it replaces {prefix} and {out}. It adds
// pam_unix for auth and account if the lines lack them.
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

// login returns the account and "in", the cause of a refusal, or the failure. It removes the
// prefix of names from the text.
func (w *world) login(a *Authorizer, user, password string) (*auth.Account, string) {
	got, err := a.Authenticate(w.t.Context(), auth.Credentials{
		User: user, Password: auth.Password(password), Remote: netip.MustParseAddr("2001:db8::7"),
	})
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
	checkLeaks(t)
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
		{strict, "locked", secret, "locked: PAM authentication: Authentication failure; " +
			"its password is locked in /etc/shadow"},
		{strict, "expired", secret,
			"expired: PAM account: User account has expired; the account has expired " +
				"(Your account has expired; please contact your system administrator.)"},
		{strict, "aged", secret, "aged: PAM account: Authentication token is no longer valid; " +
			"new one required; the password has expired and must be changed, which FTP cannot do " +
			"(You are required to change your password immediately (administrator enforced).)"},
		{strict, "nologin", secret,
			"nologin: shell /usr/sbin/nologin is not in /etc/shells (auth.require_shell)"},
		{lax, "nologin", secret, "in"},
		{strict, "nologin", "wrong",
			"nologin: PAM authentication: Authentication failure; " + noShell},
		{strict, "empty", "", "empty: PAM authentication: Authentication failure; " + noPassword},
		{strict, "empty", "anything",
			"empty: PAM authentication: Authentication failure; " + noPassword},
		{strict, "system", secret, "system: uid 777 is below auth.min_uid 1000"},
		{lax, "system", secret, "in"},
		{lax, "zero", secret, "zero: uid 0 may not log in, whatever auth.min_uid says"},
		{strict, "unknown", secret, "unknown: PAM authentication: " +
			"User not known to the underlying authentication module; " +
			"the system knows no such account"},
	} {
		if _, got := w.login(c.a, w.name(c.user), c.password); got != c.want {
			t.Errorf("%s with %q:\n got %s\nwant %s", c.user, c.password, got, c.want)
		}
	}
	a, _ := w.login(strict, good, secret)
	if a.Name != good || !belongsTo(a, good) {
		t.Errorf("account %+v %+v", a, a.As)
	}
}

// belongsTo reports whether an account has the home and the group of a user of this test.
func belongsTo(a *auth.Account, user string) bool {
	return a.Home == "/home/"+user && a.As.GID == 100 && slices.Contains(a.Groups, "users")
}

const (
	noShell = "perhaps refused by pam_shells: " +
		"its shell /usr/sbin/nologin is not in /etc/shells"
	noPassword = "its password is empty in /etc/shadow, and an account without one may not log in"
)

// A cause names what an administrator can change, also where PAM's error does not.
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
			"good: PAM session: System error; " +
				"a module in the session lines of PAM service case0 failed"},
		{[]string{"auth required pam_exec.so quiet /bin/true", permit}, "good",
			"good: PAM credentials: Permission denied; " +
				"no module in the auth lines of PAM service case1 sets credentials: " +
				"add \"auth optional pam_permit.so\" behind them"},
		{[]string{"auth required pam_shells.so", "auth required pam_unix.so nodelay"}, "nologin",
			"nologin: PAM authentication: Authentication failure; " + noShell},
		{[]string{"account required pam_shells.so"}, "nologin",
			"nologin: PAM account: Authentication failure; " + noShell},
		{[]string{"auth required pam_listfile.so item=user sense=deny file=/etc/ftpusers"},
			"listed",
			"listed: PAM authentication: Authentication failure; " +
				"perhaps refused by pam_listfile: it stands in /etc/ftpusers"},
		// The password may be wrong as well: PAM does not return which module refused.
		{[]string{"auth required pam_deny.so"}, "nologin",
			"nologin: PAM authentication: Authentication failure; " + noShell},
		{[]string{"auth required pam_deny.so"}, "bytes",
			`bytes: PAM authentication: Authentication failure; ` +
				`getpwnam: name, home or shell in the entry of "bytes" is not UTF-8`},
		{[]string{"auth required pam_permit.so"}, "bytes",
			`failed: bytes: getpwnam: name, home or shell in the entry of "bytes" is not UTF-8`},
	} {
		service := w.service(fmt.Sprint("case", i), c.service...)
		a := w.authorizer(Options{Service: service})
		if _, got := w.login(a, w.name(c.user), secret); got != c.want {
			t.Errorf("%s with %q:\n got %s\nwant %s", c.user, c.service, got, c.want)
		}
	}
}

// The account with the empty password logs in where PAM does not check the password. So it is
// PAM_DISALLOW_NULL_AUTHTOK, obeyed by pam_unix, that refuses it in TestPAM.
func TestPAMNullPasswordControl(t *testing.T) {
	w := newWorld(t)
	empty := w.user("empty")
	w.run("passwd", "-q", "-d", empty)
	a := w.authorizer(Options{Service: w.service("permit", "auth required pam_permit.so")})
	if _, got := w.login(a, empty, ""); got != "in" {
		t.Errorf("the account itself cannot log in: %s", got)
	}
}

// The name that PAM has at the end counts, not the one that the client sent. pam_ftp replaces
// each of its users by the first.
func TestPAMRewritesUser(t *testing.T) {
	w := newWorld(t)
	w.user("real")
	service := w.service("ftp", "auth required pam_ftp.so users={prefix}real,{prefix}alias",
		"auth required pam_permit.so")
	a := w.authorizer(Options{MinUID: 1000, Service: service})
	got, text := w.login(a, w.name("alias"), "me@example.org")
	if text != "in" || got.Name != w.name("real") {
		t.Errorf("alias: %s, %+v", text, got)
	}
	service = w.service("ghost", "auth required pam_permit.so", "account required pam_permit.so")
	ghost := w.authorizer(Options{MinUID: 1000, Service: service})
	want := "ghost: PAM accepts the user, but the system knows no such account " +
		"(auth.guest could stand for it)"
	if _, text := w.login(ghost, w.name("ghost"), "x"); text != want {
		t.Errorf("ghost: %s", text)
	}
}

// A user that PAM accepts but the system lacks gets the account of guests, under the user's own
// name.
func TestPAMGuest(t *testing.T) {
	w := newWorld(t)
	guest := w.user("guest", "-s", "/usr/sbin/nologin")
	service := w.service("guest", "auth required pam_permit.so", "account required pam_permit.so",
		"session required pam_permit.so")
	a := w.authorizer(Options{MinUID: 1000, RequireShell: true, Service: service, Guest: guest})
	got, text := w.login(a, w.name("ghost"), "x")
	if text != "in" || got.Name != w.name("ghost") || !belongsTo(got, guest) {
		t.Errorf("ghost: %s, %+v", text, got)
	}
	absent := w.authorizer(Options{Service: service, Guest: w.name("absent")})
	want := `the account auth.guest = "absent" is not there`
	if _, text := w.login(absent, w.name("ghost"), "x"); !strings.Contains(text, want) {
		t.Errorf("without the account: %s", text)
	}
}

func TestPAMSecondPrompt(t *testing.T) {
	w := newWorld(t)
	user := w.user("second")
	service := w.service("two", "auth required pam_unix.so nodelay", "auth required pam_ftp.so")
	a := w.authorizer(Options{Service: service})
	want := "second: PAM authentication: " +
		"Authentication service cannot retrieve authentication info; " +
		`a module asks "Password required for second.", and FTP can answer one hidden prompt only`
	if _, got := w.login(a, user, secret); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// pam_group adds groups to its process in pam_setcred, so only the helper can read them.
func TestPAMGroups(t *testing.T) {
	w := newWorld(t)
	w.run("groupadd", w.name("grp"))
	t.Cleanup(func() { w.run("groupdel", w.name("grp")) })
	w.run("groupadd", w.name("extra"))
	t.Cleanup(func() { w.run("groupdel", w.name("extra")) })
	user := w.user("member", "-G", w.name("grp"))
	w.appendTo("/etc/security/group.conf",
		fmt.Sprintf("%s;*;%s;Al0000-2400;%s\n", w.name("group"), user, w.name("extra")))
	service := w.service("group", "auth required pam_unix.so nodelay", "auth optional pam_group.so")
	a := w.authorizer(Options{Service: service})
	got, text := w.login(a, user, secret)
	if text != "in" {
		t.Fatal(text)
	}
	slices.Sort(got.Groups)
	want := []string{w.name("extra"), w.name("grp"), "users"}
	if !reflect.DeepEqual(got.Groups, want) || len(got.As.Groups) != 3 {
		t.Errorf("groups %v %v, want %v", got.Groups, got.As.Groups, want)
	}
}

// appendTo adds a line to a file of the system, and restores the file at the end of the test.
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

// Modules get the items and the environment that are documented, and neither arguments nor
// environments contain the password.
func TestPAMEnvironment(t *testing.T) {
	w := newWorld(t)
	user := w.user("env")
	script := filepath.Join(w.out, "note")
	note := "#!/bin/sh\n{ echo \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_RUSER\"; " +
		`cat /proc/$PPID/cmdline /proc/$PPID/environ | tr '\0' '\n'; env; } >>` + w.out + "/notes\n"
	if err := os.WriteFile(script, []byte(note), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FTPD_SECRET", "of the server")
	a := w.authorizer(Options{Service: w.service("exec",
		"session required pam_exec.so {out}/note")})
	if _, got := w.login(a, user, secret); got != "in" {
		t.Fatal(got)
	}
	b, err := os.ReadFile(w.out + "/notes")
	if err != nil {
		t.Fatal(err)
	}
	notes := string(b)
	items := user + " 2001:db8::7 ftp " + user + "\n" // PAM_RUSER is the name that the client sent
	for _, want := range []string{"open_session " + items, "close_session " + items,
		w.helper + "\nlogin\n"} {
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

// For a user that the server refuses, no session is opened, so that no module creates a home or
// records a login.
func TestPAMNoSessionAfterRefusal(t *testing.T) {
	w := newWorld(t)
	user := w.user("sys", "-u", "778")
	service := w.service("touch", "session required pam_exec.so /usr/bin/touch {out}/opened")
	a := w.authorizer(Options{MinUID: 1000, Service: service})
	if _, got := w.login(a, user, secret); !strings.Contains(got, "below auth.min_uid") {
		t.Fatal(got)
	}
	a.Close() // so that the helper has ended
	if _, err := os.Stat(w.out + "/opened"); !os.IsNotExist(err) {
		t.Errorf("the session was opened: %v", err)
	}
}

// The service requests a delay of ten minutes after a failure; the cause must arrive without
// it.
func TestPAMDelay(t *testing.T) {
	w := newWorld(t)
	user := w.user("late")
	service := w.service("delay", "auth required pam_faildelay.so delay=600000000",
		"auth required pam_unix.so")
	a := w.authorizer(Options{Service: service})
	ctx, cancel := context.WithTimeout(t.Context(), loginTimeout/2)
	defer cancel()
	_, err := a.Authenticate(ctx, auth.Credentials{User: user, Password: auth.Password("wrong")})
	if err == nil || !strings.Contains(err.Error(), "Authentication failure") {
		t.Errorf("got %v", err)
	}
}

func TestPAMNames(t *testing.T) {
	checkLeaks(t)
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
	slices.Sort(groups)
	wantGroups := []string{w.name("grp"), "users"}
	if err != nil || !found || p.Name != user || p.Shell != "/bin/sh" ||
		!reflect.DeepEqual(groups, wantGroups) {
		t.Errorf("%+v %v %v %v", p, groups, found, err)
	}
	if _, found, err := n.Group(w.name("absent")); found || err != nil {
		t.Errorf("unknown group: %v %v", found, err)
	}
	gid, found, err := n.Group(w.name("grp"))
	if !found || err != nil {
		t.Errorf("group: %v %v", found, err)
	}
	users, names, err := n.Lookup([]uint32{0, p.UID, 4000000000}, []uint32{gid, 4000000000})
	if err != nil || !reflect.DeepEqual(users, map[uint32]string{0: "root", p.UID: user}) ||
		!reflect.DeepEqual(names, map[uint32]string{gid: w.name("grp")}) {
		t.Errorf("%v %v %v", users, names, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.helper.process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	uid, _, err := namesIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Uid:" + strings.Repeat("\t"+uid, 4) + "\n", "Groups:\t \n", "NoNewPrivs:\t1\n",
		"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n",
	} {
		if !bytes.Contains(status, []byte(line)) {
			t.Errorf("the helper's status has no line %q:\n%s", line, status)
		}
	}
}
