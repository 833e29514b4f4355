package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var goFile = regexp.MustCompile("`([a-z_/0-9*]+\\.go)`")

// docs/development.md has a row for each package, and names no file that does not exist.
func TestDevelopmentDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/development.md")
	if err != nil {
		t.Fatal(err)
	}
	_, layout, _ := strings.Cut(string(text), "## Layout\n")
	layout, rest, _ := strings.Cut(layout, "\n## ")
	var rows []string
	for line := range strings.Lines(layout) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		packages := inBackquotes.FindAllStringSubmatch(cells[1], -1)
		for _, name := range packages {
			rows = append(rows, name[1])
		}
		for _, file := range goFile.FindAllStringSubmatch(cells[3], -1) {
			if _, err := os.Stat(filepath.Join("..", packages[0][1], file[1])); err != nil {
				t.Errorf("the layout: %v", err)
			}
		}
	}
	for _, f := range sourceFiles(t) {
		// pkg/unixauth and pkg/internal have one row for all packages below them.
		parts := strings.Split(f.pkg, "/")
		if name := strings.Join(parts[:2], "/"); !slices.Contains(rows, name) {
			t.Errorf("the layout has no row for %s", name)
			rows = append(rows, name) // one error is enough
		}
	}
	for _, file := range goFile.FindAllStringSubmatch(rest, -1) {
		if !exists(file[1]) {
			t.Errorf("docs/development.md names %s, which does not exist", file[1])
		}
	}
}

// exists reports whether a file exists, in the project or below pkg. A name without a directory is
// a file of the package that the sentence is about.
func exists(file string) bool {
	for _, pattern := range []string{"../" + file, "../pkg/" + file, "../pkg/*/" + file} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return true
		}
	}
	return false
}
