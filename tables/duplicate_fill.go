package tables

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// The records of a table are compared under a new rule in the transaction that makes it or, when they are many, in parts
// after it, while writers go on: what is written meanwhile is compared at once. The table _duplicate_index tells how far it is.

// The states of a duplicate rule.
const (
	duplicatesFilling = "filling" // records that nobody has written since are not all compared yet
	duplicatesReady   = "ready"
)

// duplicateBatch is how many records are compared in one transaction.
const duplicateBatch = 1000

func duplicateIndexTable() core.Table {
	return core.Table{
		Name: "_duplicate_index", Label: "Duplicate index", Doc: "How far the records of a table are compared under its duplicate rules.", Ownership: core.OrgOwned, Builtin: true,
		Columns: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, System: true}, {Name: "table_name", Kind: core.Text, Required: true, Doc: "The table, as SQL has it."},
			{Name: "rule", Kind: core.Text, Required: true, Doc: "The rule, as it was called when it was made."}, {Name: "state", Kind: core.Text, Required: true, Doc: "filling or ready."},
			{Name: "records", Kind: core.Integer, Required: true, Doc: "The records that were read."}, {Name: "error", Kind: core.Text, Doc: "Why the last try failed; it is made again."},
			{Name: "started_at", Kind: core.Timestamp, Required: true},
		},
	}
}

// duplicateKeys returns the keys of the duplicate rules of a table, be it dropped or not.
func duplicateKeys(t *core.Table) (out []int64, err error) {
	for _, r := range t.Duplicates {
		key, err := duplicateKey(t, r)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

// duplicates makes what is kept for duplicate rules that of the rules of t.
func (a *alteration) duplicates(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	had, err := duplicateKeys(was)
	if err != nil {
		return err
	}
	rules := a.next.duplicates[t.Name]
	for _, key := range had {
		if !slices.ContainsFunc(rules, func(r *duplicateRule) bool { return r.key == key }) {
			if err := a.step(ctx, t, Step{What: "what was kept for a duplicate rule is deleted", Lock: LockWrites}); err != nil {
				return err
			}
			if err := a.forgetDuplicates(ctx, key); err != nil {
				return err
			}
		}
	}
	for _, r := range rules {
		if slices.Contains(had, r.key) {
			continue
		}
		if err := a.compareAll(ctx, t, r, isNew); err != nil {
			return core.E("tables.duplicates", core.At{Rule: r.Name}, err)
		}
	}
	return nil
}

// forgetDuplicates deletes what is kept for a rule.
func (a *alteration) forgetDuplicates(ctx context.Context, key int64) error {
	if a.dry {
		return nil
	}
	for _, table := range []string{`"_duplicate" WHERE rule`, `"_duplicate_index" WHERE rule_key`} {
		if _, err := a.tx.db.Exec(ctx, db.New(a.tx.db.Dialect).Write("DELETE FROM ", table, " = ").Arg(key)); err != nil {
			return err
		}
	}
	return nil
}

// purgeDuplicates deletes what is kept for the duplicate rules of a table that goes for good.
func (a *alteration) purgeDuplicates(ctx context.Context, t *core.Table) error {
	keys, err := duplicateKeys(t)
	for _, key := range keys {
		if err == nil {
			err = a.forgetDuplicates(ctx, key)
		}
	}
	return err
}

// compareAll compares the records that are there under a new rule, or leaves it to the time after the change.
func (a *alteration) compareAll(ctx context.Context, t *core.Table, r *duplicateRule, isNew bool) error {
	n, err := a.size(ctx, t)
	if err != nil {
		return err
	}
	later := n > a.maxBlocked()
	if !isNew {
		s := Step{What: fmt.Sprintf("the records are compared under the duplicate rule %q", r.Name), Column: r.columns[0].Name, Lock: LockWrites}
		if later {
			s.What, s.Lock = s.What+", after the change", LockNone
		}
		if err := a.step(ctx, t, s); err != nil {
			return err
		}
	}
	if a.dry {
		return nil
	}
	moment := core.Column{Kind: core.Timestamp}
	state, read := duplicatesReady, n
	if later {
		state, read = duplicatesFilling, 0
		a.tx.AfterCommit(a.tx.store.wakeFill)
	}
	b := db.New(a.tx.db.Dialect).Write(`INSERT INTO "_duplicate_index" (id, rule_key, table_name, rule, state, records, started_at) VALUES (`).Arg(core.NewID()).Write(", ").Arg(r.key).
		Write(", ").Arg(t.SQL()).Write(", ").Arg(r.Name).Write(", ").Arg(state).Write(", ").Arg(read).Write(", ").Value(&moment, a.tx.now).Write(")")
	if _, err := a.tx.db.Exec(ctx, b); err != nil || later || isNew {
		return err
	}
	for last := core.ID(nilID); ; {
		next, n, err := a.tx.fill(ctx, r, last)
		if err != nil || n == 0 {
			return err
		}
		last = next
	}
}

// fill compares the next records after the one with that id under a rule, and returns the last of them and how many they
// were. Those that were written since the rule is there are compared already.
func (tx *Tx) fill(ctx context.Context, r *duplicateRule, after core.ID) (last core.ID, n int, err error) {
	id := duplicateColumns[3]
	b := db.New(tx.db.Dialect).Write("SELECT id FROM ").Name(r.table.SQL()).Write(" WHERE id > ").Value(id, string(after))
	ids, err := queryIDs(ctx, tx.db, b.Write(" ORDER BY id LIMIT ", strconv.Itoa(duplicateBatch)))
	if err != nil || len(ids) == 0 {
		return "", 0, err
	}
	found, err := tx.records(ctx, r.table.Name, "", ByID(ids...), true)
	if err != nil {
		return "", 0, err
	}
	compared, err := tx.compared(ctx, r, ids)
	if err != nil {
		return "", 0, err
	}
	var marks []mark
	for _, rec := range found {
		value, err := r.value(rec, core.CallerFrom(ctx))
		if err != nil {
			return "", 0, err
		}
		own, _ := rec["id"].(string)
		if value != "" && !compared[core.ID(own)] {
			marks = append(marks, mark{rule: r, value: value, slot: own, after: rec})
		}
	}
	if len(marks) > 0 {
		err = tx.db.Insert(ctx, markRows(marks))
	}
	return ids[len(ids)-1], len(ids), err
}

// compared returns which of the records have a mark under the rule.
func (tx *Tx) compared(ctx context.Context, r *duplicateRule, ids []core.ID) (map[core.ID]bool, error) {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	out := map[core.ID]bool{}
	b := db.New(tx.db.Dialect).Write(`SELECT record_id FROM "_duplicate" WHERE rule = `).Arg(r.key).Write(" AND ")
	b.Dialect().AnyOf(b, duplicateColumns[3], func() { b.Write("record_id") }, list)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		out[id] = true
		return err
	})
	return out, err
}

