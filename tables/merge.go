package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// Merge makes one record of several.
type Merge struct {
	Table  string
	Winner core.ID
	Losers []core.ID
	Take   map[string]core.ID // columns whose values the winner takes over, and from which loser
}

// Merged tells what a merge did.
type Merged struct {
	ID    core.ID // for [Tx.Unmerge]
	Moved int     // lookups that lead to the winner now, of records in every table, as far as the caller may read them
}

// Merge has everything that looks up a loser look up the winner, deletes the losers, and gives the winner the values that
// it takes over. The caller needs the rights to change the winner and to delete the losers, and to read what is taken; what
// looks up the losers follows by the definition of the tables. The history of all of them names the merge.
func (tx *Tx) Merge(ctx context.Context, m Merge) (Merged, error) {
	since := len(tx.late)
	out, err := tx.merge(ctx, m)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return out, core.E("tables.Merge", tx.keep(err))
}

func (tx *Tx) merge(ctx context.Context, m Merge) (out Merged, err error) {
	w, err := tx.writer(ctx, m.Table, core.Update)
	if err != nil {
		return out, err
	}
	j := &joining{Merge: m, authority: authority{tx, core.CallerFrom(ctx), core.NewID()}, table: w.table}
	j.caller = because(j.caller, "merge", j.id)
	ctx = core.WithCaller(ctx, j.caller)
	if err := j.find(ctx); err != nil {
		return out, err
	}
	take, err := j.taken(w)
	if err != nil {
		return out, err
	}
	for _, rel := range tx.snap.Schema.Relations(m.Table) {
		if rel.Many {
			if err := j.move(ctx, rel); err != nil {
				return out, err
			}
		}
	}
	if err := j.loosen(ctx); err != nil {
		return out, err
	}
	if err := j.share(ctx); err != nil {
		return out, err
	}
	r := newRemoval(tx, j.caller)
	r.id = j.id
	if err := r.run(ctx, w.table, sortedIDs(j.losers)); err != nil {
		return out, err
	}
	return Merged{j.id, j.moved}, j.win(ctx, take)
}

// joining is a merge under way.
type joining struct {
	Merge
	authority
	table  *core.Table
	winner core.Record
	losers map[any]core.Record
	moved  int
}

// find reads and locks the records, which must be in reach.
func (j *joining) find(ctx context.Context) error {
	const op = "tables.merge"
	if len(j.Losers) == 0 {
		return core.E(op, core.Invalid, core.At{Table: j.Table}, "name the records that the winner takes in")
	}
	if len(j.Losers) > MaxLimit {
		return core.E(op, core.Limit, core.At{Table: j.Table}, fmt.Sprintf("a merge takes in at most %d records: do it in parts", MaxLimit))
	}
	if slices.Contains(j.Losers, j.Winner) {
		return core.E(op, core.Invalid, core.At{Table: j.Table}, "a record cannot be merged into itself")
	}
	found, err := j.tx.records(ctx, j.Table, core.Update, ByID(j.Winner), true)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return core.E(op, core.NotFound, core.At{Table: j.Table}, fmt.Sprintf("there is no record with the id %s that you may change", j.Winner))
	}
	j.winner = found[0]
	if found, err = j.tx.records(ctx, j.Table, core.Delete, ByID(j.Losers...), true); err != nil {
		return err
	}
	j.losers = make(map[any]core.Record, len(found))
	for _, l := range found {
		j.losers[l["id"]] = l
	}
	for i, id := range j.Losers {
		if j.losers[string(id)] == nil {
			return core.E(op, core.NotFound, core.At{Table: j.Table, Item: item(len(j.Losers), i)}, fmt.Sprintf("there is no record with the id %s that you may delete", id))
		}
	}
	return nil
}

