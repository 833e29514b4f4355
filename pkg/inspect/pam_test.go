package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// read finds modules through every way of including a file, and only in lines of the type
// session. The files are in the directories etc and lib of the test.
func TestPAMModulesWithoutEffect(t *testing.T) {
	const limits = "session required pam_limits.so conf=/etc/x\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string // beginnings
	}{
		{
			"none",
			map[string]string{"etc/ftp": "#%PAM-1.0\nauth required pam_unix.so\n" +
				"session optional pam_mkhomedir.so\n"},
			nil,
		},
		{
			"direct",
			map[string]string{"etc/ftp": "auth required pam_unix.so\n\n" + limits},
			[]string{"etc/ftp:3: pam_limits has no effect"},
		},
		{
			"spellings",
			map[string]string{"etc/ftp": "-Session\t[success=ok default=ignore]  " +
				"/lib/security/pam_namespace.so\n" +
				"session required \\\n  pam_selinux.so close\n"},
			[]string{"etc/ftp:1: pam_namespace has", "etc/ftp:2: pam_selinux has"},
		},
		{
			"not of the session",
			map[string]string{"etc/ftp": "account required pam_limits.so\n" +
				"#" + limits + "session required pam_unix.so # pam_limits.so\n"},
			nil,
		},
		{
			"@include",
			map[string]string{"etc/ftp": "@include common\n", "etc/common": "\n" + limits},
			[]string{"etc/common:2: pam_limits"},
		},
		{
			"include and substack",
			map[string]string{
				"etc/ftp": "auth include auth-only\n" +
					"session include one\nsession substack two\n",
				"lib/one":       limits,
				"etc/two":       "session required pam_selinux.so\n",
				"etc/auth-only": "session required pam_namespace.so\n",
			},
			[]string{"lib/one:1: pam_limits", "etc/two:1: pam_selinux"},
		},
		{
			"etc before lib",
			map[string]string{
				"etc/ftp": "session include x\n",
				"etc/x":   "session required pam_unix.so\n", "lib/x": limits,
			},
			nil,
		},
		{
			"included twice",
			map[string]string{"etc/ftp": "@include x\n@include x\n", "etc/x": limits},
			[]string{"etc/x:1: pam_limits"},
		},
		{
			"missing",
			map[string]string{"etc/ftp": "session include nowhere\n"},
			[]string{"etc/ftp:1: there is no etc/nowhere: PAM refuses all users"},
		},
		{
			"in a circle",
			map[string]string{"etc/ftp": "@include ftp\n"},
			[]string{"etc/ftp:1: files include each other without an end"},
		},
		{
			"a bomb",
			map[string]string{"etc/ftp": strings.Repeat("@include ftp\n", 1000)},
			[]string{"etc/ftp:1: files include each other without an end"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r := pamReader{dirs: []string{filepath.Join(dir, "etc"), filepath.Join(dir, "lib")}}
			file, ok := r.find("ftp")
			if !ok {
				t.Fatal("the file is not found")
			}
			r.read(file, 0)
			got := []string{}
			for _, f := range r.findings {
				got = append(got, strings.ReplaceAll(f, dir+"/", ""))
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got\n  %s\nwant\n  %s",
					strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
			if r.files > maxPAMFiles+1 {
				t.Errorf("%d files were read", r.files)
			}
		})
	}
}

func TestMissingPAMFile(t *testing.T) {
	dir := t.TempDir()
	r := pamReader{dirs: []string{filepath.Join(dir, "etc"), filepath.Join(dir, "lib")}}
	if file, ok := r.find("ftp"); ok || file != filepath.Join(dir, "etc", "ftp") {
		t.Errorf("%s, %v", file, ok)
	}
}

// FuzzPAM reads files with arbitrary contents. Each finding must name a line of the file.
func FuzzPAM(f *testing.F) {
	f.Add("session required pam_limits.so\n@include x\n")
	f.Add("session [a b \\\n")
	f.Add("@include \x00")
	f.Add("@include .\n@include x")
	f.Add("@include " + strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "x")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		r := pamReader{dirs: []string{dir}}
		r.read(file, 0)
		for _, finding := range r.findings {
			var n int
			place := strings.TrimPrefix(finding, file+":")
			_, err := fmt.Sscanf(place, "%d: ", &n)
			if err != nil || n < 1 || n > strings.Count(text, "\n")+1 {
				t.Errorf("%q: %s", text, finding)
			}
		}
	})
}

// A PAM file that other accounts can change is reported, also one that is included.
func TestOpenPAMFile(t *testing.T) {
	dir := t.TempDir()
	file, open := filepath.Join(dir, "ftp"), filepath.Join(dir, "open")
	for path, text := range map[string]string{file: "@include open\n", open: ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o646); err != nil {
		t.Fatal(err)
	}
	r := pamReader{dirs: []string{dir}}
	if !r.read(file, 0) || len(r.findings) != 1 ||
		!strings.HasPrefix(r.findings[0], open+":1: every account can change "+open) {
		t.Errorf("found %q", r.findings)
	}
}
