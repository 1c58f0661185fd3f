package tables

import (
	"context"
	"fmt"
	"slices"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Restore brings deleted records back, as they last were and one version on, with the records that went in the same
// delete because they looked them up, and with the lookups that were set to null, where these are still null.
//
// The caller needs the rights to read, create and delete the records. What comes back with them comes by the definition
// of the tables, as it went. A key that is taken, or a record that one of them looks up and that is gone, refuses it all.
func (tx *Tx) Restore(ctx context.Context, table string, ids ...core.ID) (Result, error) {
	since := len(tx.late)
	res, err := tx.restore(ctx, table, ids)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return res, core.E("tables.Restore", tx.keep(err))
}

func (tx *Tx) restore(ctx context.Context, table string, ids []core.ID) (Result, error) {
	return tx.bringBack(core.WithCaller(ctx, because(core.CallerFrom(ctx), "restore", "")), table, ids)
}

// bringBack is a restore, for the cause that the caller of ctx has.
func (tx *Tx) bringBack(ctx context.Context, table string, ids []core.ID) (res Result, err error) {
	w, err := tx.writer(ctx, table, core.Create)
	if err != nil {
		return res, err
	}
	_, remove, err := tx.snap.decide(w.caller, table, core.Delete)
	if err != nil {
		return res, err
	}
	read, err := tx.snap.Policy.Decide(w.caller, table, authz.Read)
	if err != nil {
		return res, err
	}
	list := make([]any, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(list, any(string(id))) {
			list = append(list, string(id))
		}
	}
	found, err := tx.lost(ctx, table, Compare{Column: "id", Op: In, Value: list})
	if err != nil {
		return res, err
	}
	byID := make(map[any]lost, len(found))
	for _, l := range found {
		byID[l.record["id"]] = l
	}
	r := newRevival(tx, w.caller)
	for i, id := range list {
		l, ok := byID[id]
		for _, may := range []*authz.Decision{read, remove} {
			if ok && may.Rows != nil {
				if ok, err = w.holds(may.Rows, l.record); err != nil {
					return res, err
				}
			}
		}
		if !ok {
			return res, core.E("tables.restore", core.NotFound, core.At{Table: table, Item: item(len(list), i)}, fmt.Sprintf("there is no deleted record with the id %s", id))
		}
		if err := w.inReach(core.Create, l.record, nil); err != nil {
			return res, core.E("tables.restore", core.At{Item: item(len(list), i)}, err)
		}
		r.add(w.table, l.deletion, id)
		res.IDs = append(res.IDs, core.ID(id.(string)))
	}
	res.Inserted = len(list)
	return res, r.run(ctx)
}

// lost is a deleted record, as it last was.
type lost struct {
	record   core.Record
	version  int64 // of its deletion
	at       time.Time
	deletion string // "" when it is not known any more what went with it
}

// lost returns deleted records that meet the condition.
func (tx *Tx) lost(ctx context.Context, table string, where Cond) ([]lost, error) {
	p := &planner{snap: tx.snap, caller: core.System("restore")}
	n, err := p.node(table, core.Read)
	if err != nil {
		return nil, err
	}
	n.past = pastDeleted(n.table)
	cond, err := n.where(where)
	if err != nil {
		return nil, err
	}
	s := &selection{shape: &db.Shape{Many: true}}
	for c := range n.table.Stored {
		s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, func(b *db.Builder) { b.Name(n.alias, c.SQL()) })
	}
	for _, f := range []db.ShapeField{{Key: "_deleted", Kind: core.Integer}, {Key: "_deleted_at", Kind: core.Timestamp}, {Key: "_deletion", Kind: core.UUID}} {
		s.add(f, func(b *db.Builder) { b.Name(n.alias, f.Key) })
	}
	s.from = func(b *db.Builder) {
		b.Write(" FROM ")
		n.from(b)
		b.Write(" WHERE ")
		cond(b)
		b.Write(" ORDER BY ").Name(n.alias, "id")
	}
	b := db.New(tx.db.Dialect)
	s.answer(b)
	raw, err := tx.db.Answer(ctx, b, s.shape, nil)
	if err != nil {
		return nil, err
	}
	return decodeLost(n.table, raw)
}

func decodeLost(t *core.Table, raw []byte) ([]lost, error) {
	records, err := decode(t, raw)
	if err != nil {
		return nil, err
	}
	out := make([]lost, len(records))
	number, moment := core.Column{Kind: core.Integer}, core.Column{Kind: core.Timestamp}
	for i, r := range records {
		version, err := number.Parse(r["_deleted"])
		if err != nil {
			return nil, err
		}
		at, err := moment.Parse(r["_deleted_at"])
		if err != nil {
			return nil, err
		}
		out[i] = lost{record: r, version: version.(int64), at: at.(time.Time)}
		out[i].deletion, _ = r["_deletion"].(string)
		delete(r, "_deleted")
		delete(r, "_deleted_at")
		delete(r, "_deletion")
	}
	return out, nil
}

