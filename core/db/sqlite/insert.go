package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"iter"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"colonnade/core"
	"colonnade/core/db"
)

// Insert implements db.Session. While a statement runs, the arguments of the next ones are made.
func (s *session) Insert(ctx context.Context, sets ...db.Rows) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	last, err := s.run(sets, insertText, func(b block) error { return s.conn.execBound(ctx, b.text, b.args) })
	if err != nil {
		return s.insertRest(ctx, sets[last.set:], last, err)
	}
	return nil
}

// run runs what writes the sets, block by block, and makes the arguments of the next blocks meanwhile. It returns the block that
// was run last: where it failed.
func (s *session) run(sets []db.Rows, write writeText, exec func(b block) error) (last block, err error) {
	n := 0
	for _, rows := range sets {
		n += rows.N
	}
	blocks := s.conn.blocks(sets, write)
	if n > manyRows {
		blocks = db.Ahead(aheadBlocks, blocks)
	}
	for last = range blocks {
		if err = exec(last); err != nil {
			break
		}
	}
	return last, err
}

// manyRows is how many rows one statement inserts, where there are so many: with more the driver spends as much on their
// arguments as it saves on statements.
const manyRows = 64

// aheadBlocks is how many statements have their arguments before they run: some take longer to run, others to prepare.
const aheadBlocks = 8

// maxVariables is SQLITE_MAX_VARIABLE_NUMBER of the driver.
const maxVariables = 32766

// block is some of the rows of a set, which one statement inserts.
type block struct {
	set     int
	from, n int
	text    string
	args    []driver.NamedValue
}

// blocks yields what inserts or updates the sets. The arguments of a block are used again when [aheadBlocks] have come after it.
func (c *conn) blocks(sets []db.Rows, write writeText) iter.Seq[block] {
	return func(yield func(block) bool) {
		turn := 0
		for set := range sets {
			i := insertion{Rows: sets[set], write: write}
			for b := (block{set: set}); b.from < i.N; b.from += b.n {
				b.n = 1
				if i.N-b.from >= manyRows {
					b.n = manyRows
				}
				b.text = i.text(b.n)
				args := &c.blockArgs[turn%len(c.blockArgs)]
				turn++
				*args = i.bind((*args)[:0], b.from, b.n)
				b.args = *args
				if !yield(b) {
					return
				}
			}
		}
	}
}

// insertRest goes on where a block of the first set has failed: with the row that is to blame, unless it only refers to
// later ones.
func (s *session) insertRest(ctx context.Context, sets []db.Rows, failed block, err error) error {
	const op = "sqlite.Insert"
	rows := &insertion{Rows: sets[0], write: insertText}
	if !refers(err) { // the rows before it are there
		n, unknown := s.conn.changes(ctx)
		if unknown != nil {
			return errors.Join(err, unknown)
		}
		return core.E(op, core.At{Item: failed.from + n + 1}, Dialect{}.Classify(err))
	}
	for i := failed.from; i < rows.N; i++ {
		if err = s.insertMany(ctx, rows, i, 1); err == nil {
			continue
		}
		if !refers(err) || i+1 == rows.N || (rows.N-i)*len(rows.Columns) > maxVariables {
			return core.E(op, core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
		if err := s.insertTogether(ctx, rows, i, err); err != nil {
			return err
		}
		break
	}
	return s.Insert(ctx, sets[1:]...)
}

// insertMany inserts n rows with one statement. When it fails, the rows before the one that is to blame are there, unless
// that is a reference.
func (s *session) insertMany(ctx context.Context, rows *insertion, from, n int) error {
	return s.conn.execBound(ctx, rows.text(n), rows.bind(nil, from, n))
}

// insertTogether inserts the rows from the given one on with one statement: SQLite looks at references when a statement ends,
// so that these may lead to later rows, and in a circle. before is the error of the first row by itself.
func (s *session) insertTogether(ctx context.Context, rows *insertion, from int, before error) error {
	n := rows.N - from
	err := s.insertMany(ctx, rows, from, n)
	s.conn.forget(rows.text(n)) // it may be long
	if refers(err) {
		return core.E("sqlite.Insert", core.At{Item: from + 1}, Dialect{}.Classify(before))
	}
	return err
}

// refers reports whether err says that a row refers to one that is not there.
func refers(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == lib.SQLITE_CONSTRAINT_FOREIGNKEY
}

// insertion is rows with the statement that wrote some of them last.
type insertion struct {
	db.Rows
	write     writeText
	n         int
	statement string
}

// writeText writes the statement for n rows.
type writeText func(rows db.Rows, n int) string

// text is the statement for n rows.
func (rows *insertion) text(n int) string {
	if rows.n != n {
		rows.n, rows.statement = n, rows.write(rows.Rows, n)
	}
	return rows.statement
}

// bind appends the arguments of the statement that inserts n rows. What is the same in all of them is bound once.
func (rows *insertion) bind(args []driver.NamedValue, from, n int) []driver.NamedValue {
	add := func(row, column int) {
		args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: Dialect{}.Bind(rows.Columns[column], rows.Value(row, column))})
	}
	for j := range rows.Columns {
		if rows.IsSame(j) {
			add(from, j)
		}
	}
	for i := from; i < from+n; i++ {
		for j := range rows.Columns {
			if !rows.IsSame(j) {
				add(i, j)
			}
		}
	}
	return args
}

