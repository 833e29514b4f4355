//go:build linux

package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A whoReport is the part of the output of `ftpd who --json` that these tests use.
type whoReport struct {
	Sessions []struct {
		Session, User, Directory, Client string
		Gone                             bool
		Transfer                         *struct {
			Verb, Path string
			Bytes      int64
			Rate       float64
		}
	}
	Limits []struct {
		Key         string
		Limit, Used int
		Of          string
	}
	Bans []struct{ Network, User, Cause string }
}

func who(t *testing.T, config string) (r whoReport) {
	t.Helper()
	out := command(t, "", filepath.Join(bin, "ftpd"), "who", "--config", config, "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

// TestWhoAndKick checks that an administrator sees all sessions and what they do, in every core,
// and can end them.
func TestWhoAndKick(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u, other := newAccount(t), newAccount(t)
	port := freePort(t)
	socket := filepath.Join(sharedDir(t), "run", "admin.sock")
	config := writeConfig(t, port, settings{
		"auth":     "failure_delay = \"0s\"\n",
		"defaults": "max_sessions = 7\n",
		"admin":    fmt.Sprintf("socket = %q\n", socket),
		"end":      "[ban]\nfailures = 1\n",
	})
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	busy, idle := login(t, s.addr, u.name, u.password), login(t, s.addr, other.name, other.password)
	up := beginUpload(t, busy, "big")
	idle.expect(t, 200, "CLNT tester")
	idle.expect(t, 257, "MKD sub")
	idle.expect(t, 250, "CWD sub")
	refuse(t, s.addr, "ftpdtest-nobody", "guessed")

	eventually(t, "the refused session is gone",
		func() bool { return len(who(t, config).Sessions) == 2 })
	r := who(t, config)
	if got := r.Sessions[0]; got.User != u.name || got.Transfer == nil ||
		got.Transfer.Verb != "STOR" || got.Transfer.Path != "/big" || got.Transfer.Bytes == 0 {
		t.Errorf("the first session: %+v", got)
	}
	if got := r.Sessions[1]; got.User != other.name || got.Directory != "/sub" ||
		got.Client != "tester" || got.Transfer != nil {
		t.Errorf("the second session: %+v", got)
	}
	if len(r.Bans) != 1 || r.Bans[0].User != "ftpdtest-nobody" || r.Bans[0].Network != "127.0.0.1" {
		t.Errorf("bans: %+v", r.Bans)
	}
	limits := fmt.Sprint(r.Limits)
	for _, want := range []string{"{limits.max_sessions 1000 2 }",
		"{limits.max_sessions_per_ip 50 2 127.0.0.1}", "{max_sessions 7 1 "} {
		if !strings.Contains(limits, want) {
			t.Errorf("limits %s lack %s", limits, want)
		}
	}
	table := command(t, "", filepath.Join(bin, "ftpd"), "who", "--config", config)
	for _, want := range []string{u.name, "STOR /big", "in /sub", "1 banned"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}

	kick := func(target string) string {
		out, _ := exec.Command(filepath.Join(bin, "ftpd"), "kick", "--config", config,
			target).CombinedOutput()
		return string(out)
	}
	if got := kick(other.name); got != "ended: 1\n" {
		t.Errorf("kick prints %q", got)
	}
	if r, err := idle.reply(); err != nil || r.code != 421 ||
		!strings.Contains(r.text, "administrator") {
		t.Errorf("the idle client reads %v, %v", r, err)
	}
	if got := kick("127.0.0.1"); got != "ended: 1\n" {
		t.Errorf("kick prints %q", got)
	}
	if r, err := busy.reply(); err != nil || r.code != 421 {
		t.Errorf("the busy client reads %v, %v", r, err)
	}
	s.log.wait(t, "the upload that was cut", message("upload_incomplete"))
	if _, err := os.Stat(filepath.Join(u.home, "big")); err != nil {
		t.Error(err)
	}
	up.data.Close()
	eventually(t, "no session is left", func() bool { return len(who(t, config).Sessions) == 0 })
	if got := kick("nobody-there"); !strings.Contains(got, "no session belongs to") {
		t.Errorf("kick prints %q", got)
	}
}

// TestAdminSocketRights checks that the socket is for root and the group ftpd-admin alone, and is
// removed with the service.
func TestAdminSocketRights(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if exec.Command("getent", "group", "ftpd-admin").Run() != nil {
		changeAccounts(t, "", "groupadd", "--system", "ftpd-admin")
		t.Cleanup(func() { changeAccounts(t, "", "groupdel", "ftpd-admin") })
	}
	member, stranger := newAccount(t, "--groups", "ftpd-admin"), newAccount(t)
	socket := filepath.Join(sharedDir(t), "admin.sock")
	port := freePort(t)
	config := writeConfig(t, port, settings{"admin": fmt.Sprintf("socket = %q\n", socket)})
	readable := filepath.Join(sharedDir(t), "ftpd.toml") // as the packages install it
	writeFile(t, readable, fmt.Sprintf("[admin]\nsocket = %q\n", socket), 0o644)
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	as := func(a account) (string, error) {
		groups, err := exec.Command("id", "-G", a.name).Output()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(bin, "ftpd"), "who", "--config", readable)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid),
			Gid: uint32(a.gid), Groups: numbers(t, string(groups))}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := as(member); err != nil || !strings.Contains(out, "no sessions") {
		t.Errorf("a member reads %q, %v", out, err)
	}
	if out, err := as(stranger); err == nil ||
		!strings.Contains(out, "for root and members of the group ftpd-admin") {
		t.Errorf("a stranger reads %q, %v", out, err)
	}
	if err := os.Chmod(socket, 0o666); err != nil { // the service decides by itself, too
		t.Fatal(err)
	}
	if out, err := as(stranger); err == nil ||
		!strings.Contains(out, "for root and members of the group ftpd-admin") {
		t.Errorf("with an open socket, a stranger reads %q, %v", out, err)
	}
	if out, err := as(member); err != nil || !strings.Contains(out, "no sessions") {
		t.Errorf("with an open socket, a member reads %q, %v", out, err)
	}
	s.stop(t)
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// fakeService is a program that listens at a path and answers each request with a report.
const fakeService = `
use IO::Socket::UNIX;
$SIG{PIPE} = "IGNORE";
my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die;
chmod 0666, $ARGV[0];
$| = 1; print "ready\n";
while (my $c = $s->accept) { print $c "{\"report\":{\"version\":\"forged\"}}\n"; close $c }`

// TestForgedAdminSocket checks that ftpd who and ftpd kick believe no program of another user that
// listens at the path of the admin socket, and that no socket is made in a directory of a user.
func TestForgedAdminSocket(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "perl")
	user := newAccount(t)
	socket := filepath.Join(user.home, "admin.sock")
	forger := exec.Command("perl", "-e", fakeService, socket)
	forger.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)}}
	out, err := forger.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		forger.Process.Kill()
		forger.Wait()
	}()
	readUntil(t, bufio.NewReader(out), "ready")
	config := filepath.Join(sharedDir(t), "ftpd.toml")
	writeFile(t, config, fmt.Sprintf("[admin]\nsocket = %q\n", socket), 0o644)
	want := fmt.Sprintf("%s: the program that listens there runs as uid %d", socket, user.uid)
	for _, args := range [][]string{{"who"}, {"kick", "alice"}} {
		cmd := exec.Command(filepath.Join(bin, "ftpd"), append(args, "--config", config)...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %q", args, err, out)
		}
	}
	s := serve(t, settings{"admin": fmt.Sprintf("socket = %q\n",
		filepath.Join(user.home, "run", "admin.sock"))})
	s.log.wait(t, "no socket in a user's directory", func(r record) bool {
		return strings.HasPrefix(r.Message, "ftpd who and ftpd kick cannot reach this service") &&
			strings.Contains(r.Error, user.home+" belongs to uid ")
	})
}

func numbers(t *testing.T, text string) (all []uint32) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		var n uint32
		if _, err := fmt.Sscan(word, &n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}
