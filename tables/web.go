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

// maxBatch is how many records are read and written at once, where there may be any number of them.
const maxBatch = 1000

// maxRemoved is how many records one delete takes with it: their ids are kept in memory.
const maxRemoved = 1_000_000

// web is the records that a delete is about, and those that hang on them: found level by level, each once, so that
// cycles end.
type web struct {
	tx      *Tx
	preview bool // what the caller can read, without a lock; otherwise everything

	goes  map[string]*members         // by table: what is deleted
	loose map[string]map[any][]string // by table and id: the columns that are set to null
	bound []bound                     // what stands in the way, unless it goes too
	order []string                    // the tables, as they were found
	size  int

	effects []bound // everything that was found, with what happens to it
}

// members are records of one table.
type members struct {
	list []any
	has  map[any]struct{}
}

// bound are records that look up others.
type bound struct {
	of       string // the table of what they look up
	relation core.Relation
	action   core.OnDelete
	ids      []any
	targets  []any
}

func newWeb(tx *Tx, preview bool) *web {
	return &web{tx: tx, preview: preview, goes: map[string]*members{}, loose: map[string]map[any][]string{}}
}

func (w *web) has(table string, id any) bool {
	m := w.goes[table]
	if m == nil {
		return false
	}
	_, ok := m.has[id]
	return ok
}

// table notes a table that was found.
func (w *web) table(name string) {
	if !slices.Contains(w.order, name) {
		w.order = append(w.order, name)
	}
}

// add adds records to what is deleted, and returns those that were not there.
func (w *web) add(table string, ids []any) (fresh []any) {
	w.table(table)
	m := w.goes[table]
	if m == nil {
		m = &members{has: map[any]struct{}{}}
		w.goes[table] = m
	}
	for _, id := range ids {
		if _, ok := m.has[id]; !ok {
			m.has[id] = struct{}{}
			fresh = append(fresh, id)
		}
	}
	m.list = append(m.list, fresh...)
	w.size += len(fresh)
	return fresh
}

// follow adds records to what is deleted, and all that follows from it.
func (w *web) follow(ctx context.Context, t *core.Table, ids []any) error {
	type level struct {
		table *core.Table
		ids   []any
	}
	next := []level{{t, w.add(t.Name, ids)}}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		if w.size > maxRemoved {
			return core.E("tables.follow", core.Limit, core.At{Table: t.Name}, fmt.Sprintf("the delete would take more than %d records with it: delete a part of what depends on them first", maxRemoved))
		}
		for _, rel := range w.tx.snap.Schema.Relations(at.table.Name) {
			if !rel.Many {
				continue
			}
			child, err := w.tx.snap.Schema.Table(rel.Table)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(at.ids, maxBatch) {
				fresh, err := w.detach(ctx, at.table, child, rel, part)
				if err != nil {
					return err
				}
				if len(fresh) > 0 {
					next = append(next, level{child, fresh})
				}
			}
		}
	}
	return nil
}

// detach deals with the records that look up some that are deleted, and returns those that are deleted with them.
func (w *web) detach(ctx context.Context, of, t *core.Table, rel core.Relation, targets []any) (fresh []any, err error) {
	ids, err := w.children(ctx, rel, targets)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id any) bool { return w.has(t.Name, id) })
	if len(ids) == 0 {
		return nil, nil
	}
	c, _ := t.Column(rel.Column)
	b := bound{of: of.Name, relation: rel, action: c.OnDelete, ids: ids, targets: targets}
	w.effects = append(w.effects, b)
	switch c.OnDelete {
	case core.Cascade:
		return w.add(t.Name, ids), nil
	case core.SetNull:
		w.table(t.Name)
		if w.loose[t.Name] == nil {
			w.loose[t.Name] = map[any][]string{}
		}
		for _, id := range ids {
			if !slices.Contains(w.loose[t.Name][id], rel.Column) {
				w.loose[t.Name][id] = append(w.loose[t.Name][id], rel.Column) // which takes the column beside it along
			}
		}
	default:
		w.bound = append(w.bound, b)
	}
	return nil, nil
}

