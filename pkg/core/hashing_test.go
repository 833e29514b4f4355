package core

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
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
				if n := len(w.srv.hashes.places); n != 0 {
					t.Errorf("%d places are taken", n)
				}
				c.Close()
				w.sessions.Wait()
			})
		})
	}
}

// A long hash hands over its place to a short one in the middle.
func TestHashTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for name, size := range map[string]int64{"long": 3 * hashTurn, "short": 3} {
			path := filepath.Join(w.supervisor.home, name)
			if err := errors.Join(os.WriteFile(path, nil, 0o600),
				os.Truncate(path, size)); err != nil {
				t.Fatal(err)
			}
		}
		hashes := newHashes(&transport.Blocks{})
		hashes.places = make(chan struct{}, 1)
		view, err := vfs.Open(
			vfs.Options{
				Mounts: []config.Mount{{Path: "/", Directory: w.supervisor.home}},
				Rights: config.Rights{Base: config.Full},
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		sum := func(name string) *filePart {
			f, err := view.Open("/" + name)
			if err != nil {
				t.Fatal(err)
			}
			return &filePart{file: f, length: -1}
		}
		long, short := sum("long"), sum("short")
		defer long.file.Close()
		defer short.file.Close()
		hashes.places <- struct{}{} // so that both wait
		done := make(chan int64, 2)
		// ends at the end of the file
		go func() { hashes.sum(t.Context(), long, &algorithms[3]); done <- -1 }()
		synctest.Wait()
		// likewise
		go func() { hashes.sum(t.Context(), short, &algorithms[3]); done <- long.read.Load() }()
		synctest.Wait()
		<-hashes.places
		if first := <-done; first != hashTurn {
			t.Errorf("the short one ended when %d bytes of the long one were read", first)
		}
		<-done
	})
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

func TestParsePart(t *testing.T) {
	for arg, want := range map[string]part{
		"f":                        {"f", 0, -1},
		"f 1":                      {"f", 1, -1},
		"f 1 2":                    {"f", 1, 2},
		"f 1 2 3":                  {"f 1", 2, 3},
		"f  1  2 ":                 {"f", 1, 2},
		"f x 2":                    {"f x", 2, -1},
		`"f"`:                      {"f", 0, -1},
		`"a b" 0 5`:                {"a b", 0, 5},
		`"a b`:                     {`"a b`, 0, -1},
		`""`:                       {`""`, 0, -1},
		"1 2":                      {"1", 2, -1},
		"7":                        {"7", 0, -1},
		" 7":                       {" 7", 0, -1},
		"f -1 2":                   {"f -1", 2, -1},
		"f 1 99999999999999999999": {"f 1 99999999999999999999", 0, -1},
	} {
		if got := parsePart(arg); got != want {
			t.Errorf("%q: %+v, want %+v", arg, got, want)
		}
	}
}
