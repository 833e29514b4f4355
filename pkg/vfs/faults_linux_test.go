//go:build linux && !osroot

package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
)

// operations are complete operations on a tree with "file", "link" to it, "dir/file", "empty/"
// and a mount.
var operations = []struct {
	name string
	run  func(f *FS) error
}{
	{"enter", func(f *FS) error { return f.ChangeDir("/dir") }},
	{"stat", func(f *FS) error { return second(f.Stat("/dir/file")) }},
	{"lstat of a link", func(f *FS) error { return second(f.Lstat("/link")) }},
	{"names", func(f *FS) error { return listAll(f, "/", NamesOnly) }},
	{"list", func(f *FS) error { return listAll(f, "/", Links) }},
	{"list targets", func(f *FS) error { return listAll(f, "/", Targets) }},
	{"read", func(f *FS) error { return second(read(f, "/dir/file")) }},
	{"new file", func(f *FS) error { return upload(f, "/dir/new", "x", Creation{}) }},
	{"may make", func(f *FS) error { return f.CanCreate("/dir/new", Creation{}) }},
	{"may replace", func(f *FS) error { return f.CanCreate("/dir/file", Creation{}) }},
	{"replace", func(f *FS) error { return upload(f, "/dir/file", "x", Creation{}) }},
	{"append", func(f *FS) error { return upload(f, "/dir/file", "x", Creation{Append: true}) }},
	{"restart", func(f *FS) error { return upload(f, "/dir/file", "x", Creation{Offset: 2}) }},
	{"abort", func(f *FS) error {
		u, err := f.Create("/dir/new", Creation{})
		if err != nil {
			return err
		}
		return u.Abort()
	}},
	{"mkdir", func(f *FS) error { return f.MakeDir("/dir/new") }},
	{"remove", func(f *FS) error { return f.Remove("/dir/file") }},
	{"rmdir", func(f *FS) error { return f.RemoveDir("/empty") }},
	{"rename", func(f *FS) error { return f.Rename("/dir/file", "/empty/file") }},
	{"may rename", func(f *FS) error { return f.MayRename("/dir/file") }},
	{"chmod", func(f *FS) error { return second(f.Chmod("/dir/file", 0o600)) }},
	{"chgrp", func(f *FS) error { return second(f.Chgrp("/link", 1<<32-1)) }}, // -1 keeps the group
	{"set times", func(f *FS) error { return second(f.SetTimes("/link", time.Unix(1, 0))) }},
	{"find a name", func(f *FS) error { return second(f.Unique("/dir/new")) }},
	{"may make only a new file", func(f *FS) error {
		return f.CanCreate("/dir/new", Creation{New: true})
	}},
	{"look for space", func(f *FS) error { return second(f.Free("/dir/new")) }},
	{"only a new file", func(f *FS) error {
		return upload(f, "/dir/new", "x", Creation{New: true})
	}},
}

