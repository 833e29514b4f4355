//go:build linux && !osroot

package vfs

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/internal/coretest"
)

// No section runs on the main thread, as in the service.
func init() { runtime.LockOSThread() }

const (
	aliceID = 61001
	bobID   = 61002
	teamID  = 61003 // a supplementary group of alice
)

// users holds the identities of alice and bob, and their homes, which both may enter.
type users struct {
	alice, bob         *impersonate.Identity
	aliceHome, bobHome string
}

func newUsers(t *testing.T, dir string) users {
	t.Helper()
	threads := impersonate.NewThreads(100)
	u := users{
		alice: threads.Identity("alice",
			impersonate.Credentials{UID: aliceID, GID: aliceID, Groups: []uint32{aliceID, teamID}},
		),
		bob:       threads.Identity("bob", impersonate.Credentials{UID: bobID, GID: bobID}),
		aliceHome: filepath.Join(dir, "alice"),
		bobHome:   filepath.Join(dir, "bob"),
	}
	as(t, u.alice, func() error { return os.Mkdir(u.aliceHome, 0o755) })
	as(t, u.bob, func() error { return os.Mkdir(u.bobHome, 0o755) })
	return u
}

// as runs prepare with the identity of a user.
func as(t *testing.T, id *impersonate.Identity, call func() error) {
	t.Helper()
	if err := id.Do(call); err != nil {
		t.Fatal(err)
	}
}

func by(id *impersonate.Identity) func(*Options) { return func(o *Options) { o.Identity = id } }

func umask(mode config.Mode) func(*Options) { return func(o *Options) { o.Umask = mode } }

// owned checks owner, group and mode.
func owned(t *testing.T, f *FS, name string, uid, gid uint32, mode fs.FileMode) {
	t.Helper()
	e, err := f.Stat(name)
	if err != nil || e.UID != uid || e.GID != gid || e.Mode != mode {
		t.Errorf("%s: %d:%d %v, %v, want %d:%d %v", name, e.UID, e.GID, e.Mode, err, uid, gid, mode)
	}
}

func TestFilesBelongToTheUser(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	for mask, want := range map[config.Mode][2]fs.FileMode{
		0o022: {0o644, 0o755}, 0o077: {0o600, 0o700}, 0: {0o666, 0o777},
	} {
		f := open(t, u.aliceHome, by(u.alice), umask(mask))
		is(t, "upload", upload(f, "/file", "x", Creation{}), nil)
		owned(t, f, "/file", aliceID, aliceID, want[0])
		is(t, "make directory", f.MakeDir("/dir"), nil)
		owned(t, f, "/dir", aliceID, aliceID, want[1]|fs.ModeDir)
		is(t, "rename", f.Rename("/file", "/dir/file"), nil)
		is(t, "remove", errors.Join(f.Remove("/dir/file"), f.RemoveDir("/dir")), nil)
	}
}

func TestWhatTheUserMay(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	as(t, u.alice, func() error {
		team := filepath.Join(u.aliceHome, "team")
		return errors.Join(os.WriteFile(team, []byte("team"), 0o660), os.Chown(team, -1, teamID),
			os.Mkdir(u.aliceHome+"/closed", 0o700))
	})
	as(t, u.bob, func() error {
		return errors.Join(os.WriteFile(u.bobHome+"/private", nil, 0o600),
			os.WriteFile(u.bobHome+"/public", nil, 0o644))
	})
	whole := open(t, dir, by(u.alice))
	bob := open(t, dir, by(u.bob))

	if got, err := read(whole, "/alice/team"); got != "team" || err != nil {
		t.Errorf("a file of the user's group: %q, %v", got, err)
	}
	is(t, "write it", upload(whole, "/alice/team", "new", Creation{Append: true}), nil)
	is(t, "read another's file", second(read(whole, "/bob/private")), fs.ErrPermission)
	is(t, "read another's public file", second(read(whole, "/bob/public")), nil)
	for name, err := range map[string]error{
		"replace":   upload(whole, "/bob/public", "x", Creation{}),
		"append":    upload(whole, "/bob/private", "x", Creation{Append: true}),
		"new file":  upload(whole, "/bob/new", "x", Creation{}),
		"could":     whole.CanCreate("/bob/new", Creation{}),
		"directory": whole.MakeDir("/bob/new"),
		"remove":    whole.Remove("/bob/private"),
		"rename":    whole.Rename("/bob/private", "/alice/got"),
		"onto it":   whole.Rename("/alice/team", "/bob/private"),
		"enter":     bob.ChangeDir("/alice/closed"),
		"list":      second(bob.OpenDir("/alice/closed", Links)),
		"team":      second(read(bob, "/alice/team")),
		"chmod":     second(whole.Chmod("/bob/public", 0o666)),
		"touch":     second(whole.SetTimes("/bob/public", time.Unix(1, 0))),
		"unique":    second(whole.Unique("/bob/mine")),
	} {
		is(t, name, err, fs.ErrPermission)
	}
	is(t, "enter one's own", whole.ChangeDir("/alice/closed"), nil)
}

