package dbtest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// benchColumns are those of a usual table.
var benchColumns = []*core.Column{
	{Name: "id", Kind: core.UUID}, {Name: "name", Kind: core.Text}, {Name: "email", Kind: core.Text}, {Name: "note", Kind: core.LongText},
	{Name: "amount", Kind: core.Decimal, Precision: 12, Scale: 2}, {Name: "count", Kind: core.Integer}, {Name: "active", Kind: core.Boolean},
	{Name: "born", Kind: core.Date}, {Name: "created_at", Kind: core.Timestamp}, {Name: "parent_id", Kind: core.UUID},
}

func benchRow(n int) core.Record {
	r := core.Record{
		"id": string(core.NewID()), "name": "Name " + strconv.Itoa(n), "email": "name" + strconv.Itoa(n) + "@example.com", "note": "A note that has some length, as notes do.",
		"amount": strconv.Itoa(n) + ".25", "count": int64(n), "active": n%2 == 0, "born": "1980-05-17", "created_at": "2024-05-01T12:30:00.123456Z", "parent_id": string(core.NewID()),
	}
	for _, c := range benchColumns {
		v, err := c.Parse(r[c.Name])
		if err != nil {
			panic(err)
		}
		r[c.Name] = v
	}
	return r
}

func benchTable(b *testing.B, d *db.DB, rows int) (ids []string) {
	b.Helper()
	create := db.New(d.Dialect).Write("CREATE TABLE bench (")
	for i, c := range benchColumns {
		if i > 0 {
			create.Write(", ")
		}
		create.Name(c.Name).Write(" ", d.ColumnType(c))
	}
	if _, err := d.Exec(b.Context(), create.Write(", PRIMARY KEY (id))")); err != nil {
		b.Fatal(err)
	}
	var records []core.Record
	for i := range rows {
		r := benchRow(i)
		ids = append(ids, r["id"].(string))
		records = append(records, r)
	}
	if err := d.Tx(b.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.InsertRows(b.Context(), "bench", benchColumns, records) }); err != nil {
		b.Fatal(err)
	}
	return ids
}

func eachBench(b *testing.B, f func(b *testing.B, d *db.DB)) {
	b.Run("sqlite", func(b *testing.B) {
		f(b, dbtest.SQLite(b))
	})
	if dbtest.HasPostgres() {
		b.Run("postgres", func(b *testing.B) { f(b, dbtest.Postgres(b)) })
	}
}

func insertBench(d *db.DB, r core.Record) *db.Builder {
	q := db.New(d.Dialect).Write("INSERT INTO bench VALUES (")
	for i, c := range benchColumns {
		if i > 0 {
			q.Write(", ")
		}
		q.Value(c, r[c.Name])
	}
	return q.Write(")")
}

