package impersonate

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// identity is the identity of the process, which each thread returns to after a section.
type identity struct {
	uid, gid uint32
	groups   []int
	err      error // of reading the groups; if it is set, no section runs
}

// noID is an invalid id. setfsuid and setfsgid, called with it, change nothing and return the
// present id.
const noID = -1

// ownIdentity returns the identity of the process. It reads the real ids, because setfsuid(2)
// always accepts these.
func ownIdentity() identity {
	groups, err := unix.Getgroups()
	return identity{
		uid: uint32(unix.Getuid()), gid: uint32(unix.Getgid()), groups: groups, err: err,
	}
}

// check returns an error if no section may run with this identity, or if the caller is inside
// a section. It detects the latter from the uid of the thread, which differs from that of the
// process. (If the user of the section is that of the process, a section inside it is
// harmless.)
func (id *Identity) check() error {
	if own := id.threads.own; own.err != nil {
		return fmt.Errorf("groups of the process: %w", own.err)
	}
	if id.as.UID == 0 {
		return ErrRoot
	}
	if fsuid() != id.threads.own.uid {
		return ErrNested
	}
	return nil
}

// section runs call as the user and sends its outcome on done, also if call panics or ends the
// goroutine.
func (id *Identity) section(call func() error, done chan<- error) {
	runtime.LockOSThread()
	err, regrouped := ErrExited, false
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{Value: r, Stack: debug.Stack()}
		}
		if id.leave(regrouped) {
			runtime.UnlockOSThread()
		} else if err == nil {
			err = ErrLost
		} else {
			err = fmt.Errorf("%w: %w", ErrLost, err)
		}
		done <- err // if leave has failed, the locked thread ends with this goroutine
	}()
	var refused error
	if regrouped, refused = id.enter(); refused != nil {
		err = refused
		return
	}
	err = call()
}

// enter sets the identity of the thread to the user. It reports whether it changed the groups.
// After an error the thread may have a part of that identity until leave restores it.
func (id *Identity) enter() (regrouped bool, err error) {
	if id.needsGroups() {
		if err := unix.Setgroups(id.groups); err != nil {
			return false, fmt.Errorf("groups of uid %d (CAP_SETGID is needed): %w", id.as.UID, err)
		}
		regrouped = true
	}
	setFSIDs(id.as.UID, id.as.GID)
	if uid, gid := fsuid(), fsgid(); uid != id.as.UID || gid != id.as.GID {
		return regrouped, fmt.Errorf(
			"the system refused uid %d, gid %d (CAP_SETUID and CAP_SETGID are needed): %w",
			id.as.UID, id.as.GID, unix.EPERM)
	}
	return regrouped, nil
}

// leave restores the identity of the process in the thread. It reports whether that succeeded.
func (id *Identity) leave(regrouped bool) bool {
	own := id.threads.own
	setFSIDs(own.uid, own.gid)
	if regrouped && unix.Setgroups(own.groups) != nil {
		return false
	}
	return fsuid() == own.uid && fsgid() == own.gid
}

// needsGroups reports whether the section has to change the supplementary groups. If neither
// the user nor the process has any besides the primary group, which fsgid covers, two system
// calls are saved.
func (id *Identity) needsGroups() bool {
	return len(id.groups) > 0 || len(id.threads.own.groups) > 0
}

// setFSIDs sets both ids of the calling thread. It ignores the results, because the kernel
// returns the previous ids both after a success and after a refusal.
func setFSIDs(uid, gid uint32) {
	_, _ = unix.SetfsgidRetGid(int(gid))
	_, _ = unix.SetfsuidRetUid(int(uid))
}

// fsuid returns the uid that the calling thread accesses files with. It returns noID, which is
// no user, if a filter of system calls refuses the query.
func fsuid() uint32 {
	uid, err := unix.SetfsuidRetUid(noID)
	if err != nil {
		uid = noID
	}
	return uint32(uid)
}

// fsgid returns the gid that the calling thread accesses files with, or noID like fsuid.
func fsgid() uint32 {
	gid, err := unix.SetfsgidRetGid(noID)
	if err != nil {
		gid = noID
	}
	return uint32(gid)
}
