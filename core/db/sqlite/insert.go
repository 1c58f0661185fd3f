package sqlite

import (
	"context"
	"errors"
	"strconv"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"colonnade/core"
	"colonnade/core/db"
)

// Insert implements db.Session.
func (s *session) Insert(ctx context.Context, sets ...db.Rows) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	for _, rows := range sets {
		i := insertion{Rows: rows}
		for from := 0; from < rows.N; {
			n := 1
			if rows.N-from >= manyRows {
				n = manyRows
			}
			done, err := s.insert(ctx, &i, from, n)
			if err != nil {
				return err
			}
			from += done
		}
	}
	return nil
}

// manyRows is how many rows one statement inserts, where there are so many: with more the driver spends as much on their
// arguments as it saves on statements.
const manyRows = 64

// maxVariables is SQLITE_MAX_VARIABLE_NUMBER of the driver.
const maxVariables = 32766

// insert inserts n rows, or more of them, and returns how many. When one statement cannot do it, nothing of it is there, and
// the rows are inserted one by one to find the one that is to blame.
func (s *session) insert(ctx context.Context, rows *insertion, from, n int) (int, error) {
	err := s.insertMany(ctx, rows, from, n)
	if err == nil {
		return n, nil
	}
	for i := from; i < from+n; i++ {
		if n > 1 {
			err = s.insertMany(ctx, rows, i, 1)
		}
		switch {
		case err == nil:
		case refers(err) && i+1 < rows.N && (rows.N-i)*len(rows.Columns) <= maxVariables:
			return rows.N - from, s.insertTogether(ctx, rows, i, err)
		default:
			return 0, core.E("sqlite.Insert", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return n, nil
}

// insertMany inserts n rows with one statement. What is the same in all of them is bound once.
func (s *session) insertMany(ctx context.Context, rows *insertion, from, n int) error {
	args := s.conn.args[:0]
	for j, c := range rows.Columns {
		if rows.IsSame(j) {
			args = append(args, Dialect{}.Bind(c, rows.Value(from, j)))
		}
	}
	for i := from; i < from+n; i++ {
		for j, c := range rows.Columns {
			if !rows.IsSame(j) {
				args = append(args, Dialect{}.Bind(c, rows.Value(i, j)))
			}
		}
	}
	s.conn.args = args
	_, err := s.conn.exec(ctx, rows.text(n), args)
	clear(args)
	return err
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

// insertion is rows with the statement that inserted some of them last.
type insertion struct {
	db.Rows
	n         int
	statement string
}

// text is the statement that inserts n rows. What is the same in all of them comes first, so that only these arguments have
// numbers: the driver looks for the name of each argument among those that have one.
func (rows *insertion) text(n int) string {
	if rows.n == n {
		return rows.statement
	}
	b := db.New(Dialect{})
	b.Write("INSERT INTO ").Name(rows.Table).Write(" (")
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
	rows.n, rows.statement = n, b.Write(")").String()
	return rows.statement
}

// Insert implements db.Session.
func (e *engine) Insert(ctx context.Context, sets ...db.Rows) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Insert(ctx, sets...) })
}

// Update implements db.Session.
func (s *session) Update(ctx context.Context, rows db.Rows) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	b := db.New(Dialect{}).Write("UPDATE ").Name(rows.Table).Write(" SET ")
	for i, c := range rows.Columns[1:] {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL()).Write(" = ?")
	}
	text := b.Write(" WHERE ").Name(rows.Columns[0].SQL()).Write(" = ?").String()
	args := make([]any, len(rows.Columns))
	for i := range rows.N {
		for j, c := range rows.Columns {
			args[(j+len(args)-1)%len(args)] = Dialect{}.Bind(c, rows.Value(i, j)) // the key comes last
		}
		if _, err := s.conn.exec(ctx, text, args); err != nil {
			return core.E("sqlite.Update", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return nil
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
