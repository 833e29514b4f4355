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

// lookup looks an account up; nil when there is none. Package os/user asks the same way but keeps the shell back.
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
			return nil, fmt.Errorf("getpwnam: name, home or shell in the entry of %q is not UTF-8", name)
		}
	}
	return p, nil
}

// withoutPassword returns why no password that can be typed is the account's: it is locked (usermod -L,
// or none was ever set), or empty. "" is that one may be.
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

// loginShell reports whether /etc/shells names the shell.
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

// withBuffer calls a function of libc with ever larger buffers, as the functions ending in _r demand.
func withBuffer(call func(*C.char, C.size_t) syscall.Errno) error {
	for size := C.size_t(4096); size <= maxEntry; size *= 4 {
		buf := (*C.char)(C.malloc(size))
		errno := call(buf, size)
		C.free(unsafe.Pointer(buf))
		switch errno {
		case syscall.ERANGE:
			continue
		case 0, syscall.ENOENT, syscall.ESRCH, syscall.EBADF, syscall.EPERM: // getpwnam(3) lists these for "not found"
			return nil
		default:
			return errno
		}
	}
	return syscall.ERANGE
}

// setGroups gives this process the account's groups, as initgroups(3) does.
func setGroups(p *wire.Passwd) error {
	cname := C.CString(p.Name)
	defer C.free(unsafe.Pointer(cname))
	if r, err := C.initgroups(cname, C.gid_t(p.GID)); r != 0 {
		return err
	}
	return nil
}

// groupsOf lists an account's groups.
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

// named adds the groups' names; a group without a name has only its number.
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

// groupName and userName give "" for an id without a name, and for one that no message could carry.
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

// groupID gives nil when there is no group of that name.
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
