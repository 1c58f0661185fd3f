package tables

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Holds reports for which of the records, as the caller of ctx sees them, the condition holds. old holds the records before the
// change, in the same order; nil where there are none.
//
// What the condition reads of other records is as it is now, and read with the caller's rights, like a calculated column of his:
// a list is what he may read of it, and where he may not read a record to which a lookup leads, or the column there, the condition
// does not hold.
func (s *Store) Holds(ctx context.Context, snap *Snapshot, e *rules.Expr, records, old []core.Record) ([]bool, error) {
	const op = "tables.Holds"
	if err := s.settle(ctx); err != nil {
		return nil, core.E(op, err)
	}
	q := &condition{tx: s.outside(ctx, snap), caller: core.CallerFrom(ctx), e: e}
	out := make([]bool, 0, len(records))
	for len(records) > 0 {
		n := min(maxAsked, len(records))
		part := make([]asked, n)
		for i := range part {
			part[i].record = records[i]
			if old != nil {
				part[i].old = old[i]
			}
		}
		held, err := q.holds(part)
		if err != nil {
			return nil, core.E(op, core.At{Table: e.Table()}, err)
		}
		out = append(out, held...)
		records = records[n:]
		if old != nil {
			old = old[n:]
		}
	}
	return out, nil
}

// MayRead returns the first of what the condition reads of other records that the caller can read in none of them, "" when there
// is none.
func (n *Snapshot) MayRead(c core.Caller, e *rules.Expr) (missing string) {
	for _, r := range n.Rules.ReadsOf(e) {
		if len(r.Path) > 0 && !n.Policy.Reaches(c, r) {
			return r.String()
		}
	}
	return ""
}

// condition is a condition that one caller asks about records.
type condition struct {
	tx     *Tx
	caller core.Caller
	e      *rules.Expr
}

// holds asks about some records.
func (q *condition) holds(list []asked) ([]bool, error) {
	out := make([]bool, len(list))
	known := make([]reading, len(list))
	columns := q.computed(list)
	outside := len(q.e.Needs)+len(columns) > 0
	if outside && q.tx.snap.MayRead(q.caller, q.e) != "" {
		return out, nil
	}
	if outside {
		if err := q.read(list, columns, known); err != nil {
			return nil, err
		}
	}
	for i, of := range list {
		if outside && !known[i].seen {
			continue
		}
		record := of.record
		if len(columns) > 0 {
			record = maps.Clone(known[i].columns)
			maps.Copy(record, of.record)
		}
		var err error
		out[i], err = q.e.True(record, of.old, q.caller, func(n *rules.Need, _, _ core.Record) (any, error) { return known[i].needs[n], nil })
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// reading is what was read of other records for one.
type reading struct {
	seen    bool // the caller may read every record to which lookups lead
	needs   map[*rules.Need]any
	columns core.Record // calculated columns of the record itself
}

// computed returns the calculated columns that the condition reads, that say something of other records and that the records lack,
// as far as the caller may read them in every record.
func (q *condition) computed(list []asked) (out []*core.Column) {
	snap := q.tx.snap
	t, _ := snap.Schema.Table(q.e.Table())
	may, err := snap.Policy.Decide(q.caller, t.Name, authz.Read)
	if err != nil {
		return nil
	}
	for _, name := range q.e.Columns {
		c, _ := t.Column(name)
		visible, guard := may.Column(name)
		if !snap.Rules.Reaches(t.Name, name) || !visible || guard != nil {
			continue
		}
		if slices.ContainsFunc(list, func(a asked) bool { _, has := a.record[name]; return !has }) {
			out = append(out, c)
		}
	}
	return out
}

// read has the database compute what the condition needs, and columns, for the records.
func (q *condition) read(list []asked, columns []*core.Column, into []reading) error {
	snap, needs := q.tx.snap, q.e.Needs
	t, err := snap.Schema.Table(q.e.Table())
	if err != nil {
		return err
	}
	p := &planner{snap: snap, caller: q.caller}
	given := values{table: t}
	own, was := q.dependsOn(columns)
	record, old := given.row(p, own), given.row(p, was)
	record.reader, old.reader = true, true
	s := &selection{shape: &db.Shape{Many: true}}
	s.add(db.ShapeField{Key: "n", Kind: core.Integer}, func(b *db.Builder) { b.Write("k.column1") })
	seen, err := p.seen(snap.Rules.ReadsOf(q.e), record, old, false)
	if err != nil {
		return err
	}
	s.add(db.ShapeField{Key: "seen", Kind: core.Boolean}, seen)
	for i, n := range needs {
		s.add(db.ShapeField{Key: "v" + strconv.Itoa(i), Kind: n.Column().Kind}, func(b *db.Builder) { n.SQL(b, record, old, q.caller) })
	}
	for i, c := range columns {
		s.add(db.ShapeField{Key: "c" + strconv.Itoa(i), Kind: c.Kind}, func(b *db.Builder) { record.formula(b, c) })
	}
	s.from = func(b *db.Builder) { given.from(b, list, own, was) }
	b := db.New(q.tx.store.db.Dialect)
	s.answer(b)
	raw, err := q.tx.query(b, s.shape)
	if err != nil {
		return err
	}
	gjson.ParseBytes(raw).ForEach(func(_, row gjson.Result) bool {
		r := reading{seen: row.Get("seen").Bool(), needs: map[*rules.Need]any{}, columns: core.Record{}}
		for i, n := range needs {
			if r.needs[n], err = fromJSON(n.Column(), row.Get("v"+strconv.Itoa(i))); err != nil {
				return false
			}
		}
		for i, c := range columns {
			if r.columns[c.Name], err = fromJSON(c, row.Get("c"+strconv.Itoa(i))); err != nil {
				return false
			}
		}
		into[row.Get("n").Int()] = r
		return true
	})
	return err
}

// dependsOn returns the columns of a record and of what it was before on which the answers depend; none is calculated.
func (q *condition) dependsOn(columns []*core.Column) (own, old []string) {
	for _, n := range q.e.Needs {
		a, b := q.tx.dependsOn(n)
		own, old = append(own, a...), append(old, b...)
	}
	for _, c := range columns {
		own = append(own, q.tx.snap.Rules.Plain(q.e.Table(), []string{c.Name})...)
	}
	slices.Sort(own)
	slices.Sort(old)
	return slices.Compact(own), slices.Compact(old)
}

// seen returns the condition that the caller may read every record to which lookups lead from a record, and from the record
// before the change, with the columns that are read there; with every, each record of the lists that are read, too.
func (p *planner) seen(reads []rules.Read, record, old *formulaRow, every bool) (writeFunc, error) {
	var parts []writeFunc
	for _, from := range []struct {
		row *formulaRow
		old bool
	}{{record, false}, {old, true}} {
		root := &passed{every: every}
		for _, r := range reads {
			if r.Old == from.old {
				root.add(r.Path, r.Column)
			}
		}
		more, err := root.restrict(p, from.row)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return func(b *db.Builder) {
		b.Write("TRUE")
		for _, part := range parts {
			b.Write(" AND ")
			part(b)
		}
	}, nil
}
