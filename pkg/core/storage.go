package core

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ftpd/pkg/vfs"
)

// What an upload may take: no file becomes larger than max_file_size, and limits.min_free_space is left to the file system. Both are
// looked at before the data connection is, as far as the size is known, and again while bytes arrive.

var errFull = reply(452, "The file system has too little free space.")

// oversize makes vfs.ErrLimit the reply that names the limit.
func oversize(limit int64, err error) error {
	if !errors.Is(err, vfs.ErrLimit) {
		return err
	}
	return reply(552, "A file may have %d bytes at most.", limit).Because(fmt.Errorf("max_file_size: %w", err))
}

// mayStore is why an upload cannot begin. The client may have announced its size.
func (s *Session) mayStore(name string, c vfs.Creation, announced int64) error {
	err := s.login.fs.CanCreate(name, c)
	if err == nil && c.Most > 0 && announced > c.Most {
		err = fmt.Errorf("%d bytes are announced: %w", announced, vfs.ErrLimit)
	}
	if err != nil {
		return oversize(c.Most, err)
	}
	least := int64(s.srv.config.Limits.MinFreeSpace)
	if least == 0 {
		return nil
	}
	free, err := s.login.fs.Free(name)
	if err != nil {
		return err
	}
	return enough(free-announced, least)
}

// enough says that so many bytes may be left free.
func enough(free, least int64) error {
	if free >= least {
		return nil
	}
	return errFull.Because(fmt.Errorf("min_free_space: %d bytes would be free, of %d", max(0, free), least))
}

// announcedBy is the number of bytes in the argument of ALLO, 0 where there is none (RFC 959 §4.1.3).
func announcedBy(arg string) int64 {
	first, _, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// A reserve watches that an upload leaves enough to its file system, which others fill too. A nil one lets all pass.
type reserve struct {
	up    *vfs.Upload
	least int64     // bytes that stay free
	at    int64     // looked at again when so many have arrived,
	due   time.Time // or at this time
}

func (srv *Server) reserve(up *vfs.Upload) *reserve {
	least := int64(srv.config.Limits.MinFreeSpace)
	if least == 0 {
		return nil
	}
	return &reserve{up: up, least: least}
}

// look looks now and then, the more often the less there is.
func (r *reserve) look(arrived int64) error {
	if r == nil || arrived < r.at && time.Now().Before(r.due) {
		return nil
	}
	free, err := r.up.Free()
	if err == nil {
		err = enough(free, r.least)
	}
	r.at = arrived + min(max(1<<20, (free-r.least)/2), 64<<20)
	r.due = time.Now().Add(time.Second)
	return err
}
