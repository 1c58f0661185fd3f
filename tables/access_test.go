package tables

import (
	"context"
	"fmt"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestAccess walks through the administration of rights by somebody who holds some of them.
func TestAccess(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		logins := authz.NewLogins(s.DB(), authz.LoginOptions{})
		actions := append(s.Actions(), s.AccessActions(logins)...)
		do := func(ctx context.Context, name, in string) core.Record {
			t.Helper()
			out, err := call(ctx, actions, name, in)
			if err != nil {
				t.Fatalf("%s %s: %v", name, in, err)
			}
			return out
		}
		denied := func(ctx context.Context, name, in string, words ...string) {
			t.Helper()
			_, err := call(ctx, actions, name, in)
			wantKind(t, err, core.Denied, words...)
		}
		boss := root(t)
		west := do(boss, "create_unit", `{"name": "West"}`)["id"].(string)
		do(boss, "create_unit", `{"name": "East"}`)
		do(boss, "put_role", `{"name": "lead", "grants": [
			{"table": "product", "privileges": ["create", "read", "update"], "level": "unit_and_below", "hidden": ["cost"]},
			{"table": "shop", "privileges": ["read"], "condition": "city == \"Rome\""}], "actions": ["manage_access", "import_data"]}`)
		do(boss, "put_role", `{"name": "power", "grants": [{"table": "product", "privileges": ["read"]}]}`)
		ann := as(t, s, core.ID(do(boss, "create_user", `{"name": "Ann", "email": "ann@example.com", "unit": "West", "roles": ["lead"]}`)["id"].(string)))
		eve := as(t, s, core.ID(do(boss, "create_user", `{"name": "Eve", "email": "eve@example.com", "unit": "East"}`)["id"].(string)))

		// What one holds, one may give, to whom one may administer.
		do(ann, "put_role", `{"name": "junior", "grants": [{"table": "product", "privileges": ["read"], "level": "own", "hidden": ["cost", "price"]}], "actions": ["import_data"]}`)
		do(ann, "create_user", `{"name": "Jim", "email": "jim@example.com", "unit": "West", "roles": ["junior"]}`)
		do(ann, "grant", `{"role": "junior", "table": "product", "privileges": ["update"], "level": "unit", "hidden": ["cost"]}`)
		do(ann, "revoke", `{"role": "junior", "table": "product", "privileges": ["update"]}`)
		do(ann, "unassign_role", `{"role": "junior", "user": "jim@example.com"}`)
		do(ann, "assign_role", `{"role": "junior", "user": "jim@example.com"}`)
		jim := as(t, s, userID(t, s, "jim@example.com"))
		if len(core.CallerFrom(jim).Roles) != 1 {
			t.Fatal(core.CallerFrom(jim).Roles)
		}
		// And nothing else.
		denied(ann, "put_role", `{"name": "thief", "grants": [{"table": "product", "privileges": ["read"], "level": "own"}]}`, "cost")
		denied(ann, "put_role", `{"name": "thief", "grants": [{"table": "product", "privileges": ["read"], "level": "organization", "hidden": ["cost"]}]}`, "more rows")
		denied(ann, "put_role", `{"name": "thief", "actions": ["define_tables"]}`, "do not hold")
		denied(ann, "put_role", `{"name": "thief", "inherits": ["administrator"]}`, "administrator")
		denied(ann, "put_role", `{"name": "lead", "grants": [{"table": "product", "privileges": ["delete"]}]}`, "do not hold")
		denied(ann, "grant", `{"role": "junior", "table": "shop", "privileges": ["read"]}`, "more rows")
		denied(ann, "grant", `{"role": "lead", "actions": ["define_tables"]}`)
		denied(ann, "assign_role", `{"role": "power", "user": "jim@example.com"}`)
		denied(ann, "assign_role", `{"role": "administrator", "user": "ann@example.com"}`)
		denied(ann, "assign_role", `{"role": "junior", "user": "eve@example.com"}`, "unit")
		denied(ann, "create_user", `{"name": "X", "email": "x@example.com", "roles": ["junior"]}`, "unit")
		denied(ann, "create_user", `{"name": "X", "email": "x@example.com", "unit": "West", "roles": ["power"]}`)
		denied(ann, "disable_user", `{"user": "eve@example.com"}`)
		denied(ann, "drop_role", `{"name": "power"}`)
		denied(ann, "create_team", `{"name": "Spies", "unit": "East"}`)
		denied(ann, "create_table", `{"name": "mine", "columns": []}`, "define tables")
		for _, name := range []string{"put_role", "drop_role"} {
			denied(jim, name, `{"name": "junior"}`, "manage access")
			denied(t.Context(), name, `{"name": "junior"}`)
		}
		// A team owns records: its members are for those of its unit to choose.
		do(boss, "create_team", `{"name": "East team", "unit": "East"}`)
		denied(ann, "add_member", `{"team": "East team", "user": "ann@example.com"}`, "unit")
		do(boss, "add_member", `{"team": "East team", "user": "eve@example.com"}`)
		do(boss, "remove_member", `{"team": "East team", "user": "eve@example.com"}`)

		// Keys: one's own; only an administrator makes those of others.
		key := do(jim, "create_api_key", `{"name": "mine"}`)
		id, err := logins.Authenticate(t.Context(), key["secret"].(string))
		if err != nil || id.User != core.CallerFrom(jim).User {
			t.Fatal(id, err)
		}
		denied(jim, "create_api_key", `{"name": "hers", "user": "ann@example.com"}`)
		denied(ann, "create_api_key", `{"name": "hers", "user": "eve@example.com"}`)
		denied(ann, "create_api_key", `{"name": "his", "user": "jim@example.com"}`, "administrator")
		do(boss, "create_api_key", `{"name": "his", "user": "jim@example.com"}`)
		_, err = call(t.Context(), actions, "create_api_key", `{"name": "anonymous"}`)
		wantKind(t, err, core.Unknown, "sign in")
		_, err = call(eve, actions, "revoke_api_key", fmt.Sprintf(`{"id": %q}`, key["id"]))
		wantKind(t, err, core.NotFound)
		do(jim, "revoke_api_key", fmt.Sprintf(`{"id": %q}`, key["id"]))
		if _, err := logins.Authenticate(t.Context(), key["secret"].(string)); core.KindOf(err) != core.Unknown {
			t.Fatal(err)
		}
		// Somebody who is kept out is out with the next request.
		do(ann, "disable_user", `{"user": "jim@example.com"}`)
		if _, err := s.Snapshot().Policy.Caller(core.CallerFrom(jim).User, core.Cause{}); core.KindOf(err) != core.Unknown {
			t.Fatal(err)
		}
		// One's own role can be written anew with what it has.
		do(ann, "put_role", `{"name": "junior", "doc": "New", "grants": [{"table": "product", "privileges": ["read"], "level": "own", "hidden": ["cost"]}]}`)
		if west == "" {
			t.Fatal("no unit")
		}
	})
}

