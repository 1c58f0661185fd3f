package tables

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestBulkCounts inserts as many rows as limits of statements and drivers are made of: what is counted is what is stored.
func TestBulkCounts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "n", Kind: core.Integer}}}})
		total := 0
		for _, size := range []int{0, 1, 999, 1000, 32_766, 65_535, 65_536, 100_000} {
			rows := make([]core.Record, size)
			for i := range rows {
				rows[i] = core.Record{"n": int64(size)}
			}
			var res Result
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
				res, err = tx.Insert(ctx, Insert{Table: "item", Rows: rows})
				return err
			}))
			total += size
			stored, err := s.Count(root(t), s.Snapshot(), "item", Compare{Column: "n", Op: Eq, Value: int64(size)})
			must(t, err)
			if res.Inserted != size || len(res.IDs) != size || len(res.Items) != size || stored != size {
				t.Fatalf("%d rows: %d inserted, %d ids, %d items, %d stored", size, res.Inserted, len(res.IDs), len(res.Items), stored)
			}
			if h, e := rowsOf(t, s, "_history"), rowsOf(t, s, "_event"); h != total || e != total {
				t.Fatalf("%d rows in all: %d in the history, %d events", total, h, e)
			}
		}
	})
}

// TestBulkMemory writes many times the rows of a batch: what an insert holds besides its rows and its result does not grow
// with them.
func TestBulkMemory(t *testing.T) {
	s := open(t, dbtest.SQLite(t), Options{})
	define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "note", Kind: core.LongText}}}})
	text := strings.Repeat("x", 1000)
	held := func(batches int) uint64 {
		rows := make([]core.Record, batches*batchRows)
		for i := range rows {
			rows[i] = core.Record{"note": text}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			res, err := tx.Insert(ctx, Insert{Table: "item", Rows: rows})
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(res)
			return err
		}))
		runtime.KeepAlive(rows)
		return (after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)) / uint64(len(rows))
	}
	held(1)
	if perRow := held(12); perRow > 400 { // an id, an item, and what the database keeps of a transaction
		t.Errorf("an insert keeps %d bytes for each row", perRow)
	}
}

// TestBulkNamesTheRow inserts many rows one of which has the key of the first: the error tells which, wherever in a batch or
// a statement it is, and nothing is written.
func TestBulkNamesTheRow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "n", Kind: core.Integer, Unique: true}}}})
		for _, wrong := range []int{1, 63, 64, 65, batchRows - 1, batchRows, batchRows + 1, batchRows + 100} {
			rows := make([]core.Record, batchRows+200)
			for i := range rows {
				rows[i] = core.Record{"n": int64(i)}
			}
			rows[wrong] = core.Record{"n": int64(0)}
			err := s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: "item", Rows: rows})
				return err
			})
			if e := core.AsError(err); err == nil || e.Kind != core.Exists || e.Item != wrong+1 || e.Column != "n" {
				t.Errorf("row %d: %v", wrong+1, err)
			}
		}
		if n, h, e := rowsOf(t, s, "item"), rowsOf(t, s, "_history"), rowsOf(t, s, "_event"); n+h+e > 0 {
			t.Errorf("%d records, %d versions and %d events are left", n, h, e)
		}
	})
}

// shelf is what a table of the property test holds, in plain Go: by its key, the values and the version.
type shelf map[string]*stack

type stack struct {
	id      core.ID
	amount  int64
	version int64
}

// TestWritesAgainstModel makes random writes and compares every answer, and then all records, with a map. After each, the
// store is sound: one event and one history row a version, no gap, every lookup resolves.
func TestWritesAgainstModel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: []core.Column{
			{Name: "code", Kind: core.Text, Required: true, Unique: true}, {Name: "amount", Kind: core.Integer},
		}, Rules: []core.Rule{{Name: "no debts", When: "amount < 0", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "an amount is positive"}}}}}})
		model := shelf{}
		rapid.Check(t, func(r *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(r, "writes") {
				model.step(t, r, s)
			}
			model.compare(t, s)
		})
		mustBeSound(t, s)
	})
}