// revival is a restore with everything that comes back. What it keeps in memory are ids.
type revival struct {
	authority
	order []string // the tables, those looked up first unless there are cycles
	comes map[string]*members
	next  []revived
	late  []*db.Builder               // lookups that lead to records which come later
	hung  map[string]map[any][]hanger // by deletion
}

// revived are records that went in one deletion.
type revived struct {
	table    *core.Table
	deletion string
	ids      []any
}

func newRevival(tx *Tx, caller core.Caller) *revival {
	return &revival{authority: authority{tx, caller, ""}, comes: map[string]*members{}, hung: map[string]map[any][]hanger{}}
}

// add adds records that come back.
func (r *revival) add(t *core.Table, deletion string, ids ...any) {
	m := r.comes[t.Name]
	if m == nil {
		m = &members{has: map[any]struct{}{}}
		r.comes[t.Name] = m
		r.order = append(r.order, t.Name)
	}
	var fresh []any
	for _, id := range ids {
		if _, ok := m.has[id]; !ok {
			m.has[id] = struct{}{}
			fresh = append(fresh, id)
		}
	}
	m.list = append(m.list, fresh...)
	if len(fresh) == 0 || deletion == "" {
		return
	}
	if n := len(r.next); n > 0 && r.next[n-1].table == t && r.next[n-1].deletion == deletion {
		r.next[n-1].ids = append(r.next[n-1].ids, fresh...)
		return
	}
	r.next = append(r.next, revived{t, deletion, fresh})
}

// gather adds the records that went with those that were added, and returns all by their deletions.
func (r *revival) gather(ctx context.Context) (went []revived, err error) {
	for len(r.next) > 0 {
		at := r.next[0]
		r.next = r.next[1:]
		went = append(went, at)
		if err := r.followers(ctx, at); err != nil {
			return nil, err
		}
	}
	return went, nil
}

