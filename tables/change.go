package tables

import (
	"context"
	"encoding/json"
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// Change applies the changes to the schema, in the unit of work that ctx carries or in one of its own: the candidate is
// compiled by every layer, then the database is altered, and the snapshot is published after the commit. A candidate
// that a layer cannot express leaves everything as it was.
func (s *Store) Change(ctx context.Context, changes ...core.Change) error {
	return s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error { return tx.Change(ctx, changes...) })
}

// Change is [Store.Change] in the unit of work.
func (tx *Tx) Change(ctx context.Context, changes ...core.Change) error {
	const op = "tables.Change"
	if err := tx.mayDefine(); err != nil {
		return core.E(op, err)
	}
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return core.E(op, err)
	}
	old := tx.snap
	schema, err := old.Schema.With(changes...)
	if err != nil {
		return core.E(op, err)
	}
	next := &Snapshot{Schema: schema, policyVersion: old.policyVersion, access: old.access, maxLimit: old.maxLimit}
	if err := tx.adopt(next); err != nil {
		return tx.keep(core.E(op, err))
	}
	if err := tx.store.build(next); err != nil { // before the database is touched
		return tx.keep(core.E(op, err))
	}
	done, err := tx.alter(ctx, old.Schema, schema)
	if err == nil {
		err = tx.recordDefinitions(ctx, schema, changes, done)
	}
	if err == nil {
		err = tx.bump(ctx, "schema_version", schema.Version())
	}
	return core.E(op, tx.keep(err))
}

// alteration makes the physical tables those of another schema.
type alteration struct {
	tx       *Tx
	from, to *core.Schema
	done     []string // the statements that did it
}

// alter makes the physical tables those of the schema, and returns the statements that did it.
func (tx *Tx) alter(ctx context.Context, from, to *core.Schema) (done []string, err error) {
	a := alteration{tx: tx, from: from, to: to}
	for _, step := range []func(context.Context, *core.Table) error{a.table, a.columns, a.indexes, a.search} { // lookups when all tables are there
		for _, t := range to.Tables() {
			if t.Builtin {
				continue
			}
			if err := step(ctx, t); err != nil {
				return nil, core.E("tables.alter", core.At{Table: t.Name}, err)
			}
		}
	}
	return a.done, nil
}

func (a *alteration) run(ctx context.Context, b *db.Builder) error {
	a.done = append(a.done, b.String())
	_, err := a.tx.db.Exec(ctx, b)
	return err
}

// before returns the table as it was, one without columns when it is new.
func (a *alteration) before(t *core.Table) (was *core.Table, isNew bool) {
	was, ok := a.from.Stored(t.SQL())
	if !ok {
		return &core.Table{Name: t.Name, Physical: t.Physical}, true
	}
	return was, false
}

func (a *alteration) table(ctx context.Context, t *core.Table) error {
	if _, isNew := a.before(t); !isNew {
		return nil
	}
	return a.run(ctx, createTable(a.tx.db.Dialect, t))
}

// columns adds what the table does not have yet: to a new table, what createTable leaves out.
func (a *alteration) columns(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	have := map[string]bool{}
	for c := range was.Stored {
		have[c.SQL()] = true
	}
	for c := range t.Stored {
		if have[c.SQL()] || isNew && c.Kind != core.Lookup {
			continue
		}
		err := a.run(ctx, a.addColumn(t, c))
		if err == nil && !isNew {
			err = a.tx.backfill(ctx, t, c)
		}
		if err != nil {
			return core.E("tables.alter", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

func (a *alteration) indexes(ctx context.Context, t *core.Table) error {
	was, _ := a.before(t)
	for _, i := range missingIndexes(was, t) {
		err := a.run(ctx, i.create(a.tx.db.Dialect))
		if err != nil && core.KindOf(err) == core.Exists {
			return core.E("tables.alter", core.Exists, core.At{Column: i.columns[0].Name}, "the table has records with the same values in it, so it cannot be unique: change them first, or leave out the default", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// backfill gives existing records the default of a new column, and refuses a required column that has none.
func (tx *Tx) backfill(ctx context.Context, t *core.Table, c *core.Column) error {
	if !c.Required && c.Default == "" {
		return nil
	}
	n, err := tx.count(ctx, t)
	if err != nil || n == 0 {
		return err
	}
	r := core.Record{}
	if err := tx.snap.Rules.Defaults(t.Name, r, core.CallerFrom(ctx)); err != nil {
		return err
	}
	v := r[c.Name]
	if v == nil {
		if c.Required {
			return core.E("tables.backfill", core.Invalid, fmt.Sprintf("the table has %d records, which a required column cannot leave empty: give it a default that has a value whatever the record holds", n))
		}
		return nil
	}
	if v, err = c.Parse(v); err != nil {
		return err
	}
	b := db.New(tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = ").Value(c, v)
	_, err = tx.db.Exec(ctx, b)
	return err
}

func (tx *Tx) count(ctx context.Context, t *core.Table) (n int64, err error) {
	b := db.New(tx.db.Dialect).Write("SELECT count(*) FROM ").Name(t.SQL())
	err = tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// recordDefinitions keeps the new definitions and the change itself.
func (tx *Tx) recordDefinitions(ctx context.Context, s *core.Schema, changes []core.Change, statements []string) error {
	at := core.Column{Kind: core.Timestamp}
	written := map[string]bool{}
	for _, c := range changes {
		if written[c.Table()] {
			continue
		}
		written[c.Table()] = true
		t, err := s.Table(c.Table())
		if err != nil {
			return err
		}
		definition, err := json.Marshal(Definition(t))
		if err != nil {
			return err
		}
		b := db.New(tx.db.Dialect).Write(`INSERT INTO "_table" (name, definition, created_at) VALUES (`).Arg(t.SQL()).Write(", ").Arg(string(definition)).Write(", ").Value(&at, tx.now).
			Write(") ON CONFLICT (name) DO UPDATE SET definition = excluded.definition")
		if _, err := tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	if statements == nil {
		statements = []string{}
	}
	list, err := json.Marshal(statements)
	if err != nil {
		return err
	}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_change" (version, at, actor, statements) VALUES (`).Arg(s.Version()).Write(", ").Value(&at, tx.now).
		Write(", ").Arg(actor(ctx)).Write(", ").Arg(string(list)).Write(")")
	_, err = tx.db.Exec(ctx, b)
	return err
}

// Definition returns t as an app builder defined it, without the system columns.
func Definition(t *core.Table) core.Table {
	out := *t
	out.Columns = nil
	for _, c := range t.Columns {
		if !c.System || t.Builtin {
			out.Columns = append(out.Columns, c)
		}
	}
	return out
}

func actor(ctx context.Context) core.ID {
	if c := core.CallerFrom(ctx); c.User != "" {
		return c.User
	}
	return core.SystemID
}
