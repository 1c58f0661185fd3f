package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// History asks for the versions of a record, the newest first.
type History struct {
	Table  string
	ID     core.ID
	Before int64 // only versions below this one; 0 for all
	Limit  int   // at most; 0 for DefaultLimit
}

// VersionColumns describes what [Store.History] returns.
var VersionColumns = []core.Column{
	{Name: "version", Kind: core.Integer, Required: true, Doc: "The version."},
	{Name: "op", Kind: core.Text, Required: true, Doc: "create, update or delete."},
	{Name: "at", Kind: core.Timestamp, Required: true, Doc: "When."},
	{Name: "actor", Kind: core.UUID, Doc: "Who made it; null where you may not see who changes records."},
	{Name: "behalf", Kind: core.UUID, Doc: "Who made the request, when that was another one than the actor."},
	{Name: "cause", Kind: core.Text, Required: true, Doc: "Why: api, flow, import, merge, restore and the like."},
	{Name: "cause_id", Kind: core.Text, Doc: "Which flow run, import, merge."},
	{Name: "record", Kind: core.JSON, Doc: "The record after it, as you may read it; null after a delete."},
	{Name: "changes", Kind: core.Object, List: true, Required: true, Doc: "The columns that became others.", Fields: []core.Column{
		{Name: "column", Kind: core.Text, Required: true, Doc: "The column."},
		{Name: "old", Kind: core.JSON, Doc: "The value before."},
		{Name: "new", Kind: core.JSON, Doc: "The value after."},
	}},
}

// History returns versions of a record as the caller may read them now: a version is shown when the record is in reach
// both as it was then and as it is now (or as it last was, when it is gone), and a column likewise.
func (s *Store) History(ctx context.Context, snap *Snapshot, h History) ([]core.Record, error) {
	const op = "tables.History"
	pair, err := s.pair(ctx, snap, h.Table)
	if err != nil {
		return nil, core.E(op, err)
	}
	if h.Limit == 0 {
		h.Limit = DefaultLimit
	}
	if err := checkLimit(snap, h.Table, h.Limit); err != nil {
		return nil, core.E(op, err)
	}
	sel := pair.selection()
	sel.from = func(b *db.Builder) {
		b.Write(` FROM "_history" AS e`)
		pair.join(b)
		b.Write(" WHERE e.table_name = ").Arg(pair.after.table.SQL()).Write(" AND e.record_id = ").Arg(h.ID)
		if h.Before > 0 {
			b.Write(" AND e.version < ").Arg(h.Before)
		}
		b.Write(" AND CASE WHEN e.op = 'delete' THEN ")
		pair.before.inReach(b)
		b.Write(" ELSE ")
		pair.after.inReach(b)
		b.Write(" END ORDER BY e.version DESC LIMIT ").Arg(int64(h.Limit))
	}
	out, err := pair.read(ctx, s, sel)
	if err == nil {
		err = s.logShown(ctx, pair.after.witness, AccessHistory, []string{string(h.ID)})
	}
	return out, core.E(op, err)
}

func checkLimit(snap *Snapshot, table string, limit int) error {
	if limit < 0 || limit > snap.maxLimit {
		return core.E("tables.checkLimit", core.Limit, core.At{Table: table}, fmt.Sprintf("limit is between 0 and %d: read the rest from the last one on", snap.maxLimit))
	}
	return nil
}

// pair is a version of a record and the one before it, of the row e of "_history" or "_event", as a caller may see them.
type pair struct {
	after, before *node
	actor         bool // the caller may see who changes records
}

func (s *Store) pair(ctx context.Context, snap *Snapshot, table string) (*pair, error) {
	p := &planner{snap: snap, caller: core.CallerFrom(ctx)}
	after, err := p.node(table, core.Read)
	if err != nil {
		return nil, err
	}
	if after.table.Builtin {
		return nil, core.E("tables.pair", core.Invalid, core.At{Table: table}, "a table of Colonnade itself has no history")
	}
	before, err := p.node(table, core.Read)
	if err != nil {
		return nil, err
	}
	after.past, before.past = pastVersions(after.table), pastVersions(after.table)
	visible, guard := after.may.Column("updated_by")
	return &pair{after, before, visible && guard == nil}, nil
}