func (r *revival) run(ctx context.Context) error {
	went, err := r.gather(ctx)
	if err != nil {
		return err
	}
	if err := r.tx.deferring(ctx, r.order, func() error { return r.insertAll(ctx) }); err != nil {
		return err
	}
	for _, at := range went {
		for part := range slices.Chunk(at.ids, maxBatch) {
			if err := r.tie(ctx, at.table, at.deletion, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// followers adds the records that went with others because they looked them up.
func (r *revival) followers(ctx context.Context, at revived) error {
	hung := r.hung[at.deletion]
	if hung == nil {
		var err error
		if hung, err = r.tx.hangers(ctx, at.deletion); err != nil {
			return err
		}
		r.hung[at.deletion] = hung
	}
	for _, id := range at.ids {
		for _, h := range hung[id] {
			r.add(h.table, at.deletion, h.id)
		}
	}
	return nil
}

// hanger is a record that went in a deletion and looked up another.
type hanger struct {
	table *core.Table
	id    any
}

// hangers returns the records that went in the deletion, by what they looked up.
func (tx *Tx) hangers(ctx context.Context, deletion string) (map[any][]hanger, error) {
	out := map[any][]hanger{}
	for _, t := range tx.snap.Schema.Tables() {
		if t.Builtin {
			continue
		}
		for c := range t.Stored {
			if c.Kind != core.Lookup {
				continue
			}
			b := db.New(tx.db.Dialect).Write("SELECT d.record_id, ")
			b.Dialect().Member(b, c, func() { b.Write("h.data") }, c.SQL())
			b.Write(` FROM "_deletion" AS d JOIN "_history" AS h ON h.record_id = d.record_id AND h.version = d.version - 1 AND h.table_name = d.table_name
WHERE d.deletion_id = `).Arg(deletion).Write(" AND d.table_name = ").Arg(t.SQL()).Write(" AND d.kind = 'gone' AND ")
			b.Dialect().Member(b, c, func() { b.Write("h.data") }, c.SQL())
			b.Write(" IS NOT NULL")
			err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
				var id, to core.ID
				err := scan(&id, &to)
				out[string(to)] = append(out[string(to)], hanger{t, string(id)})
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// insertAll puts all records back, and then what they look up among themselves.
func (r *revival) insertAll(ctx context.Context) error {
	for _, name := range r.order {
		if err := r.insert(ctx, name); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(r.late, maxStatements) {
		if err := r.tx.db.ExecAll(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}

// insert puts the records of a table back.
func (r *revival) insert(ctx context.Context, table string) error {
	w, err := r.writer(table)
	if err != nil {
		return err
	}
	w.later = true // when all are there
	for part := range slices.Chunk(r.comes[table].list, maxBatch) {
		found, err := r.tx.lost(ctx, table, Compare{Column: "id", Op: In, Value: part})
		if err != nil {
			return err
		}
		for _, l := range found {
			next := l.record.Clone()
			late, err := r.ruled(w, next, l.record)
			if err != nil {
				return r.conceal(ctx, table, nil, err)
			}
			next["version"] = l.version + 1
			next["updated_at"], next["updated_by"] = later(r.tx.now, l.at), string(actorOf(r.caller))
			if err := w.calculate(next, nil); err != nil { // as the formulas are by now
				return err
			}
			if err := w.complete(next); err != nil {
				return r.conceal(ctx, table, nil, err)
			}
			w.batch = append(w.batch, change{op: core.Create, after: next, ruled: true, late: late})
		}
		if err := r.parents(ctx, w); err != nil {
			return err
		}
		if err := r.put(ctx, w); err != nil {
			return r.conceal(ctx, table, nil, err)
		}
	}
	return nil
}

// ruled runs the business rules over a record that comes back: to them it is written again, unchanged.
func (r *revival) ruled(w *writer, next, was core.Record) (*rules.Write, error) {
	for _, c := range w.derived { // for rules to see what it will be
		delete(next, c.Name)
	}
	late, err := w.ruled(core.Update, nil, next, was)
	if err != nil {
		return nil, err
	}
	return late, w.changedMoney(input{}, was, next)
}

// parents refuses records that look up others that are gone.
func (r *revival) parents(ctx context.Context, w *writer) error {
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		wanted := map[any]int{}
		for _, ch := range w.batch {
			if to := ch.after[c.Name]; to != nil && !r.coming(c.Target, to) {
				wanted[to] = 0
			}
		}
		if len(wanted) == 0 {
			continue
		}
		there, err := r.tx.ids(ctx, c.Target, "", Compare{Column: "id", Op: In, Value: keys(wanted)})
		if err != nil {
			return err
		}
		if err := w.missing(c, wanted, there); err != nil {
			err = core.E("tables.parents", core.Invalid, w.at(c.Name), fmt.Sprintf("a record looks up a %s that is gone: restore that one first", c.Target))
			if may, denied := r.tx.snap.Policy.Decide(r.caller, w.table.Name, authz.Read); denied == nil {
				if visible, _ := may.Column(c.Name); visible {
					return r.conceal(ctx, w.table.Name, nil, err)
				}
			}
			return core.E("tables.parents", core.Invalid, core.At{Table: w.table.Name}, "a record that it depends on is gone too: ask an administrator")
		}
	}
	return nil
}

func (r *revival) coming(table string, id any) bool {
	m := r.comes[table]
	if m == nil {
		return false
	}
	_, ok := m.has[id]
	return ok
}

// put inserts the batch with its history. A lookup of a record that may come later waits.
func (r *revival) put(ctx context.Context, w *writer) error {
	here := slices.Index(r.order, w.table.Name)
	waits := func(c *core.Column, v any) bool {
		return c.Kind == core.Lookup && v != nil && !binds(w.table, c) && slices.Index(r.order, c.Target) >= here && r.coming(c.Target, v)
	}
	id, _ := w.table.Column("id")
	for _, ch := range w.batch {
		for _, c := range w.stored {
			if v := ch.after[c.Name]; waits(c, v) {
				r.late = append(r.late, db.New(r.tx.db.Dialect).Write("UPDATE ").Name(w.table.SQL()).Write(" SET ").Name(c.SQL()).Write(" = ").Value(c, v).
					Write(" WHERE id = ").Value(id, ch.after["id"]))
			}
		}
	}
	if err := w.mustBeRuled(); err != nil {
		return err
	}
	marks, err := w.marks(ctx)
	if err != nil {
		return err
	}
	rows := db.Rows{Table: w.table.SQL(), Columns: w.stored, N: len(w.batch), Value: func(row, column int) any {
		if v := w.batch[row].after[w.stored[column].Name]; !waits(w.stored[column], v) {
			return v
		}
		return nil
	}}
	imprints := w.imprints()
	sets := []db.Rows{rows, w.history(imprints), w.events(imprints)}
	if len(marks) > 0 {
		sets = append(sets, markRows(marks))
	}
	if err := r.tx.db.Insert(ctx, sets...); err != nil {
		return w.explainMarks(ctx, err, marks, w.batch)
	}
	if err := w.index(ctx); err != nil {
		return err
	}
	w.tx.events = true
	w.tx.remember(w)
	w.noteLate()
	w.batch = w.batch[:0]
	return nil
}

// tie leads lookups that the deletion set to null back to records, where they are still null, and forgets what it did to
// these records.
func (r *revival) tie(ctx context.Context, of *core.Table, deletion string, ids []any) error {
	logged, err := r.tx.traces(ctx, core.ID(deletion), loosed, ids)
	if err != nil {
		return err
	}
	for _, table := range tablesOf(logged) {
		back := map[any]core.Record{}
		for _, l := range logged {
			if l.table.Name == table {
				if back[l.id] == nil {
					back[l.id] = core.Record{}
				}
				back[l.id][l.column] = l.target
			}
		}
		if err := r.relink(ctx, "", table, sortedIDs(back), func(child core.Record) core.Record {
			set := core.Record{}
			for column, to := range back[child["id"]] {
				if child[column] == nil {
					set[column] = to
				}
			}
			return set
		}); err != nil {
			return err
		}
	}
	return r.tx.forget(ctx, core.ID(deletion), of, ids)
}
