package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
)

// open opens a view of dir with all rights, changed by the options in with.
func open(t *testing.T, dir string, with ...func(*Options)) *FS {
	t.Helper()
	o := Options{
		Mounts: []config.Mount{{Path: "/", Directory: dir}},
		Rights: config.Rights{Base: config.Full},
	}
	for _, change := range with {
		change(&o)
	}
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func permissions(base config.Permissions, rules ...config.Rule) func(*Options) {
	return func(o *Options) { o.Rights = config.NewRights(base, rules) }
}

func mountAt(path, dir string) func(*Options) {
	return func(o *Options) {
		o.Mounts = append(o.Mounts, config.Mount{Path: path, Directory: dir})
	}
}

// tree makes entries in a new directory: "dir/" is a directory, "link -> target" a link, any
// other name a file that contains its own name.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		link, target, isLink := strings.Cut(name, " -> ")
		full := filepath.Join(dir, link)
		err := os.MkdirAll(filepath.Dir(full), 0o777)
		switch {
		case isLink:
			err = errors.Join(err, os.Symlink(target, full))
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(full, 0o777))
		default:
			err = errors.Join(err, os.WriteFile(full, []byte(name), 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func content(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// read opens and reads a file through the view.
func read(f *FS, name string) (string, error) {
	file, err := f.Open(name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(file)
	return string(b), errors.Join(err, file.Close())
}

// upload sends a file through the view.
func upload(f *FS, name, text string, c Creation) error {
	u, err := f.Create(name, c)
	if err != nil {
		return err
	}
	_, err = u.Write([]byte(text))
	return errors.Join(err, u.Commit())
}

// names lists a directory, sorted.
func names(t *testing.T, f *FS, name string, detail Detail) []string {
	t.Helper()
	var all []string
	for _, e := range list(t, f, name, detail) {
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

func list(t *testing.T, f *FS, name string, detail Detail) []Entry {
	t.Helper()
	d, err := f.OpenDir(name, detail)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	var all []Entry
	for {
		entries, err := d.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
	}
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestEverydayCalls(t *testing.T) {
	dir := tree(t, "a/b/file", "gone", "empty/")
	f := open(t, dir)
	is(t, "enter", f.ChangeDir("/a/b"), nil)
	is(t, "enter a file", f.ChangeDir("/gone"), ErrNotDir)
	is(t, "enter nothing", f.ChangeDir("/none"), fs.ErrNotExist)
	is(t, "make directory", f.MakeDir("/a/new"), nil)
	is(t, "make it again", f.MakeDir("/a/new"), fs.ErrExist)
	is(t, "make the root", f.MakeDir("/"), fs.ErrExist)
	is(t, "upload", upload(f, "/a/new/x", "hello", Creation{}), nil)
	if got, err := read(f, "/a/new/x"); got != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	is(t, "rename", f.Rename("/a/new/x", "/y"), nil)
	is(t, "rename again", f.Rename("/a/new/x", "/y"), fs.ErrNotExist)
	if got := content(t, dir, "y"); got != "hello" {
		t.Errorf("renamed file holds %q", got)
	}
	is(t, "remove", f.Remove("/gone"), nil)
	is(t, "remove again", f.Remove("/gone"), fs.ErrNotExist)
	is(t, "remove a directory as a file", f.Remove("/empty"), ErrIsDir)
	is(t, "remove a file as a directory", f.RemoveDir("/y"), ErrNotDir)
	is(t, "remove directory", f.RemoveDir("/empty"), nil)
	is(t, "remove a full directory", f.RemoveDir("/a"), ErrNotEmpty)
	is(t, "read a directory", second(f.Open("/a")), ErrIsDir)
	is(t, "write a directory", second(f.Create("/a", Creation{})), ErrIsDir)
	is(t, "write the root", second(f.Create("/", Creation{})), ErrIsDir)
	for _, call := range []error{
		f.Remove("/"), f.RemoveDir("/"), f.Rename("/", "/z"), f.Rename("/a", "/"),
	} {
		is(t, "the root", call, fs.ErrPermission)
	}
	is(t, "into itself", f.Rename("/a", "/a/b/c"), ErrName)
}

func second[T any](_ T, err error) error { return err }

func TestStat(t *testing.T) {
	dir := tree(t, "file", "dir/", "link -> file", "nowhere -> none", "round -> round")
	f := open(t, dir)
	e, err := f.Stat("/file")
	if err != nil || e.Name != "file" || e.Size != 4 || e.Mode != 0o666 || e.Links != 1 ||
		e.ModTime.IsZero() {
		t.Errorf("file: %+v, %v", e, err)
	}
	if runtime.GOOS != "windows" && (e.Ino == 0 || int(e.UID) != os.Getuid()) {
		t.Errorf("file: %+v", e)
	}
	if e, err := f.Stat("/"); err != nil || e.Name != "/" || !e.Mode.IsDir() {
		t.Errorf("root: %+v, %v", e, err)
	}
	if e, err := f.Stat("/link"); err != nil || e.Name != "link" || !e.Mode.IsRegular() ||
		e.Target != "" {
		t.Errorf("through a link: %+v, %v", e, err)
	}
	if e, err := f.Lstat("/link"); err != nil || e.Mode&fs.ModeSymlink == 0 || e.Target != "file" {
		t.Errorf("link: %+v, %v", e, err)
	}
	is(t, "a link to nothing", second(f.Stat("/nowhere")), fs.ErrNotExist)
	is(t, "a link to itself", second(f.Stat("/round")), fs.ErrNotExist)
	is(t, "a name below a file", second(f.Stat("/file/x")), ErrNotDir)
}

func TestNames(t *testing.T) {
	f := open(t, tree(t))
	for _, name := range []string{
		"", "a", "../a", "/a\x00b", "/" + strings.Repeat("x", 256),
		"/" + strings.Repeat("x/", 3000),
	} {
		for call, err := range map[string]error{
			"enter": f.ChangeDir(name), "stat": second(f.Stat(name)),
			"lstat": second(f.Lstat(name)), "list": second(f.OpenDir(name, Links)),
			"open": second(f.Open(name)), "create": second(f.Create(name, Creation{})),
			"mkdir": f.MakeDir(name), "remove": f.Remove(name),
			"rmdir": f.RemoveDir(name), "from": f.Rename(name, "/b"), "to": f.Rename("/b", name),
			"chmod": second(f.Chmod(name, 0o600)),
			"touch": second(f.SetTimes(name, time.Unix(1, 0))), "unique": second(f.Unique(name)),
		} {
			if !errors.Is(err, ErrName) && !(call == "to" && errors.Is(err, fs.ErrNotExist)) {
				t.Errorf("%s %.20q: %v, want %v", call, name, err, ErrName)
			}
		}
	}
	for _, name := range []string{"/\xff\xfe", "/a b", "/\r\n", "/\x1b[2J", "/-rf", "/ü"} {
		is(t, name, upload(f, name, "x", Creation{}), nil)
		is(t, name, f.Remove(name), nil)
	}
}

func TestUploads(t *testing.T) {
	const old = "file" // the content of the file before
	for _, c := range []struct {
		name     string
		creation Creation
		want     string // "" where it is refused
		err      error
	}{
		{"/file", Creation{}, "new", nil},
		{"/file", Creation{Append: true}, old + "new", nil},
		{"/file", Creation{Append: true, Offset: 99}, old + "new", nil},
		{"/file", Creation{Offset: 4}, old + "new", nil},
		{"/file", Creation{Offset: 1}, "fnew", nil},
		{"/file", Creation{Offset: 5}, old, ErrOffset},
		{"/link", Creation{}, "new", nil},
		{"/none", Creation{}, "new", nil},
		{"/none", Creation{Append: true}, "new", nil},
		{"/none", Creation{Offset: 1}, "", fs.ErrNotExist},
		{"/none/none", Creation{}, "", fs.ErrNotExist},
		{"/file/none", Creation{}, "", ErrNotDir},
		{"/nowhere", Creation{}, "", fs.ErrExist},
	} {
		dir := tree(t, "file", "link -> file", "nowhere -> gone")
		f := open(t, dir)
		is(t, c.name, upload(f, c.name, "new", c.creation), c.err)
		got, err := os.ReadFile(filepath.Join(dir, c.name))
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s %+v: holds %q (%v), want %q", c.name, c.creation, got, err, c.want)
		}
	}
}

func TestAnUploadThatIsGivenUpKeepsItsBytes(t *testing.T) {
	dir := tree(t)
	u, err := open(t, dir).Create("/x", Creation{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Write([]byte("half"))
	if err := errors.Join(err, u.Abort()); err != nil || content(t, dir, "x") != "half" {
		t.Errorf("%v, holds %q", err, content(t, dir, "x"))
	}
	is(t, "a second end", u.Commit(), fs.ErrClosed)
	if u.HostPath() != filepath.Join(dir, "x") {
		t.Errorf("path of the host: %s", u.HostPath())
	}
}

func TestDownload(t *testing.T) {
	dir := tree(t, "dir/file", "link -> dir")
	for _, f := range []*FS{
		open(t, dir), open(t, dir, permissions(config.Full, config.Rule{Path: "/x"})),
	} {
		file, err := f.Open("/dir/file")
		if err != nil {
			t.Fatal(err)
		}
		err = file.StartAt(4)
		b, err2 := io.ReadAll(file)
		if errors.Join(err, err2) != nil || string(b) != "file" || file.Size() != 8 ||
			file.HostPath() != filepath.Join(dir, "dir/file") {
			t.Errorf("%q, size %d, path %s: %v %v", b, file.Size(), file.HostPath(), err, err2)
		}
		is(t, "close", file.Close(), nil)
	}
}

func TestAViewThatIsClosed(t *testing.T) {
	f := open(t, tree(t, "file", "dir/x"))
	file, err := f.Open("/file")
	d, err2 := f.OpenDir("/dir", Links)
	if errors.Join(err, err2, f.Close(), f.Close()) != nil {
		t.Fatal(err, err2)
	}
	is(t, "stat", second(f.Stat("/file")), fs.ErrClosed)
	is(t, "list", second(d.Next()), fs.ErrClosed)
	if b, err := io.ReadAll(file); string(b) != "file" || err != nil {
		t.Errorf("a file opened before: %q, %v", b, err)
	}
	is(t, "close", errors.Join(file.Close(), d.Close(), d.Close()), nil)
}

func TestOpenSaysWhichDirectory(t *testing.T) {
	dir := tree(t, "file")
	for _, c := range []struct {
		with func(*Options)
		want string
		is   error
	}{
		{
			func(o *Options) { o.Mounts[0].Directory = dir + "/none" },
			"open home " + dir + "/none: file does not exist", fs.ErrNotExist,
		},
		{
			mountAt("/m", dir+"/file"),
			`open directory of the mount "/m", ` + dir + "/file: not a directory", ErrNotDir,
		},
		{func(o *Options) { o.Mounts = nil }, "the first mount is not the home", nil},
	} {
		o := Options{Mounts: []config.Mount{{Path: "/", Directory: dir}}}
		c.with(&o)
		f, err := Open(o)
		if f != nil || err == nil || err.Error() != c.want || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
