package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows is the package map: what each package may import of ours. ARCHITECTURE.md draws it.
var arrows = map[string]string{
	"core":                     "",
	"core/search":              "core",
	"core/normal":              "",
	"core/formula":             "core",
	"core/egress":              "core",
	"core/db":                  "core core/search",
	"core/db/jobs":             "core core/db",
	"core/db/sqlite":           "core core/db core/db/jobs core/formula core/search",
	"core/db/postgres":         "core core/db core/db/jobs core/formula core/search",
	"core/db/dbtest":           "core core/db core/db/sqlite core/db/postgres core/formula",
	"core/secret":              "core core/db",
	"core/pseudonym":           "",
	"rules":                    "core core/db core/formula",
	"authz":                    "core core/db rules",
	"tables":                   "core core/db core/formula core/secret core/normal core/search rules authz",
	"identity":                 "core core/db core/egress core/secret authz tables",
	"flows":                    "core core/db core/secret rules tables",
	"plugins/external":         "authz core core/db core/egress core/secret tables",
	"plugins/mail":             "core",
	"plugins/request":          "authz core core/db core/egress core/secret tables",
	"plugins/*":                "core core/db core/normal rules tables",
	"plugins":                  "core tables plugins/*",
	"transfer/format":          "core",
	"transfer/archive":         "core tables",
	"transfer":                 "core core/db core/pseudonym files tables transfer/archive transfer/format",
	"live":                     "core tables",
	"graphql":                  "core live tables",
	"codegen":                  "core",
	"files":                    "core tables",
	"web":                      "core authz files flows graphql identity transfer transfer/format",
	"examples/coffee":          "",
	"examples/clients":         "examples/clients/library",
	"examples/clients/library": "",
	"examples/plugins":         "",
	"bench":                    "core",
	"tests/oracle":             "core",
}

// systemCallers are the packages that may act as the system, which passes every check.
var systemCallers = strings.Fields("core tables flows main")

func TestImports(t *testing.T) {
	walk(t, func(path, dir string, f *ast.File) {
		if dir == "main" {
			return
		}
		allowed, ok := arrows[dir]
		if !ok {
			t.Errorf("%s: package %s is not on the map", path, dir)
		}
		for _, im := range f.Imports {
			to, ours := strings.CutPrefix(strings.Trim(im.Path.Value, `"`), "colonnade/")
			if ours && !slices.Contains(strings.Fields(allowed), box(to)) {
				t.Errorf("%s: %s may not import %s", path, dir, to)
			}
		}
	})
}

func TestAttackA29WhoActsAsSystem(t *testing.T) {
	walk(t, func(path, dir string, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "System" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "core" && !slices.Contains(systemCallers, dir) {
				t.Errorf("%s: %s may not act as the system", path, dir)
			}
			return true
		})
	})
}

// callers are the packages that may call other servers by themselves: the guard, and programs that call the server they
// were told to. Everybody else is handed a client of the guard.
var callers = strings.Fields("core/egress main bench examples/coffee examples/clients/library")

func TestWhoCallsOut(t *testing.T) {
	walk(t, func(path, dir string, f *ast.File) {
		if slices.Contains(callers, dir) {
			return
		}
		refuse := func(x ast.Expr, packages ...string) {
			sel, ok := x.(*ast.SelectorExpr)
			if !ok {
				return
			}
			if from, ok := sel.X.(*ast.Ident); ok && slices.Contains(packages, from.Name+"."+sel.Sel.Name) {
				t.Errorf("%s: %s calls other servers past the guard: %s.%s", path, dir, from.Name, sel.Sel.Name)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				refuse(n, "http.DefaultClient", "http.DefaultTransport", "http.Get", "http.Head", "http.Post", "http.PostForm", "http.Transport",
					"net.Dial", "net.DialTimeout", "net.DialTCP", "net.DialUDP", "net.DialIP", "net.DialUnix", "net.Dialer", "tls.Dial", "tls.Dialer", "fasthttp.Client", "fasthttp.HostClient")
			case *ast.CompositeLit:
				refuse(n.Type, "http.Client")
			}
			return true
		})
	})
}

// walk parses every file of ours that is no test.
func walk(t *testing.T, visit func(path, dir string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(path, box(filepath.ToSlash(filepath.Dir(path))), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func box(dir string) string {
	switch {
	case dir == ".":
		return "main"
	case dir == "plugins/external" || dir == "plugins/request" || dir == "plugins/mail":
		return dir
	case strings.HasPrefix(dir, "examples/plugins/"):
		return "examples/plugins"
	case strings.HasPrefix(dir, "plugins/"):
		return "plugins/*"
	case strings.HasPrefix(dir, "bench/"):
		return "bench"
	}
	return dir
}