// join writes the two versions behind the row e.
func (p *pair) join(b *db.Builder) {
	for _, n := range []*node{p.after, p.before} {
		b.Write(" LEFT JOIN ")
		n.from(b)
		b.Write(" ON ").Name(n.alias, "id").Write(" = e.record_id AND ").Name(n.alias, "_version").Write(" = e.version")
		if n == p.before {
			b.Write(" - 1")
		}
	}
}

// selection is what a version is shown as, without its place.
func (p *pair) selection() *selection {
	s := &selection{shape: &db.Shape{Many: true}}
	column := func(name string, kind core.Kind, shown bool) {
		s.add(db.ShapeField{Key: name, Kind: kind}, func(b *db.Builder) {
			if shown {
				b.Name("e", name)
			} else {
				b.Write("NULL")
			}
		})
	}
	column("record_id", core.UUID, true)
	column("version", core.Integer, true)
	column("op", core.Text, true)
	column("at", core.Timestamp, true)
	column("cause", core.Text, true)
	column("cause_id", core.Text, true)
	column("actor", core.UUID, p.actor)
	s.add(db.ShapeField{Key: "after", JSON: true}, p.after.shown)
	s.add(db.ShapeField{Key: "before", JSON: true}, p.before.shown)
	return s
}

// shown writes the row as an object, NULL when it is out of reach.
func (n *node) shown(b *db.Builder) {
	b.Write("CASE WHEN ")
	n.inReach(b)
	b.Write(" THEN ")
	n.object().nest(b)
	b.Write(" END")
}

// inReach writes that there is a row, and that it is in reach.
func (n *node) inReach(b *db.Builder) {
	b.Write("(").Name(n.alias, "id").Write(" IS NOT NULL")
	n.scope(b)
	b.Write(")")
}

// object is the row with all columns that the caller may see.
func (n *node) object() *selection {
	s := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	for i := range n.table.Columns {
		c := &n.table.Columns[i]
		if r, shown, err := n.display(c); shown && err == nil {
			s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, r.write)
		}
	}
	return s
}

// seenVersion is a version as the database answers it.
type seenVersion struct {
	Tx       int64           `json:"tx"`
	Seq      int64           `json:"seq"`
	Left     bool            `json:"left"`
	RecordID string          `json:"record_id"`
	Version  int64           `json:"version"`
	Op       string          `json:"op"`
	At       string          `json:"at"`
	Cause    string          `json:"cause"`
	CauseID  any             `json:"cause_id"`
	Actor    any             `json:"actor"`
	Behalf   any             `json:"behalf"`
	After    json.RawMessage `json:"after"`
	Before   json.RawMessage `json:"before"`
}

func (p *pair) read(ctx context.Context, s *Store, sel *selection) ([]core.Record, error) {
	sel.add(db.ShapeField{Key: "behalf", Kind: core.UUID}, func(b *db.Builder) {
		if p.actor {
			b.Write("e.behalf")
		} else {
			b.Write("NULL")
		}
	})
	rows, err := p.rows(ctx, s, sel)
	if err != nil {
		return nil, err
	}
	out := make([]core.Record, len(rows))
	for i, v := range rows {
		changes, err := p.changes(v.Before, v.After)
		if err != nil {
			return nil, err
		}
		out[i] = core.Record{
			"version": v.Version, "op": v.Op, "at": v.At, "actor": v.Actor, "behalf": v.Behalf, "cause": v.Cause, "cause_id": v.CauseID,
			"record": present(v.After), "changes": changes,
		}
	}
	return out, nil
}

func (p *pair) rows(ctx context.Context, s *Store, sel *selection) (out []seenVersion, err error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	b := db.New(s.db.Dialect)
	sel.answer(b)
	raw, err := s.conn(ctx).Answer(ctx, b, sel.shape, nil)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(raw, &out)
}

// present returns the JSON value, nil for none and for null.
func present(raw json.RawMessage) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

