package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Purge deletes records that were deleted for good.
type Purge struct {
	Table  string
	IDs    []core.ID
	DryRun bool // only tell what would go
}

// Purged is what a purge took away.
type Purged struct {
	ID     core.ID           // of the purge, as the audit has it; empty of a dry run
	Tables map[string]Erased // by name, as far as the caller may read the records
}

// Purge deletes records of the recycle bin for good, with all of their versions, and the records that went in the same delete
// because they looked them up. What remains of them is that they were there: their ids and the times of their changes in the
// seals, their events, and who purged them and when in the audit.
//
// The caller needs the right to purge, and to read and delete the records. Readers of changes that have not come to the delete
// yet must read the table anew; a flow that has not looked at it yet refuses the purge with Conflict. A merge that one of the
// records went in cannot be undone any more.
func (tx *Tx) Purge(ctx context.Context, p Purge) (Purged, error) {
	out, err := tx.purge(core.WithCaller(ctx, because(core.CallerFrom(ctx), "purge", "")), p)
	return out, core.E("tables.Purge", tx.keep(err))
}

func (tx *Tx) purge(ctx context.Context, p Purge) (out Purged, err error) {
	caller := core.CallerFrom(ctx)
	if err := tx.snap.Policy.May(caller, "purge_records"); err != nil {
		return out, err
	}
	r := newRevival(tx, caller)
	if err := tx.binned(ctx, r, p); err != nil {
		return out, err
	}
	if _, err := r.gather(ctx); err != nil {
		return out, err
	}
	c := &clearing{tx: tx, caller: caller, seen: map[string]Erased{}}
	if !p.DryRun {
		if c.erasure, err = tx.erase(ctx, auditPurge); err != nil {
			return out, err
		}
	}
	for _, table := range r.order {
		for part := range slices.Chunk(r.comes[table].list, maxSeal) {
			if err := c.clear(ctx, table, part); err != nil {
				return out, err
			}
		}
	}
	out.Tables = c.seen
	if p.DryRun {
		return out, nil
	}
	out.ID = c.erasure.id
	if err := c.erasure.passed(ctx); err != nil {
		return out, err
	}
	return out, c.erasure.end(ctx)
}

// binned adds the records that a purge names, which the caller must be able to read and to delete.
func (tx *Tx) binned(ctx context.Context, r *revival, p Purge) error {
	w, err := tx.writer(ctx, p.Table, core.Delete)
	if err != nil {
		return err
	}
	_, remove, err := tx.snap.decide(w.caller, p.Table, core.Delete)
	if err != nil {
		return err
	}
	read, err := tx.snap.Policy.Decide(w.caller, p.Table, authz.Read)
	if err != nil {
		return err
	}
	list := make([]any, 0, len(p.IDs))
	for _, id := range p.IDs {
		if !slices.Contains(list, any(string(id))) {
			list = append(list, string(id))
		}
	}
	if len(list) > maxBatch {
		return core.E("tables.purge", core.Limit, core.At{Table: p.Table}, fmt.Sprintf("a purge is of at most %d records: purge the others after them", maxBatch))
	}
	found, err := tx.lost(ctx, p.Table, Compare{Column: "id", Op: In, Value: list})
	if err != nil {
		return err
	}
	byID := make(map[any]lost, len(found))
	for _, l := range found {
		byID[l.record["id"]] = l
	}
	for i, id := range list {
		l, ok := byID[id]
		for _, may := range []*authz.Decision{read, remove} {
			if ok && may.Rows != nil {
				if ok, err = w.holds(may.Rows, l.record); err != nil {
					return err
				}
			}
		}
		if !ok {
			return core.E("tables.purge", core.NotFound, core.At{Table: p.Table, Item: item(len(list), i)}, fmt.Sprintf("there is no deleted record with the id %s: delete a record before you purge it", id))
		}
		r.add(w.table, l.deletion, id)
	}
	return nil
}

// clearing deletes records of the recycle bin for good, or only counts them.
type clearing struct {
	tx      *Tx
	caller  core.Caller
	erasure *erasure // nil to count
	seen    map[string]Erased
}