// children returns the records that look up the targets.
func (w *web) children(ctx context.Context, rel core.Relation, targets []any) ([]any, error) {
	if w.preview {
		ids, _, err := w.tx.seen(ctx, rel, nil, targets)
		return ids, err
	}
	return w.tx.keysOf(ctx, rel.Table, "", referring(rel, targets), true)
}

// seen returns those of the records, or of all when there are none, that the caller can see to look up the targets.
// named is false when he may not even know that there is such a lookup.
func (tx *Tx) seen(ctx context.Context, rel core.Relation, ids, targets []any) (seen []any, named bool, err error) {
	may, err := tx.snap.Policy.Decide(core.CallerFrom(ctx), rel.Table, authz.Read)
	if err != nil {
		return nil, false, nil
	}
	for _, name := range lookupColumns(rel) {
		if visible, _ := may.Column(name); !visible {
			return nil, false, nil
		}
	}
	where := And{referring(rel, targets)}
	if ids != nil {
		where = append(where, Compare{Column: "id", Op: In, Value: ids})
	}
	seen, err = tx.keysOf(ctx, rel.Table, core.Read, where, false)
	return seen, true, err
}

// keysOf returns the ids of records, and locks them when asked.
func (tx *Tx) keysOf(ctx context.Context, table string, priv core.Op, where Cond, lock bool) (out []any, err error) {
	r, err := tx.reach(ctx, table, priv, where)
	if err != nil {
		return nil, err
	}
	if lock {
		if err := tx.rearrange(ctx, r.table); err != nil { // who asks is about to delete or to set lookups to null
			return nil, err
		}
	}
	b := db.New(tx.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	if lock {
		b.Write(b.Dialect().Lock())
	}
	return queryKeys(ctx, tx.db, b)
}

// words says that records restrict a delete; named and n are what the caller may know of them.
func (b *bound) words(n int, named bool) string {
	if !named {
		return "records that you may not read refer to it, and restrict the delete: ask an administrator"
	}
	count, refer := core.Count(n, "record"), "refer"
	switch n {
	case 0:
		count = "records that you may not read"
	case 1:
		refer = "refers"
	}
	return fmt.Sprintf("%s of %s %s to it by %s, which restricts the delete: delete or change them first", count, b.relation.Table, refer, b.relation.Column)
}

// Effect is what a delete would do to records that look up what it deletes.
type Effect struct {
	Table, Column string
	Action        core.OnDelete // cascade: they go too; set_null: they lose the lookup; restrict: they stand in the way
	Count         int
}

// Preview is what a delete would do.
type Preview struct {
	Records int // that the condition holds for, in reach
	Effects []Effect
}

// PreviewDelete tells what a delete would do, and does nothing. It follows only what the caller can read, so that it tells
// nothing of other records: these may make the delete do more, or refuse it.
func (tx *Tx) PreviewDelete(ctx context.Context, d Remove) (p Preview, err error) {
	const op = "tables.PreviewDelete"
	w, err := tx.writer(ctx, d.Table, core.Delete)
	if err != nil {
		return p, core.E(op, err)
	}
	ids, err := tx.keysOf(ctx, d.Table, core.Delete, d.Where, false)
	if err != nil {
		return p, core.E(op, err)
	}
	found := newWeb(tx, true)
	if err := found.follow(ctx, w.table, ids); err != nil {
		return p, core.E(op, err)
	}
	p.Records = len(ids)
	p.Effects = found.sum()
	return p, nil
}

// sum counts the effects by lookup. What goes anyway has no other.
func (w *web) sum() []Effect {
	counted := map[Effect]map[any]struct{}{}
	for _, b := range w.effects {
		key := Effect{Table: b.relation.Table, Column: b.relation.Column, Action: b.action}
		for _, id := range b.ids {
			if b.action != core.Cascade && w.has(key.Table, id) {
				continue
			}
			if counted[key] == nil {
				counted[key] = map[any]struct{}{}
			}
			counted[key][id] = struct{}{}
		}
	}
	out := make([]Effect, 0, len(counted))
	for e, ids := range counted {
		e.Count = len(ids)
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Effect) int { return strings.Compare(a.Table+"."+a.Column, b.Table+"."+b.Column) })
	return out
}

// sortedIDs returns the keys in one order for all.
func sortedIDs[T any](m map[any]T) []any {
	return slices.SortedFunc(maps.Keys(m), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
}
