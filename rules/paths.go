package rules

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

// anyItem stands in a path for an item of the list before it.
const anyItem = "[]"

// Paths returns the longest paths that the expression names and that its value depends on, sorted, such as trigger.record.price.
// trigger.records.[].id is what trigger.records.map(r, r.id) is made of.
func Paths(source string) ([]string, error) {
	tree, err := parseSource(source)
	if err != nil {
		return nil, core.E("rules.Paths", err)
	}
	w := &pathWalk{bound: map[string]string{}}
	w.walk(tree.Expr())
	slices.Sort(w.found)
	return slices.Compact(w.found), nil
}

// ItemsOf returns the path of the list whose items, all or some of them, are those of the value of the expression; "" for none.
func ItemsOf(source string) string {
	tree, err := parseSource(source)
	if err != nil {
		return ""
	}
	w := &pathWalk{bound: map[string]string{}}
	path, _ := w.items(tree.Expr())
	return path
}

// pathWalk collects paths in the tree of an expression as it was written, before macros are expanded.
type pathWalk struct {
	bound map[string]string // what the variables of macros stand for
	found []string
}

// overItems are the macros whose value depends on the items of their list by what is asked of each alone.
var overItems = []string{"map", "all", "exists", "exists_one", "existsOne"}

func (w *pathWalk) walk(e ast.Expr) {
	if path := w.path(e); path != "" {
		w.found = append(w.found, path)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		w.walk(e.AsSelect().Operand())
	case ast.CallKind:
		w.call(e.AsCall())
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			w.walk(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.walk(entry.AsMapEntry().Key())
			w.walk(entry.AsMapEntry().Value())
		}
	}
}

func (w *pathWalk) call(c ast.CallExpr) {
	if c.IsMemberFunction() {
		list, ok := w.items(c.Target())
		if ok && slices.Contains(overItems, c.FunctionName()) && w.each(list, c) {
			return
		}
		if ok && c.FunctionName() == "filter" && w.each(list, c) {
			w.found = append(w.found, list)
			return
		}
		w.walk(c.Target())
	}
	for _, arg := range c.Args() {
		w.walk(arg)
	}
}

// items returns the path of the list that e is, or picks items from; it walks what they are picked by.
func (w *pathWalk) items(e ast.Expr) (list string, ok bool) {
	if path := w.path(e); path != "" {
		return path, true
	}
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "filter" || !e.AsCall().IsMemberFunction() {
		return "", false
	}
	if list, ok = w.items(e.AsCall().Target()); ok {
		ok = w.each(list, e.AsCall())
	}
	return list, ok
}

// each walks the arguments of a macro behind its variable, which stands for an item of the list; false for what is no such macro.
func (w *pathWalk) each(list string, c ast.CallExpr) bool {
	args := c.Args()
	if len(args) < 2 || args[0].Kind() != ast.IdentKind {
		return false
	}
	name := args[0].AsIdent()
	before, had := w.bound[name]
	w.bound[name] = list + "." + anyItem
	for _, arg := range args[1:] {
		w.walk(arg)
	}
	if delete(w.bound, name); had {
		w.bound[name] = before
	}
	return true
}

// path is the path that e is, from what its first name stands for; "" for anything else.
func (w *pathWalk) path(e ast.Expr) string {
	path := pathOf(e)
	root, rest, more := strings.Cut(path, ".")
	if of, ok := w.bound[root]; ok {
		if more {
			return of + "." + rest
		}
		return of
	}
	return path
}
