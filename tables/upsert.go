package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
)

// atOnce reports whether one statement can create the records of an insert or change those that exist: what is written, and what
// follows from it, does not depend on what they held before.
func (w *writer) atOnce(u *upsert) bool {
	return u != nil && !u.Exists && len(u.taken()) > 0 && u.key.nulls != core.NullsEqual && u.key.columns[0].Name != "id" && !w.tells(u) && w.slates(u) &&
		!slices.ContainsFunc(w.stored, func(c *core.Column) bool { return c.System && slices.Contains(u.Update, c.Name) })
}

// taken returns the columns that records which exist take over, each once, without those of the key, which they have.
func (u *upsert) taken() []string {
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(u.Update))), u.key.has)
}

// upsertAtOnce writes a batch while the next is prepared.
func (w *writer) upsertAtOnce(ctx context.Context, u *upsert, rows []core.Record, res *Result) error {
	clerk := w.clerk(u.Update)
	ready := func() newRows { return newRows{} }
	defer func() { ready() }()
	for from, part := range w.parts(rows) {
		before := ready()
		if before.err != nil {
			return before.err
		}
		ready = db.Start(func() newRows { return clerk.prepare(u, part, from, len(rows)) })
		if err := w.writeNew(ctx, u, clerk, before, len(rows), res); err != nil {
			return err
		}
	}
	last := ready()
	if last.err != nil {
		return last.err
	}
	return w.writeNew(ctx, u, clerk, last, len(rows), res)
}

// newRows is a batch of rows that were prepared as if none of their records existed.
type newRows struct {
	rows  []core.Record
	from  int
	slate *slate   // nil where a row says too little of a record, or names its id
	keys  []string // of the records of the slate
	batchKeys
	err error
}

// prepare prepares some of n rows as new records. What is wrong with one may not be when its record exists.
func (k *clerk) prepare(u *upsert, rows []core.Record, from, n int) newRows {
	out := newRows{rows: rows, from: from}
	if s := k.fill(rows); s != nil {
		if keys := u.keysOf(s); keys != nil {
			out.slate, out.keys = s, keys
			for i, key := range keys {
				if out.err = u.meet(key, from+i, n); out.err != nil {
					break
				}
			}
			return out
		}
	}
	out.batchKeys, out.err = u.keys(rows, from, n)
	return out
}

// keysOf returns the keys of the records of a slate; nil when one has none.
func (u *upsert) keysOf(s *slate) []string {
	out := make([]string, s.n)
	var text []byte
	for i := range out {
		var ok bool
		if text, ok = u.key.appendValues(text[:0], s.columns, s.record(i)); !ok {
			return nil
		}
		out[i] = string(text)
	}
	return out
}

// writeNew writes a batch of n rows, in the way of all others where it was not prepared.
func (w *writer) writeNew(ctx context.Context, u *upsert, k *clerk, next newRows, n int, res *Result) error {
	if next.slate != nil {
		return w.writeAtOnce(ctx, u, k, next, n, res)
	}
	if len(next.rows) == 0 {
		return nil
	}
	w.batch = nil
	f, err := w.lookFor(ctx, u, next.batchKeys, nil)
	if err == nil {
		err = w.prepareFound(u, f, next.rows, next.from, n, res)
	}
	if err != nil {
		return err
	}
	return w.flush(ctx)
}

// writeAtOnce writes the batch, whose records are new as far as it knows, and then the history and the events of those that are
// new or became others.
func (w *writer) writeAtOnce(ctx context.Context, u *upsert, k *clerk, next newRows, n int, res *Result) error {
	s, back := next.slate, w.takeBack(u, k, next)
	err := w.tx.db.Upsert(ctx, db.Upsert{Rows: k.rows(s), Conflict: w.conflict(u), Back: back.columns}, back.take)
	if err != nil {
		w.batch = s.changes(next.from, n)
		return w.explain(ctx, err, w.batch)
	}
	ids, err := w.unchanged(ctx, u, next, back.ops)
	if err != nil {
		return err
	}
	trail := make([]imprint, 0, s.n)
	for i, op := range back.ops {
		id, _ := s.record(i)[k.id].(string)
		switch op {
		case "":
			res.updated(ids[i], false)
			continue
		case core.Create:
			res.created(core.ID(id))
		default:
			res.updated(core.ID(id), true)
			delete(w.tx.fresh, key{w.table.Name, id})
		}
		trail = append(trail, k.imprint(s, i, op))
	}
	return w.writeTrail(ctx, trail)
}

// kept returns the columns that a record which exists has otherwise than the row that was prepared: those of the key and the id
// first.
func (w *writer) kept(u *upsert) []*core.Column {
	id, _ := w.table.Column("id")
	out := append(slices.Clone(u.key.columns), id)
	taken := u.taken()
	for _, c := range w.stored {
		if c != id && c.Name != "updated_by" && !u.key.has(c.Name) && !slices.Contains(taken, c.Name) {
			out = append(out, c)
		}
	}
	return out
}

