package tables

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// reachColumns are what a list shows.
var reachColumns = []string{"id", "title", "stage", "amount", "at", "owner_id"}

// byHand says what follows the condition on rights in the lists of [crowdLists], and how they are sorted.
var byHand = map[string][2]string{
	"id":     {"", "t.id"},
	"latest": {"", "t.at DESC, t.id"},
	"keyset": {" AND t.at <= '" + crowdMiddle + "' AND (t.at < '" + crowdMiddle + "' OR t.id > '" + string(core.Everyone) + "')", "t.at DESC, t.id"},
	"open":   {" AND t.stage = 'open'", "t.at DESC, t.id"},
}

// handwritten are ways in which somebody who knows the database would write a list for a caller, and its arguments. The fastest of them counts.
func handwritten(c core.Caller, way, table, where, order string, pg bool) (texts []string, args []any) {
	in := func(column string, ids ...core.ID) string { // one argument, prepared for any number
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = string(id)
		}
		if pg {
			args = append(args, list)
			return column + " = ANY($" + strconv.Itoa(len(args)) + "::uuid[])"
		}
		text, err := json.Marshal(list)
		if err != nil {
			panic(err)
		}
		args = append(args, string(text))
		return column + " IN (SELECT value FROM json_each(?" + strconv.Itoa(len(args)) + "))"
	}
	now := "strftime('%Y-%m-%dT%H:%M:%f', 'now')"
	if pg {
		now = "statement_timestamp()"
	}
	var arms []string  // in their cheapest form for few rows
	var tests []string // of a row that is at hand
	owners := append([]core.ID{c.User}, append(c.Teams, c.Reports...)...)
	arms = append(arms, in("t.owner_id", owners...))
	switch way {
	case "unit":
		arms = append(arms, in("t.unit_id", c.Unit))
	case "below_few", "below_half", "below_all":
		arms = append(arms, in("t.unit_id", c.Below...))
	}
	tests = append(tests, arms...)
	mine := in("s.principal_id", append([]core.ID{c.User, core.Everyone}, c.Teams...)...) + " AND s.rights & 1 <> 0 AND (s.expires_at IS NULL OR s.expires_at > " + now + ")"
	among := func(column, table string) {
		before, after := " IN (", ")"
		if pg {
			before, after = " = ANY(ARRAY(", "))"
		}
		arms = append(arms, column+before+`SELECT s.record_id FROM "_share" s WHERE s.table_name = '`+table+"' AND "+mine+after)
		tests = append(tests, `EXISTS (SELECT 1 FROM "_share" s WHERE s.table_name = '`+table+"' AND s.record_id = "+column+" AND "+mine+")")
	}
	among("t.id", table)
	if way == "inherited" {
		among("t.account_id", "account")
	}
	columns := "t." + strings.Join(reachColumns, ", t.")
	list := func(from string) {
		if pg {
			texts = append(texts, "SELECT coalesce(json_agg(row_to_json(x)), '[]')::text FROM ("+from+") x")
			return
		}
		object := ""
		for _, c := range reachColumns {
			object += ", '" + c + "', x." + c
		}
		texts = append(texts, "SELECT json_group_array(json_object("+object[2:]+")) FROM ("+from+") x")
	}
	end := " ORDER BY " + order + " LIMIT 50"
	if way == "organization" {
		args = nil
		list("SELECT " + columns + " FROM " + table + " t WHERE TRUE" + where + end)
		return texts, args
	}
	any := " WHERE (" + strings.Join(arms, " OR ") + ")"
	list("SELECT " + columns + " FROM " + table + " t" + any + where + end)
	if pg { // the rows first
		list("SELECT " + columns + " FROM (SELECT * FROM " + table + " t" + any + where + " OFFSET 0) t" + end)
	}
	test := " WHERE (" + strings.Join(tests, " OR ") + ")" + where
	if !pg {
		test = strings.NewReplacer("t.owner_id", "+t.owner_id", "t.unit_id", "+t.unit_id").Replace(test)
	}
	list("SELECT " + columns + " FROM " + table + " t" + test + end)
	var each []string
	for _, arm := range arms {
		each = append(each, "SELECT t.* FROM "+table+" t WHERE "+arm+where)
	}
	list("SELECT " + columns + " FROM (" + strings.Join(each, " UNION ") + ") t" + end)
	return texts, args
}

// BenchmarkReach reads lists of 50 records from 100,000, for callers who reach them by each of the ways of a [crowd], and the same by
// hand-written SQL that returns finished JSON, over the same tables and indexes, in turns. It reports how much of the speed of the
// fastest handwritten form is left.
//
//	go test ./tables -run '^$' -bench 'Reach$' -benchtime 1x
func BenchmarkReach(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		path := dbtest.SQLitePath(b)
		s := open(b, dbtest.Open(b, sqlite.Dialect{}, path), Options{})
		bare, err := sql.Open("sqlite", path+"?mode=ro&_pragma=cache_size(-8000)&_pragma=mmap_size(1073741824)")
		must(b, err)
		defer func() { _ = bare.Close() }()
		bare.SetMaxOpenConns(1)
		stmts := map[string]*sql.Stmt{}
		reachRatios(b, s, func(text string, args []any) []byte {
			stmt := stmts[text]
			if stmt == nil {
				stmt, err = bare.Prepare(text)
				must(b, err)
				stmts[text] = stmt
			}
			var out []byte
			must(b, stmt.QueryRow(args...).Scan(&out))
			return out
		}, func() []int { return nil })
	})
	if os.Getenv(dbtest.PostgresEnv) == "" {
		return
	}
	b.Run("postgres", func(b *testing.B) {
		dsn := dbtest.PostgresDSN(b)
		pool, err := pgxpool.New(b.Context(), dsn)
		must(b, err)
		defer pool.Close()
		ctx := context.Background()
		reachRatios(b, open(b, dbtest.Open(b, postgres.Dialect{}, dsn), Options{}), func(text string, args []any) (out []byte) {
			rows, err := pool.Query(ctx, text, args...)
			must(b, err)
			for rows.Next() {
				out = append(out[:0], rows.RawValues()[0]...)
			}
			must(b, rows.Err())
			return out
		}, func() (pids []int) {
			rows, err := pool.Query(b.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
			must(b, err)
			pids, err = pgx.CollectRows(rows, pgx.RowTo[int])
			must(b, err)
			return pids
		})
	})
}

// reachRatios measures on one database. bare answers a statement by the driver alone.
func reachRatios(b *testing.B, s *Store, bare func(text string, args []any) []byte, backends func() []int) {
	c := newAnalyzed(b, s, 100_000)
	snap := s.Snapshot()
	for _, list := range crowdLists {
		q := Query{Limit: 50, Where: list.Cond, Order: list.order}
		for _, f := range reachColumns {
			q.Fields = append(q.Fields, Field{As: f, Column: f})
		}
		for _, way := range crowdWays {
			q, ctx := q, c.callers[way]
			q.Table = c.table[way]
			texts, args := handwritten(core.CallerFrom(ctx), way, q.Table, byHand[list.name][0], byHand[list.name][1], s.db.Name() == "postgres")
			b.Run(list.name+"/"+way, func(b *testing.B) {
				plan, err := s.Prepare(ctx, snap, q) // which a server keeps
				must(b, err)
				var buf []byte
				ours := func() {
					buf, err = s.Answer(ctx, plan, nil, buf[:0])
					must(b, err)
				}
				ours()
				best, text := time.Hour, ""
				for _, t := range texts {
					sameRows(b, buf, bare(t, args))
					took := time.Hour
					for try := range 12 {
						start := time.Now()
						bare(t, args)
						if try >= 6 { // by then PostgreSQL has settled on a plan
							took = min(took, time.Since(start))
						}
					}
					if took < best {
						best, text = took, t
					}
				}
				for range 7 {
					ours()
				}
				times := max(3, int(20*time.Millisecond/best))
				block := func(f func()) (out spent) {
					start, busy := time.Now(), processors(b, backends())
					for range times {
						f()
					}
					return spent{written: time.Since(start), busy: processors(b, backends()) - busy}
				}
				var byHand, byUs []float64
				var handBusy, ourBusy time.Duration
				for b.Loop() {
					for range 7 {
						hand, us := block(func() { bare(text, args) }), block(ours)
						byHand, byUs = append(byHand, hand.written.Seconds()/float64(times)), append(byUs, us.written.Seconds()/float64(times))
						handBusy, ourBusy = handBusy+hand.busy, ourBusy+us.busy
					}
				}
				hand, us := median(byHand), median(byUs)
				b.ReportMetric(hand/us, "ratio")
				b.ReportMetric(handBusy.Seconds()/max(ourBusy.Seconds(), 1e-9), "cpu-ratio")
				b.ReportMetric(hand*1e6, "hand-us")
				b.ReportMetric(us*1e6, "ours-us")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// sameRows checks that two lists are of the same records.
func sameRows(b *testing.B, ours, hand []byte) {
	b.Helper()
	ids := func(raw []byte) (out []string) {
		var list []struct{ ID string }
		must(b, json.Unmarshal(raw, &list))
		for _, r := range list {
			out = append(out, r.ID)
		}
		return out
	}
	if a, h := ids(ours), ids(hand); !slices.Equal(a, h) {
		b.Fatalf("%d rows by us, %d by hand, which are not the same", len(a), len(h))
	}
}
