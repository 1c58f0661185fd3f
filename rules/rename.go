package rules

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"

	"colonnade/core"
)

// Rename returns the expression with other names in the places that the paths lead to: {"price": "cost", "old.price":
// "cost"} renames the column of a row expression. Everything else stays as it is, spaces and comments included; a word in
// a text is none of the names.
func Rename(source string, names map[string]string) (string, error) {
	const op = "rules.Rename"
	places, err := mentions(source)
	if err != nil {
		return "", core.E(op, err)
	}
	text := []rune(source)
	out := make([]rune, 0, len(text))
	done := 0
	for _, m := range places {
		to, ok := names[m.path]
		if !ok {
			continue
		}
		out = append(append(out, text[done:m.from]...), []rune(to)...)
		done = m.to
	}
	return string(append(out, text[done:]...)), nil
}

// Mentions returns the paths that the expression names, such as price and old.price, sorted.
func Mentions(source string) ([]string, error) {
	places, err := mentions(source)
	if err != nil {
		return nil, core.E("rules.Mentions", err)
	}
	var out []string
	for _, m := range places {
		out = append(out, m.path)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// mention is a name in the text of an expression, in characters.
type mention struct {
	path     string // the names that lead to it and itself, joined by dots
	from, to int
}

// mentions finds the names in the tree of the expression as it was written, before macros are expanded.
func mentions(source string) ([]mention, error) {
	const op = "rules.mentions"
	if len(source) > maxSource {
		return nil, core.E(op, core.Invalid, "the expression is too long: at most 10,000 bytes")
	}
	p, err := parser.NewParser(parser.MaxRecursionDepth(2*maxDepth), parser.ExpressionSizeCodePointLimit(maxSource))
	if err != nil {
		return nil, core.E(op, err)
	}
	tree, problems := p.Parse(common.NewTextSource(source))
	if len(problems.GetErrors()) > 0 {
		return nil, core.E(op, core.Invalid, "the expression is none: "+problems.GetErrors()[0].Message)
	}
	f := finder{text: []rune(source), info: tree.SourceInfo()}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(f.visit))
	slices.SortFunc(f.found, func(a, b mention) int { return a.from - b.from })
	return f.found, f.err
}

type finder struct {
	text  []rune
	info  *ast.SourceInfo
	found []mention
	err   error
}

func (f *finder) visit(e ast.Expr) {
	path, name := pathOf(e), ""
	switch e.Kind() {
	case ast.IdentKind:
		name = strings.TrimPrefix(e.AsIdent(), ".")
	case ast.SelectKind:
		name = e.AsSelect().FieldName()
	}
	if path == "" {
		return
	}
	r, _ := f.info.GetOffsetRange(e.ID())
	from := f.skip(int(r.Start))
	if from+len(name) > len(f.text) || string(f.text[from:from+len(name)]) != name {
		f.err = core.E("rules.mentions", fmt.Errorf("%s is not where the parser says in %q", path, string(f.text)))
		return
	}
	f.found = append(f.found, mention{path, from, from + len(name)})
}

// skip leads past a dot, spaces and comments.
func (f *finder) skip(i int) int {
	for i < len(f.text) {
		switch {
		case f.text[i] == '.', unicode.IsSpace(f.text[i]):
			i++
		case f.text[i] == '/' && i+1 < len(f.text) && f.text[i+1] == '/':
			for i < len(f.text) && f.text[i] != '\n' {
				i++
			}
		default:
			return i
		}
	}
	return i
}

// pathOf returns the names that lead to a node, "" when something else does.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return strings.TrimPrefix(e.AsIdent(), ".")
	case ast.SelectKind:
		if before := pathOf(e.AsSelect().Operand()); before != "" {
			return before + "." + e.AsSelect().FieldName()
		}
	}
	return ""
}

// RenameColumns is [Rename] for an expression over a row and the record before the change.
func RenameColumns(source string, columns map[string]string) (string, error) {
	names := make(map[string]string, 2*len(columns))
	for from, to := range columns {
		names[from], names[oldPrefix+from] = to, to
	}
	return Rename(source, names)
}
