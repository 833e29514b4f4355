package listing

import (
	"errors"
	"io/fs"
	"strings"

	"ftpd/pkg/vfs"
)

// CutOptions returns the pathname in the argument of LIST, NLST or STAT. Most clients send options
// of ls. One option has an effect: F, classify, puts a slash behind the names of directories, by
// which vim's netrw recognizes them. If a file has the name of an option, as isFile reports, the
// argument is that file; a pattern is no option.
func CutOptions(arg string, isFile func(arg string) bool) (name string, classify bool) {
	for strings.HasPrefix(arg, "-") && !isFile(arg) {
		option, rest, ok := cutOption(arg)
		if !ok {
			break
		}
		classify = classify || !strings.HasPrefix(option, "--") && strings.Contains(option, "F")
		arg = rest
	}
	return arg, classify
}

// BehindOptions returns the pathname in an argument without a look at any file, for the log of a
// command that was refused.
func BehindOptions(arg string) string {
	name, _ := CutOptions(arg, func(string) bool { return false })
	return name
}

// cutOption cuts an option of ls off an argument.
func cutOption(arg string) (option, rest string, ok bool) {
	option, rest, _ = strings.Cut(arg, " ")
	return option, rest, !HasPattern(option)
}

// FindPattern parses the argument of LIST or NLST as a pattern and reports whether it is one. If a
// file has the whole argument as its name, it is no pattern. name is the argument as an absolute FTP
// path.
func FindPattern(files *vfs.FS, arg, name string) (Pattern, bool) {
	p, ok := ParsePattern(arg)
	if !ok {
		return p, false
	}
	_, err := files.Lstat(name)
	// ErrName: Windows has no file with such a name
	return p, errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrName)
}