// taken returns the values that the winner takes over.
func (j *joining) taken(w *writer) (core.Record, error) {
	const op = "tables.merge"
	read, err := j.tx.snap.Policy.Decide(j.caller, j.Table, authz.Read)
	if err != nil {
		return nil, err
	}
	out := core.Record{}
	for _, column := range slices.Sorted(maps.Keys(j.Take)) {
		from := j.losers[string(j.Take[column])]
		c, ok := j.table.Column(column)
		visible, guard := read.Column(column)
		if !ok || !visible {
			return nil, w.unknown(column)
		}
		if c.Calculated() || c.System && c.Name != "owner_id" || c.Kept() {
			return nil, core.E(op, core.Invalid, w.at(column), "the column is kept by Colonnade and cannot be taken over: leave it out")
		}
		if j.Take[column] == j.Winner {
			continue
		}
		if from == nil {
			return nil, core.E(op, core.Invalid, w.at(column), fmt.Sprintf("%s is none of the records that are merged", j.Take[column]))
		}
		if guard != nil {
			if ok, err := w.holds(guard, from); err != nil || !ok {
				return nil, core.E(op, core.Denied, w.at(column), "you may not read this column in that record, so it cannot be taken over", err)
			}
		}
		out[column] = from[column]
		for _, m := range w.monies { // an amount comes with its currency
			if m.Amount == c && j.Take[m.Code.Name] == "" {
				out[m.Code.Name] = from[m.Code.Name]
			}
		}
	}
	return out, nil
}

// move leads the lookups of the losers to the winner.
func (j *joining) move(ctx context.Context, rel core.Relation) error {
	losers := sortedIDs(j.losers)
	ids, err := j.tx.keysOf(ctx, rel.Table, "", Compare{Column: rel.Column, Op: In, Value: losers}, true)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id any) bool {
		return rel.Table == j.Table && (id == j.winner["id"] || j.losers[id] != nil) // they are dealt with themselves
	})
	if ids, err = j.single(ctx, rel, ids); err != nil {
		return err
	}
	err = j.relink(ctx, moved, rel.Table, ids, func(core.Record) core.Record {
		return core.Record{rel.Column: j.winner["id"]}
	})
	if err != nil {
		return err
	}
	led := make([]Kept, len(ids))
	for i, id := range ids {
		led[i] = Kept{rel.Table, rel.Column, core.ID(id.(string))}
	}
	led, err = j.tell(ctx, rel.Table, led)
	j.moved += len(led)
	return err
}

// single leaves out links to records that the winner is linked with already, or will be: they go with their loser.
func (j *joining) single(ctx context.Context, rel core.Relation, ids []any) ([]any, error) {
	t, err := j.tx.snap.Schema.Table(rel.Table)
	if err != nil || t.Link == nil || rel.Column != t.Link.From.Column && rel.Column != t.Link.To.Column {
		return ids, err
	}
	far := t.Link.From.Column
	if far == rel.Column {
		far = t.Link.To.Column
	}
	have, err := j.tx.records(ctx, rel.Table, "", Compare{Column: rel.Column, Op: Eq, Value: j.winner["id"]}, false)
	if err != nil {
		return nil, err
	}
	linked := map[any]bool{}
	for _, l := range have {
		linked[l[far]] = true
	}
	var out []any
	for part := range slices.Chunk(ids, maxBatch) {
		links, err := j.tx.records(ctx, rel.Table, "", Compare{Column: "id", Op: In, Value: part}, false)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if !linked[l[far]] {
				linked[l[far]] = true
				out = append(out, l["id"])
			}
		}
	}
	return out, nil
}

// loosen sets lookups of the winner that lead to losers to null: they would lead to itself.
func (j *joining) loosen(ctx context.Context) error {
	return j.relink(ctx, loosed, j.Table, []any{j.winner["id"]}, func(winner core.Record) core.Record {
		set := core.Record{}
		for c := range j.table.Stored {
			if c.Kind == core.Lookup && winner[c.Name] != nil && j.losers[winner[c.Name]] != nil {
				set[c.Name] = nil
			}
		}
		return set
	})
}

