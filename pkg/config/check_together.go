package config

import (
	"slices"
	"strings"
)

// checkTogether reports keys that do not go together. Each problem has the position of a key
// that a file sets.
func (s *Source) checkTogether() {
	s.togetherServer()
	s.togetherTLS()
	s.togetherAnonymous()
	s.togetherUsers()
	s.togetherGroups()
	s.togetherRunAs()
	s.togetherRoots()
	s.togetherViews()
}

func (s *Source) togetherServer() {
	c := s.Config
	if len(c.Server.Listen)+len(c.Server.ListenTLS) == 0 && !s.failed["server.listen"] &&
		!s.failed["server.listen_tls"] {
		s.problem("server.listen", "the service would listen nowhere")
	}
	if !c.Data.Passive && !c.Data.Active {
		s.problem("data.passive", "with data.active = false, too, no file can be moved")
	}
	ports, sessions := c.Data.PassivePorts.Len(), c.Limits.MaxSessions
	if ports > 0 && ports < sessions && c.Data.Passive && !s.reported["limits.max_sessions"] {
		s.warn("data.passive_ports", "%d ports are fewer than limits.max_sessions = %d, "+
			"each of which may wait at one: the others are answered 425; %d ports are enough",
			ports, sessions, sessions)
	}
	s.togetherActivePort()
	if limit := c.Limits.LoginTimeout; limit > 0 && c.Auth.FailureDelay >= limit {
		id := "auth.failure_delay"
		if !s.given(id) {
			id = "limits.login_timeout"
		}
		s.problem(id, "a failed login is answered after auth.failure_delay = \"%s\", "+
			"but limits.login_timeout = \"%s\" ends the session before",
			c.Auth.FailureDelay, limit)
	}
	if c.Ban.Failures+c.Ban.AddressFailures > 0 && c.Ban.Window == 0 {
		s.problem("ban.window", "failures cannot be counted over no time; "+
			"to switch them off, set failures and address_failures to 0")
	}
	if c.Ban.Failures+c.Ban.AddressFailures+c.Ban.CommandsPerSecond > 0 && c.Ban.Duration == 0 {
		s.problem("ban.duration", "a ban has to last; "+
			"to switch bans off, set failures, address_failures and commands_per_second to 0")
	}
	if c.Files.Publish == PublishComplete && !c.Files.AtomicUploads &&
		!s.failed["files.atomic_uploads"] {
		s.problem("files.publish", "\"complete\" needs files.atomic_uploads = true")
	}
}

// togetherActivePort reports a listener on the local port of active data connections, which
// must be free.
func (s *Source) togetherActivePort() {
	c := s.Config
	const id = "data.active_port"
	port := uint16(c.Data.ActivePort)
	if port == 0 || s.failed[id] {
		return
	}
	for _, a := range slices.Concat(c.Server.Listen, c.Server.ListenTLS) {
		if a.Port() == port {
			s.problem(id, "%d is a port on which the service listens", port)
			return
		}
	}
	if r := c.Data.PassivePorts; r.First <= port && port <= r.Last {
		s.problem(id, "%d is one of data.passive_ports", port)
	}
}

func (s *Source) togetherAnonymous() {
	a := &s.Config.Anonymous
	if a.Enabled && a.Directory == "" && !s.failed["anonymous.directory"] {
		s.problem("anonymous.directory", "a directory is needed")
	}
	if a.Enabled && a.Permissions&^ReadOnly != 0 {
		s.warn("anonymous.permissions", "anybody may change what is served to anonymous users")
	}
	for i := range s.Config.Users {
		u := &s.Config.Users[i]
		if u.Name == AnonymousUser && a.Enabled {
			s.warnAnonymousWrites(item("user", i), u)
		}
		for from, to := range map[string]string{"home": "directory", "run_as": "run_as",
			"permissions": "permissions"} {
			if u.Name == AnonymousUser && slices.Contains(u.Set, from) {
				s.problem(item("user", i)+"."+from, "set anonymous.%s instead", to)
			}
		}
	}
}

// warnAnonymousWrites warns if rules or mounts permit anonymous users to change files.
func (s *Source) warnAnonymousWrites(id string, u *User) {
	warn := func(id, path string, p Permissions) {
		if p&^ReadOnly != 0 {
			s.warn(id+".permissions", "anybody may change what is at and below %s", path)
		}
	}
	for i, r := range u.Rules {
		warn(item(id+".rule", i), r.Path, r.Permissions)
	}
	for i, m := range u.Mounts {
		if !m.Inherit {
			warn(item(id+".mount", i), m.Path, m.Permissions)
		}
	}
}

func (s *Source) togetherUsers() {
	for i := range s.Config.Users {
		u, id := &s.Config.Users[i], item("user", i)
		password := id + ".password"
		virtual := s.given(password) && !s.reported[password]
		home := u.Home
		if !slices.Contains(u.Set, "home") {
			home = s.Config.Defaults.Home
		}
		if virtual && home == "" && u.Name != AnonymousUser &&
			!s.reported[id+".home"] && !s.reported["defaults.home"] {
			s.problem(id+".home", "a user with a password here has no account with a home: "+
				"set it, here or in [defaults]")
		}
		if !s.given(password) && s.Config.Auth.Backend == BackendVirtual &&
			u.Name != AnonymousUser {
			s.problem(id+".password",
				"missing: with auth.backend = \"virtual\", nobody else knows the user")
		}
	}
}

