//go:build linux

package tests

import (
	"crypto/md5"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestHash checks that the digests are those of the file, for users that may read it.
func TestHash(t *testing.T) {
	t.Parallel()
	needRoot(t)
	user := newAccount(t)
	big := randomFile(t)
	content, err := os.ReadFile(big)
	if err != nil {
		t.Fatal(err)
	}
	file := user.file(t, "big", string(content), user.uid, user.gid, 0o600)
	user.file(t, "roots", "of root", 0, 0, 0o600)
	c := login(t, serve(t, nil).addr, user.name, user.password)

	want := fmt.Sprintf("SHA-256 0-%d %x big", len(content), sha256File(t, file))
	if got := c.expect(t, 213, "HASH big").text; got != want {
		t.Errorf("HASH: %s, want %s", got, want)
	}
	half := content[len(content)/2:]
	for line, want := range map[string]string{
		"XMD5 big": fmt.Sprintf("%X", md5.Sum(content)),
		fmt.Sprintf("XCRC big %d", len(content)-len(half)): fmt.Sprintf("%08X",
			crc32.ChecksumIEEE(half)),
	} {
		if got := c.expect(t, 250, line).text; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	c.expect(t, 550, "HASH roots")
	c.expect(t, 550, "XSHA1 roots")
}

// TestHashesHoldUpNobody checks that the largest number of hashes at one time, each of which
// would take for ever, hold up no other session, and end when their clients abort them.
func TestHashesHoldUpNobody(t *testing.T) {
	t.Parallel()
	needRoot(t)
	user := newAccount(t)
	huge := user.file(t, "huge", "", user.uid, user.gid, 0o600)
	if err := os.Truncate(huge, 8<<40); err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil)
	var hashing []*client
	for range runtime.NumCPU() {
		c := login(t, s.addr, user.name, user.password)
		if _, err := fmt.Fprintf(c.conn, "HASH huge\r\n"); err != nil {
			t.Fatal(err)
		}
		hashing = append(hashing, c)
	}
	for _, c := range hashing {
		for { // until the file is being read
			if r := c.expect(t, 211, "STAT"); !strings.Contains(r.text, " 0 bytes read") {
				break
			}
		}
	}
	other := login(t, s.addr, user.name, user.password)
	if r, err := other.store("STOR small", "text"); r.code != 226 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	if data, r, err := other.retrieve("RETR small"); data != "text" || r.code != 226 || err != nil {
		t.Errorf("RETR: %q, %v, %v", data, r, err)
	}
	for _, c := range hashing {
		c.expect(t, 426, "ABOR")
		if r, err := c.reply(); r.code != 226 || err != nil {
			t.Errorf("ABOR: %v, %v", r, err)
		}
	}
	if err := os.Truncate(huge, 1); err != nil {
		t.Fatal(err)
	}
	hashing[0].expect(t, 213, "HASH "+filepath.Base(huge))
}
