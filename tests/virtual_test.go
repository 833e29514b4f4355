//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hashes of "secret", made by mkpasswd(1).
var hashes = map[string]string{
	"bcrypt":       "$2b$05$1b6CMcgVht2h4KWsMOTAr.gU5A5MQnUePdyqhnYkmSGHKMTGcy0eG",
	"yescrypt":     "$y$j9T$NQyP.7/MEqKzu7wc8gZX51$Z.WFfgBYtM2gIpVhJyk6D9eLD7GP5.2.wX99rYHl.T5",
	"sha512-crypt": "$6$sogYq9MQ8U2NePbx$XgnqVkv4BIPFDMYHcWBCwgLV7AKqxPMDMQIdtHujnZDfDVaSYg8kQp7/YtLdVIzVvOGVE6pzcNBl9yCjEObZo/",
	"sha256-crypt": "$5$h7nWSGJjzenRq60s$Oo0M/0BjBVtj9x0D.p3vVYtnfxee0yw0q78eJkhO7/2",
}

// TestVirtualUsers checks that a user of the configuration logs in with each kind of hash, and
// works as the account that run_as names. A wrong password is refused after the same delay,
// whatever the kind is.
func TestVirtualUsers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const delay = 700 * time.Millisecond
	owner := newAccount(t, "--system", "--shell", "/usr/sbin/nologin")
	kinds := map[string]string{"argon2id": strings.TrimSpace(command(t, "secret\n",
		filepath.Join(bin, "ftpd"), "passwd"))}
	for kind, hash := range hashes {
		kinds[kind] = hash
	}
	var users strings.Builder
	for kind, hash := range kinds {
		fmt.Fprintf(&users, "[[user]]\nname = %q\npassword = %q\n", "v-"+kind, hash)
	}
	s := serve(t, settings{
		"auth":     fmt.Sprintf("failure_delay = %q\n", delay),
		"defaults": fmt.Sprintf("home = %q\nrun_as = %q\n", owner.home, owner.name),
		"end":      users.String(),
	})
	for kind := range kinds {
		c := login(t, s.addr, "v-"+kind, "secret")
		if r, err := c.store("STOR "+kind, "text"); r.code != 226 || err != nil {
			t.Fatalf("%s: STOR: %v, %v", kind, r, err)
		}
		belongsTo(t, filepath.Join(owner.home, kind), owner.uid, owner.gid)
		r, took := refuse(t, s.addr, "v-"+kind, "Secret")
		if r.code != 530 || took < delay {
			t.Errorf("%s: a wrong password: %v after %v", kind, r, took)
		}
		record := s.log.wait(t, "login_failed of "+kind, func(rec record) bool {
			return rec.Message == "login_failed" && rec.User == "v-"+kind
		})
		if !strings.Contains(record.Cause, "wrong password") {
			t.Errorf("%s: cause %q", kind, record.Cause)
		}
	}
}

// TestRulesAndMounts checks that the longest rule wins, at the path where a file really is, and
// that a mount is shown in its parent's listing with permissions of its own.
func TestRulesAndMounts(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	shared := sharedDir(t)
	writeFile(t, filepath.Join(shared, "news"), "news\n", 0o644)
	for _, dir := range []string{"incoming", "incoming/open"} {
		if err := os.Mkdir(filepath.Join(owner.home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(owner.home, dir), owner.uid, owner.gid); err != nil {
			t.Fatal(err)
		}
	}
	owner.file(t, "incoming/old", "old", owner.uid, owner.gid, 0o600)
	if err := os.Symlink("incoming", filepath.Join(owner.home, "link")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, settings{"end": fmt.Sprintf(`[[user]]
name = "carla"
password = %q
home = %q
run_as = %q
  [[user.rule]]
  path = "/incoming"
  permissions = "drop-box"
  [[user.rule]]
  path = "/incoming/open"
  permissions = "full"
  [[user.mount]]
  path = "/shared"
  directory = %q
  permissions = "read-only"
`, hashes["sha256-crypt"], owner.home, owner.name, shared)})
	c := login(t, s.addr, "carla", "secret")
	for _, dir := range []string{"/incoming", "/link", "/incoming/open/..", "/link/../incoming"} {
		if r, err := c.store("STOR "+dir+"/new", "text"); r.code != 226 || err != nil {
			t.Errorf("a new file in %s: %v, %v", dir, r, err)
		}
		os.Remove(filepath.Join(owner.home, "incoming/new"))
		if r, err := c.store("STOR "+dir+"/old", "text"); r.code != 550 || err != nil {
			t.Errorf("an old file in %s: %v, %v", dir, r, err)
		}
		c.expect(t, 550, "DELE "+dir+"/old")
	}
	for _, dir := range []string{"/incoming/open", "/link/open"} {
		if r, err := c.store("STOR "+dir+"/file", "text"); r.code != 226 || err != nil {
			t.Errorf("%s: %v, %v", dir, r, err)
		}
		c.expect(t, 250, "DELE "+dir+"/file")
	}
	if list, _, err := c.retrieve("NLST"); !strings.Contains(list, "shared\r\n") || err != nil {
		t.Errorf("the mount does not show: %q, %v", list, err)
	}
	if data, r, err := c.retrieve("RETR /shared/news"); data != "news\n" || err != nil {
		t.Errorf("read through the mount: %q, %v, %v", data, r, err)
	}
	if r, err := c.store("STOR /shared/new", "x"); r.code != 550 || err != nil {
		t.Errorf("write through the mount: %v, %v", r, err)
	}
	c.expect(t, 550, "RNFR /incoming/open") // its rule would stay behind
	storeAs(t, c, "plain")
	c.expect(t, 350, "RNFR plain")
	if r, err := c.do("RNTO /shared/plain"); err != nil || r.code < 550 {
		t.Errorf("rename into the mount: %v, %v", r, err)
	}
}

// TestAnonymousUnderServe checks that anonymous users work as their run_as, and read but do not
// write.
func TestAnonymousUnderServe(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t, "--system", "--shell", "/usr/sbin/nologin")
	owner.file(t, "private", "for the account alone", owner.uid, owner.gid, 0o600)
	s := serve(t, settings{"anonymous": fmt.Sprintf("enabled = true\ndirectory = %q\nrun_as = %q\n",
		owner.home, owner.name)})
	c := login(t, s.addr, "anonymous", "guest@example.org")
	if data, r, err := c.retrieve("RETR private"); data != "for the account alone" || err != nil {
		t.Errorf("RETR: %q, %v, %v", data, r, err)
	}
	if r, err := c.store("STOR new", "x"); r.code != 550 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	if r, _ := refuse(t, s.addr, "Anonymous", "x"); r.code != 530 {
		t.Errorf("in capitals: %v", r)
	}
}

