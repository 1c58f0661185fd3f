package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/authz"
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
// the lookups say.
func (tx *Tx) Delete(ctx context.Context, d Remove) (Result, error) {
	res, err := tx.delete(ctx, d)
	return res, core.E("tables.Delete", tx.keep(err))
}

func (tx *Tx) delete(ctx context.Context, d Remove) (res Result, err error) {
	w, err := tx.writer(ctx, d.Table, core.Delete)
	if err != nil {
		return Result{}, err
	}
	old, err := tx.records(ctx, d.Table, core.Delete, d.Where, true)
	if err != nil {
		return Result{}, err
	}
	if err := w.limit(len(old), d.AtMost); err != nil {
		return Result{}, err
	}
	for _, r := range old {
		if err := w.checkVersion(r, d.IfVersion); err != nil {
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
	r := &removal{tx: tx, caller: w.caller, goes: map[string]map[any]core.Record{}, loose: map[string]map[any]*loosened{}}
	return res, r.run(ctx, w.table, old)
}

// maxCascade is how many lookups a delete follows.
const maxCascade = 16

// removal is a delete with everything that follows from it. Records follow by the definition of their lookups, whoever
// deletes, and history names him.
type removal struct {
	tx     *Tx
	caller core.Caller
	goes   map[string]map[any]core.Record // by table and id: what is deleted
	order  []string                       // of the tables in goes, as they were found
	loose  map[string]map[any]*loosened   // by table and id: what loses a lookup
	bound  []bound                        // what stands in the way, unless it goes too
}

type loosened struct {
	record  core.Record
	lookups core.Record // the columns, all nil
}

// bound are records whose lookups restrict the delete.
type bound struct {
	of       string // the table of what they look up
	relation core.Relation
	ids      []any
}

func (r *removal) run(ctx context.Context, t *core.Table, old []core.Record) error {
	if err := r.follow(ctx, t, old, 0); err != nil {
		return err
	}
	if err := r.unbound(ctx); err != nil {
		return err
	}
	if err := r.loosen(ctx); err != nil {
		return err
	}
	return r.remove(ctx)
}

// follow adds records to what is deleted, and what their deletion means for others.
func (r *removal) follow(ctx context.Context, t *core.Table, old []core.Record, depth int) error {
	if depth > maxCascade {
		return core.E("tables.removal", core.Limit, core.At{Table: t.Name}, "the delete cascades too deep: delete what depends on the records first")
	}
	if r.goes[t.Name] == nil {
		r.goes[t.Name] = map[any]core.Record{}
		r.order = append(r.order, t.Name)
	}
	ids := make([]any, len(old))
	for i, o := range old {
		ids[i] = o["id"]
		r.goes[t.Name][o["id"]] = o
	}
	for _, rel := range r.tx.snap.Schema.Relations(t.Name) {
		if !rel.Many {
			continue
		}
		if err := r.detach(ctx, t, rel, ids, depth); err != nil {
			return err
		}
	}
	return nil
}

// detach deals with the records that look up what is about to be deleted.
func (r *removal) detach(ctx context.Context, of *core.Table, rel core.Relation, ids []any, depth int) error {
	t, err := r.tx.snap.Schema.Table(rel.Table)
	if err != nil {
		return err
	}
	children, err := r.tx.records(ctx, rel.Table, "", Compare{Column: rel.Column, Op: In, Value: ids}, true)
	if err != nil {
		return err
	}
	children = slices.DeleteFunc(children, func(c core.Record) bool { return r.goes[t.Name][c["id"]] != nil })
	if len(children) == 0 {
		return nil
	}
	c, _ := t.Column(rel.Column)
	switch c.OnDelete {
	case core.Cascade:
		return r.follow(ctx, t, children, depth+1)
	case core.SetNull:
		if r.loose[t.Name] == nil {
			r.loose[t.Name] = map[any]*loosened{}
		}
		for _, child := range children {
			l := r.loose[t.Name][child["id"]]
			if l == nil {
				l = &loosened{child, core.Record{}}
				r.loose[t.Name][child["id"]] = l
			}
			l.lookups[rel.Column] = nil
		}
	default:
		b := bound{of: of.Name, relation: rel}
		for _, child := range children {
			b.ids = append(b.ids, child["id"])
		}
		r.bound = append(r.bound, b)
	}
	return nil
}

// unbound refuses the delete when a record stands in the way. It tells no more of it than the caller may read.
func (r *removal) unbound(ctx context.Context) error {
	for _, b := range r.bound {
		var left []any
		for _, id := range b.ids {
			if r.goes[b.relation.Table][id] == nil {
				left = append(left, id)
			}
		}
		if len(left) == 0 {
			continue
		}
		at := core.At{Table: b.of}
		may, err := r.tx.snap.Policy.Decide(r.caller, b.relation.Table, authz.Read)
		visible := false
		if err == nil {
			visible, _ = may.Column(b.relation.Column)
		}
		if !visible {
			return core.E("tables.unbound", core.Invalid, at, "records that you may not read refer to it, and restrict the delete: ask an administrator")
		}
		seen, err := r.tx.ids(ctx, b.relation.Table, core.Read, Compare{Column: "id", Op: In, Value: left})
		if err != nil {
			return err
		}
		count := fmt.Sprintf("%d records", len(seen))
		if len(seen) == 0 {
			count = "records that you may not read"
		}
		return core.E("tables.unbound", core.Invalid, at, fmt.Sprintf("%s of %s refer to it by %s, which restricts the delete: delete or change them first", count, b.relation.Table, b.relation.Column))
	}
	return nil
}

// loosen sets lookups to null.
func (r *removal) loosen(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.loose)) {
		w, err := r.writer(name)
		if err != nil {
			return err
		}
		byID := r.loose[name]
		for _, id := range sortedIDs(byID) {
			if r.goes[name][id] != nil {
				continue
			}
			if _, err := w.change(input{values: byID[id].lookups}, byID[id].record, 0); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the records, the tables that were found last first: their records look up those of the others.
func (r *removal) remove(ctx context.Context) error {
	slices.Reverse(r.order)
	if err := r.cut(ctx); err != nil {
		return err
	}
	for _, name := range r.order {
		w, err := r.writer(name)
		if err != nil {
			return err
		}
		for _, id := range sortedIDs(r.goes[name]) {
			w.batch = append(w.batch, change{op: core.Delete, before: r.goes[name][id]})
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cut removes the references of records that go to others that go before them, which the database would not allow.
func (r *removal) cut(ctx context.Context) error {
	for i, name := range r.order {
		t, err := r.tx.snap.Schema.Table(name)
		if err != nil {
			return err
		}
		id, _ := t.Column("id")
		for c := range t.Stored {
			if c.Kind != core.Lookup || !slices.Contains(r.order[:i], c.Target) {
				continue
			}
			b := db.New(r.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = NULL WHERE ").Name(c.SQL()).Write(" IS NOT NULL AND ")
			b.Dialect().AnyOf(b, id, func() { b.Name("id") }, sortedIDs(r.goes[name]))
			if _, err := r.tx.db.Exec(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// writer writes what follows from the delete: everything is in reach.
func (r *removal) writer(table string) (*writer, error) {
	t, may, err := r.tx.snap.decide(core.System("delete"), table, core.Update)
	if err != nil {
		return nil, err
	}
	w := newWriter(r.tx, t, r.caller)
	w.update = may
	return w, nil
}

// sortedIDs returns the keys in one order for all.
func sortedIDs[T any](m map[any]T) []any {
	return slices.SortedFunc(maps.Keys(m), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
}
