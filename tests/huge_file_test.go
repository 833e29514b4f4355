//go:build linux

package tests

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Files beyond 2^32 bytes that are holes but for their last MiB.
const (
	hugeSize = 5<<30 + 4321
	hugeTail = 1 << 20
)

// hugeFile makes such a file of the user.
func (a account) hugeFile(t *testing.T, name string, tail []byte) {
	t.Helper()
	path := a.file(t, name, "", a.uid, a.gid, 0o644)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(tail, hugeSize-int64(len(tail))); err != nil {
		t.Fatal(err)
	}
}

// hugeServer returns a server with and without TLS, and an account.
func hugeServer(t *testing.T) (clientServer, account) {
	t.Helper()
	needRoot(t)
	return serveClients(t), newAccount(t)
}

// TestHugeFile checks what the server shows of a file of 5 GiB, and transfers its last part in
// both directions, plain and over TLS.
func TestHugeFile(t *testing.T) {
	s, user := hugeServer(t)
	tail := make([]byte, hugeTail)
	rand.Read(tail)
	user.hugeFile(t, "huge.bin", tail)

	c := login(t, s.addr, user.name, user.password)
	if r := c.expect(t, 213, "SIZE huge.bin"); r.text != fmt.Sprint(hugeSize) {
		t.Errorf("SIZE: %v", r)
	}
	for command, want := range map[string]string{"LIST": fmt.Sprintf(" %d ", hugeSize),
		"MLSD": fmt.Sprintf("size=%d;", hugeSize)} {
		if list, r, err := c.retrieve(command); !strings.Contains(list, want) || r.code != 226 ||
			err != nil {
			t.Errorf("%s: %q, %v, %v", command, list, r, err)
		}
	}
	for _, name := range []string{"curl", "lftp", "Python ftplib"} {
		for _, security := range []string{"plain", "explicit"} {
			t.Run(name+"/"+security, func(t *testing.T) {
				continueHuge(t, s, user,
					clientNamed(t, name), security, tail)
			})
		}
	}
}

func clientNamed(t *testing.T, name string) ftpClient {
	t.Helper()
	for _, c := range ftpClients {
		if c.name == name {
			for _, requirement := range c.needs {
				needPackage(t, requirement)
			}
			return c
		}
	}
	t.Fatalf("no client %s", name)
	return ftpClient{}
}

// continueHuge resumes a download where its last bytes are missing, and an upload likewise.
func continueHuge(t *testing.T, s clientServer, user account, c ftpClient, security string,
	tail []byte) {
	const missing = 654_321
	at := s.at(t, user, mode{security: security})
	at.folder = t.TempDir()
	local, whole := filepath.Join(at.folder, "huge.bin"), filepath.Join(user.home, "huge.bin")
	writeFile(t, local, "", 0o644)
	if err := os.Truncate(local, hugeSize-missing); err != nil {
		t.Fatal(err)
	}
	if _, err := c.do(t, at, action{verb: "reget", remote: "huge.bin", local: local}); err != nil {
		t.Fatal(err)
	}
	endsWith(t, local, tail[hugeTail-missing:])

	user.hugeFile(t, "part.bin", tail)
	if err := os.Truncate(filepath.Join(user.home, "part.bin"), hugeSize-missing); err != nil {
		t.Fatal(err)
	}
	if _, err := c.do(t, at, action{verb: "reput", remote: "part.bin", local: whole}); err != nil {
		t.Fatal(err)
	}
	endsWith(t, filepath.Join(user.home, "part.bin"), tail)
}

// endsWith checks the size of a huge file and its end.
func endsWith(t *testing.T, path string, tail []byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(tail))
	if _, err := f.ReadAt(got, hugeSize-int64(len(tail))); err != nil || !bytes.Equal(got, tail) ||
		info.Size() != hugeSize {
		t.Errorf("%s: %d bytes with another end: %v", path, info.Size(), err)
	}
}

// TestHugeFileWhole transfers all of 5 GiB, down into a hash and up from holes. It needs twice
// that space, and some minutes.
func TestHugeFileWhole(t *testing.T) {
	if os.Getenv("FTPD_TEST_HUGE") == "" {
		t.Skip("moves 20 GiB; run: sudo FTPD_TEST_HUGE=1 make system")
	}
	need(t, "curl")
	s, user := hugeServer(t)
	tail := make([]byte, hugeTail)
	rand.Read(tail)
	user.hugeFile(t, "huge.bin", tail)
	huge, up := filepath.Join(user.home, "huge.bin"), filepath.Join(user.home, "up.bin")
	want := sha256File(t, huge)
	for _, options := range [][]string{{}, {"--ssl-reqd", "--insecure"}} {
		curl := append([]string{"--silent", "--show-error", "--user",
			user.name + ":" + user.password}, options...)
		begun := time.Now()
		got, err := hashOf("curl", append(curl, "ftp://"+s.addr+"/huge.bin")...)
		if got != want || err != nil {
			t.Errorf("curl %q: the download differs: %v", options, err)
		}
		down := time.Since(begun)
		begun = time.Now()
		command(t, "", "curl", append(curl, "--upload-file", huge, "ftp://"+s.addr+"/up.bin")...)
		t.Logf("curl %q: %.1f s down, %.1f s up", options, down.Seconds(),
			time.Since(begun).Seconds())
		if sha256File(t, up) != want {
			t.Errorf("curl %q: the upload differs", options)
		}
		os.Remove(up)
	}
}

// hashOf returns the SHA-256 of the output of a program.
func hashOf(program string, args ...string) (sum [sha256.Size]byte, err error) {
	cmd := exec.Command(program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return sum, err
	}
	if err := cmd.Start(); err != nil {
		return sum, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, out); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), cmd.Wait()
}