// TestAnonymousAndVirtualUsersApart checks that anonymous users do not read the private files of
// virtual users, also where their directory contains the homes of these: the accounts differ. A
// start warns where both have the same account.
func TestAnonymousAndVirtualUsersApart(t *testing.T) {
	t.Parallel()
	needRoot(t)
	public := sharedDir(t)
	home := filepath.Join(public, "carla")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	add := settings{
		"anonymous": fmt.Sprintf("enabled = true\ndirectory = %q\n", public),
		"defaults":  "umask = \"077\"\n",
		"end": fmt.Sprintf("[[user]]\nname = \"carla\"\npassword = %q\nhome = %q\n",
			hashes["bcrypt"], home),
	}
	s := serve(t, add)
	r, err := login(t, s.addr, "carla", "secret").store("STOR diary", "private")
	if r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	data, r, err := login(t, s.addr, "anonymous", "x").retrieve("RETR carla/diary")
	if data != "" || r.code != 550 || err != nil {
		t.Errorf("anonymous reads %q of carla's, %v, %v", data, r, err)
	}
	const warning = "contains the home of \"carla\""
	if strings.Contains(s.log.String(), warning) {
		t.Errorf("a warning that is not in place:\n%s", s.log)
	}
	add["defaults"] += "run_as = \"ftp\"\n"
	serve(t, add).log.wait(t, "the warning", func(r record) bool {
		return strings.Contains(r.Message, warning)
	})
}

// TestOrdinaryUserServesVirtualUsers checks that an ordinary user serves virtual users alone, in
// one process that the kernel confines to what it serves.
func TestOrdinaryUserServesVirtualUsers(t *testing.T) {
	t.Parallel()
	dir, outside := sharedDir(t), sharedDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(outside, "file"), "secret", 0o644)
	port := freePort(t)
	config := filepath.Join(sharedDir(t), "ftpd.toml")
	writeFile(t, config, fmt.Sprintf(`[server]
listen = ["127.0.0.1:%d"]
[auth]
backend = "virtual"
guest = "nobody"
[defaults]
umask = "700"
[[user]]
name = "carla"
password = %q
home = %q
umask = "022"
run_as = ""
`, port, hashes["bcrypt"], dir), 0o644)
	s := newServer(t, port, "serve", "--config", config)
	asOrdinaryUser(s.cmd)
	s.start(t)
	c := login(t, s.addr, "carla", "secret")
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "file")); err != nil ||
		info.Sys().(*syscall.Stat_t).Uid != uint32(ordinaryUID()) {
		t.Errorf("the upload belongs to another user: %v, %v", info, err)
	}
	if n := strings.Count(s.log.String(), "warning: defaults.umask"); n != 1 {
		t.Errorf("a warning is logged %d times:\n%s", n, s.log)
	}
	if children := descendants(s.cmd.Process.Pid); len(children) != 0 {
		t.Errorf("more than one process: %v", children)
	}
	if start, _ := s.log.find(message("start")); len(start) != 1 ||
		!strings.Contains(s.log.String(), "landlock") {
		t.Errorf("the start does not name the sandbox:\n%s", s.log)
	}
}

// ordinaryUID returns the user id for asOrdinaryUser.
func ordinaryUID() int {
	if uid := os.Getuid(); uid != 0 {
		return uid
	}
	return 65534
}
