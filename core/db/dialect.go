package db

import (
	"context"
	"encoding/json"
	"io/fs"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
)

// Dialect is what one database says differently: spellings, types, errors and how an answer travels.
// A dialect is a struct without fields; [DB] holds the state. What each method must do is tested by dbtest.
type Dialect interface {
	// Name is the word that configuration uses, and the column of the function table of package rules.
	Name() string

	// Explain writes what makes the statement behind it tell the plan of the database, and returns how a row of that is read as a line.
	Explain(b *Builder) (line func(scan func(...any) error) (string, error))

	// AppendPlaceholder appends the placeholder of the n-th argument, counted from 1.
	AppendPlaceholder(b []byte, n int) []byte

	// ColumnType is the type of a stored column, with its collation. Texts compare by bytes, decimals by value.
	ColumnType(c *core.Column) string

	// Bind returns v, in the Go form of the column's kind, as the driver takes it.
	Bind(c *core.Column, v any) any

	// Constant writes v, in the Go form of the column's kind, as the default of a column: there nothing can be bound.
	Constant(b *Builder, c *core.Column, v any)

	// Online is what CREATE INDEX and DROP INDEX say to let writers go on meanwhile, outside a transaction; empty where
	// there is no such thing.
	Online() string

	// BrokenIndexes writes the query for the names of the indexes that Online has left half made.
	BrokenIndexes(b *Builder)

	// Answer writes a statement whose result [Conn.Answer] returns as JSON in the form of s.
	// value writes the i-th field; from writes everything from FROM on.
	Answer(b *Builder, s *Shape, value func(i int), from func())

	// Nest writes a scalar sub-select that yields JSON in the form of s, null when a single row is not there.
	Nest(b *Builder, s *Shape, value func(i int), from func())

	// Member writes the value that an object, of the JSON that history keeps, has under the key, as the column would hold it;
	// NULL when the object has none.
	Member(b *Builder, c *core.Column, object func(), key string)

	// Version is what Member takes members out of when it takes many of one version, and the join that gives it to the row h of
	// "_history".
	Version() (object, join string)

	// AnyOf writes a condition: the expression, of the column's kind, equals a member of list. The list is one
	// argument however long it is; its values are in the Go form of the kind.
	AnyOf(b *Builder, c *core.Column, expr func(), list []any)

	// Among is AnyOf for rows that are found by something else: the list may be long, and is not looked at to make a plan.
	Among(b *Builder, c *core.Column, expr func(), list []any)

	// Like writes a condition: the text matches the LIKE pattern, where % and _ are wild and \ escapes.
	Like(b *Builder, text, pattern func(), fold bool)

	// Choices writes a condition on an expression of the kind choices, for which NULL is like no value.
	Choices(b *Builder, operator ChoicesOp, expr func(), list []string)

	// Matches writes a condition: the regular expression, of which [formula.ParseRegex] has nothing bad to say, finds something in the
	// text.
	Matches(b *Builder, text func(), regex string)

	// JSON writes a condition on an expression of the kind JSON: its other side is a JSON value, or a list of keys.
	JSON(b *Builder, operator JSONOp, expr func(), value json.RawMessage, keys []string)

	// Text writes a number, a date, an identifier or a JSON value as a text: JSON as jsonb of PostgreSQL does, the others as it is in JSON.
	Text(b *Builder, k core.Kind, expr func())

	// Position writes the place of a text of that kind in the list, counted from any number; NULL when it is not in it.
	Position(b *Builder, k core.Kind, text func(), list []string)

	// Placed writes the text that is at the place in the list, as Position counts; NULL where there is none.
	Placed(b *Builder, position func(), list []string)

	// Aggregate writes sum, avg, min, max, stddev_pop, stddev_samp, var_pop or var_samp over an expression of that kind, or bool_and or
	// bool_or over booleans: exact for decimals, of which averages and what follows are the nearest doubles. A sum that its kind cannot
	// hold is an error, also that of an average of floats.
	Aggregate(b *Builder, function string, k core.Kind, expr func())

	// Order writes one term of ORDER BY with the place of the nulls.
	Order(b *Builder, expr func(), k core.Kind, desc, nullsFirst bool)

	// NullsFirst is where the database puts the nulls of that direction when nothing is said.
	NullsFirst(desc bool) bool

	// Collate is what an expression of that kind that is no column must carry to be compared by value.
	Collate(k core.Kind) string

	Searcher
	Copier

	// HasStatistics reports whether the database knows how many rows have which values, and chooses by that how it looks for them.
	HasStatistics() bool

	// Fence is what a query ends with whose rows are found before the query around it sorts and cuts them; empty where that goes
	// without saying.
	Fence() string

	// Lock is what a SELECT ends with to lock its rows until the end of the transaction. It is empty where transactions that
	// write run one after the other, so that none comes between what another one has read and what it writes.
	Lock() string

	// LockRow is Lock for rows whose ids and keys stay: records that refer to them can be written meanwhile.
	LockRow() string

	// LockKey is what a SELECT ends with to keep its rows from being deleted until the end of the transaction.
	LockKey() string

	// LockName writes the statement that takes the lock of a name until the end of the transaction: alone, or shared with others
	// who do not want it alone. It writes nothing where transactions that write run one after the other.
	LockName(b *Builder, name string, alone bool)

	// Defer is the statement after which the transaction checks references only in the end, or with false at once again, which
	// looks at what was put off where the database can: nobody else may have to answer for it.
	Defer(on bool) string

	// EventsAfter writes the query for the events behind a place in the stream, with the record before and after:
	// tx, seq, table_name, record_id, version, op, actor, cause, cause_id, depth, at, before, after. It leaves out
	// events before which another may still appear.
	EventsAfter(b *Builder, tx, seq int64, limit int)

	// EventTx is the transaction of the row e of "_event" as an integer; with its seq it is its place in the stream.
	EventTx() string

	// EventsBetween writes a condition on the row e of "_event": it is behind the first place in the stream and not behind
	// the second.
	EventsBetween(b *Builder, tx, seq, toTx, toSeq int64)

	// EventOrder is the order of the stream over the row e of "_event", or the reverse of it.
	EventOrder(desc bool) string

	// LastEvent writes the query for the place in the stream behind all events that EventsAfter would return: tx, seq.
	LastEvent(b *Builder)

	// EventsMark is what is committed of "_event" at the time of the statement, as a text: see EventsUnmarked.
	EventsMark() string

	// EventsUnmarked writes a condition on the row e of "_event": it was committed after a mark was taken. Of all rows that are
	// ever committed, each is unmarked in exactly one statement of those that take a mark and go on from the one before, in
	// whatever order their transactions end.
	EventsUnmarked(b *Builder, mark string)

	// Clock is the time of the statement: in the form in which a timestamp is stored, and in microseconds since 1970.
	Clock() (now, micros string)

	// HeldEvents writes the query for the number of events that are committed and that EventsAfter does not return yet, since a
	// transaction that is older still runs.
	HeldEvents(b *Builder)

	// Sizes writes the query for the bytes of each table, by its name, and of all its indexes: name, bytes, index bytes.
	Sizes(b *Builder)

	// CreateCounter writes the statement that makes a counter, unless it is there.
	CreateCounter(b *Builder, c Counter)

	// Draw writes a query that takes n numbers from a counter and yields all of them, or the first of n that follow each
	// other. The numbers of a gapless counter are given back by a rollback, and the counter is locked until the end of the
	// transaction; those of another are gone, and nobody waits for them. With a negative n a gapless counter takes back the
	// last ones, which nobody used.
	Draw(b *Builder, c Counter, n int)

	// Advance returns the statements after which a counter yields only numbers above past.
	Advance(c Counter, past int64) []*Builder

	// Classify turns a driver's error into a *core.Error; see [Violation] for broken constraints.
	Classify(err error) error

	// Migrations are the files of the system tables, "NNNN_name.sql", forward only.
	Migrations() fs.FS

	// Open connects. The data source is the dialect's own: a file, a URL.
	Open(ctx context.Context, source string, o Options) (Engine, error)
}