func (m shelf) step(t *testing.T, r *rapid.T, s *Store) {
	codes := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 1, 5).Draw(r, "codes")
	amount := rapid.Int64Range(-1, 3).Draw(r, "amount")
	mode := rapid.SampledFrom([]string{"insert", "upsert", "update_only", "ignore", "report", "dry", "increase", "version", "delete"}).Draw(r, "mode")
	rows := make([]core.Record, len(codes))
	for i, c := range codes {
		rows[i] = core.Record{"code": c, "amount": amount}
	}
	in := Insert{Table: "item", Rows: rows, Report: mode == "report"}
	switch mode {
	case "upsert":
		in.OnConflict = &OnConflict{Key: "code", Update: []string{"amount"}}
	case "update_only":
		in.OnConflict = &OnConflict{Key: "code", Update: []string{"amount"}, Exists: true}
	case "ignore":
		in.OnConflict = &OnConflict{Key: "code"}
	}
	var res Result
	err := s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
		switch mode {
		case "increase":
			res, err = tx.Update(ctx, Update{Table: "item", Where: Compare{Column: "code", Op: Eq, Value: codes[0]}, Inc: core.Record{"amount": amount}})
		case "version":
			res, err = tx.Update(ctx, Update{Table: "item", Where: Compare{Column: "code", Op: Eq, Value: codes[0]}, Set: core.Record{"amount": amount}, IfVersion: 2})
		case "delete":
			res, err = tx.Delete(ctx, Remove{Table: "item", Where: Compare{Column: "code", Op: Eq, Value: codes[0]}})
		case "dry":
			return tx.DryRun(ctx, func() error {
				_, err := tx.Insert(ctx, in)
				return err
			})
		default:
			res, err = tx.Insert(ctx, in)
		}
		return err
	})
	want, ok := m.apply(mode, codes, amount)
	if (err == nil) != ok {
		t.Fatalf("%s %v %d: error %v, the model says it works: %v", mode, codes, amount, err, ok)
	}
	if !ok || mode == "dry" {
		return
	}
	var got []Outcome
	for i, it := range res.Outcomes() {
		got = append(got, it.Outcome)
		if it.Outcome == Created {
			m[codes[i]].id = it.ID
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s %v %d: %v, the model says %v", mode, codes, amount, got, want)
	}
}

// apply does the write to the model, or nothing when one of its rows is wrong.
func (m shelf) apply(mode string, codes []string, amount int64) (out []Outcome, ok bool) {
	one := m[codes[0]]
	switch mode {
	case "increase", "version":
		if one == nil {
			return nil, true
		}
		next := amount
		if mode == "increase" {
			next += one.amount
		}
		if next < 0 || mode == "version" && one.version != 2 {
			return nil, false
		}
		return []Outcome{one.set(next)}, true
	case "delete":
		if one == nil {
			return nil, true
		}
		delete(m, codes[0])
		return []Outcome{Deleted}, true
	}
	next := shelf{}
	for c, st := range m {
		copied := *st
		next[c] = &copied
	}
	for i, c := range codes {
		o := next.put(mode, c, amount, slices.Contains(codes[:i], c))
		if o == Rejected && mode != "report" {
			return nil, false
		}
		out = append(out, o)
	}
	if mode != "dry" {
		clear(m)
		for c, st := range next {
			m[c] = st
		}
	}
	return out, true
}

func (m shelf) put(mode, code string, amount int64, again bool) Outcome {
	st := m[code]
	byKey := mode == "upsert" || mode == "update_only" || mode == "ignore"
	switch {
	case byKey && again, st == nil && (amount < 0 || mode == "update_only"), st != nil && !byKey:
		return Rejected
	case st == nil:
		m[code] = &stack{amount: amount, version: 1}
		return Created
	case mode == "ignore":
		return Ignored
	case amount < 0:
		return Rejected
	}
	return st.set(amount)
}

func (st *stack) set(amount int64) Outcome {
	if st.amount == amount {
		return Unchanged
	}
	st.amount = amount
	st.version++
	return Updated
}

func (m shelf) compare(t *testing.T, s *Store) {
	t.Helper()
	n := 0
	for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "item"}) {
		must(t, err)
		n++
		st := m[r["code"].(string)]
		if st == nil || r["id"] != string(st.id) || r["amount"] != st.amount || r["version"] != st.version {
			t.Fatalf("there is %v, the model has %+v", r, st)
		}
	}
	if n != len(m) {
		t.Fatalf("%d records, the model has %d", n, len(m))
	}
	if problems := unsound(t, s); len(problems) > 0 {
		t.Fatal(problems)
	}
}