// insertText writes the statement that inserts n rows. What is the same in all of them comes first, so that only these arguments
// have numbers: the driver looks for the name of each argument among those that have one.
func insertText(rows db.Rows, n int) string {
	b := db.New(Dialect{})
	// OR FAIL keeps what was inserted before an error. To undo it SQLite would copy each page before it is written.
	b.Write("INSERT OR FAIL INTO ").Name(rows.Table).Write(" (")
	var row []byte // of arguments
	shared := 0
	for _, same := range []bool{true, false} {
		for i, c := range rows.Columns {
			if rows.IsSame(i) != same {
				continue
			}
			if len(row) > 0 {
				b.Write(", ")
				row = append(row, ", "...)
			}
			b.Name(c.SQL())
			row = append(row, '?')
			if same {
				shared++
				row = strconv.AppendInt(row, int64(shared), 10)
			}
		}
	}
	b.Write(") VALUES (", string(row))
	for range n - 1 {
		b.Write("), (", string(row))
	}
	return b.Write(")").String()
}

// Insert implements db.Session.
func (e *engine) Insert(ctx context.Context, sets ...db.Rows) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Insert(ctx, sets...) })
}

// Update implements db.Session. While a statement runs, the arguments of the next ones are made.
func (s *session) Update(ctx context.Context, rows db.Rows) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	last, err := s.run([]db.Rows{rows}, updateText, func(b block) error { return s.conn.execBound(ctx, b.text, b.args) })
	if err != nil {
		return s.updateRest(ctx, rows, last.from)
	}
	return nil
}

// updateRest goes on row by row where a block has failed, to find the row that is to blame. Some of the block have their values
// already, and get them again.
func (s *session) updateRest(ctx context.Context, rows db.Rows, from int) error {
	one := insertion{Rows: rows, write: updateText}
	for i := from; i < rows.N; i++ {
		if err := s.conn.execBound(ctx, one.text(1), one.bind(nil, i, 1)); err != nil {
			return core.E("sqlite.Update", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return nil
}

// updateText writes the statement that updates n rows. The arguments are in the order of those of insertText.
func updateText(rows db.Rows, n int) string {
	b := db.New(Dialect{}).Write("UPDATE OR FAIL ").Name(rows.Table).Write(" SET ")
	shared, own := 0, 1 // the key comes first
	for i, c := range rows.Columns[1:] {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
		if rows.IsSame(i + 1) {
			shared++
			b.Write(" = ?", strconv.Itoa(shared))
			continue
		}
		own++
		b.Write(" = x.column", strconv.Itoa(own))
	}
	row := "(?" + strings.Repeat(", ?", own-1) + ")"
	b.Write(" FROM (VALUES ", row, strings.Repeat(", "+row, n-1), ") AS x WHERE ").Name(rows.Table, rows.Columns[0].SQL())
	return b.Write(" = x.column1").String()
}

// Update implements db.Session.
func (e *engine) Update(ctx context.Context, rows db.Rows) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Update(ctx, rows) })
}

// InsertLater implements db.Session: there is no network to save.
func (s *session) InsertLater(ctx context.Context, fail func(error) error, sets ...db.Rows) error {
	if err := s.Insert(ctx, sets...); err != nil {
		return fail(err)
	}
	return nil
}

// InsertLater implements db.Session.
func (e *engine) InsertLater(ctx context.Context, fail func(error) error, sets ...db.Rows) error {
	if err := e.Insert(ctx, sets...); err != nil {
		return fail(err)
	}
	return nil
}

// LockSchema implements db.Session: who changes the schema is alone in his transaction.
func (s *session) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	return readLocked(ctx, s, read, each)
}

// LockSchema implements db.Session.
func (e *engine) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	return readLocked(ctx, e, read, each)
}

func readLocked(ctx context.Context, s db.Session, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return nil
	}
	return s.Query(ctx, read.String(), read.Args(), each)
}

// Assert implements db.Session.
func (s *session) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	return assert(ctx, s, condition, otherwise)
}

// Assert implements db.Session.
func (e *engine) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	return assert(ctx, e, condition, otherwise)
}

func assert(ctx context.Context, s db.Session, condition *db.Builder, otherwise error) error {
	holds := false
	err := s.Query(ctx, "SELECT "+condition.String(), condition.Args(), func(scan func(...any) error) error { return scan(&holds) })
	if err == nil && !holds {
		return otherwise
	}
	return err
}