// togetherGroups warns of system groups if there are no system users.
func (s *Source) togetherGroups() {
	c := s.Config
	if c.Auth.Backend != BackendVirtual {
		return
	}
	const none = "matches nobody: with auth.backend = \"virtual\", no user is in a system group"
	for i := range c.Groups {
		s.warn(item("group", i), none)
	}
	for key, names := range map[string][]string{"auth.allow": c.Auth.Allow,
		"auth.deny": c.Auth.Deny} {
		for i, n := range names {
			if strings.HasPrefix(n, "@") {
				s.warn(item(key, i), none)
			}
		}
	}
}

// togetherRunAs reports values of run_as that cannot work together. Either the service runs as
// root and accesses the files of each user as an account. Or it accesses all files as the user
// that runs the service, which must not be root, and there are no system users.
func (s *Source) togetherRunAs() {
	c := s.Config
	virtual := c.Auth.Backend == BackendVirtual
	inForce := c.RunAsInForce()
	for i, u := range c.Users {
		if password := item("user", i) + ".password"; s.given(password) &&
			(s.failed[password] || u.Password == "") {
			return // the password is reported already
		}
	}
	if virtual && len(inForce) == 0 {
		s.problem("auth.backend", "\"virtual\", and nobody can log in: "+
			"there is no [[user]] with a password, and no anonymous user")
	}
	if virtual && len(inForce) <= 1 {
		return
	}
	for _, id := range s.withoutRunAs() {
		if virtual {
			s.problem(id, "\"\" is for all or for nobody: other users have a run_as, "+
				"which only root can take, and root's own rights serve no one")
		} else {
			s.problem(id, "\"\" needs auth.backend = \"virtual\": "+
				"system users need root, whose rights serve no one else; name an account")
		}
	}
}

// idleRunAs warns of a run_as without effect: the files of system users are accessed as the user
// itself, and only system users are in a system group.
func (s *Source) idleRunAs() {
	const none = "nothing uses it: a system user's file access is the user's own"
	for i, g := range s.Config.Groups {
		if id := item("group", i) + ".run_as"; slices.Contains(g.Set, "run_as") && !s.reported[id] {
			s.warn(id, none)
		}
	}
	for i, u := range s.Config.Users {
		id := item("user", i) + ".run_as"
		system := !s.given(item("user", i)+".password") && u.Name != AnonymousUser &&
			s.Config.Auth.Backend != BackendVirtual
		if slices.Contains(u.Set, "run_as") && system && !s.reported[id] {
			s.warn(id, none)
		}
	}
}

// withoutRunAs returns the ids of the keys for which users of the configuration have no account
// in run_as.
func (s *Source) withoutRunAs() []string {
	c := s.Config
	var ids []string
	if c.Anonymous.Enabled && c.Anonymous.RunAs == "" {
		ids = append(ids, "anonymous.run_as")
	}
	for i, u := range c.Users {
		own := slices.Contains(u.Set, "run_as")
		switch {
		case u.Password == "" || own && u.RunAs != "":
		case own:
			ids = append(ids, item("user", i)+".run_as")
		case c.Defaults.RunAs == "" && !slices.Contains(ids, "defaults.run_as"):
			ids = append(ids, "defaults.run_as")
		}
	}
	return ids
}

// togetherRoots reports directories that the configuration names outside server.roots.
func (s *Source) togetherRoots() {
	roots := s.Config.Server.Roots
	if s.failed["server.roots"] {
		return
	}
	if a := &s.Config.Anonymous; a.Enabled {
		s.inRoots("anonymous.directory", a.Directory, roots)
	}
	for _, sc := range s.scopes() {
		s.inRoots(sc.id+".home", sc.settings.Home, roots)
		if sc.override != nil {
			for i, m := range sc.override.Mounts {
				s.inRoots(item(sc.id+".mount", i)+".directory", m.Directory, roots)
			}
		}
		id := sc.id + ".confine"
		if s.given(id) && !s.failed[id] && !sc.settings.Confine && !slices.Contains(roots, "/") {
			s.problem(id, "false needs server.roots = [\"/\"] as well")
		}
	}
}

// inRoots reports a directory outside the roots: its users could not log in.
func (s *Source) inRoots(id, dir string, roots []string) {
	if dir == "" || s.reported[id] {
		return
	}
	fixed := FixedParent(dir)
	switch {
	case len(roots) == 0 && fixed == "/":
		s.problem(id, "%q may be anywhere on the host: "+
			"name what is to be served in server.roots", dir)
	case len(roots) > 0 && !served(roots, fixed):
		s.problem(id, "%q lies outside server.roots: add %q there", dir, fixed)
	}
}
