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
)

// pamDirs is where libpam looks for the file of a service, in this order.
var pamDirs = []string{"/etc/pam.d", "/usr/lib/pam.d"}

// withoutEffect are modules that change the process which opens a session. That process ends with the login: transfers run in another.
var withoutEffect = map[string]string{
	"pam_limits":    "transfers run in a process with the limits of the service (in its unit: LimitNOFILE= and others)",
	"pam_namespace": "transfers run in a process that sees the files of the host; a [[user.mount]] shows other directories",
	"pam_selinux":   "transfers run in a process with the context of the service",
}

// pam tells what is wrong with the file of the PAM service.
func (l *look) pam() {
	if !l.system {
		return
	}
	r := pamReader{dirs: pamDirs}
	name := l.Config.Auth.PAMService
	file, ok := r.find(name)
	if !ok {
		l.Tell("auth.pam_service", true, "there is no %s: PAM goes by %s/other, or refuses everybody", path.Join(r.dirs[0], name), r.dirs[0])
		return
	}
	if !r.read(file, 0) {
		r.tell(file, 1, "it cannot be read")
	}
	for _, f := range r.findings {
		l.Tell("auth.pam_service", true, "%s", f)
	}
}

const (
	maxPAMDepth = 16 // as libpam's own bound for substacks
	maxPAMFiles = 64 // in all
	maxPAMFile  = 1 << 20
)

// A pamReader reads PAM files as libpam does, as far as the session goes.
type pamReader struct {
	dirs     []string
	findings []string // each begins with file:line
	files    int
}

// find is the file of a name. An absolute name is the file itself.
func (r *pamReader) find(name string) (file string, ok bool) {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return name, err == nil
	}
	for _, dir := range r.dirs {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) { // one that cannot be looked at is there
			return file, true
		}
	}
	return filepath.Join(r.dirs[0], name), false
}

// read goes through a file, and through those that it includes. It is false for one that cannot be opened.
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

// A control in brackets may hold blanks: [success=1 default=ignore].
var pamFields = regexp.MustCompile(`\[[^\]]*\]|[^\s\[]+`)

// line reads one line: "type control module arguments…", "type include file", or "@include file".
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
	if why, ok := withoutEffect[module]; ok {
		r.tell(file, n, module+" has no effect: "+why)
	}
}

func (r *pamReader) include(file string, n int, name string, depth int) {
	included, ok := r.find(name)
	if !ok {
		r.tell(file, n, "there is no "+included+": PAM refuses everybody")
	} else if r.files >= maxPAMFiles || depth >= maxPAMDepth {
		r.tell(file, n, "files include each other without an end: PAM refuses everybody")
		r.files = maxPAMFiles + 1 // so that the rest is not read
	} else if !r.read(included, depth+1) {
		r.tell(file, n, fmt.Sprintf("%.200q cannot be read", included))
	}
}

func (r *pamReader) tell(file string, n int, text string) {
	finding := fmt.Sprintf("%s:%d: %s", file, n, text)
	if !slices.Contains(r.findings, finding) { // a file may be included twice
		r.findings = append(r.findings, finding)
	}
}