// Counter is a sequence of numbers that a database keeps.
type Counter struct {
	Name        string
	Start, Step int64
	Gapless     bool
}

// ChoicesOp compares choices with a list of values.
type ChoicesOp int

// The operators of choices.
const (
	ContainsAll ChoicesOp = iota // every value of the list
	ContainedIn                  // no value that is not in the list
	HasAny                       // a value of the list
)

// JSONOp compares JSON values, in the way of jsonb in PostgreSQL.
type JSONOp int

// The operators of JSON values.
const (
	JSONContains    JSONOp = iota // every part of the value
	JSONContainedIn               // nothing that is no part of the value
	JSONAnyKey                    // one of the keys
	JSONAllKeys                   // all of the keys
)

// Engine is an open database of one dialect.
type Engine interface {
	// Gorm serves reads of system tables outside a transaction.
	Gorm() *gorm.DB

	// Tx runs f in a transaction that is durable when Tx returns nil. It must not be called within itself.
	// An error of f rolls back what f did and nothing else.
	Tx(ctx context.Context, o TxOptions, f func(Session) error) error

	// Session runs statements outside a transaction, each by itself.
	Session
	// Listen calls wake when another process called Notify, until ctx ends. Wake-ups may be lost; callers also poll.
	Listen(ctx context.Context, topic string, wake func())
	// Notify wakes the listeners of other processes. It never fails a caller: a lost wake-up only costs time.
	Notify(ctx context.Context, topic string)

	// View runs f over the database as it is at one moment. f reads, for as long as it likes, and keeps no writer waiting.
	View(ctx context.Context, f func(Viewer) error) error

	Ping(ctx context.Context) error

	// Pools says how much the connections have to do.
	Pools() []Pool

	Close() error
}

