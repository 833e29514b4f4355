//go:build linux && !osroot

package vfs

import (
	"io/fs"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/internal/coretest"
)

// refusing returns an option that fails the first call of each of these names.
func refusing(numbers map[string]unix.Errno) func(*Options) {
	return func(o *Options) {
		o.Faults = func(call string) error {
			if number, ok := numbers[call]; ok {
				delete(numbers, call)
				return number
			}
			return nil
		}
	}
}

// Before Linux 6.6 and 5.8 no call changes the mode or the times of a file behind an O_PATH
// descriptor. An old container refuses the call.
func TestAttributesOnOlderKernels(t *testing.T) {
	for _, number := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM} {
		dir := tree(t, "file")
		f := open(t, dir,
			refusing(map[string]unix.Errno{"fchmodat2": number, "utimensat": unix.EINVAL}))
		is(t, "chmod", second(f.Chmod("/file", 0o640)), nil)
		if got := modeOf(t, dir, "file"); got != 0o640 {
			t.Errorf("%v: the mode is %v", number, got)
		}
		at := time.Unix(1_000_000_000, 0)
		is(t, "set times", second(f.SetTimes("/file", at)), nil)
		if e, err := f.Stat("/file"); err != nil || !e.ModTime.Equal(at) {
			t.Errorf("the time is %v, %v", e.ModTime, err)
		}
	}
	f := open(t, tree(t, "file"),
		refusing(map[string]unix.Errno{"fchmodat2": unix.ENOSYS, "chmod": unix.EROFS}))
	is(t, "chmod fails", second(f.Chmod("/file", 0o640)), ErrReadOnly)
}

// A change that the file system does not support is ErrCannot. So is an impossible group or mode,
// which is not an error of the name.
func TestAttributesThatAFileSystemHasNot(t *testing.T) {
	for _, number := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL} {
		f := open(t, tree(t, "file"), func(o *Options) {
			o.Faults = func(call string) error {
				if slices.Contains([]string{"fchmodat2", "chmod", "fchownat", "utimensat"}, call) {
					return number
				}
				return nil
			}
		})
		is(t, "chmod", second(f.Chmod("/file", 0o640)), ErrCannot)
		is(t, "chgrp", second(f.Chgrp("/file", 1)), ErrCannot)
		is(t, "set times", second(f.SetTimes("/file", time.Unix(1, 0))), ErrCannot)
	}
}

// SetTimes also sets the time of the last access.
func TestSetTimesSetsBoth(t *testing.T) {
	dir := tree(t, "file")
	is(t, "set times", second(open(t, dir).SetTimes("/file", time.Unix(1_000_000_000, 5))), nil)
	var st unix.Stat_t
	if err := unix.Stat(dir+"/file", &st); err != nil || st.Atim != st.Mtim ||
		st.Mtim != (unix.Timespec{Sec: 1_000_000_000, Nsec: 5}) {
		t.Errorf("%v and %v, %v", st.Atim, st.Mtim, err)
	}
}

// Users can change the attributes of their own files, with the new calls and with the old ones, and
// not those of other users.
func TestAttributesAsTheUser(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	u := newUsers(t, dir)
	for name, with := range map[string]func(*Options){
		"new": func(*Options) {},
		"old": refusing(map[string]unix.Errno{"fchmodat2": unix.ENOSYS, "utimensat": unix.EINVAL}),
	} {
		f := open(t, dir, by(u.alice), umask(0o022), with)
		is(t, name, upload(f, "/alice/file", "x", Creation{}), nil)
		is(t, name, second(f.Chmod("/alice/file", 0o600)), nil)
		owned(t, f, "/alice/file", aliceID, aliceID, 0o600)
		is(t, name, second(f.SetTimes("/alice/file", time.Unix(1_000_000_000, 0))), nil)
		is(t, name, f.Remove("/alice/file"), nil)
	}
	f := open(t, dir, by(u.alice))
	is(t, "upload", upload(f, "/alice/file", "x", Creation{}), nil)
	is(t, "to a group of hers", second(f.Chgrp("/alice/file", teamID)), nil)
	owned(t, f, "/alice/file", aliceID, teamID, 0o666)
	is(t, "to another's", second(f.Chgrp("/alice/file", bobID)), fs.ErrPermission)
	is(t, "to root's", second(f.Chgrp("/alice/file", 0)), fs.ErrPermission)
	owned(t, f, "/alice/file", aliceID, teamID, 0o666)
	name, err := f.Unique("/alice/unique")
	is(t, "unique", err, nil)
	f.SetUmask(0o077)
	is(t, "upload", upload(f, name, "x", Creation{New: true}), nil)
	owned(t, f, name, aliceID, aliceID, 0o600)
	bob := open(t, dir, by(u.bob))
	for call, err := range map[string]error{
		"chmod":  second(bob.Chmod(name, 0o666)),
		"chgrp":  second(bob.Chgrp(name, bobID)),
		"touch":  second(bob.SetTimes(name, time.Unix(0, 0))),
		"unique": second(bob.Unique("/alice/of-bob")),
	} {
		is(t, call, err, fs.ErrPermission)
	}
}
