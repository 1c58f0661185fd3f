package tables

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// Filling makes an empty database, which was opened with [db.Options.Fill], the one that a [Store.Dump] was made of. It takes
// the dump. It is used by one goroutine.
type Filling struct {
	store  *Store
	ctx    context.Context
	schema *core.Schema // nil until the definitions have come

	part    Part
	columns []db.StoredColumn // of the part, then those that the database adds
	added   [][]byte          // the values of those
	rows    [][][]byte
	size    int
}

// How many rows, or bytes of them, are written in one transaction.
const (
	fillRows  = 5000
	fillBytes = 4 << 20
)

var _ Dumping = (*Filling)(nil)

// Fill begins to fill the database of s. The context holds until [Filling.Finish] has returned.
func (s *Store) Fill(ctx context.Context) (*Filling, error) {
	const op = "tables.Fill"
	if !core.CallerFrom(ctx).IsSystem() {
		return nil, core.E(op, core.Denied, "a database is filled by who runs the server")
	}
	return &Filling{store: s, ctx: ctx}, core.E(op, s.db.Unbind(ctx))
}

// Part implements [Dumping].
func (f *Filling) Part(p Part) error {
	const op = "tables.Fill"
	if err := f.flush(); err != nil {
		return core.E(op, err)
	}
	if f.schema == nil && !slices.Contains(defining, p.Name) {
		if err := f.define(); err != nil {
			return core.E(op, err)
		}
	}
	return inTable(p.Name, f.begin(p))
}

// begin finds the columns of the part in the database, and deletes what migrations have put into its table.
func (f *Filling) begin(p Part) error {
	const op = "tables.Fill"
	f.part, f.columns, f.added = p, nil, nil
	stored, err := db.Catalogue(f.ctx, f.store.db.Dialect, f.store.db)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(stored, func(t db.Stored) bool { return t.Name == p.Name })
	if i < 0 || strings.HasPrefix(p.Name, "_") && f.schema != nil && !inDump(f.schema, p.Name) {
		return core.E(op, core.Invalid, "the copy has a table that this version of Colonnade does not have")
	}
	for _, c := range p.Columns {
		n := slices.IndexFunc(stored[i].Columns, func(s db.StoredColumn) bool { return s.Name == c.Name })
		if n < 0 {
			return core.E(op, core.Invalid, core.At{Column: c.Name}, "the copy has a column that this version of Colonnade does not have")
		}
		f.columns = append(f.columns, stored[i].Columns[n])
	}
	if p.Name == "_event" {
		for name, v := range f.store.db.EventColumns() {
			f.columns = append(f.columns, db.StoredColumn{Name: name})
			f.added = append(f.added, []byte(v))
		}
	}
	b := db.New(f.store.db.Dialect).Write("DELETE FROM ").Name(p.Name)
	switch p.Name {
	case "_meta":
		b.Write(" WHERE key NOT IN ('", strings.Join(metaKept, "', '"), "')")
	case "_counter": // made with the tables
		return nil
	}
	_, err = f.store.db.Exec(f.ctx, b)
	return err
}

// Row implements [Dumping].
func (f *Filling) Row(values [][]byte) error {
	const op = "tables.Fill"
	if f.part.Name == "_counter" {
		return core.E(op, f.number(string(values[0]), string(values[1])))
	}
	row := make([][]byte, len(f.columns))
	for i, v := range values {
		row[i] = bytes.Clone(v)
		f.size += len(v)
	}
	copy(row[len(values):], f.added)
	f.rows = append(f.rows, row)
	if len(f.rows) < fillRows && f.size < fillBytes {
		return nil
	}
	return core.E(op, f.flush())
}

func (f *Filling) flush() error {
	if len(f.rows) == 0 {
		return nil
	}
	err := f.store.db.Tx(f.ctx, db.TxOptions{}, func(tx *db.Tx) error { return tx.CopyIn(f.ctx, f.part.Name, f.columns, f.rows) })
	clear(f.rows)
	f.rows, f.size = f.rows[:0], 0
	return inTable(f.part.Name, err)
}

// inTable says of which table an error is.
func inTable(name string, err error) error {
	if err == nil {
		return nil
	}
	return core.E("tables.Fill", core.At{Table: name}, err)
}

// number sets a counter.
func (f *Filling) number(name, next string) error {
	n, err := strconv.ParseInt(next, 10, 64)
	if err != nil {
		return err
	}
	for _, c := range countersOf(f.schema) {
		if c.Name != name {
			continue
		}
		return f.store.db.Tx(f.ctx, db.TxOptions{}, func(tx *db.Tx) error {
			b := db.New(tx.Dialect)
			tx.SetNumber(b, c, n)
			_, err := tx.Exec(f.ctx, b)
			return err
		})
	}
	return core.E("tables.Fill", core.Invalid, "the copy has a counter "+name+", which belongs to no column")
}

