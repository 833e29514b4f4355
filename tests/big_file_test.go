//go:build linux

package tests

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const bigSize = 100 << 20

// A workingClient does what users commonly do with FTP: it lists, uploads, downloads, resumes
// both ways, renames, deletes and makes directories. It leaves the file at one/renamed.bin in the
// home, and downloads it to down.bin in the folder.
type workingClient struct {
	program string
	run     func(t *testing.T, addr string, a account, file, folder string)
}

func TestBigFile(t *testing.T) {
	needRoot(t)
	user := newAccount(t)
	s := serve(t, nil)
	big := randomFile(t)
	sum := sha256File(t, big)

	for _, c := range []workingClient{{"curl", workWithCurl}, {"lftp", workWithLftp},
		{"python3", workWithFtplib}} {
		for family, addr := range map[string]string{"IPv4": s.addr, "IPv6": s.addr6} {
			t.Run(c.program+"/"+family, func(t *testing.T) {
				need(t, c.program)
				t.Cleanup(func() { os.RemoveAll(filepath.Join(user.home, "one")) })
				folder := t.TempDir()
				c.run(t, addr, user, big, folder)

				uploaded, downloaded := filepath.Join(user.home, "one", "renamed.bin"),
					filepath.Join(folder, "down.bin")
				for _, path := range []string{uploaded, downloaded} {
					if got := sha256File(t, path); got != sum {
						t.Errorf("%s differs from what was sent", path)
					}
				}
				belongsTo(t, uploaded, user.uid, user.gid)
				belongsTo(t, filepath.Dir(uploaded), user.uid, user.gid)
			})
		}
	}
}

func workWithCurl(t *testing.T, addr string, a account, file, folder string) {
	url := "ftp://" + addr
	curl := func(args ...string) string {
		t.Helper()
		return command(t, "", "curl", append([]string{"--silent", "--show-error", "--max-time",
			"300", "--user", a.name + ":" + a.password}, args...)...)
	}
	half := headOf(t, file, folder)
	curl("--upload-file", half, "--ftp-create-dirs", url+"/one/up.bin")
	curl("--upload-file", file, "--continue-at", "-", url+"/one/up.bin")
	curl(url+"/", "--quote", "-RNFR one/up.bin", "--quote", "-RNTO one/renamed.bin")
	if list := curl(url + "/one/"); !strings.Contains(list, " 104857600 ") ||
		!strings.HasSuffix(strings.TrimSpace(list), " renamed.bin") {
		t.Errorf("listing: %q", list)
	}
	down := filepath.Join(folder, "down.bin")
	curl(url+"/one/renamed.bin", "--range", "0-49999999", "--output", down)
	curl(url+"/one/renamed.bin", "--continue-at", "-", "--output", down)
	curl(url+"/", "--quote", "MKD one/two", "--quote", "RMD one/two")
	curl("--upload-file", "/dev/null", url+"/one/gone")
	curl(url+"/", "--quote", "DELE one/gone")
	if list := curl("--list-only", url+"/one/"); strings.TrimSpace(list) != "renamed.bin" {
		t.Errorf("names: %q", list)
	}
}

func workWithLftp(t *testing.T, addr string, a account, file, folder string) {
	down, half := filepath.Join(folder, "down.bin"), headOf(t, file, folder)
	script := strings.NewReplacer("ADDR", addr, "USER", a.name, "PASSWORD", a.password, "FILE", file, "HALF", half, "DOWN", down).Replace(`
		set cmd:fail-exit yes
		set net:max-retries 1
		set net:timeout 100
		open -u USER,PASSWORD ftp://ADDR
		mkdir -p one/two
		put HALF -o one/up.bin
		put -c FILE -o one/up.bin
		mv one/up.bin one/renamed.bin
		!cp HALF DOWN
		get -c one/renamed.bin -o DOWN
		rmdir one/two
		put /dev/null -o one/gone
		rm one/gone
		ls one
		bye`)
	list := command(t, script, "env", "HOME="+folder, "lftp")
	if !strings.Contains(list, " 104857600 ") ||
		!strings.HasSuffix(strings.TrimSpace(list), " renamed.bin") {
		t.Errorf("listing: %q", list)
	}
}

func workWithFtplib(t *testing.T, addr string, a account, file, folder string) {
	host, port, _ := net.SplitHostPort(addr)
	command(t, "", "python3", "testdata/ftplib_session.py", host, port, a.name, a.password, file,
		folder)
}

// randomFile makes a file of random bytes that is large enough for every way of copying.
func randomFile(t *testing.T) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.Reader, bigSize); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// headOf copies the first part of a file, as a broken transfer leaves it.
func headOf(t *testing.T, file, folder string) string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(folder, "head"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.CopyN(out, in, 40_000_001); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

func sha256File(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func belongsTo(t *testing.T, path string, uid, gid int) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != gid {
		t.Errorf("%s belongs to %d:%d, not to %d:%d", path, st.Uid, st.Gid, uid, gid)
	}
}
