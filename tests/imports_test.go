package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// These tables are a statement of policy, as in Go's go/build/deps_test.go. A line is not changed to make a build pass, but when the
// policy changes, and then its reason does too. They hold for the files of every system; tests may import what they like.

// layers: a package may import what stands above its line, and nothing beside or below it.
var layers = []struct{ packages, reason string }{
	{"pkg/config pkg/seccomp", "plain values that each package may read and a test may write, and the list of system calls; neither imports another package"},
	{"pkg/sandbox", "what the kernel refuses a process, and how that process is started"},
	{"pkg/roots", "which directories are served, and what is mounted there; knows neither users nor sessions"},
	{"pkg/trust", "which accounts may change files; config opens no file but its own, and what opens others needs this"},
	{"pkg/certfile pkg/logfile", "certificates, keys and logs in files, for the supervisor and the checks; config opens no file but its own, and the core none of these"},
	{"pkg/impersonate", "the only code that changes credentials: short enough to audit in one sitting"},
	{"pkg/zerocopy", "raw calls that move bytes between descriptors; knows neither files of users nor sessions"},
	{"pkg/spelling", "names as text; opens no directory"},
	{"pkg/view", "mounts, rules and hidden names as tables; makes no system call, and knows no identity"},
	{"pkg/ftpwire", "the bytes of the control connection; knows no connection and no session"},
	{"pkg/auth pkg/vfs pkg/events", "what a session is made of: accounts, files, events. None needs the others"},
	{"pkg/admission", "which connections and logins are admitted: bans and counts, of clients and users alone; knows no core"},
	{"pkg/transport", "connections over TCP, without FTP and TLS; a test replaces them by ones in memory"},
	{"pkg/monitor", "the boundary between core and supervisor carries the values of the layers above, and knows neither of its ends"},
	{"pkg/keyring", "certificates and private keys stay in the process that reads them; what cores get of them is in the monitor's messages"},
	{"pkg/listing", "directories as text; knows no session and no connection"},
	{"pkg/checksum", "digests of files; knows no session and no connection"},
	{"pkg/limit", "what sessions may use up; knows no session and no connection"},
	{"pkg/login", "the files and settings of a user whose password was right; checks no password"},
	{"pkg/dtp pkg/ftptls", "data connections, and TLS; neither needs the other, a session or a reply"},
	{"pkg/phase pkg/roster", "the state machine of a session, and the set of all sessions; neither imports anything"},
	{"pkg/control", "lines in and replies out, over TLS or without; knows no command"},
	{"pkg/transfer", "one use of a data connection; sees its session as an interface, and makes no reply"},
	{"pkg/unixauth/internal/wire", "what ftpd-auth and its caller say to each other; a package of its own, since only one of them is cgo"},
	{"pkg/core pkg/unixauth pkg/winauth pkg/admin pkg/unixauth/pamhelper", "the protocol and the backends meet in the supervisor only"},
	{"pkg/supervisor", "composes all of them; no flags and no exit codes"},
	{"pkg/inspect", "looks at the host as a start would find it, by the questions of those who start things; nothing that runs needs it"},
	{"cmd/ftpd cmd/ftpd-auth", "flags, help, exit codes; no behaviour"},
	{"pkg/internal/coretest pkg/internal/memnet", "for tests alone: they run as the core runs, and connections in memory"},
}

// only: these imports are for the named packages alone. Every module that is not of ours needs a line.
var only = []struct{ imported, packages, reason string }{
	{"C", "pkg/unixauth/pamhelper", "ftpd is static and pure Go; libc and libpam are for ftpd-auth alone"},
	{"plugin", "", "nothing is loaded at run time"},
	{"net/http", "", "no web server stands beside users' files"},
	{"net/rpc", "", "the monitor's table is the only thing that crosses between processes"},
	{"os/exec", "pkg/supervisor pkg/sandbox pkg/unixauth pkg/internal/coretest", "programs are started by the root side; the core has no exec"},
	{"os/user", "pkg/trust pkg/supervisor pkg/unixauth pkg/unixauth/pamhelper", "the root side looks up its own accounts (ftpd, nobody); everybody else's names come from ftpd-auth, and the core opens no /etc/passwd"},
	{"log", "", "there is one log, written by the supervisor"},
	{"log/slog", "", "there is one log, written by the supervisor"},
	{"ftpd/pkg/unixauth/pamhelper", "cmd/ftpd-auth", "libpam and NSS modules never run beside keys or sockets"},
	{"github.com/BurntSushi/toml", "pkg/config", "the file is read in one place, and never by the core"},
	{"github.com/rs/zerolog", "pkg/events pkg/keyring pkg/roots pkg/supervisor cmd/ftpd", "the core reports facts; what becomes of them is the supervisor's"},
	{"github.com/coreos/go-systemd", "pkg/supervisor", "the service manager speaks to the process that it started"},
	{"github.com/msteinert/pam", "pkg/unixauth/pamhelper", "libpam is loaded in ftpd-auth alone"},
	{"github.com/pires/go-proxyproto", "pkg/transport", "the header names the client, whose address belongs to the connection"},
	{"github.com/spf13/pflag", "cmd/ftpd", "flags end where behaviour begins"},
	{"github.com/go-crypt", "pkg/auth", "hashes are verified where the supervisor decides about logins"},
	{"golang.org/x/term", "cmd/ftpd", "a password is typed at the command line alone"},
	{"golang.org/x/text", "pkg/spelling", "file systems fold names by Unicode's forms"},
	{"golang.org/x/net/bpf", "pkg/seccomp", "the filter of system calls is written in it"},
	{"golang.org/x/sys", "pkg/trust pkg/seccomp pkg/zerocopy pkg/vfs pkg/impersonate pkg/monitor pkg/sandbox pkg/roots pkg/unixauth pkg/unixauth/pamhelper pkg/supervisor pkg/internal/coretest", "the kernel is asked below the protocol; config and auth are values"},
}