// BenchmarkInsert commits one row a transaction, from 16 goroutines.
func BenchmarkInsert(b *testing.B) {
	eachBench(b, func(b *testing.B, d *db.DB) {
		benchTable(b, d, 1)
		b.SetParallelism(16 / 2)
		b.ReportAllocs()
		var n atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				r := benchRow(int(n.Add(1)))
				if err := d.Tx(b.Context(), db.TxOptions{}, func(tx *db.Tx) error {
					_, err := tx.Exec(b.Context(), insertBench(d, r))
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "commits/s")
	})
}

// BenchmarkInsertAlone is one goroutine, and the same with the bare driver.
func BenchmarkInsertAlone(b *testing.B) {
	eachBench(b, func(b *testing.B, d *db.DB) {
		benchTable(b, d, 1)
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Tx(b.Context(), db.TxOptions{}, func(tx *db.Tx) error {
				_, err := tx.Exec(b.Context(), insertBench(d, benchRow(1)))
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRead answers with one row by key and with lists, through a context that can be cancelled as a request's can.
func BenchmarkRead(b *testing.B) {
	eachBench(b, func(b *testing.B, d *db.DB) {
		ids := benchTable(b, d, 1000)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		shape := func(many bool) *db.Shape {
			s := &db.Shape{Many: many}
			for _, c := range benchColumns {
				s.Fields = append(s.Fields, db.ShapeField{Key: c.Name, Kind: c.Kind})
			}
			return s
		}
		build := func(many bool, rest func(q *db.Builder)) (*db.Builder, *db.Shape) {
			q, s := db.New(d.Dialect), shape(many)
			d.Dialect.Answer(q, s, func(i int) { q.Name("t", benchColumns[i].Name) }, func() { q.Write(" FROM bench AS t"); rest(q) })
			return q, s
		}
		run := func(b *testing.B, many bool, rest func(q *db.Builder, n int)) {
			b.ReportAllocs()
			var dst []byte
			n := 0
			for b.Loop() {
				q, s := build(many, func(q *db.Builder) { rest(q, n) })
				n++
				var err error
				if dst, err = d.Answer(ctx, q, s, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
			if !json.Valid(dst) {
				b.Fatalf("%s", dst)
			}
			b.SetBytes(int64(len(dst)))
		}
		b.Run("point", func(b *testing.B) {
			run(b, false, func(q *db.Builder, n int) { q.Write(" WHERE t.id = ").Value(benchColumns[0], ids[n%len(ids)]) })
		})
		b.Run("list50", func(b *testing.B) { run(b, true, func(q *db.Builder, _ int) { q.Write(" ORDER BY t.id LIMIT 50") }) })
		b.Run("list1000", func(b *testing.B) {
			run(b, true, func(q *db.Builder, _ int) { q.Write(" ORDER BY t.id LIMIT 1000") })
		})
		bare := func(b *testing.B, many bool, rest string, args func(n int) []any) {
			q, _ := build(many, func(q *db.Builder) { q.Write(rest) })
			b.ReportAllocs()
			n := 0
			if d.Name() == "sqlite" {
				pool := bareSQLite(b, d)
				stmt, err := pool.PrepareContext(ctx, q.String())
				if err != nil {
					b.Fatal(err)
				}
				var answer sql.RawBytes
				for b.Loop() {
					rows, err := stmt.QueryContext(ctx, args(n)...)
					if err != nil {
						b.Fatal(err)
					}
					for rows.Next() {
						if err := rows.Scan(&answer); err != nil {
							b.Fatal(err)
						}
					}
					if err := errors.Join(rows.Err(), rows.Close()); err != nil {
						b.Fatal(err)
					}
					n++
				}
				return
			}
			pool := d.Engine().(interface{ Pool() *pgxpool.Pool }).Pool()
			for b.Loop() { // rows that are only read, not formatted
				rows, err := pool.Query(ctx, q.String(), args(n)...)
				if err != nil {
					b.Fatal(err)
				}
				for rows.Next() {
					_ = rows.RawValues()
				}
				if rows.Err() != nil {
					b.Fatal(rows.Err())
				}
				n++
			}
		}
		place := string(d.AppendPlaceholder(nil, 1))
		b.Run("bare-point", func(b *testing.B) {
			bare(b, false, " WHERE t.id = "+place, func(n int) []any { return []any{ids[n%len(ids)]} })
		})
		b.Run("bare-list50", func(b *testing.B) {
			bare(b, true, " ORDER BY t.id LIMIT 50", func(int) []any { return nil })
		})
		b.Run("bare-list1000", func(b *testing.B) {
			bare(b, true, " ORDER BY t.id LIMIT 1000", func(int) []any { return nil })
		})
	})
}

// bareSQLite returns a pool of plain connections to the same file.
func bareSQLite(b *testing.B, d *db.DB) *sql.DB {
	b.Helper()
	var path string
	if err := d.Query(b.Context(), db.New(d.Dialect).Write("SELECT file FROM pragma_database_list WHERE name = 'main'"), func(scan func(...any) error) error { return scan(&path) }); err != nil {
		b.Fatal(err)
	}
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=query_only(1)&_pragma=mmap_size(1073741824)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	return pool
}

// BenchmarkInsertBare is BenchmarkInsertAlone with database/sql and one prepared statement.
func BenchmarkInsertBare(b *testing.B) {
	d := dbtest.SQLite(b)
	benchTable(b, d, 1)
	pool := d.Engine().(interface{ Writer() *sql.DB }).Writer()
	stmt, err := pool.PrepareContext(b.Context(), insertBench(d, benchRow(1)).String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		tx, err := pool.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tx.StmtContext(b.Context(), stmt).ExecContext(b.Context(), insertBench(d, benchRow(1)).Args()...); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
