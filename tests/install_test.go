//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInstallBooted installs the deb on a fresh Debian 12 that systemd has booted: the service
// runs, a user's file goes up and down, an upgrade keeps the administrator's changes, and a purge
// leaves only users' data.
func TestInstallBooted(t *testing.T) {
	t.Parallel()
	deb := packages(t).deb
	m := boot(t, debian(t))
	before := m.files(t)

	command(t, "", "cp", deb, m.root+"/root/ftpd.deb")
	m.run(t, "", "dpkg", "--install", "/root/ftpd.deb")
	for question, want := range map[string]string{"is-active": "active\n",
		"is-enabled": "enabled\n"} {
		if got := m.run(t, "", "systemctl", question, "ftpd"); got != want {
			t.Errorf("%s: %q", question, got)
		}
	}
	password := m.newUser(t, "alice")
	m.upAndDown(t, m.host, password)
	for _, want := range []string{`"user":"alice"`, `"sandbox":"landlock ABI `} {
		if log := m.run(t, "", "journalctl", "--unit=ftpd", "--output=cat"); !strings.Contains(log,
			want) {
			t.Errorf("%s is not in the journal:\n%s", want, log)
		}
	}
	m.privileges(t)
	m.upgrade(t)
	m.upAndDown(t, m.host, password)

	m.run(t, "", "apt-get", "--yes", "purge", "ftpd")
	if got := m.run(t, "", "systemctl", "list-units", "--all", "--no-legend", "ftpd*"); got != "" {
		t.Errorf("a unit is left: %s", got)
	}
	m.leftOver(t, before)
}

// supervisor returns the process id of the service inside the machine.
func (m machine) supervisor(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(m.run(t, "", "systemctl", "show", "--property=MainPID", "--value",
		"ftpd"))
}

