package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresSQL has the statement of each workload: the rows become JSON in the database.
var postgresSQL = map[string]string{
	"W1": `SELECT row_to_json(o) FROM (
  SELECT id, contact_id, account_id, order_no, status, total, currency, is_paid, placed_at, created_at FROM orders WHERE id = $1) o`,
	"W2": postgresOrders("50"),
	"W3": `SELECT coalesce(json_agg(row_to_json(x)), '[]') FROM (
  SELECT a.id, a.name, a.revenue, a.country, c.contact FROM (
    SELECT id, name, revenue, country FROM account WHERE country = $1 ORDER BY revenue DESC, id LIMIT 20 OFFSET $2) a
  LEFT JOIN LATERAL (SELECT coalesce(json_agg(row_to_json(y)), '[]') AS contact FROM (
    SELECT c.id, c.first_name, c.last_name, c.email, o.orders FROM (
      SELECT id, first_name, last_name, email FROM contact WHERE account_id = a.id ORDER BY id LIMIT 10) c
    LEFT JOIN LATERAL (SELECT coalesce(json_agg(row_to_json(z)), '[]') AS orders FROM (
      SELECT id, order_no, status, total, placed_at FROM orders WHERE contact_id = c.id ORDER BY placed_at DESC, id LIMIT 5) z) o ON true) y) c ON true) x`,
	"W5": `INSERT INTO bench_row (id, version, created_at, created_by, updated_at, updated_by, account_id, first_name, last_name, email, score)
VALUES ($1, 1, now(), '00000000-0000-7000-8000-000000000000', now(), '00000000-0000-7000-8000-000000000000', $2, $3, $4, $5, $6)
RETURNING json_build_object('id', id, 'first_name', first_name, 'created_at', created_at)`,
	"W4":  postgresGroups("status = $1"),
	"W4s": postgresGroups("account_id = $1"),
	"W7":  postgresOrders("1000"),
	"W8": `SELECT coalesce(json_agg(o), '[]') FROM (
  SELECT id, name, industry, country, employees, revenue, is_active, website, created_at, updated_at
  FROM account WHERE owner_id = $1 AND is_active ORDER BY revenue DESC, id LIMIT 50 OFFSET $2) o`,
	"W10": `SELECT json_build_object('orders', (SELECT coalesce(json_agg(o), '[]') FROM (
  SELECT o.id, o.contact_id, o.account_id, o.order_no, o.status, o.total, o.currency, o.is_paid, o.placed_at, o.created_at
  FROM orders o JOIN account a ON a.id = o.account_id WHERE a.country = $1 ORDER BY o.placed_at DESC, o.id LIMIT 50 OFFSET $2) o),
  'orders_aggregate', json_build_object('aggregate', json_build_object('count', (
    SELECT count(*) FROM orders o JOIN account a ON a.id = o.account_id WHERE a.country = $1))))`,
}

func postgresGroups(where string) string {
	return `SELECT coalesce(json_agg(json_build_object('key', json_build_object('currency', currency), 'aggregate', json_build_object('count', n, 'sum', json_build_object('total', total)))), '[]')
FROM (SELECT currency, count(*) AS n, sum(total) AS total FROM orders WHERE ` + where + ` GROUP BY currency ORDER BY currency) g`
}

func postgresOrders(limit string) string {
	return `SELECT coalesce(json_agg(o), '[]') FROM (
  SELECT id, contact_id, account_id, order_no, status, total, currency, is_paid, placed_at, created_at
  FROM orders WHERE status = $1 ORDER BY placed_at DESC, id LIMIT ` + limit + ` OFFSET $2) o`
}

type postgresDB struct{ pool *pgxpool.Pool }

func openPostgres(ctx context.Context, url string) (*postgresDB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 20
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &postgresDB{pool}, pool.Ping(ctx)
}

func (p *postgresDB) read(dst []byte, workload string, args ...any) ([]byte, error) {
	rows, err := p.pool.Query(context.Background(), postgresSQL[workload], args...) // which the pool prepares once on each connection
	if err != nil {
		return dst, err
	}
	if rows.Next() {
		dst = append(dst, rows.RawValues()[0]...)
	}
	rows.Close()
	return dst, rows.Err()
}

func (p *postgresDB) insert(dst []byte, r row) ([]byte, error) {
	return p.read(dst, "W5", r.ID, r.Account, r.First, r.Last, r.Email, r.Score)
}

const postgresInsertAll = `INSERT INTO bench_ruled (id, version, created_at, created_by, updated_at, updated_by, account_id, first_name, last_name, email, score)
SELECT r.id, 1, now(), '00000000-0000-7000-8000-000000000000', now(), '00000000-0000-7000-8000-000000000000', r.account, r.first, r.last, r.email, r.score
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS r(id, account, first, last, email, score)`

func (p *postgresDB) insertAll(rows []row) error {
	columns := make([][]string, 5)
	scores := make([]int, len(rows))
	for i, r := range rows {
		for j, v := range []string{r.ID, r.Account, r.First, r.Last, r.Email} {
			columns[j] = append(columns[j], v)
		}
		scores[i] = r.Score
	}
	_, err := p.pool.Exec(context.Background(), postgresInsertAll, columns[0], columns[1], columns[2], columns[3], columns[4], scores)
	return err
}

func (p *postgresDB) close() { p.pool.Close() }
