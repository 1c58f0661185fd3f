package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// IndexAdvice is an index that would help a query, with the mutation that makes it.
type IndexAdvice struct {
	Table  string             `json:"table"`
	Index  string             `json:"index"`
	Cols   []core.IndexColumn `json:"columns"`
	Reason string             `json:"reason"`
	Apply  string             `json:"apply"` // a mutation, which is a change of the schema like any other
}

// A table with fewer records is read faster than an index on it.
const adviseFrom = 10_000

// advisedColumns is how many columns an advised index has at most.
const advisedColumns = 3

// advise finds the lists of the query whose conditions or order no index on their tables serves, where the tables are large. It looks
// at what must hold at once, columns that are compared with a value first, then one that is bounded or sorted by.
func (s *Store) advise(ctx context.Context, snap *Snapshot, q *Query) ([]IndexAdvice, error) {
	out := []IndexAdvice{}
	if q.Form == ByRef || q.Table == "" { // by ids, or of nothing
		return out, nil
	}
	t, err := snap.Schema.Table(q.Table)
	if err != nil || t.Builtin {
		return out, err
	}
	if columns := wished(t, q); len(columns) > 0 && !served(t, columns) {
		large, err := s.large(ctx, t)
		if err != nil {
			return nil, err
		}
		if large {
			out = append(out, advice(t, columns))
		}
	}
	fields := q.Records()
	for i := range fields {
		inner := fields[i].Query
		if inner == nil || inner.Form == One {
			continue
		}
		more, err := s.advise(ctx, snap, inner)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// wished returns the columns of the index that the query wants.
func wished(t *core.Table, q *Query) (out []core.IndexColumn) {
	add := func(name string, desc bool) {
		c, ok := t.Column(name)
		if ok && !c.Virtual() && c.Kind.Info().Ordered && len(out) < advisedColumns && !slices.ContainsFunc(out, func(i core.IndexColumn) bool { return i.Column == name }) {
			out = append(out, core.IndexColumn{Column: name, Desc: desc})
		}
	}
	terms := conjuncts(q.Where)
	for _, c := range terms {
		if c.Op == Eq || c.Op == In {
			add(c.Column, false)
		}
	}
	bounded := false
	for _, c := range terms {
		if !bounded && slices.Contains([]CompareOp{Gt, Gte, Lt, Lte, Between, StartsWith}, c.Op) {
			add(c.Column, false)
			bounded = true
		}
	}
	if bounded || q.Form == Aggregate {
		return out
	}
	for _, o := range q.Order {
		if o.Column == "" || len(o.Relation) > 0 || o.Children != "" || o.Func != "" {
			break
		}
		add(o.Column, o.Desc)
	}
	return out
}

// conjuncts are the comparisons that must hold, all of them.
func conjuncts(c Cond) (out []Compare) {
	switch c := c.(type) {
	case Compare:
		return []Compare{c}
	case And:
		for _, inner := range c {
			out = append(out, conjuncts(inner)...)
		}
	}
	return out
}

// served reports whether an index of the table begins with the columns, or with enough of them: with a unique one.
func served(t *core.Table, columns []core.IndexColumn) bool {
	for _, x := range indexes(t) {
		same := 0
		for same < len(columns) && same < len(x.columns) && x.columns[same].Name == columns[same].Column {
			same++
		}
		if same == len(columns) || x.unique && same == len(x.columns) {
			return true
		}
	}
	return columns[0].Column == "id"
}

// large reports whether the table has at least adviseFrom records.
func (s *Store) large(ctx context.Context, t *core.Table) (found bool, err error) {
	b := db.New(s.db.Dialect).Write("SELECT 1 FROM ").Name(t.SQL()).Write(" LIMIT 1 OFFSET ").Arg(int64(adviseFrom - 1))
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		found = true
		var one int64
		return scan(&one)
	})
	return found, err
}

func advice(t *core.Table, columns []core.IndexColumn) IndexAdvice {
	names, list := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], list[i] = c.Column, fmt.Sprintf("{column: %q}", c.Column)
		if c.Desc {
			list[i] = fmt.Sprintf("{column: %q, desc: true}", c.Column)
		}
	}
	out := IndexAdvice{Table: t.Name, Cols: columns, Index: "by_" + strings.Join(names, "_")}
	if len(out.Index) > 60 {
		out.Index = out.Index[:60]
	}
	out.Reason = fmt.Sprintf("%s has %d records or more, and no index begins with %s, which the query compares or sorts by", t.Name, adviseFrom, strings.Join(names, ", "))
	out.Apply = fmt.Sprintf("mutation { add_index(table: %q, name: %q, columns: [%s]) { version } }", t.Name, out.Index, strings.Join(list, ", "))
	return out
}
