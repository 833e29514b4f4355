//go:build linux

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// onlyFiles returns the field cannot of a client without transfers of trees.
func onlyFiles(why string, more ...map[string]string) map[string]string {
	all := map[string]string{"tree down": why, "tree up": why}
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

// onlyGets returns the field cannot of a client that only reads.
func onlyGets(why string, more map[string]string) map[string]string {
	all := maps.Clone(more)
	for _, name := range append([]string{"up", "text up", "resume up", "rename", "delete", "time",
		"directory", "quoted directory", "empty file", "several", "tree up"}, oddNames...) {
		all[name] = why
	}
	return all
}

// needPackage skips a test where a file or program is missing; the requirement names it and its
// package.
func needPackage(t *testing.T, requirement string) {
	t.Helper()
	file, name, _ := strings.Cut(requirement, " ")
	if _, err := exec.LookPath(file); err == nil {
		return
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("needs %s; run: sudo scripts/needs test && make system", name)
	}
}

// checkVersion compares the installed version with that in docs/clients.md, on the Debian that
// the document is about.
func (c ftpClient) checkVersion(t *testing.T) {
	t.Helper()
	debian, _ := os.ReadFile("/etc/debian_version")
	if c.print == nil || !strings.HasPrefix(string(debian), "12") {
		return
	}
	cmd := exec.Command(c.print[0], c.print[1:]...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+nodeModules())
	out, _ := cmd.CombinedOutput() // ncftpput prints its version with its usage, and fails
	if !strings.Contains(string(out), c.version) {
		t.Errorf("the table has %s %s; this one is %q", c.name, c.version, out)
	}
}

// run runs a client with a home of its own. It returns the output.
func (at target) run(stdin, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+at.folder, "TERM=dumb", "LC_ALL=C.UTF-8",
		"NODE_PATH="+nodeModules())
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

// url returns the FTP URL of a remote name.
func (at target) url(remote string) string {
	scheme := "ftp"
	if at.security == "implicit" {
		scheme = "ftps"
	}
	return scheme + "://" + net.JoinHostPort(at.host, at.port) + "/" +
		strings.ReplaceAll(url.PathEscape(remote), "%2F", "/")
}

// each returns the function of a client that logs in for each action.
func each(one func(target, action) (string, error)) func(*testing.T, target, ...action) (string,
	error) {
	return func(_ *testing.T, at target, all ...action) (string, error) {
		var output strings.Builder
		for _, a := range all {
			missing := a.verb == "missing"
			if missing {
				a.verb = "get"
			}
			out, err := one(at, a)
			if missing && err == nil {
				return out, fmt.Errorf("%q is there", a.remote)
			}
			if !missing && err != nil {
				return out, err
			}
			output.WriteString(out)
		}
		return output.String(), nil
	}
}

// curlDoes runs one curl for all actions.
func curlDoes(_ *testing.T, at target, all ...action) (string, error) {
	var args []string
	for i, a := range all {
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(args, "--silent", "--show-error", "--user", at.name+":"+at.password)
		if at.active {
			args = append(args, "--ftp-port", "-")
		}
		if at.security == "explicit" {
			args = append(args, "--ssl-reqd")
		}
		args = append(append(args, "--insecure"), at.curlArgs(a)...)
	}
	return at.run("", "curl", args...)
}

func (at target) curlArgs(a action) []string {
	quote := func(lines ...string) (args []string) {
		for _, line := range lines {
			args = append(args, "--quote", line)
		}
		return append(args, "--head", at.url(""))
	}
	switch a.verb {
	case "list":
		return []string{strings.TrimSuffix(at.url(a.remote), "/") + "/"}
	case "get", "missing":
		return []string{"--output", a.local, at.url(a.remote)}
	case "get text":
		return []string{"--use-ascii", "--output", a.local, at.url(a.remote)}
	case "head":
		return []string{"--range", "0-1999", "--output", a.local, at.url(a.remote)}
	case "put":
		return []string{"--upload-file", a.local, at.url(a.remote)}
	case "put text":
		return []string{"--use-ascii", "--upload-file", a.local, at.url(a.remote)}
	case "reget":
		return []string{"--continue-at", "-", "--output", a.local, at.url(a.remote)}
	case "reput":
		return []string{"--continue-at", "-", "--upload-file", a.local, at.url(a.remote)}
	case "rename":
		return quote("RNFR "+a.remote, "RNTO "+a.to)
	case "time":
		return quote("MFMT " + a.to + " " + a.remote)
	case "delete":
		return quote("DELE " + a.remote)
	case "mkdir":
		return quote("MKD " + a.remote)
	default:
		return quote("RMD " + a.remote)
	}
}

// quoted returns a name in double quotes, as lftp reads them.
func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// lftpDoes runs one lftp for all actions.
func lftpDoes(_ *testing.T, at target, all ...action) (string, error) {
	var script strings.Builder
	fmt.Fprintf(&script, "set cmd:fail-exit yes\nset net:max-retries 1\nset net:timeout 100\nset ftp:passive-mode %v\n", !at.active)
	fmt.Fprintf(&script, "set ftp:ssl-force %v\nset ssl:verify-certificate no\n",
		at.security == "explicit")
	fmt.Fprintf(&script, "open -u %s,%s %s\n", at.name, at.password,
		strings.TrimSuffix(at.url(""), "/"))
	for _, a := range all {
		remote, local := quoted("./"+a.remote), quoted(a.local)
		fmt.Fprintln(&script, map[string]string{
			"list": "cls -1a " + remote,
			"get":  "get " + remote + " -o " + local,
			"missing": "set cmd:fail-exit no\nget " + remote + " -o " + local +
				"\nset cmd:fail-exit yes",
			"put":      "put " + local + " -o " + remote,
			"get text": "get -a " + remote + " -o " + local,
			"put text": "put -a " + local + " -o " + remote,
			"reget":    "get -c " + remote + " -o " + local,
			"reput":    "put -c " + local + " -o " + remote,
			"head":     "cat " + remote + " | head -c 2000 >" + local,
			"rename":   "mv " + remote + " " + quoted("./"+a.to),
			"time":     "put " + local + " -o " + remote,
			"delete":   "rm " + remote,
			"mkdir":    "mkdir " + remote,
			"rmdir":    "rmdir " + remote,
			"pull":     "mirror " + remote + " " + local,
			"push":     "mirror -R " + local + " " + remote,
		}[a.verb])
	}
	script.WriteString("bye\n")
	return at.run(script.String(), "lftp")
}

func wgetDoes(at target, a action) (string, error) {
	args := []string{"--quiet", "--tries=1", "--timeout=100", "--user=" + at.name,
		"--password=" + at.password, "--no-check-certificate"}
	if at.active {
		args = append(args, "--no-passive-ftp")
	}
	if at.security == "implicit" {
		args = append(args, "--ftps-implicit")
	}
	url := at.url(a.remote)
	if at.security == "explicit" { // what it means by ftps, without that option
		url = "ftps" + strings.TrimPrefix(url, "ftp")
	}
	switch a.verb {
	case "list":
		args = append(args, "--no-remove-listing", "--output-document=index", url+"/")
		if _, err := at.run("", "wget", args...); err != nil {
			return "", err
		}
		listing, err := os.ReadFile(filepath.Join(at.folder, ".listing"))
		return string(listing), err
	case "reget":
		return at.run("", "wget", append(args, "--continue", url)...) // to the file of that name
	case "get text":
		return at.run("", "wget", append(args, "--output-document="+a.local, url+";type=a")...)
	case "pull":
		return at.run("", "wget", append(args, "--recursive", "--level=inf",
			"--no-host-directories", "--directory-prefix="+filepath.Dir(a.local), url+"/")...)
	default:
		return at.run("", "wget", append(args, "--output-document="+a.local, url)...)
	}
}

// single returns a remote name for ncftp, which takes all but single quotes literally between
// them.
func single(remote string) string { return "'./" + remote + "'" }

func ncftpDoes(at target, a action) (string, error) {
	mode := "-F" // passive
	if at.active {
		mode = "-E"
	}
	login := []string{mode, "-u", at.name, "-p", at.password, "-P", at.port}
	shell := func(command string) (string, error) {
		return at.run(command+"\nquit\n", "ncftp", "-u", at.name, "-p", at.password, "-P", at.port,
			at.host)
	}
	switch a.verb {
	case "list":
		return at.run("", "ncftpls", append(login,
			strings.TrimSuffix(at.url(a.remote), "/")+"/")...)
	case "get":
		return at.run("", "ncftpget", append(login, "-Z", "-C", at.host, "./"+a.remote, a.local)...)
	case "put", "time":
		return at.run("", "ncftpput", append(login, "-Z", "-C", at.host, a.local, "./"+a.remote)...)
	case "get text":
		return at.run("", "ncftpget", append(login, "-a", "-C", at.host, "./"+a.remote, a.local)...)
	case "put text":
		return at.run("", "ncftpput", append(login, "-a", "-C", at.host, a.local, "./"+a.remote)...)
	case "reget":
		return at.run("", "ncftpget", append(login, "-z", "-C", at.host, "./"+a.remote, a.local)...)
	case "reput":
		return at.run("", "ncftpput", append(login, "-z", "-C", at.host, a.local, "./"+a.remote)...)
	case "pull":
		return at.run("", "ncftpget", append(login, "-R", at.host, filepath.Dir(a.local),
			a.remote)...)
	case "push":
		return at.run("", "ncftpput", append(login, "-R", at.host, ".", a.local)...)
	case "rename":
		return shell("rename " + single(a.remote) + " " + single(a.to))
	case "delete":
		return shell("rm " + single(a.remote))
	default:
		return shell(a.verb + " " + single(a.remote))
	}
}

// escaped returns a name for tnftp, which has no backslash between quotes.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, " ", `\ `).Replace(name)
}

