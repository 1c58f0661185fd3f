package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// A lookup of several tables is kept whole here, since no reference of the database can: who makes one locks what it leads
// to, and who deletes a record has locked it before he looks for what leads to it.

// referring is the condition that a record looks up one of the targets by the relation, as these see it.
func referring(rel core.Relation, targets []any) Cond {
	var c Cond = Compare{Column: rel.Column, Op: In, Value: targets}
	if rel.Which != "" {
		c = And{c, Compare{Column: rel.Which, Op: Eq, Value: rel.Target}}
	}
	return c
}

// lookupColumns are the columns that make the relation.
func lookupColumns(rel core.Relation) []string {
	if rel.Which == "" {
		return []string{rel.Column}
	}
	return []string{rel.Column, rel.Which}
}

// target returns the node of one of the tables that a relation may lead to, and the condition that links it to n. Both
// columns of the lookup must be visible.
func (n *node) target(u core.Union, table string) (to *node, link writeFunc, err error) {
	unknown := core.E("tables.target", core.Invalid, core.At{Table: n.table.Name, Column: u.Name}, "there is no such relation")
	i := slices.IndexFunc(u.Targets, func(t core.Target) bool { return t.Table == table })
	if i < 0 {
		return nil, nil, unknown
	}
	lookup, err := n.resolve(u.Column)
	if err != nil {
		return nil, nil, unknown
	}
	which, err := n.resolve(u.Which)
	if err != nil {
		return nil, nil, unknown
	}
	if to, err = n.p.node(table, core.Read); err != nil {
		return nil, nil, err
	}
	return to, func(b *db.Builder) {
		b.Name(to.alias, "id").Write(" = ")
		lookup.write(b)
		b.Write(" AND ")
		which.operand(b)
		b.Write(" = ").Arg(u.Targets[i].Value)
	}, nil
}

// union returns the relation of that name which leads to one of several tables.
func (n *node) union(name string) (core.Union, error) {
	if u, ok := n.p.snap.Schema.Union(n.table.Name, name); ok {
		return u, nil
	}
	return core.Union{}, core.E("tables.union", core.Invalid, core.At{Table: n.table.Name, Column: name}, "there is no such relation")
}

// relatedTo plans the condition that the relation leads to a record of the target that meets another.
func (n *node) relatedTo(c Related) (writeFunc, error) {
	u, err := n.union(c.Relation)
	if err != nil {
		return nil, err
	}
	to, link, err := n.target(u, c.Target)
	if err != nil {
		return nil, err
	}
	return to.exists(link, c.Where)
}

// fieldUnion plans a field that leads to one of several tables. A table that the caller may not read gives null.
func (p *planner) fieldUnion(n *node, f *Field, s *selection) error {
	u, err := n.union(f.Relation)
	if err != nil {
		return err
	}
	for _, name := range []string{u.Column, u.Which} {
		if _, err := n.resolve(name); err != nil {
			return core.E("tables.fieldUnion", core.Invalid, core.At{Table: n.table.Name, Column: u.Name}, "there is no such relation")
		}
	}
	var branches []*selection
	for _, b := range f.Union {
		to, link, err := n.target(u, b.Table)
		if core.KindOf(err) == core.Denied {
			continue
		}
		if err != nil {
			return err
		}
		q := b
		q.Form = One
		sub, err := p.selection(to, &q, link)
		if err != nil {
			return err
		}
		branches = append(branches, sub)
	}
	s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) {
		if len(branches) == 0 {
			b.Write("NULL")
			return
		}
		b.Write("coalesce(")
		for i, sub := range branches {
			if i > 0 {
				b.Write(", ")
			}
			sub.nest(b)
		}
		if len(branches) == 1 {
			b.Write(", NULL")
		}
		b.Write(")")
	})
	return nil
}

// spread takes values of the form table:id apart, into the two columns of the lookup, which the caller must both be able to
// write.
func (w *writer) spread(op core.Op, in *input) error {
	for _, c := range w.stored {
		if c.Kind != core.AnyLookup {
			continue
		}
		of, _ := w.table.TargetColumn(c)
		given, ok := in.values[of.Name]
		if !splitTarget(c, of, in.values) {
			continue
		}
		kind, err := w.column(op, of.Name)
		if err != nil {
			return err
		}
		in.guard(kind)
		if ok && given != in.values[of.Name] {
			return core.E("tables.spread", core.Invalid, w.at(of.Name), fmt.Sprintf("the lookup leads to %v and the column says %v: leave the column out", in.values[of.Name], given))
		}
	}
	return nil
}

// splitTarget takes the value of a lookup of several tables apart when it has the form table:id.
func splitTarget(c, of *core.Column, r core.Record) bool {
	s, _ := r[c.Name].(string)
	table, id, ok := strings.Cut(s, ":")
	if i := slices.Index(c.Targets, table); ok && i >= 0 {
		r[c.Name], r[of.Name] = id, of.Options[i].Value
	}
	return ok
}

// completeTargets checks that each lookup of several tables has both of its parts or none. Who clears the id clears both.
func (w *writer) completeTargets(r core.Record) error {
	for _, c := range w.stored {
		if c.Kind != core.AnyLookup {
			continue
		}
		of, _ := w.table.TargetColumn(c)
		splitTarget(c, of, r) // what a rule has set
		switch {
		case r[c.Name] == nil:
			r[of.Name] = nil
		case r[of.Name] == nil:
			return core.E("tables.completeTargets", core.Invalid, w.at(of.Name), "the lookup has an id, but no table: say which table it leads to")
		}
	}
	return nil
}

// targets checks that what the records look up by lookups of several tables exists, is in the caller's reach, and stays
// there until the end of the transaction.
func (w *writer) targets(ctx context.Context) error {
	for _, c := range w.stored {
		if c.Kind != core.AnyLookup {
			continue
		}
		of, _ := w.table.TargetColumn(c)
		for i, o := range of.Options {
			named := *c
			named.Target = c.Targets[i]
			k := w.ties(&named)
			k.newly = func(ch *change) bool {
				return ch.after != nil && ch.after[of.Name] == o.Value && (ch.newly(c) || ch.after[c.Name] != nil && ch.before[of.Name] != o.Value)
			}
			if err := w.holdTargets(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdTargets checks what the lookup leads to in one of its tables, and keeps it there.
func (w *writer) holdTargets(ctx context.Context, k *ties) error {
	wanted := k.wanted()
	if !w.defined {
		if err := k.check(ctx, wanted); err != nil {
			return err
		}
	}
	made, _, _ := k.divide(wanted)
	for _, r := range made {
		delete(wanted, r["id"])
	}
	for part := range slices.Chunk(sortedIDs(wanted), maxBatch) {
		found, err := w.tx.holdKeys(ctx, k.column.Target, part)
		if err != nil {
			return err
		}
		held := make(map[any]int, len(part))
		for _, id := range part {
			held[id] = wanted[id]
		}
		if err := w.missing(k.column, held, found); err != nil {
			return err
		}
	}
	return nil
}

// holdKeys returns those of the ids that the table has, and keeps their records from being deleted until the end of the
// transaction. Others may change them.
func (tx *Tx) holdKeys(ctx context.Context, table string, ids []any) ([]core.ID, error) {
	r, err := tx.reach(ctx, table, "", Compare{Column: "id", Op: In, Value: ids})
	if err != nil {
		return nil, err
	}
	b := db.New(tx.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	return queryIDs(ctx, tx.db, b.Write(tx.db.LockKey()))
}
