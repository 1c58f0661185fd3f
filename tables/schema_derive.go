package tables

import (
	"cmp"
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
// those that are not stored any more. What others read comes first.
func (a *alteration) derived(ctx context.Context) error {
	for _, t := range a.next.Schema.Tables() {
		was, isNew := a.before(t)
		if t.Builtin || isNew {
			continue
		}
		if err := a.forget(ctx, was, t); err != nil {
			return core.E("tables.derived", core.At{Table: t.Name}, err)
		}
	}
	for _, l := range a.next.levels() {
		if err := a.derive(ctx, l); err != nil {
			return core.E("tables.derived", core.At{Table: l.table.Name}, err)
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

// derive computes the columns of a level for the records that are there, as far as that is to be done. A column that the
// history does not know yet is filled like a default, which is no change of a record; otherwise each record with another
// value than before has a new version.
func (a *alteration) derive(ctx context.Context, l *level) error {
	was, isNew := a.before(l.table)
	if isNew {
		return nil
	}
	todo := &level{table: l.table}
	var filled, known []*core.Column
	for _, c := range l.columns {
		live := was.DroppedAt == nil && a.live(was, c)
		same, err := a.same(was, l.table, c)
		if err != nil || live && same {
			if err != nil {
				return err
			}
			continue
		}
		todo.add(c)
		if live || stored(was)[c.SQL()] != nil {
			known = append(known, c)
		} else {
			filled = append(filled, c)
		}
	}
	n, err := a.number(ctx, l.table, nil)
	if err != nil || n == 0 {
		return err
	}
	for _, c := range todo.columns {
		if err := a.step(ctx, l.table, Step{What: "the column is calculated for each record", Column: c.Name, Lock: LockWrites, Rows: n}); err != nil {
			return err
		}
	}
	ctx = core.WithCaller(ctx, because(core.CallerFrom(ctx), causeDerived, ""))
	if !a.dry {
		if err := a.tx.correct(ctx, a.next, todo, known); err != nil {
			return err
		}
	}
	for _, c := range filled {
		if err := a.fillFormula(ctx, was, todo, c); err != nil {
			return core.E("tables.derive", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// same reports whether the column is calculated as before.
func (a *alteration) same(was, t *core.Table, c *core.Column) (bool, error) {
	old := columnOf(was, c.SQL())
	if old == nil || was.DroppedAt != nil || !old.Calculated() {
		return false, nil
	}
	before, err := a.from.signature(was, old)
	if err != nil {
		return false, err
	}
	after, err := a.next.signature(t, c)
	return before == after, err
}

// correct writes the records in which the columns of a level are not what the snapshot n makes of the records, and so a new version of each.
func (tx *Tx) correct(ctx context.Context, n *Snapshot, l *level, columns []*core.Column) error {
	if len(columns) == 0 {
		return nil
	}
	row := n.row(l)
	b := db.New(tx.db.Dialect).Write("SELECT u.id FROM ").Name(l.table.SQL()).Write(" AS u WHERE ")
	for i, c := range columns {
		if i > 0 {
			b.Write(" OR ")
		}
		b.Name("u", c.SQL()).Write(" IS DISTINCT FROM ")
		row.formula(b, c)
	}
	ids, err := queryKeys(ctx, tx.db, b.Write(" ORDER BY u.id"))
	if err != nil {
		return err
	}
	return tx.derive(ctx, l, ids)
}

// fillFormula fills a column that the database has not had until now.
func (a *alteration) fillFormula(ctx context.Context, was *core.Table, l *level, c *core.Column) error {
	b := db.New(a.tx.db.Dialect).Write("UPDATE ").Name(l.table.SQL()).Write(" AS u SET ").Name(c.SQL()).Write(" = ")
	a.next.row(l).formula(b, c)
	if err := a.run(ctx, b); err != nil || a.dry {
		return err
	}
	if columnOf(was, c.SQL()) == nil && !slices.ContainsFunc(was.Dropped, func(x core.Dropped) bool { return x.Column != nil && x.Column.SQL() == c.SQL() }) {
		return nil
	}
	everything := func(b *db.Builder) { b.Write("TRUE") } // the column was stored once, perhaps
	stale := func(r, old core.Record) bool { v, known := old[c.Name]; return known && !equal(v, r[c.Name]) }
	return a.versions(ctx, l.table, everything, stale, func(core.Record) {})
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

// row returns a record of the level's table, which a statement calls u.
func (n *Snapshot) row(l *level) *formulaRow {
	return l.row(&node{p: &planner{snap: n, caller: core.System("schema")}, table: l.table, alias: "u"})
}

// part is one of what a calculated column is calculated from.
type part struct {
	Table, Column string // as SQL has them
	Way           string `json:",omitempty"`
	Kind          core.Kind
	Precision     int
	Scale         int
	Formula       string        `json:",omitempty"`
	Options       []core.Option `json:",omitempty"` // whose labels a formula may have in it
	Owned         bool
}

// signature says how a calculated column is calculated: two with the same one have the same values. What is called otherwise
// makes no difference where no other record is read.
func (n *Snapshot) signature(t *core.Table, c *core.Column) (string, error) {
	var parts []part
	labelled := false
	add := func(t *core.Table, name, way string) error {
		of, ok := t.Column(name)
		if !ok {
			return core.E("tables.signature", core.At{Table: t.Name, Column: name}, fmt.Errorf("a formula reads what is no column"))
		}
		formula, err := n.plainFormula(t, of)
		p := part{Table: t.SQL(), Column: of.SQL(), Way: way, Kind: of.Kind, Precision: of.Precision, Scale: of.Scale, Formula: formula, Owned: t.Owned()}
		if labelled = labelled || strings.Contains(formula, "label"); labelled { // the formulas come before what they read
			p.Options = of.Options
		}
		parts = append(parts, p)
		return err
	}
	for _, at := range n.Rules.Formulas(t.Name, c.Name) {
		of, err := n.Schema.Table(at.Table)
		if err == nil {
			err = add(of, at.Column, "")
		}
		if err != nil {
			return "", err
		}
	}
	for _, r := range n.Rules.Reads(t.Name, c.Name) {
		of, err := n.Schema.Table(r.Table)
		if err == nil {
			err = add(of, r.Column, n.way(r))
		}
		if err != nil {
			return "", err
		}
	}
	slices.SortFunc(parts, func(x, y part) int {
		return cmp.Or(strings.Compare(x.Table, y.Table), strings.Compare(x.Column, y.Column), strings.Compare(x.Way, y.Way))
	})
	raw, err := json.Marshal(parts)
	return string(raw), err
}

// plainFormula returns a formula with the names that SQL has for the columns of its table, where it names no others.
func (n *Snapshot) plainFormula(t *core.Table, c *core.Column) (string, error) {
	if !c.Calculated() || n.Rules.Reaches(t.Name, c.Name) {
		return c.Formula, nil
	}
	physical := make(map[string]string, len(t.Columns))
	for i := range t.Columns {
		physical[t.Columns[i].Name] = t.Columns[i].SQL()
	}
	return rules.RenameColumns(c.Formula, physical)
}

// way tells a way in the names of SQL.
func (n *Snapshot) way(r rules.Read) string {
	var out []string
	for _, s := range r.Path {
		from, column := s.From, s.Relation.Column
		if s.Relation.Many {
			from = s.Relation.Table
		}
		if s.Relation.Through != "" {
			from = s.Relation.Through
		}
		t, err := n.Schema.Table(from)
		if err != nil {
			continue
		}
		for _, name := range []string{column, s.Relation.Near} {
			if c, ok := t.Column(name); ok {
				out = append(out, t.SQL()+"."+c.SQL())
			}
		}
	}
	return strings.Join(out, " ")
}