func userID(t *testing.T, s *Store, email string) core.ID {
	t.Helper()
	for _, u := range s.Snapshot().access.Users {
		if u.Email == email {
			return u.ID
		}
	}
	t.Fatal("no user", email)
	return ""
}

// TestDefinition defines tables with the actions, as the studio does.
func TestDefinition(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		do := func(name, in string) core.Record {
			t.Helper()
			out, err := call(ctx, s.Actions(), name, in)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return out
		}
		for _, a := range s.Actions() { // the examples, in an order in which they work
			if a.Name == "create_table" {
				run := a.Examples[0].In
				in, err := core.ParseInput(a.Input, run)
				must(t, err)
				_, err = a.Run(ctx, core.Call{In: in})
				must(t, err)
			}
		}
		do("create_table", `{"name": "purchase", "ownership": "organization", "columns": [{"name": "amount", "kind": "integer"}]}`)
		do("add_lookup", `{"table": "purchase", "target": "product", "on_delete": "cascade"}`)
		do("add_column", `{"table": "product", "name": "gross", "kind": "decimal", "precision": 12, "scale": 2, "formula": "price * 1.19"}`)
		do("add_index", `{"table": "product", "name": "dearest", "columns": [{"column": "price", "desc": true}]}`)
		do("put_rule", `{"table": "product", "name": "positive", "when": "price <= 0.0", "do": [{"do": "fail", "column": "price", "message": "no gifts"}]}`)
		_, err := insert(ctx, s, "product", core.Record{"title": "Tea", "price": 0})
		wantKind(t, err, core.Failed, "product.price", "positive", "no gifts")
		if out := do("drop_rule", `{"table": "product", "name": "positive"}`); out["version"] != int64(7) {
			t.Fatal(out)
		}
		id := mustInsert(t, ctx, s, "product", core.Record{"title": "Tea", "price": 0})[0]
		mustInsert(t, ctx, s, "purchase", core.Record{"product_id": string(id)})
		_, err = call(ctx, s.Actions(), "add_column", `{"table": "product", "name": "x", "kind": "txt"}`)
		wantKind(t, err, core.Invalid, "product.x", "no kind")
	})
}
