package core

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"ftpd/pkg/internal/memnet"
)

// A running hash ends with the block that is being read, whatever ends it. Its place and its
// file are free afterwards.
func TestHashEnds(t *testing.T) {
	for name, test := range map[string]struct {
		act  func(*world, *memnet.Conn)
		want string
	}{
		"ABOR": {func(_ *world, c *memnet.Conn) {
			c.Write([]byte("ABOR\r\n"))
		}, "426 Hashing aborted.\r\n226 Abort successful.\r\n"},
		"hanging up": {func(_ *world, c *memnet.Conn) { c.CloseWrite() }, ""},
		"hanging up after QUIT": {func(_ *world, c *memnet.Conn) {
			c.Write([]byte("QUIT\r\n"))
			c.CloseWrite()
		}, "221 Goodbye.\r\n"},
		"a cut file": {func(w *world, _ *memnet.Conn) {
			os.Truncate(filepath.Join(w.supervisor.home, "big"), 10)
		},
			"451 The file became shorter while it was sent.\r\n"},
		"nothing": {func(*world, *memnet.Conn) {}, "213 SHA-256 0-3000000 "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if err := os.WriteFile(filepath.Join(w.supervisor.home, "big"),
					make([]byte, 3_000_000), 0o600); err != nil {
					t.Fatal(err)
				}
				c := w.connect()
				heard(c)
				say(t, c, "USER alice\r\nPASS secret")
				reads, goOn := 0, make(chan struct{})
				w.refit(t, func(call string) error {
					if call == "read" {
						if reads++; reads == 2 {
							<-goOn
						}
					}
					return nil
				})
				if got := say(t, c, "HASH big"); got != "" {
					t.Errorf("the server says %q at once", got)
				}
				test.act(w, c)
				synctest.Wait()
				close(goOn)
				if got := heard(c); !strings.HasPrefix(got, test.want) ||
					test.want == "" && got != "" {
					t.Errorf("the server says %q", got)
				}
				if name != "nothing" && reads > 2 {
					t.Errorf("%d blocks were read", reads)
				}
				if n := len(w.srv.hashes.Taken); n != 0 {
					t.Errorf("%d places are taken", n)
				}
				c.Close()
				w.sessions.Wait()
			})
		})
	}
}

func TestHashFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := os.WriteFile(filepath.Join(w.supervisor.home, "f"), []byte("abc"),
			0o600); err != nil {
			t.Fatal(err)
		}
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		w.refit(t, func(call string) error {
			if call == "read" {
				return syscall.EIO
			}
			return nil
		})
		if got := say(t, c, "XCRC f"); got != "451 Local error.\r\n" {
			t.Errorf("the server says %q", got)
		}
		if all := strings.Join(w.supervisor.events, "\n"); !strings.Contains(all,
			"command XCRC /f 451 (input/output error)") {
			t.Error(all)
		}
		c.Close()
		w.sessions.Wait()
	})
}
