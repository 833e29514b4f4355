package vfs

import "golang.org/x/sys/unix"

// available returns the free bytes without those that are reserved for root.
func available(st *unix.Statfs_t) int64 { return bytesOf(st.Bavail, uint64(st.Bsize)) }
