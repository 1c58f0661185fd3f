package tables

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// bulkColumns are ten columns of a bulk write, and their types on the bare databases.
var bulkColumns = []struct {
	core.Column
	sqlite, postgres string
}{
	{core.Column{Name: "code", Kind: core.Text, Unique: true}, "TEXT UNIQUE", "text UNIQUE"},
	{core.Column{Name: "title", Kind: core.Text}, "TEXT", "text"},
	{core.Column{Name: "city", Kind: core.Text}, "TEXT", "text"},
	{core.Column{Name: "amount", Kind: core.Integer}, "INTEGER", "bigint"},
	{core.Column{Name: "price", Kind: core.Decimal, Precision: 12, Scale: 2}, "TEXT", "numeric(12, 2)"},
	{core.Column{Name: "ratio", Kind: core.Float}, "REAL", "float8"},
	{core.Column{Name: "paid", Kind: core.Boolean}, "INTEGER", "boolean"},
	{core.Column{Name: "day", Kind: core.Date}, "TEXT", "date"},
	{core.Column{Name: "at", Kind: core.Timestamp}, "TEXT", "timestamptz"},
	{core.Column{Name: "note", Kind: core.LongText}, "TEXT", "text"},
}

func bulkValues(i, round int) []any {
	n := i*7919 + round
	return []any{
		"code-" + strconv.Itoa(i), "A title of some length " + strconv.Itoa(n), "City " + strconv.Itoa(n%1000), int64(n), fmt.Sprintf("%d.%02d", n%100000, n%100),
		float64(n) / 8, n%3 == 0, "2024-0" + strconv.Itoa(1+n%9) + "-1" + strconv.Itoa(n%10), "2024-01-01T10:00:" + fmt.Sprintf("%02d", n%60) + "Z", "A note with a few words in it, as people write them: " + strconv.Itoa(n),
	}
}

// bulkRows are the rows of one round: as values for the bare driver, and as records.
func bulkRows(n, round int) (values [][]any, records []core.Record) {
	values, records = make([][]any, n), make([]core.Record, n)
	for i := range n {
		values[i], records[i] = bulkValues(i, round), make(core.Record, len(bulkColumns))
		for j, v := range values[i] {
			records[i][bulkColumns[j].Name] = v
		}
	}
	return values, records
}

