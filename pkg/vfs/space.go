package vfs

import "math"

// Free returns how many bytes the user could still store on the file system of name, or of the
// directory where name would be created. It ignores quotas. errors.ErrUnsupported means that this
// system has no such call.
func (f *FS) Free(name string) (int64, error) {
	free := int64(0)
	err := f.on("look for space for", name, 0, func(at location) error {
		return f.within(at, 0, func(dir *parent, _ string) (err error) {
			free, err = dir.free()
			return err
		})
	})
	return free, err
}

// Free returns how many bytes the user could still store on the file system of the upload, like
// FS.Free.
func (u *Upload) Free() (int64, error) {
	if err := u.faults.check("fstatfs"); err != nil {
		return 0, u.opError("look for space for", err)
	}
	free, err := freeAt(u.file)
	return free, u.opError("look for space for", err)
}

// bytesOf returns the size of blocks in bytes, at most math.MaxInt64, because network file systems
// may report any number.
func bytesOf(blocks, size uint64) int64 {
	if size == 0 || blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
