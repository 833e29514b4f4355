package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The replies to failed commands are in errors.go or beside the handlers. Other files have
// only the 421 that ends a session.
func TestRepliesOfFailures(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		handlers := name == "errors.go" || strings.HasPrefix(name, "cmd_")
		if handlers || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "reply" {
				return true
			}
			code, ok := call.Args[0].(*ast.BasicLit)
			if !ok || code.Value >= "400" && code.Value != "421" {
				t.Errorf("%v: a reply of a failing command", set.Position(call.Pos()))
			}
			return true
		})
	}
}
