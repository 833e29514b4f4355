//go:build linux

package tests

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A step is a column of the table. It works in an empty home.
type step struct {
	name       string
	does       string // for people
	everywhere bool   // it is about the data connection, and done in every mode
	run        func(w *work) error
}

// A work is a step that runs.
type work struct {
	t      *testing.T
	client ftpClient
	at     target
	data   []byte
}

// do has the client do one action.
func (w *work) do(verb, remote, local, to string) (string, error) {
	return w.session(action{verb, remote, local, to})
}

// session has the client do several actions in one session.
func (w *work) session(all ...action) (string, error) {
	out, err := w.client.do(w.t, w.at, all...)
	if err != nil {
		err = fmt.Errorf("%s %q: %w", all[0].verb, all[0].remote, err)
	}
	return out, err
}

func (w *work) home(name string) string { return filepath.Join(w.at.home, name) }

func (w *work) folder(name string) string { return filepath.Join(w.at.folder, name) }

// local makes a file for the client to send, or returns the name of one to receive.
func (w *work) local(name string, data []byte) string {
	path := w.folder(name)
	if data == nil {
		os.Remove(path)
	} else {
		writeFile(w.t, path, string(data), 0o644)
	}
	return path
}

// stands makes a file of the user.
func (w *work) stands(name string, data []byte) {
	w.at.file(w.t, name, string(data), w.at.uid, w.at.gid, 0o644)
}

// directory makes a directory of the user.
func (w *work) directory(name string) error {
	return errors.Join(os.Mkdir(w.home(name), 0o755), os.Chown(w.home(name), w.at.uid, w.at.gid))
}

// holds compares a file with what it should hold.
func holds(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s holds %d bytes, or others, instead of %d", filepath.Base(path),
			len(got), len(want))
	}
	return nil
}