// tnftpDoes runs one tnftp for all actions. It goes on after failures, and exits with success.
func tnftpDoes(_ *testing.T, at target, all ...action) (string, error) {
	mode := "-p"
	if at.active {
		mode = "-A"
	}
	var script strings.Builder
	fmt.Fprintf(&script, "user %s %s\nbinary\n", at.name, at.password)
	list := filepath.Join(at.folder, "list")
	for _, a := range all {
		remote, local := escaped("./"+a.remote), escaped(a.local)
		fmt.Fprintln(&script, map[string]string{
			"list":     "nlist " + remote + " " + escaped(list),
			"get":      "get " + remote + " " + local,
			"missing":  "get " + remote + " " + local,
			"put":      "put " + local + " " + remote,
			"get text": "ascii\nget " + remote + " " + local + "\nbinary",
			"put text": "ascii\nput " + local + " " + remote + "\nbinary",
			"reget":    "reget " + remote + " " + local,
			"head":     "get " + remote + ` "|head -c 2000 >` + a.local + `"`,
			"rename":   "rename " + remote + " " + escaped("./"+a.to),
			"time":     "quote MFMT " + a.to + " " + remote,
			"delete":   "delete " + remote,
			"mkdir":    "mkdir " + remote,
			"rmdir":    "rmdir " + remote,
		}[a.verb])
	}
	script.WriteString("bye\n")
	output, err := at.run(script.String(), "tnftp", mode, "-n", "-i", "-v", "-P", at.port, at.host)
	if err != nil || !slices.ContainsFunc(all, func(a action) bool { return a.verb == "list" }) {
		return output, err
	}
	names, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) && strings.Contains(output, "226 ") {
		return "", nil // it makes no file for nothing
	}
	return string(names), err
}

