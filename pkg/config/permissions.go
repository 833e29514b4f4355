package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Permissions is a set of permissions, each of which has a word in the file.
type Permissions uint16

const (
	List      Permissions = 1 << iota // LIST NLST MLSD MLST STAT SIZE MDTM
	Read                              // RETR HASH XCRC XMD5 XSHA1 XSHA256
	Write                             // STOR and STOU of new files
	Overwrite                         // replacing files: STOR, REST and STOR, RNTO onto a name
	Append                            // APPE, REST and STOR at the end
	Delete                            // DELE RMD
	Rename                            // RNFR RNTO
	Mkdir                             // MKD
	Chmod                             // SITE CHMOD, SITE CHGRP, SITE UMASK
	Touch                             // MFMT, MDTM with a time, SITE UTIME

	ReadOnly = List | Read
	DropBox  = Write | Mkdir
	Full     = List | Read | Write | Overwrite | Append | Delete | Rename | Mkdir | Chmod | Touch
)

// permissionWords are the words of the bits, in their order.
var permissionWords = []string{
	"list", "read", "write", "overwrite", "append", "delete", "rename", "mkdir", "chmod", "touch",
}

// permissionPresets are strings that a file may contain in place of a list of words.
var permissionPresets = []struct {
	name string
	set  Permissions
}{{"read-only", ReadOnly}, {"drop-box", DropBox}, {"full", Full}}

// Has reports whether every permission of want is in the set.
func (p Permissions) Has(want Permissions) bool { return p&want == want }

// Words returns the words of the set, in the order of permissionWords.
func (p Permissions) Words() []string {
	ws := []string{}
	for i, w := range permissionWords {
		if p&(1<<i) != 0 {
			ws = append(ws, w)
		}
	}
	return ws
}

// String returns the name of the preset, or the words with commas between them. The empty set
// is "".
func (p Permissions) String() string {
	if name := p.preset(); name != "" {
		return name
	}
	return strings.Join(p.Words(), ",")
}

func (p Permissions) preset() string {
	for _, preset := range permissionPresets {
		if p == preset.set {
			return preset.name
		}
	}
	return ""
}

// MarshalText returns the same text as String.
func (p Permissions) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a preset, or words with commas between them. "" is the empty set.
func (p *Permissions) UnmarshalText(text []byte) error {
	*p = 0
	if len(text) == 0 {
		return nil
	}
	for _, word := range strings.Split(string(text), ",") {
		set, err := permission(word)
		if err != nil {
			return err
		}
		*p |= set
	}
	return nil
}

// permission returns the permissions of one word or preset.
func permission(word string) (Permissions, error) {
	known := slices.Clone(permissionWords)
	for _, preset := range permissionPresets {
		if word == preset.name {
			return preset.set, nil
		}
		known = append(known, preset.name)
	}
	if i := slices.Index(permissionWords, word); i >= 0 {
		return 1 << i, nil
	}
	return 0, notAmong(word, known)
}

// decodeTOML reads one word or preset as a string, or a list of words.
func (p *Permissions) decodeTOML(v any, _ string) (err error) {
	const need = "a preset such as \"read-only\", " +
		"or a list of words such as [\"list\", \"read\"]"
	switch v := v.(type) {
	case string:
		*p, err = permission(v)
		return err
	case []any:
		*p = 0
		for _, item := range v {
			word, ok := item.(string)
			if !ok {
				return wrongType(need, item)
			}
			set, err := permission(word)
			if err != nil {
				return err
			}
			if !slices.Contains(permissionWords, word) {
				return fmt.Errorf("%q is a preset: write it alone, without a list", word)
			}
			*p |= set
		}
		return nil
	}
	return wrongType(need, v)
}

// Rights are the permissions of a user for all paths of the user's tree.
type Rights struct {
	Base  Permissions
	Rules []Rule // sorted: the longest path first
}

// NewRights returns the rights of a base and rules in any order. It does not modify rules.
func NewRights(base Permissions, rules []Rule) Rights {
	sorted := slices.Clone(rules)
	slices.SortStableFunc(sorted, func(a, b Rule) int { return len(b.Path) - len(a.Path) })
	return Rights{Base: base, Rules: sorted}
}

// At returns the permissions at an absolute FTP path: those of the rule with the longest path at
// or above it, or else the base. Paths are compared by components: a rule for /in does not apply
// to /inbox.
func (r Rights) At(ftpPath string) Permissions {
	ftpPath = path.Clean("/" + ftpPath)
	for _, rule := range r.Rules {
		if Within(ftpPath, rule.Path) {
			return rule.Permissions
		}
	}
	return r.Base
}

// Within reports whether a cleaned path, of the host or of FTP, is dir or is below it. Paths are
// compared by components.
func Within(name, dir string) bool {
	dir = strings.TrimSuffix(dir, "/")
	return name == dir || strings.HasPrefix(name, dir) && strings.HasPrefix(name[len(dir):], "/")
}
