//go:build linux

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
)

var ftpClients = []ftpClient{
	{name: "curl", program: "curl", do: curlDoes},
	{name: "lftp", program: "lftp", do: lftpDoes},
	{name: "wget", program: "wget", do: wgetDoes, cannot: onlyGets("wget only downloads")},
	{name: "ncftp", program: "ncftpput", do: ncftpDoes, cannot: map[string]string{
		"resume up": "ncftpput 3.2.6 sends the whole file after its REST, to vsftpd too",
	}},
	{name: "tnftp", program: "tnftp", do: tnftpDoes, cannot: map[string]string{
		"resume up": "tnftp has reget, and nothing like it for uploads",
	}},
	{name: "ftplib", program: "python3", do: scriptDoes("python3", "testdata/ftplib_action.py")},
	{name: "Net::FTP", program: "perl", do: scriptDoes("perl", "testdata/netftp_action.pl")},
	{name: "jlaffaye", do: jlaffayeDoes, cannot: map[string]string{"active": "jlaffaye/ftp has no active mode"}},
}

// onlyGets is what a client cannot that only reads.
func onlyGets(why string) map[string]string {
	all := map[string]string{}
	for _, name := range append([]string{"up", "resume up", "rename", "delete", "directory", "empty file"}, oddNames...) {
		all[name] = why
	}
	return all
}

// run runs a client, with a home of its own, and gives what it prints.
func (at target) run(stdin, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+at.folder, "TERM=dumb", "LC_ALL=C.UTF-8")
	cmd.Dir = at.folder
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s%s", err, errOut.String(), out.String())
	}
	return out.String(), nil
}

// url is the FTP URL of a remote name.
func (at target) url(remote string) string {
	return "ftp://" + at.host + ":" + at.port + "/" + strings.ReplaceAll(url.PathEscape(remote), "%2F", "/")
}

func curlDoes(_ *testing.T, at target, a action) (string, error) {
	args := []string{"--silent", "--show-error", "--user", at.name + ":" + at.password}
	if at.active {
		args = append(args, "--ftp-port", "-")
	}
	quote := func(lines ...string) (string, error) {
		for _, line := range lines {
			args = append(args, "--quote", line)
		}
		return at.run("", "curl", append(args, "--head", at.url(""))...)
	}
	switch a.verb {
	case "list":
		return at.run("", "curl", append(args, strings.TrimSuffix(at.url(a.remote), "/")+"/")...)
	case "get":
		return at.run("", "curl", append(args, "--output", a.local, at.url(a.remote))...)
	case "put":
		return at.run("", "curl", append(args, "--upload-file", a.local, at.url(a.remote))...)
	case "reget":
		return at.run("", "curl", append(args, "--continue-at", "-", "--output", a.local, at.url(a.remote))...)
	case "reput":
		return at.run("", "curl", append(args, "--continue-at", "-", "--upload-file", a.local, at.url(a.remote))...)
	case "rename":
		return quote("RNFR "+a.remote, "RNTO "+a.to)
	case "delete":
		return quote("DELE " + a.remote)
	case "mkdir":
		return quote("MKD " + a.remote)
	default:
		return quote("RMD " + a.remote)
	}
}

// quoted puts a name into double quotes, as lftp reads them.
func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

func lftpDoes(_ *testing.T, at target, a action) (string, error) {
	remote := quoted("./" + a.remote)
	command := map[string]string{
		"list":   "cls -1a " + remote,
		"get":    "get " + remote + " -o " + quoted(a.local),
		"put":    "put " + quoted(a.local) + " -o " + remote,
		"reget":  "get -c " + remote + " -o " + quoted(a.local),
		"reput":  "put -c " + quoted(a.local) + " -o " + remote,
		"rename": "mv " + remote + " " + quoted("./"+a.to),
		"delete": "rm " + remote,
		"mkdir":  "mkdir " + remote,
		"rmdir":  "rmdir " + remote,
	}[a.verb]
	return at.run(fmt.Sprintf("set cmd:fail-exit yes\nset net:max-retries 1\nset net:timeout 20\nset ftp:passive-mode %v\nopen -u %s,%s -p %s %s\n%s\nbye\n",
		!at.active, at.name, at.password, at.port, at.host, command), "lftp")
}

func wgetDoes(_ *testing.T, at target, a action) (string, error) {
	args := []string{"--quiet", "--tries=1", "--timeout=20", "--user=" + at.name, "--password=" + at.password}
	if at.active {
		args = append(args, "--no-passive-ftp")
	}
	switch a.verb {
	case "list":
		if _, err := at.run("", "wget", append(args, "--no-remove-listing", "--output-document=index", at.url(a.remote)+"/")...); err != nil {
			return "", err
		}
		listing, err := os.ReadFile(filepath.Join(at.folder, ".listing"))
		return string(listing), err
	case "reget":
		return at.run("", "wget", append(args, "--continue", at.url(a.remote))...) // to the file of that name
	default:
		return at.run("", "wget", append(args, "--output-document="+a.local, at.url(a.remote))...)
	}
}

