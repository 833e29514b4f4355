//go:build linux

package tests

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesOfUnknownSize covers file systems that do not have the length of a file before it was
// read: the size is 0, and only read(2) returns the content. An example is a web server that
// rclone mounts.
func TestFilesOfUnknownSize(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789abcdef\n"), 20_000)
	dir := mountWeb(t, map[string][]byte{"file": data, "empty": nil})
	if info, err := os.Stat(filepath.Join(dir, "file")); err != nil || info.Size() != 0 {
		t.Skipf("this rclone knows sizes: %v, %v", info, err)
	}
	port := freePort(t)
	s := newServer(t, port, "share", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	asOrdinaryUser(s.cmd)
	s.start(t)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	c.expect(t, 200, "TYPE I")
	text := bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	for _, test := range []struct {
		first, line string
		want        []byte
	}{
		{"", "RETR file", data}, {"", "RETR empty", nil},
		{"REST 123457", "RETR file", data[123457:]},
		{fmt.Sprintf("REST %d", len(data)), "RETR file", nil}, {"TYPE A", "RETR file", text},
	} {
		if test.first != "" {
			_, err := c.do(test.first)
			if err != nil {
				t.Fatal(err)
			}
		}
		got, r, err := c.retrieve(test.line)
		if err != nil || r.code != 226 || got != string(test.want) {
			t.Errorf("%s %s: %d bytes, not %d; %v, %v", test.first, test.line, len(got),
				len(test.want), r, err)
		}
	}
	c.expect(t, 200, "TYPE I")
	if r := c.expect(t, 213, "HASH file"); !strings.Contains(r.text,
		fmt.Sprintf("0-%d %x", len(data), sha256.Sum256(data))) {
		t.Error(r)
	}
	for args, part := range map[string][]byte{"": data, " 100": data[100:],
		" 100 2000": data[100:2000]} {
		if r := c.expect(t, 250, "XCRC file"+args); !strings.Contains(r.text,
			fmt.Sprintf("%08X", crc32.ChecksumIEEE(part))) {
			t.Errorf("XCRC file%s: %v", args, r)
		}
	}
	c.expect(t, 550, fmt.Sprintf("XCRC file 0 %d", len(data)+1))
	c.expect(t, 550, "XCRC empty 1")
	c.expect(t, 350, "REST 1")
	c.expect(t, 554, "RETR empty")
	for program, does := range map[string]func(*testing.T, target, ...action) (string, error){
		// rclone needs the length of the listing
		"curl": curlDoes, "lftp": lftpDoes, "wget": each(wgetDoes),
	} {
		need(t, program)
		at := s.visitor(t)
		got := filepath.Join(at.folder, "got")
		if _, err := does(t, at, action{verb: "get", remote: "file", local: got}); err != nil {
			t.Errorf("%s: %v", program, err)
		} else if err := holds(got, data); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// mountWeb mounts a web server that does not send the lengths of its files.
func mountWeb(t *testing.T, files map[string][]byte) (dir string) {
	t.Helper()
	needRoot(t)
	need(t, "rclone")
	needPackage(t, "/dev/fuse the device /dev/fuse")
	needPackage(t, "fusermount3 fuse3")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		data, ok := files[name]
		switch {
		case name == "":
			w.Header().Set("Content-Type", "text/html")
			for name := range files {
				fmt.Fprintf(w, "<a href=%q>%s</a>\n", name, name)
			}
		case !ok:
			http.NotFound(w, r)
		default:
			w.(http.Flusher).Flush() // the header is gone before the length is known
			_, _ = w.Write(data)
		}
	}))
	t.Cleanup(web.Close)
	dir = mountPoint(t)
	cmd := exec.Command("rclone", "mount", "--config=", "--allow-other", "--http-url="+web.URL,
		":http:", dir)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("fusermount3", "-u", "-z", dir).Run()
		_ = cmd.Wait()
	})
	eventually(t, "rclone has mounted it", func() bool {
		names, err := os.ReadDir(dir)
		return err == nil && len(names) == len(files)
	})
	return dir
}
