package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// ExpressionUse is where an expression stands.
type ExpressionUse string

// The uses.
const (
	UseFormula   ExpressionUse = "formula"
	UseCondition ExpressionUse = "condition" // of rows
	UseRule      ExpressionUse = "rule"
	UseDefault   ExpressionUse = "default"
)

// compileFor compiles an expression as it would be where it stands.
func (n *Snapshot) compileFor(table, source string, use ExpressionUse) (*rules.Expr, *core.Table, error) {
	t, err := n.Schema.Table(table)
	if err != nil {
		return nil, nil, err
	}
	o := rules.Options{}
	switch use {
	case UseFormula, UseCondition:
	case UseRule:
		o = rules.Options{Old: true, Memory: true}
	case UseDefault:
		o.Memory = true
	default:
		return nil, nil, core.E("tables.compileFor", core.Invalid, core.At{Column: "use"}, fmt.Sprintf("%q is no use of an expression: there are formula, condition, rule, default", use))
	}
	e, err := rules.Compile(n.Schema, t, source, o)
	if err == nil && use == UseCondition && e.Type != "bool" {
		err = core.E("tables.compileFor", core.Invalid, core.At{Table: table, Line: 1, Pos: 1}, "a condition is true or false, and this is of the type "+e.TypeWord())
	}
	if err == nil && use == UseFormula && e.Type == "choices" {
		err = core.E("tables.compileFor", core.Invalid, core.At{Table: table, Line: 1, Pos: 1}, "a calculated column is a text, a number, a boolean, a date, a time or a duration, and this is of the type choices")
	}
	return e, t, err
}

// previewName is the beginning of the name of a calculated column that stands for an expression.
const previewName = "expression_value"

// preview returns a snapshot in which e is a calculated column of t with the rights of its reader, and its name. Nobody else sees it.
func (n *Snapshot) preview(t *core.Table, e *rules.Expr) (*Snapshot, *core.Column, error) {
	name := previewName
	for {
		if _, taken := t.Column(name); !taken {
			break
		}
		name += "_"
	}
	schema, err := n.Schema.Edit(core.EditOptions{Rename: rules.RenameColumns, Now: time.Now()}, core.AddColumn{To: t.Name, Add: e.Result(name)})
	if err != nil {
		return nil, nil, err
	}
	next := &Snapshot{Schema: schema, policyVersion: n.policyVersion, access: n.access, money: n.money, maxLimit: n.maxLimit, defined: n.defined}
	if err := next.compile(); err != nil {
		return nil, nil, err
	}
	t, err = schema.Table(t.Name)
	if err != nil {
		return nil, nil, err
	}
	c, err := t.Need(name)
	return next, c, err
}

// expressionSQL prints the statement that computes e for the records of t, as one who may read all.
func (s *Store) expressionSQL(snap *Snapshot, t *core.Table, e *rules.Expr) (string, []any, error) {
	next, c, err := snap.preview(t, e)
	if err != nil {
		return "", nil, err
	}
	p := &planner{snap: next, caller: core.System("schema")}
	b, _, err := p.print(s.db.Dialect, &Query{Table: t.Name, Form: List, Limit: 1, Fields: []Field{{As: "value", Column: c.Name}}})
	if err != nil {
		return "", nil, err
	}
	return b.String(), b.Args(), nil
}

// EvaluateExpression returns the value of an expression as JSON: over a record that the caller may read, with his rights, or over
// the values that he gives. It needs the right to define tables, since errors name columns.
func (s *Store) EvaluateExpression(ctx context.Context, snap *Snapshot, table, source string, id core.ID, given map[string]any) (json.RawMessage, error) {
	const op = "tables.EvaluateExpression"
	caller := core.CallerFrom(ctx)
	if err := snap.Policy.May(caller, "define_tables"); err != nil {
		return nil, core.E(op, err)
	}
	e, t, err := snap.compileFor(table, source, UseFormula)
	if err != nil {
		return nil, core.E(op, err)
	}
	next, c, err := snap.preview(t, e)
	if err != nil {
		return nil, core.E(op, err)
	}
	var v any
	if id == "" {
		v, err = next.over(t.Name, c, given, caller)
	} else {
		v, err = s.of(ctx, next, t.Name, c, id)
	}
	if err != nil {
		return nil, core.E(op, core.At{Table: table}, err)
	}
	return c.Kind.AppendJSON(nil, v), nil
}

// over computes the calculated column c over values.
func (n *Snapshot) over(table string, c *core.Column, given map[string]any, caller core.Caller) (any, error) {
	t, err := n.Schema.Table(table)
	if err != nil {
		return nil, err
	}
	r := core.Record{}
	for name, v := range given {
		column, err := t.Need(name)
		if err != nil {
			return nil, err
		}
		if r[name], err = column.Parse(v); err != nil {
			return nil, err
		}
	}
	err = n.Rules.Calculate(t.Name, r, caller, nil)
	return r[c.Name], err
}

