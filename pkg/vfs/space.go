package vfs

import "math"

// Free is how many bytes more the user could store on the file system where name lies or would lie, whatever his quota is.
// errors.ErrUnsupported says that this system does not tell.
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

// Free is how many bytes more the user could store on the file system of the upload, as FS.Free.
func (u *Upload) Free() (int64, error) {
	if err := u.faults.ask("fstatfs"); err != nil {
		return 0, u.failed("look for space for", err)
	}
	free, err := freeAt(u.file)
	return free, u.failed("look for space for", err)
}

// bytesOf is the size of blocks, or as much of it as there is a number for: file systems of the network claim anything.
func bytesOf(blocks, size uint64) int64 {
	if size == 0 || blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