// calls: these functions are for the named packages alone.
var calls = []struct{ functions, packages, reason string }{
	{"syscall.Setuid syscall.Setgid syscall.Setreuid syscall.Setregid syscall.Setresuid syscall.Setresgid syscall.Setgroups syscall.Setfsuid syscall.Setfsgid", "pkg/unixauth/pamhelper",
		"they change all threads: every session at once, and just what a helper wants that becomes nobody for good"},
	{"unix.Setuid unix.Setgid unix.Setreuid unix.Setregid unix.Setresuid unix.Setresgid unix.Setgroups unix.Setfsuid unix.Setfsgid unix.SetfsuidRetUid unix.SetfsgidRetGid", "pkg/impersonate",
		"identities change in one place"},
	{"os.Chdir os.Setenv syscall.Chdir syscall.Chroot unix.Chdir unix.Chroot unix.Fchdir", "", "they change the whole process under all sessions"},
	{"syscall.Umask unix.Umask", "pkg/supervisor", "it is set once, to 0, for the whole process; sessions mask modes themselves"},
}

// protocol: the packages of which the core consists.
var protocol = strings.Fields("pkg/core pkg/control pkg/phase pkg/roster pkg/login pkg/checksum pkg/transfer pkg/dtp pkg/ftptls pkg/transport pkg/limit pkg/listing pkg/ftpwire")

// neverInCore: what the packages of the protocol do not do themselves.
var neverInCore = []struct{ functions, reason string }{
	{"os.Open os.OpenFile os.Create os.ReadFile os.WriteFile os.ReadDir os.Stat os.Lstat os.Remove os.Rename os.Mkdir os.DirFS os.OpenRoot", "users' files are touched by vfs, confined and as the user"},
	{"runtime.GOOS", "systems differ in the packages below"},
	{"os.Exit log.Fatal", "one session never ends the others"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, f := range sourceFiles(t) {
		for _, spec := range f.ast.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(imported, "ftpd/"); ok && layer(ours) >= layer(f.pkg) {
				t.Errorf("%s imports %s, which is not above its own layer: %s", f.path, ours, layers[layer(f.pkg)].reason)
			}
			listed := !strings.Contains(strings.Split(imported, "/")[0], ".") // the library and our own need no line
			for _, rule := range only {
				if imported != rule.imported && !strings.HasPrefix(imported, rule.imported+"/") {
					continue
				}
				listed = true
				if !slices.Contains(strings.Fields(rule.packages), f.pkg) {
					t.Errorf("%s imports %s: %s", f.path, imported, rule.reason)
				}
			}
			if !listed {
				t.Errorf("%s imports %s, of which the policy knows nothing", f.path, imported)
			}
		}
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, f := range sourceFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + sel.Sel.Name
			for _, rule := range calls {
				if slices.Contains(strings.Fields(rule.functions), name) && !slices.Contains(strings.Fields(rule.packages), f.pkg) {
					t.Errorf("%s uses %s: %s", f.path, name, rule.reason)
				}
			}
			for _, rule := range neverInCore {
				if slices.Contains(protocol, f.pkg) && slices.Contains(strings.Fields(rule.functions), name) {
					t.Errorf("%s uses %s: %s", f.path, name, rule.reason)
				}
			}
			return true
		})
	}
}

// layer is the index of a package's line.
func layer(pkg string) int {
	return slices.IndexFunc(layers, func(l struct{ packages, reason string }) bool {
		return slices.Contains(strings.Fields(l.packages), pkg)
	})
}

// A sourceFile is one file of the programs, whatever system it is for.
type sourceFile struct {
	path, pkg string // below the module
	ast       *ast.File
}

func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	for _, top := range []string{"cmd", "pkg"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			path = strings.TrimPrefix(filepath.ToSlash(path), "../")
			f := sourceFile{path: path, pkg: path[:strings.LastIndex(path, "/")], ast: parsed}
			if layer(f.pkg) < 0 {
				t.Errorf("%s stands in no layer", f.path)
				return err
			}
			files = append(files, f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 20 {
		t.Fatalf("found %d files only: this test looks in the wrong place", len(files))
	}
	return files
}
