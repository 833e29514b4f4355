//go:build linux

package tests

import (
	"debug/elf"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// packageFiles are the results of `make packages`.
type packageFiles struct{ deb, rpm string }

// makePackages makes the packages of the binaries under test, once.
var makePackages = sync.OnceValues(func() (packageFiles, error) {
	return packagesIn(filepath.Join(filepath.Dir(bin), "packages"))
})

func packagesIn(dir string) (packageFiles, error) {
	out, err := exec.Command("../scripts/packages", dir, bin).CombinedOutput()
	if err != nil {
		return packageFiles{}, fmt.Errorf("scripts/packages: %w\n%s", err, out)
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
	rpms, _ := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if len(debs) != 1 || len(rpms) != 1 {
		return packageFiles{}, fmt.Errorf("scripts/packages made not one deb and one rpm: %q, %q",
			debs, rpms)
	}
	return packageFiles{debs[0], rpms[0]}, nil
}

func packages(t *testing.T) packageFiles {
	t.Helper()
	needHelper(t)
	need(t, "dpkg-deb")
	need(t, "objdump")
	files, err := makePackages()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPackageVersion checks that Debian's old transitional package of this name has a lower
// version than all versions of this package, and each version a lower one than the next.
func TestPackageVersion(t *testing.T) {
	t.Parallel()
	deb := packages(t).deb
	version := strings.TrimSpace(command(t, "", "dpkg-deb", "--field", deb, "Version"))
	order := []string{"0.17-37", version, "1.0.0~rc1-1", "1.0.0-1", "1.0.0+5.gabcdef-1",
		"1.0.0+12.gabcdef-1", "1.0.1-1"}
	if !strings.HasPrefix(version, "1.0.0~dev.") {
		order = []string{"0.17-37", version}
	}
	for i := range order[1:] {
		compare := exec.Command("dpkg", "--compare-versions", order[i], "lt", order[i+1])
		if compare.Run() != nil {
			t.Errorf("%s does not come before %s", order[i], order[i+1])
		}
	}
}

// TestPackageRelations checks that the package does not install where the C library is older than
// the one that ftpd-auth was linked with, and installs where it is new enough.
func TestPackageRelations(t *testing.T) {
	t.Parallel()
	files := packages(t)
	program, err := elf.Open(filepath.Join(bin, "ftpd-auth"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	symbols, err := program.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var minor int // of 2.minor
	for _, s := range symbols {
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_2."); ok {
			n, _ := strconv.Atoi(strings.Split(v, ".")[0])
			minor = max(minor, n)
		}
	}
	for field, want := range map[string]string{
		"Package":   "ftpd",
		"Provides":  "ftp-server",
		"Conflicts": "ftp-server",
		"Replaces":  "ftp-server",
		"Depends":   "libc6 (>= 2." + strconv.Itoa(minor) + "), libpam0g, libpam-runtime, passwd",
	} {
		got := strings.TrimSpace(command(t, "", "dpkg-deb", "--field", files.deb, field))
		if got != want {
			t.Errorf("%s: %q, not %q", field, got, want)
		}
	}
	need(t, "rpm")
	requires := strings.Fields(command(t, "", "rpm", "-qp", "--requires", files.rpm))
	want := "glibc >= 2." + strconv.Itoa(minor) + " pam shadow-utils"
	if got := strings.Join(requires, " "); got != want {
		t.Errorf("the rpm requires %q, not %q", got, want)
	}
}

// TestPackageContents checks that both packages contain the same files at the same places.
func TestPackageContents(t *testing.T) {
	t.Parallel()
	files := packages(t)
	var deb []string
	for line := range strings.Lines(command(t, "", "dpkg-deb", "--contents", files.deb)) {
		f := strings.Fields(line)
		name := strings.TrimPrefix(f[5], ".")
		if f[1] != "root/root" {
			t.Errorf("%s belongs to %s", name, f[1])
		}
		if !strings.HasSuffix(name, "/") && !strings.Contains(name, "lintian") &&
			!strings.HasSuffix(name, "/changelog.Debian.gz") {
			deb = append(deb, name)
		}
	}
	slices.Sort(deb)
	docs, _ := filepath.Glob("../docs/*.md")
	for _, doc := range docs {
		forDevelopers := filepath.Base(doc) == "development.md" // which needs a clone
		if !forDevelopers && !slices.Contains(deb, "/usr/share/doc/ftpd/"+filepath.Base(doc)) {
			t.Errorf("%s is not in packaging/nfpm.yaml", doc)
		}
	}
	schema, _, _ := strings.Cut(readFile(t, "../etc/ftpd.toml"), "\n")
	if name := strings.TrimPrefix(schema, "#:schema "); !slices.Contains(deb, name) {
		t.Errorf("%s, which etc/ftpd.toml names, is not in packaging/nfpm.yaml", name)
	}
	conffiles := command(t, "", "dpkg-deb", "--info", files.deb, "conffiles")
	for _, name := range deb {
		if strings.HasPrefix(name, "/etc/") != strings.Contains(conffiles, name+"\n") {
			t.Errorf("%s: what is in /etc is a conffile, and nothing else is", name)
		}
	}

	need(t, "rpm")
	directories := []string{"/etc/ftpd.d", "/var/log/ftpd"}
	rpm := slices.DeleteFunc(strings.Fields(command(t, "", "rpm", "-qlp", files.rpm)),
		func(name string) bool {
			return slices.Contains(directories, name)
		})
	slices.Sort(rpm)
	if !slices.Equal(deb, rpm) {
		t.Errorf("the deb has\n  %s\nand the rpm\n  %s", strings.Join(deb, "\n  "),
			strings.Join(rpm, "\n  "))
	}
}

// TestPackagesAreReproducible checks that the same commit and programs give the same bytes, at
// another place and time.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	first := packages(t)
	again, err := packagesIn(filepath.Join(t.TempDir(), "again"))
	if err != nil {
		t.Fatal(err)
	}
	if sha256File(t, first.deb) != sha256File(t, again.deb) {
		t.Error("two debs differ")
	}
	if sha256File(t, first.rpm) != sha256File(t, again.rpm) {
		t.Error("two rpms differ")
	}
}

// TestPackageLint runs the checkers of Debian and Fedora, with the documented exceptions.
func TestPackageLint(t *testing.T) {
	t.Parallel()
	files := packages(t)
	for _, lint := range [][]string{
		{"lintian", "--allow-root", "--fail-on", "error", files.deb},
		{"rpmlint", "--config", "../packaging/rpm/rpmlint.toml", files.rpm},
	} {
		t.Run(lint[0], func(t *testing.T) {
			need(t, lint[0])
			command(t, "", lint[0], lint[1:]...)
		})
	}
}
