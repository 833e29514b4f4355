//go:build unix

package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// OpenLog opens a file for appending. If create is true and the file is missing, OpenLog creates it
// so that its owner may write and its group may read.
//
// The path must be trusted as that of Path, with one exception: a group may write to the file and
// to directories, as the group syslog does in /var/log of Ubuntu. The members of the group can make
// OpenLog open neither a link of theirs, nor a file of another owner or with a second name.
func OpenLog(path string, create bool) (*os.File, error) {
	a := account{uid: uint32(os.Geteuid()), logs: true}
	real, err := walk(path, a)
	if errors.Is(err, fs.ErrNotExist) {
		dir, name := filepath.Split(path)
		if real, err = walk(dir, a); err == nil {
			real = filepath.Join(real, name)
		}
	}
	if err != nil {
		return nil, err
	}
	// With O_NONBLOCK, the open of a FIFO without a reader fails instead of waiting for one.
	flags := os.O_WRONLY | os.O_APPEND | syscall.O_NONBLOCK
	if create {
		flags |= os.O_CREATE
	}
	open := openWithoutLinks
	if strings.HasPrefix(real, "/proc/") { // a descriptor, such as /dev/stdout
		open = os.OpenFile
	}
	file, err := open(real, flags, 0o640)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: a symbolic link leads to another file or directory", real)
	}
	if err != nil {
		return nil, err
	}
	if err := a.checkLog(real, file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// checkLog checks the file that was opened.
func (a account) checkLog(path string, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return fmt.Errorf("%s: the file has another name (a hard link), which may be that of "+
			"no log", path)
	}
	return a.check(path, path, info)
}
