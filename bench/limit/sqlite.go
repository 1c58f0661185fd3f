package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
)

const sqliteOrder = `json_object('id', id, 'contact_id', contact_id, 'account_id', account_id, 'order_no', order_no, 'status', status,
  'total', json(total), 'currency', currency, 'is_paid', json(iif(is_paid, 'true', 'false')), 'placed_at', placed_at, 'created_at', created_at)`

// sqliteSQL has the statement of each workload. Decimals are texts, which json() makes numbers; it also keeps a nested
// list from becoming a text.
var sqliteSQL = map[string]string{
	"W1": `SELECT ` + sqliteOrder + ` FROM orders WHERE id = ?`,
	"W2": sqliteOrders("50"),
	"W3": `SELECT json_group_array(json_object('id', id, 'name', name, 'revenue', json(revenue), 'country', country, 'contact', json((
  SELECT json_group_array(json_object('id', id, 'first_name', first_name, 'last_name', last_name, 'email', email, 'orders', json((
    SELECT json_group_array(json_object('id', id, 'order_no', order_no, 'status', status, 'total', json(total), 'placed_at', placed_at))
    FROM (SELECT id, order_no, status, total, placed_at FROM orders WHERE contact_id = c.id ORDER BY placed_at DESC, id LIMIT 5)))))
  FROM (SELECT id, first_name, last_name, email FROM contact WHERE account_id = a.id ORDER BY id LIMIT 10) c))))
FROM (SELECT id, name, revenue, country FROM account WHERE country = ? ORDER BY revenue DESC, id LIMIT 20 OFFSET ?) a`,
	"W4":  sqliteGroups("status = ?"),
	"W4s": sqliteGroups("account_id = ?"),
	"W7":  sqliteOrders("1000"),
	"W8": `SELECT json_group_array(json_object('id', id, 'name', name, 'industry', industry, 'country', country, 'employees', employees, 'revenue', json(revenue),
  'is_active', json(iif(is_active, 'true', 'false')), 'website', website, 'created_at', created_at, 'updated_at', updated_at)) FROM (
  SELECT id, name, industry, country, employees, revenue, is_active, website, created_at, updated_at
  FROM account WHERE owner_id = ? AND is_active ORDER BY revenue DESC, id LIMIT 50 OFFSET ?)`,
	"W10": `SELECT json_object('orders', json((SELECT json_group_array(` + sqliteOrder + `) FROM (
  SELECT o.id, o.contact_id, o.account_id, o.order_no, o.status, o.total, o.currency, o.is_paid, o.placed_at, o.created_at
  FROM orders o JOIN account a ON a.id = o.account_id WHERE a.country = ?1 ORDER BY o.placed_at DESC, o.id LIMIT 50 OFFSET ?2))),
  'orders_aggregate', json_object('aggregate', json_object('count', (SELECT count(*) FROM orders o JOIN account a ON a.id = o.account_id WHERE a.country = ?1))))`,
}

// sqliteGroups adds up in doubles, which are exact for the amounts of the rows.
func sqliteGroups(where string) string {
	return `SELECT json_group_array(json_object('key', json_object('currency', currency), 'aggregate', json_object('count', n, 'sum', json_object('total', json(printf('%.2f', total))))))
FROM (SELECT currency, count(*) AS n, sum(total) AS total FROM orders WHERE ` + where + ` GROUP BY currency ORDER BY currency)`
}

func sqliteOrders(limit string) string {
	return `SELECT json_group_array(` + sqliteOrder + `) FROM (
  SELECT id, contact_id, account_id, order_no, status, total, currency, is_paid, placed_at, created_at
  FROM orders WHERE status = ? ORDER BY placed_at DESC, id LIMIT ` + limit + ` OFFSET ?)`
}

// together is how many rows one statement inserts.
const together = 100

// sqliteInsertAll returns the statement that inserts so many rows.
func sqliteInsertAll() string {
	return `INSERT INTO bench_ruled (id, version, created_at, created_by, updated_at, updated_by, account_id, first_name, last_name, email, score) VALUES ` +
		strings.Repeat(`, (?, 1, ?, '00000000-0000-7000-8000-000000000000', ?, '00000000-0000-7000-8000-000000000000', ?, ?, ?, ?, ?)`, together)[2:]
}

const sqliteInsert = `INSERT INTO bench_row (id, version, created_at, created_by, updated_at, updated_by, account_id, first_name, last_name, email, score)
VALUES (?1, 1, ?2, '00000000-0000-7000-8000-000000000000', ?2, '00000000-0000-7000-8000-000000000000', ?3, ?4, ?5, ?6, ?7)
RETURNING json_object('id', id, 'first_name', first_name, 'created_at', created_at)`

// timeLayout is how Colonnade writes a moment.
const timeLayout = "2006-01-02T15:04:05.999999+00:00"

