package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// checkPrograms checks [[hook]] and [[site]].
func (s *Source) checkPrograms() {
	placeholders := []string{"{event}", "{user}", "{ip}", "{session}", "{path}", "{virtual_path}",
		"{bytes}", "{seconds}", "{verdict}"}
	for i, h := range s.Config.Hooks {
		id := item("hook", i)
		if len(h.On) == 0 && !s.failed[id+".on"] {
			s.problem(id+".on", "missing: a hook waits for one event at least")
		}
		s.command(id+".command", h.Command, placeholders)
		s.timeout(id+".timeout", h.Timeout)
		if h.RunAs != "" {
			if err := checkName(h.RunAs); err != nil {
				s.problem(id+".run_as", "%v", err)
			}
		}
	}
	seen := map[string]string{}
	for i, c := range s.Config.Sites {
		id := item("site", i)
		s.command(id+".command", c.Command, []string{"{path}", "{arg}"})
		s.timeout(id+".timeout", c.Timeout)
		s.reply(id+".help", c.Help)
		s.siteName(seen, id+".name", c.Name)
		if !s.given(id + ".permission") {
			s.problem(id+".permission", "missing: say which permission the command needs")
		} else if n := len(c.Permission.Words()); n != 1 && !s.failed[id+".permission"] {
			s.problem(id+".permission", "one permission is needed, such as \"delete\"")
		}
	}
}

// builtinSites are the SITE commands of the service itself.
var builtinSites = []string{"CHGRP", "CHMOD", "HELP", "IDLE", "UMASK", "UTIME"}

func (s *Source) siteName(seen map[string]string, id, name string) {
	upper := strings.ToUpper(name)
	switch {
	case s.failed[id]:
	case !s.given(id):
		s.problem(id, "missing")
	case upper == "" || strings.Trim(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "":
		s.problem(id, "%q is not a word of letters and digits", name)
	case slices.Contains(builtinSites, upper):
		s.problem(id, "the service has a SITE %s of its own", upper)
	default:
		s.unique(seen, id, upper, name)
	}
}

// command checks a program with its arguments, which may contain the known placeholders.
func (s *Source) command(id string, command []string, known []string) {
	switch {
	case s.failed[id]:
		return
	case len(command) == 0:
		s.problem(id, "missing: the program and its arguments")
		return
	case !filepath.IsAbs(command[0]) && !strings.HasPrefix(command[0], "/") && !s.failed[id+"[0]"]:
		s.problem(id+"[0]", "%q is not the absolute path of a program", command[0])
	}
	for i, arg := range command {
		s.onlyPlaceholders(item(id, i), arg, known...)
	}
}

func (s *Source) timeout(id string, d Duration) {
	if d == 0 && s.given(id) && !s.failed[id] {
		s.problem(id, "a program needs some time")
	}
}

// checkHosts checks [[host]].
func (s *Source) checkHosts() {
	seen := map[string]string{}
	for i := range s.Config.Hosts {
		h, id := &s.Config.Hosts[i], item("host", i)
		s.reply(id+".banner", h.Banner)
		s.hostPath(id+".certificate", &h.Certificate)
		s.hostPath(id+".key", &h.Key)
		if h.Key != "" && h.Certificate == "" && !s.failed[id+".certificate"] {
			s.problem(id+".key", "a key needs a certificate")
		}
		switch name := id + ".name"; {
		case s.failed[name]:
		case !s.given(name):
			s.problem(name, "missing")
		case !hostName.MatchString(h.Name):
			s.problem(name, "%q is not a host name", h.Name)
		default:
			s.unique(seen, name, strings.ToLower(strings.TrimSuffix(h.Name, ".")), h.Name)
		}
	}
}
