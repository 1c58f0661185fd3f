package transfer

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

// world is a store with a service, and the tables of a shop.
type world struct {
	t     testing.TB
	store *tables.Store
	s     *Service
}

// each runs f on a new world over every database at hand.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newWorld(t, d)) })
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, store: tables.New(d, tables.Options{Builtin: Tables(), Log: dbtest.Log(t)})}
	w.s = New(w.store, Options{Log: dbtest.Log(t)})
	must(t, w.store.Load(t.Context()))
	if _, err := w.store.Snapshot().Schema.Table("product"); err != nil {
		must(t, w.store.Change(w.root(), shop()...))
	}
	return w
}

var (
	must     = dbtest.Must
	wantKind = dbtest.WantKind
)

func (w *world) root() context.Context {
	return core.WithCaller(w.t.Context(), core.System("test"))
}

func shop() []core.Change {
	return []core.Change{
		core.CreateTable{Define: core.Table{Name: "shop", Ownership: core.OrgOwned, Columns: []core.Column{
			{Name: "code", Kind: core.Text, Required: true, Unique: true, MaxLength: 20}, {Name: "city", Kind: core.Text},
		}}},
		core.CreateTable{Define: core.Table{Name: "product", Columns: []core.Column{
			{Name: "title", Label: "Product Name", Kind: core.Text, Required: true, MaxLength: 30}, {Name: "sku", Kind: core.Text, Unique: true},
			{Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "stock", Kind: core.Integer, Default: "0"},
			{Name: "cost", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "gross", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "price * 1.19"},
			{Name: "shop_id", Kind: core.Lookup, Target: "shop"}, {Name: "day", Kind: core.Date},
		}, Rules: []core.Rule{{Name: "no gifts", When: "price < 0", Do: []core.Deed{{Do: "fail", Column: "price", Message: "a product has no negative price"}}}}}},
	}
}

func (w *world) insert(table string, rows ...core.Record) []core.ID {
	w.t.Helper()
	var res tables.Result
	must(w.t, w.store.Tx(w.root(), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) (err error) {
		res, err = tx.Insert(ctx, tables.Insert{Table: table, Rows: rows})
		return err
	}))
	return res.IDs
}

func (w *world) count(table string) int {
	w.t.Helper()
	n, err := w.store.Count(w.root(), w.store.Snapshot(), table, nil)
	must(w.t, err)
	return n
}

// person is a user with a role that has the grants.
func (w *world) person(name string, grants ...authz.Grant) context.Context {
	w.t.Helper()
	var id core.ID
	must(w.t, w.store.ChangeAccess(w.root(), func(tx *db.Tx) (err error) {
		g := tx.Gorm(w.root())
		if _, err := authz.CreateRole(g, name, ""); err != nil {
			return err
		}
		for _, grant := range grants {
			grant.Role = name
			if err := authz.PutGrants(g, grant.Role, grant); err != nil {
				return err
			}
		}
		if id, err = authz.CreateUser(g, authz.NewUser{Name: name, Email: name + "@example.com", Unit: core.RootUnit}); err != nil {
			return err
		}
		return authz.AssignRole(g, authz.Assignment{User: id, Role: name})
	}))
	c, err := w.store.Snapshot().Policy.Caller(id, core.Cause{Kind: "api"})
	must(w.t, err)
	return core.WithCaller(w.t.Context(), c)
}

func grant(table string, level authz.Level, hidden []string, privileges ...authz.Privilege) (out []authz.Grant) {
	for _, p := range privileges {
		out = append(out, authz.Grant{Table: table, Privilege: p, Level: level, Hidden: hidden})
	}
	return out
}

var mayImport = authz.Grant{Action: "import_data"}

// call runs an action as its callers do.
func (w *world) call(ctx context.Context, name, in string) (core.Record, error) {
	actions := w.s.Actions()
	i := slices.IndexFunc(actions, func(a core.Action) bool { return a.Name == name })
	var raw map[string]any
	must(w.t, json.Unmarshal([]byte(in), &raw))
	parsed, err := core.ParseInput(actions[i].Input, raw)
	if err != nil {
		return nil, err
	}
	return actions[i].Run(ctx, core.Call{In: parsed})
}

// list returns the records of a table as lines, sorted.
func (w *world) list(table string, columns ...string) string {
	w.t.Helper()
	var lines []string
	t, err := w.store.Snapshot().Schema.Table(table)
	must(w.t, err)
	for r, err := range w.store.Scan(w.root(), w.store.Snapshot(), tables.Query{Table: table}) {
		must(w.t, err)
		var cells []string
		for _, name := range columns {
			c, _ := t.Column(name)
			cells = append(cells, strings.Trim(string(c.AppendJSON(nil, r[name])), `"`))
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}