// of reads the calculated column c of a record, with the rights of the caller.
func (s *Store) of(ctx context.Context, n *Snapshot, table string, c *core.Column, id core.ID) (any, error) {
	may, err := n.Policy.Decide(core.CallerFrom(ctx), table, authz.Read)
	if err != nil {
		return nil, err
	}
	if visible, _ := may.Column(c.Name); !visible {
		return nil, core.E("tables.of", core.Denied, "you may not read what the expression reads")
	}
	found, err := s.Records(ctx, n, Query{Table: table, Where: ByID(id), Limit: 1, Fields: []Field{{As: c.Name, Column: c.Name}}})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, core.E("tables.of", core.NotFound, fmt.Sprintf("there is no record with the id %s", id))
	}
	return found[0][c.Name], nil
}

// Dependents returns what names a column: on its table as a plan tells, and on others the expressions that reach it.
func (s *Store) Dependents(ctx context.Context, table, column string) ([]Dependant, error) {
	const op = "tables.Dependents"
	snap := s.Snapshot()
	if err := snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return nil, core.E(op, err)
	}
	t, err := snap.Schema.Table(table)
	if err != nil {
		return nil, core.E(op, err)
	}
	c, err := t.Need(column)
	if err != nil {
		return nil, core.E(op, err)
	}
	var out []Dependant
	if !c.System && c.Of == "" {
		name := previewName // that nothing has
		for _, taken := t.Column(name); taken; _, taken = t.Column(name) {
			name += "_"
		}
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			c, err := tx.follow(ctx, []core.Change{core.RenameColumns{Of: table, To: map[string]string{column: name}}})
			if err == nil { // those of expressions are found below
				out = slices.DeleteFunc(c.dependants, func(d Dependant) bool { return slices.Contains([]string{"formula", "default", "rule"}, d.Kind) })
			}
			return err
		})
		if err != nil {
			return nil, core.E(op, err)
		}
	}
	for _, other := range snap.Schema.Tables() {
		out = append(out, reaching(snap.Schema, other, t, column)...)
	}
	out = append(out, snap.conditions(core.CallerFrom(ctx), t, column)...)
	for i := range out {
		out[i].Effect = ""
	}
	slices.SortFunc(out, func(a, b Dependant) int {
		return strings.Compare(a.Table+"."+a.Kind+"."+a.Name, b.Table+"."+b.Kind+"."+b.Name)
	})
	return slices.CompactFunc(out, func(a, b Dependant) bool { return a.Table == b.Table && a.Kind == b.Kind && a.Name == b.Name }), nil
}

// conditions returns the roles with a condition, on whatever table, that reads the column of t or passes it. Who may not manage roles
// does not learn which they are.
func (n *Snapshot) conditions(c core.Caller, t *core.Table, column string) (out []Dependant) {
	hidden := n.Policy.May(c, "manage_access") != nil
	for role, grants := range n.access.Grants() {
		for _, g := range grants {
			of, err := n.Schema.Table(g.Table)
			if err != nil || g.Condition == "" {
				continue
			}
			e, err := rules.Compile(n.Schema, of, g.Condition, rules.Options{})
			if err != nil || !slices.ContainsFunc(e.Reads, func(r rules.Read) bool { return passes(r, t, column) }) {
				continue
			}
			if hidden {
				role = "a role"
			}
			out = append(out, Dependant{Kind: "role", Name: role, Table: of.Name, Column: column})
		}
	}
	return out
}

// reaching returns the expressions of a table that read a column of t.
func reaching(s *core.Schema, other, t *core.Table, column string) (out []Dependant) {
	for what, source := range other.Expressions {
		e, err := rules.Compile(s, other, *source, rules.Options{Old: true, Memory: true})
		if err != nil {
			continue // it was compiled when it was saved: a kind of expression that has names of its own
		}
		if slices.ContainsFunc(e.Reads, func(r rules.Read) bool { return passes(r, t, column) }) {
			kind, name, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(what, "the "), "duplicate "), " ")
			if strings.HasPrefix(what, "the duplicate rule ") {
				kind = "duplicate rule"
			}
			out = append(out, Dependant{Kind: kind, Name: strings.TrimPrefix(name, "of "), Table: other.Name, Column: column})
		}
	}
	return out
}

// passes reports whether a way ends at a column of t, or is found by it.
func passes(r rules.Read, t *core.Table, column string) bool {
	if r.Table == t.Name && r.Column == column {
		return true
	}
	for i, step := range r.Path {
		if step.From == t.Name && slices.Contains(step.Own(), column) || step.Relation.Table == t.Name && slices.Contains(r.At(i), column) {
			return true
		}
	}
	return false
}

// argumentsOf are the arguments of a statement as JSON.
func argumentsOf(args []any) json.RawMessage {
	out := make([]any, len(args))
	for i, v := range args {
		out[i] = fmt.Sprint(v)
		switch v := v.(type) {
		case nil, bool, int64, string:
			out[i] = v
		}
	}
	return json.RawMessage(core.AppendValue(nil, out))
}
