package tables

import (
	"context"
	"encoding/json"

	"colonnade/core"
	"colonnade/core/db"
)

// DeletedColumns describes what [Store.Deleted] returns.
var DeletedColumns = []core.Column{
	{Name: "id", Kind: core.UUID, Required: true, Doc: "The record."},
	{Name: "deleted_at", Kind: core.Timestamp, Required: true, Doc: "When it was deleted."},
	{Name: "deleted_by", Kind: core.UUID, Doc: "Who deleted it; null where you may not see who changes records."},
	{Name: "deletion", Kind: core.UUID, Doc: "What was deleted together has this in common."},
	{Name: "record", Kind: core.JSON, Required: true, Doc: "The record as it last was, as you may read it."},
}

// Deleted answers a list query over the records that are gone, as they last were: those that the caller could read. Its
// fields are [DeletedColumns].
func (s *Store) Deleted(ctx context.Context, snap *Snapshot, q Query) ([]core.Record, error) {
	const op = "tables.Deleted"
	p := &planner{snap: snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(q.Table, core.Read)
	if err != nil {
		return nil, core.E(op, err)
	}
	if n.table.Builtin {
		return nil, core.E(op, core.Invalid, core.At{Table: q.Table}, "a table of Colonnade itself has no history")
	}
	n.past = pastDeleted(n.table)
	r, err := p.rows(n, &q, nil)
	if err != nil {
		return nil, core.E(op, err)
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	visible, guard := n.may.Column("updated_by")
	sel := &selection{shape: &db.Shape{Many: true}, from: func(b *db.Builder) { r.from(b, q.Limit) }}
	field := func(key, column string, kind core.Kind, shown bool) {
		sel.add(db.ShapeField{Key: key, Kind: kind}, func(b *db.Builder) {
			if shown {
				b.Name(n.alias, column)
			} else {
				b.Write("NULL")
			}
		})
	}
	field("id", "id", core.UUID, true)
	field("deleted_at", "_deleted_at", core.Timestamp, true)
	field("deleted_by", "_deleted_by", core.UUID, visible && guard == nil)
	field("deletion", "_deletion", core.UUID, true)
	sel.add(db.ShapeField{Key: "record", JSON: true}, func(b *db.Builder) { n.object().nest(b) })
	b := db.New(s.db.Dialect)
	sel.answer(b)
	raw, err := s.conn(ctx).Answer(ctx, b, sel.shape, nil)
	if err != nil {
		return nil, core.E(op, err)
	}
	var rows []struct {
		ID        string          `json:"id"`
		DeletedAt string          `json:"deleted_at"`
		DeletedBy any             `json:"deleted_by"`
		Deletion  any             `json:"deletion"`
		Record    json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, core.E(op, err)
	}
	out, shown := make([]core.Record, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		shown[i] = r.ID
		out[i] = core.Record{"id": r.ID, "deleted_at": r.DeletedAt, "deleted_by": r.DeletedBy, "deletion": r.Deletion, "record": r.Record}
	}
	return out, core.E(op, s.logShown(ctx, n.witness, AccessBin, shown))
}
