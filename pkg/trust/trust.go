// Package trust checks whether other accounts can change the files that a service reads, executes
// or appends to. Such a file, each directory above it and each symbolic link on the way must belong
// to root or to the account that runs the service, and other accounts must not be able to write
// there. Otherwise another account could decide what the service does with its rights.
//
// These count as not writable:
//
//   - a directory with the sticky bit, such as /tmp: other accounts can neither rename nor remove
//     what is in it;
//   - everything on a read-only mount, whatever its owner and mode are;
//   - for an account other than root, what only its private group may write, which is its primary
//     group with the same name. A umask of 002 makes such files.
//
// A POSIX ACL that permits another account to write shows in the mode of the group.
//
// On Windows, nothing is checked.
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"ftpd/pkg/config"
)

// Check reports the files of a configuration, and the directories in which it looks for files to
// include, if other accounts can change them.
func Check(source *config.Source) {
	seen := map[string]bool{}
	check := func(id, path string) {
		_, err := Path(path)
		if err == nil || seen[err.Error()] || errors.Is(err, fs.ErrNotExist) ||
			errors.Is(err, fs.ErrPermission) { // config.Inspect reports files that cannot be read
			return
		}
		seen[err.Error()] = true
		source.Report(id, false, "%v", err)
	}
	for _, file := range source.Files {
		check("", file)
	}
	for i := range source.Config.Include {
		check(fmt.Sprintf("include[%d]", i), source.IncludeDirectory(i))
	}
}

// plain matches a path that needs no quotes in a shell.
var plain = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quote returns a path as a shell reads it.
func quote(path string) string {
	if plain.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
