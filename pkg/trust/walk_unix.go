//go:build unix

package trust

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxLinks bounds the symbolic links of a path, as the kernel does.
const maxLinks = 40

// Path returns the path without symbolic links. It returns an error if other accounts can change
// the file or directory, or what the path leads to.
//
// Each component is checked before the next one is looked up. So no other account can exchange what
// has been checked, and the result may be opened by its name.
func Path(path string) (string, error) {
	return walk(path, account{uid: uint32(os.Geteuid()), group: privateGroup()})
}

// An account is the account that runs the service.
type account struct {
	uid   uint32
	group int64 // its private group, -1 for none
	logs  bool  // their group may write to files and directories
}

// walk follows a path as the kernel does, and checks each component.
func walk(path string, a account) (string, error) {
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return "", err
		}
		path = dir + "/" + path // not Clean: "link/.." is the directory above the target
	}
	at, rest := "/", path
	info, err := os.Lstat(at)
	if err == nil {
		err = a.check(at, at, info)
	}
	for links := 0; err == nil; {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if name == "" && rest == "" {
			return at, nil
		}
		next := filepath.Join(at, name)
		if info, err = os.Lstat(next); err != nil {
			break
		}
		if err = a.check(next, at, info); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if strings.HasPrefix(next, "/proc/") && rest == "" {
			return next, a.descriptor(next)
		}
		var target string
		if target, err = os.Readlink(next); err == nil && links == maxLinks {
			err = &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		links, rest = links+1, target+"/"+rest
	}
	return "", err
}

// descriptor checks the file of a link in /proc, such as a pipe at /dev/stdin. The program that has
// started this one has opened it.
func (a account) descriptor(link string) error {
	info, err := os.Stat(link)
	if err != nil {
		return err
	}
	return a.check(link, link, info)
}

// check returns an error if another account can change the file at path, which is in the directory
// dir.
func (a account) check(path, dir string, info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t)
	own := st.Uid == 0 || st.Uid == a.uid
	var why string
	switch mode := info.Mode(); {
	case !own:
		why = fmt.Sprintf("%s belongs to uid %d, which can change it", path, st.Uid)
	case mode&fs.ModeSymlink != 0, mode.IsDir() && mode&fs.ModeSticky != 0:
		return nil
	case mode&0o002 != 0:
		why = "every account can change " + path
	case mode&0o020 != 0 && int64(st.Gid) != a.group && !a.logs:
		why = fmt.Sprintf("group %d can change %s", st.Gid, path)
	default:
		return nil
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		dir = path // may be a mount of its own
	}
	if readOnly(dir) {
		return nil
	}
	command := fmt.Sprintf("chmod go-w %s", quote(path))
	if !own || a.uid == 0 {
		command = fmt.Sprintf("chown root %s && %s", quote(path), command)
	}
	return fmt.Errorf("%s: %s", why, command)
}

// privateGroup returns the private group of the account that runs the process, -1 if it has none.
func privateGroup() int64 {
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		return -1
	}
	account, err := user.LookupId(strconv.Itoa(uid))
	if err != nil || account.Gid != strconv.Itoa(gid) {
		return -1
	}
	group, err := user.LookupGroupId(account.Gid)
	if err != nil || group.Name != account.Username {
		return -1
	}
	return int64(gid)
}