// put uploads a file and checks what arrived.
func (w *work) put(name string, data []byte) error {
	if _, err := w.do("put", name, w.local("up", data), ""); err != nil {
		return err
	}
	if err := holds(w.home(name), data); err != nil {
		return err
	}
	info, err := os.Stat(w.home(name))
	if err == nil && int(info.Sys().(*syscall.Stat_t).Uid) != w.at.uid {
		err = fmt.Errorf("%s belongs to another user", name)
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

// isGone checks that no entry has that name any more.
func (w *work) isGone(name string) error {
	if _, err := os.Lstat(w.home(name)); err == nil {
		return fmt.Errorf("%s is still there", name)
	}
	return nil
}

// oddNames are file names that clients often get wrong.
var oddNames = []string{"in side", " before", "behind ", `quo"te`, "ünïcødé", "-dash", "per%25cent",
	`back\slash`}

var steps = append([]step{
	{"list", "the home", true, stepList},
	{"up", "a file of 300,001 bytes", true, func(w *work) error { return w.put("up.bin", w.data) }},
	{"down", "the same file", true, func(w *work) error {
		w.stands("down.bin", w.data)
		return w.get("down.bin", w.data)
	}},
	{"empty file", "up and down", true, func(w *work) error {
		if err := w.put("empty", []byte{}); err != nil {
			return err
		}
		return w.get("empty", []byte{})
	}},
	{"missing", "a download that is refused, and one after it in the same session", true,
		stepMissing},
	{"several", "transfers in both directions and a listing, in one session", true, stepSeveral},
	{"abort", "a download that ends after its first bytes, and a whole one after it", true,
		stepAbort},
	{"text up", "in ASCII", false, func(w *work) error {
		text := []byte("one\n\ntwo\n")
		if _, err := w.do("put text", "text", w.local("text", text), ""); err != nil {
			return err
		}
		return holds(w.home("text"), text)
	}},
	{"text down", "in ASCII", false, stepTextDown},
	{"resume up", "from the middle of a file", false, func(w *work) error {
		w.stands("half.bin", w.data[:len(w.data)/2])
		if _, err := w.do("reput", "half.bin", w.local("half.bin", w.data), ""); err != nil {
			return err
		}
		return holds(w.home("half.bin"), w.data)
	}},
	{"resume down", "from the middle of a file", false, func(w *work) error {
		w.stands("whole.bin", w.data)
		local := w.local("whole.bin", w.data[:len(w.data)/2])
		if _, err := w.do("reget", "whole.bin", local, ""); err != nil {
			return err
		}
		return holds(local, w.data)
	}},
	{"rename", "a file", false, stepRename},
	{"delete", "a file", false, func(w *work) error {
		w.stands("doomed.bin", w.data)
		if _, err := w.do("delete", "doomed.bin", "", ""); err != nil {
			return err
		}
		return w.isGone("doomed.bin")
	}},
	{"time", "the file gets the time of the local one", false, stepTime},
	{"directory", "made, used and removed", false, func(w *work) error { return w.makesDirectory("made") }},
	{"quoted directory", "the same, with double quotes and blanks in its name", false, func(w *work) error {
		return w.makesDirectory(`say "hi" twice`)
	}},
	{"empty directory", "listed as such", false, stepEmptyDirectory},
	{"full directory", "500 names", false, stepFullDirectory},
	{"tree down", "46 files in 7 directories, SHA-256 compared", false, stepTreeDown},
	{"tree up", "the same, into a directory that does not exist yet", false, stepTreeUp},
}, oddSteps()...)

func stepList(w *work) error {
	w.stands("listed.txt", w.data)
	out, err := w.do("list", "", "", "")
	if err == nil && !strings.Contains(out, "listed.txt") {
		err = fmt.Errorf("listed.txt is not in %q", out)
	}
	return err
}

// stepMissing checks that a missing file is refused, with the data connection open already, and
// that the session goes on.
func stepMissing(w *work) error {
	w.stands("there", w.data)
	missing, there := w.local("missing", nil), w.local("there", nil)
	if _, err := w.session(action{verb: "missing", remote: "missing", local: missing},
		action{verb: "get", remote: "there", local: there}); err != nil {
		return err
	}
	if info, err := os.Stat(missing); err == nil && info.Size() > 0 {
		return errors.New("the missing file has content")
	}
	return holds(there, w.data)
}

// stepSeveral transfers in both directions, in one session.
func stepSeveral(w *work) error {
	w.stands("one", w.data)
	up, empty := w.local("up", w.data), w.local("empty", []byte{})
	first, second, none := w.local("first", nil), w.local("second", nil), w.local("none", nil)
	all := []action{
		{verb: "get", remote: "one", local: first},
		{verb: "put", remote: "two", local: up},
		{verb: "put", remote: "three", local: up},
	}
	if w.client.reason(w.at.mode, "empty file") == "" {
		all = append(all, action{verb: "put", remote: "void", local: empty})
	} else {
		w.stands("void", nil)
	}
	out, err := w.session(append(all,
		action{verb: "list"}, action{verb: "get", remote: "void", local: none},
		action{verb: "put", remote: "four", local: up},
		action{verb: "get", remote: "three", local: second})...)
	if err != nil {
		return err
	}
	for _, name := range []string{"one", "two", "three", "void"} {
		if !strings.Contains(out, name) {
			return fmt.Errorf("%s is not in %q", name, out)
		}
	}
	return errors.Join(holds(first, w.data), holds(w.home("two"), w.data),
		holds(w.home("three"), w.data), holds(w.home("void"), nil),
		holds(none, nil), holds(w.home("four"), w.data), holds(second, w.data))
}

// stepAbort ends a download early, and makes a whole one after it.
func stepAbort(w *work) error {
	w.stands("large.bin", nil)
	if err := os.Truncate(w.home("large.bin"), 64<<20); err != nil {
		return err
	}
	w.stands("small.bin", w.data)
	begun, small := w.local("begun", nil), w.local("small", nil)
	if _, err := w.session(action{verb: "head", remote: "large.bin", local: begun},
		action{verb: "get", remote: "small.bin", local: small}); err != nil {
		return err
	}
	if info, err := os.Stat(begun); err != nil || info.Size() == 0 || info.Size() > 32<<20 {
		return fmt.Errorf("it did not take the beginning only: %v, %w", info, err)
	}
	return holds(small, w.data)
}

// stepTextDown downloads a text. Some clients leave the carriage returns, as they are on the
// wire.
func stepTextDown(w *work) error {
	text := []byte("one\n\ntwo\n")
	w.stands("text", text)
	local := w.local("text", nil)
	if _, err := w.do("get text", "text", local, ""); err != nil {
		return err
	}
	got, err := os.ReadFile(local)
	if err == nil && string(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))) != string(text) {
		err = fmt.Errorf("it is %q", got)
	}
	return err
}

func stepRename(w *work) error {
	w.stands("old.bin", w.data)
	if _, err := w.do("rename", "old.bin", "", "new.bin"); err != nil {
		return err
	}
	return errors.Join(w.isGone("old.bin"), holds(w.home("new.bin"), w.data))
}