// bareStatement inserts rows, or with upsert changes those whose code is there. placeholder is that of the n-th argument.
func bareStatement(rows int, upsert bool, placeholder func(n int) string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO bare (id")
	for _, c := range bulkColumns {
		b.WriteString(", " + c.Name)
	}
	b.WriteString(") VALUES ")
	for i, n := 0, 1; i < rows; i++ {
		b.WriteString([]string{"(", ", ("}[min(i, 1)])
		for j := range len(bulkColumns) + 1 {
			b.WriteString([]string{"", ", "}[min(j, 1)] + placeholder(n))
			n++
		}
		b.WriteString(")")
	}
	if upsert {
		b.WriteString(" ON CONFLICT (code) DO UPDATE SET ")
		for i, c := range bulkColumns[1:] {
			b.WriteString([]string{"", ", "}[min(i, 1)] + c.Name + " = excluded." + c.Name)
		}
	}
	return b.String()
}

// spent is what a bulk write took.
type spent struct {
	written, copied time.Duration // by the clock: until the commit, and until the log was copied
	busy            time.Duration // of processors
}

func (s *spent) add(other spent) {
	s.written, s.copied, s.busy = s.written+other.written, s.copied+other.copied, s.busy+other.busy
}

// report reports how much of the speed of s is left to ours.
func (s *spent) report(b *testing.B, ours spent, name string) {
	b.ReportMetric(s.written.Seconds()/ours.written.Seconds(), name+"-ratio")
	b.ReportMetric(s.copied.Seconds()/ours.copied.Seconds(), name+"-copied-ratio")
	if s.busy > 0 {
		b.ReportMetric(s.busy.Seconds()/ours.busy.Seconds(), name+"-cpu-ratio")
		b.ReportMetric(float64(ours.busy.Microseconds())/float64(b.N)/bulkN, name+"-cpu-us")
	}
}

// processors is what this process and others have used of processors; of others only where /proc tells.
func processors(b *testing.B, others []int) time.Duration {
	b.Helper()
	var own syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	busy := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	for _, pid := range others {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it has ended, or there is no /proc
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:13] { // user and system, in hundredths: proc(5)
			ticks, err := strconv.ParseInt(f, 10, 64)
			must(b, err)
			busy += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return busy
}

// bulkN is how many rows are written at once.
const bulkN = 100_000

// BenchmarkBulk writes 100,000 rows of 10 columns in one transaction, with history and events, and the same rows with
// multi-row statements of the bare driver, and reports how much of its speed is left: by the clock, and by the time of processors
// that this process and the backends of PostgreSQL take. On SQLite the bare driver's commit copies the
// log into the database, and ours leaves that to a connection behind it: the ratios of what is copied, and those of the
// processors, wait for that.
//
//	go test ./tables -run '^$' -bench Bulk -benchtime 3x
func BenchmarkBulk(b *testing.B) {
	const n = bulkN
	side := func(b *testing.B, s *Store, together int, placeholder func(int) string, begin func(f func(exec func(text string, args ...any))), copied func(), backends func() []int) {
		table := core.Table{Name: "item"}
		var types []string
		for _, c := range bulkColumns {
			table.Columns = append(table.Columns, c.Column)
			t := c.sqlite
			if s.db.Name() == "postgres" {
				t = c.postgres
			}
			types = append(types, c.Name+" "+t)
		}
		define(b, s, core.CreateTable{Define: table})
		id := "TEXT PRIMARY KEY"
		if s.db.Name() == "postgres" {
			id = "uuid PRIMARY KEY"
		}
		begin(func(exec func(string, ...any)) {
			exec("CREATE TABLE bare (id " + id + ", " + strings.Join(types, ", ") + ")")
		})
		bare := func(rows [][]any, upsert bool) spent {
			text := bareStatement(together, upsert, placeholder)
			start, busy := time.Now(), processors(b, backends())
			begin(func(exec func(string, ...any)) {
				for from := 0; from < n; from += together {
					args := make([]any, 0, together*(len(bulkColumns)+1))
					for i := from; i < from+together; i++ {
						args = append(append(args, string(core.NewID())), rows[i]...)
					}
					exec(text, args...)
				}
			})
			return spent{time.Since(start), time.Since(start), processors(b, backends()) - busy}
		}
		ours := func(rows []core.Record, conflict *OnConflict) (out spent) {
			start, busy := time.Now(), processors(b, backends())
			err := s.Tx(root(b), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.Insert(ctx, Insert{Table: "item", Rows: rows, OnConflict: conflict})
				if err == nil && res.Affected() != n {
					err = fmt.Errorf("%d rows", res.Affected())
				}
				return err
			})
			must(b, err)
			out.written = time.Since(start)
			copied()
			out.copied, out.busy = time.Since(start), processors(b, backends())-busy
			return out
		}
		var update []string
		for _, c := range bulkColumns[1:] {
			update = append(update, c.Name)
		}
		var insertBare, insertOurs, upsertBare, upsertOurs spent
		for round := 0; b.Loop(); round++ {
			begin(func(exec func(string, ...any)) { exec("DELETE FROM bare") })
			_, err := s.db.Exec(b.Context(), newBuilder(s).Write("DELETE FROM ").Name("item"))
			must(b, err)
			values, records := bulkRows(n, 2*round)
			insertBare.add(bare(values, false))
			insertOurs.add(ours(records, nil))
			values, records = bulkRows(n, 2*round+1)
			upsertBare.add(bare(values, true))
			upsertOurs.add(ours(records, &OnConflict{Key: "code", Update: update}))
		}
		insertBare.report(b, insertOurs, "insert")
		upsertBare.report(b, upsertOurs, "upsert")
		b.ReportMetric(float64(n*b.N)/insertOurs.written.Seconds(), "inserts/s")
		b.ReportMetric(float64(n*b.N)/upsertOurs.written.Seconds(), "upserts/s")
	}
	b.Run("sqlite", func(b *testing.B) {
		plain, err := sql.Open("sqlite", b.TempDir()+"/bare.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		must(b, err)
		defer func() { _ = plain.Close() }()
		plain.SetMaxOpenConns(1)
		// More rows in one statement are slower: 100 of them are the driver's best.
		path := dbtest.SQLitePath(b)
		s := open(b, dbtest.Open(b, sqlite.Dialect{}, path), Options{})
		beside, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)&_pragma=synchronous(FULL)")
		must(b, err)
		defer func() { _ = beside.Close() }()
		copied := func() {
			_, err := beside.Exec("PRAGMA wal_checkpoint(FULL)") // waits for the one that is at work
			must(b, err)
		}
		side(b, s, 100, func(int) string { return "?" }, func(f func(func(string, ...any))) {
			tx, err := plain.Begin()
			must(b, err)
			stmts := map[string]*sql.Stmt{}
			f(func(text string, args ...any) {
				if stmts[text] == nil {
					stmts[text], err = tx.Prepare(text)
					must(b, err)
				}
				_, err := stmts[text].Exec(args...)
				must(b, err)
			})
			must(b, tx.Commit())
		}, copied, func() []int { return nil })
	})
	if os.Getenv(dbtest.PostgresEnv) == "" {
		return
	}
	b.Run("postgres", func(b *testing.B) {
		dsn := dbtest.PostgresDSN(b)
		pool, err := pgxpool.New(b.Context(), dsn)
		must(b, err)
		defer pool.Close()
		side(b, open(b, dbtest.Open(b, postgres.Dialect{}, dsn), Options{}), 1000, func(n int) string { return "$" + strconv.Itoa(n) }, func(f func(func(string, ...any))) {
			ctx := context.Background()
			tx, err := pool.Begin(ctx)
			must(b, err)
			f(func(text string, args ...any) {
				_, err := tx.Exec(ctx, text, args...)
				must(b, err)
			})
			must(b, tx.Commit(ctx))
		}, func() {}, func() (pids []int) {
			rows, err := pool.Query(b.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
			must(b, err)
			pids, err = pgx.CollectRows(rows, pgx.RowTo[int])
			must(b, err)
			return pids
		})
	})
}
