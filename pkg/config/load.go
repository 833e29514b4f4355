package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"
)

// A Source is a configuration with the positions of its keys and the problems found in it.
type Source struct {
	Config   *Config  // has the default of each key that is not set, or not to a valid value
	Problems Problems // in the order of the files; if none is an error, Config may be used
	Files    []string // the files that were read, the main file first

	at       map[string]Position // by id: "user[0].rule[1].path"
	complete bool                // every file could be read, so that missing keys are not set
	failed   map[string]bool     // ids of keys that have no valid value
	reported map[string]bool     // ids of keys with an error, including those in failed
}

// newSource returns a Source with the defaults.
func newSource() *Source {
	return &Source{
		Config:   Default(),
		at:       map[string]Position{},
		complete: true,
		failed:   map[string]bool{},
		reported: map[string]bool{},
	}
}

// Inspect reads a configuration with all files that it includes, and checks it. Unless accounts
// is nil, it also checks the accounts of this host that the configuration names.
func Inspect(path string, accounts Accounts) *Source {
	s := newSource()
	s.file(path, true)
	for _, file := range s.included(path) {
		s.file(file, false)
	}
	s.check()
	s.checkAccounts(accounts)
	s.idleRunAs()
	s.checkSupported()
	s.Problems = s.Problems.arrange(s.Files)
	return s
}

// file reads one file.
func (s *Source) file(path string, main bool) {
	s.Files = append(s.Files, path)
	text, err := readText(path, main)
	if err != nil {
		cause := err
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			cause = pe.Err
		}
		s.complete = false
		s.Problems = append(s.Problems,
			Problem{File: path, Text: fmt.Sprintf("cannot be read: %v", cause)})
		return
	}
	s.text(path, text, main)
}

// maxFile is the size of the largest file that is read.
const maxFile = 16 << 20

// readText returns the text of a file. What is included must be a regular file: another account may
// have made it, in a directory that is refused after it was read, and a FIFO without a writer would
// be waited for. The main file may be a pipe.
func readText(path string, main bool) (string, error) {
	flags := os.O_RDONLY
	if !main {
		flags |= syscall.O_NONBLOCK // the open of a FIFO waits for no writer
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !main && !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d MiB", maxFile>>20)
	}
	return string(text), err
}

// text decodes the text of one file.
func (s *Source) text(path, text string, main bool) {
	values, root, octals, problem := parse(text)
	if problem != nil {
		problem.File = path
		s.complete = false
		s.Problems = append(s.Problems, *problem)
		return
	}
	d := &decoder{Source: s, file: path, main: main, octals: octals}
	d.table(reflect.ValueOf(s.Config).Elem(), values, root, "")
}

