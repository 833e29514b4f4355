package impersonate

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// identity is what a thread has: of the process, what each of its threads returns to.
type identity struct {
	uid, gid uint32
	groups   []int
	err      error // why it is not known; then no section runs
}

// noID asks setfsuid and setfsgid for the id in force: it is no valid id, so nothing changes.
const noID = -1

// ownIdentity reads the identity of the process, from the real ids: setfsuid(2) always accepts those back.
func ownIdentity() identity {
	groups, err := unix.Getgroups()
	return identity{uid: uint32(unix.Getuid()), gid: uint32(unix.Getgid()), groups: groups, err: err}
}

// check refuses what no section may run as, and a section inside a section: there the thread has another uid than the process.
// (Where both are the same user, the inner section is harmless.)
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

// section runs call as the user and sends its outcome, whatever happens to the goroutine.
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
		done <- err // still locked after a failure: the thread ends with this goroutine
	}()
	var refused error
	if regrouped, refused = id.enter(); refused != nil {
		err = refused
		return
	}
	err = call()
}

// enter gives the thread the user's identity, and says whether it changed the groups. After an error the thread may have any part of
// the identity, until leave.
func (id *Identity) enter() (regrouped bool, err error) {
	if id.needsGroups() {
		if err := unix.Setgroups(id.groups); err != nil {
			return false, fmt.Errorf("groups of uid %d (CAP_SETGID is needed): %w", id.as.UID, err)
		}
		regrouped = true
	}
	setFSIDs(id.as.UID, id.as.GID)
	if uid, gid := fsuid(), fsgid(); uid != id.as.UID || gid != id.as.GID {
		return regrouped, fmt.Errorf("the system refused uid %d, gid %d (CAP_SETUID and CAP_SETGID are needed): %w", id.as.UID, id.as.GID, unix.EPERM)
	}
	return regrouped, nil
}

// leave gives the thread the identity of the process back, and reports whether it has it.
func (id *Identity) leave(regrouped bool) bool {
	own := id.threads.own
	setFSIDs(own.uid, own.gid)
	if regrouped && unix.Setgroups(own.groups) != nil {
		return false
	}
	return fsuid() == own.uid && fsgid() == own.gid
}

// needsGroups reports whether the supplementary groups change. Two calls are spared where they would not: the primary group
// counts by fsgid already.
func (id *Identity) needsGroups() bool { return len(id.groups) > 0 || len(id.threads.own.groups) > 0 }

// setFSIDs sets both ids of the calling thread. The kernel answers with the ids before, obeyed or not, so its answer says nothing.
func setFSIDs(uid, gid uint32) {
	_, _ = unix.SetfsgidRetGid(int(gid))
	_, _ = unix.SetfsuidRetUid(int(uid))
}

// fsuid and fsgid read the calling thread's ids. A system call filter that refuses the question yields noID, which is nobody.
func fsuid() uint32 {
	uid, err := unix.SetfsuidRetUid(noID)
	if err != nil {
		uid = noID
	}
	return uint32(uid)
}

func fsgid() uint32 {
	gid, err := unix.SetfsgidRetGid(noID)
	if err != nil {
		gid = noID
	}
	return uint32(gid)
}
