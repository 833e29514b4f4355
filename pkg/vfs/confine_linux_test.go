//go:build linux && !osroot

package vfs

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
)

// The home lies beside "outside", which no name may reach. Both have a file "d/who", whose content
// names the directory that it lies in.
func confined(t *testing.T) (home, outside string) {
	dir := tree(t, "home/d/who", "outside/d/who", "outside/who")
	home, outside = filepath.Join(dir, "home"), filepath.Join(dir, "outside")
	for _, name := range []string{"d/who", "who"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte("outside"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return home, outside
}

// The home is "/" for everything that is resolved below it, as under chroot(2).
func TestLinksStayInside(t *testing.T) {
	home, outside := confined(t)
	for name, target := range map[string]string{
		"absolute": "/d/who", "up": "../../../../../../../../d/who", "dir": "/d",
		"deep/up": "../../../d/who", "host": outside + "/who", "beside": "../outside/who",
		"passwd": "/etc/passwd", "far": "../../../../../../../etc/passwd",
		"proc": "/proc/self/root/etc/passwd", "root": "/",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Join(home, "deep"), 0o777),
			os.Symlink(target, filepath.Join(home, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []*FS{
		open(t, home), open(t, home, permissions(config.Full, config.Rule{Path: "/x"})),
	} {
		for _, name := range []string{
			"/absolute", "/up", "/dir/who", "/deep/up", "/root/root/d/who", "/d/../../../d/who",
			"/../../d/who",
		} {
			if got, err := read(f, name); got != "home/d/who" || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		for _, name := range []string{
			"/host", "/beside", "/passwd", "/far", "/proc", "/root/etc/passwd",
			"/../outside/who",
		} {
			is(t, name, second(read(f, name)), fs.ErrNotExist)
			is(t, name, second(f.Stat(name)), fs.ErrNotExist)
		}
		is(t, "make above", f.MakeDir("/../outside/made"), fs.ErrNotExist)
		is(t, "remove above", f.Remove("/../outside/who"), fs.ErrNotExist)
		is(t, "rename above", f.Rename("/d/who", "/../outside/got"), fs.ErrNotExist)
	}
}

// A rule holds for the file that a name leads to, however the name is spelled.
func TestRulesThroughLinks(t *testing.T) {
	home := tree(t, "secret/file", "open/file", "link -> secret", "open/link -> ../secret/file",
		"open/up -> ..", "absolute -> /secret", "secret/out -> ../open/file")
	f := open(t, home, permissions(config.Full, config.Rule{Path: "/secret"}))
	for _, name := range []string{
		"/link/file", "/open/link", "/open/up/secret/file", "/absolute/file",
		"/open/up/link/file",
	} {
		is(t, "read "+name, second(read(f, name)), ErrNotAllowed)
		is(t, "stat "+name, second(f.Stat(name)), ErrNotAllowed)
		is(t, "write "+name, upload(f, name, "x", Creation{}), ErrNotAllowed)
		is(t, "append "+name, upload(f, name, "x", Creation{Append: true}), ErrNotAllowed)
	}
	for _, name := range []string{"/link", "/absolute", "/open/up/secret"} {
		is(t, "enter "+name, f.ChangeDir(name), ErrNotAllowed)
		is(t, "list "+name, second(f.OpenDir(name, Links)), ErrNotAllowed)
		is(t, "make below "+name, f.MakeDir(name+"/new"), ErrNotAllowed)
		is(t, "write below "+name, upload(f, name+"/new", "x", Creation{}), ErrNotAllowed)
		is(t, "remove below "+name, f.Remove(name+"/file"), ErrNotAllowed)
		is(t, "rename below "+name, f.Rename(name+"/file", "/got"), ErrNotAllowed)
		is(t, "rename to below "+name, f.Rename("/open/file", name+"/got"), ErrNotAllowed)
	}
	if got, err := read(f, "/secret/out"); got != "open/file" || err != nil {
		t.Errorf("a link in there to what is permitted: %q, %v", got, err)
	}
	is(t, "a link itself", f.Remove("/link"), nil)
	if file, err := f.Open("/open/up/open/file"); err != nil ||
		file.HostPath() != filepath.Join(home, "open/file") {
		t.Errorf("path of the host: %v", err)
	} else {
		_ = file.Close()
	}
}

// A directory of the view is exchanged with a link to outside and back all the time. The view never
// reads a file outside. The control, which cleans the path and opens it, does.
func TestConfinementRace(t *testing.T) {
	home, outside := confined(t)
	if err := errors.Join(os.Symlink("../outside/d", home+"/out"),
		os.Symlink(outside+"/d", home+"/abs")); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends at stop
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			swap(home+"/d", home+"/"+[]string{"out", "out", "abs", "abs"}[i%4])
		}
	}()
	count := map[string]int{}
	plain := open(t, home)
	ruled := open(t, home, permissions(config.Full, config.Rule{Path: "/none"}))
	for i := 0; i < 20000 || (count["control outside"] == 0 && i < 1000000); i++ {
		count["control "+who(os.ReadFile(home+path.Clean("/d/who")))]++
		count["view "+who(readBytes(plain, "/d/who"))]++
		count["view "+who(readBytes(ruled, "/d/who"))]++
		if err := plain.MakeDir("/d/made"); err == nil {
			_ = plain.RemoveDir("/d/made")
		}
	}
	close(stop)
	<-stopped
	t.Log(count)
	if count["view outside"] != 0 {
		t.Errorf("%d reads left the view", count["view outside"])
	}
	if count["control outside"] == 0 || count["view inside"] == 0 {
		t.Error("the race did not happen")
	}
	if _, err := os.Stat(outside + "/d/made"); err == nil {
		t.Error("a directory was made outside")
	}
}

// swap exchanges two names of one directory.
func swap(a, b string) {
	_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func readBytes(f *FS, name string) ([]byte, error) {
	s, err := read(f, name)
	return []byte(s), err
}

func who(b []byte, err error) string {
	switch {
	case err != nil:
		return "refused"
	case string(b) == "outside":
		return "outside"
	}
	return "inside"
}

// A working directory that is moved out of the view does not exist there any more, and does not
// lead outside.
func TestDirectoriesThatAreMovedOut(t *testing.T) {
	home, outside := confined(t)
	f := open(t, home, permissions(config.Full, config.Rule{Path: "/none"}))
	is(t, "enter", f.ChangeDir("/d"), nil)
	d, err := f.OpenDir("/d", Links)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(home+"/d", outside+"/moved"); err != nil {
		t.Fatal(err)
	}
	is(t, "enter", f.ChangeDir("/d"), fs.ErrNotExist)
	is(t, "enter above", f.ChangeDir("/d/../outside"), fs.ErrNotExist)
	if _, err := d.Next(); err != nil {
		t.Errorf("an open listing: %v", err)
	}
	is(t, "close", d.Close(), nil)
}

// The view stays usable when the home is renamed.
func TestAHomeThatIsRenamed(t *testing.T) {
	home, _ := confined(t)
	f := open(t, home, permissions(config.Full, config.Rule{Path: "/secret"}))
	if err := os.Rename(home, home+"2"); err != nil {
		t.Fatal(err)
	}
	if got, err := read(f, "/d/who"); got != "home/d/who" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Opening never waits, and only regular files are opened.
func TestSpecialFiles(t *testing.T) {
	dir := tree(t, "file")
	if err := unix.Mkfifo(dir+"/fifo", 0o666); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	special := []string{"/fifo", "/socket"}
	if unix.Mknod(dir+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) == nil {
		special = append(special, "/null")
	}
	f := open(t, dir)
	check := func() {
		for _, name := range special {
			is(t, "read "+name, second(f.Open(name)), ErrNotRegular)
			is(t, "write "+name, upload(f, name, "x", Creation{}), ErrNotRegular)
			is(t, "append "+name, upload(f, name, "x", Creation{Append: true}), ErrNotRegular)
		}
	}
	check()
	reader, err := os.OpenFile(dir+"/fifo", os.O_RDWR, 0) // now the FIFO has another end
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	check()
	if e, err := f.Stat("/fifo"); err != nil || e.Mode&fs.ModeNamedPipe == 0 {
		t.Errorf("fifo: %+v, %v", e, err)
	}
	for _, name := range special {
		is(t, "remove "+name, f.Remove(name), nil)
	}
}

// An open file has the flags of a blocking descriptor again, as other readers of it expect.
func TestDescriptorFlags(t *testing.T) {
	f := open(t, tree(t, "file"))
	file, err := f.Open("/file")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0); err != nil ||
		flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v", flags, err)
	}
}

// The file systems of the kernel are never served, even if the view contains them: /proc/self/mem
// would be the memory of the server.
func TestKernelFileSystems(t *testing.T) {
	f := open(t, "/")
	for _, name := range []string{
		"/proc/self/mem", "/proc/self/environ", "/proc/1/status", "/proc/self/fd/0",
		"/sys/kernel/uevent_seqnum",
	} {
		if _, err := f.Open(name); err == nil {
			t.Errorf("%s was opened", name)
		}
		if _, err := f.Create(name, Creation{Append: true}); err == nil {
			t.Errorf("%s was opened for writing", name)
		}
	}
	is(t, "list", second(f.OpenDir("/proc", Links)), fs.ErrPermission)
	is(t, "enter", f.ChangeDir("/proc"), fs.ErrPermission)
	is(t, "make a directory", f.MakeDir("/proc/new"), fs.ErrPermission)
	is(t, "remove", f.Remove("/proc/self/new"), fs.ErrPermission)
	if _, err := os.Stat("/sys/kernel"); err == nil { // a chroot may have none
		is(t, "stat", second(f.Stat("/sys/kernel")), fs.ErrPermission)
	}
	_, err := Open(Options{Mounts: []config.Mount{{Path: "/", Directory: "/proc/self"}}})
	is(t, "as a home", err, fs.ErrPermission)
	is(t, "another file", second(f.Stat("/etc/passwd")), nil)
}

// Open reports which system call is missing or refused.
func TestMissingParts(t *testing.T) {
	is(t, "probe", Probe(), nil)
	dir := tree(t, "file")
	for _, c := range []struct {
		call string
		err  error
		want string
	}{
		{"openat2", unix.ENOSYS, "Linux 5.6 or later"},
		{"openat2", unix.EPERM, "system call filter"},
		{"readlinkat", unix.ENOENT, "/proc"},
	} {
		_, err := Open(Options{
			Mounts: []config.Mount{{Path: "/", Directory: dir}},
			Rights: config.Rights{Rules: []config.Rule{{Path: "/x"}}},
			Faults: func(call string) error {
				if call == c.call {
					return c.err
				}
				return nil
			},
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s fails with %v: %v, want an error about %q", c.call, c.err, err, c.want)
		}
	}
}

// A place is compared by components: "home2" does not lie below "home".
func TestPlaces(t *testing.T) {
	dir := tree(t, "home/x", "home2/x", "home (deleted)/x")
	r, err := openRoot(dir+"/home", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for name, want := range map[string]string{
		"home": ".", "home/x": "x", "home2/x": "", "home2": "", "home (deleted)/x": "", ".": "",
	} {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		place, err := r.place(int(file.Fd()))
		if place != want || (err != nil) != (want == "") {
			t.Errorf("%s is at %q, %v, want %q", name, place, err, want)
		}
		_ = file.Close()
	}
	whole, err := openRoot("/", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.close()
	if e, place, err := whole.stat("etc/passwd", true, false); err != nil ||
		place != "etc/passwd" || !e.Mode.IsRegular() {
		t.Errorf("below /: %q, %v", place, err)
	}
	if place, err := whole.enter("."); place != "." || err != nil {
		t.Errorf("the root: %q, %v", place, err)
	}
}

// A resolution that a rename disturbed is tried again, but not for ever.
func TestRetries(t *testing.T) {
	left := 0
	f := open(t, tree(t, "file"), func(o *Options) {
		o.Faults = func(call string) error {
			if call == "openat2" && left > 0 {
				left--
				return unix.EAGAIN
			}
			return nil
		}
	})
	left = 63
	is(t, "63 times", second(f.Stat("/file")), nil)
	left = 1 << 30
	is(t, "always", second(f.Stat("/file")), unix.EAGAIN)
}

func TestReadAndWriteFaults(t *testing.T) {
	fail := ""
	f := open(t, tree(t, "file"), func(o *Options) {
		o.Faults = func(call string) error {
			if call == fail {
				return unix.ENOSPC
			}
			return nil
		}
	})
	u, err := f.Create("/new", Creation{})
	file, err2 := f.Open("/file")
	if errors.Join(err, err2) != nil {
		t.Fatal(err, err2)
	}
	fail = "write"
	is(t, "write", second(u.Write([]byte("x"))), ErrNoSpace)
	fail = "close"
	is(t, "commit", u.Commit(), ErrNoSpace)
	fail = "read"
	is(t, "read", second(file.Read(make([]byte, 1))), ErrNoSpace)
	fail = ""
	is(t, "read on", second(io.ReadAll(file)), nil)
	is(t, "close", file.Close(), nil)
}
