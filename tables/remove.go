package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// Remove deletes records.
type Remove struct {
	Table     string
	Where     Cond
	IfVersion int64
	AtMost    int
	Before    func(ids []core.ID) error // called with the records in reach, before they go
}

// Delete runs a delete in a unit of work. What looks the records up goes too, is set to null or stands in the way, as
// the lookups say. The records stay in the history, from where [Tx.Restore] brings them back.
func (tx *Tx) Delete(ctx context.Context, d Remove) (Result, error) {
	since := len(tx.late)
	res, err := tx.delete(ctx, d)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return res, core.E("tables.Delete", tx.keep(err))
}

func (tx *Tx) delete(ctx context.Context, d Remove) (res Result, err error) {
	w, err := tx.writer(ctx, d.Table, core.Delete)
	if err != nil {
		return Result{}, err
	}
	_, may, err := tx.snap.decide(w.caller, d.Table, core.Delete)
	if err != nil {
		return Result{}, err
	}
	if err := tx.settleFor(ctx, d.Table, true, d.Where, may); err != nil {
		return Result{}, err
	}
	if err := tx.rearrange(ctx, w.table); err != nil {
		return Result{}, err
	}
	old, err := tx.tops(ctx, d.Table, core.Delete, d.Where, true)
	if err != nil {
		return Result{}, err
	}
	if err := w.limit(len(old), d.AtMost); err != nil {
		return Result{}, err
	}
	for _, r := range old {
		if err := w.checkVersion(ctx, r, d.IfVersion, nil); err != nil {
			return Result{}, err
		}
		res.IDs = append(res.IDs, core.ID(r["id"].(string)))
	}
	res.Deleted = len(old)
	if len(old) == 0 {
		return res, nil
	}
	if d.Before != nil {
		if err := d.Before(res.IDs); err != nil {
			return Result{}, err
		}
	}
	return res, newRemoval(tx, w.caller).run(ctx, w.table, idsOf(old))
}

func idsOf(records []core.Record) []any {
	out := make([]any, len(records))
	for i, r := range records {
		out[i] = r["id"]
	}
	return out
}

// removal is a delete with everything that follows from it. Records follow by the definition of their lookups, whoever
// deletes, and history names him. What it keeps in memory are ids.
type removal struct {
	authority
	web *web
}

func newRemoval(tx *Tx, caller core.Caller) *removal {
	return &removal{authority{tx, caller, core.NewID()}, newWeb(tx, false)}
}

func (r *removal) run(ctx context.Context, t *core.Table, ids []any) error {
	if err := r.web.follow(ctx, t, ids); err != nil {
		return err
	}
	if err := r.unbound(ctx); err != nil {
		return err
	}
	if err := r.rules(ctx); err != nil {
		return err
	}
	if err := r.loosen(ctx); err != nil {
		return err
	}
	return r.tx.deferring(ctx, r.web.order, func() error { return r.remove(ctx) })
}

// unbound refuses the delete when a record stands in the way. It tells no more of it than the caller may read.
func (r *removal) unbound(ctx context.Context) error {
	for _, b := range r.web.bound {
		left := slices.DeleteFunc(slices.Clone(b.ids), func(id any) bool { return r.web.has(b.relation.Table, id) })
		if len(left) == 0 {
			continue
		}
		seen, named, err := r.tx.seen(ctx, b.relation, left, b.targets)
		if err != nil {
			return err
		}
		return core.E("tables.unbound", core.Invalid, core.At{Table: b.of}, b.words(len(seen), named))
	}
	return nil
}

// loosen sets lookups to null.
func (r *removal) loosen(ctx context.Context) error {
	for _, table := range r.web.order {
		loose := r.web.loose[table]
		ids := slices.DeleteFunc(sortedIDs(loose), func(id any) bool { return r.web.has(table, id) })
		if err := r.relink(ctx, loosed, table, ids, func(child core.Record) core.Record {
			set := core.Record{}
			for _, column := range loose[child["id"]] {
				set[column] = nil
			}
			return set
		}); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the records, the tables that were found last first: their records look up those of the others.
func (r *removal) remove(ctx context.Context) error {
	order := slices.DeleteFunc(slices.Clone(r.web.order), func(table string) bool { return r.web.goes[table] == nil }) // only lookups of it are set to null
	slices.Reverse(order)
	for _, name := range order {
		if err := r.tx.noteGone(ctx, name, r.caller, r.web.goes[name].list); err != nil {
			return err
		}
	}
	if err := r.cut(ctx, order); err != nil {
		return err
	}
	for _, name := range order {
		w, err := r.writer(name)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(r.web.goes[name].list, maxBatch) {
			old, err := r.tx.tops(ctx, name, "", Compare{Column: "id", Op: In, Value: part}, false)
			if err != nil {
				return err
			}
			var log []trace
			for _, o := range old {
				w.batch = append(w.batch, change{op: core.Delete, before: o, ruled: true})
				log = append(log, trace{kind: gone, table: w.table, id: o["id"], version: o["version"].(int64) + 1})
			}
			if err := w.flush(ctx); err != nil {
				return err
			}
			if err := r.tx.trace(ctx, r.id, log); err != nil {
				return err
			}
		}
	}
	return nil
}

// rules runs the business rules over the records that go, as they are before anything is done to them.
func (r *removal) rules(ctx context.Context) error {
	for _, name := range r.web.order {
		if r.web.goes[name] == nil || !r.tx.snap.Rules.HasRules(name, core.Delete) {
			continue
		}
		w, err := r.writer(name)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(r.web.goes[name].list, maxBatch) {
			old, err := r.tx.records(ctx, name, "", Compare{Column: "id", Op: In, Value: part}, false)
			if err != nil {
				return err
			}
			for _, o := range old {
				if _, err := w.ruled(core.Delete, nil, o, o); err != nil {
					return r.conceal(ctx, name, o, err)
				}
			}
		}
	}
	return nil
}

// cut removes the references of records that go to others that go before them, which the database would not allow.
func (r *removal) cut(ctx context.Context, order []string) error {
	for i, name := range order {
		t, err := r.tx.snap.Schema.Table(name)
		if err != nil {
			return err
		}
		ids := r.web.goes[name].list
		id, _ := t.Column("id")
		for c := range t.Stored {
			if c.Kind != core.Lookup || binds(t, c) || !slices.Contains(order[:i], c.Target) && (c.Target != name || len(ids) <= maxBatch) {
				continue
			}
			b := db.New(r.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = NULL WHERE ").Name(c.SQL()).Write(" IS NOT NULL AND ")
			b.Dialect().AnyOf(b, id, func() { b.Name("id") }, ids)
			if _, err := r.tx.db.Exec(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// tops reads of records what a delete needs to know: id, version and updated_at.
func (tx *Tx) tops(ctx context.Context, table string, priv core.Op, where Cond, lock bool) ([]core.Record, error) {
	r, err := tx.reach(ctx, table, priv, where)
	if err != nil {
		return nil, err
	}
	return tx.read(ctx, r, func(yield func(*core.Column) bool) {
		for _, name := range []string{"id", "version", "updated_at"} {
			if c, ok := r.table.Column(name); ok && !yield(c) {
				return
			}
		}
	}, tx.lockIf(lock))
}