// wakeFill has the records of new duplicate rules compared soon; it never blocks.
func (s *Store) wakeFill() {
	select {
	case s.filling <- struct{}{}:
	default:
	}
}

// FillDuplicates compares the records that a change of duplicate rules has left for later, a part at a time. What a process
// that died has begun goes on where it was; several processes may do it at once.
func (s *Store) FillDuplicates(ctx context.Context) error {
	const op = "tables.FillDuplicates"
	ctx = core.WithCaller(ctx, core.System("duplicates"))
	for {
		more, err := s.fillNext(ctx)
		if err != nil || !more {
			return core.E(op, err)
		}
	}
}

// fillNext does the next part, and reports whether there may be more.
func (s *Store) fillNext(ctx context.Context) (more bool, err error) {
	var key int64
	var last core.ID
	var records int64
	b := db.New(s.db.Dialect).Write(`SELECT rule_key, coalesce(last_id, '` + nilID + `'), records FROM "_duplicate_index" WHERE state = `).Arg(duplicatesFilling).Write(" ORDER BY started_at, id LIMIT 1")
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		more = true
		return scan(&key, &last, &records)
	})
	if err != nil || !more {
		return false, err
	}
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		r := tx.snap.duplicateByKey(key)
		if r == nil {
			return nil // a change came in between, and took the work with it
		}
		next, n, err := tx.fill(ctx, r, last)
		if err != nil {
			return err
		}
		b := db.New(tx.db.Dialect).Write(`UPDATE "_duplicate_index" SET error = NULL, records = `).Arg(records + int64(n))
		if n > 0 {
			b.Write(", last_id = ").Value(duplicateColumns[3], string(next))
		} else {
			b.Write(", state = ").Arg(duplicatesReady)
		}
		_, err = tx.db.Exec(ctx, b.Write(" WHERE rule_key = ").Arg(key))
		return err
	})
	if err != nil && ctx.Err() == nil {
		note := db.New(s.db.Dialect).Write(`UPDATE "_duplicate_index" SET error = `).Arg(core.AsError(err).Public()).Write(" WHERE rule_key = ").Arg(key)
		if _, bad := s.db.Exec(ctx, note); bad != nil {
			s.o.Log.WarnContext(ctx, "tables: the state of a duplicate rule cannot be written", "err", bad)
		}
	}
	return true, err
}

func (n *Snapshot) duplicateByKey(key int64) *duplicateRule {
	for _, rules := range n.duplicates {
		for _, r := range rules {
			if r.key == key {
				return r
			}
		}
	}
	return nil
}

// fillWhenWoken compares what is left for later, until ctx ends.
func (s *Store) fillWhenWoken(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := s.FillDuplicates(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: records cannot be compared under a duplicate rule", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.filling:
		case <-tick.C:
		}
	}
}
