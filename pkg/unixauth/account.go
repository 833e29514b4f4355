package unixauth

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/auth"
)

const (
	maxName     = 256 // bytes
	maxPassword = 511 // bytes; PAM_MAX_RESP_SIZE with its NUL
	shellsFile  = "/etc/shells"
)

// checkCredentials refuses what must not reach PAM: a name that a module could use as a path
// or that a log cannot show, a password that is too long, and one with a NUL, at which C code
// would end it.
func checkCredentials(c auth.Credentials) error {
	if why := badName(c.User); why != "" {
		shown := c.User[:min(len(c.User), maxName)]
		return &auth.Refusal{Cause: fmt.Sprintf("%q: the name %s", shown, why)}
	}
	if len(c.Password) > maxPassword {
		return &auth.Refusal{Cause: c.User +
			fmt.Sprintf(": the password is longer than the %d bytes that PAM takes", maxPassword)}
	}
	if bytes.IndexByte(c.Password, 0) >= 0 {
		return &auth.Refusal{Cause: c.User + ": the password holds a NUL"}
	}
	return nil
}

// badName returns what is wrong with the name of a user or group, or "".
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case name == "." || name == "..":
		return "is a directory's"
	case strings.Contains(name, "/"):
		return `holds "/"`
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "holds control characters"
	}
	return ""
}

// check decides whether an account that PAM accepted may log in, from its entry in the name
// service. The administrator chose the account of guests, so its uid may be below MinUID, and
// it needs no login shell.
func (o Options) check(l loginResult) error {
	p, name := l.passwd, l.name()
	refuse := func(format string, a ...any) error {
		return &auth.Refusal{Cause: name + ": " + fmt.Sprintf(format, a...)}
	}
	switch {
	case badName(name) != "":
		return &auth.Refusal{Cause: fmt.Sprintf("PAM and the name service give the name %q, "+
			"which %s", name, badName(name))}
	case l.guest != "" && o.Guest == "":
		return fmt.Errorf("the helper let %q in as a guest, and there are none", name)
	case p.UID == 0:
		return refuse("uid 0 may not log in, whatever auth.min_uid says")
	case l.guest == "" && int64(p.UID) < int64(o.MinUID):
		return refuse("uid %d is below auth.min_uid %d", p.UID, o.MinUID)
	case !path.IsAbs(p.Home):
		return refuse("the home %q is not an absolute path", p.Home)
	case l.guest != "" || !o.RequireShell:
		return nil
	}
	shells, err := readShells()
	if err != nil {
		return err
	}
	shell := p.Shell
	if shell == "" {
		shell = "/bin/sh" // passwd(5)
	}
	if !slices.Contains(shells, shell) {
		return refuse("shell %s is not in %s (auth.require_shell)", shell, shellsFile)
	}
	return nil
}

// readShells reads /etc/shells. It is called for each login, as in other services: the file is
// short and may change. Without the file it returns the two shells that getusershell(3)
// returns then.
func readShells() ([]string, error) {
	f, err := os.Open(shellsFile)
	if os.IsNotExist(err) {
		return []string{"/bin/sh", "/bin/csh"}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseShells(f)
}

func parseShells(r io.Reader) ([]string, error) {
	var shells []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); path.IsAbs(line) {
			shells = append(shells, line)
		}
	}
	return shells, lines.Err()
}
