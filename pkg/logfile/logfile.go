// Package logfile writes the files of the log and of the transfer log. Only the supervisor opens them,
// because their directories are not served.
package logfile

import (
	"fmt"
	"os"
	"sync"

	"ftpd/pkg/trust"
)

// A File is a log file. Write opens it again if its path no longer leads to the open file, so
// that a program that rotates logs need not signal the service. If the file cannot be opened
// again, Write continues with the old file and reports the error on stderr.
type File struct {
	path string

	mu        sync.Mutex
	file      *os.File    // guarded by mu
	info      os.FileInfo // of file; guarded by mu
	lastError string      // the error of the last Write, "" for none; guarded by mu
}

// Open opens the file for appending, and creates a missing one. It returns an error if the file
// or the way to it is not trusted (trust.OpenLog); Write does not open such a file again, either.
func Open(path string) (*File, error) {
	f := &File{path: path}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

// Write writes p, which holds one or more complete lines.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if now, statErr := os.Stat(f.path); statErr != nil || !os.SameFile(now, f.info) {
		err = f.reopen()
	}
	n, writeErr := f.file.Write(p)
	if writeErr != nil {
		err = writeErr
	}
	f.reportLocked(err)
	return n, writeErr
}

// reportLocked writes err to stderr unless the Write before failed with the same error.
func (f *File) reportLocked(err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	if now != "" && now != f.lastError {
		fmt.Fprintln(os.Stderr, "ftpd: the log:", err)
	}
	f.lastError = now
}

func (f *File) reopen() error {
	file, err := trust.OpenLog(f.path, true)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.info = file, info
	return nil
}
