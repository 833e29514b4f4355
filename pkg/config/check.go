package config

import (
	"fmt"
	"math"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The checks run after the configuration was read. They find values that their types permit but
// that are impossible, and keys that do not go together. They also clean paths.

// check runs all checks. Checks for missing keys run only when every file could be read,
// because the key may be in another file.
func (s *Source) check() {
	s.checkNumbers()
	s.checkServer()
	s.checkAuth()
	s.checkScopes()
	s.checkUsers()
	s.checkData()
	s.checkNAT()
	s.checkTLS()
	s.checkFiles()
	s.checkPrograms()
	s.checkHosts()
	if s.complete {
		s.checkTogether()
	}
}

// item returns the id of an item of a list.
func item(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// A bound has the least and the greatest value of a key.
type bound struct {
	key       string
	low, high int64
}

// bounds has a line for each key that is a number, where the type permits more.
var bounds = []bound{
	{"auth.min_uid", 1, math.MaxUint32 - 1}, // 0 is root, which may never log in
	{"auth.max_attempts", 1, 1000},
	{"defaults.max_sessions", 0, math.MaxInt32},
	{"limits.max_sessions", 0, math.MaxInt32},
	{"limits.max_sessions_per_ip", 0, math.MaxInt32},
	{"ban.failures", 0, math.MaxInt32},
	{"ban.address_failures", 0, math.MaxInt32},
	{"ban.commands_per_second", 0, math.MaxInt32},
	{"data.active_port", 0, 65535},
}

func (s *Source) checkNumbers() {
	root := reflect.ValueOf(s.Config).Elem()
	for _, b := range bounds {
		ids := []string{b.key}
		if setting, ok := strings.CutPrefix(b.key, "defaults."); ok {
			for _, sc := range s.scopes()[1:] {
				ids = append(ids, sc.id+"."+setting)
			}
		}
		for _, id := range ids {
			n, ok := lookUp(root, id)
			switch {
			case !ok || !s.given(id):
			case n.Int() < b.low:
				s.problem(id, "%d is too small: at least %d", n.Int(), b.low)
			case n.Int() > b.high:
				s.problem(id, "%d is too large: at most %d", n.Int(), b.high)
			}
		}
	}
}

// hostPath checks an absolute path of the host, and cleans it. It reports whether the path is
// valid and not empty.
func (s *Source) hostPath(id string, p *string) bool {
	isUnix := strings.HasPrefix(*p, "/")
	if !s.pathText(id, *p, isUnix || filepath.IsAbs(*p), "is not an absolute path") {
		return false
	}
	if isUnix { // it keeps its slashes on Windows
		*p = path.Clean(*p)
	} else {
		*p = filepath.Clean(*p)
	}
	return true
}

// ftpPath checks an absolute path of the user's tree, and cleans it. It reports whether the path
// is valid and not empty.
func (s *Source) ftpPath(id string, p *string) bool {
	const relative = `is not an absolute FTP path: it begins with "/"`
	if !s.pathText(id, *p, strings.HasPrefix(*p, "/"), relative) {
		return false
	}
	*p = path.Clean(*p)
	return true
}

// pathText checks the text of a path. It reports whether the text is valid and not empty. relative
// is the problem of a path that is not absolute.
func (s *Source) pathText(id, p string, isAbsolute bool, relative string) bool {
	switch {
	case p == "" || s.failed[id]:
		return false
	case !isAbsolute:
		s.problem(id, "%q %s", p, relative)
	case hasControl(p):
		s.problem(id, "%q has control characters", p)
	case hasDotDot(p):
		s.problem(id, "%q goes up by \"..\": write where it leads to", p)
	default:
		return true
	}
	return false
}

// placeholder matches a word in braces.
var placeholder = regexp.MustCompile(`\{[A-Za-z_]+\}`)

// onlyPlaceholders reports words in braces that are not known placeholders.
func (s *Source) onlyPlaceholders(id, text string, known ...string) {
	for _, word := range placeholder.FindAllString(text, -1) {
		if !slices.Contains(known, word) {
			s.problem(id, "%s is not filled in here; there is %s", word, strings.Join(known, " "))
		}
	}
}

// reply checks the text of a reply. It must not contain control characters but tabs and
// newlines.
func (s *Source) reply(id, text string) {
	if hasControl(strings.NewReplacer("\r\n", "", "\n", "", "\t", "").Replace(text)) {
		s.problem(id, "the text of a reply has no control characters")
	}
}

// name checks a required name that may become part of a path, and reports whether it is valid.
func (s *Source) name(id, name string) bool {
	if s.failed[id] {
		return false
	}
	if !s.given(id) {
		s.problem(id, "missing")
		return false
	}
	if err := checkName(name); err != nil {
		s.problem(id, "%v", err)
		return false
	}
	return true
}

// unique reports a name that is not the first of its kind. seen holds the earlier names with
// their ids.
func (s *Source) unique(seen map[string]string, id, name, shown string) {
	if first, duplicate := seen[name]; duplicate {
		s.problem(id, "%q is already at %s", shown, s.position(first))
		return
	}
	seen[name] = id
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// hasDotDot reports whether a path has a component "..".
func hasDotDot(p string) bool {
	isSeparator := func(r rune) bool { return r == '/' || r == filepath.Separator }
	return slices.Contains(strings.FieldsFunc(p, isSeparator), "..")
}