// included returns the files that the patterns of include match, each once, in the order of the
// patterns and then of the names.
func (s *Source) included(main string) []string {
	var files []string
	for i, pattern := range s.Config.Include {
		at := fmt.Sprintf("include[%d]", i)
		if pattern == "" {
			s.problem(at, "the name of a file is empty")
			continue
		}
		glob := pattern
		if !filepath.IsAbs(pattern) {
			glob = filepath.Join(escapeGlob.Replace(filepath.Dir(main)), pattern)
		}
		found, err := filepath.Glob(glob)
		switch {
		case err != nil:
			s.problem(at, "%q is not a pattern for names of files", pattern)
		case len(found) == 0 && !strings.ContainsAny(pattern, `*?[`):
			s.complete = false
			s.problem(at, "%s: no such file", glob)
		}
		for _, file := range found {
			if file != filepath.Clean(main) && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// IncludeDirectory returns the directory in which the files of include[i] are: the last one above
// them whose name is not a pattern.
func (s *Source) IncludeDirectory(i int) string {
	dir := filepath.Dir(s.Config.Include[i])
	for strings.ContainsAny(dir, `*?[`) {
		dir = filepath.Dir(dir)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(s.Files[0]), dir)
	}
	return dir
}

// escapeGlob escapes the characters that have a meaning in a pattern.
var escapeGlob = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// leadingZero matches a number that TOML refuses, most likely the mode of a file.
var leadingZero = regexp.MustCompile(`^[+-]?0[0-9_]+$`)

// parse returns the values of a TOML text and their positions. The problem is a syntax error. At
// a number with leading zeroes the decoder stops. So that it does not hide other mistakes, parse
// replaces the number by a string, adds its offset to octals, and decodes again.
func parse(text string) (values map[string]any, root *entry, octals map[int]bool,
	problem *Problem) {
	text = trimByteOrderMarks(text)
	octals = map[int]bool{}
	for {
		values = map[string]any{}
		_, err := toml.Decode(text, &values)
		if err == nil {
			root, duplicate := index(text)
			if duplicate >= 0 {
				return nil, nil, nil, syntaxError(text, duplicate,
					"the key has already been defined as a table")
			}
			return values, root, octals, nil
		}
		var pe toml.ParseError
		if !errors.As(err, &pe) {
			problem = &Problem{Line: 1, Text: strings.TrimPrefix(err.Error(), "toml: ")}
			return nil, nil, nil, problem
		}
		start := max(0, min(pe.Position.Start, len(text))) // the decoder may return -1
		end := max(start, min(start+pe.Position.Len, len(text)))
		if !leadingZero.MatchString(text[start:end]) || octals[start] {
			return nil, nil, nil, syntaxError(text, start, pe.Message)
		}
		octals[start] = true
		text = text[:start] + `"` + text[start:end] + `"` + text[end:]
	}
}

// trimByteOrderMarks removes byte order marks at the beginning. The decoder skips one, but does
// not count its bytes in offsets.
func trimByteOrderMarks(text string) string {
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		if rest, found := strings.CutPrefix(text, mark); found {
			return trimByteOrderMarks(rest)
		}
	}
	return text
}

// syntaxError returns a problem at an offset.
func syntaxError(text string, offset int, message string) *Problem {
	before := text[:offset]
	if message != "" {
		message = strings.ToLower(message[:1]) + strings.TrimSuffix(message[1:], ".")
	}
	return &Problem{
		Line:   strings.Count(before, "\n") + 1,
		Column: offset - strings.LastIndexByte(before, '\n'),
		Text:   message,
	}
}

// problem adds an error about a key.
func (s *Source) problem(id, format string, args ...any) {
	s.reported[id] = true
	s.add(id, false, format, args...)
}

// warn adds a warning about a key.
func (s *Source) warn(id, format string, args ...any) {
	s.add(id, true, format, args...)
}

// Report adds a problem that was found outside the files. It is about a key, or with the id ""
// about the whole configuration. The problems remain sorted.
func (s *Source) Report(id string, warning bool, format string, args ...any) {
	if id == "" {
		s.Problems = append(s.Problems, Problem{
			File: s.Files[0], Text: fmt.Sprintf(format, args...), Warning: warning,
		})
	} else {
		s.add(id, warning, format, args...)
	}
	s.Problems = s.Problems.arrange(s.Files)
}

// Complete reports whether every file of the configuration could be read.
func (s *Source) Complete() bool { return s.complete }

// HasError reports whether a key has an error. The id is the key with the indexes of tables, such
// as "host[0].certificate".
func (s *Source) HasError(id string) bool { return s.reported[id] }

func (s *Source) add(id string, warning bool, format string, args ...any) {
	at := s.position(id)
	s.Problems = append(s.Problems, Problem{
		File: at.File, Line: at.Line, Key: keyOf(id),
		Text: fmt.Sprintf(format, args...), Warning: warning,
	})
}

// listIndex matches the index of an item in an id.
var listIndex = regexp.MustCompile(`\[\d+\]`)

// keyOf returns the key of an id as users write it, without indexes.
func keyOf(id string) string { return listIndex.ReplaceAllString(id, "") }

// given reports whether a file sets the key, to a valid value or not.
func (s *Source) given(id string) bool {
	_, ok := s.at[id]
	return ok
}

// position returns the position of a key, or of the innermost table around it that has one.
func (s *Source) position(id string) Position {
	for id != "" {
		if at, ok := s.at[id]; ok {
			return at
		}
		id = id[:max(0, strings.LastIndexAny(id, ".["))]
	}
	return Position{File: s.Files[0], Line: 1}
}
