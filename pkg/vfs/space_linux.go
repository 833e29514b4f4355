package vfs

import "golang.org/x/sys/unix"

// available returns the free bytes without those that are reserved for root.
func available(st *unix.Statfs_t) int64 {
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	return bytesOf(st.Bavail, uint64(unit))
}
