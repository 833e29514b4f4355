package core

import (
	"context"
	"io/fs"
	"strconv"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/vfs"
)

// A factSet says which facts MLST and MLSD tell (RFC 3659 §7.5).
type factSet uint16

const (
	factType factSet = 1 << iota
	factSize
	factModify
	factCreate
	factPerm
	factUnique
	factMode
	factUID
	factGID
	factOwner
	factGroup

	factNumbers = factUID | factGID
	factWords   = factOwner | factGroup

	defaultFacts = factType | factSize | factModify | factPerm | factUnique
)

var factNames = []string{"type", "size", "modify", "create", "perm", "unique", "unix.mode", "unix.uid", "unix.gid", "unix.owner", "unix.group"}

// feature is MLST's line in FEAT; a star marks the facts in force (RFC 3659 §7.8).
func (f factSet) feature() string {
	var b strings.Builder
	for i, name := range factNames {
		b.WriteString(name)
		if f&(1<<i) != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// optsMLST chooses facts (RFC 3659 §7.9). Those that are not there are passed over; the reply tells which are.
func (s *Session) optsMLST(_ context.Context, arg string) (Reply, error) {
	list := trimBlanks(arg)
	if strings.ContainsAny(list, " \t") || list != "" && !strings.HasSuffix(list, ";") {
		return Reply{}, errSyntax
	}
	s.facts = 0
	for want := range strings.SplitSeq(strings.ToLower(list), ";") {
		for i, name := range factNames {
			if name == want {
				s.facts |= 1 << i
			}
		}
	}
	text := "MLST OPTS"
	for i, name := range factNames {
		if s.facts&(1<<i) != 0 {
			if text == "MLST OPTS" {
				text += " "
			}
			text += name + ";"
		}
	}
	return reply(200, "%s", text), nil
}

// factFormat writes facts as MLST and MLSD tell them, with the blank that ends them.
type factFormat struct {
	facts  factSet
	rights config.Permissions // at the entry
	names  func(*vfs.Entry) (user, group string)
}

func (f *factFormat) append(dst []byte, e *vfs.Entry) []byte {
	facts := f.known(e)
	dst = f.appendCommon(dst, e, facts)
	if facts&factMode != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.mode=0"...), unixMode(e.Mode), 8), ';')
	}
	if facts&factUID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.uid="...), uint64(e.UID), 10), ';')
	}
	if facts&factGID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.gid="...), uint64(e.GID), 10), ';')
	}
	if facts&factWords != 0 {
		user, group := f.names(e)
		if facts&factOwner != 0 {
			dst = append(append(append(dst, "unix.owner="...), user...), ';')
		}
		if facts&factGroup != 0 {
			dst = append(append(append(dst, "unix.group="...), group...), ';')
		}
	}
	return append(dst, ' ')
}

// known are the facts of an entry that can be given. A link is one that leads nowhere; it has no bytes
// for a client.
func (f *factFormat) known(e *vfs.Entry) factSet {
	facts := f.facts
	if e.Created.IsZero() {
		facts &^= factCreate
	}
	if e.Dev == 0 && e.Ino == 0 {
		facts &^= factUnique
	}
	if e.Mode&fs.ModeSymlink != 0 {
		facts &^= factSize
	}
	if e.Unknown != nil {
		facts &= factType | factPerm
	}
	if e.Mode == fs.ModeIrregular {
		facts &^= factType
	}
	return facts
}

// appendCommon writes the facts that RFC 3659 §7.5 defines.
func (f *factFormat) appendCommon(dst []byte, e *vfs.Entry, facts factSet) []byte {
	if facts&factType != 0 {
		dst = append(append(append(dst, "type="...), typeFact(e.Mode)...), ';')
	}
	if facts&factSize != 0 {
		dst = append(strconv.AppendInt(append(dst, "size="...), e.Size, 10), ';')
	}
	if facts&factModify != 0 {
		dst = append(ftpwire.AppendStamp(append(dst, "modify="...), e.ModTime), ';')
	}
	if facts&factCreate != 0 {
		dst = append(ftpwire.AppendStamp(append(dst, "create="...), e.Created), ';')
	}
	if facts&factPerm != 0 {
		dst = append(f.appendPerm(append(dst, "perm="...), e.Mode), ';')
	}
	if facts&factUnique != 0 {
		dst = strconv.AppendUint(append(dst, "unique="...), e.Dev, 16)
		dst = append(strconv.AppendUint(append(dst, 'g'), e.Ino, 16), ';')
	}
	return dst
}

// typeFact is the type of what has the mode; that of a link is the one which RFC 3659 §7.7.4 shows.
func typeFact(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "dir"
	case m&fs.ModeSymlink != 0:
		return "OS.unix=slink:"
	}
	return "file"
}

// A permFact is a letter of the perm fact and what it takes (RFC 3659 §7.5.5).
type permFact struct {
	letter byte
	needs  config.Permissions
}

var (
	dirPerms  = []permFact{{'c', config.Write}, {'d', config.Delete}, {'e', 0}, {'f', config.Rename}, {'l', config.List}, {'m', config.Mkdir}, {'p', config.Delete}}
	filePerms = []permFact{{'a', config.Append}, {'d', config.Delete}, {'f', config.Rename}, {'r', config.Read}, {'w', config.Overwrite}}
	namePerms = []permFact{{'d', config.Delete}, {'f', config.Rename}} // of what is a name and nothing more
)

// appendPerm tells what the configuration permits; the kernel may refuse more.
func (f *factFormat) appendPerm(dst []byte, m fs.FileMode) []byte {
	perms := filePerms
	switch {
	case m.IsDir():
		perms = dirPerms
	case m&fs.ModeSymlink != 0, m == fs.ModeIrregular:
		perms = namePerms
	}
	for _, p := range perms {
		if f.rights&p.needs == p.needs {
			dst = append(dst, p.letter)
		}
	}
	return dst
}

// unixMode is a mode as chmod(1) takes it.
func unixMode(m fs.FileMode) uint64 {
	mode := uint64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}
