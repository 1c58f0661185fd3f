package graphql

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an engine over a database of its own.
type world struct {
	*Engine
	store *tables.Store
	log   *strings.Builder
	users map[string]core.ID
}

func newWorld(t testing.TB, d *db.DB, o Options, more ...core.Action) *world {
	t.Helper()
	w := &world{log: &strings.Builder{}, users: map[string]core.ID{}}
	o.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.store = tables.New(d, tables.Options{Log: dbtest.Log(t)})
	actions := append(w.store.Actions(), w.store.AccessActions(authz.NewLogins(d, authz.LoginOptions{}))...)
	w.Engine = New(w.store, append(actions, more...), o)
	if err := w.store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// as returns a context for the user of that name: root is the system, nobody is anonymous, others have an address
// <name>@example.com.
func (w *world) as(t testing.TB, ctx context.Context, user string) context.Context {
	t.Helper()
	switch user {
	case "root":
		return core.WithCaller(ctx, core.System("test"))
	case "nobody":
		return ctx
	}
	if w.users[user] == "" {
		found, err := w.store.Records(core.WithCaller(ctx, core.System("test")), w.store.Snapshot(), tables.Query{Table: "_user", Where: tables.Compare{Column: "email", Op: tables.Eq, Value: user + "@example.com"}})
		if err != nil || len(found) != 1 {
			t.Fatalf("user %s: %v %v", user, found, err)
		}
		w.users[user] = core.ID(found[0]["id"].(string))
	}
	c, err := w.store.Snapshot().Policy.Caller(w.users[user], core.Cause{Kind: "api"})
	if err != nil {
		t.Fatal(err)
	}
	return core.WithCaller(ctx, c)
}

func (w *world) do(t testing.TB, user, query, variables string) Response {
	t.Helper()
	res := w.Do(w.as(t, t.Context(), user), Request{Query: query, Variables: json.RawMessage(variables)}, false)
	if !json.Valid(res.Body) {
		t.Fatalf("the answer to %s is no JSON: %s", query, res.Body)
	}
	return res
}

func (w *world) must(t testing.TB, user, query, variables string) string {
	t.Helper()
	res := w.do(t, user, query, variables)
	if res.Kind != OK {
		t.Fatalf("%s: %s\n%s", query, res.Body, w.log)
	}
	return string(res.Body)
}

const shop = `mutation {
  create_table(name: "account", ownership: "organization", columns: [
    {name: "name", kind: "text", required: true, unique: true}
    {name: "country", kind: "text"}
    {name: "revenue", kind: "decimal", precision: 12, scale: 2}
    {name: "score", kind: "float"}
    {name: "size", kind: "integer"}
    {name: "active", kind: "boolean"}
    {name: "since", kind: "date"}
    {name: "seen", kind: "timestamp"}
    {name: "data", kind: "json"}
    {name: "tier", kind: "choice", options: [{value: "gold"}, {value: "silver"}]}
  ], keys: [{name: "place", columns: ["country", "size"]}]) { table }
  contact: create_table(name: "contact", columns: [
    {name: "name", kind: "text", required: true}
    {name: "email", kind: "text"}
    {name: "account_id", kind: "lookup", target: "account", on_delete: "cascade", inverse: "contacts"}
  ]) { table }
  invoice: create_table(name: "invoice", columns: [
    {name: "amount", kind: "decimal", precision: 12, scale: 2}
    {name: "contact_id", kind: "lookup", target: "contact", on_delete: "cascade", inverse: "invoices"}
  ]) { table }
}`

// newShop is a world with three tables in a row.
func newShop(t testing.TB, d *db.DB, o Options, more ...core.Action) *world {
	t.Helper()
	w := newWorld(t, d, o, more...)
	w.must(t, "root", shop, "")
	return w
}
