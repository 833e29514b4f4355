package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ftpd/pkg/trust"
)

// pamDirs are the directories in which libpam looks for the file of a service, in this order.
var pamDirs = []string{"/etc/pam.d", "/usr/lib/pam.d"}

// withoutEffect lists PAM modules that change the process which opens a session, with the
// reason why they have no effect: that process ends after the login, and transfers run in
// another process.
var withoutEffect = map[string]string{
	"pam_limits": "transfers run in a process with the limits of the service " +
		"(in its unit: LimitNOFILE= and others)",
	"pam_namespace": "transfers run in a process that sees the files of the host; " +
		"a [[user.mount]] shows other directories",
	"pam_selinux": "transfers run in a process with the context of the service",
}

// pam reports the problems of the file of the PAM service.
func (l *inspection) pam() {
	if !l.systemUsers {
		return
	}
	r := pamReader{dirs: pamDirs}
	name := l.Config.Auth.PAMService
	file, ok := r.find(name)
	if !ok {
		l.Report("auth.pam_service", true, "there is no %s: PAM uses %s/other, or refuses all users",
			path.Join(r.dirs[0], name), r.dirs[0])
		return
	}
	if !r.read(file, 0) {
		r.report(file, 1, "it cannot be read")
	}
	for _, f := range r.findings {
		l.Report("auth.pam_service", true, "%s", f)
	}
}

const (
	maxPAMDepth = 16      // of nested files; libpam has the same bound for substacks
	maxPAMFiles = 64      // in total
	maxPAMFile  = 1 << 20 // bytes
)

// A pamReader reads the session lines of PAM files in the way of libpam.
type pamReader struct {
	dirs     []string
	findings []string // each begins with file:line
	files    int      // read so far
}

// find returns the path of the PAM file with the given name, and whether the file exists. An
// absolute name is the path itself.
func (r *pamReader) find(name string) (file string, ok bool) {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return name, err == nil
	}
	for _, dir := range r.dirs {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) { // other errors: it exists
			return file, true
		}
	}
	return filepath.Join(r.dirs[0], name), false
}

// read reads a file and the files that it includes. It returns false if the file cannot be
// opened.
func (r *pamReader) read(file string, depth int) bool {
	r.files++
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return false
	}
	if _, err := trust.Path(file); err != nil {
		r.report(file, 1, err.Error())
	}
	in := bufio.NewScanner(io.LimitReader(f, maxPAMFile))
	for n := 1; r.files <= maxPAMFiles && in.Scan(); n++ {
		line, first := in.Text(), n
		for strings.HasSuffix(line, `\`) && in.Scan() {
			n++
			line = strings.TrimSuffix(line, `\`) + " " + in.Text()
		}
		r.line(file, first, line, depth)
	}
	return true
}

// pamFields matches one field. A control in brackets may hold blanks: [success=1
// default=ignore].
var pamFields = regexp.MustCompile(`\[[^\]]*\]|[^\s\[]+`)

// line parses one line: "type control module arguments…", "type include file", or "@include
// file".
func (r *pamReader) line(file string, n int, line string, depth int) {
	line, _, _ = strings.Cut(line, "#")
	fields := pamFields.FindAllString(line, -1)
	if len(fields) == 2 && fields[0] == "@include" {
		r.include(file, n, fields[1], depth)
		return
	}
	if len(fields) < 3 || !strings.EqualFold(strings.TrimPrefix(fields[0], "-"), "session") {
		return
	}
	if control := strings.ToLower(fields[1]); control == "include" || control == "substack" {
		r.include(file, n, fields[2], depth)
		return
	}
	module := strings.TrimSuffix(path.Base(fields[2]), ".so")
	if reason, ok := withoutEffect[module]; ok {
		r.report(file, n, module+" has no effect: "+reason)
	}
}

// include reads the file with the given name for line n of a file.
func (r *pamReader) include(file string, n int, name string, depth int) {
	included, ok := r.find(name)
	if !ok {
		r.report(file, n, "there is no "+included+": PAM refuses all users")
	} else if r.files >= maxPAMFiles || depth >= maxPAMDepth {
		r.report(file, n, "files include each other without an end: PAM refuses all users")
		r.files = maxPAMFiles + 1 // so that the rest is not read
	} else if !r.read(included, depth+1) {
		r.report(file, n, fmt.Sprintf("%.200q cannot be read", included))
	}
}

func (r *pamReader) report(file string, n int, text string) {
	finding := fmt.Sprintf("%s:%d: %s", file, n, text)
	if !slices.Contains(r.findings, finding) { // a file may be included twice
		r.findings = append(r.findings, finding)
	}
}
