package db

import (
	"context"
	"fmt"

	"colonnade/core"
)

// What is here reads and writes whole tables as they are stored, for copies of a database: no rule and no right is asked, and
// a value has one text whatever the database that it comes from.

// Form is what a stored value looks like in a copy.
type Form string

// The forms. A value is a text in each of them but Bytes.
const (
	FormInteger Form = "integer" // decimal digits; 1 and 0 of a boolean
	FormFloat   Form = "float"   // as [core.AppendFloat] writes it
	FormText    Form = "text"    // texts, ids, decimals, days and moments
	FormJSON    Form = "json"    // JSON without white space
	FormBytes   Form = "bytes"
)

// Stored is a table as the database describes it.
type Stored struct {
	Name    string
	Columns []StoredColumn
	Key     []string // the primary key; empty without one
}

// StoredColumn is a column as the database describes it.
type StoredColumn struct {
	Name string
	Type string // as the database calls it
	Form Form   // empty when it has no form in a copy
}

// Copier is how a dialect copies what it stores.
type Copier interface {
	// Catalogue writes the query for the columns of all tables: the table, the column, its type, and its place in the
	// primary key, 0 when it is not in it.
	Catalogue(b *Builder)

	// FormOf returns the form of the values of a type, empty when it has none.
	FormOf(stored string) Form

	// CopyOut writes the value of a column in its form.
	CopyOut(b *Builder, c StoredColumn)

	// CopyOrder writes a column of the table e as a term of ORDER BY: by its bytes, nulls first.
	CopyOrder(b *Builder, c StoredColumn)

	// EventPlace writes the place of the row e of "_event" in the stream as one number. Events of other databases, which have
	// no transaction here, keep theirs, none above base; those of this one follow.
	EventPlace(b *Builder, base int64)

	// EventColumns are the columns of "_event" that are no part of a copy, with what they hold in one.
	EventColumns() map[string]string

	// EventsBehind returns the statements after which events get places above past.
	EventsBehind(past int64) []*Builder

	// NextNumber writes the query for the number that a counter yields next.
	NextNumber(b *Builder, c Counter)

	// SetNumber writes the statement after which a counter yields the number.
	SetNumber(b *Builder, c Counter, next int64)
}

// Viewer reads the database as it was at one moment.
type Viewer interface {
	Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error
}

// Filler is an [Engine] that can be filled with rows in any order.
type Filler interface {
	// Unbind lets rows refer to others that are not there.
	Unbind(ctx context.Context) error

	// Rebind ends that. It fails with Invalid when a row refers to one that is not there.
	Rebind(ctx context.Context) error
}

// View is the database as it was at one moment. It is used by one goroutine.
type View struct {
	Dialect
	v Viewer
}

// View runs f over the database as it is now, however long f takes and whatever others write meanwhile. Where the database
// would let it, the schema does not change meanwhile.
func (db *DB) View(ctx context.Context, f func(*View) error) error {
	return db.classify(db.engine.View(ctx, func(v Viewer) error { return f(&View{db.Dialect, v}) }))
}

// Query runs a statement and calls each for every row.
func (v *View) Query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error {
	if b.err != nil {
		return b.err
	}
	return classify(v.Dialect, v.v.Query(ctx, b.String(), b.args, each))
}

// Querier is what a [View] has in common with a [DB] and a [Tx].
type Querier interface {
	Query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error
}

// Catalogue returns the tables that the database has.
func Catalogue(ctx context.Context, d Dialect, q Querier) ([]Stored, error) {
	b := New(d)
	d.Catalogue(b)
	var out []Stored
	keys := map[string]map[int64]string{}
	err := q.Query(ctx, b, func(scan func(...any) error) error {
		var table string
		var c StoredColumn
		var key int64
		if err := scan(&table, &c.Name, &c.Type, &key); err != nil {
			return err
		}
		c.Form = d.FormOf(c.Type)
		if len(out) == 0 || out[len(out)-1].Name != table {
			out = append(out, Stored{Name: table})
			keys[table] = map[int64]string{}
		}
		t := &out[len(out)-1]
		t.Columns = append(t.Columns, c)
		if key > 0 {
			keys[table][key] = c.Name
		}
		return nil
	})
	for i := range out {
		for n := int64(1); keys[out[i].Name][n] != ""; n++ {
			out[i].Key = append(out[i].Key, keys[out[i].Name][n])
		}
	}
	return out, core.E("db.Catalogue", err)
}

// CopyIn inserts rows whose values are in the forms of the columns, nil for NULL.
func (tx *Tx) CopyIn(ctx context.Context, table string, columns []StoredColumn, rows [][][]byte) error {
	return classify(tx.Dialect, tx.session.CopyIn(ctx, table, columns, rows))
}

// Unbind lets rows refer to others that are not there, until [DB.Rebind].
func (db *DB) Unbind(ctx context.Context) error {
	return db.filler(func(f Filler) error { return f.Unbind(ctx) })
}

// Rebind ends what [DB.Unbind] began.
func (db *DB) Rebind(ctx context.Context) error {
	return db.filler(func(f Filler) error { return f.Rebind(ctx) })
}

func (db *DB) filler(f func(Filler) error) error {
	e, ok := db.engine.(Filler)
	if !ok {
		return core.E("db.filler", core.Invalid, "the database "+db.Name()+" cannot be filled")
	}
	return db.classify(f(e))
}

// unfinished is the key in "_meta" of a database that is being filled.
const unfinished = "unfinished"

// Filled says that a database which was opened with [Options.Fill] is whole. From then on it can be opened as any other.
func (db *DB) Filled(ctx context.Context) error {
	_, err := db.Exec(ctx, New(db.Dialect).Write(`DELETE FROM "_meta" WHERE key = `).Arg(unfinished))
	return core.E("db.Filled", err)
}

// Found is what is in a database before anything is done to it.
type Found struct {
	Tables     int    // of anybody
	Unfinished string // what began to fill it and did not end: [Options.Fill]
}

// Fits returns nil when the database can be opened with the options; clear says that what is in it must go first.
func (o Options) Fits(f Found) (clear bool, err error) {
	const op = "db.Open"
	switch {
	case f.Unfinished != "" && o.Fill == "":
		return false, core.E(op, core.Invalid, fmt.Sprintf("a %s into this database did not end, and what it holds is a part only: repeat that command, which begins anew, or delete what is there", f.Unfinished))
	case f.Unfinished != "":
		return true, nil
	case o.Fill != "" && f.Tables > 0:
		return false, core.E(op, core.Exists, "the target holds a database already, and nothing is ever written over one: name a new folder, or a PostgreSQL database or schema without tables")
	case o.ReadOnly && f.Tables == 0:
		return false, core.E(op, core.NotFound, "there is no Colonnade database: nothing is in it")
	}
	return false, nil
}
