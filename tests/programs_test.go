//go:build linux

package tests

import (
	"bufio"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An ftpProgram is a program with another purpose that supports FTP.
type ftpProgram struct {
	name          string
	version, pkg  string   // of the package in Debian 12
	needs         []string // as an ftpClient's
	works, cannot string
	try           func(p *trial) // nil: tried by hand at programsTried
}

// A trial is one program at work. The server has inner.txt in dir, up.bin, and big.bin, which is
// larger than the buffers of sockets.
type trial struct {
	t    *testing.T
	at   target
	dir  string // what is served
	url  string // without the last "/"
	host string
}

const innerText = "the content of inner.txt"

// TestPrograms tries the programs of docs/clients.md at port 21, since some support no other
// port.
func TestPrograms(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := sharedDir(t)
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "dir", "inner.txt"), innerText+"\n", 0o644)
	data := make([]byte, 16<<20)
	rand.Read(data)
	writeFile(t, filepath.Join(dir, "big.bin"), string(data), 0o644)
	writeFile(t, filepath.Join(dir, "up.bin"), string(data[:300_001]), 0o644)
	host := fmt.Sprintf("127.%d.%d.%d", 64+mathrand.IntN(64), mathrand.IntN(256),
		1+mathrand.IntN(254))
	s := newServer(t, 21, "share", dir, "--listen", host+":21", "--write")
	s.start(t)
	t.Run("of", func(t *testing.T) { // ends with the last of them
		for _, program := range ftpPrograms {
			if program.try == nil {
				continue
			}
			t.Run(program.name, func(t *testing.T) {
				t.Parallel()
				for _, requirement := range program.needs {
					needPackage(t, requirement)
				}
				program.checkPackage(t)
				// costs nothing to check: PHP and Java log in for each operation
				user := url.UserPassword("anonymous", "guest")
				program.try(&trial{
					t:    t,
					at:   target{folder: t.TempDir()},
					dir:  dir,
					url:  "ftp://" + user.String() + "@" + host,
					host: host,
				})
			})
		}
	})
}

// checkPackage skips a program that is not installed, and compares its version with that in the
// table on the Debian that the table is about.
func (p ftpProgram) checkPackage(t *testing.T) {
	t.Helper()
	out, err := exec.Command("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}",
		p.pkg).Output()
	if err != nil || !strings.HasPrefix(string(out), "installed ") {
		t.Skipf("needs %s; run: sudo scripts/needs test && make system", p.pkg)
	}
	debian, _ := os.ReadFile("/etc/debian_version")
	if strings.HasPrefix(string(debian), "12") && !strings.Contains(string(out), p.version) {
		t.Errorf("the table has %s %s; this one is %q", p.name, p.version, out)
	}
}