func TestAHomeThatIsClosed(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	as(t, u.bob, func() error { return os.Chmod(u.bobHome, 0o700) })
	_, err := Open(Options{
		Mounts: []config.Mount{{Path: "/", Directory: u.bobHome}}, Identity: u.alice,
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), u.bobHome) {
		t.Errorf("another's home: %v", err)
	}
	_, err = Open(Options{
		Mounts: []config.Mount{
			{Path: "/", Directory: u.aliceHome}, {Path: "/bob", Directory: u.bobHome},
		},
		Identity: u.alice,
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), u.bobHome) {
		t.Errorf("another's home as a mount: %v", err)
	}
	_, err = Open(Options{
		Mounts:   []config.Mount{{Path: "/", Directory: u.aliceHome}},
		Identity: impersonate.NewThreads(1).Identity("root", impersonate.Credentials{}),
	})
	is(t, "as root", err, impersonate.ErrRoot)
}

// New entries of a directory with the setgid bit have the group of the directory.
func TestSetgidDirectory(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	as(t, u.alice, func() error {
		team := filepath.Join(u.aliceHome, "team")
		return errors.Join(os.Mkdir(team, 0o770), os.Chown(team, -1, teamID),
			os.Chmod(team, 0o770|os.ModeSetgid))
	})
	f := open(t, u.aliceHome, by(u.alice), umask(0o022))
	is(t, "upload", upload(f, "/team/file", "x", Creation{}), nil)
	is(t, "make directory", f.MakeDir("/team/dir"), nil)
	owned(t, f, "/team/file", aliceID, teamID, 0o644)
	owned(t, f, "/team/dir", aliceID, teamID, 0o755|fs.ModeDir|fs.ModeSetgid)
}

// In a directory with a default ACL the umask is ignored, as for every other program.
func TestDefaultACL(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	shared := filepath.Join(u.aliceHome, "shared")
	as(t, u.alice, func() error {
		return errors.Join(os.Mkdir(shared, 0o755),
			unix.Setxattr(shared, "system.posix_acl_default", aclWith(bobID), 0))
	})
	f := open(t, u.aliceHome, by(u.alice), umask(0o022))
	is(t, "upload", upload(f, "/shared/file", "x", Creation{}), nil)
	is(t, "make directory", f.MakeDir("/shared/dir"), nil)
	owned(t, f, "/shared/file", aliceID, aliceID, 0o664) // the group's bits are the ACL's mask
	owned(t, f, "/shared/dir", aliceID, aliceID, 0o775|fs.ModeDir)
	bob := open(t, u.aliceHome, by(u.bob))
	is(t, "bob writes", upload(bob, "/shared/file", "y", Creation{Append: true}), nil)
	is(t, "bob makes a file", upload(bob, "/shared/dir/file", "y", Creation{}), nil)
	is(t, "outside it", upload(f, "/file", "x", Creation{}), nil)
	owned(t, f, "/file", aliceID, aliceID, 0o644)
}

// aclWith returns an ACL in the format of the kernel: rwx for the owner and for one more user,
// r-x for the group and others.
func aclWith(uid uint32) []byte {
	const userObj, user, groupObj, mask, other, none = 1, 2, 4, 16, 32, ^uint32(0)
	acl := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, permissions uint16
		id               uint32
	}{{userObj, 7, none}, {user, 7, uid}, {groupObj, 5, none}, {mask, 7, none}, {other, 5, none}} {
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.permissions)
		acl = binary.LittleEndian.AppendUint32(acl, e.id)
	}
	return acl
}

// The core itself has no access to a user's home, so a call outside of a section would fail. Every
// operation works there, also if permissions depend on the path.
func TestEveryCallIsInASection(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	for i, with := range []func(*Options){
		umask(0o022), permissions(config.Full, config.Rule{Path: "/none"}),
	} {
		for _, operation := range operations {
			home := filepath.Join(u.aliceHome,
				string(rune('a'+i))+strings.ReplaceAll(operation.name, " ", "-"))
			as(t, u.alice, func() error {
				return errors.Join(os.MkdirAll(home+"/dir", 0o700), os.Mkdir(home+"/empty", 0o700),
					os.Symlink("file", home+"/link"),
					os.WriteFile(home+"/file", []byte("file"), 0o600),
					os.WriteFile(home+"/dir/file", []byte("file"), 0o600), os.Chmod(home, 0o700))
			})
			if _, err := os.ReadDir(home); !errors.Is(err, fs.ErrPermission) {
				t.Fatalf("the core itself reads the home: %v", err)
			}
			f := open(t, home, by(u.alice), with)
			is(t, operation.name, operation.run(f), nil)
		}
	}
}
