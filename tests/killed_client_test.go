//go:build linux

package tests

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// slowUploads are functions that start a client that uploads at about 800 KB/s. security is
// "plain", "1.2" or "1.3" (of TLS).
var slowUploads = map[string]func(s *server, security, file, name, home string) *exec.Cmd{
	"curl":    slowCurl,
	"lftp":    slowLftp,
	"python3": slowFtplib("control first"),
	// its descriptors, which the kernel closes in their order, are in the other order
	"python3, data first": slowFtplib("data first"),
}

func slowCurl(s *server, security, file, name, _ string) *exec.Cmd {
	args := []string{"--silent", "--insecure", "--user", "alice:secret", "--limit-rate", "800K",
		"--upload-file", file}
	if security != "plain" {
		args = append(args, "--ssl-reqd", "--tls-max", security)
	}
	return exec.Command("curl", append(args, "ftp://"+s.addr+"/"+name)...)
}

func slowLftp(s *server, security, file, name, home string) *exec.Cmd {
	version := map[string]string{"1.2": ":-VERS-TLS1.3", "1.3": ""}[security]
	cmd := exec.Command("lftp")
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.Stdin = strings.NewReader(strings.NewReplacer("ADDR", s.addr, "FILE", file, "NAME", name,
		"VERSION", version,
		"FORCE", fmt.Sprint(security != "plain")).Replace(`
		set net:max-retries 1
		set net:limit-rate 0:800000
		set net:limit-max 65536
		set ftp:ssl-force FORCE
		set ftp:ssl-protect-data FORCE
		set ssl:verify-certificate no
		set ssl:priority "NORMALVERSION"
		open -u alice,secret ftp://ADDR
		put FILE -o NAME
		bye`))
	return cmd
}

func slowFtplib(order string) func(s *server, security, file, name, home string) *exec.Cmd {
	return func(s *server, security, file, name, _ string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(s.addr)
		return exec.Command("python3", "testdata/ftplib_slow_upload.py", host, port, security, file,
			name, order)
	}
}

// TestKilledClients checks that an upload does not count as complete when its client was killed,
// unless the client had sent all of it. It runs alone: the server decides by the order in which the
// kernel reports the ends of the two connections, which a very busy machine (load 30) may report
// tens of milliseconds apart. FTPD_TEST_KILLS sets how often clients are killed.
func TestKilledClients(t *testing.T) {
	kills := 36
	if n, err := strconv.Atoi(os.Getenv("FTPD_TEST_KILLS")); err == nil {
		kills = n
	}
	s, dir := serveAlice(t)
	source := filepath.Join(sharedDir(t), "source")
	content := make([]byte, 2<<20)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	writeFile(t, source, string(content), 0o644)

	var all sync.WaitGroup
	for client, start := range slowUploads {
		program, _, _ := strings.Cut(client, ",")
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("%s is not here; run: sudo apt-get install %s && make system", program, program)
			continue
		}
		for _, security := range []string{"plain", "1.2", "1.3"} {
			all.Go(func() { // ends with its kills
				k := killer{t: t, s: s, dir: dir, content: content}
				// On a busy machine a client may have sent all before it is killed.
				for n := range kills {
					if k.cut == kills/12 || t.Failed() {
						break
					}
					name := fmt.Sprintf("%s-%s-%d", program, security, n)
					if program != client {
						name = "data-first-" + name
					}
					k.kill(start(s, security, source, name, t.TempDir()), name)
				}
				t.Logf("%s, %s: %d killed in the middle, %d after the last byte; %d got 226 and were killed",
					client, security, k.cut, k.whole, k.unheard)
			})
		}
	}
	all.Wait()
}

// serveAlice serves a user with a password that costs little to check, in one process, and logs
// all lines.
func serveAlice(t *testing.T) (s *server, home string) {
	t.Helper()
	a := newAuthority(t)
	a.dir = sharedDir(t)
	a.issue(t, "localhost", "ecdsa")
	for _, file := range []string{"localhost.pem", "localhost.key"} {
		if err := os.Chmod(a.file(file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	home = sharedDir(t)
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := filepath.Join(sharedDir(t), "ftpd.toml")
	writeFile(t, config, fmt.Sprintf(`server.listen = ["127.0.0.1:%d"]
auth.backend = "virtual"
admin.socket = %q
log.level = "debug"
defaults.require_tls = "off"
[[user]]
name = "alice"
password = %q
home = %q
run_as = ""
%s`, port, filepath.Join(home, "admin.sock"), hashes["bcrypt"], home, a.section("localhost")), 0o644)
	s = newServer(t, port, "serve", "--config", config)
	asOrdinaryUser(s.cmd)
	s.start(t)
	return s, home
}

// A killer kills clients and checks the results of their uploads.
type killer struct {
	t       *testing.T
	s       *server
	dir     string
	content []byte

	cut, whole, unheard int
}

// kill runs a client until some of its file has arrived.
func (k *killer) kill(client *exec.Cmd, name string) {
	client.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := client.Start(); err != nil {
		k.t.Error(err)
		return
	}
	var over atomic.Bool
	ended := make(chan struct{})
	go func() { // ends with the client
		client.Wait()
		over.Store(true)
		close(ended)
	}()
	enough := rand.Int64N(int64(len(k.content)))
	for !over.Load() {
		if info, err := os.Stat(filepath.Join(k.dir, name)); err == nil && info.Size() >= enough {
			break
		}
		time.Sleep(time.Millisecond)
	}
	syscall.Kill(-client.Process.Pid, syscall.SIGKILL)
	<-ended
	k.judge(name)
}

// judge compares the file on disk with the record in the log.
func (k *killer) judge(name string) {
	r := k.s.log.wait(k.t, "record of "+name, func(r record) bool {
		return (r.Message == "upload" || r.Message == "upload_incomplete") && r.Path == "/"+name
	})
	replies, _ := k.s.log.find(func(l record) bool {
		return l.Session == r.Session &&
			l.Message == "line" && l.Reply == 226
	})
	arrived, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		k.t.Error(err)
	}
	if string(arrived) == string(k.content) {
		k.whole++
		return
	}
	k.cut++
	k.unheard += len(replies)
	if r.Message == "upload" || r.Reply == 226 {
		k.t.Errorf("%d of %d bytes arrived, and the log has: %s", len(arrived), len(k.content), r.Text)
	}
}