// changes returns the columns in which two versions differ, in their order, without those that every change touches.
func (p *pair) changes(before, after json.RawMessage) ([]any, error) {
	var old, next map[string]json.RawMessage
	for raw, to := range map[*json.RawMessage]*map[string]json.RawMessage{&before: &old, &after: &next} {
		if len(*raw) > 0 {
			if err := json.Unmarshal(*raw, to); err != nil {
				return nil, err
			}
		}
	}
	out := []any{}
	for _, c := range p.after.table.Columns {
		if c.Name == "version" || c.Name == "updated_at" || c.Name == "updated_by" {
			continue
		}
		was, is := present(old[c.Name]), present(next[c.Name])
		if a, ok := was.(json.RawMessage); ok {
			if b, ok := is.(json.RawMessage); ok && bytes.Equal(a, b) {
				continue
			}
		} else if is == nil {
			continue
		}
		out = append(out, map[string]any{"column": c.Name, "old": was, "new": is})
	}
	return out, nil
}

// RestoreVersion gives a record the values that it had in an earlier version, by an ordinary update: with the rights, the
// rules and the keys of today. Columns that the caller may not read, then or now, and those that came later stay as they
// are, and so does the owner.
func (tx *Tx) RestoreVersion(ctx context.Context, table string, id core.ID, version, ifVersion int64) (Result, error) {
	res, err := tx.restoreVersion(ctx, table, id, version, ifVersion)
	return res, core.E("tables.RestoreVersion", tx.keep(err))
}

func (tx *Tx) restoreVersion(ctx context.Context, table string, id core.ID, version, ifVersion int64) (Result, error) {
	caller := core.CallerFrom(ctx)
	w, err := tx.writer(ctx, table, core.Update)
	if err != nil {
		return Result{}, err
	}
	read, err := tx.snap.Policy.Decide(caller, table, authz.Read)
	if err != nil {
		return Result{}, err
	}
	now, err := tx.records(ctx, table, core.Update, ByID(id), true)
	if err != nil || len(now) == 0 {
		return Result{}, err
	}
	was, err := tx.version(ctx, w.table, id, version)
	if err != nil {
		return Result{}, err
	}
	ok, whole := was != nil, w.whole(was)
	if ok && read.Rows != nil {
		if ok, err = w.holds(read.Rows, whole); err != nil {
			return Result{}, err
		}
	}
	if !ok {
		return Result{}, core.E("tables.restoreVersion", core.NotFound, core.At{Table: table}, fmt.Sprintf("the record has no version %d: look at its history", version))
	}
	set := core.Record{}
	for c := range w.table.Stored {
		v, kept := was[c.Name]
		if !kept || c.System || c.Kept() || c.Calculated() || equal(v, now[0][c.Name]) {
			continue
		}
		seen, guard := read.Column(c.Name)
		for _, r := range []core.Record{whole, now[0]} {
			if seen && guard != nil {
				if seen, err = w.holds(guard, r); err != nil {
					return Result{}, err
				}
			}
		}
		if seen {
			set[c.Name] = v
		}
	}
	caller.Cause.Kind, caller.Cause.ID = "restore", fmt.Sprintf("version %d", version)
	return tx.update(core.WithCaller(ctx, caller), Update{Table: table, Where: ByID(id), Set: set, IfVersion: ifVersion, trusted: trustedFiles(w.table, set)})
}

// version reads a version of a record; nil when the history has none.
func (tx *Tx) version(ctx context.Context, t *core.Table, id core.ID, version int64) (out core.Record, err error) {
	b := db.New(tx.db.Dialect).Write(`SELECT data FROM "_history" WHERE record_id = `).Arg(id).Write(" AND version = ").Arg(version).Write(" AND table_name = ").Arg(t.SQL())
	var raw []byte
	if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&raw) }); err != nil {
		return nil, err
	}
	return decodeStored(t, raw)
}

// whole returns r with a value or nil for every stored column: an old version lacks those that came later.
func (w *writer) whole(r core.Record) core.Record {
	out := make(core.Record, len(w.stored))
	for _, c := range w.stored {
		out[c.Name] = r[c.Name]
	}
	return out
}
