package tables

import (
	"context"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// references looks after lookups that come back with their column or table. Where the record that they led to was deleted
// meanwhile, they are empty, and history must tell so.
func (a *alteration) references(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew {
		return nil
	}
	for c := range t.Stored {
		if c.Kind != core.Lookup || stored(was)[c.SQL()] == nil || a.live(was, c) && was.DroppedAt == nil {
			continue
		}
		empty := func(b *db.Builder) { b.Name(c.SQL()).Write(" IS NULL") }
		lost := func(r core.Record, old core.Record) bool { return old[c.Name] != nil }
		if err := a.versions(ctx, t, empty, lost, func(core.Record) {}); err != nil {
			return core.E("tables.references", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// versions changes the records that meet a condition, and writes history and events as for every other change. Business
// rules are not asked: it is the definition that changes. With only, it leaves out records for which that is false; it
// gets the record and what history says of it.
func (a *alteration) versions(ctx context.Context, t *core.Table, where func(*db.Builder), only func(r, old core.Record) bool, set func(core.Record)) error {
	if a.dry {
		return nil
	}
	ids, err := a.ids(ctx, t, where)
	if err != nil {
		return err
	}
	caller := core.CallerFrom(ctx)
	may, err := a.next.Policy.Decide(core.System("schema"), t.Name, authz.Update)
	if err != nil {
		return err
	}
	w := newWriter(a.tx, t, caller)
	w.update, w.unruled = may, true
	for len(ids) > 0 {
		part := ids[:min(len(ids), convertPage)]
		ids = ids[len(part):]
		found, err := a.tx.records(ctx, t.Name, "", ByID(part...), true)
		if err != nil {
			return err
		}
		var said map[string]core.Record
		if only != nil {
			if said, err = a.said(ctx, t, part); err != nil {
				return err
			}
		}
		for _, r := range found {
			if only != nil && !only(r, said[r["id"].(string)]) {
				continue
			}
			next := r.Clone()
			set(next)
			if err := w.calculate(next, r); err != nil {
				return err
			}
			w.touch(next, r)
			w.batch = append(w.batch, change{op: core.Update, before: r, after: next})
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ids returns the records that meet a condition, by primary key.
func (a *alteration) ids(ctx context.Context, t *core.Table, where func(*db.Builder)) ([]core.ID, error) {
	b := db.New(a.tx.db.Dialect).Write("SELECT id FROM ").Name(t.SQL()).Write(" WHERE ")
	where(b)
	return queryIDs(ctx, a.tx.db, b.Write(" ORDER BY id"))
}

// said returns what the newest history says of records.
func (a *alteration) said(ctx context.Context, t *core.Table, ids []core.ID) (map[string]core.Record, error) {
	id := &core.Column{Name: "record_id", Kind: core.UUID}
	list := make([]any, len(ids))
	for i, v := range ids {
		list[i] = string(v)
	}
	b := db.New(a.tx.db.Dialect).Write(`SELECT h.record_id, h.data FROM "_history" AS h JOIN `).Name(t.SQL()).
		Write(" AS t ON t.id = h.record_id AND t.version = h.version WHERE h.table_name = ").Arg(t.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, id, func() { b.Write("h.record_id") }, list)
	out := map[string]core.Record{}
	err := a.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var data []byte
		if err := scan(&id, &data); err != nil {
			return err
		}
		r, err := decodeStored(t, data)
		out[string(id)] = r
		return err
	})
	return out, err
}
