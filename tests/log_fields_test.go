package tests

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLogIsDocumented checks that docs/log.md has each message and each field that the code can
// write, and no other, since programs rely on it.
func TestLogIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, _ := strings.Cut(string(doc), "## Messages")
	messages, fields, _ := strings.Cut(tables, "## Fields")
	wantMessages, wantFields := logged(t)
	compare(t, "message", firstColumn(messages), wantMessages)
	// which zerolog writes by itself
	compare(t, "field", firstColumn(fields), append(wantFields, "time", "level", "message"))
}

func compare(t *testing.T, what string, documented, written []string) {
	t.Helper()
	for _, w := range written {
		if !slices.Contains(documented, w) {
			t.Errorf("docs/log.md lacks the %s %q", what, w)
		}
	}
	for _, d := range documented {
		if !slices.Contains(written, d) {
			t.Errorf("docs/log.md has the %s %q, which nothing writes", what, d)
		}
	}
}

var inBackquotes = regexp.MustCompile("`([^`]*)`")

// firstColumn returns what is in backquotes in the first column of a table.
func firstColumn(table string) (found []string) {
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range inBackquotes.FindAllStringSubmatch(cells[1], -1) {
				found = append(found, m[1])
			}
		}
	}
	return found
}

// fieldMethods are the methods of zerolog with the name of a field as first argument.
var fieldMethods = strings.Fields("Str Strs Int Int64 Float64 Bool Dur Time Stringer")

// loggingPackages are the packages that write the log.
var loggingPackages = strings.Fields("pkg/events pkg/keyring pkg/roots pkg/supervisor cmd/ftpd")

// logged collects messages and fields from the sources of the code that writes the log.
func logged(t *testing.T) (messages, fields []string) {
	for _, f := range sourceFiles(t) {
		if !slices.Contains(loggingPackages, f.pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				switch name := called(n); {
				case name == "Msg" || name == "logCertificate":
					messages = append(messages, literals(n.Args...)...)
				case name == "text" && f.pkg == "pkg/events":
					fields = append(fields, literals(n.Args[1])...)
				case name == "Err":
					fields = append(fields, "error")
				case slices.Contains(fieldMethods, name) && len(n.Args) == 2:
					fields = append(fields, literals(n.Args[0])...)
				}
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "Kind" {
					messages = append(messages, literals(n.Values...)...)
				}
			}
			return true
		})
	}
	return messages, fields
}

func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// literals returns the string constants among the expressions, also those that are put together
// with "+".
func literals(of ...ast.Expr) (found []string) {
	for _, e := range of {
		if text, ok := literal(e); ok {
			found = append(found, text)
		}
	}
	return found
}

func literal(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ = strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, isText := literal(e.X)
		right, _ := literal(e.Y)
		return left + right, isText && e.Op == token.ADD
	}
	return "", false
}
