package tables

import (
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// comparison is how an operator is written: between its sides.
var comparison = map[CompareOp]string{Eq: " = ", NotEq: " <> ", Gt: " > ", Gte: " >= ", Lt: " < ", Lte: " <= "}

func (n *node) compare(c Compare) (writeFunc, error) {
	r, err := n.resolve(c.Column)
	if err != nil {
		return nil, err
	}
	at := core.At{Table: n.table.Name, Column: c.Column}
	loose := r.column.Unlimited() // a value to compare with need not fit into the column
	loose.Precision, loose.Scale = 0, 0
	switch loose.Kind {
	case core.AnyLookup: // the id alone, without a table
		loose.Kind = core.UUID
	case core.Currency: // any number
		loose.Kind = core.Decimal
	}
	o := operand{at: at, op: c.Op, column: loose}
	o.param, _ = c.Value.(Param)
	switch c.Op {
	case IsNull:
		is, ok := c.Value.(bool)
		if !ok {
			return nil, core.E("tables.compare", core.Invalid, at, "_is_null takes true or false")
		}
		word := " IS NOT NULL"
		if is {
			word = " IS NULL"
		}
		return func(b *db.Builder) { r.write(b); b.Write(word) }, nil
	case ContainsAll, ContainedIn, HasAny:
		return choices(c, loose, r.write, at)
	case In, NotIn, Between:
		items, ok := c.Value.([]any)
		if !ok {
			return nil, core.E("tables.compare", core.Invalid, at, "the operator takes a list")
		}
		list := make([]any, len(items))
		for i, v := range items {
			if list[i], err = o.parse(v); err != nil {
				return nil, err
			}
		}
		return between(c.Op, at, loose, r.operand, list)
	case Like, NotLike, ILike, NotILike, StartsWith:
		if o.param != 0 && r.column.Kind.Info().Like {
			return like(c.Op, r.write, n.p.leaveOpen(o)), nil
		}
		pattern, err := o.pattern(c.Value)
		if err != nil {
			return nil, err
		}
		return like(c.Op, r.write, pattern), nil
	}
	word, ok := comparison[c.Op]
	if !ok || !r.column.Kind.Info().Ordered && c.Op != Eq && c.Op != NotEq {
		return nil, core.E("tables.compare", core.Invalid, at, fmt.Sprintf("a %s has no operator _%s", r.column.Kind, c.Op))
	}
	if o.param != 0 {
		v := n.p.leaveOpen(o)
		return func(b *db.Builder) { r.operand(b); b.Write(word).Arg(v) }, nil
	}
	v, err := o.parse(c.Value)
	if err != nil {
		return nil, err
	}
	return func(b *db.Builder) { r.operand(b); b.Write(word).Value(loose, v) }, nil
}

// operand is what a column is compared with: a value, or a parameter whose value is not known yet.
type operand struct {
	at     core.At
	op     CompareOp
	column *core.Column // whose kind the value has
	param  Param
}

// parse returns the value in the Go form of the column's kind.
func (o *operand) parse(v any) (any, error) {
	var err error
	if v != nil {
		if v, err = o.column.Parse(v); err != nil {
			return nil, core.E("tables.compare", o.at, err)
		}
	}
	if v == nil { // an empty list of choices too
		return nil, core.E("tables.compare", core.Invalid, o.at, "null compares with nothing: use _is_null")
	}
	return v, nil
}

// pattern returns the LIKE pattern that the value is, or makes one of it.
func (o *operand) pattern(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !o.column.Kind.Info().Like {
		return "", core.E("tables.compare", core.Invalid, o.at, "the operator compares a text column with a text")
	}
	if o.op == StartsWith {
		return likeEscape.Replace(s) + "%", nil
	}
	if (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 {
		return "", core.E("tables.compare", core.Invalid, o.at, `the pattern ends in a single backslash, which escapes nothing: write \\ for a backslash`)
	}
	return s, nil
}

func between(op CompareOp, at core.At, c *core.Column, left writeFunc, list []any) (writeFunc, error) {
	switch {
	case op == Between && len(list) != 2:
		return nil, core.E("tables.compare", core.Invalid, at, "_between takes a list of two values")
	case op == Between:
		return func(b *db.Builder) {
			left(b)
			b.Write(" BETWEEN ").Value(c, list[0]).Write(" AND ").Value(c, list[1])
		}, nil
	case op == In && len(list) == 1:
		return func(b *db.Builder) { left(b); b.Write(" = ").Value(c, list[0]) }, nil
	case op == In:
		return func(b *db.Builder) { b.Dialect().AnyOf(b, c, func() { left(b) }, list) }, nil
	}
	return func(b *db.Builder) {
		b.Write("NOT (")
		b.Dialect().AnyOf(b, c, func() { left(b) }, list)
		b.Write(")")
	}, nil
}

var choicesOps = map[CompareOp]db.ChoicesOp{ContainsAll: db.ContainsAll, ContainedIn: db.ContainedIn, HasAny: db.HasAny}

// choices compares choices with a list.
func choices(c Compare, column *core.Column, left writeFunc, at core.At) (writeFunc, error) {
	if column.Kind != core.Choices {
		return nil, core.E("tables.compare", core.Invalid, at, "the operator compares choices with a list of values")
	}
	v, err := column.Parse(c.Value)
	if err != nil {
		return nil, core.E("tables.compare", at, err)
	}
	list, _ := v.([]string) // none is a list too
	if list == nil {
		list = []string{}
	}
	return func(b *db.Builder) { b.Dialect().Choices(b, choicesOps[c.Op], func() { left(b) }, list) }, nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// like writes a text operator; pattern is an argument.
func like(op CompareOp, left writeFunc, pattern any) writeFunc {
	return func(b *db.Builder) {
		if op == NotLike || op == NotILike {
			b.Write("NOT (")
		}
		b.Dialect().Like(b, func() { left(b) }, func() { b.Arg(pattern) }, op == ILike || op == NotILike)
		if op == NotLike || op == NotILike {
			b.Write(")")
		}
	}
}
