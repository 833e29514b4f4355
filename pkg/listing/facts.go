package listing

import (
	"io/fs"
	"strconv"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/vfs"
)

// Facts is a set of the facts that MLST and MLSD show (RFC 3659 §7.5).
type Facts uint16

// The facts, and sets of them.
const (
	factType Facts = 1 << iota
	factSize
	factModify
	// FactCreate is the time of creation. File systems have to be queried for it with each
	// entry.
	FactCreate
	factPerm
	factUnique
	factMode
	factUID
	factGID
	factOwner
	factGroup

	// FactNames are the names of owner and group.
	FactNames = factOwner | factGroup
	// FactOwners are owner and group, by name and by number.
	FactOwners = FactNames | factUID | factGID
	// DefaultFacts are in force until OPTS MLST chooses others.
	DefaultFacts = factType | factSize | factModify | factPerm | factUnique
)

var factNames = []string{
	"type", "size", "modify", "create", "perm", "unique",
	"unix.mode", "unix.uid", "unix.gid", "unix.owner", "unix.group",
}

// Feature returns what FEAT shows behind MLST: all facts, with a star behind those of the set,
// which are in force (RFC 3659 §7.8).
func (f Facts) Feature() string {
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

// ParseFacts returns the facts of a list in which each ends with a semicolon, as OPTS MLST has
// it (RFC 3659 §7.9). Unknown facts are left out.
func ParseFacts(list string) Facts {
	var f Facts
	for wanted := range strings.SplitSeq(strings.ToLower(list), ";") {
		for i, name := range factNames {
			if name == wanted {
				f |= 1 << i
			}
		}
	}
	return f
}

// String returns the facts as a list for ParseFacts.
func (f Facts) String() string {
	var b strings.Builder
	for i, name := range factNames {
		if f&(1<<i) != 0 {
			b.WriteString(name)
			b.WriteByte(';')
		}
	}
	return b.String()
}

// Stat describes a file or directory for MLST, with what the facts need. A link is described by its
// file, and a link that leads nowhere by itself. name is an absolute FTP path.
func Stat(files *vfs.FS, name string, facts Facts) (vfs.Entry, error) {
	stat := files.Stat
	if facts&FactCreate != 0 {
		stat = files.StatCreated
	}
	e, err := stat(name)
	if !vfs.LeadsNowhere(err) {
		return e, err
	}
	if link, lstatErr := files.Lstat(name); lstatErr == nil && link.Mode&fs.ModeSymlink != 0 {
		return link, nil
	}
	return vfs.Entry{}, err
}

// A FactFormat writes facts as MLST and MLSD show them, with the blank that ends them (RFC
// 3659 §7.2).
type FactFormat struct {
	Facts Facts
	Names func(*vfs.Entry) (user, group string) // for FactNames
}

// Append appends the facts of an entry, as far as they are known.
func (f *FactFormat) Append(dst []byte, e *vfs.Entry) []byte {
	facts := f.known(e)
	dst = f.appendCommon(dst, e, facts)
	if facts&factMode != 0 {
		mode := uint64(vfs.UnixMode(e.Mode))
		dst = append(strconv.AppendUint(append(dst, "unix.mode=0"...), mode, 8), ';')
	}
	if facts&factUID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.uid="...), uint64(e.UID), 10), ';')
	}
	if facts&factGID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.gid="...), uint64(e.GID), 10), ';')
	}
	if facts&FactNames != 0 {
		user, group := f.Names(e)
		if facts&factOwner != 0 {
			dst = append(append(append(dst, "unix.owner="...), user...), ';')
		}
		if facts&factGroup != 0 {
			dst = append(append(append(dst, "unix.group="...), group...), ';')
		}
	}
	return append(dst, ' ')
}

// known returns which facts of an entry are known. An entry that is a link leads nowhere, so
// it has no bytes for a client.
func (f *FactFormat) known(e *vfs.Entry) Facts {
	facts := f.Facts
	if e.Created.IsZero() {
		facts &^= FactCreate
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

// appendCommon appends the facts that RFC 3659 §7.5 defines.
func (f *FactFormat) appendCommon(dst []byte, e *vfs.Entry, facts Facts) []byte {
	if facts&factType != 0 {
		dst = append(append(append(dst, "type="...), typeFact(e.Mode)...), ';')
	}
	if facts&factSize != 0 {
		dst = append(strconv.AppendInt(append(dst, "size="...), e.Size, 10), ';')
	}
	if facts&factModify != 0 {
		dst = append(ftpwire.AppendStamp(append(dst, "modify="...), e.ModTime), ';')
	}
	if facts&FactCreate != 0 {
		dst = append(ftpwire.AppendStamp(append(dst, "create="...), e.Created), ';')
	}
	if facts&factPerm != 0 {
		dst = append(appendPerm(append(dst, "perm="...), e), ';')
	}
	if facts&factUnique != 0 {
		dst = strconv.AppendUint(append(dst, "unique="...), e.Dev, 16)
		dst = append(strconv.AppendUint(append(dst, 'g'), e.Ino, 16), ';')
	}
	return dst
}

// typeFact returns the type of an entry by its mode. RFC 3659 §7.7.4 has the type of a link.
func typeFact(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "dir"
	case m&fs.ModeSymlink != 0:
		return "OS.unix=slink:"
	}
	return "file"
}

// A permFact is a letter of the perm fact and the permissions that it needs (RFC 3659 §7.5.5).
type permFact struct {
	letter byte
	needs  config.Permissions
}

var (
	dirPerms = []permFact{
		{'c', config.Write}, {'d', config.Delete}, {'e', 0}, {'f', config.Rename},
		{'l', config.List}, {'m', config.Mkdir}, {'p', config.Delete},
	}
	filePerms = []permFact{
		{'a', config.Append}, {'d', config.Delete}, {'f', config.Rename},
		{'r', config.Read}, {'w', config.Overwrite},
	}
	// namePerms are for an entry of which only the name can be used.
	namePerms = []permFact{{'d', config.Delete}, {'f', config.Rename}}
)

// appendPerm appends what the configuration permits. The kernel may refuse more.
func appendPerm(dst []byte, e *vfs.Entry) []byte {
	m, perms := e.Mode, filePerms
	switch {
	case m.IsDir():
		perms = dirPerms
	case m&fs.ModeSymlink != 0, m == fs.ModeIrregular:
		perms = namePerms
	}
	for _, p := range perms {
		if e.Granted.Has(p.needs) {
			dst = append(dst, p.letter)
		}
	}
	return dst
}
