package tables

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// createTable leaves out lookups whose targets are not there yet.
func (a *alteration) createTable(t *core.Table) *db.Builder {
	b := db.New(a.tx.db.Dialect).Write("CREATE TABLE ").Name(t.SQL()).Write(" (")
	comma := false
	for c := range t.Stored {
		if c.Kind == core.Lookup && c.Target != "" && !a.refers(t, c) {
			if a.late == nil {
				a.late = map[*core.Column]bool{}
			}
			a.late[c] = true
			continue
		}
		if comma {
			b.Write(", ")
		}
		comma = true
		defineColumn(b, c)
		a.reference(b, t, c)
	}
	return b.Write(")")
}

// reference writes what a lookup leads to.
func (a *alteration) reference(b *db.Builder, t *core.Table, c *core.Column) {
	if c.Kind != core.Lookup || c.Target == "" {
		return
	}
	target, err := a.next.Schema.Table(c.Target)
	if err != nil {
		b.Fail(err)
		return
	}
	b.Write(" CONSTRAINT ").Name(foreignKey(t, c)).Write(" REFERENCES ").Name(target.SQL()).Write(" (id) DEFERRABLE")
}

func defineColumn(b *db.Builder, c *core.Column) {
	b.Name(c.SQL()).Write(" ", b.Dialect().ColumnType(c))
	switch {
	case c.Name == "id":
		b.Write(" PRIMARY KEY NOT NULL")
	case filled(c):
		b.Write(" NOT NULL")
	}
}

// filled reports whether the database keeps a column of a table from being NULL. The records of a table may come to belong to nobody.
func filled(c *core.Column) bool { return c.System && c.Name != "owner_id" && c.Name != "unit_id" }

// addColumn writes the statement that adds a column, with a value for the records that are there: nil for none.
func (a *alteration) addColumn(t *core.Table, c *core.Column, v any) *db.Builder {
	b := db.New(a.tx.db.Dialect).Write("ALTER TABLE ").Name(t.SQL()).Write(" ADD COLUMN ")
	defineColumn(b, c)
	if v != nil {
		b.Write(" DEFAULT ")
		b.Dialect().Constant(b, c, v)
	}
	a.reference(b, t, c)
	return b
}

// index is one index of a physical table.
type index struct {
	table   *core.Table
	unique  bool
	nulls   bool // of a unique one: it is over the records with a NULL in a column, and NULL is a value like others
	columns []indexColumn
}

type indexColumn struct {
	*core.Column
	desc bool
}

// indexes returns what the definition of t asks for: keys, unique columns, lookups, owners, and the declared ones.
// What two of them ask for is there once.
func indexes(t *core.Table) []index {
	var out []index
	add := func(unique bool, columns ...core.IndexColumn) {
		i := index{table: t, unique: unique}
		for _, ic := range columns {
			c, _ := t.Column(ic.Column)
			i.columns = append(i.columns, indexColumn{c, ic.Desc})
		}
		out = append(out, i)
	}
	for c := range t.Stored {
		switch {
		case c.Unique:
			add(true, core.IndexColumn{Column: c.Name})
		case c.Kind == core.Lookup, c.Kind == core.AnyLookup, c.Name == "owner_id", c.Name == "unit_id":
			add(false, core.IndexColumn{Column: c.Name})
		}
	}
	for _, x := range t.Dropped {
		if x.Column != nil && x.Column.Kind == core.Lookup { // deletes look for what refers to them
			out = append(out, index{table: t, columns: []indexColumn{{x.Column, false}}})
		}
	}
	for _, k := range t.Keys {
		columns := make([]core.IndexColumn, len(k.Columns))
		for i, name := range k.Columns {
			columns[i].Column = name
		}
		add(true, columns...)
		if i := out[len(out)-1]; k.Nulls == core.NullsEqual && slices.ContainsFunc(i.columns, indexColumn.nullable) {
			i.nulls = true
			out = append(out, i)
		}
	}
	for _, x := range t.Indexes {
		add(false, append(x.Columns[:len(x.Columns):len(x.Columns)], core.IndexColumn{Column: "id"})...) // the order of lists is total
	}
	return out
}

