package config

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// NeverServed reports whether a directory of the host is never served, even if server.roots
// contains it, because its files are interfaces of the kernel.
func NeverServed(dir string) bool { return Within(dir, "/proc") || Within(dir, "/sys") }

// ByRoot reports whether "/" in server.roots includes a directory. The other directories contain
// secrets of the machine or control it, so they are served only if they are named.
func ByRoot(dir string) bool {
	named := []string{"/boot", "/dev", "/etc", "/root", "/run"}
	return !NeverServed(dir) &&
		!slices.ContainsFunc(named, func(d string) bool { return Within(dir, d) })
}

// Serves reports whether roots, as Roots returns them, include a directory of the host. The path
// contains no symlinks.
func Serves(roots []string, dir string) bool {
	return !NeverServed(dir) && slices.ContainsFunc(roots, func(root string) bool {
		return Within(dir, root) && (root != "/" || ByRoot(dir))
	})
}

// Roots returns the directories of the host that may be served: server.roots, or else /home and
// every home, directory and mount that the configuration names. None is within another, except
// that directories remain beside "/" for which ByRoot reports false. Without server.roots, "/"
// is never among them.
func (c *Config) Roots() []string {
	var roots []string
	if len(c.Server.Roots) > 0 {
		roots = slices.Clone(c.Server.Roots)
	} else {
		roots = []string{"/home"}
		for _, dir := range c.directories() {
			if root := FixedParent(dir); root != "/" {
				roots = append(roots, root)
			}
		}
	}
	slices.Sort(roots)
	var outer []string
	for _, r := range roots {
		includes := func(o string) bool { return Within(r, o) && (o != "/" || ByRoot(r)) }
		if !slices.ContainsFunc(outer, includes) {
			outer = append(outer, r)
		}
	}
	return outer
}

// directories returns the homes, directories and mounts that the configuration names.
func (c *Config) directories() []string {
	dirs := []string{homeRoot(c.Defaults.Home, c.Defaults.CreateHome)}
	if c.Anonymous.Enabled {
		dirs = append(dirs, c.Anonymous.Directory)
	}
	override := func(o *Override) {
		dirs = append(dirs, homeRoot(o.Home, c.MakesHome(o)))
		for _, m := range o.Mounts {
			dirs = append(dirs, m.Directory)
		}
	}
	for i := range c.Groups {
		override(&c.Groups[i].Override)
	}
	for i := range c.Users {
		override(&c.Users[i].Override)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return dir == "" })
}

// MakesHome reports whether create_home is in force where o overrides the defaults.
func (c *Config) MakesHome(o *Override) bool {
	if slices.Contains(o.Set, "create_home") {
		return o.CreateHome
	}
	return c.Defaults.CreateHome
}

// homeRoot returns the directory that must be served for a home. With create it is the parent of
// the home, in which the home is created, unless the parent is "/".
func homeRoot(home string, create bool) string {
	if parent := path.Dir(home); create && home != "" && parent != "/" {
		return parent
	}
	return home
}

// FixedParent returns the directory, or if it contains {user} the innermost directory above it
// that does not.
func FixedParent(dir string) string {
	if before, _, ok := strings.Cut(dir, userWord); ok {
		dir = path.Dir(before + "x")
	}
	return path.Clean(dir)
}

// ExpandRoots replaces "/" in roots by the directories below it that are served by it (ByRoot), and
// leaves out roots that are never served. top holds the names of the entries of "/".
func ExpandRoots(roots, top []string) []string {
	var out []string
	for _, root := range roots {
		root = filepath.Clean(root)
		switch {
		case NeverServed(root):
		case root == "/":
			for _, name := range top {
				if dir := "/" + name; ByRoot(dir) {
					out = append(out, dir)
				}
			}
		default:
			out = append(out, root)
		}
	}
	return out
}
