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
// follows from it, does not depend on what they held before, and no other transaction holds them.
func (w *writer) atOnce(u *upsert) bool {
	if u == nil || u.Exists || w.asIs || !w.tx.db.Upserts() || len(u.taken()) == 0 || !w.aside(u) {
		return false
	}
	t, derivation := w.table, w.tx.snap.derivation
	if t.Builtin || len(t.Search) > 0 || len(w.monies) > 0 || len(w.duplicates) > 0 || len(derivation.watches[t.Name]) > 0 {
		return false
	}
	if u.key.nulls == core.NullsEqual || u.key.columns[0].Name == "id" {
		return false
	}
	return !slices.ContainsFunc(w.stored, func(c *core.Column) bool {
		return c.System && slices.Contains(u.Update, c.Name) || c.Kind == core.Status || c.Kind == core.AnyLookup || c.Kind.Info().File ||
			c.Kind == core.Lookup && (c.Target == t.Name || !w.defined && !w.ties(c).free())
	})
}

// taken returns the columns that records which exist take over, without those of the key, which they have.
func (u *upsert) taken() []string {
	return slices.DeleteFunc(slices.Clone(u.Update), u.key.has)
}

// upsertAtOnce writes a batch while the next is prepared.
func (w *writer) upsertAtOnce(ctx context.Context, u *upsert, rows []core.Record, res *Result) error {
	preparer := *w
	preparer.columns = nil // which are found out as they are needed
	ready := func() newRows { return newRows{} }
	defer func() { ready() }()
	var batches [2][]change // to be used again
	turn := 0
	for from, part := range w.parts(rows) {
		before, batch := ready(), &batches[turn]
		if before.err != nil {
			return before.err
		}
		ready = db.Start(func() newRows {
			preparer.batch = (*batch)[:0]
			next := preparer.prepareNew(u, part, from, len(rows))
			*batch = preparer.batch
			return next
		})
		if err := w.writeNew(ctx, u, before, len(rows), res); err != nil {
			return err
		}
		turn = 1 - turn
	}
	last := ready()
	if last.err != nil {
		return last.err
	}
	return w.writeNew(ctx, u, last, len(rows), res)
}

// newRows is a batch of rows that were prepared as if none of their records existed.
type newRows struct {
	batchKeys
	rows    []core.Record
	from    int
	changes []change // nil where a row says too little of a record, or names its id
	err     error
}

// prepareNew prepares some of n rows as new records. What is wrong with one may not be when its record exists.
func (w *writer) prepareNew(u *upsert, rows []core.Record, from, n int) newRows {
	out := newRows{rows: rows, from: from}
	if out.batchKeys, out.err = u.keys(rows, from, n); out.err != nil || len(out.at) < len(rows) {
		return out
	}
	for i, values := range rows {
		if _, named := values["id"]; named || slices.ContainsFunc(u.Update, func(name string) bool { _, ok := values[name]; return !ok }) {
			return out
		}
		if _, err := w.add(values, item(n, from+i)); err != nil {
			return out
		}
	}
	out.changes = w.batch
	return out
}

// writeNew writes a batch of n rows, in the way of all others where it was not prepared.
func (w *writer) writeNew(ctx context.Context, u *upsert, next newRows, n int, res *Result) error {
	if next.changes != nil {
		w.batch = next.changes
		return w.writeAtOnce(ctx, u, next.batchKeys, res)
	}
	if len(next.rows) == 0 {
		return nil
	}
	w.batch = nil // the one of before is being prepared
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
func (w *writer) writeAtOnce(ctx context.Context, u *upsert, k batchKeys, res *Result) error {
	written := make([]bool, len(w.batch))
	kept := w.kept(u)
	err := w.tx.db.Upsert(ctx, db.Upsert{Rows: w.created(w.batch), Conflict: w.conflict(u), Back: kept}, w.takeBack(u, k, kept, written))
	if err != nil {
		return w.explain(ctx, err, w.batch)
	}
	ids, err := w.unchanged(ctx, u, k, written)
	if err != nil {
		return err
	}
	batch := w.batch[:0]
	for i, c := range w.batch {
		switch {
		case !written[i]:
			res.updated(ids[i], false)
			continue
		case c.op == core.Create:
			res.created(core.ID(c.after["id"].(string)))
		default:
			res.updated(core.ID(c.after["id"].(string)), true)
		}
		batch = append(batch, c)
	}
	w.batch = batch
	return w.trailAtOnce(ctx)
}

// trailAtOnce writes the history and the events of a batch whose records are written.
func (w *writer) trailAtOnce(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.tx.db.Insert(ctx, w.history(), w.events()); err != nil {
		return err
	}
	w.tx.events = true
	w.tx.remember(w)
	w.tx.wrote()
	return nil
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

// takeBack returns what completes the changes of the batch by what the database has in the columns that are kept, and notes which
// were written.
func (w *writer) takeBack(u *upsert, k batchKeys, kept []*core.Column, written []bool) func(values []any) error {
	was := core.Record{"updated_at": w.tx.now} // what is known of a record before: at the most when it last changed
	t := taker{kept: kept, loose: make([]*core.Column, len(kept)), raw: make([]any, len(kept)), values: make([]any, len(kept))}
	for i, c := range kept {
		t.loose[i] = c.Loose()
	}
	first := len(u.key.columns)
	key := make(core.Record, first)
	var text []byte
	return func(values []any) error {
		if err := t.take(values); err != nil {
			return err
		}
		for i, c := range u.key.columns {
			key[c.Name] = t.values[i]
		}
		text, _ = u.key.appendTo(text[:0], key)
		i, ok := k.at[string(text)]
		if !ok {
			return core.E("tables.takeBack", core.At{Table: w.table.Name}, fmt.Errorf("a record was written that no row is of: %s", text))
		}
		written[i] = true
		c := &w.batch[i]
		if t.values[first] == c.after["id"] {
			return nil
		}
		for i, of := range kept {
			c.after[of.Name] = t.values[i]
		}
		if c.op, c.before = core.Update, was; !equal(c.after["updated_at"], was["updated_at"]) {
			c.before = core.Record{"updated_at": c.after["updated_at"]}
		}
		return nil
	}
}

// taker brings what the database gives into the Go forms. Many records have a value of the one before.
type taker struct {
	kept, loose []*core.Column
	raw, values []any
}

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
	return nil
}

// unchanged returns the ids of the records that the batch left as they were, by row.
func (w *writer) unchanged(ctx context.Context, u *upsert, k batchKeys, written []bool) (map[int]core.ID, error) {
	left := batchKeys{n: k.n, at: k.at}
	for i, ok := range written {
		switch {
		case ok:
		case len(k.single) > 0:
			left.single = append(left.single, k.single[i])
		default:
			left.several = append(left.several, k.several[i])
		}
	}
	if len(left.single)+len(left.several) == 0 {
		return nil, nil
	}
	f, err := w.lookFor(ctx, u, left, nil)
	if err != nil {
		return nil, err
	}
	of := *u
	if err := of.read(f); err != nil {
		return nil, err
	}
	ids := make(map[int]core.ID, len(left.single)+len(left.several))
	for i, r := range of.existing {
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

// fromDatabase returns a value that [db.Upserter] gave in the Go form of the column.
func fromDatabase(c *core.Column, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return fromJSON(c, gjson.ParseBytes(v))
	}
	return c.Parse(v)
}