// stepTime checks that a file gets the time of the local one, by its upload or by a command.
func stepTime(w *work) error {
	want := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	w.stands("dated.bin", w.data)
	local := w.local("dated.bin", w.data)
	if err := os.Chtimes(local, want, want); err != nil {
		return err
	}
	if _, err := w.do("time", "dated.bin", local, want.Format("20060102150405")); err != nil {
		return err
	}
	info, err := os.Stat(w.home("dated.bin"))
	if err == nil && !info.ModTime().Equal(want) {
		err = fmt.Errorf("its time is %v", info.ModTime().UTC())
	}
	return err
}

// makesDirectory makes, fills, empties and removes a directory.
func (w *work) makesDirectory(name string) error {
	if _, err := w.do("mkdir", name, "", ""); err != nil {
		return err
	}
	if info, err := os.Stat(w.home(name)); err != nil || !info.IsDir() {
		return fmt.Errorf("no directory: %w", err)
	}
	if err := w.put(name+"/file", w.data); err != nil {
		return err
	}
	if err := w.get(name+"/file", w.data); err != nil {
		return err
	}
	if _, err := w.do("delete", name+"/file", "", ""); err != nil {
		return err
	}
	if _, err := w.do("rmdir", name, "", ""); err != nil {
		return err
	}
	return w.isGone(name)
}

func stepEmptyDirectory(w *work) error {
	if err := w.directory("void"); err != nil {
		return err
	}
	out, err := w.do("list", "void", "", "")
	if err == nil && strings.TrimSpace(out) != "" {
		err = fmt.Errorf("it shows %q", out)
	}
	return err
}

func stepFullDirectory(w *work) error {
	if err := w.directory("full"); err != nil {
		return err
	}
	for i := range 500 {
		w.stands(fmt.Sprintf("full/file-%03d.end", i), nil)
	}
	out, err := w.do("list", "full", "", "")
	for i := range 500 {
		if name := fmt.Sprintf("file-%03d.end", i); err == nil && strings.Count(out, name) != 1 {
			err = fmt.Errorf("%s is there %d times", name, strings.Count(out, name))
		}
	}
	return err
}

// stepTreeDown downloads a tree of files.
func stepTreeDown(w *work) error {
	if err := makeTree(w.home("tree"), w.data); err != nil {
		return err
	}
	w.at.ownAll(w.t)
	if _, err := w.do("pull", "tree", w.folder("tree"), ""); err != nil {
		return err
	}
	return sameTrees(w.home("tree"), w.folder("tree"))
}

// stepTreeUp uploads a tree of files into a directory that does not exist yet.
func stepTreeUp(w *work) error {
	if err := makeTree(w.folder("tree"), w.data); err != nil {
		return err
	}
	if _, err := w.do("push", "tree", w.folder("tree"), ""); err != nil {
		return err
	}
	return sameTrees(w.folder("tree"), w.home("tree"))
}

// makeTree makes files in directories: many, empty ones, deep ones, with blanks and letters in their names.
func makeTree(root string, data []byte) error {
	files := map[string][]byte{
		"top.txt": []byte("top\n"), "empty": nil, "in side/ünïcødé.txt": []byte("names\n"),
		"a/b/c/d/deep.bin": data,
		"a/b/large.bin":    bytes.Repeat(data, 7), "a/.hidden": []byte("dot\n"),
	}
	for i := range 40 {
		files[fmt.Sprintf("many/%02d.bin", i)] = data[:i*100]
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ownAll makes the user the owner of everything in the home.
func (a account) ownAll(t *testing.T) {
	t.Helper()
	command(t, "", "chown", "-R", fmt.Sprintf("%d:%d", a.uid, a.gid), a.home)
}

// sums returns the SHA-256 of all files below a directory.
func sums(root string) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		all[name] = sha256.Sum256(data)
		return err
	})
	return all, err
}

func sameTrees(from, to string) error {
	want, err := sums(from)
	if err != nil {
		return err
	}
	got, err := sums(to)
	if err == nil && !maps.Equal(want, got) {
		err = fmt.Errorf("%d files became %d, or others", len(want), len(got))
	}
	return err
}

// oddSteps upload, download and delete a file of each odd name. They are done without TLS alone, since
// names travel in commands, which are the same with TLS.
func oddSteps() (all []step) {
	for _, name := range oddNames {
		all = append(all, step{name, "a file of this name: up, down, deleted", false,
			func(w *work) error {
				down := w.local("down", nil)
				_, err := w.session(
					action{verb: "put", remote: name, local: w.local("up", w.data)},
					action{verb: "get", remote: name, local: down})
				if err != nil {
					return err
				}
				if err := errors.Join(holds(w.home(name), w.data),
					holds(down, w.data)); err != nil {
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
