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
	tree, err := parseSource(source)
	if err != nil {
		return nil, err
	}
	f := finder{text: []rune(source), info: tree.SourceInfo()}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(f.visit))
	slices.SortFunc(f.found, func(a, b mention) int { return a.from - b.from })
	return f.found, f.err
}

// parseSource returns the tree of the expression as it was written, before macros are expanded.
func parseSource(source string) (*ast.AST, error) {
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
	return tree, nil
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
	from, to := f.span(e, name)
	f.found = append(f.found, mention{path, from, to})
}

// span returns where the name of the node stands.
func (f *finder) span(e ast.Expr, name string) (from, to int) {
	r, _ := f.info.GetOffsetRange(e.ID())
	from = f.skip(int(r.Start))
	to = from + len(name)
	if to > len(f.text) || string(f.text[from:to]) != name {
		f.err = core.E("rules.mentions", fmt.Errorf("%s is not where the parser says in %q", name, string(f.text)))
		return 0, 0
	}
	return from, to
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

// Follow returns the expression over the records of the table, by its physical name, with the names that the tables, columns
// and relations have in the schema to, which it calls as they are called in from. What is not there any more keeps its name.
func Follow(from, to *core.Schema, table, source string) (string, error) {
	found, err := meanings(from, table, source)
	if err != nil {
		return "", core.E("rules.Follow", err)
	}
	text := []rune(source)
	out := make([]rune, 0, len(text))
	done := 0
	for _, m := range found {
		name, ok := m.entity.in(to)
		if !ok {
			continue
		}
		out = append(append(out, text[done:m.from]...), []rune(name)...)
		done = m.to
	}
	return string(append(out, text[done:]...)), nil
}

// Named is a table, a column or a relation that an expression names.
type Named struct{ Table, Column string } // by their physical names; a relation is the lookup that makes it

// Names returns what the expression over the records of the table, by its physical name, names in the schema. A name that
// means nothing there is left out.
func Names(s *core.Schema, table, source string) ([]Named, error) {
	found, err := meanings(s, table, source)
	if err != nil {
		return nil, core.E("rules.Names", err)
	}
	var out []Named
	for _, m := range found {
		if n := (Named{m.entity.table, m.entity.column}); n.Table != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// meaning is a name in the text of an expression, in characters, and what it stands for.
type meaning struct {
	entity   entity
	from, to int
}

// meanings finds what the names of an expression stand for.
func meanings(s *core.Schema, table, source string) ([]meaning, error) {
	t, ok := s.At(table)
	if !ok {
		return nil, core.E("rules.meanings", core.NotFound, core.At{Table: table}, "there is no such table")
	}
	tree, err := parseSource(source)
	if err != nil {
		return nil, err
	}
	r := reader{finder: finder{text: []rune(source), info: tree.SourceInfo()}}
	r.read(tree.Expr(), &names{schema: s, table: t, old: true})
	slices.SortFunc(r.found, func(a, b meaning) int { return a.from - b.from })
	return r.found, r.err
}

// reader finds meanings in a tree as it was written.
type reader struct {
	finder
	found []meaning
}

func (r *reader) read(e ast.Expr, n *names) {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		r.chain(e, n)
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			r.read(x, n)
		}
	case ast.CallKind:
		form, of, _ := n.aggregateOf(e)
		args := e.AsCall().Args()
		if form == nil {
			for _, x := range operands(e.AsCall()) {
				r.read(x, n)
			}
			return
		}
		chain := r.chain(of, n)
		if len(chain) == 0 || len(args) == 0 || args[0].Kind() != ast.IdentKind {
			return
		}
		p, _, problem := n.find(chain)
		if problem != "" {
			return
		}
		inner := *n
		inner.locals = append(slices.Clone(n.locals), local{name: args[0].AsIdent(), scope: len(n.locals) + 1, table: p.table})
		for _, x := range args[1:] {
			r.read(x, &inner)
		}
	}
}

// chain notes what the names of a chain stand for, as far as it leads.
func (r *reader) chain(e ast.Expr, n *names) []string {
	chain := chainOf(e)
	if chain == nil || chain[0] == callerName || chain[0] == userName && !slices.Contains(n.of(n.table), userName) {
		return nil
	}
	p, _, _ := n.find(chain)
	for at := len(chain) - 1; ; at-- {
		if at < len(p.means) && p.means[at] != (entity{}) {
			from, to := r.span(e, chain[at])
			r.found = append(r.found, meaning{p.means[at], from, to})
		}
		if at == 0 {
			return chain
		}
		e = e.AsSelect().Operand()
	}
}

// entity is what a name stands for, by physical names: a table, a column, or the relation that a lookup makes.
type entity struct {
	table, column string
	relation      relationSide
}

// relationSide is from where the lookup of a relation is seen.
type relationSide int

const (
	noRelation relationSide = iota
	forward                 // from the table that has it
	backward                // from its target
	across                  // from the target of one end of a link: column is that end
)

// in returns the name in the schema.
func (e entity) in(s *core.Schema) (string, bool) {
	t, ok := s.Stored(e.table)
	if !ok {
		return "", false
	}
	if e.column == "" {
		return t.Name, true
	}
	i := slices.IndexFunc(t.Columns, func(c core.Column) bool { return c.SQL() == e.column })
	if i < 0 {
		return "", false
	}
	c := &t.Columns[i]
	name := c.Name
	switch e.relation {
	case forward:
		name = c.Relation
	case backward:
		name = c.Inverse
	case across:
		name = ""
		if l := t.Link; l != nil && l.From.Column == c.Name {
			name = l.From.Field
		} else if l != nil && l.To.Column == c.Name {
			name = l.To.Field
		}
	}
	return name, name != ""
}

// meaning returns what the names stand for that lead through a step.
func (n *names) meaning(s Step, used int) []entity {
	r := s.Relation
	near, _ := n.schema.Table(s.From)
	far, _ := n.schema.Table(r.Table)
	lookup, side := near, forward
	name := r.Column
	switch {
	case r.Through != "":
		lookup, _ = n.schema.Table(r.Through)
		name, side = r.Near, across
	case r.Many:
		lookup, side = far, backward
	}
	c, _ := lookup.Column(name)
	out := []entity{{lookup.SQL(), c.SQL(), side}}
	if used == 2 {
		out = append(out, entity{table: far.SQL()})
	}
	return out
}
