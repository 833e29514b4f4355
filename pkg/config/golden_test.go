package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each file in testdata is a story: a description, the files of a configuration after
// "-- NAME --" lines, and the results after these lines:
//
//	-- problems --                   all problems
//	-- show --                       the output of `ftpd check --show`
//	-- show --all --user NAME … --   the same with options
//
// The system of the stories has the accounts www-data (in the group www-data) and alice (in
// alice, staff and ftpusers). It has no accounts "ftp" and "nobody", and the lookup of "slow"
// fails. `go test -update` writes the results.
func TestGolden(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(story)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *update {
				if err := os.WriteFile(story, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s: the result is\n%s", story, got)
			}
		})
	}
}

// play carries out a story, and returns its text with the actual results.
func play(t *testing.T, text string) string {
	dir := t.TempDir()
	withoutDir := func(text string) string {
		return strings.ReplaceAll(text, dir+string(filepath.Separator), "")
	}
	var out strings.Builder
	intro, sections := split(text)
	out.WriteString(intro)
	var s *Source
	for _, sec := range sections {
		fmt.Fprintf(&out, "-- %s --\n", sec.name)
		words := strings.Fields(sec.name)
		switch words[0] {
		case "problems":
			s = Inspect(filepath.Join(dir, "ftpd.toml"), testAccounts{})
			for _, p := range s.Problems {
				out.WriteString(withoutDir(p.String()) + "\n")
			}
		case "show":
			out.WriteString(withoutDir(show(t, s, words[1:])))
		default:
			file := filepath.Join(dir, sec.name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(sec.text), 0o644); err != nil {
				t.Fatal(err)
			}
			out.WriteString(sec.text)
		}
	}
	return out.String()
}

// show returns the output of `ftpd check --show` with the options.
func show(t *testing.T, s *Source, options []string) string {
	var out strings.Builder
	var user string
	var groups []string
	all := slices.Contains(options, "--all")
	if i := slices.Index(options, "--user"); i >= 0 {
		user = options[i+1]
		groups, _ = testAccounts{}.GroupsOf(user)
	}
	if i := slices.Index(options, "--from"); i >= 0 {
		if err := s.ShowFrom(&out, user, groups, netip.MustParseAddr(options[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	err := error(nil)
	if user != "" {
		err = s.ShowUser(&out, user, groups, all)
	} else {
		err = s.Show(&out, all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

type section struct{ name, text string }

// split splits a story at its "-- NAME --" lines.
func split(text string) (intro string, sections []section) {
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- ")
		name, closed := strings.CutSuffix(name, " --")
		switch n := len(sections) - 1; {
		case ok && closed:
			sections = append(sections, section{name: name})
		case n < 0:
			intro += line
		default:
			sections[n].text += line
		}
	}
	return intro, sections
}

// testAccounts are the accounts of the system in the stories.
type testAccounts struct{}

var errSlow = errors.New("the directory service does not answer")

func (testAccounts) UserExists(name string) (bool, error) {
	if name == "slow" {
		return false, errSlow
	}
	return name == "www-data" || name == "alice" || name == "root", nil
}

func (testAccounts) GroupsOf(name string) ([]string, error) {
	switch name {
	case "alice":
		return []string{"alice", "staff", "ftpusers"}, nil
	case "www-data":
		return []string{"www-data"}, nil
	}
	return nil, nil
}
