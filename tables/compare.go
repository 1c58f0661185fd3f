package tables

import (
	"encoding/json"
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/formula"
)

// comparison is how an operator is written: between its sides.
var comparison = map[CompareOp]string{Eq: " = ", NotEq: " <> ", Gt: " > ", Gte: " >= ", Lt: " < ", Lte: " <= "}

func (n *node) compare(c Compare) (writeFunc, error) {
	r, err := n.resolve(c.Column)
	if err != nil {
		return nil, err
	}
	return n.p.comparison(r, core.At{Table: n.table.Name, Column: c.Column}, c)
}

// text returns the column as a text.
func (r ref) text() (ref, error) {
	switch r.column.Kind {
	case core.UUID, core.Lookup, core.AnyLookup, core.Integer, core.Decimal, core.Currency, core.Date, core.JSON:
		return ref{column: &core.Column{Name: r.column.Name, Kind: core.LongText}, write: func(b *db.Builder) {
			b.Dialect().Text(b, r.column.Kind, func() { r.write(b) })
		}}, nil
	}
	return r, core.E("tables.text", core.Invalid, fmt.Sprintf("a %s cannot be compared as a text", r.column.Kind))
}

// comparison plans that a value compares so; at is for mistakes.
func (p *planner) comparison(r ref, at core.At, c Compare) (_ writeFunc, err error) {
	if c.Text {
		if r, err = r.text(); err != nil {
			return nil, core.E("tables.compare", at, err)
		}
	}
	loose := loosely(r.column)
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
	case RelDate:
		return p.inRange(r, at, c.Value)
	case Regex, NotRegex, IRegex, NotIRegex, Similar, NotSimilar:
		return o.matches(c.Value, r.write)
	case HasKey, HasAnyKey, HasAllKeys:
		return o.keys(c.Value, r.write)
	case ContainsAll, ContainedIn, HasAny:
		if loose.Kind == core.JSON {
			return o.contains(c.Value, r.write)
		}
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
			return like(c.Op, r.write, p.leaveOpen(o)), nil
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
		v := p.leaveOpen(o)
		return func(b *db.Builder) { r.operand(b); b.Write(word).Arg(v) }, nil
	}
	v, err := o.parse(c.Value)
	if err != nil {
		return nil, err
	}
	return func(b *db.Builder) { r.operand(b); b.Write(word).Value(loose, v) }, nil
}

// loosely returns the column as it takes values to compare with, which need not fit into it.
func loosely(c *core.Column) *core.Column {
	loose := c.Unlimited()
	loose.Precision, loose.Scale = 0, 0
	switch loose.Kind {
	case core.AnyLookup: // the id alone, without a table
		loose.Kind = core.UUID
	case core.Currency: // any number
		loose.Kind = core.Decimal
	}
	return loose
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

// matches looks for a regular expression in a text.
func (o *operand) matches(v any, text writeFunc) (writeFunc, error) {
	s, ok := v.(string)
	if !ok || !o.column.Kind.Info().Like {
		return nil, core.E("tables.compare", core.Invalid, o.at, "the operator compares a text column with a text")
	}
	var err error
	not := false
	switch o.op {
	case IRegex, NotIRegex:
		s, not = "(?i)"+s, o.op == NotIRegex
	case Similar, NotSimilar:
		s, err = formula.Similar(s)
		not = o.op == NotSimilar
	default:
		not = o.op == NotRegex
	}
	if err == nil {
		_, err = formula.ParseRegex(s)
	}
	if err != nil {
		return nil, core.E("tables.compare", core.Invalid, o.at, fmt.Sprintf("_%s: %s", o.op, err))
	}
	return func(b *db.Builder) {
		if not {
			b.Write("NOT ")
		}
		b.Dialect().Matches(b, func() { text(b) }, s)
	}, nil
}

// contains compares a JSON value with another.
func (o *operand) contains(v any, left writeFunc) (writeFunc, error) {
	if o.op == HasAny {
		return nil, core.E("tables.compare", core.Invalid, o.at, "a json has no operator _has_any: use _has_keys_any")
	}
	v, err := o.parse(v)
	if err != nil {
		return nil, err
	}
	operator := db.JSONContains
	if o.op == ContainedIn {
		operator = db.JSONContainedIn
	}
	return func(b *db.Builder) { b.Dialect().JSON(b, operator, func() { left(b) }, v.(json.RawMessage), nil) }, nil
}

// keys asks which keys a JSON value has.
func (o *operand) keys(v any, left writeFunc) (writeFunc, error) {
	list, ok := v.([]any)
	if o.op == HasKey {
		list, ok = []any{v}, true
	}
	keys := make([]string, len(list))
	for i := range list {
		var text bool
		keys[i], text = list[i].(string)
		ok = ok && text
	}
	if !ok || o.column.Kind != core.JSON {
		return nil, core.E("tables.compare", core.Invalid, o.at, fmt.Sprintf("_%s compares a JSON value with texts", o.op))
	}
	operator := db.JSONAllKeys
	if o.op == HasAnyKey {
		operator = db.JSONAnyKey
	}
	return func(b *db.Builder) { b.Dialect().JSON(b, operator, func() { left(b) }, nil, keys) }, nil
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