// run fails the test where the program does.
func (p *trial) run(stdin, program string, args ...string) string {
	p.t.Helper()
	out, err := p.at.run(stdin, program, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// shows runs a program that must print the text.
func (p *trial) shows(text, program string, args ...string) {
	p.t.Helper()
	if out := p.run("", program, args...); !strings.Contains(out, text) {
		p.t.Errorf("%s %q prints %q, without %q", program, args, out, text)
	}
}

// copies runs a program that must print the served file of that name.
func (p *trial) copies(name, program string, args ...string) {
	p.t.Helper()
	if out := p.run("", program, args...); out != readFile(p.t, p.served(name)) {
		p.t.Errorf("%s %q prints %d bytes, or others, instead of %s", program, args, len(out), name)
	}
}

func (p *trial) served(name string) string { return filepath.Join(p.dir, name) }

func (p *trial) own(name string) string { return filepath.Join(p.at.folder, name) }

// writes makes a file for the program.
func (p *trial) writes(name, text string) (path string) {
	p.t.Helper()
	path = p.own(name)
	writeFile(p.t, path, text, 0o600)
	return path
}

// holds compares a served file with the text.
func (p *trial) holds(name, want string) {
	p.t.Helper()
	if err := holds(p.served(name), []byte(want)); err != nil {
		p.t.Error(err)
	}
}

func tryLynx(p *trial) {
	p.shows("inner.txt", "lynx", "-dump", p.url+"/dir/")
	p.shows("inner.txt", "lynx", "-dump", p.url+"/dir") // as a file first
	p.copies("big.bin", "lynx", "-source", p.url+"/big.bin")
}

func tryW3m(p *trial) {
	p.shows("inner.txt", "w3m", "-dump", p.url+"/dir/")
	p.copies("up.bin", "w3m", "-dump_source", p.url+"/up.bin")
}

func tryLinks(p *trial) {
	p.shows("inner.txt", "links", "-dump", p.url+"/dir")
	p.copies("up.bin", "links", "-source", p.url+"/up.bin")
}

func tryElinks(p *trial) {
	p.shows("inner.txt", "elinks", "-dump", p.url+"/dir")
	p.copies("up.bin", "elinks", "-source", p.url+"/up.bin")
}

// tryFFmpeg uses a file of raw samples, which no format changes.
func tryFFmpeg(p *trial) {
	raw := []string{"-nostdin", "-loglevel", "error", "-f", "u8"}
	convert := func(more ...string) []string { return append(append([]string{}, raw...), more...) }
	p.copies("up.bin", "ffmpeg", convert("-i", p.url+"/up.bin", "-codec", "copy", "-f", "u8",
		"-")...)
	p.run("", "ffmpeg", convert("-i", p.served("up.bin"), "-codec", "copy", "-f", "u8",
		p.url+"/ffmpeg.bin")...)
	p.run("", "ffmpeg", convert("-i", p.served("up.bin"), "-movflags", "frag_keyframe+empty_moov",
		"-f", "mp4", p.url+"/ffmpeg.mp4")...)
	p.shows("codec_name=aac", "ffprobe", "-loglevel", "error", "-show_streams", p.url+"/ffmpeg.mp4")
	p.run("", "ffmpeg", "-nostdin", "-loglevel", "error", "-ss", "1", "-i", p.url+"/ffmpeg.mp4",
		"-f", "null", "-")
}

// tryApt uses a repository with one package.
func tryApt(p *trial) {
	control := filepath.Join(p.own("package"), "DEBIAN", "control")
	for _, dir := range []string{filepath.Dir(control), p.served("deb"), p.own("etc"),
		p.own("state"), p.own("cache")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	writeFile(p.t, control, "Package: ftpdtrial\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a trial\n", 0o644)
	p.run("", "dpkg-deb", "--root-owner-group", "--build", p.own("package"),
		p.served("deb/ftpdtrial.deb"))
	writeFile(p.t, p.served("deb/Packages"),
		readFile(p.t, control)+fmt.Sprintf("Filename: ./ftpdtrial.deb\nSize: %d\nSHA256: %x\n",
			len(readFile(p.t, p.served("deb/ftpdtrial.deb"))),
			sha256File(p.t, p.served("deb/ftpdtrial.deb"))), 0o644)
	p.writes("etc/sources.list", "deb [trusted=yes] "+p.url+"/deb ./\n")
	apt := func(args ...string) string {
		options := []string{"-o", "Dir::Etc=" + p.own("etc"), "-o", "Dir::State=" + p.own("state"),
			"-o", "Dir::Cache=" + p.own("cache"),
			"-o", "APT::Sandbox::User=root", "-o", "Dir::Bin::Methods::ftp=ftp"}
		return p.run("", "apt-get", append(options, args...)...)
	}
	apt("update")
	apt("download", "ftpdtrial")
	found, err := filepath.Glob(p.own("ftpdtrial*.deb"))
	if err != nil || len(found) != 1 ||
		readFile(p.t, found[0]) != readFile(p.t, p.served("deb/ftpdtrial.deb")) {
		p.t.Errorf("apt has %q, %v", found, err)
	}
}

// tryMc shows a directory and a file; mc needs a terminal.
func tryMc(p *trial) {
	for _, c := range []struct {
		program []string
		text    string
	}{
		{[]string{"mc", "--nosubshell", p.url + "/dir", p.at.folder}, "inner.txt"},
		{[]string{"mcview", p.url + "/dir/inner.txt"}, innerText},
	} {
		master, slave := terminal(p.t)
		cmd := exec.CommandContext(p.t.Context(), c.program[0], c.program[1:]...)
		cmd.Env = append(os.Environ(), "HOME="+p.at.folder, "TERM=xterm", "LC_ALL=C.UTF-8",
			"COLUMNS=100", "LINES=30")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			p.t.Fatal(err)
		}
		readUntil(p.t, bufio.NewReader(master), c.text)
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func tryVim(p *trial) {
	p.writes(".netrc", "machine "+p.host+" login anonymous password guest\n")
	writeFile(p.t, p.served("vim.txt"), "from the server\n", 0o644)
	script := p.writes("script.vim", fmt.Sprintf(`
set nocompatible
runtime plugin/netrwPlugin.vim
edit ftp://%[1]s/
silent write! %[2]s
bwipeout!
edit ftp://%[1]s/vim.txt
call append('$', 'by vim')
write
qall!
`, p.host, p.own("listing")))
	p.run("", "vim", "-es", "-u", "NONE", "-N", "-S", script)
	if listing := readFile(p.t, p.own("listing")); !strings.Contains(listing, "\ndir/\n") ||
		!strings.Contains(listing, "\nup.bin\n") {
		p.t.Errorf("vim shows %q", listing)
	}
	p.holds("vim.txt", "from the server\nby vim\n")
}

func tryPHPWrapper(p *trial) {
	p.run("", "php", testdata(p.t, "program_wrapper.php"), p.url, p.served("up.bin"))
	p.holds("php.txt", "again, and more")
}

func tryJavaURL(p *trial) {
	p.run("", "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		testdata(p.t, "ProgramURL.java"), p.url, p.served("up.bin"))
	p.holds("java.txt", "by java")
}

func tryUrllib(p *trial) {
	p.run(`
import sys, urllib.request
url, path = sys.argv[1:]
f = urllib.request.urlopen(url + "/up.bin")
assert f.headers["Content-Length"] == "300001", f.headers
assert f.read() == open(path, "rb").read()
assert b"inner.txt" in urllib.request.urlopen(url + "/dir").read()
`, "python3", "-", p.url, p.served("up.bin"))
}

// testdata returns the path of a file of this package, for a program that runs elsewhere.
func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