// rcloneDoes passes the remote in options. rclone's default encoding of names is for backends
// that cannot have blanks at the ends of names.
func rcloneDoes(at target, a action) (string, error) {
	obscured, err := at.run("", "rclone", "obscure", at.password)
	if err != nil {
		return "", err
	}
	host := at.host
	if at.ipv6 {
		host = "[" + host + "]"
	}
	rclone := func(args ...string) (string, error) {
		return at.run("", "rclone", append([]string{
			"--config=", "--retries=1", "--low-level-retries=1", "--timeout=100s",
			"--ftp-encoding=Slash", "--ftp-host=" + host, "--ftp-port=" + at.port,
			"--ftp-user=" + at.name, "--ftp-pass=" + strings.TrimSpace(obscured),
			"--ftp-no-check-certificate",
			fmt.Sprintf("--ftp-explicit-tls=%v", at.security == "explicit"),
			fmt.Sprintf("--ftp-tls=%v", at.security == "implicit"),
		}, args...)...)
	}
	remote := ":ftp:" + a.remote
	switch a.verb {
	case "list":
		return rclone("lsf", remote)
	case "get":
		return rclone("copyto", remote, a.local)
	case "put", "time":
		return rclone("copyto", a.local, remote)
	case "head":
		begun, err := rclone("cat", "--count", "2000", remote)
		if err != nil {
			return "", err
		}
		return "", os.WriteFile(a.local, []byte(begun), 0o644)
	case "rename":
		return rclone("moveto", remote, ":ftp:"+a.to)
	case "delete":
		return rclone("deletefile", remote)
	case "pull":
		return rclone("sync", remote, a.local)
	case "push":
		return rclone("sync", a.local, remote)
	default:
		return rclone(a.verb, remote)
	}
}
