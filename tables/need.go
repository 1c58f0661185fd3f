package tables

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// answerKey is a need and the values that its answer depends on: records with the same values have the same answer.
type answerKey struct {
	need   *rules.Need
	values string
}

// asked is a need of a record; old is the record before the change.
type asked struct {
	need        *rules.Need
	record, old core.Record
}

// keyOf returns what the answer depends on. The columns of the need that are calculated depend on others.
func (tx *Tx) keyOf(q *asked, c core.Caller) answerKey {
	var v []byte
	add := func(r core.Record, columns []string) {
		for _, name := range columns {
			v = append(core.AppendValue(v, r[name]), 0)
		}
	}
	own, old := tx.dependsOn(q.need)
	add(q.record, own)
	add(q.old, old)
	if !q.need.Fixed() {
		v = appendAsker(v, c)
	}
	return answerKey{q.need, string(v)}
}

// appendAsker appends all of a caller on which the value of an expression can depend.
func appendAsker(b []byte, c core.Caller) []byte {
	return fmt.Append(b, c.User, c.Unit, c.Roles, c.Teams, c.Below, c.Bases, c.Reports, c.ReportsBelow)
}

// Ask answers what the expressions of the caller read of other records in the unit, everything that they hold included: see
// [rules.Ask]. An answer is of the moment when it is first asked for; after a write all are asked for anew.
func (tx *Tx) Ask(c core.Caller) rules.Ask {
	return func(n *rules.Need, record, old core.Record) (any, error) {
		q := asked{n, record, old}
		key := tx.keyOf(&q, c)
		if v, ok := tx.known[key]; ok {
			return v, nil
		}
		if err := tx.answer(c, []*rules.Need{n}, []asked{q}); err != nil {
			return nil, err
		}
		return tx.known[key], nil
	}
}

