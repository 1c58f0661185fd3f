package tables

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// mark is what one record is compared by under one rule: a row of _duplicate.
type mark struct {
	rule  *duplicateRule
	value string
	slot  string
	after core.Record
	item  int
}

func (m *mark) id() core.ID { id, _ := m.after["id"].(string); return core.ID(id) }

// sameMark finds marks that are alike.
type sameMark struct {
	key   int64
	value string
}

func (m *mark) same() sameMark { return sameMark{m.rule.key, m.value} }

// duplicateColumns are the columns of _duplicate.
var duplicateColumns = []*core.Column{
	{Name: "rule", Kind: core.Integer}, {Name: "value", Kind: core.Text}, {Name: "slot", Kind: core.UUID}, {Name: "record_id", Kind: core.UUID},
}

// marks compares the batch with the records that are there and among itself, and returns what is to be kept of it. What is
// kept of records that changed or go is deleted.
func (w *writer) marks(ctx context.Context) ([]mark, error) {
	if len(w.duplicates) == 0 {
		return nil, nil
	}
	var out []mark
	stale := map[*duplicateRule][]any{}
	for i := range w.batch {
		c := &w.batch[i]
		for _, r := range w.duplicates {
			old, next, err := r.values(c, w.caller)
			if err != nil {
				return nil, err
			}
			if old != "" && old != next {
				stale[r] = append(stale[r], c.record()["id"])
			}
			if next != "" && old != next {
				out = append(out, mark{rule: r, value: next, slot: nilID, after: c.after, item: c.item})
			}
		}
	}
	if err := w.forget(ctx, stale); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := w.compare(ctx, out); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.rule.key, b.rule.key), strings.Compare(a.value, b.value))
	}) // one order of waiting for all
	return out, nil
}

// values returns what a record was compared by and what it is compared by now. Of a record that goes it is not known by what
// it was, and any text says so.
func (r *duplicateRule) values(c *change, caller core.Caller) (old, next string, err error) {
	if c.op == core.Delete {
		return "?", "", nil
	}
	if c.before != nil {
		if old, err = r.value(c.before, caller); err != nil {
			return "", "", err
		}
	}
	next, err = r.value(c.after, caller)
	return old, next, err
}

// forget deletes what is kept of records.
func (w *writer) forget(ctx context.Context, stale map[*duplicateRule][]any) error {
	var all []*db.Builder
	for _, r := range w.duplicates {
		if len(stale[r]) > 0 {
			b := db.New(w.tx.db.Dialect).Write(`DELETE FROM "_duplicate" WHERE rule = `).Arg(r.key).Write(" AND ")
			b.Dialect().AnyOf(b, duplicateColumns[3], func() { b.Write("record_id") }, stale[r])
			all = append(all, b)
		}
	}
	if all == nil {
		return nil
	}
	return w.tx.db.ExecAll(ctx, all...)
}

// compare finds which of the marks are like others. It refuses those that a rule blocks, and remembers the others for the
// result, as far as the caller may read what they are like.
func (w *writer) compare(ctx context.Context, marks []mark) error {
	allow := w.onDuplicate == DuplicatesAllow && w.tx.snap.Policy.May(w.caller, "allow_duplicates") == nil
	var block, warn []*mark
	for i := range marks {
		switch m := &marks[i]; {
		case m.rule.Do == core.BlockDuplicate && !allow:
			block = append(block, m)
		default:
			m.slot = string(m.id())
			if w.onDuplicate != DuplicatesAllow {
				warn = append(warn, m)
			}
		}
	}
	if err := w.block(ctx, block); err != nil {
		return err
	}
	return w.warn(ctx, warn)
}

// block refuses the first mark that is like another.
func (w *writer) block(ctx context.Context, marks []*mark) error {
	if len(marks) == 0 {
		return nil
	}
	taken := map[sameMark]bool{}
	b := db.New(w.tx.db.Dialect).Write(`SELECT DISTINCT d.rule, d.value FROM "_duplicate" AS d WHERE `)
	anyMark(b, marks)
	err := w.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var s sameMark
		err := scan(&s.key, &s.value)
		taken[s] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range marks {
		if taken[m.same()] {
			return w.blocked(ctx, m)
		}
		taken[m.same()] = true
	}
	return nil
}

// blocked is the error for a record that a rule blocks. It names the others as far as the caller may read them.
func (w *writer) blocked(ctx context.Context, m *mark) error {
	at := core.At{Table: w.table.Name, Rule: m.rule.Name, Item: m.item}
	msg := "a record like this exists already, and the rule does not allow another"
	likes, err := w.likes(ctx, []*mark{m})
	if err != nil {
		return err
	}
	if found := likes[m.same()]; len(found) > 0 {
		msg = fmt.Sprintf("the record %s is like this, and the rule does not allow another", found[0])
	}
	return core.E("tables.duplicates", core.Exists, at, msg)
}

