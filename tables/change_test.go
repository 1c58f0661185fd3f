package tables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

// refuseTable returns a store whose derived layer cannot express tables of that name.
func refuseTable(t *testing.T, d *db.DB, name string) *Store {
	s := New(d, Options{Log: dbtest.Log(t)})
	Derive(s, func(n *Snapshot) (int, error) {
		if _, err := n.Schema.Table(name); err == nil {
			return 0, core.E("test", core.Invalid, "this layer has no word for it")
		}
		return len(n.Schema.Tables()), nil
	})
	must(t, s.Load(t.Context()))
	return s
}

// TestRefusedChange is about changes that fail in one layer or another: everything stays as it was.
func TestRefusedChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := refuseTable(t, d, "unspeakable")
		ctx := root(t)
		define(t, s, shop()...)
		mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b", "city": "Rome"})
		before, changes := s.Snapshot(), rowsOf(t, s, "_change")
		for _, c := range []struct {
			changes []core.Change
			kind    core.ErrKind
			words   string
		}{
			{[]core.Change{core.CreateTable{Define: core.Table{Name: "fine"}}, core.CreateTable{Define: core.Table{Name: "unspeakable"}}}, core.Invalid, "no word"},
			{[]core.Change{core.AddColumn{To: "shop", Add: core.Column{Name: "fine", Kind: core.Text}}, core.AddColumn{To: "shop", Add: core.Column{Name: "bad", Kind: core.Integer, Formula: "cod + 1"}}}, core.Invalid, "code"},
			{[]core.Change{core.AddColumn{To: "shop", Add: core.Column{Name: "fine", Kind: core.Text}}, core.AddColumn{To: "shop", Add: core.Column{Name: "tag", Kind: core.Text, Default: `"same"`, Unique: true}}}, core.Exists, "unique"},
			{[]core.Change{core.AddColumn{To: "shop", Add: core.Column{Name: "must", Kind: core.Text, Required: true}}}, core.Invalid, "2 records"},
			{[]core.Change{core.AddColumn{To: "nowhere", Add: core.Column{Name: "x", Kind: core.Text}}}, core.NotFound, "no such table"},
		} {
			wantKind(t, s.Change(ctx, c.changes...), c.kind, c.words)
			if s.Snapshot() != before || rowsOf(t, s, "_change") != changes {
				t.Fatal("something of the change is left")
			}
		}
		role(t, s, "nobody")
		wantKind(t, s.Change(person(t, s, "nobody", core.RootUnit, "nobody"), core.CreateTable{Define: core.Table{Name: "mine"}}), core.Denied)
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			return tx.Change(ctx, core.CreateTable{Define: core.Table{Name: "mine"}})
		})
		wantKind(t, err, core.Invalid, "send it alone")
		must(t, s.Change(ctx, core.AddColumn{To: "shop", Add: core.Column{Name: "fine", Kind: core.Text, Default: `"new"`, Required: true}}))
		if n, err := s.Count(ctx, s.Snapshot(), "shop", Compare{Column: "fine", Op: Eq, Value: "new"}); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		again := open(t, d, Options{})
		a, b := definitionJSON(t, tableOf(t, s, "product")), definitionJSON(t, tableOf(t, again, "product"))
		if a != b {
			t.Fatalf("%s\n%s", a, b)
		}
		mustBeSound(t, s)
	})
}

func tableOf(t *testing.T, s *Store, name string) *core.Table {
	t.Helper()
	table, err := s.Snapshot().Schema.Table(name)
	must(t, err)
	return table
}

