//go:build !osroot

package vfs

const osRoot = false
