package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// A Source is a configuration as it was read: its values, where each was written, and what is wrong with it.
type Source struct {
	Config   *Config  // defaults where a file says nothing, or something wrong
	Problems Problems // in the order of the files; without errors among them, the Config may be used
	Files    []string // that were read, the main file first

	at     map[string]Position // by key, with indexes: "user[0].rule[1].path"
	whole  bool                // every file could be read, so what is missing is really not there
	failed map[string]bool     // keys whose value could not be taken
	told   map[string]bool     // keys that are wrong, those of failed among them
}

// Inspect reads a configuration with all files that it includes, and checks it. What it names on this host, accounts and certificates, is
// looked up unless accounts is nil.
func Inspect(path string, accounts Accounts) *Source {
	s := &Source{Config: Default(), at: map[string]Position{}, failed: map[string]bool{}, told: map[string]bool{}, whole: true}
	s.file(path, true)
	for _, file := range s.included(path) {
		s.file(file, false)
	}
	s.check()
	s.checkAccounts(accounts)
	s.idleRunAs()
	if accounts != nil && s.whole {
		s.checkCertificates()
	}
	s.checkSupported()
	s.Problems = s.Problems.arrange(s.Files)
	return s
}

// file reads one file. Keys of the main file come first, so include is known afterwards.
func (s *Source) file(path string, main bool) {
	s.Files = append(s.Files, path)
	text, err := os.ReadFile(path)
	if err != nil {
		cause := err
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			cause = pe.Err
		}
		s.whole = false
		s.Problems = append(s.Problems, Problem{File: path, Text: fmt.Sprintf("cannot be read: %v", cause)})
		return
	}
	s.text(path, string(text), main)
}

// text reads the text of one file.
func (s *Source) text(path, text string, main bool) {
	values, root, octals, problem := parse(text)
	if problem != nil {
		problem.File = path
		s.whole = false
		s.Problems = append(s.Problems, *problem)
		return
	}
	d := &decoder{Source: s, file: path, main: main, octals: octals}
	d.table(reflect.ValueOf(s.Config).Elem(), values, root, "")
}

// included lists the files that the patterns of include match, each once, in the order of the patterns and then of the names.
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
			glob = filepath.Join(plain.Replace(filepath.Dir(main)), pattern)
		}
		found, err := filepath.Glob(glob)
		switch {
		case err != nil:
			s.problem(at, "%q is not a pattern for names of files", pattern)
		case len(found) == 0 && !strings.ContainsAny(pattern, `*?[`):
			s.whole = false
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

// plain makes a folder's name match itself alone in a pattern.
var plain = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// leadingZero is a number that TOML refuses: most likely the mode of a file.
var leadingZero = regexp.MustCompile(`^[+-]?0[0-9_]+$`)

// parse reads TOML, and where its values stand. A number with leading zeroes stops the decoder, but hides nothing else: it becomes a
// string, whose offset is in octals, and all goes on. The problem is a syntax error.
func parse(text string) (values map[string]any, root *entry, octals map[int]bool, problem *Problem) {
	text = withoutMarks(text)
	octals = map[int]bool{}
	for {
		values = map[string]any{}
		_, err := toml.Decode(text, &values)
		if err == nil {
			root, clash := index(text)
			if clash >= 0 {
				return nil, nil, nil, syntaxError(text, clash, "the key has already been defined as a table")
			}
			return values, root, octals, nil
		}
		var pe toml.ParseError
		if !errors.As(err, &pe) {
			return nil, nil, nil, &Problem{Line: 1, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		}
		start := max(0, min(pe.Position.Start, len(text))) // the decoder may point at one before the first
		end := max(start, min(start+pe.Position.Len, len(text)))
		if !leadingZero.MatchString(text[start:end]) || octals[start] {
			return nil, nil, nil, syntaxError(text, start, pe.Message)
		}
		octals[start] = true
		text = text[:start] + `"` + text[start:end] + `"` + text[end:]
	}
}

// withoutMarks takes byte order marks from the beginning. The decoder passes over one, but does not count its bytes.
func withoutMarks(text string) string {
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		if rest, marked := strings.CutPrefix(text, mark); marked {
			return withoutMarks(rest)
		}
	}
	return text
}

// syntaxError is a problem at an offset.
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

// problem tells what is wrong with a key.
func (s *Source) problem(id, format string, args ...any) {
	s.told[id] = true
	s.add(id, false, format, args...)
}

// warn tells what is unwise about a key.
func (s *Source) warn(id, format string, args ...any) {
	s.add(id, true, format, args...)
}

// Tell adds what is wrong outside the files: about a key, or with id "" about the whole. The problems stay in their order.
func (s *Source) Tell(id string, warning bool, format string, args ...any) {
	if id == "" {
		s.Problems = append(s.Problems, Problem{File: s.Files[0], Text: fmt.Sprintf(format, args...), Warning: warning})
	} else {
		s.add(id, warning, format, args...)
	}
	s.Problems = s.Problems.arrange(s.Files)
}

func (s *Source) add(id string, warning bool, format string, args ...any) {
	at := s.position(id)
	s.Problems = append(s.Problems, Problem{
		File: at.File, Line: at.Line, Key: keyOf(id), Text: fmt.Sprintf(format, args...), Warning: warning,
	})
}

// listIndex is the index of an item in a key.
var listIndex = regexp.MustCompile(`\[\d+\]`)

// keyOf is a key as users know it, without indexes.
func keyOf(id string) string { return listIndex.ReplaceAllString(id, "") }

// given says whether a file sets the key, rightly or wrongly.
func (s *Source) given(id string) bool {
	_, ok := s.at[id]
	return ok
}

// position is where a key was written, or else the nearest thing around it.
func (s *Source) position(id string) Position {
	for id != "" {
		if at, ok := s.at[id]; ok {
			return at
		}
		id = id[:max(0, strings.LastIndexAny(id, ".["))]
	}
	return Position{File: s.Files[0], Line: 1}
}