// TestChangeUnderLoad changes the schema and the policy while others read and write: they see the old or the new.
func TestChangeUnderLoad(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		const columns = 6
		stop := make(chan struct{})
		var load sync.WaitGroup
		var wrote [2]int
		for i := range 2 {
			load.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
						r := core.Record{"code": fmt.Sprintf("%d-%d", i, n)}
						for _, c := range tableIn(tx.Snapshot(), "shop").Columns {
							if !c.System && c.Kind == core.Integer {
								r[c.Name] = n
							}
						}
						_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{r}})
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					wrote[i]++
				}
			})
			load.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := s.Records(ctx, s.Snapshot(), Query{Table: "shop", Limit: 5}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range columns {
			define(t, s, core.AddColumn{To: "shop", Add: core.Column{Name: fmt.Sprintf("n%d", i), Kind: core.Integer}})
			role(t, s, fmt.Sprintf("role%d", i), grant("shop", authz.Organization, nil, authz.Read)...)
		}
		close(stop)
		load.Wait()
		if n := count(t, s, "shop"); n != wrote[0]+wrote[1] {
			t.Fatalf("%d records, %d were written", n, wrote[0]+wrote[1])
		}
	})
}

func tableIn(n *Snapshot, name string) *core.Table {
	t, err := n.Schema.Table(name)
	if err != nil {
		panic(err)
	}
	return t
}

// TestTwoServers has two stores on one PostgreSQL change the schema at once, and see what the other did.
func TestTwoServers(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("needs a database that two processes can share")
	}
	t.Parallel()
	dsn := dbtest.PostgresDSN(t)
	a, b := open(t, dbtest.Open(t, postgres.Dialect{}, dsn), Options{}), open(t, dbtest.Open(t, postgres.Dialect{}, dsn), Options{})
	seen := make(chan int64, 100)
	watched := New(dbtest.Open(t, postgres.Dialect{}, dsn), Options{Log: dbtest.Log(t)})
	Derive(watched, func(n *Snapshot) (int, error) { seen <- n.Schema.Version(); return 0, nil })
	must(t, watched.Load(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { watched.Watch(ctx) })
	defer func() { stop(); watching.Wait() }()

	define(t, a, shop()...)
	const rounds = 5
	run(t, 4, func(n int) error {
		s := []*Store{a, b}[n%2]
		for i := range rounds {
			if err := s.Change(root(t), core.AddColumn{To: "shop", Add: core.Column{Name: fmt.Sprintf("c%d_%d", n, i), Kind: core.Text}}); err != nil {
				return err
			}
			if _, err := insert(root(t), s, "shop", core.Record{"code": fmt.Sprintf("%d-%d", n, i), fmt.Sprintf("c%d_%d", n, i): "x"}); err != nil {
				return err
			}
		}
		return nil
	})
	if t.Failed() {
		return
	}
	for v := range seen {
		if v == 1+4*rounds {
			break
		}
	}
	must(t, a.Load(t.Context()))
	mustBeSound(t, a)
	if n := count(t, a, "shop"); n != 4*rounds {
		t.Fatal(n)
	}
	if len(tableOf(t, a, "shop").Columns) != len(tableIn(a.Snapshot(), "shop").Columns) || a.Snapshot().Schema.Version() != 1+4*rounds {
		t.Fatal(a.Snapshot().Schema.Version())
	}
}

// TestLoadRefused keeps the snapshot that works when the database has one that a layer cannot express.
func TestLoadRefused(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("needs a database that two processes can share")
	}
	t.Parallel()
	dsn := dbtest.PostgresDSN(t)
	narrow, wide := refuseTable(t, dbtest.Open(t, postgres.Dialect{}, dsn), "unspeakable"), open(t, dbtest.Open(t, postgres.Dialect{}, dsn), Options{})
	define(t, wide, core.CreateTable{Define: core.Table{Name: "unspeakable"}})
	was := narrow.Snapshot()
	wantKind(t, narrow.Refresh(t.Context()), core.Invalid, "no word")
	if narrow.Snapshot() != was {
		t.Fatal("it was published")
	}
	err := narrow.Tx(root(t), TxOptions{}, func(context.Context, *Tx) error { return errors.New("not reached") })
	wantKind(t, err, core.Invalid, "no word")
}

// definitionJSON is the definition as the database keeps it.
func definitionJSON(t *testing.T, of *core.Table) string {
	t.Helper()
	out, err := json.Marshal(core.Definition(of))
	must(t, err)
	return string(out)
}
