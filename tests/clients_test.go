//go:build linux

package tests

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The table of clients: what everybody does with FTP, done by each client that people use, in passive and in active mode. What is
// expected is stated once, in steps, by what is on disk afterwards. A cell that a client cannot express says why.

// An action is one thing that a client is asked to do. Remote names are relative to the home.
type action struct {
	verb          string // list, get, put, reget, reput, rename, delete, mkdir, rmdir
	remote, local string
	to            string // rename
}

// A ftpClient is a row of the table.
type ftpClient struct {
	name    string
	program string                                                  // "": needs none
	do      func(t *testing.T, at target, a action) (string, error) // a list gives what the client shows
	cannot  map[string]string                                       // step, or "active" → why
}

// A target is where a client works.
type target struct {
	account
	host, port string
	active     bool
	folder     string // for the client's own files
}

// A step is a column. It works in a home of its own user, through at.
type step struct {
	name string
	run  func(w *work) error
}

// A work is a step under way.
type work struct {
	t      *testing.T
	client ftpClient
	at     target
	data   []byte
}

func (w *work) do(verb, remote, local, to string) (string, error) {
	out, err := w.client.do(w.t, w.at, action{verb, remote, local, to})
	if err != nil {
		err = fmt.Errorf("%s %q: %w", verb, remote, err)
	}
	return out, err
}

func (w *work) home(name string) string { return filepath.Join(w.at.home, name) }

// local makes a file for the client to send, or names one to receive.
func (w *work) local(name string, data []byte) string {
	path := filepath.Join(w.at.folder, name)
	if data == nil {
		os.Remove(path)
	} else {
		writeFile(w.t, path, string(data), 0o644)
	}
	return path
}

// stands makes a file of the user's.
func (w *work) stands(name string, data []byte) {
	w.at.file(w.t, name, string(data), w.at.uid, w.at.gid, 0o644)
}

// holds compares a file with what it should hold.
func holds(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s holds %d bytes, or others, instead of %d", filepath.Base(path), len(got), len(want))
	}
	return nil
}

// put uploads and looks at what arrived.
func (w *work) put(name string, data []byte) error {
	if _, err := w.do("put", name, w.local("up", data), ""); err != nil {
		return err
	}
	if err := holds(w.home(name), data); err != nil {
		return err
	}
	info, err := os.Stat(w.home(name))
	if err == nil && int(info.Sys().(*syscall.Stat_t).Uid) != w.at.uid {
		err = fmt.Errorf("%s belongs to somebody else", name)
	}
	return err
}

func (w *work) get(name string, data []byte) error {
	local := w.local("down", nil)
	if _, err := w.do("get", name, local, ""); err != nil {
		return err
	}
	return holds(local, data)
}

// isGone checks that nothing has that name any more.
func (w *work) isGone(name string) error {
	if _, err := os.Lstat(w.home(name)); err == nil {
		return fmt.Errorf("%s is still there", name)
	}
	return nil
}

// oddNames are file names that are hard to say.
var oddNames = []string{"in side", " before", "behind ", `quo"te`, "ünïcødé", "-dash", "per%25cent", `back\slash`}

var steps = append([]step{
	{"list", func(w *work) error {
		w.stands("listed.txt", w.data)
		out, err := w.do("list", "", "", "")
		if err == nil && !strings.Contains(out, "listed.txt") {
			err = fmt.Errorf("listed.txt is not in %q", out)
		}
		return err
	}},
	{"up", func(w *work) error { return w.put("up.bin", w.data) }},
	{"down", func(w *work) error {
		w.stands("down.bin", w.data)
		return w.get("down.bin", w.data)
	}},
	{"resume up", func(w *work) error {
		w.stands("half.bin", w.data[:len(w.data)/2])
		if _, err := w.do("reput", "half.bin", w.local("half.bin", w.data), ""); err != nil {
			return err
		}
		return holds(w.home("half.bin"), w.data)
	}},
	{"resume down", func(w *work) error {
		w.stands("whole.bin", w.data)
		local := w.local("whole.bin", w.data[:len(w.data)/2])
		if _, err := w.do("reget", "whole.bin", local, ""); err != nil {
			return err
		}
		return holds(local, w.data)
	}},
	{"rename", func(w *work) error {
		w.stands("old.bin", w.data)
		if _, err := w.do("rename", "old.bin", "", "new.bin"); err != nil {
			return err
		}
		if err := w.isGone("old.bin"); err != nil {
			return err
		}
		return holds(w.home("new.bin"), w.data)
	}},
	{"delete", func(w *work) error {
		w.stands("doomed.bin", w.data)
		if _, err := w.do("delete", "doomed.bin", "", ""); err != nil {
			return err
		}
		return w.isGone("doomed.bin")
	}},
	{"directory", func(w *work) error {
		if _, err := w.do("mkdir", "made", "", ""); err != nil {
			return err
		}
		if info, err := os.Stat(w.home("made")); err != nil || !info.IsDir() {
			return fmt.Errorf("no directory: %w", err)
		}
		if _, err := w.do("rmdir", "made", "", ""); err != nil {
			return err
		}
		return w.isGone("made")
	}},
	{"empty directory", func(w *work) error {
		if err := os.Mkdir(w.home("void"), 0o755); err != nil {
			return err
		}
		out, err := w.do("list", "void", "", "")
		if err == nil && strings.TrimSpace(out) != "" {
			err = fmt.Errorf("it shows %q", out)
		}
		return err
	}},
	{"empty file", func(w *work) error {
		if err := w.put("empty", []byte{}); err != nil {
			return err
		}
		return w.get("empty", []byte{})
	}},
}, oddSteps()...)

// oddSteps upload, download and delete a file of each odd name.
func oddSteps() (all []step) {
	for _, name := range oddNames {
		all = append(all, step{name, func(w *work) error {
			if err := w.put(name, w.data); err != nil {
				return err
			}
			if err := w.get(name, w.data); err != nil {
				return err
			}
			if _, err := w.do("delete", name, "", ""); err != nil {
				return err
			}
			return w.isGone(name)
		}})
	}
	return all
}

func TestClients(t *testing.T) {
	needRoot(t)
	data := make([]byte, 300_001)
	rand.Read(data)
	s := serve(t, nil)
	host, port, _ := net.SplitHostPort(s.addr)
	var table strings.Builder
	for _, c := range ftpClients {
		for _, active := range []bool{false, true} {
			mode := map[bool]string{false: "passive", true: "active"}[active]
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				if c.program != "" {
					need(t, c.program)
				}
				if why := c.cannot[mode]; why != "" {
					fmt.Fprintf(&table, "%-9s %-7s cannot: %s\n", c.name, mode, why)
					return
				}
				for _, st := range steps {
					w := &work{t: t, client: c, data: data, at: target{newAccount(t), host, port, active, t.TempDir()}}
					result := "ok"
					if why := c.cannot[st.name]; why != "" {
						result = "cannot: " + why
					} else if err := st.run(w); err != nil {
						result = "FAILS"
						t.Errorf("%s: %v", st.name, err)
					}
					fmt.Fprintf(&table, "%-9s %-7s %-16q %s\n", c.name, mode, st.name, result)
				}
			})
		}
	}
	t.Log("\n" + table.String())
}
