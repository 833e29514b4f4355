//go:build !linux || osroot

package vfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A node is a file or directory with attributes to change, identified by its name below a
// directory.
type node struct {
	faults Faults
	parent *parent
	below  *os.Root
	name   string
	entry  Entry
	place  string
}

// node finds the file or directory that rel leads to.
func (r *root) node(rel string) (*node, error) {
	e, place, err := r.stat(rel, true, false)
	if err != nil {
		return nil, err
	}
	dir, base, err := r.split(rel)
	if err != nil {
		return nil, err
	}
	n := &node{faults: r.faults, parent: dir, below: dir.dir, name: base, entry: e, place: place}
	if !r.needsPlaces { // a link may lead out of its own directory, but not out of the root
		n.below, n.name = r.top, filepath.FromSlash(rel)
	}
	return n, nil
}

// describe returns the current attributes.
func (n *node) describe() (Entry, error) {
	if err := n.faults.check("stat"); err != nil {
		return Entry{}, err
	}
	info, err := n.below.Stat(n.name)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func (n *node) close() { n.parent.close() }

func (n *node) chmod(mode uint32) error {
	if err := n.faults.check("chmod"); err != nil {
		return err
	}
	m := fs.FileMode(mode & 0o777)
	for bit, special := range map[uint32]fs.FileMode{
		0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky,
	} {
		if mode&bit != 0 {
			m |= special
		}
	}
	return n.below.Chmod(n.name, m)
}

func (n *node) chgrp(gid uint32) error {
	if err := n.faults.check("chown"); err != nil {
		return err
	}
	return n.below.Chown(n.name, -1, int(gid))
}

func (n *node) setTimes(t time.Time) error {
	if err := n.faults.check("chtimes"); err != nil {
		return err
	}
	return n.below.Chtimes(n.name, t, t)
}
