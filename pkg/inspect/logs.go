package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// logs reports the log files that a start could not open. It creates no file.
func (l *inspection) logs() {
	l.log("log.file", l.Config.Log.File)
	l.log("log.transfer_log", l.Config.Log.TransferLog)
}

func (l *inspection) log(id, file string) {
	if file == "" {
		return
	}
	err := checkWritable(file)
	if errors.Is(err, fs.ErrPermission) && !isRoot() {
		return // root may start the service
	}
	if err != nil {
		l.Report(id, false, "%v", err)
	}
}

// checkWritable returns an error if a file can be neither opened for writing nor created.
func checkWritable(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(file)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no directory %s", dir)
		}
		return nil
	}
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() { // opening a FIFO may block
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
