package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// These tests generate etc/ftpd.toml from the comments of the structs and from Default, and
// compare it with the file. `go generate ./pkg/config` writes the file.

var update = flag.Bool("update", false, "write the generated files and the results in testdata")

const exampleFile = "../../etc/ftpd.toml"

const exampleHead = `#:schema /usr/share/ftpd/ftpd.schema.json
# The configuration of ftpd. Every key is optional. The keys in this file are commented out and
# show the defaults, so without edits this file changes nothing. "ftpd check" finds mistakes
# before a start; "ftpd check --show" shows the values in force and where they were set.
#
# Durations are written "90s", "5m", "250ms" or "1h"; "0s" switches a timeout off. Sizes are
# "64KiB", "10MiB" or "2GB", or a number of bytes; 0 is unlimited. Rates are sizes per second.
# Networks are "10.0.0.0/8", or a single address. Modes and masks are strings: "022". In an FTP
# path, "/" is the top of the user's tree. Keys named home and directory are paths of the host,
# and may contain {user}.
`

func TestExampleIsFresh(t *testing.T) {
	want := example(t)
	if *update {
		if err := os.WriteFile(exampleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: go generate ./pkg/config", exampleFile)
	}
}

// The file shows the default of every key.
func TestExampleShowsTheDefaults(t *testing.T) {
	uncommented := regexp.MustCompile(`(?m)^#([a-z_]+ =)`).ReplaceAll(example(t), []byte("$1"))
	s := inspectText(t, string(uncommented))
	for _, p := range s.Problems.Errors() {
		t.Error(p)
	}
	got, want := reflect.ValueOf(s.Config).Elem(), reflect.ValueOf(Default()).Elem()
	for i := range got.NumField() {
		if g, w := got.Field(i).Interface(), want.Field(i).Interface(); !reflect.DeepEqual(g, w) {
			t.Errorf("[%s] differs from the default:\n got %+v\nwant %+v",
				got.Type().Field(i).Name, g, w)
		}
	}
	for _, f := range fieldsOf(reflect.TypeFor[Config]()) {
		if !isTable(f.typ) {
			continue
		}
		for _, key := range keysOf(f.typ) {
			if !s.given(f.key + "." + key) {
				t.Errorf("%s.%s is not in the file", f.key, key)
			}
		}
	}
}

// The examples of [[tables]] are valid; some of their keys may be unsupported.
func TestExampleTablesAreValid(t *testing.T) {
	text := strings.ReplaceAll(string(example(t)), "$…", "$"+strings.Repeat("x", 53))
	commented := regexp.MustCompile(`(?m)^# ( *(\[\[[a-z.]+\]\]$|[a-z_]+ = ))`)
	text = commented.ReplaceAllString(text, "$1")
	// [[host]] needs a certificate in [tls].
	text = strings.Replace(text, `#certificate = ""`, `certificate = "/etc/ssl/ftpd.pem"`, 1)
	s := inspectText(t, text)
	for _, p := range s.Problems.Errors() {
		if !strings.HasPrefix(p.Text, notSupported) {
			t.Error(p)
		}
	}
	c := s.Config
	if len(c.Groups) != 1 || len(c.Users) != 1 || len(c.Hooks) != 1 || len(c.Sites) != 1 ||
		len(c.Hosts) != 1 || len(c.Users[0].Rules) != 1 || len(c.Users[0].Mounts) != 1 {
		t.Errorf("tables are missing: %+v", c)
	}
}

// inspectText inspects a configuration of one file with this text.
func inspectText(t *testing.T, text string) *Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ftpd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Inspect(file, nil)
}

// example returns the text of etc/ftpd.toml.
func example(t *testing.T) []byte {
	t.Helper()
	ex := &exampler{docs: docs(t)}
	ex.WriteString(exampleHead)
	root := reflect.ValueOf(Default()).Elem()
	for _, f := range fieldsOf(root.Type()) {
		doc := ex.docs["Config."+root.Type().FieldByIndex(f.index).Name]
		switch {
		case isTableList(f.typ):
			ex.section(doc, "")
			ex.list(f.typ.Elem(), f.key, "# ")
		case isTable(f.typ):
			ex.section(doc, "["+f.key+"]")
			ex.keys(root.FieldByIndex(f.index), f.key)
		default:
			ex.key(f, root.FieldByIndex(f.index), doc, f.key)
		}
	}
	return ex.Bytes()
}

