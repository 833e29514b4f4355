package core

import (
	"context"
	"path"

	"ftpd/pkg/ftpwire"
)

// abs makes a pathname absolute in the user's tree. The name is used unchanged, blanks
// included.
func (s *Session) abs(name string) string { return clean(s.dir, name) }

func clean(dir, name string) string {
	if name != "" && name[0] == '/' {
		return path.Clean(name)
	}
	return path.Clean(dir + "/" + name)
}

// pwd replies with the working directory (RFC 959 §4.1.3). Clients read the path between the
// quotes and build other paths upon it.
func (s *Session) pwd(context.Context, string) (Reply, error) {
	return reply(257, "%s is the current directory.", ftpwire.Quote(s.dir)), nil
}

// cwd changes the working directory (RFC 959 §4.1.1); without an argument, to the root.
func (s *Session) cwd(_ context.Context, arg string) (Reply, error) {
	dir := "/"
	if arg != "" {
		dir = s.abs(arg)
	}
	if err := s.login.Files.ChangeDir(dir); err != nil {
		return Reply{}, err
	}
	s.dir = dir
	return reply(250, "%s is the current directory.", ftpwire.Quote(dir)), nil
}

// cdup changes to the parent directory (RFC 959 §4.1.1); at the root it stays there.
func (s *Session) cdup(ctx context.Context, _ string) (Reply, error) { return s.cwd(ctx, "..") }

// mkd creates a directory (RFC 959 §4.1.3). The reply contains the absolute path: clients read
// it from there.
func (s *Session) mkd(_ context.Context, arg string) (Reply, error) {
	dir := s.abs(arg)
	if err := s.login.Files.MakeDir(dir); err != nil {
		return Reply{}, err
	}
	return reply(257, "%s directory created.", ftpwire.Quote(dir)), nil
}

// rmd removes an empty directory (RFC 959 §4.1.3).
func (s *Session) rmd(_ context.Context, arg string) (Reply, error) {
	if err := s.login.Files.RemoveDir(s.abs(arg)); err != nil {
		return Reply{}, err
	}
	return reply(250, "Directory removed."), nil
}