// clear deals with records of one table.
func (c *clearing) clear(ctx context.Context, table string, ids []any) error {
	found, err := c.tx.lost(ctx, table, Compare{Column: "id", Op: In, Value: ids})
	if err != nil || len(found) == 0 {
		return err
	}
	t, err := c.tx.snap.Schema.Table(table)
	if err != nil {
		return err
	}
	gone := make([]any, len(found))
	for i, l := range found {
		gone[i] = l.record["id"]
	}
	versions, err := c.tx.versionsOf(ctx, t, gone)
	if err != nil {
		return err
	}
	if err := c.count(table, found, versions); err != nil {
		return err
	}
	if c.erasure == nil {
		return nil
	}
	if err := c.erasure.erase(ctx, versions); err != nil {
		return err
	}
	c.erasure.of(t.SQL()).Records += int64(len(found))
	return c.forget(ctx, t, found, gone)
}

// count counts what the caller may know of.
func (c *clearing) count(table string, found []lost, versions map[versionKey]int64) error {
	may, err := c.tx.snap.Policy.Decide(c.caller, table, authz.Read)
	if err != nil {
		return nil
	}
	w, err := authority{c.tx, c.caller, ""}.writer(table)
	if err != nil {
		return err
	}
	shown := map[core.ID]bool{}
	for _, l := range found {
		in := true
		if may.Rows != nil {
			if in, err = w.holds(may.Rows, l.record); err != nil {
				return err
			}
		}
		if in {
			shown[core.ID(l.record["id"].(string))] = true
		}
	}
	if len(shown) == 0 {
		return nil
	}
	sum := c.seen[table]
	sum.Records += int64(len(shown))
	for k := range versions {
		if shown[k.id] {
			sum.Versions++
		}
	}
	c.seen[table] = sum
	return nil
}

// versionsOf returns all versions of the records, with their times in microseconds.
func (tx *Tx) versionsOf(ctx context.Context, t *core.Table, ids []any) (map[versionKey]int64, error) {
	out := map[versionKey]int64{}
	b := db.New(tx.db.Dialect).Write(`SELECT CAST(record_id AS text), version, CAST(at AS text) FROM "_history" WHERE table_name = `).Arg(t.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		k := versionKey{table: t.SQL()}
		var at string
		err := scan(&k.id, &k.version, &at)
		out[k] = micros(at)
		return err
	})
	return out, err
}

// forget drops what deletes and merges did to the records: nothing brings them back.
func (c *clearing) forget(ctx context.Context, t *core.Table, found []lost, ids []any) error {
	deletions := map[string][]any{}
	for _, l := range found {
		if l.deletion != "" {
			deletions[l.deletion] = append(deletions[l.deletion], l.record["id"])
		}
	}
	for _, deletion := range slices.Sorted(maps.Keys(deletions)) {
		merged, err := c.tx.traces(ctx, core.ID(deletion), won, deletions[deletion])
		if err != nil {
			return err
		}
		if len(merged) > 0 {
			err = c.tx.forgetMerge(ctx, core.ID(deletion))
		} else {
			err = c.tx.forget(ctx, core.ID(deletion), t, deletions[deletion])
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.tx.dropShares(ctx, t, ofRecords(ids)); err != nil {
		return err
	}
	b := db.New(c.tx.db.Dialect).Write(`DELETE FROM "_deletion" WHERE table_name = `).Arg(t.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
	_, err := c.tx.db.Exec(ctx, b)
	return err
}

// passed refuses an erasure that a reader of events has not come to yet, and has feeds of the tables begin behind it.
func (e *erasure) passed(ctx context.Context) error {
	slowest, _, err := e.tx.store.slowest(ctx)
	if err != nil {
		return err
	}
	if slowest.before(e.last) {
		return core.E("tables.Purge", core.Conflict, "flows have not looked at the last changes of the records yet: try again in some seconds")
	}
	for _, table := range slices.Sorted(maps.Keys(e.done)) {
		if err := e.tx.raiseFloor(ctx, feedFloor+":"+table, e.last); err != nil {
			return err
		}
	}
	return nil
}