// missingIndexes returns the indexes of t that old has not, each once.
func missingIndexes(old, t *core.Table) []index {
	have := map[string]bool{}
	for _, i := range indexes(old) {
		have[i.name()] = true
	}
	var out []index
	for _, i := range indexes(t) {
		if !have[i.name()] {
			have[i.name()] = true
			out = append(out, i)
		}
	}
	return out
}

// name says what the index is, so that a key or an index that is renamed keeps it.
func (i index) name() string {
	prefix := "ix"
	switch {
	case i.nulls:
		prefix = "un"
	case i.unique:
		prefix = "uq"
	}
	parts := []string{prefix, i.table.SQL()}
	for _, c := range i.columns {
		part := c.SQL()
		if c.desc {
			part += "-"
		}
		parts = append(parts, part)
	}
	return constraintName(parts...)
}

// create writes the statement that builds the index; online is empty, or what [db.Dialect] says.
func (i index) create(d db.Dialect, online string) *db.Builder {
	b := db.New(d).Write("CREATE ")
	if i.unique {
		b.Write("UNIQUE ")
	}
	b.Write("INDEX ", online).Name(i.name()).Write(" ON ").Name(i.table.SQL()).Write(" (")
	for n, c := range i.columns {
		if n > 0 {
			b.Write(", ")
		}
		if i.nulls && c.nullable() {
			c.writeNull(b)
			continue
		}
		b.Name(c.SQL())
		if c.desc {
			b.Write(" DESC")
		}
	}
	b.Write(")")
	if i.nulls {
		b.Write(" WHERE ")
		i.holds(b)
	}
	return b
}

// holds writes which records a unique index compares.
func (i index) holds(b *db.Builder) {
	word, between := " IS NOT NULL", " AND "
	if i.nulls {
		word, between = " IS NULL", " OR "
	}
	for n, c := range i.columns {
		if n > 0 {
			b.Write(between)
		}
		b.Name(c.SQL()).Write(word)
	}
}

// nullable reports whether a record may have no value in the column.
func (c indexColumn) nullable() bool { return !c.Required }

// writeNull writes the column as two expressions that are never NULL, and that are the same when the values are.
func (c indexColumn) writeNull(b *db.Builder) {
	b.Write("(coalesce(").Name(c.SQL()).Write(", ")
	b.Dialect().Constant(b, c.Column, zeroes[c.Kind])
	b.Write(")", b.Dialect().Collate(c.Kind), "), (").Name(c.SQL()).Write(" IS NULL)")
}

// zeroes are values of the kinds that can be part of a key.
var zeroes = map[core.Kind]any{
	core.Text: "", core.Choice: "", core.Status: "", core.Autonumber: "", core.Integer: int64(0), core.Decimal: decimal.Zero, core.Currency: decimal.Zero, core.Float: float64(0), core.Boolean: false,
	core.Date: time.Unix(0, 0).UTC(), core.Timestamp: time.Unix(0, 0).UTC(), core.DateTime: core.CivilTime(0), core.Duration: core.Span(0),
	core.UUID: nilID, core.Lookup: nilID, core.AnyLookup: nilID,
}

// nilID is a UUID that no record has.
const nilID = "00000000-0000-0000-0000-000000000000"

// foreignKey is the name of the reference behind a lookup.
func foreignKey(t *core.Table, c *core.Column) string { return constraintName("fk", t.SQL(), c.SQL()) }

// constraintName is unique in the database, as no name of a table or column has a dot, and at most 63 bytes long, the
// limit of PostgreSQL.
func constraintName(parts ...string) string {
	full := strings.Join(parts, ".")
	if len(full) <= 63 {
		return full
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(full))
	return fmt.Sprintf("%.46s.%016x", full, h.Sum64())
}