// warn remembers which records the marks are like. With DuplicatesRefuse the first of them is an error.
func (w *writer) warn(ctx context.Context, marks []*mark) error {
	if len(marks) == 0 {
		return nil
	}
	likes, err := w.likes(ctx, marks)
	if err != nil {
		return err
	}
	earlier := map[sameMark][]core.ID{}
	for _, m := range marks {
		found := slices.DeleteFunc(append(slices.Clone(likes[m.same()]), earlier[m.same()]...), func(id core.ID) bool { return id == m.id() })
		if len(found) > 0 && w.onDuplicate == DuplicatesRefuse {
			at := core.At{Table: w.table.Name, Rule: m.rule.Name, Item: m.item}
			return core.E("tables.duplicates", core.Exists, at, fmt.Sprintf("the record %s is like this: send on_duplicate: allow to write it all the same", found[0]))
		}
		for _, id := range found[:min(len(found), maxLikes)] {
			if w.likened == nil {
				w.likened = map[core.ID][]Duplicate{}
			}
			w.likened[m.id()] = append(w.likened[m.id()], Duplicate{m.rule.Name, id})
		}
		seen, err := w.sees(m)
		if err != nil {
			return err
		}
		if seen {
			earlier[m.same()] = append(earlier[m.same()], m.id())
		}
	}
	return nil
}

// sees reports whether the caller may read of the record, which is being written, what the rule compares.
func (w *writer) sees(m *mark) (bool, error) {
	_, may, err := w.tx.snap.decide(w.caller, w.table.Name, core.Read)
	if err != nil {
		return false, nil
	}
	if may.Rows != nil {
		if ok, err := w.holds(may.Rows, m.after); err != nil || !ok {
			return false, err
		}
	}
	for _, name := range m.rule.reads() {
		visible, guard := may.Column(name)
		if visible && guard != nil {
			if visible, err = w.holds(guard, m.after); err != nil {
				return false, err
			}
		}
		if !visible {
			return false, nil
		}
	}
	return true, nil
}

// anyMark writes the condition that a row d of _duplicate is like one of the marks.
func anyMark(b *db.Builder, marks []*mark) {
	values := map[*duplicateRule][]any{}
	var order []*duplicateRule
	for _, m := range marks {
		if values[m.rule] == nil {
			order = append(order, m.rule)
		}
		values[m.rule] = append(values[m.rule], m.value)
	}
	b.Write("(")
	for i, r := range order {
		if i > 0 {
			b.Write(" OR ")
		}
		b.Write("d.rule = ").Arg(r.key).Write(" AND ")
		b.Dialect().AnyOf(b, duplicateColumns[1], func() { b.Write("d.value") }, values[r])
	}
	b.Write(")")
}

// likes returns records that are like the marks, at most a few each, in one statement under the rights of the caller: of a
// rule that names a column which he may not read, he learns nothing.
func (w *writer) likes(ctx context.Context, marks []*mark) (map[sameMark][]core.ID, error) {
	p := &planner{snap: w.tx.snap, caller: w.caller}
	n, err := p.node(w.table.Name, core.Read)
	if err != nil {
		return nil, nil // who may not read the table learns of no record
	}
	marks = slices.DeleteFunc(slices.Clone(marks), func(m *mark) bool { return !n.readsRule(m.rule) })
	if len(marks) == 0 {
		return nil, nil
	}
	b := db.New(w.tx.db.Dialect).Write("SELECT rule, value, record_id FROM (SELECT d.rule, d.value, d.record_id, row_number() OVER (PARTITION BY d.rule, d.value ORDER BY d.record_id) AS place FROM ")
	n.likeness(b, func() { anyMark(b, marks) })
	b.Write(fmt.Sprintf(") AS found WHERE place <= %d ORDER BY rule, value, record_id", maxLikes+1)) // one of them may be the record itself
	out := map[sameMark][]core.ID{}
	err = w.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var s sameMark
		var id core.ID
		err := scan(&s.key, &s.value, &id)
		out[s] = append(out[s], id)
		return err
	})
	return out, err
}

// readsRule reports whether the caller may read all columns of the rule, in some records at least.
func (n *node) readsRule(r *duplicateRule) bool {
	return !slices.ContainsFunc(r.reads(), func(name string) bool { visible, _ := n.may.Column(name); return !visible })
}

// likeness writes the rows d of _duplicate that meet a condition, from FROM on, of records in reach of which the caller may read
// what the rules compare.
func (n *node) likeness(b *db.Builder, where func()) {
	b.Write(`"_duplicate" AS d JOIN `)
	n.from(b)
	b.Write(" ON ").Name(n.alias, "id").Write(" = d.record_id WHERE ")
	where()
	n.scope(b)
	for _, r := range n.p.snap.duplicates[n.table.Name] {
		for _, name := range r.reads() {
			if visible, guard := n.may.Column(name); visible && guard != nil {
				b.Write(" AND (d.rule <> ").Arg(r.key).Write(" OR ")
				n.holds(b, guard)
				b.Write(")")
			}
		}
	}
}

// rows are the marks as they are kept.
func markRows(marks []mark) db.Rows {
	return db.Rows{Table: "_duplicate", Columns: duplicateColumns, N: len(marks), Value: func(row, column int) any {
		switch m := &marks[row]; column {
		case 0:
			return m.rule.key
		case 1:
			return m.value
		case 2:
			return m.slot
		default:
			return string(m.id())
		}
	}}
}

// duplicateTaken explains that another transaction was faster with a record like one of the marks; nil when it was something
// else that was broken.
func (w *writer) duplicateTaken(v *db.Violation, marks []mark) error {
	if v.Constraint != "_duplicate_pkey" && !slices.Equal(v.Columns, []string{"rule", "value", "slot"}) {
		return nil
	}
	at := core.At{Table: w.table.Name}
	for i := range marks {
		if m := &marks[i]; strings.Contains(v.Values, m.value) || len(marks) == 1 {
			at.Rule, at.Item = m.rule.Name, m.item
		}
	}
	return core.E("tables.duplicates", core.Exists, at, "a record like this exists already, and the rule does not allow another", v)
}
