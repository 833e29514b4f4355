package events

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// A File is a log that is opened again when its name leads to another file, or to none: whoever rotates it need not tell anybody. Where
// that fails, the old file is written on, and stderr gets to know it.
type File struct {
	path string

	mu      sync.Mutex
	file    *os.File    // guarded by mu
	info    os.FileInfo // of file; guarded by mu
	trouble string      // what was told last; guarded by mu
}

// OpenFile opens the file at the end, or makes it, for its owner to write and its group to read.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

// Write writes all of p, one or more whole lines.
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
	f.tell(err)
	return n, writeErr
}

// tell says once what is wrong, and says it again only after it was right.
func (f *File) tell(err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	if now != "" && now != f.trouble {
		fmt.Fprintln(os.Stderr, "ftpd: the log:", err)
	}
	f.trouble = now
}

func (f *File) reopen() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640) // a FIFO that nobody reads is an error, no wait
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