// single is a remote name for ncftp, which takes all but single quotes literally between them.
func single(remote string) string { return "'./" + remote + "'" }

func ncftpDoes(_ *testing.T, at target, a action) (string, error) {
	mode := "-F" // passive
	if at.active {
		mode = "-E"
	}
	login := []string{mode, "-u", at.name, "-p", at.password, "-P", at.port}
	shell := func(command string) (string, error) {
		return at.run(command+"\nquit\n", "ncftp", "-u", at.name, "-p", at.password, "-P", at.port, at.host)
	}
	switch a.verb {
	case "list":
		return at.run("", "ncftpls", append(login, strings.TrimSuffix(at.url(a.remote), "/")+"/")...)
	case "get":
		return at.run("", "ncftpget", append(login, "-Z", "-C", at.host, "./"+a.remote, a.local)...)
	case "put":
		return at.run("", "ncftpput", append(login, "-Z", "-C", at.host, a.local, "./"+a.remote)...)
	case "reget":
		return at.run("", "ncftpget", append(login, "-z", "-C", at.host, "./"+a.remote, a.local)...)
	case "reput":
		return at.run("", "ncftpput", append(login, "-z", "-C", at.host, a.local, "./"+a.remote)...)
	case "rename":
		return shell("rename " + single(a.remote) + " " + single(a.to))
	case "delete":
		return shell("rm " + single(a.remote))
	default:
		return shell(a.verb + " " + single(a.remote))
	}
}

// escaped is a name for tnftp, which knows no backslash between quotes.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, " ", `\ `).Replace(name)
}

func tnftpDoes(_ *testing.T, at target, a action) (string, error) {
	mode := "-p"
	if at.active {
		mode = "-A"
	}
	remote, local := escaped("./"+a.remote), escaped(a.local)
	command := map[string]string{
		"list":   "nlist " + remote + " " + escaped(filepath.Join(at.folder, "list")),
		"get":    "get " + remote + " " + local,
		"put":    "put " + local + " " + remote,
		"reget":  "reget " + remote + " " + local,
		"rename": "rename " + remote + " " + escaped("./"+a.to),
		"delete": "delete " + remote,
		"mkdir":  "mkdir " + remote,
		"rmdir":  "rmdir " + remote,
	}[a.verb]
	said, err := at.run(fmt.Sprintf("user %s %s\nbinary\n%s\nbye\n", at.name, at.password, command), "tnftp", mode, "-n", "-i", "-v", "-P", at.port, at.host)
	if err != nil || a.verb != "list" {
		return said, err
	}
	list, err := os.ReadFile(filepath.Join(at.folder, "list"))
	if errors.Is(err, os.ErrNotExist) && strings.Contains(said, "226 ") {
		return "", nil // it makes no file for nothing
	}
	return string(list), err
}

// scriptDoes is a client library with a script of ours: HOST PORT USER PASSWORD MODE VERB REMOTE LOCAL TO.
func scriptDoes(program, script string) func(*testing.T, target, action) (string, error) {
	return func(t *testing.T, at target, a action) (string, error) {
		path, err := filepath.Abs(script)
		if err != nil {
			return "", err
		}
		mode := map[bool]string{false: "passive", true: "active"}[at.active]
		return at.run("", program, path, at.host, at.port, at.name, at.password, mode, a.verb, a.remote, a.local, a.to)
	}
}

func jlaffayeDoes(_ *testing.T, at target, a action) (string, error) {
	c, err := ftp.Dial(at.host+":"+at.port, ftp.DialWithTimeout(patience))
	if err != nil {
		return "", err
	}
	defer c.Quit()
	if err := c.Login(at.name, at.password); err != nil {
		return "", err
	}
	switch a.verb {
	case "list":
		entries, err := c.List(a.remote)
		var names strings.Builder
		for _, e := range entries {
			names.WriteString(e.Name + "\n")
		}
		return names.String(), err
	case "get", "reget":
		return "", jlaffayeGets(c, a)
	case "put":
		f, err := os.Open(a.local)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return "", c.Stor(a.remote, f)
	case "reput":
		return "", jlaffayeResumes(c, a)
	case "rename":
		return "", c.Rename(a.remote, a.to)
	case "delete":
		return "", c.Delete(a.remote)
	case "mkdir":
		return "", c.MakeDir(a.remote)
	default:
		return "", c.RemoveDir(a.remote)
	}
}

func jlaffayeGets(c *ftp.ServerConn, a action) error {
	f, err := os.OpenFile(a.local, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, err := c.RetrFrom(a.remote, uint64(info.Size()))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, r.Close())
}

func jlaffayeResumes(c *ftp.ServerConn, a action) error {
	size, err := c.FileSize(a.remote)
	if err != nil {
		return err
	}
	f, err := os.Open(a.local)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return err
	}
	return c.StorFrom(a.remote, f, uint64(size))
}