// win gives the winner what it takes over. A lookup that would lead to itself is null.
func (j *joining) win(ctx context.Context, take core.Record) error {
	before, err := j.now(ctx)
	if err != nil {
		return err
	}
	for name, to := range take {
		if c, _ := j.table.Column(name); c.Kind == core.Lookup && (to == j.winner["id"] || to != nil && j.losers[to] != nil) {
			take[name] = nil
		}
	}
	if len(take) > 0 {
		if _, err := j.tx.update(ctx, Update{Table: j.Table, Where: ByID(j.Winner), Set: take, trusted: trustedFiles(j.table, take)}); err != nil {
			return err
		}
	}
	after, err := j.now(ctx)
	if err != nil {
		return err
	}
	version := after["version"].(int64)
	log := make([]trace, 0, len(j.losers))
	for _, id := range sortedIDs(j.losers) {
		log = append(log, trace{kind: won, table: j.table, id: string(j.Winner), version: version, target: id})
	}
	for _, c := range slices.Sorted(maps.Keys(take)) {
		if !equal(before[c], after[c]) {
			log = append(log, trace{kind: took, table: j.table, id: string(j.Winner), version: version, column: c})
		}
	}
	return j.tx.trace(ctx, j.id, log)
}

// share gives to the winner what the losers are shared with. They keep their shares, for the case that they come back.
func (j *joining) share(ctx context.Context) error {
	list, err := j.tx.shareReader(ctx).of(ctx, j.table, ofRecords(sortedIDs(j.losers)))
	for i := range list {
		s := &list[i]
		s.id = core.HashID(string(j.id), string(s.id))
		s.record, s.cause, s.causeID = j.Winner, sharedByMerge, j.id
	}
	if err != nil {
		return err
	}
	return j.tx.putShares(ctx, list)
}

// now reads the winner as it is by now.
func (j *joining) now(ctx context.Context) (core.Record, error) {
	found, err := j.tx.records(ctx, j.Table, "", ByID(j.Winner), true)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, core.E("tables.merge", core.Invalid, core.At{Table: j.Table}, "the winner hangs on what it takes in by way of other records, and would go with it: change its lookups first")
	}
	return found[0], nil
}

// Unmerged tells what an unmerge did.
type Unmerged struct {
	Restored []core.ID
	Moved    int      // lookups that lead to the restored records again, as far as the caller may read them
	Kept     []Kept   // those that do not, because they were changed since, likewise
	Columns  []string // of the winner that keep their values, because they were changed since
}

// Kept is a lookup that an unmerge leaves as it is.
type Kept struct {
	Table, Column string
	ID            core.ID
}

// Unmerge undoes a merge: the winner gets back what it had, the losers come back, and what looked them up looks them up
// again. What was changed since the merge stays, and is told. The caller needs the rights to change the winner, and to
// read, create and delete the losers.
func (tx *Tx) Unmerge(ctx context.Context, table string, merge core.ID) (Unmerged, error) {
	since := len(tx.late)
	out, err := tx.unmerge(ctx, table, merge)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return out, core.E("tables.Unmerge", tx.keep(err))
}

func (tx *Tx) unmerge(ctx context.Context, table string, merge core.ID) (out Unmerged, err error) {
	w, err := tx.writer(ctx, table, core.Update)
	if err != nil {
		return out, err
	}
	a := authority{tx, because(core.CallerFrom(ctx), "unmerge", merge), merge}
	ctx = core.WithCaller(ctx, a.caller)
	losers, err := tx.traces(ctx, merge, won, nil)
	if err != nil {
		return out, err
	}
	losers = slices.DeleteFunc(losers, func(t trace) bool { return t.table.Name != table })
	unknown := core.E("tables.unmerge", core.NotFound, core.At{Table: table}, fmt.Sprintf("there is no merge %s that can be undone", merge))
	if len(losers) == 0 {
		return out, unknown
	}
	winner, err := tx.records(ctx, table, core.Update, Compare{Column: "id", Op: Eq, Value: losers[0].id}, true)
	if err != nil {
		return out, err
	}
	if len(winner) == 0 {
		return out, unknown
	}
	if out.Columns, err = a.giveBack(ctx, w, winner[0]); err != nil {
		return out, err
	}
	for _, l := range losers {
		out.Restored = append(out.Restored, core.ID(l.target.(string)))
	}
	if _, err := tx.bringBack(ctx, table, out.Restored); err != nil {
		return out, err
	}
	if err := a.moveBack(ctx, winner[0]["id"], &out); err != nil {
		return out, err
	}
	if _, err := tx.dropShares(ctx, w.table, ofMerge(merge)); err != nil {
		return out, err
	}
	return out, tx.forgetMerge(ctx, merge)
}

