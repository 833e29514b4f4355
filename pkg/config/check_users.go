package config

import (
	"reflect"
	"slices"
	"strings"
)

// A scope is a table with settings: [defaults], a [[group]] or a [[user]].
type scope struct {
	id       string // "defaults", "group[0]", "user[0]"
	settings *Settings
	override *Override // nil for [defaults]
}

// scopes returns all scopes, [defaults] first.
func (s *Source) scopes() []scope {
	all := []scope{{"defaults", &s.Config.Defaults, nil}}
	for i := range s.Config.Groups {
		o := &s.Config.Groups[i].Override
		all = append(all, scope{item("group", i), &o.Settings, o})
	}
	for i := range s.Config.Users {
		o := &s.Config.Users[i].Override
		all = append(all, scope{item("user", i), &o.Settings, o})
	}
	return all
}

// checkScopes checks the settings of each scope.
func (s *Source) checkScopes() {
	for _, sc := range s.scopes() {
		st := sc.settings
		s.directory(sc.id+".home", &st.Home)
		s.ftpPath(sc.id+".start_directory", &st.StartDirectory)
		s.reply(sc.id+".login_message", st.LoginMessage)
		s.reply(sc.id+".quit_message", st.QuitMessage)
		if id := sc.id + ".run_as"; s.given(id) && st.RunAs != "" {
			s.account(id, st.RunAs)
		}
		switch id := sc.id + ".umask"; {
		case !s.given(id) || s.failed[id]:
		case st.Umask > 0o777:
			s.problem(id, "\"%s\" is not a mask of permission bits: \"777\" at most", st.Umask)
		case st.Umask&0o700 != 0:
			s.warn(id, "\"%s\" takes rights to new files from their own owner", st.Umask)
		}
		if sc.override != nil {
			s.checkRules(sc)
			s.checkMounts(sc)
		}
	}
	if s.hostPath("anonymous.directory", &s.Config.Anonymous.Directory) {
		s.onlyPlaceholders("anonymous.directory", s.Config.Anonymous.Directory, userWord)
	}
	if s.given("anonymous.run_as") && s.Config.Anonymous.RunAs != "" {
		s.account("anonymous.run_as", s.Config.Anonymous.RunAs)
	}
}

// directory checks a directory of the host, which may contain {user}.
func (s *Source) directory(id string, dir *string) {
	if !s.hostPath(id, dir) {
		return
	}
	s.onlyPlaceholders(id, *dir, userWord)
	if NeverServed(*dir) {
		s.problem(id, "%s is never served", *dir)
	}
}

func (s *Source) checkRules(sc scope) {
	seen := map[string]string{}
	for i := range sc.override.Rules {
		r, id := &sc.override.Rules[i], item(sc.id+".rule", i)
		s.needed(id + ".path")
		s.needed(id + ".permissions")
		if s.ftpPath(id+".path", &r.Path) {
			s.unique(seen, id+".path", r.Path, r.Path)
		}
	}
}

func (s *Source) checkMounts(sc scope) {
	seen := map[string]string{}
	for i := range sc.override.Mounts {
		m, id := &sc.override.Mounts[i], item(sc.id+".mount", i)
		s.needed(id + ".path")
		s.needed(id + ".directory")
		s.directory(id+".directory", &m.Directory)
		if !s.ftpPath(id+".path", &m.Path) {
			continue
		}
		s.unique(seen, id+".path", m.Path, m.Path)
		if m.Path == "/" {
			s.problem(id+".path", "the home is at \"/\": set home instead")
		}
		samePath := func(r Rule) bool { return r.Path == m.Path }
		if !m.Inherit && slices.ContainsFunc(sc.override.Rules, samePath) {
			s.problem(id+".permissions", "a rule for %s says what may be done there, too", m.Path)
		}
	}
}

// needed reports a key that is missing or empty.
func (s *Source) needed(id string) {
	if !s.given(id) {
		s.problem(id, "missing")
		return
	}
	v, _ := lookUp(reflect.ValueOf(s.Config).Elem(), id)
	if v.Kind() == reflect.String && v.String() == "" && !s.failed[id] {
		s.problem(id, "empty")
	}
}

// checkUsers checks the names of [[group]] and [[user]], and the passwords.
func (s *Source) checkUsers() {
	groups, users := map[string]string{}, map[string]string{}
	for i, g := range s.Config.Groups {
		if id := item("group", i) + ".name"; s.name(id, g.Name) {
			s.unique(groups, id, g.Name, g.Name)
			if strings.HasPrefix(g.Name, "@") {
				s.problem(id, "the name of a group stands here without \"@\"")
			}
		}
	}
	for i, u := range s.Config.Users {
		id := item("user", i)
		if s.name(id+".name", u.Name) {
			s.unique(users, id+".name", u.Name, u.Name)
			if strings.HasPrefix(u.Name, "@") {
				s.problem(id+".name", "a group stands in [[group]], without \"@\"")
			}
		}
		switch password := id + ".password"; {
		case !s.given(password) || s.failed[password]:
		case u.Password == "":
			s.problem(password, "empty; a system user has no such key")
		case u.Name == AnonymousUser:
			s.problem(password, "anonymous users type what they like: leave this out")
		}
	}
}