// Pool is how much some connections to the database have to do.
type Pool struct {
	Name   string
	Most   int // connections
	Open   int
	Busy   int           // of those
	Waits  int64         // how often somebody had to wait for one, since the start
	Waited time.Duration // for so long, all together
}

// Session is where statements run: the pool, or one transaction.
type Session interface {
	Gorm() *gorm.DB
	Exec(ctx context.Context, text string, args []any) (rows int64, err error)
	// ExecAll runs the statements in order, in one round trip where there is a network; it stops at the first error.
	ExecAll(ctx context.Context, statements []*Builder) error
	// LockSchema keeps the schema as it is until the end of the transaction; exclusive keeps others from looking at it.
	// Then it runs read, if there is one, which sees what was committed before; where there is a network, in the same
	// round trip.
	LockSchema(ctx context.Context, exclusive bool, read *Builder, each func(scan func(dest ...any) error) error) error
	// Assert locks the schema as LockSchema does, not exclusively, and fails the transaction with otherwise unless the
	// condition holds: at once, or with TxOptions.Later before anything else is done.
	Assert(ctx context.Context, condition *Builder, otherwise error) error
	// Insert inserts the rows, in one round trip where there is a network and they are few. Rows of one table may refer to each
	// other in any order.
	Insert(ctx context.Context, sets ...Rows) error
	// Update sets the columns of rows that exist; the first column is the primary key that finds them.
	Update(ctx context.Context, rows Rows) error
	// Upsert inserts rows or changes those that are there, and calls each with what Back has in every row that is new or was
	// changed, in any order: a bool, an int64 or a string of its digits, a float64, a [core.Span], a string, JSON as a
	// json.RawMessage, or nil. each must not keep the list, nor use the session.
	Upsert(ctx context.Context, u Upsert, each func(values []any) error) error
	// InsertLater is Insert, or in a transaction with TxOptions.Later a promise to do it before anything else; fail gives
	// the error its words, and whatever finds out returns it.
	InsertLater(ctx context.Context, fail func(error) error, sets ...Rows) error
	// CopyIn inserts rows whose values are in the forms of the columns, nil for NULL.
	CopyIn(ctx context.Context, table string, columns []StoredColumn, rows [][][]byte) error
	Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error
	Answer(ctx context.Context, text string, args []any, s *Shape, dst []byte) ([]byte, error)
}

// Upsert is rows to be inserted, and what is to be done with those that are there.
type Upsert struct {
	Rows
	Conflict string // ON CONFLICT and what follows it, without arguments
	Back     []*core.Column
}

// Violation is the cause inside the error of a broken constraint.
type Violation struct {
	Unique     bool
	Constraint string   // the name, where the database tells it
	Columns    []string // the columns, where the database tells them
	Values     string   // of a unique key or a reference, where the database tells them: as texts, joined by ", "
	Err        error
}

// Error returns the driver's words, for the log.
func (v *Violation) Error() string { return v.Err.Error() }

// Unwrap returns the driver's error.
func (v *Violation) Unwrap() error { return v.Err }
