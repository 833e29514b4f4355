package vfs

import "golang.org/x/sys/unix"

// available leaves out what only root may take.
func available(st *unix.Statfs_t) int64 { return bytesOf(st.Bavail, uint64(st.Bsize)) }
