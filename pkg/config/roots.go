package config

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// NeverServed says that a directory of the host is not served, whatever server.roots says: its files are doors into the kernel.
func NeverServed(dir string) bool { return Within(dir, "/proc") || Within(dir, "/sys") }

// ByRoot says that a directory is served where server.roots has "/". The others hold the machine's secrets and controls, so they are
// served only if they are named.
func ByRoot(dir string) bool {
	named := []string{"/boot", "/dev", "/etc", "/root", "/run"}
	return !NeverServed(dir) && !slices.ContainsFunc(named, func(d string) bool { return Within(dir, d) })
}

// Roots are the directories of the host that may be served: server.roots, or else /home and every home, directory and mount that the
// configuration names. None lies within another, but what is named beside "/" stays where ByRoot does not hold for it. Without
// server.roots, "/" is never among them.
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
		if !slices.ContainsFunc(outer, func(o string) bool { return Within(r, o) && (o != "/" || ByRoot(r)) }) {
			outer = append(outer, r)
		}
	}
	return outer
}

// directories are the homes, directories and mounts that the configuration names.
func (c *Config) directories() []string {
	dirs := []string{madeIn(c.Defaults.Home, c.Defaults.CreateHome)}
	if c.Anonymous.Enabled {
		dirs = append(dirs, c.Anonymous.Directory)
	}
	override := func(o *Override) {
		dirs = append(dirs, madeIn(o.Home, c.MakesHome(o)))
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

// MakesHome says whether create_home is in force where o overrides the defaults.
func (c *Config) MakesHome(o *Override) bool {
	if slices.Contains(o.Set, "create_home") {
		return o.CreateHome
	}
	return c.Defaults.CreateHome
}

// madeIn is what must be served so that a home can be made: the directory that it will lie in, unless that is "/".
func madeIn(home string, create bool) string {
	if parent := path.Dir(home); create && home != "" && parent != "/" {
		return parent
	}
	return home
}

// FixedParent is the directory, or as much of it as comes before {user}.
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