// privileges checks what the unit permits the supervisor: PAM's setuid programs work, and no
// capability reaches into the kernel.
func (m machine) privileges(t *testing.T) {
	t.Helper()
	status := m.run(t, "", "cat", "/proc/"+m.supervisor(t)+"/status")
	if !strings.Contains(status, "NoNewPrivs:\t0\n") {
		t.Errorf("setuid programs do not work: %s", status)
	}
	_, caps, _ := strings.Cut(status, "CapBnd:\t")
	bounds, err := strconv.ParseUint(strings.Fields(caps)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []int{unix.CAP_SYS_ADMIN, unix.CAP_SYS_MODULE, unix.CAP_SYS_PTRACE,
		unix.CAP_NET_ADMIN, unix.CAP_MKNOD} {
		if bounds>>c&1 != 0 {
			t.Errorf("the service may get capability %d: %s", c, status)
		}
	}
}

// upgrade installs the package again, over changed files: first over a mistake, which leaves the
// running service alone.
func (m machine) upgrade(t *testing.T) {
	t.Helper()
	pid := m.supervisor(t)
	mistake := m.root + "/etc/ftpd.d/mistake.toml"
	writeFile(t, mistake, "[server]\nbaner = \"Welcome.\"\n", 0o600)
	if out := m.run(t, "", "dpkg", "--install", "/root/ftpd.deb"); !strings.Contains(out,
		"mistake.toml:2: server.baner: unknown key") {
		t.Errorf("the package does not show the mistake: %s", out)
	}
	if m.supervisor(t) != pid {
		t.Error("a mistake in the configuration ended the service")
	}
	os.Remove(mistake)
	config := m.root + "/etc/ftpd.toml"
	edited := readFile(t, config) + "\n# the administrator's\n"
	writeFile(t, config, edited, 0o640)
	writeFile(t, m.root+"/etc/ftpd.d/site.toml", "[server]\nbanner = \"Welcome.\"\n", 0o600)
	m.run(t, "", "dpkg", "--install", "/root/ftpd.deb")
	if m.supervisor(t) == pid {
		t.Error("an upgrade did not start the service again")
	}
	if readFile(t, config) != edited {
		t.Error("an upgrade changed the configuration")
	}
}

// TestInstallByHand does the same where nothing boots the system, as in an application container:
// the service is started by hand.
func TestInstallByHand(t *testing.T) {
	t.Parallel()
	deb := packages(t).deb
	root := debian(t)
	m := machine{root, "127.0.0.1", func(t *testing.T, stdin string, args ...string) string {
		t.Helper()
		return command(t, stdin, "chroot", append([]string{root}, args...)...)
	}}
	command(t, "", "mount", "-t", "proc", "proc", root+"/proc")
	t.Cleanup(func() { command(t, "", "umount", root+"/proc") })
	os.Remove(root + "/usr/bin/systemd-sysusers") // an application container has no systemd
	before := m.files(t)

	command(t, "", "cp", deb, root+"/root/ftpd.deb")
	m.run(t, "", "dpkg", "--install", "/root/ftpd.deb")
	password := m.newUser(t, "alice")
	port := freePort(t)
	writeFile(t, root+"/etc/ftpd.d/port.toml",
		fmt.Sprintf("[server]\nlisten = [\"127.0.0.1:%d\"]\n", port), 0o600)
	t.Run("service", func(t *testing.T) {
		s := newServer(t, port)
		s.cmd = exec.Command("chroot", root, "/usr/sbin/ftpd", "serve")
		s.start(t)
		m.upAndDown(t, s.addr, password)
	})
	m.run(t, "", "dpkg", "--purge", "ftpd")
	m.leftOver(t, before)
}

// newUser makes a system user in the machine.
func (m machine) newUser(t *testing.T, name string) (password string) {
	t.Helper()
	password = "Pw-" + rand.Text()
	m.run(t, "", "useradd", "--create-home", "--shell", "/bin/bash", name)
	m.run(t, name+":"+password+"\n", "chpasswd")
	return password
}

// upAndDown moves a file of alice's up and down with curl.
func (m machine) upAndDown(t *testing.T, addr, password string) {
	t.Helper()
	need(t, "curl")
	folder := t.TempDir()
	up, down := filepath.Join(folder, "up"), filepath.Join(folder, "down")
	writeFile(t, up, rand.Text(), 0o600)
	curl := []string{"--silent", "--show-error", "--max-time", "300", "--user", "alice:" + password}
	command(t, "", "curl", append(curl, "--upload-file", up, "ftp://"+addr+"/file")...)
	command(t, "", "curl", append(curl, "--output", down, "ftp://"+addr+"/file")...)
	if readFile(t, up) != readFile(t, down) {
		t.Error("the file has changed on its way")
	}
	if owner := m.run(t, "", "stat", "--format=%U %a", "/home/alice/file"); owner != "alice 644\n" {
		t.Errorf("the file belongs to %s", owner)
	}
}

// notCompared are directories that change whatever is installed.
var notCompared = []string{
	"dev", "proc", "run", "sys", "tmp", // not on disk
	"root",                                     // where the test puts the package
	"var/cache", "var/lib/apt", "var/lib/dpkg", // of the package manager
	"var/log/apt", "var/log/journal", "var/lib/systemd", "var/tmp", // of the system that runs
}

// files lists the files of the machine, each with its mode.
func (m machine) files(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(m.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(notCompared, path) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, info.Mode().String()+" /"+path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leftOver compares the files of the machine with those before the installation. Users' files may
// stay, and the accounts that may own some.
func (m machine) leftOver(t *testing.T, before []string) {
	t.Helper()
	for _, f := range m.files(t) {
		_, path, _ := strings.Cut(f, " ")
		users := strings.HasPrefix(path, "/home/alice") || path == "/var/mail/alice"
		if !users && !slices.Contains(before, f) && !strings.HasSuffix(path, "-") &&
			path != "/etc/.pwd.lock" {
			t.Errorf("left over: %s", f)
		}
	}
	passwd := readFile(t, m.root+"/etc/passwd")
	if strings.Contains(passwd, "\nftpd") {
		t.Error("the account ftpd or ftpd-names is left over")
	}
	for _, name := range []string{"ftp", "ftp-virtual"} {
		if !strings.Contains(passwd, "\n"+name+":") {
			t.Errorf("the account %s, to which files may belong, is gone", name)
		}
	}
	if group := readFile(t, m.root+"/etc/group"); strings.Contains(group, "\nftpd") {
		t.Error("a group is left over")
	}
	if got := m.run(t, "", "stat", "--format=%U", "/home/alice/file"); got != "alice\n" {
		t.Errorf("alice's file belongs to %s", got)
	}
}
