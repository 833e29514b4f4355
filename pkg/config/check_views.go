package config

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// A view is a directory of the host that a user of the configuration reaches, with the account
// as which its files are accessed.
type view struct {
	id        string // of the key that names the directory
	user      string
	account   string
	directory string
	at        string // the FTP path where it is shown
	rights    Rights
}

// togetherViews warns of a view that contains the home of another user of the same account,
// because the kernel cannot separate the two users. Equal directories are shared on purpose.
func (s *Source) togetherViews() {
	homes, views := map[string][]view{}, []view(nil) // homes by account
	add := func(user, id string) {
		home, reached := s.Config.viewsOf(user, id)
		if home.directory != "" {
			homes[home.account] = append(homes[home.account], home)
			views = append(views, reached...)
		}
	}
	if s.Config.Anonymous.Enabled {
		add(AnonymousUser, "anonymous.directory")
	}
	for i, u := range s.Config.Users {
		if id := item("user", i); u.Password != "" && !s.reported[id+".name"] {
			add(u.Name, id+".home")
		}
	}
	for _, of := range homes {
		slices.SortStableFunc(of, func(a, b view) int { return a.compare(below(b.directory)) })
	}
	for _, v := range views {
		if home, found := v.exposes(homes[v.account]); found && !s.reported[v.id] {
			s.warn(v.id, "%s contains the home of %q, %s, and both users act as the account %q: "+
				"set another run_as, or put the directories beside each other",
				v.directory, home.user, home.directory, v.account)
		}
	}
}

// viewsOf returns the home of a user, set by the key id, and all directories that the user
// reaches: the home, or with confine = false the whole host, and the mounts.
func (c *Config) viewsOf(user, id string) (home view, reached []view) {
	e, err := c.For(user, nil)
	if err != nil {
		return view{}, nil // the name is reported already
	}
	home = view{id: id, user: user, account: e.RunAs, directory: e.Home, at: "/"}
	home.rights = e.Rights()
	root := home
	if !e.Confine {
		root.directory = "/"
	}
	reached = []view{root}
	for _, l := range c.layers(user, nil) {
		for i, m := range l.Mounts {
			v := home
			v.id, v.at = item(l.id+".mount", i)+".directory", m.Path
			v.directory = strings.ReplaceAll(m.Directory, userWord, user)
			reached = append(reached, v)
		}
	}
	return home, reached
}

// exposes returns a home of another user below the directory of the view, if the user of the
// view has any permission there. The homes are sorted.
func (v view) exposes(homes []view) (view, bool) {
	dir := below(v.directory)
	first, _ := slices.BinarySearchFunc(homes, dir, view.compare)
	for _, h := range homes[first:] {
		inside, ok := strings.CutPrefix(below(h.directory), dir)
		if !ok {
			break
		}
		if inside != "" && h.user != v.user && v.rights.At(path.Join(v.at, inside)) != 0 {
			return h, true
		}
	}
	return view{}, false
}

// compare compares the directory of a view with a result of below.
func (v view) compare(dir string) int { return cmp.Compare(below(v.directory), dir) }

// below returns the prefix of all paths below a directory.
func below(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }
