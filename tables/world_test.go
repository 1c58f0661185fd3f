package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// each runs f on a new store over every database at hand, and then looks whether the store is sound.
func each(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		f(t, s)
		mustBeSound(t, s)
	})
}

func open(t testing.TB, d *db.DB, o Options) *Store {
	t.Helper()
	o.Log = dbtest.Log(t)
	s := New(d, o)
	must(t, s.Load(t.Context()))
	return s
}

var (
	must     = dbtest.Must
	wantKind = dbtest.WantKind
)

// root is a context of the machinery.
func root(t testing.TB) context.Context {
	return core.WithCaller(t.Context(), core.System("test"))
}

// shop is a schema of its own: shops, products with a parent, and purchases that cascade, restrict and let go.
func shop() []core.Change {
	return []core.Change{
		core.CreateTable{Define: core.Table{Name: "shop", Ownership: core.OrgOwned, Columns: []core.Column{
			{Name: "code", Kind: core.Text, Required: true, Unique: true, MaxLength: 20}, {Name: "city", Kind: core.Text},
		}}},
		core.CreateTable{Define: core.Table{Name: "product", Columns: []core.Column{
			{Name: "title", Kind: core.Text, Required: true, MaxLength: 30}, {Name: "sku", Kind: core.Text, Unique: true},
			{Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "stock", Kind: core.Integer, Default: "0"},
			{Name: "cost", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "gross", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "price * 1.19"},
			{Name: "shop_id", Kind: core.Lookup, Target: "shop"}, {Name: "parent_id", Kind: core.Lookup, Target: "product", OnDelete: core.Cascade, Inverse: "parts"},
			{Name: "twin_id", Kind: core.Lookup, Target: "product", OnDelete: core.SetNull, Inverse: "twins"},
		}, Keys: []core.Key{{Name: "by_title", Columns: []string{"title", "stock"}}}}},
		core.CreateTable{Define: core.Table{Name: "purchase", Columns: []core.Column{
			{Name: "product_id", Kind: core.Lookup, Target: "product", Required: true, OnDelete: core.Cascade},
			{Name: "shop_id", Kind: core.Lookup, Target: "shop", OnDelete: core.SetNull}, {Name: "amount", Kind: core.Integer},
			{Name: "note", Kind: core.JSON}, {Name: "at", Kind: core.Timestamp}, {Name: "day", Kind: core.Date}, {Name: "ratio", Kind: core.Float}, {Name: "paid", Kind: core.Boolean},
		}}},
	}
}

func define(t testing.TB, s *Store, changes ...core.Change) {
	t.Helper()
	must(t, s.Change(root(t), changes...))
}

// write runs f in a unit of work.
func write(ctx context.Context, s *Store, f func(tx *Tx) error) error {
	return s.Tx(ctx, TxOptions{}, func(_ context.Context, tx *Tx) error { return f(tx) })
}

func insert(ctx context.Context, s *Store, table string, rows ...core.Record) (res Result, err error) {
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		res, err = tx.Insert(ctx, Insert{Table: table, Rows: rows})
		return err
	})
	return res, err
}

func mustInsert(t testing.TB, ctx context.Context, s *Store, table string, rows ...core.Record) []core.ID {
	t.Helper()
	res, err := insert(ctx, s, table, rows...)
	must(t, err)
	return res.IDs
}

// person is a user with a unit and a role.
func person(t testing.TB, s *Store, name string, unit core.ID, roles ...string) context.Context {
	t.Helper()
	var id core.ID
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() (err error) {
			g := tx.DB().Gorm(ctx)
			if id, err = authz.CreateUser(g, authz.NewUser{Name: name, Email: name + "@example.com", Unit: unit}); err != nil {
				return err
			}
			for _, r := range roles {
				if err := authz.AssignRole(g, authz.Assignment{User: id, Role: r}); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	return as(t, s, id)
}

func as(t testing.TB, s *Store, id core.ID) context.Context {
	t.Helper()
	c, err := s.Snapshot().Policy.Caller(id, core.Cause{Kind: "api"})
	must(t, err)
	return core.WithCaller(t.Context(), c)
}

// role makes a role.
func role(t testing.TB, s *Store, name string, grants ...authz.Grant) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() error {
			g := tx.DB().Gorm(ctx)
			if _, err := authz.CreateRole(g, name, ""); err != nil {
				return err
			}
			for _, grant := range grants {
				grant.Role = name
				if err := authz.PutGrants(g, grant.Role, grant); err != nil {
					return err
				}
			}
			return nil
		})
	}))
}

func grant(table string, level authz.Level, hidden []string, privileges ...authz.Privilege) (out []authz.Grant) {
	for _, p := range privileges {
		out = append(out, authz.Grant{Table: table, Privilege: p, Level: level, Hidden: hidden})
	}
	return out
}

func unit(t testing.TB, s *Store, name string, parent core.ID) (id core.ID) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() (err error) {
			id, err = authz.CreateUnit(tx.DB().Gorm(ctx), name, parent)
			return err
		})
	}))
	return id
}

// mustBeSound asks whether everything in the store fits together: see unsound.
func mustBeSound(t testing.TB, s *Store) {
	t.Helper()
	if problems := unsound(t, s); len(problems) > 0 {
		t.Fatalf("the store is not sound:\n%s", strings.Join(problems, "\n"))
	}
	mustVerify(t, s)
}

// entry is a row of the history.
type entry struct {
	version int64
	op      string
	data    []byte
}

// unsound returns what does not fit: each record is what its newest history says, versions have no gap, each history row
// has its event, lookups lead somewhere, and the snapshot is that of the database.
func unsound(t testing.TB, s *Store) (problems []string) {
	t.Helper()
	ctx := root(t)
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var v versions
	must(t, s.db.Query(ctx, v.query(s.db.Dialect), v.scan))
	if v != s.Snapshot().versions() {
		say("the database has %v, the snapshot %v", v, s.Snapshot().versions())
	}
	entries := readHistory(t, s)
	rows := 0
	events := rowsOf(t, s, "_event")
	records := map[string]map[string]core.Record{}
	for _, table := range s.Snapshot().Schema.Tables() {
		if table.Builtin {
			continue
		}
		records[table.Name] = map[string]core.Record{}
		for r, err := range s.Scan(ctx, s.Snapshot(), Query{Table: table.Name}) {
			must(t, err)
			records[table.Name][r["id"].(string)] = r
		}
	}
	for key, list := range entries {
		rows += len(list)
		table, id, _ := strings.Cut(key, "/")
		for i, e := range list {
			if e.version != int64(i+1) {
				say("%s: version %d is at place %d", key, e.version, i+1)
			}
		}
		if core.IsDroppedName(table) {
			continue
		}
		last := list[len(list)-1]
		r, there := records[table][id]
		if there == (last.op == "delete") {
			say("%s: there is %v, but the last history row is a %s", key, there, last.op)
			continue
		}
		if there {
			problems = append(problems, differences(s, table, r, last)...)
		}
	}
	if rows != events {
		say("%d history rows, %d events", rows, events)
	}
	for name, list := range records {
		table, _ := s.Snapshot().Schema.Table(name)
		for id, r := range list {
			if entries[name+"/"+id] == nil {
				say("%s %s has no history", name, id)
			}
			for c := range table.Stored {
				if to, ok := r[c.Name].(string); ok && c.Kind == core.Lookup && records[c.Target][to] == nil {
					say("%s %s: %s leads nowhere", name, id, c.Name)
				}
			}
		}
	}
	problems = append(problems, unmarked(t, s, records)...)
	slices.Sort(problems)
	return problems
}

func differences(s *Store, name string, r core.Record, e entry) (problems []string) {
	table, _ := s.Snapshot().Schema.Table(name)
	was, err := decodeStored(table, e.data)
	if err != nil {
		return []string{err.Error()}
	}
	for c := range table.Stored {
		if v, ok := was[c.Name]; ok && !equal(v, r[c.Name]) { // a column that was added later is not in it
			problems = append(problems, fmt.Sprintf("%s %s: %s is %v, the history says %v", name, r["id"], c.Name, r[c.Name], v))
		}
	}
	return problems
}

func readHistory(t testing.TB, s *Store) map[string][]entry {
	t.Helper()
	out := map[string][]entry{}
	b := db.New(s.db.Dialect).Write(`SELECT table_name, record_id, version, op, data FROM "_history" ORDER BY table_name, record_id, version`)
	must(t, s.db.Query(t.Context(), b, func(scan func(...any) error) error {
		var table string
		var id core.ID
		var e entry
		if err := scan(&table, &id, &e.version, &e.op, &e.data); err != nil {
			return err
		}
		if of, ok := s.Snapshot().Schema.At(table); ok && of.DroppedAt != nil {
			table = core.DroppedName(table) // its records cannot be read
		} else if ok {
			table = of.Name
		}
		out[table+"/"+string(id)] = append(out[table+"/"+string(id)], e)
		return nil
	}))
	return out
}

func find(t testing.TB, s *Store, table string, id core.ID) core.Record {
	t.Helper()
	r, err := s.Find(root(t), s.Snapshot(), table, id)
	must(t, err)
	return r
}

func count(t testing.TB, s *Store, table string) int {
	t.Helper()
	n, err := s.Count(root(t), s.Snapshot(), table, nil)
	must(t, err)
	return n
}

// call runs an action as its callers do.
func call(ctx context.Context, actions []core.Action, name string, in string) (core.Record, error) {
	i := slices.IndexFunc(actions, func(a core.Action) bool { return a.Name == name })
	var raw map[string]any
	if err := json.Unmarshal([]byte(in), &raw); err != nil {
		return nil, err
	}
	parsed, err := core.ParseInput(actions[i].Input, raw)
	if err != nil {
		return nil, err
	}
	return actions[i].Run(ctx, core.Call{In: parsed})
}

func newBuilder(s *Store) *db.Builder { return db.New(s.db.Dialect) }

func rowsOf(t testing.TB, s *Store, table string) int {
	t.Helper()
	var n int64
	must(t, s.db.Query(t.Context(), newBuilder(s).Write("SELECT count(*) FROM ").Name(table), func(scan func(...any) error) error { return scan(&n) }))
	return int(n)
}

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func seedOf(t *testing.T) uint64 {
	seed := uint64(envInt("COLONNADE_SEED", int(time.Now().UnixNano()%1_000_000_000)))
	t.Logf("COLONNADE_SEED=%d", seed)
	return seed
}