// giveBack gives the winner the values that it had, and returns the columns that were changed since.
func (a authority) giveBack(ctx context.Context, w *writer, winner core.Record) (kept []string, err error) {
	log, err := a.tx.traces(ctx, a.id, took, nil)
	if err != nil || len(log) == 0 {
		return nil, err
	}
	id, merged := core.ID(winner["id"].(string)), log[0].version
	then, err := a.tx.version(ctx, w.table, id, merged)
	if err != nil {
		return nil, err
	}
	before, err := a.tx.version(ctx, w.table, id, merged-1)
	if err != nil {
		return nil, err
	}
	set := core.Record{}
	for _, t := range log {
		was, known := before[t.column]
		if !known || !equal(then[t.column], winner[t.column]) {
			kept = append(kept, t.column)
			continue
		}
		set[t.column] = was
	}
	if len(set) == 0 {
		return kept, nil
	}
	_, err = a.tx.update(ctx, Update{Table: w.table.Name, Where: ByID(id), Set: set, trusted: trustedFiles(w.table, set)})
	return kept, err
}

// moveBack leads lookups back to the losers, unless they were changed since.
func (a authority) moveBack(ctx context.Context, winner any, out *Unmerged) error {
	log, err := a.tx.traces(ctx, a.id, moved, nil)
	if err != nil {
		return err
	}
	for _, table := range tablesOf(log) {
		back := map[any]core.Record{}
		for _, t := range log {
			if t.table.Name != table {
				continue
			}
			if back[t.id] == nil {
				back[t.id] = core.Record{}
			}
			back[t.id][t.column] = t.target
		}
		var kept, led []Kept
		err := a.relink(ctx, "", table, sortedIDs(back), func(child core.Record) core.Record {
			set := core.Record{}
			for _, column := range slices.Sorted(maps.Keys(back[child["id"]])) {
				if child[column] != winner {
					kept = append(kept, Kept{table, column, core.ID(child["id"].(string))})
					continue
				}
				set[column] = back[child["id"]][column]
				led = append(led, Kept{table, column, core.ID(child["id"].(string))})
			}
			return set
		})
		if err != nil {
			return err
		}
		if kept, err = a.tell(ctx, table, kept); err != nil {
			return err
		}
		if led, err = a.tell(ctx, table, led); err != nil {
			return err
		}
		out.Kept, out.Moved = append(out.Kept, kept...), out.Moved+len(led)
	}
	return nil
}

// tell leaves of the lookups those that the caller may read.
func (a authority) tell(ctx context.Context, table string, all []Kept) (out []Kept, err error) {
	may, denied := a.tx.snap.Policy.Decide(a.caller, table, authz.Read)
	if denied != nil || len(all) == 0 {
		return nil, nil
	}
	for part := range slices.Chunk(all, maxBatch) {
		ids := make([]any, len(part))
		for i, k := range part {
			ids[i] = string(k.ID)
		}
		found, err := a.tx.keysOf(ctx, table, core.Read, Compare{Column: "id", Op: In, Value: ids}, false)
		if err != nil {
			return nil, err
		}
		seen := map[any]bool{}
		for _, id := range found {
			seen[id] = true
		}
		for _, k := range part {
			if visible, guard := may.Column(k.Column); visible && guard == nil && seen[string(k.ID)] {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
