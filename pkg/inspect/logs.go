package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// logs tells which logs a start could not open. It makes none.
func (l *look) logs() {
	l.log("log.file", l.Config.Log.File)
	l.log("log.transfer_log", l.Config.Log.TransferLog)
}

func (l *look) log(id, file string) {
	if file == "" {
		return
	}
	if err := writable(file); err != nil && (isRoot() || !errors.Is(err, fs.ErrPermission)) { // root may be who starts it
		l.Tell(id, false, "%v", err)
	}
}

// writable says why a file could be neither opened for writing nor made.
func writable(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(file)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no directory %s", dir)
		}
		return nil
	}
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() { // to open a FIFO may take for ever
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