// An exampler writes the text of etc/ftpd.toml.
type exampler struct {
	bytes.Buffer
	docs map[string][]string // the lines of each field's comment, by "Type.Field"
}

// section begins a table with a rule, the comment of the table, and the header unless it is "".
func (ex *exampler) section(doc []string, header string) {
	fmt.Fprintf(ex, "\n# %s\n", strings.Repeat("-", 93))
	ex.comment("", doc)
	if header != "" {
		fmt.Fprintf(ex, "%s\n", header)
	}
}

func (ex *exampler) comment(indent string, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(ex, "%s# %s\n", indent, l)
	}
}

// keys writes the keys of a table with their defaults, commented out.
func (ex *exampler) keys(v reflect.Value, table string) {
	for _, f := range fieldsOf(v.Type()) {
		sf := v.Type().FieldByIndex(f.index)
		ex.key(f, v.FieldByIndex(f.index), ex.docs[v.Type().Name()+"."+sf.Name], table+"."+f.key)
	}
}

func (ex *exampler) key(f field, v reflect.Value, doc []string, id string) {
	ex.WriteByte('\n')
	ex.comment("", doc)
	ex.comment("", support(id))
	fmt.Fprintf(ex, "#%s = %s\n", f.key, encode(v))
}

// list writes the example of a [[table]] as a comment, which a reader may copy.
func (ex *exampler) list(typ reflect.Type, id, indent string) {
	ex.comment("", support(id))
	if indent == "# " {
		ex.WriteString("#\n")
	}
	fmt.Fprintf(ex, "%s[[%s]]\n", indent, id)
	fields := fieldsOf(typ)
	for _, f := range fields {
		value, shown := examples[id+"."+f.key]
		if !shown {
			continue
		}
		if !isSetting(typ, f) {
			ex.comment(indent, ex.docs[owner(typ, f)])
		}
		ex.comment(indent, support(supportKey(id+"."+f.key)))
		fmt.Fprintf(ex, "%s%s = %s\n", indent, f.key, value)
	}
	for _, f := range fields {
		if isTableList(f.typ) && id == "user" {
			fmt.Fprintf(ex, "#\n")
			ex.comment(indent+"  ", ex.docs["Override."+typ.FieldByIndex(f.index).Name])
			ex.list(f.typ.Elem(), id+"."+f.key, indent+"  ")
		}
	}
}

// isSetting reports whether a field is one of [defaults], where its comment is shown.
func isSetting(typ reflect.Type, f field) bool {
	return strings.HasPrefix(owner(typ, f), "Settings.")
}

// owner returns "Type.Field" for the struct that declares a field.
func owner(typ reflect.Type, f field) string {
	sf := typ.FieldByIndex(f.index)
	if len(f.index) > 1 {
		typ = typ.FieldByIndex(f.index[:len(f.index)-1]).Type
	}
	return typ.Name() + "." + sf.Name
}

// support returns the note for a key that is not supported, or only with some values.
func support(id string) []string {
	supported, listed := unsupported[id]
	switch {
	case !listed:
		return nil
	case len(supported) == 0:
		return []string{"Not supported yet."}
	}
	return []string{"Only " + strings.Join(quoted(supported), " and ") + " are supported so far."}
}

// docs returns the comments of the fields in config.go, by "Type.Field".
func docs(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			if len(f.Names) == 0 || strings.Contains(f.Tag.Value, `"-"`) {
				continue
			}
			name := spec.Name.Name + "." + f.Names[0].Name
			if f.Doc == nil {
				t.Errorf("%s has no comment", name)
				continue
			}
			for _, c := range f.Doc.List {
				line := strings.TrimPrefix(strings.TrimPrefix(c.Text, "//"), " ")
				found[name] = append(found[name], line)
			}
		}
		return false
	})
	return found
}