// define makes the tables of the user, without their indexes.
func (f *Filling) define() (err error) {
	if f.schema, err = readSchema(f.ctx, f.store.db.Dialect, f.store.db, f.store.o.Builtin); err != nil {
		return err
	}
	err = f.store.db.Tx(f.ctx, db.TxOptions{Alone: true}, func(tx *db.Tx) error {
		for _, t := range kept(f.schema) {
			b := db.New(tx.Dialect).Write("CREATE TABLE ").Name(t.SQL())
			comma := " ("
			for _, c := range t.Kept() {
				if f.leadsTo(t, c) == "" {
					defineColumn(b.Write(comma), c)
					comma = ", "
				}
			}
			if _, err := tx.Exec(f.ctx, b.Write(")")); err != nil {
				return core.E("tables.Fill", core.At{Table: t.Name}, err)
			}
		}
		return f.lookups(tx)
	})
	if err != nil {
		return err
	}
	return f.store.db.Unbind(f.ctx)
}

// lookups adds the columns that lead to other tables, when all are there, and makes the counters.
func (f *Filling) lookups(tx *db.Tx) error {
	for _, t := range kept(f.schema) {
		for _, c := range t.Kept() {
			target := f.leadsTo(t, c)
			if target == "" {
				continue
			}
			b := db.New(tx.Dialect).Write("ALTER TABLE ").Name(t.SQL()).Write(" ADD COLUMN ")
			defineColumn(b, c)
			b.Write(" CONSTRAINT ").Name(foreignKey(t, c)).Write(" REFERENCES ").Name(target).Write(" (id)")
			if _, err := tx.Exec(f.ctx, b); err != nil {
				return core.E("tables.Fill", core.At{Table: t.Name, Column: c.Name}, err)
			}
		}
	}
	for _, c := range countersOf(f.schema) {
		b := db.New(tx.Dialect)
		tx.CreateCounter(b, c)
		if _, err := tx.Exec(f.ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// leadsTo returns the table that a lookup refers to, as SQL names it; "" of any other column. What was dropped keeps that
// name, the others keep the name that people use.
func (f *Filling) leadsTo(t *core.Table, c *core.Column) string {
	if c.Kind != core.Lookup || c.Target == "" {
		return ""
	}
	if now, ok := t.Column(c.Name); ok && now.SQL() == c.SQL() && t.DroppedAt == nil {
		if target, err := f.schema.Table(c.Target); err == nil {
			return target.SQL()
		}
	}
	return c.Target
}

// Finish builds the indexes, checks what refers to what, and indexes the texts for full-text search.
func (f *Filling) Finish() error {
	const op = "tables.Finish"
	if err := f.flush(); err != nil {
		return core.E(op, err)
	}
	if f.schema == nil {
		if err := f.define(); err != nil { // there were definitions only
			return core.E(op, err)
		}
	}
	for _, t := range kept(f.schema) {
		for _, i := range missingIndexes(&core.Table{}, t.Whole()) {
			if _, err := f.store.db.Exec(f.ctx, i.create(f.store.db.Dialect, "")); err != nil {
				return core.E(op, core.At{Table: t.Name}, err)
			}
		}
	}
	if err := f.store.db.Rebind(f.ctx); err != nil {
		return core.E(op, err)
	}
	if err := f.behindEvents(); err != nil {
		return core.E(op, err)
	}
	for _, t := range kept(f.schema) {
		if err := f.search(t.Whole()); err != nil {
			return core.E(op, core.At{Table: t.Name}, err)
		}
	}
	return nil
}

// behindEvents lets the events to come have places behind all that any reader has seen.
func (f *Filling) behindEvents() error {
	behind, err := floors(f.ctx, f.store.db.Dialect, f.store.db)
	if err != nil {
		return err
	}
	past := int64(0)
	for _, floor := range behind {
		past = max(past, floor.Seq)
	}
	b := db.New(f.store.db.Dialect).Write(`SELECT coalesce(max(seq), 0) FROM "_cursor"`)
	err = f.store.db.Query(f.ctx, b, func(scan func(...any) error) error {
		var seq int64
		err := scan(&seq)
		past = max(past, seq)
		return err
	})
	if err != nil {
		return err
	}
	return f.store.db.ExecAll(f.ctx, f.store.db.EventsBehind(past)...)
}

// search indexes the texts of a table.
func (f *Filling) search(t *core.Table) error {
	if len(t.Search) == 0 {
		return nil
	}
	last, n := "", 1
	for n > 0 {
		err := f.store.db.Tx(f.ctx, db.TxOptions{}, func(tx *db.Tx) (err error) {
			n, err = newIndexer(&Tx{store: f.store, db: tx}, t).page(f.ctx, &last)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// KeepCursors gives the cursors of change feeds that another database has handed out their meaning here, after it was
// filled with a dump of that one. It does nothing where places in the stream of events are not the same, so that those
// cursors are refused.
func (s *Store) KeepCursors(ctx context.Context, from *Store) error {
	const op = "tables.KeepCursors"
	if from.db.EventColumns() != nil {
		return nil
	}
	var key string
	b := db.New(from.db.Dialect).Write(`SELECT value FROM "_meta" WHERE key = 'cursor_key'`)
	err := from.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&key) })
	if err == nil {
		_, err = s.db.Exec(ctx, db.New(s.db.Dialect).Write(`UPDATE "_meta" SET value = `).Arg(key).Write(" WHERE key = 'cursor_key'"))
	}
	return core.E(op, err)
}
