//go:build linux && cgo

package pamhelper

/*
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
	"unsafe"

	"ftpd/pkg/unixauth/internal/wire"
)

const maxEntry = 1 << 20 // bytes of one entry of a database

// lookup returns the entry of an account, or nil if there is none. Package os/user calls the
// same function of libc but does not return the shell.
func lookup(name string) (*wire.Passwd, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var pwd C.struct_passwd
	var found *C.struct_passwd
	var p *wire.Passwd
	err := withBuffer(func(buf *C.char, size C.size_t) syscall.Errno {
		errno := C.getpwnam_r(cname, &pwd, buf, size, &found)
		if errno == 0 && found != nil {
			p = &wire.Passwd{
				Name: C.GoString(pwd.pw_name), UID: uint32(pwd.pw_uid), GID: uint32(pwd.pw_gid),
				Home: C.GoString(pwd.pw_dir), Shell: C.GoString(pwd.pw_shell),
			}
		}
		return syscall.Errno(errno)
	})
	if err != nil {
		return nil, fmt.Errorf("getpwnam: %w", err)
	}
	if p == nil {
		return nil, nil
	}
	for _, s := range []string{p.Name, p.Home, p.Shell} {
		if !utf8.ValidString(s) {
			return nil,
				fmt.Errorf("getpwnam: name, home or shell in the entry of %q is not UTF-8", name)
		}
	}
	return p, nil
}

// withoutPassword returns why no password can be right for the account: it is locked (by
// usermod -L, or because none was ever set), or empty. It returns "" otherwise.
func withoutPassword(name string) (why string) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var entry C.struct_spwd
	var found *C.struct_spwd
	// Where /etc/shadow cannot be read, there is nothing to return.
	_ = withBuffer(func(buf *C.char, size C.size_t) syscall.Errno {
		errno := C.getspnam_r(cname, &entry, buf, size, &found)
		if errno != 0 || found == nil {
			return syscall.Errno(errno)
		}
		switch hash := C.GoString(entry.sp_pwdp); {
		case hash == "":
			why = "its password is empty in /etc/shadow, and an account without one may not log in"
		case strings.ContainsAny(hash, "!*"):
			why = "its password is locked in /etc/shadow"
		}
		return 0
	})
	return why
}

// loginShell reports whether /etc/shells contains the shell.
func loginShell(shell string) bool {
	C.setusershell()
	defer C.endusershell()
	for s := C.getusershell(); s != nil; s = C.getusershell() {
		if C.GoString(s) == shell {
			return true
		}
	}
	return false
}

// withBuffer calls a function of libc with larger and larger buffers until the entry fits, as
// the functions with names in _r require.
func withBuffer(call func(*C.char, C.size_t) syscall.Errno) error {
	for size := C.size_t(4096); size <= maxEntry; size *= 4 {
		buf := (*C.char)(C.malloc(size))
		errno := call(buf, size)
		C.free(unsafe.Pointer(buf))
		switch errno {
		case syscall.ERANGE:
			continue
		case 0, syscall.ENOENT, syscall.ESRCH, syscall.EBADF, syscall.EPERM:
			return nil // getpwnam(3) lists these for "not found"
		default:
			return errno
		}
	}
	return syscall.ERANGE
}

// setGroups sets the groups of this process to those of the account, with initgroups(3).
func setGroups(p *wire.Passwd) error {
	cname := C.CString(p.Name)
	defer C.free(unsafe.Pointer(cname))
	if r, err := C.initgroups(cname, C.gid_t(p.GID)); r != 0 {
		return err
	}
	return nil
}

// groupsOf returns the groups of an account.
func groupsOf(p *wire.Passwd) (*wire.Session, error) {
	u := user.User{Username: p.Name, Gid: strconv.FormatUint(uint64(p.GID), 10)}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	var gids []uint32
	for _, id := range ids {
		gid, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		gids = append(gids, uint32(gid))
	}
	return named(gids)
}

// named returns the groups with their names. A group without a name has only its number.
func named(gids []uint32) (*wire.Session, error) {
	s := &wire.Session{GIDs: gids}
	for _, gid := range gids {
		name, err := groupName(gid)
		if err != nil {
			return nil, err
		}
		if name != "" {
			s.Groups = append(s.Groups, name)
		}
	}
	return s, nil
}

// groupName returns the name of a group, or "" if it has none. A name that is not UTF-8 is "",
// too, because a message cannot contain it.
func groupName(gid uint32) (string, error) {
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10))
	var unknown user.UnknownGroupIdError
	if errors.As(err, &unknown) || err == nil && !utf8.ValidString(g.Name) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return g.Name, nil
}

// userName returns the name of a user, or "" in the same cases as groupName.
func userName(uid uint32) (string, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	var unknown user.UnknownUserIdError
	if errors.As(err, &unknown) || err == nil && !utf8.ValidString(u.Username) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

// groupID returns the id of a group, or nil if there is no group of that name.
func groupID(name string) (*uint32, error) {
	g, err := user.LookupGroup(name)
	var unknown user.UnknownGroupError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	id := uint32(gid)
	return &id, err
}