// sqliteDB has one connection that writes, with a flush of the disk for each commit, and some that read.
type sqliteDB struct {
	readers, writer *sql.DB
	reads           map[string]*sql.Stmt
	write, writeAll *sql.Stmt
	queue           chan *insertion
	stop            chan struct{}
}

// insertion waits for its commit.
type insertion struct {
	row  row
	out  string
	done chan error
}

// maxGroup is how many insertions share one commit.
const maxGroup = 128

func openSQLite(ctx context.Context, path string) (*sqliteDB, error) {
	if err := sqlite.RegisterCollationUtf8("decimal", compareDecimals); err != nil {
		return nil, err
	}
	s := &sqliteDB{reads: map[string]*sql.Stmt{}, queue: make(chan *insertion, maxGroup), stop: make(chan struct{})}
	var err error
	if s.readers, err = openPool(path, 2*runtime.NumCPU()); err != nil {
		return nil, err
	}
	if s.writer, err = openPool(path, 1); err != nil {
		return nil, err
	}
	for workload, text := range sqliteSQL {
		if s.reads[workload], err = s.readers.PrepareContext(ctx, text); err != nil {
			return nil, err
		}
	}
	if s.write, err = s.writer.PrepareContext(ctx, sqliteInsert); err != nil {
		return nil, err
	}
	if s.writeAll, err = s.writer.PrepareContext(ctx, sqliteInsertAll()); err != nil {
		return nil, err
	}
	go s.serve()
	return s, nil
}

func openPool(path string, n int) (*sql.DB, error) {
	q := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "cache_size(-65536)", "foreign_keys(1)", "mmap_size(1073741824)", "temp_store(MEMORY)",
	}}
	pool, err := sql.Open("sqlite", "file:"+path+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// compareDecimals orders decimal texts of one scale.
func compareDecimals(a, b string) int {
	x, below := strings.CutPrefix(a, "-")
	y, alsoBelow := strings.CutPrefix(b, "-")
	switch {
	case below && !alsoBelow:
		return -1
	case !below && alsoBelow:
		return 1
	case below:
		x, y = y, x
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(x, y)
}

func (s *sqliteDB) read(dst []byte, workload string, args ...any) ([]byte, error) {
	return appendAnswer(dst, s.reads[workload], args...)
}

func appendAnswer(dst []byte, stmt *sql.Stmt, args ...any) ([]byte, error) {
	rows, err := stmt.Query(args...)
	if err != nil {
		return dst, err
	}
	defer rows.Close()
	if rows.Next() {
		var raw sql.RawBytes
		if err := rows.Scan(&raw); err != nil {
			return dst, err
		}
		dst = append(dst, raw...)
	}
	return dst, rows.Err()
}

func (r row) values() []any {
	return []any{r.ID, time.Now().UTC().Format(timeLayout), r.Account, r.First, r.Last, r.Email, r.Score}
}

func (s *sqliteDB) insert(dst []byte, r row) ([]byte, error) {
	return appendAnswer(dst, s.write, r.values()...)
}

func (s *sqliteDB) insertAll(rows []row) error {
	tx, err := s.writer.Begin()
	if err != nil {
		return err
	}
	stmt, now := tx.Stmt(s.writeAll), time.Now().UTC().Format(timeLayout)
	for some := range slices.Chunk(rows, together) {
		args := make([]any, 0, 8*together)
		for _, r := range some {
			args = append(args, r.ID, now, now, r.Account, r.First, r.Last, r.Email, r.Score)
		}
		if _, err := stmt.Exec(args...); err != nil { // also when they are no whole hundred
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// insertTogether commits the row together with all others that wait.
func (s *sqliteDB) insertTogether(r row) ([]byte, error) {
	i := &insertion{row: r, done: make(chan error, 1)}
	s.queue <- i
	err := <-i.done
	return []byte(i.out), err
}

func (s *sqliteDB) serve() {
	for {
		select {
		case first := <-s.queue:
			s.commit(s.waiting(first))
		case <-s.stop:
			return
		}
	}
}

// waiting returns the insertions that wait. Those whose callers were answered a moment ago get a chance to come.
func (s *sqliteDB) waiting(first *insertion) []*insertion {
	group := []*insertion{first}
	for idle := 0; idle < 2 && len(group) < maxGroup; {
		select {
		case i := <-s.queue:
			group, idle = append(group, i), 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

func (s *sqliteDB) commit(group []*insertion) {
	err := func() error {
		tx, err := s.writer.Begin()
		if err != nil {
			return err
		}
		stmt := tx.Stmt(s.write)
		for _, i := range group {
			if err := stmt.QueryRow(i.row.values()...).Scan(&i.out); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Commit()
	}()
	for _, i := range group {
		i.done <- err
	}
}

func (s *sqliteDB) close() {
	close(s.stop)
	_ = s.readers.Close()
	_ = s.writer.Close()
}
