package ftpwire

import (
	"slices"
	"testing"
)

func TestLookup(t *testing.T) {
	table := Table[string]{}
	for _, name := range []string{
		"NOOP", "ABOR", "STAT", "SITE", "SITE CHMOD", "SITE UTIME", "OPTS", "OPTS UTF8",
	} {
		table[name] = &name
	}
	for line, want := range map[string][2]string{
		"NOOP":                {"NOOP", ""},
		"noop":                {"NOOP", ""},
		"NoOp  a b ":          {"NOOP", " a b "},
		"NOOPS":               {},
		"":                    {},
		" NOOP":               {"", "NOOP"},
		"NOOP\t":              {},
		"SITE CHMOD 600 f":    {"SITE CHMOD", "600 f"},
		"site   chmod  600 f": {"SITE CHMOD", " 600 f"},
		"SITE WHO x":          {"SITE", "WHO x"},
		"SITE":                {"SITE", ""},
		"OPTS utf8 on":        {"OPTS UTF8", "on"},
		"OPTS CHMOD":          {"OPTS", "CHMOD"},
		"\xf2ABOR":            {"ABOR", ""},
		"\xf4\xf2stat f":      {"STAT", "f"},
		"\xf2NOOP":            {},
		"xABOR":               {},
		"\xff\xff":            {},
		"ABCDEFGHIJKLMNOPQR":  {},
	} {
		cmd, arg := table.Lookup([]byte(line))
		name := ""
		if cmd != nil {
			name = *cmd
		}
		if name != want[0] || string(arg) != want[1] {
			t.Errorf("%q is %q, %q", line, name, arg)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := Table[int]{"NOOP": new(int), "SITE": new(int), "SITE CHMOD": new(int)}
	line := []byte("site chmod 600 some-file")
	if n := testing.AllocsPerRun(100, func() { table.Lookup(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRows(t *testing.T) {
	words := []string{"A", "B2345", "LONGEST", "C"}
	if got := Rows(words); !slices.Equal(got, []string{" A     B2345 LONGEST C"}) {
		t.Errorf("%q", got)
	}
	ten := slices.Repeat([]string{"NOOP"}, 10)
	const row = " NOOP  NOOP  NOOP  NOOP  NOOP  NOOP  NOOP  NOOP  NOOP  NOOP"
	if got := Rows(slices.Concat(ten, ten)); !slices.Equal(got, []string{row, row}) {
		t.Errorf("%q", got)
	}
	if got := Rows(nil); got != nil {
		t.Errorf("%q", got)
	}
}
