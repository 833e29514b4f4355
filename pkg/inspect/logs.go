package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ftpd/pkg/trust"
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

// checkWritable returns an error if a start could neither open a file for appending nor create it.
func checkWritable(file string) error {
	dir := filepath.Dir(file)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory %s", dir)
	}
	f, err := trust.OpenLog(file, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// socket warns of a directory in which a start would not make the admin socket.
func (l *inspection) socket() {
	_, err := trust.Path(filepath.Dir(l.Config.Admin.Socket))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		l.Report("admin.socket", true, "ftpd who and ftpd kick will not reach the service: %v", err)
	}
}
