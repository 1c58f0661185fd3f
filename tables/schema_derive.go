package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// derived computes the stored calculated columns that are new or calculated otherwise than before, and deletes the values of
// those that are not stored any more.
func (a *alteration) derived(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew {
		return nil
	}
	if err := a.forget(ctx, was, t); err != nil {
		return err
	}
	for _, c := range a.next.Rules.StoredFormulas(t.Name) {
		if err := a.derive(ctx, was, t, c); err != nil {
			return core.E("tables.derived", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// forget deletes the values of columns that are virtual from now on.
func (a *alteration) forget(ctx context.Context, was, t *core.Table) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Virtual() || stored(was)[c.SQL()] == nil {
			continue
		}
		if err := a.step(ctx, t, Step{What: "the stored values are deleted: the column is calculated when it is read", Column: c.Name, Lock: LockWrites}); err != nil {
			return err
		}
		if err := a.run(ctx, db.New(a.tx.db.Dialect).Write("ALTER TABLE ").Name(t.SQL()).Write(" DROP COLUMN ").Name(c.SQL())); err != nil {
			return core.E("tables.forget", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// derive computes a stored calculated column for the records that are there, where that is to be done. A column that the
// history does not know yet is filled like a default, which is no change of a record; otherwise each record with another
// value than before has a new version.
func (a *alteration) derive(ctx context.Context, was, t *core.Table, c *core.Column) error {
	live := was.DroppedAt == nil && a.live(was, c)
	if live {
		before, err := a.from.signature(was, columnOf(was, c.SQL()))
		if err != nil {
			return err
		}
		after, err := a.next.signature(t, c)
		if err != nil || before == after {
			return err
		}
	}
	n, err := a.number(ctx, was, nil)
	if err != nil || n == 0 {
		return err
	}
	if err := a.step(ctx, t, Step{What: "the column is calculated for each record", Column: c.Name, Lock: LockWrites, Rows: n}); err != nil {
		return err
	}
	value := a.formula(t, c)
	ctx = core.WithCaller(ctx, because(core.CallerFrom(ctx), causeDerived, ""))
	if live || stored(was)[c.SQL()] != nil {
		differs := func(b *db.Builder) { value(b.Name(c.SQL()).Write(" IS DISTINCT FROM ")) }
		return a.versions(ctx, t, differs, nil, func(core.Record) {})
	}
	b := db.New(a.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = ")
	value(b)
	if err := a.run(ctx, b); err != nil || a.dry {
		return err
	}
	if columnOf(was, c.SQL()) == nil && !slices.ContainsFunc(was.Dropped, func(x core.Dropped) bool { return x.Column != nil && x.Column.SQL() == c.SQL() }) {
		return nil
	}
	everything := func(b *db.Builder) { b.Write("TRUE") } // the column was stored once, perhaps
	stale := func(r, old core.Record) bool { v, known := old[c.Name]; return known && !equal(v, r[c.Name]) }
	return a.versions(ctx, t, everything, stale, func(core.Record) {})
}

// columnOf returns the column with the physical name, nil when t has none.
func columnOf(t *core.Table, physical string) *core.Column {
	for i := range t.Columns {
		if t.Columns[i].SQL() == physical {
			return &t.Columns[i]
		}
	}
	return nil
}

// formula returns what writes the value of a calculated column in a statement about its table.
func (a *alteration) formula(t *core.Table, c *core.Column) writeFunc {
	n := &node{p: &planner{snap: a.next, caller: core.System("schema")}, table: t, alias: t.SQL()}
	return func(b *db.Builder) { n.row(false).formula(b, c) }
}

// signature says how a calculated column is calculated: two with the same one have the same values. What things are called
// makes no difference.
func (n *Snapshot) signature(t *core.Table, c *core.Column) (string, error) {
	physical := make(map[string]string, len(t.Columns))
	for i := range t.Columns {
		physical[t.Columns[i].Name] = t.Columns[i].SQL()
	}
	names := append(n.Rules.Formulas(t.Name, c.Name), c.Name)
	for _, r := range n.Rules.Reads(t.Name, c.Name) {
		names = append(names, r.From()...)
	}
	parts := make([]core.Column, 0, len(names))
	for _, name := range names {
		of, ok := t.Column(name)
		if !ok {
			return "", core.E("tables.signature", core.At{Table: t.Name, Column: name}, fmt.Errorf("a formula reads what is no column"))
		}
		formula, err := rules.RenameColumns(of.Formula, physical)
		if err != nil && of.Calculated() {
			return "", err
		}
		parts = append(parts, core.Column{Physical: of.SQL(), Kind: of.Kind, Formula: formula, Precision: of.Precision, Scale: of.Scale})
	}
	slices.SortFunc(parts, func(x, y core.Column) int { return strings.Compare(x.Physical, y.Physical) })
	raw, err := json.Marshal(parts)
	return string(raw), err
}