func listAll(f *FS, name string, detail Detail) error {
	d, err := f.OpenDir(name, detail)
	if err != nil {
		return err
	}
	var unknown []error
	for err == nil {
		var batch []Entry
		batch, err = d.Next()
		for _, e := range batch {
			unknown = append(unknown, e.Unknown)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(append(unknown, err, d.Close())...)
}

// Each system call of each operation fails once. The operation returns its error, no descriptor
// stays open, and nothing is changed if no call before the failed one changes anything.
func TestEachCallFails(t *testing.T) {
	for _, operation := range operations {
		made := 0
		for n := 1; ; n++ {
			calls, err := failAt(t, operation.name, operation.run, n)
			if len(calls) < n {
				is(t, operation.name+" without a fault", err, nil)
				break
			}
			made = n
			if !errors.Is(err, unix.EIO) {
				t.Errorf("%s: call %d (%s) failed, the operation returned %v",
					operation.name, n, calls[n-1], err)
			}
		}
		if made == 0 {
			t.Errorf("%s makes no calls that the seam sees", operation.name)
		}
	}
	for n := 1; ; n++ { // the calls of Open
		calls, err := failAt(t, "open", nil, n)
		if len(calls) < n {
			break
		}
		if !errors.Is(err, unix.EIO) {
			t.Errorf("open: call %d (%s) failed: %v", n, calls[n-1], err)
		}
	}
}

// changing are the calls that change files. After one of them an operation cannot be undone.
var changing = []string{
	"openat", "ftruncate", "mkdirat", "unlinkat", "renameat2", "write", "fchmodat2", "fchownat",
	"utimensat",
}

// failAt runs an operation and fails its n-th system call. The view has a umask and permissions
// that depend on the path, so that every call is made. failAt returns the calls up to that one. A
// nil operation stands for Open.
func failAt(t *testing.T, name string, run func(*FS) error, n int) (calls []string, err error) {
	t.Helper()
	dir := tree(t, "file", "link -> file", "nowhere -> none", "dir/file", "empty/")
	mounted := tree(t, "x")
	before, descriptors := snapshot(t, dir), openDescriptors(t)
	armed := run == nil
	f, err := Open(Options{
		Mounts: []config.Mount{{Path: "/", Directory: dir}, {Path: "/mount", Directory: mounted}},
		Rights: config.NewRights(config.Full, []config.Rule{{Path: "/none"}}),
		Umask:  0o022,
		Faults: func(call string) error {
			if !armed {
				return nil
			}
			calls = append(calls, call)
			if len(calls) == n {
				return unix.EIO
			}
			return nil
		},
	})
	if run != nil {
		if err != nil {
			t.Fatal(err)
		}
		armed = true
		err = run(f)
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	if after := openDescriptors(t); !slices.Equal(after, descriptors) {
		t.Errorf("%s: after call %d of %v failed, descriptors %v are %v",
			name, n, calls, descriptors, after)
	}
	reached := len(calls) >= n
	harmless := reached && !slices.ContainsFunc(calls[:n-1], func(call string) bool {
		return slices.Contains(changing, call)
	})
	if after := snapshot(t, dir); harmless && !slices.Equal(before, after) {
		t.Errorf("%s: call %d of %v failed and %v became %v", name, n, calls, before, after)
	}
	return calls, err
}

func openDescriptors(t *testing.T) (all []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// the runtime opens and closes such descriptors itself
		if err == nil && !strings.HasPrefix(target, "anon_inode:") {
			all = append(all, fmt.Sprintf("%s -> %s", e.Name(), target))
		}
	}
	return all
}

// An entry that was removed before it is described is left out. An entry that the file system
// refuses to describe stays, with its type and the error.
func TestEntriesThatGoAndStay(t *testing.T) {
	for number, want := range map[unix.Errno]int{
		unix.ENOENT: 1, unix.EACCES: 2, unix.EPERM: 2, unix.EIO: 2, unix.EUCLEAN: 2,
		unix.EOVERFLOW: 2, unix.ESTALE: 2, unix.ENOTCONN: 2, unix.EINVAL: 2, unix.ENOMEM: 2,
		unix.ENAMETOOLONG: 2,
	} {
		failed := false
		f := open(t, tree(t, "a", "b"), func(o *Options) {
			armed := false
			o.Faults = func(call string) error {
				if call == "getdents64" {
					armed = true
				}
				if call == "statx" && armed && !failed {
					failed = true
					return number
				}
				return nil
			}
		})
		got := list(t, f, "/", Links)
		unknown := slices.DeleteFunc(slices.Clone(got), func(e Entry) bool {
			return e.Unknown == nil
		})
		if len(got) != want || len(unknown) != want-1 || !failed {
			t.Errorf("an entry fails with %v: %+v, want %d entries", number, got, want)
		}
		for _, e := range unknown {
			if e.Unknown != number || e.Mode != 0 || e.Name == "" {
				t.Errorf("%+v", e)
			}
		}
	}
}

// A link to a file system that has died, and a mount of one, stay in a listing with their names.
// The type of the link's target is unknown.
func TestDeadTargetsAndMounts(t *testing.T) {
	dead := false
	f := open(t, tree(t, "file", "link -> file"), func(o *Options) {
		o.Mounts = append(o.Mounts,
			config.Mount{Path: "/mount", Directory: tree(t), Permissions: config.Full})
		o.Faults = func(call string) error {
			if call == "openat2" && dead {
				return unix.ENOTCONN
			}
			return nil
		}
	})
	d, err := f.OpenDir("/", Targets)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dead = true
	all, err := d.Next()
	is(t, "listing", err, nil)
	for _, e := range all {
		want, unknown := map[string]fs.FileMode{
			"link": fs.ModeIrregular, "mount": fs.ModeDir,
		}[e.Name]
		if unknown && (e.Mode != want || !errors.Is(e.Unknown, unix.ENOTCONN)) ||
			!unknown && e.Unknown != nil {
			t.Errorf("%+v", e)
		}
	}
	if len(all) != 3 {
		t.Errorf("%+v", all)
	}
}

// Two uploads create the same new name. The second replaces the file of the first only with the
// permission "overwrite".
func TestAFileThatAppearsMeanwhile(t *testing.T) {
	for base, want := range map[config.Permissions]error{
		config.Full: nil, config.Full &^ config.Overwrite: ErrNotAllowed,
	} {
		dir := tree(t)
		f := open(t, dir, permissions(base), func(o *Options) {
			o.Faults = func(call string) error {
				if call != "openat" {
					return nil
				}
				return os.WriteFile(dir+"/new", []byte("of somebody else"), 0o666)
			}
		})
		is(t, "upload", upload(f, "/new", "mine", Creation{}), want)
		if got := content(t, dir, "new"); (got == "mine") != (want == nil) {
			t.Errorf("the file holds %q", got)
		}
	}
}

// On a file system without RENAME_NOREPLACE, Rename looks for the new name first.
func TestRenameWithoutThePromise(t *testing.T) {
	dir := tree(t, "from", "to")
	refused := 0
	f := open(t, dir, permissions(config.Full&^config.Overwrite), func(o *Options) {
		o.Faults = func(call string) error {
			if call == "renameat2" && refused%2 == 0 {
				refused++
				return unix.EINVAL
			}
			return nil
		}
	})
	is(t, "onto a name", f.Rename("/from", "/to"), os.ErrExist)
	refused = 0
	is(t, "to a new name", f.Rename("/from", "/new"), nil)
	if got := content(t, dir, "to") + content(t, dir, "new"); got != "tofrom" {
		t.Errorf("they hold %q", got)
	}
}
