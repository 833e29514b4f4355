//go:build linux

// Package tests drives the built binaries with real clients and, as root, with real accounts: `make system`.
//
// FTPD_BIN names the folder of the binaries; without it they are built. FTPD_TEST_OPERATIONS sets
// how many operations TestIdentities does, FTPD_TEST_FLOOD how long floods last,
// FTPD_TEST_HOME_RACE how long TestHomeRace lasts, FTPD_TEST_RATES how long rates are measured;
// FTPD_TEST_VANISHED runs TestVanishedClient, FTPD_TEST_HUGE has
// TestHugeFileWhole move files of 5 GiB.
package tests

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// bin is the folder of the binaries of this run. It is a copy that every account may enter, so
// that a process that is left over is recognized by its program.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "ftpdtest")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	bin = filepath.Join(dir, "bin")
	if err := installBinaries(bin); err != nil {
		return fail(err)
	}
	if os.Getuid() == 0 {
		for _, name := range []string{"ftpd", "ftpd-names", "ftp", "ftp-virtual"} {
			remove, err := serviceAccount(name)
			if err != nil {
				return fail(err)
			}
			defer remove()
		}
	}
	code = m.Run()
	if left := leftovers(); len(left) > 0 {
		return fail(fmt.Errorf("left over by the tests:\n  %s", strings.Join(left, "\n  ")))
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// installBinaries copies the binaries that make built, or builds them. Without a C compiler there
// is no ftpd-auth.
func installBinaries(dir string) error {
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(d, 0o755); err != nil { // MkdirTemp gave 0700
			return err
		}
	}
	from := os.Getenv("FTPD_BIN")
	if from == "" {
		return buildBinaries(dir)
	}
	for _, name := range []string{"ftpd", "ftpd-auth"} {
		program, err := os.ReadFile(filepath.Join(from, name))
		if name == "ftpd-auth" && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func buildBinaries(dir string) error {
	for program, cgo := range map[string]string{"ftpd": "0", "ftpd-auth": "1"} {
		if cgo == "1" && cgoOff() {
			continue
		}
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, program),
			"ftpd/cmd/"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", program, err, out)
		}
	}
	return nil
}

func cgoOff() bool {
	out, err := exec.Command("../scripts/cgo").Output()
	return err == nil && strings.TrimSpace(string(out)) == "0"
}

// serviceAccount makes an account that the core runs as, or that run_as names by default, where it is
// missing.
func serviceAccount(name string) (remove func(), err error) {
	if _, err := user.Lookup(name); err == nil {
		return func() {}, nil
	}
	out, err := exec.Command("useradd", "--system", "--user-group", "--no-create-home",
		"--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("useradd %s: %w: %s", name, err, out)
	}
	return func() { exec.Command("userdel", name).Run() }, nil
}

// leftovers returns what the tests should have ended or removed: processes of these binaries, and
// accounts.
func leftovers() []string {
	var left []string
	exes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range exes {
		if program, err := os.Readlink(exe); err == nil && strings.HasPrefix(program, bin+"/") {
			cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), "cmdline"))
			left = append(left, fmt.Sprintf("process %s: %q", filepath.Base(filepath.Dir(exe)),
				strings.Split(string(cmdline), "\x00")))
		}
	}
	for _, name := range accountsMade {
		if _, err := user.Lookup(name); err == nil {
			left = append(left, "account "+name)
		}
	}
	return left
}

// needRoot skips a test that makes accounts or changes identity.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root; run: sudo make system")
	}
	needHelper(t)
}

// needHelper skips a test that needs accounts of the system.
func needHelper(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(bin, "ftpd-auth")); err != nil {
		t.Skip("needs ftpd-auth; run: make build, which names what it misses, then make system")
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s; run: sudo apt-get install %s && make system", program, program)
	}
}

// sharedDir makes a directory that every account may enter; t.TempDir is for its owner alone.
func sharedDir(t *testing.T) string {
	t.Helper()
	return openDir(t, "")
}

// openDir does the same in another directory than that for temporary files.
func openDir(t *testing.T, in string) string {
	t.Helper()
	dir, err := os.MkdirTemp(in, "ftpdtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if mode&0o111 != 0 {
		// A child process that another test starts meanwhile would inherit the open file, and the
		// kernel executes no file that is open for writing (ETXTBSY).
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// copyLines calls take with each line of r, and returns at the end.
func copyLines(r io.Reader, take func(string)) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			take(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			return
		}
	}
}
