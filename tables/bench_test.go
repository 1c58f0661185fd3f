package tables

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

// benchStores runs f on both databases. bare runs one statement on the driver itself, without us.
func benchStores(b *testing.B, f func(b *testing.B, s *Store, bare func(text string, args ...any))) {
	b.Run("sqlite", func(b *testing.B) {
		d := dbtest.SQLite(b)
		plain, err := sql.Open("sqlite", b.TempDir()+"/bare.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		must(b, err)
		plain.SetMaxOpenConns(1)
		defer func() { _ = plain.Close() }()
		stmts := map[string]*sql.Stmt{}
		f(b, open(b, d, Options{}), func(text string, args ...any) {
			stmt := stmts[text]
			if stmt == nil {
				stmt, err = plain.Prepare(text)
				must(b, err)
				stmts[text] = stmt
			}
			rows, err := stmt.Query(args...)
			must(b, err)
			for rows.Next() {
				var raw sql.RawBytes
				must(b, rows.Scan(&raw))
			}
			must(b, rows.Close())
		})
	})
	if os.Getenv(dbtest.PostgresEnv) == "" {
		return
	}
	b.Run("postgres", func(b *testing.B) {
		dsn := dbtest.PostgresDSN(b)
		pool, err := pgxpool.New(b.Context(), dsn)
		must(b, err)
		defer pool.Close()
		f(b, open(b, dbtest.Open(b, postgres.Dialect{}, dsn), Options{}), func(text string, args ...any) {
			rows, err := pool.Query(context.Background(), text, args...)
			must(b, err)
			for rows.Next() {
				rows.RawValues()
			}
			must(b, rows.Err())
		})
	})
}

func benchReader(b *testing.B, s *Store) context.Context {
	b.Helper()
	define(b, s, shop()...)
	all := []authz.Privilege{authz.Create, authz.Read, authz.Update}
	role(b, s, "seller", append(append(grant("product", authz.Unit, []string{"cost"}, all...), grant("purchase", authz.Unit, nil, all...)...), append(grant("shop", authz.Organization, nil, authz.Read, authz.AppendTo), grant("product", authz.Unit, nil, authz.Append)...)...)...)
	return person(b, s, "ann", core.RootUnit, "seller")
}

var benchList = Query{
	Table: "product", Limit: 50, Where: Compare{Column: "price", Op: Gt, Value: int64(1)}, Order: []Order{{Column: "title"}},
	Fields: []Field{{As: "id", Column: "id"}, {As: "title", Column: "title"}, {As: "price", Column: "price"}},
}

func BenchmarkPlan(b *testing.B) {
	for name, q := range map[string]Query{"list": benchList, "nested": {
		Table: "product", Limit: 20, Where: Related{Relation: "shop", Where: Compare{Column: "city", Op: Eq, Value: "Rome"}},
		Fields: []Field{{As: "id", Column: "id"}, {As: "shop", Relation: "shop", Query: &Query{Fields: []Field{{As: "city", Column: "city"}}}}, {As: "purchases", Relation: "purchase_by", Query: &Query{Limit: 3, Fields: []Field{{As: "amount", Column: "amount"}}}}},
	}} {
		s := open(b, dbtest.SQLite(b), Options{})
		ctx := benchReader(b, s)
		if name == "nested" {
			q.Fields[2].Relation = "purchase"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.SQL(ctx, s.Snapshot(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInsertOne(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, bare func(text string, args ...any)) {
		ctx := benchReader(b, s)
		shopID := mustInsert(b, root(b), s, "shop", core.Record{"code": "a"})[0]
		b.Run("ours", func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				_, err := insert(ctx, s, "product", core.Record{"title": fmt.Sprint("T", core.NewID()[19:]), "price": "2.50", "shop_id": string(shopID)})
				must(b, err)
			}
		})
		b.Run("bare", func(b *testing.B) {
			b.ReportAllocs()
			placeholders := "$1, $2, $3, $4"
			bare("CREATE TABLE bare (id uuid PRIMARY KEY, title text, price numeric(10, 2), shop_id uuid)")
			bare("CREATE INDEX bare_shop ON bare (shop_id)")
			for b.Loop() {
				bare("INSERT INTO bare (id, title, price, shop_id) VALUES ("+placeholders+")", string(core.NewID()), "T", "2.50", string(shopID))
			}
			bare("DROP TABLE bare")
		})
	})
}

func BenchmarkInsert1000(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, _ func(text string, args ...any)) {
		ctx := benchReader(b, s)
		rows := make([]core.Record, 1000)
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			n++
			for i := range rows {
				rows[i] = core.Record{"title": "T", "stock": n*1000 + i, "price": "2.50"}
			}
			_, err := insert(ctx, s, "product", rows...)
			must(b, err)
		}
	})
}

func BenchmarkList50(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, bare func(text string, args ...any)) {
		ctx := benchReader(b, s)
		rows := make([]core.Record, 500)
		for i := range rows {
			rows[i] = core.Record{"title": fmt.Sprintf("T%d", i*7919%500), "price": "2.50"}
		}
		mustInsert(b, ctx, s, "product", rows...)
		b.Run("ours", func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				var err error
				buf, err = s.Query(ctx, s.Snapshot(), benchList, buf[:0])
				must(b, err)
			}
		})
		b.Run("bare", func(b *testing.B) { // the same rows, without a policy
			b.ReportAllocs()
			bare("CREATE TABLE bare (id uuid PRIMARY KEY, title text, price numeric(10, 2))")
			for _, r := range rows {
				bare("INSERT INTO bare (id, title, price) VALUES ($1, $2, $3)", string(core.NewID()), r["title"], "2.50")
			}
			for b.Loop() {
				bare("SELECT id || title || price FROM bare WHERE price > 1 ORDER BY title, id LIMIT 50")
			}
			bare("DROP TABLE bare")
		})
	})
}
