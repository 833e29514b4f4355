package impersonate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// cores are the packages of the core's process. The rules below hold for these packages, and for
// everything that they import from this module.
var cores = []string{"ftpd/pkg/core", "ftpd/pkg/vfs", "ftpd/pkg/monitor", "ftpd/pkg/impersonate"}

// forbidden lists the calls that act on all threads or on the process, and thus on the
// sessions of all users.
var forbidden = []struct {
	importPath string
	names      string // a pattern; "" forbids the import itself
	reason     string
}{
	{"os/exec", "", "the core starts no program; hooks and SITE programs are the supervisor's"},
	{"os/user", "", "the core reads no passwd file; names come from the supervisor"},
	{
		"syscall", `Set(e|re|res|fs)?[ug]id|Setgroups|AllThreadsSyscall6?`,
		"changes every thread; a section changes its own",
	},
	{
		"golang.org/x/sys/unix", `Set(e|re|res)?[ug]id|Setfs[ug]id`,
		"changes every thread, or hides a refusal",
	},
	{
		"golang.org/x/sys/unix", `Setgroups|Setfs[ug]idRet[UG]id`,
		"only a section changes a thread's identity",
	},
	{"os", `Chdir`, "one working directory for all sessions"},
	{"syscall", `F?[Cc]hdir|Chroot`, "one working directory for all sessions"},
	{"golang.org/x/sys/unix", `F?[Cc]hdir|Chroot`, "one working directory for all sessions"},
	{"syscall", `Umask|Exec|ForkExec|StartProcess`, "one umask for all sessions, and no programs"},
	{"golang.org/x/sys/unix", `Umask|Exec`, "one umask for all sessions, and no programs"},
}

// allowed holds the one exception: a file, and a pattern of the names that it may use.
var allowed = map[string]string{
	"ftpd/pkg/impersonate/identity_linux.go": `Setgroups|Setfs[ug]idRet[UG]id`,
}

func TestForbiddenCalls(t *testing.T) {
	seen := make(map[string]bool)
	queue := slices.Clone(cores)
	for len(queue) > 0 {
		pkg := queue[0]
		queue = queue[1:]
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		dir := filepath.Join("../..", strings.TrimPrefix(pkg, "ftpd/"))
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			imports, found := breaches(t, path.Join(pkg, filepath.Base(name)), source)
			for _, breach := range found {
				t.Error(breach)
			}
			for _, imported := range imports {
				if strings.HasPrefix(imported, "ftpd/") {
					queue = append(queue, imported)
				}
			}
		}
	}
	if !seen["ftpd/pkg/config"] {
		t.Errorf("imports were not followed: %v", slices.Sorted(maps.Keys(seen)))
	}
}

// breaches parses one file. It returns the imports of the file and the forbidden calls in it.
func breaches(t *testing.T, name string, source []byte) (imports, found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	report := func(pos token.Pos, what, reason string) {
		found = append(found, set.Position(pos).String()+": "+what+": "+reason)
	}
	byName := make(map[string]string)
	for _, spec := range file.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		imports = append(imports, imported)
		local := path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		byName[local] = imported
		for _, rule := range forbidden {
			if imported == rule.importPath && (rule.names == "" || local == ".") {
				report(spec.Pos(), "imports "+imported, rule.reason)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if local, ok := selector.X.(*ast.Ident); ok {
			called := selector.Sel.Name
			for _, rule := range forbidden {
				if byName[local.Name] == rule.importPath && matches(rule.names, called) &&
					!matches(allowed[name], called) {
					report(n.Pos(), local.Name+"."+called, rule.reason)
				}
			}
		}
		return true
	})
	return imports, found
}

func matches(pattern, name string) bool {
	return pattern != "" && regexp.MustCompile("^("+pattern+")$").MatchString(name)
}

func TestForbiddenCallsAreFound(t *testing.T) {
	for source, want := range map[string]int{
		`import "os/exec"; var _ exec.Cmd`:                                                1,
		`import . "syscall"`:                                                              3,
		`import "syscall"; func f() { syscall.Setgroups(nil) }`:                           1,
		`import "syscall"; func f() { syscall.Setresuid(1, 1, 1) }`:                       1,
		`import s "syscall"; var f = s.Seteuid`:                                           1,
		`import "golang.org/x/sys/unix"; func f() { unix.Setgroups(nil); unix.Umask(0) }`: 2,
		`import "golang.org/x/sys/unix"; func f() { unix.Setfsuid(1) }`:                   1,
		`import "os"; func f() { os.Chdir("/"); os.Getuid() }`:                            1,
		`import "syscall"; func f() { syscall.Getuid() }`:                                 0,
	} {
		_, found := breaches(t, "ftpd/pkg/core/x.go", []byte("package x\n"+source))
		if len(found) != want {
			t.Errorf("%s: %d found, want %d: %v", source, len(found), want, found)
		}
	}
}