// taker completes the records of a slate by what the database has in the columns that are kept, and notes what became of each.
type taker struct {
	of      newRows
	key     *uniqueKey
	columns []*core.Column // that are kept
	loose   []*core.Column
	places  []int // of the columns on the slate
	raw     []any
	values  []any
	ops     []core.Op
	next    int            // the record that most likely comes next
	at      map[string]int // by key: the record, once another one came
	text    []byte
}

func (w *writer) takeBack(u *upsert, k *clerk, of newRows) *taker {
	t := &taker{of: of, key: u.key, columns: w.kept(u), ops: make([]core.Op, of.slate.n)}
	n := len(t.columns)
	t.loose, t.places, t.raw, t.values = make([]*core.Column, n), make([]int, n), make([]any, n), make([]any, n)
	for i, c := range t.columns {
		t.loose[i], t.places[i] = c.Loose(), slices.Index(w.stored, c)
	}
	return t
}

// take takes over what a row that was written has. Many rows have a value of the one before.
func (t *taker) take(raw []any) (err error) {
	for i, v := range raw {
		text, ok := v.(string)
		if last, same := t.raw[i].(string); ok && same && last == text {
			continue
		}
		if t.values[i], err = fromDatabase(t.loose[i], v); err != nil {
			return err
		}
		t.raw[i] = v
	}
	i, err := t.find()
	if err != nil {
		return err
	}
	record, id := t.of.slate.record(i), len(t.key.columns)
	if t.ops[i] = core.Create; t.values[id] == record[t.places[id]] {
		return nil
	}
	t.ops[i] = core.Update
	for j, place := range t.places {
		record[place] = t.values[j]
	}
	return nil
}

// find returns the record of the slate that has the key which was read. They mostly come in their order.
func (t *taker) find() (int, error) {
	t.text, _ = t.key.appendValues(t.text[:0], t.key.columns, t.values)
	for ; t.at == nil && t.next < len(t.of.keys); t.next++ {
		if t.of.keys[t.next] == string(t.text) {
			t.next++
			return t.next - 1, nil
		}
	}
	if t.at == nil {
		t.at = make(map[string]int, len(t.of.keys))
		for i, k := range t.of.keys {
			t.at[k] = i
		}
	}
	i, ok := t.at[string(t.text)]
	if !ok {
		return 0, core.E("tables.take", core.At{Table: t.key.table.Name}, fmt.Errorf("a record was written that no row is of: %s", t.text))
	}
	return i, nil
}

// unchanged returns the ids of the records that the batch left as they were, by row.
func (w *writer) unchanged(ctx context.Context, u *upsert, of newRows, ops []core.Op) (map[int]core.ID, error) {
	left := batchKeys{n: of.slate.n, at: map[string]int{}}
	values := make(core.Record, len(u.key.columns))
	for i, op := range ops {
		if op != "" {
			continue
		}
		for _, c := range u.key.columns {
			values[c.Name] = of.slate.record(i)[slices.Index(of.slate.columns, c)]
		}
		left.at[of.keys[i]] = i
		left.add(u.key, values)
	}
	if len(left.at) == 0 {
		return nil, nil
	}
	f, err := w.lookFor(ctx, u, left, nil)
	if err != nil {
		return nil, err
	}
	found := *u
	if err := found.read(f); err != nil {
		return nil, err
	}
	ids := make(map[int]core.ID, len(left.at))
	for i, r := range found.existing {
		if r != nil {
			ids[i] = core.ID(r["id"].(string))
		}
	}
	return ids, nil
}

// conflict is what becomes of a record that exists: it takes over the columns, unless it has all their values.
func (w *writer) conflict(u *upsert) string {
	b := db.New(w.tx.db.Dialect).Write("ON CONFLICT (")
	for i, c := range u.key.columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	b.Write(") DO UPDATE SET ")
	taken := u.taken()
	for _, name := range append(taken, "updated_by") {
		c, _ := w.table.Column(name)
		b.Name(c.SQL()).Write(" = ").Name("excluded", c.SQL()).Write(", ")
	}
	t := w.table.SQL()
	b.Write("version = ").Name(t, "version").Write(" + 1, updated_at = CASE WHEN ").Name(t, "updated_at").Write(" > excluded.updated_at THEN ").
		Name(t, "updated_at").Write(" ELSE excluded.updated_at END WHERE ")
	for i, name := range taken {
		c, _ := w.table.Column(name)
		if i > 0 {
			b.Write(" OR ")
		}
		b.Name(t, c.SQL()).Write(" IS DISTINCT FROM ").Name("excluded", c.SQL())
	}
	return b.String()
}

// fromDatabase returns a value that [db.Session] gave in the Go form of the column.
func fromDatabase(c *core.Column, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return fromJSON(c, gjson.ParseBytes(v))
	}
	return c.Parse(v)
}
