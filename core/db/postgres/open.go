package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"colonnade/core"
	"colonnade/core/db"
)

// engine is an open PostgreSQL database.
type engine struct {
	pool *pgxpool.Pool
	sql  *sql.DB // over pool
	gorm *gorm.DB
	log  *slog.Logger

	groups   groups
	presence *presence   // nil when it only reads
	unbound  []reference // of a database that is being filled

	mu      sync.Mutex
	pending map[string]bool // topics to notify
	notify  chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
	closed  atomic.Bool
}

// Open implements db.Dialect. The source is a URL or a keyword string, as libpq reads them.
func (Dialect) Open(ctx context.Context, source string, o db.Options) (db.Engine, error) {
	const op = "postgres.Open"
	config, err := pgxpool.ParseConfig(source)
	if err != nil {
		return nil, core.E(op, core.Invalid, "the address of the database is not like postgres://user:password@host:5432/name")
	}
	config.MaxConns = int32(o.Conns)
	if o.Conns <= 0 {
		config.MaxConns = int32(max(20, 4*runtime.GOMAXPROCS(0)))
	}
	params := config.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	params["intervalstyle"] = "iso_8601"
	params["lock_timeout"] = "10s"
	params["jit"] = "off" // compiling a statement of many subqueries takes longer than to run it, and the costs of formulas are overestimated
	params["idle_in_transaction_session_timeout"] = "120s"
	if o.ReadOnly {
		params["default_transaction_read_only"] = "on"
	}
	if params["application_name"] == "" {
		params["application_name"] = "colonnade"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, core.E(op, err)
	}
	present, err := enter(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, core.E(op, err)
	}
	e := &engine{pool: pool, presence: present, sql: stdlib.OpenDBFromPool(pool), log: o.Log, pending: map[string]bool{}, notify: make(chan struct{}, 1)}
	e.groups.engine = e
	e.gorm, err = gorm.Open(postgres.New(postgres.Config{Conn: e.sql}), &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true})
	if err != nil {
		if present != nil {
			present.leave()
		}
		pool.Close()
		return nil, core.E(op, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.running.Go(func() { e.notifier(background) })
	return e, nil
}

// enter looks at the database, and tells other processes that this one is there, unless it is only read beside them.
func enter(ctx context.Context, pool *pgxpool.Pool, o db.Options) (present *presence, err error) {
	if err := check(ctx, pool, o.Log); err != nil {
		return nil, err
	}
	if !o.ReadOnly || o.Alone {
		if present, err = appear(ctx, pool.Config().ConnConfig, o.Alone, o.Log); err != nil {
			return nil, err
		}
	}
	if err := ours(ctx, pool, o); err != nil {
		if present != nil {
			present.leave()
		}
		return nil, err
	}
	return present, nil
}

// check finds out whether the database answers, and is one that we can use.
func check(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	const op = "postgres.check"
	var version int
	var encoding string
	var folds bool
	err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), lower('Ä' COLLATE "default") = 'ä'`).Scan(&version, &encoding, &folds)
	config := pool.Config().ConnConfig
	switch {
	case err != nil:
		return core.E(op, core.Unavailable, fmt.Sprintf("the database at %s:%d does not let us in: %v", config.Host, config.Port, reason(err)), err)
	case version < 14_00_00:
		return core.E(op, core.Invalid, fmt.Sprintf("the server is PostgreSQL %d: it must be 14 or later", version/10000))
	case encoding != "UTF8":
		return core.E(op, core.Invalid, fmt.Sprintf("the encoding of the database is %s: make it with ENCODING 'UTF8'", encoding))
	case !folds:
		log.WarnContext(ctx, "postgres: the locale of the database knows no letters but a to z; search that ignores case finds no others")
	}
	return nil
}

// ours refuses a schema that holds tables of another program: names that users give to their tables would meet them. What
// belongs to an extension is no such table. It also refuses what does not fit the options, and empties what was not filled
// to its end.
func ours(ctx context.Context, pool *pgxpool.Pool, o db.Options) error {
	const op = "postgres.ours"
	var schema string
	var found db.Found
	var columns, meta int
	err := pool.QueryRow(ctx, `SELECT coalesce(current_schema(), ''),
(SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
(SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE n.nspname = current_schema() AND c.relname = '_migration' AND a.attname IN ('number', 'name', 'checksum', 'applied_at')),
(SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relname = '_meta')`).
		Scan(&schema, &found.Tables, &columns, &meta)
	const other = "make a schema with CREATE SCHEMA and name it in the address of the database with ?search_path=NAME"
	switch {
	case err != nil:
		return core.E(op, err)
	case schema == "":
		return core.E(op, core.Invalid, "the schema of the search_path does not exist: "+other)
	case found.Tables > 0 && columns < 4:
		return core.E(op, core.Invalid, fmt.Sprintf("the schema %s holds tables that are not Colonnade's: %s", schema, other))
	}
	if meta > 0 {
		if err := pool.QueryRow(ctx, `SELECT coalesce(max(value), '') FROM "_meta" WHERE key = 'unfinished'`).Scan(&found.Unfinished); err != nil {
			return core.E(op, err)
		}
	}
	clear, err := o.Fits(found)
	if err == nil && clear {
		err = empty(ctx, pool)
	}
	return core.E(op, err)
}

// reason returns what the server said, without the connection string.
func reason(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Message
	}
	return "no answer"
}

// Gorm implements db.Session.
func (e *engine) Gorm() *gorm.DB { return e.gorm }

// Pool returns the pool, for the work queue.
func (e *engine) Pool() *pgxpool.Pool { return e.pool }

// querier is a pool or a connection.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Exec implements db.Session. A write is never tried twice, unless nothing was sent.
func (e *engine) Exec(ctx context.Context, text string, args []any) (int64, error) {
	n, err := exec(ctx, e.pool, text, args)
	if err != nil && e.lost(err) && pgconn.SafeToRetry(err) {
		n, err = exec(ctx, e.pool, text, args)
	}
	return n, e.stopping(err)
}

// ExecAll implements db.Session.
func (e *engine) ExecAll(ctx context.Context, statements []*db.Builder) error {
	err := execAll(ctx, e.pool, statements)
	if err != nil && e.lost(err) && pgconn.SafeToRetry(err) {
		err = execAll(ctx, e.pool, statements)
	}
	return e.stopping(err)
}

// Query implements db.Session. Before its first row it is tried again, as in Answer.
func (e *engine) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	begun := false
	first := func(scan func(dest ...any) error) error {
		begun = true
		return each(scan)
	}
	err := query(ctx, e.pool, text, args, first)
	for try := 1; err != nil && !begun && e.again(err, try); try++ {
		err = query(ctx, e.pool, text, args, first)
	}
	return e.stopping(err)
}

// Answer implements db.Session. It is tried again when the schema changed after the statement was prepared, and when
// the connection turned out to be dead.
func (e *engine) Answer(ctx context.Context, text string, args []any, s *db.Shape, dst []byte) ([]byte, error) {
	out, err := answer(ctx, e.pool, text, args, s, dst)
	for try := 1; err != nil && e.again(err, try); try++ {
		out, err = answer(ctx, e.pool, text, args, s, dst)
	}
	return out, e.stopping(err)
}

// again reports whether a statement that only reads may succeed when it is tried at once. Each connection that has
// prepared it for another schema fails once.
func (e *engine) again(err error, try int) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "0A000" {
		return try <= int(e.pool.Config().MaxConns)
	}
	return try == 1 && e.lost(err)
}

// stopping says why nothing works once the engine is closed.
func (e *engine) stopping(err error) error {
	if err != nil && e.closed.Load() {
		return core.E("postgres", core.Unavailable, "the server is stopping", err)
	}
	return err
}

// lost reports whether err says that the connection was dead. Then the idle ones are likely to be dead too, and are
// given up.
func (e *engine) lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pg *pgconn.PgError
	dead := pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if errors.As(err, &pg) {
		dead = pg.Code == "57P01" || pg.Code == "57P02"
	}
	if dead {
		e.pool.Reset()
	}
	return dead
}

func exec(ctx context.Context, q querier, text string, args []any) (int64, error) {
	if changesSchema(text) { // runs once: there is no use in a prepared statement
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	tag, err := q.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

// changesSchema reports whether the statement is one of those after which others may need to be prepared.
func changesSchema(text string) bool {
	for _, verb := range []string{"CREATE ", "ALTER ", "DROP "} {
		if strings.HasPrefix(text, verb) {
			return true
		}
	}
	return false
}

// execAll sends the statements together, for which all of them are prepared before the first runs. So it sends them one
// by one when a later one may need what an earlier one makes.
func execAll(ctx context.Context, q querier, statements []*db.Builder) error {
	if len(statements) < 2 || slices.ContainsFunc(statements, func(b *db.Builder) bool { return changesSchema(b.String()) }) {
		for _, b := range statements {
			if _, err := exec(ctx, q, b.String(), b.Args()); err != nil {
				return err
			}
		}
		return nil
	}
	var batch pgx.Batch
	for _, b := range statements {
		batch.Queue(b.String(), b.Args()...)
	}
	return q.SendBatch(ctx, &batch).Close()
}

func query(ctx context.Context, q querier, text string, args []any, each func(scan func(dest ...any) error) error) error {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, each)
}

func eachRow(rows pgx.Rows, each func(scan func(dest ...any) error) error) error {
	defer rows.Close()
	scan := func(dest ...any) error { return scanRow(rows, dest) }
	for rows.Next() {
		if err := each(scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanRow reads a row; NULL gives the zero value.
func scanRow(rows pgx.Rows, dest []any) error {
	to := make([]any, len(dest))
	for i, d := range dest {
		switch d := d.(type) {
		case *string:
			to[i] = &orZero[string]{to: d}
		case *core.ID:
			to[i] = &orZero[string]{to: (*string)(d)}
		case *int64:
			to[i] = &orZero[int64]{to: d}
		case *bool:
			to[i] = &orZero[bool]{to: d}
		case *[]byte:
			to[i] = d
		default:
			return fmt.Errorf("cannot scan into %T", d)
		}
	}
	from := make([]any, len(to))
	for i, d := range to {
		from[i] = d
		if z, ok := d.(interface{ pointer() any }); ok {
			from[i] = z.pointer()
		}
	}
	if err := rows.Scan(from...); err != nil {
		return err
	}
	for _, d := range to {
		if z, ok := d.(interface{ put() }); ok {
			z.put()
		}
	}
	return nil
}

// orZero puts a value, or the zero value for NULL, where it belongs.
type orZero[T any] struct {
	to  *T
	got *T
}

func (z *orZero[T]) pointer() any { return &z.got }

func (z *orZero[T]) put() {
	var zero T
	if z.got == nil {
		z.got = &zero
	}
	*z.to = *z.got
}

func answer(ctx context.Context, q querier, text string, args []any, s *db.Shape, dst []byte) ([]byte, error) {
	withFormat := make([]any, 1, len(args)+1)
	withFormat[0] = pgx.QueryResultFormats{pgx.BinaryFormatCode}
	rows, err := q.Query(ctx, text, append(withFormat, args...)...)
	if err != nil {
		return dst, err
	}
	defer rows.Close()
	start := len(dst)
	if s.Many {
		dst = append(dst, '[')
	}
	n := 0
	var w *row
	for rows.Next() {
		if w == nil {
			if w, err = newRow(s, rows.FieldDescriptions()); err != nil {
				return dst, err
			}
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = w.append(dst, rows.RawValues()); err != nil {
			return dst, err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return dst[:start], err
	}
	if s.Many {
		dst = append(dst, ']')
	} else if n == 0 {
		dst = append(dst, "null"...)
	}
	return dst, nil
}

// Ping implements db.Engine.
func (e *engine) Ping(ctx context.Context) error { return e.stopping(e.pool.Ping(ctx)) }

// Pools implements db.Engine.
func (e *engine) Pools() []db.Pool {
	s := e.pool.Stat()
	return []db.Pool{{Name: "all", Most: int(s.MaxConns()), Open: int(s.TotalConns()), Busy: int(s.AcquiredConns()), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime()}}
}

// Close implements db.Engine.
func (e *engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	e.stop()
	e.running.Wait()
	if e.presence != nil {
		e.presence.leave()
	}
	err := e.sql.Close()
	e.pool.Close()
	return err
}

// Listen implements db.Engine. It also wakes after each connect, since it may have missed something before.
func (e *engine) Listen(ctx context.Context, topic string, wake func()) {
	for ctx.Err() == nil {
		if err := e.listen(ctx, topic, wake); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "postgres: listener lost its connection", "topic", topic, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (e *engine) listen(ctx context.Context, topic string, wake func()) error {
	c, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{"colonnade_" + topic}.Sanitize()); err != nil {
		return err
	}
	for {
		wake()
		if _, err := c.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

// Notify implements db.Engine. Notifications are gathered and sent outside the writing transaction: inside, PostgreSQL
// would take a global lock at each commit.
func (e *engine) Notify(_ context.Context, topic string) {
	e.mu.Lock()
	e.pending[topic] = true
	e.mu.Unlock()
	select {
	case e.notify <- struct{}{}:
	default:
	}
}

// notifyEvery is how long notifications are gathered.
const notifyEvery = 5 * time.Millisecond

func (e *engine) notifier(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.notify:
		}
		e.mu.Lock()
		topics := e.pending
		e.pending = map[string]bool{}
		e.mu.Unlock()
		for topic := range topics {
			if _, err := e.pool.Exec(ctx, "SELECT pg_notify($1, '')", "colonnade_"+topic); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "postgres: notify", "topic", topic, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(notifyEvery):
		}
	}
}
