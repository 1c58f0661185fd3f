package oracle

import (
	"slices"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// meant is an expression together with what it means, said in plain Go.
type meant struct {
	kind  core.Kind
	text  string
	eval  func(v *sight, at []core.Record) any // at[0] is the record of the expression, the others those that aggregates are over
	reads []mention
}

// mention is a column that an expression names.
type mention struct {
	table, column string
	own           bool // of the record of the expression itself
}

// speaker makes expressions that read other records.
type speaker struct {
	maker
	schema   *core.Schema
	meanings map[string]*reachingMeaning
	n        int // names given
}

// spot is a record of which an expression speaks.
type spot struct {
	table string
	name  string // with a dot behind; empty for the record of the expression
	at    int    // its place among the records
	among bool
	outer *spot
}

func (s *speaker) table(name string) *core.Table {
	t, err := s.schema.Table(name)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	spoken = []core.Kind{core.Integer, core.Decimal, core.Text, core.Boolean, core.Date}
	sizes  = map[core.Kind]string{core.Integer: "0", core.Decimal: "0.5", core.Text: "'?'", core.Boolean: "false"}
)

func constant(kind core.Kind) any {
	return map[core.Kind]any{core.Integer: int64(0), core.Decimal: decimal.New(5, -1), core.Text: "?", core.Boolean: false}[kind]
}

// term makes an expression of the kind about a record.
func (s *speaker) term(kind core.Kind, at *spot, depth int) meant {
	if depth == 0 || s.chance(0.15) {
		return s.column(kind, at)
	}
	switch s.IntN(7) {
	case 0, 1:
		if m, ok := s.up(kind, at, depth); ok {
			return m
		}
	case 2, 3, 4:
		if m, ok := s.aggregate(kind, at, depth); ok {
			return m
		}
	case 5:
		if _, ok := sizes[kind]; ok {
			m, otherwise := s.term(kind, at, depth-1), constant(kind)
			return meant{kind, "coalesce(" + m.text + ", " + sizes[kind] + ")", func(v *sight, r []core.Record) any {
				if x := m.eval(v, r); x != nil {
					return x
				}
				return otherwise
			}, m.reads}
		}
	}
	switch kind {
	case core.Integer, core.Decimal, core.Text:
		return adding(kind, s.term(kind, at, depth-1), s.term(kind, at, depth-1))
	case core.Boolean:
		return s.condition(at, depth-1)
	}
	return s.column(kind, at)
}

func adding(kind core.Kind, a, b meant) meant {
	return meant{kind, a.text + " + " + b.text, func(v *sight, r []core.Record) any {
		x, y := a.eval(v, r), b.eval(v, r)
		if x == nil || y == nil {
			return nil
		}
		switch x := x.(type) {
		case int64:
			return x + y.(int64)
		case decimal.Decimal:
			return x.Add(y.(decimal.Decimal))
		}
		return x.(string) + y.(string)
	}, slices.Concat(a.reads, b.reads)}
}

// condition compares something.
func (s *speaker) condition(at *spot, depth int) meant {
	kind := choose(s.maker, core.Integer, core.Decimal, core.Text)
	a := s.term(kind, at, depth)
	if s.chance(0.2) {
		return meant{core.Boolean, "isNull(" + a.text + ")", func(v *sight, r []core.Record) any { return a.eval(v, r) == nil }, a.reads}
	}
	b := meant{kind, sizes[kind], func(*sight, []core.Record) any { return constant(kind) }, nil}
	if s.chance(0.4) {
		b = s.term(kind, at, 0)
	}
	word := choose(s.maker, ">", "<=", "!=")
	return meant{core.Boolean, "(" + a.text + ") " + word + " (" + b.text + ")", func(v *sight, r []core.Record) any {
		x, y := a.eval(v, r), b.eval(v, r)
		if x == nil || y == nil {
			return nil
		}
		d := collate(x, y)
		return word == ">" && d > 0 || word == "<=" && d <= 0 || word == "!=" && d != 0
	}, slices.Concat(a.reads, b.reads)}
}

// column names a column of the kind, of the record or of one around it.
func (s *speaker) column(kind core.Kind, at *spot) meant {
	for at.outer != nil && s.chance(0.2) {
		at = at.outer
	}
	var all []string
	for _, c := range s.table(at.table).Columns {
		if c.Kind == kind && c.Of == "" && !c.System && c.Name != "mine" {
			all = append(all, c.Name)
		}
	}
	name := choose(s.maker, all...)
	here := *at
	return meant{kind, here.name + name, func(v *sight, r []core.Record) any {
		if here.name == "" && v.sent(r[0], name) {
			return v.p.plain(r[0], name)
		}
		return v.read(here.table, r[here.at], name, here.among)
	}, []mention{{here.table, name, here.name == ""}}}
}

// track is a lookup, or several in a row.
type track struct {
	text  string
	table string
	reads []mention
	eval  func(v *sight, r []core.Record) core.Record
}

// lookups returns what the lookups of a table are called in expressions, and the relations that they make.
func (s *speaker) lookups(table string) map[string]core.Relation {
	out := map[string]core.Relation{}
	for _, r := range s.schema.Relations(table) {
		if _, err := s.schema.Table(r.Table); !r.Many && err == nil && !s.table(r.Table).Builtin {
			out[r.Name] = r
		}
	}
	for _, u := range s.schema.Unions(table) {
		for _, t := range u.Targets {
			out[u.Name+"."+t.Table] = core.Relation{Table: t.Table, Column: u.Column, Which: u.Which, Target: t.Value}
		}
	}
	return out
}

func (s *speaker) track(at *spot) (w track, ok bool) {
	here := *at
	w = track{text: here.name, table: here.table, eval: func(_ *sight, r []core.Record) core.Record { return r[here.at] }}
	for range 1 + s.IntN(2) {
		all := s.lookups(w.table)
		if len(all) == 0 {
			break
		}
		name := choose(s.maker, sortedKeys(all)...)
		rel, from, before := all[name], w.table, w.eval
		w.reads = append(w.reads, mention{from, rel.Column, false}, mention{rel.Table, "id", false})
		if rel.Which != "" {
			w.reads = append(w.reads, mention{from, rel.Which, false})
		}
		w.text, w.table, ok = w.text+name+".", rel.Table, true
		w.eval = func(v *sight, r []core.Record) core.Record {
			if near := before(v, r); near != nil {
				return v.follow(from, near, rel, here.among)
			}
			return nil
		}
	}
	return w, ok
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// up reads a column of a record that lookups lead to.
func (s *speaker) up(kind core.Kind, at *spot, _ int) (meant, bool) {
	w, ok := s.track(at)
	if !ok {
		return meant{}, false
	}
	c := s.column(kind, &spot{table: w.table})
	name, among := c.reads[0].column, at.among
	return meant{kind, w.text + name, func(v *sight, r []core.Record) any {
		return v.read(w.table, w.eval(v, r), name, among)
	}, append(w.reads, mention{w.table, name, false})}, true
}

// lists returns what the relations to many of a table are called.
func (s *speaker) lists(table string) (out []core.Relation) {
	for _, r := range slices.Concat(s.schema.Relations(table), s.schema.Links(table)) {
		if r.Many && !s.table(r.Table).Builtin {
			out = append(out, r)
		}
	}
	return out
}