// Foresee asks at once for what records need, so that [Tx.Ask] has the answers. old holds the records before the change, in
// the same order; nil where they are new. Needs that depend on the same columns share a statement.
func (tx *Tx) Foresee(c core.Caller, needs []*rules.Need, records, old []core.Record) error {
	groups := map[string][]*rules.Need{}
	var order []string
	for _, n := range needs {
		on := strings.Join(n.Columns, ",") + ";" + strings.Join(n.OldColumns, ",")
		if groups[on] == nil {
			order = append(order, on)
		}
		if !slices.Contains(groups[on], n) {
			groups[on] = append(groups[on], n)
		}
	}
	for _, on := range order {
		group := groups[on]
		var list []asked
		seen := map[answerKey]bool{}
		for i, r := range records {
			q := asked{need: group[0], record: r}
			if old != nil {
				q.old = old[i]
			}
			key := tx.keyOf(&q, c)
			if _, ok := tx.known[key]; !ok && !seen[key] {
				list = append(list, q)
			}
			seen[key] = true
		}
		for part := range slices.Chunk(list, maxAsked) {
			if err := tx.answer(c, group, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// dependsOn returns the columns of a record and of what it was before that a need depends on; none is calculated.
func (tx *Tx) dependsOn(n *rules.Need) (own, old []string) {
	return tx.snap.Rules.Plain(n.Table(), n.Columns), tx.snap.Rules.Plain(n.Table(), n.OldColumns)
}

// ask answers what defaults of new columns read of other records. A plan leaves them open: its columns may not be there yet.
func (a *alteration) ask(c core.Caller) rules.Ask {
	if a.dry {
		return func(*rules.Need, core.Record, core.Record) (any, error) { return nil, nil }
	}
	return a.ahead().Ask(c)
}

// foresee asks at once for what the rows of an insert will need, as far as it can be told from what they hold.
func (w *writer) foresee(u *upsert, rows []core.Record) error {
	creates := slices.Concat(w.needs(core.Create), w.guardNeeds(core.Create, rows))
	if len(creates) > 0 {
		next := make([]core.Record, 0, len(rows))
		for i, r := range rows {
			if u == nil || u.existing[i] == nil {
				next = append(next, w.expected(creates, r, nil))
			}
		}
		creates = slices.DeleteFunc(creates, func(n *rules.Need) bool { return slices.Contains(n.Columns, "id") }) // nothing leads to it yet
		if err := w.tx.Foresee(w.caller, creates, next, nil); err != nil {
			return err
		}
	}
	if u == nil || len(u.Update) == 0 {
		return nil
	}
	var values, old []core.Record
	for i, r := range rows {
		if was := u.existing[i]; was != nil {
			taken := core.Record{}
			for _, name := range u.Update {
				if v, ok := r[name]; ok {
					taken[name] = v
				}
			}
			values, old = append(values, taken), append(old, was)
		}
	}
	return w.foreseeUpdates(values, old)
}

// foreseeChanges is foresee for records that all get the same values.
func (w *writer) foreseeChanges(values core.Record, old []core.Record) error {
	return w.foreseeUpdates(slices.Repeat([]core.Record{values}, len(old)), old)
}

// foreseeUpdates is foresee for records that get values, in the same order.
func (w *writer) foreseeUpdates(values, old []core.Record) error {
	guards := w.guardNeeds(core.Update, values)
	needs := slices.Concat(w.needs(core.Update), guards)
	if len(needs) == 0 || len(old) == 0 {
		return nil
	}
	next := make([]core.Record, len(old))
	for i, was := range old {
		next[i] = w.expected(needs, values[i], was)
	}
	if err := w.tx.Foresee(w.caller, needs, next, old); err != nil || len(guards) == 0 {
		return err
	}
	return w.tx.Foresee(w.caller, guards, old, nil) // which are asked about the record as it is, too
}

// guardNeeds returns what the conditions read of other records under which the caller may write the columns of the values.
func (w *writer) guardNeeds(op core.Op, values []core.Record) (out []*rules.Need) {
	may := w.may(op)
	if may == nil || !may.Hides() {
		return nil
	}
	asked := map[string]bool{}
	for _, r := range values {
		for name := range r {
			if asked[name] {
				continue
			}
			asked[name] = true
			if visible, guard := may.Column(name); visible && guard != nil {
				out = append(out, w.tx.snap.Rules.Needs(w.table.Name, guard)...)
			}
		}
	}
	return out
}

// needs returns what a write of the caller reads of other records: for defaults, rules and the rows that he may write.
func (w *writer) needs(op core.Op) []*rules.Need {
	all := w.tx.snap.Rules.WriteNeeds(w.table.Name, op)
	if may := w.may(op); may != nil && may.Rows != nil && len(may.Rows.Needs) > 0 {
		all = append(slices.Clone(all), may.Rows.Needs...)
	}
	return all
}

// expected returns the columns that the needs depend on, as a record will most likely have them: what is sent, over what it
// had before. A value that is refused later is left out.
func (w *writer) expected(needs []*rules.Need, values, old core.Record) core.Record {
	out := core.Record{}
	for _, n := range needs {
		own, _ := w.tx.dependsOn(n)
		for _, name := range own {
			c, _ := w.table.Column(name)
			out[name] = old[name]
			if v, ok := values[name]; ok {
				if v, err := c.Parse(v); err == nil {
					out[name] = v
				}
			}
		}
	}
	return out
}

// outside returns what reads and never writes, in the unit of work that ctx carries or outside.
func (s *Store) outside(ctx context.Context, snap *Snapshot) *Tx {
	conn := s.conn(ctx)
	return &Tx{store: s, snap: snap, now: time.Now().UTC().Truncate(time.Microsecond), query: func(b *db.Builder, shape *db.Shape) ([]byte, error) {
		return conn.Answer(ctx, b, shape, nil)
	}}
}

// maxKnown is how many answers are kept.
const maxKnown = 20_000

// maxAsked is how many records one statement is about, so that it has not too many arguments.
const maxAsked = 500

// answer has the database answer the needs, which depend on the same columns, for the values of some records.
func (tx *Tx) answer(c core.Caller, needs []*rules.Need, list []asked) error {
	const op = "tables.answer"
	t, err := tx.snap.Schema.Table(needs[0].Table())
	if err != nil {
		return core.E(op, err)
	}
	p := &planner{snap: tx.snap, caller: c}
	given := values{table: t}
	own, was := tx.dependsOn(needs[0])
	record, old := given.row(p, own), given.row(p, was)
	s := &selection{shape: &db.Shape{Many: true}}
	s.add(db.ShapeField{Key: "n", Kind: core.Integer}, func(b *db.Builder) { b.Write("k.column1") })
	for i, n := range needs {
		s.add(db.ShapeField{Key: "v" + strconv.Itoa(i), Kind: n.Column().Kind}, func(b *db.Builder) { n.SQL(b, record, old, c) })
	}
	s.from = func(b *db.Builder) { given.from(b, list, own, was) }
	b := db.New(tx.store.db.Dialect) // tx may be one that only reads, outside of a transaction
	s.answer(b)
	raw, err := tx.query(b, s.shape)
	if err != nil {
		return core.E(op, err)
	}
	if tx.known == nil || len(tx.known) > maxKnown {
		tx.known = map[answerKey]any{}
	}
	gjson.ParseBytes(raw).ForEach(func(_, row gjson.Result) bool {
		q := list[row.Get("n").Int()]
		for i, n := range needs {
			var v any
			if v, err = fromJSON(n.Column(), row.Get("v"+strconv.Itoa(i))); err != nil {
				err = core.E(op, fmt.Errorf("an answer is no %s: %w", n.Type, err))
				return false
			}
			q.need = n
			tx.known[tx.keyOf(&q, c)] = v
		}
		return true
	})
	return err
}

// values are records that a statement carries: the columns of "k" after the first.
type values struct {
	table *core.Table
	n     int
}

// row returns a record of which the columns are the next ones.
func (v *values) row(p *planner, columns []string) *formulaRow {
	at := make(map[string]int, len(columns))
	for _, name := range columns {
		v.n++
		at[name] = v.n + 1
	}
	return &formulaRow{p: p, table: v.table, column: func(b *db.Builder, c *core.Column) { b.Write("k.column", strconv.Itoa(at[c.Name])) }}
}

// from writes FROM with the records as rows.
func (v *values) from(b *db.Builder, list []asked, own, old []string) {
	b.Write(" FROM (VALUES ")
	for i := range list {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("(").Write(strconv.Itoa(i))
		v.write(b, list[i].record, own)
		v.write(b, list[i].old, old)
		b.Write(")")
	}
	b.Write(") AS k")
}

// write writes the columns of a record.
func (v *values) write(b *db.Builder, r core.Record, columns []string) {
	for _, name := range columns {
		c, _ := v.table.Column(name)
		b.Write(", ")
		rules.Value(b, c, r[name])
	}
}

// wrote makes all answers void.
func (tx *Tx) wrote() { clear(tx.known) }
