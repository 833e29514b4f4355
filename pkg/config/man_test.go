package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// These tests generate the manual page packaging/man/ftpd.toml.5, which has the content of
// etc/ftpd.toml. `go generate ./pkg/config` writes the file.

const manFile = "../../packaging/man/ftpd.toml.5"

const manHead = `.\" Generated from the comments in pkg/config: go generate ./pkg/config
.TH FTPD.TOML 5 "" ftpd
.SH NAME
ftpd.toml \- configuration of ftpd
.SH SYNOPSIS
.I /etc/ftpd.toml
.SH DESCRIPTION
The file is in TOML. Every key is optional. The keys of a section are below its
.I [header]
with their defaults.
.I ftpd check
reports every mistake with its line, and
.I ftpd check \-\-show
shows the values in force and where they were set.
.PP
Durations are written \(dq90s\(dq, \(dq5m\(dq, \(dq250ms\(dq or \(dq1h\(dq; \(dq0s\(dq switches a timeout off.
Sizes are \(dq64KiB\(dq, \(dq10MiB\(dq or \(dq2GB\(dq, or a number of bytes; 0 is unlimited.
Rates are sizes per second. Networks are \(dq10.0.0.0/8\(dq, or a single address.
Modes and masks are strings: \(dq022\(dq. In an FTP path, \(dq/\(dq is the top of the user's tree.
Keys named home and directory are paths of the host, and may contain {user}.
`

const manFoot = `.SH SEE ALSO
.BR ftpd (8)
`

func TestManPageIsFresh(t *testing.T) {
	want := manPage(t)
	if *update {
		if err := os.WriteFile(manFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: go generate ./pkg/config", manFile)
	}
}

func manPage(t *testing.T) []byte {
	t.Helper()
	m := &manual{docs: docs(t)}
	m.WriteString(manHead)
	root := reflect.ValueOf(Default()).Elem()
	for _, f := range fieldsOf(root.Type()) {
		doc := m.docs["Config."+root.Type().FieldByIndex(f.index).Name]
		switch {
		case isTableList(f.typ):
			m.heading("SH", "[["+f.key+"]]", doc)
			m.list(f.typ.Elem(), f.key)
		case isTable(f.typ):
			m.heading("SH", "["+f.key+"]", doc)
			m.keys(root.FieldByIndex(f.index), f.key)
		default:
			m.heading("SH", "Above all sections", nil)
			m.key(f.key, encode(root.FieldByIndex(f.index)), doc, support(f.key))
		}
	}
	m.WriteString(manFoot)
	return m.Bytes()
}

// A manual is a manual page in the man(7) macros of roff.
type manual struct {
	bytes.Buffer
	docs map[string][]string // the lines of each field's comment, by "Type.Field"
}

func (m *manual) heading(macro, text string, doc []string) {
	fmt.Fprintf(m, ".%s %s\n", macro, roff(text))
	m.text(doc)
}

// keys writes the keys of a table with their defaults.
func (m *manual) keys(v reflect.Value, table string) {
	for _, f := range fieldsOf(v.Type()) {
		m.key(f.key, encode(v.FieldByIndex(f.index)), m.docs[owner(v.Type(), f)],
			support(table+"."+f.key))
	}
}

// list writes the keys of a [[table]], which have no defaults. It omits the keys of [defaults],
// which are described there.
func (m *manual) list(typ reflect.Type, id string) {
	m.text(support(id))
	for _, f := range fieldsOf(typ) {
		doc := m.docs[owner(typ, f)]
		if isTableList(f.typ) {
			m.heading("SS", "[["+id+"."+f.key+"]]",
				m.docs["Override."+typ.FieldByIndex(f.index).Name])
			m.list(f.typ.Elem(), id+"."+f.key)
		} else if !isSetting(typ, f) {
			m.key(f.key, "", doc, support(supportKey(id+"."+f.key)))
		}
	}
}

func (m *manual) key(name, value string, doc, support []string) {
	m.WriteString(".TP\n\\fB" + roff(name) + "\\fR")
	if value != "" {
		m.WriteString(" = " + roff(value))
	}
	m.WriteByte('\n')
	m.text(doc)
	m.text(support)
}

// text writes the lines of a comment. Indented lines keep their columns.
func (m *manual) text(lines []string) {
	columns := false
	for _, l := range lines {
		if indented := strings.HasPrefix(l, " "); indented != columns {
			m.WriteString(map[bool]string{true: ".EX\n", false: ".EE\n"}[indented])
			columns = indented
		}
		m.WriteString(roff(l) + "\n")
	}
	if columns {
		m.WriteString(".EE\n")
	}
}

// escapes are the characters that roff would interpret or replace.
var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "^", `\(ha`, "~", `\(ti`,
	"`", `\(ga`, "…", "...")

// roff escapes text so that the page shows it unchanged.
func roff(text string) string {
	text = escapes.Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
