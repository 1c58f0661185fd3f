package oracle

import (
	"slices"
	"testing"

	"colonnade/core"
)

// able reports whether the person may do something with a record that he does not create.
func (p *person) able(privilege, table string, r core.Record) bool {
	return p.visible(table, r) && slices.ContainsFunc(p.may(privilege, table), func(g grant) bool { return p.reaches(g, privilege, r) })
}

// ableColumn reports whether that extends to a column, to read or to update; all is for who may know everything, and is told too
// whether what the column reads of other records is in sight.
func (p *person) ableColumn(privilege, table string, r core.Record, column string, all bool) bool {
	if !p.able(privilege, table, r) {
		return false
	}
	if privilege == "read" {
		_, ok := p.look(table, r, column)
		return p.nameable(table, column) && p.whollyLeft(table, r, column) && (ok || !all)
	}
	c, _ := p.table(table).Column(column)
	if c.Calculated() || c.System && c.Name != "owner_id" && c.Name != "unit_id" || p.given(table, column, privilege) != "full" {
		return false
	}
	return slices.ContainsFunc(p.may(privilege, table), func(g grant) bool { return !slices.Contains(g.hidden, column) && p.reaches(g, privilege, r) })
}

// whollyLeft reports whether grants that reach the record leave in the column, and what it is calculated from of the record.
func (p *person) whollyLeft(table string, r core.Record, column string) bool {
	return !slices.ContainsFunc(p.secrets(table, column), func(s string) bool { return !p.left(table, r, s) })
}

const explaining = `mutation($user: String, $action: String!, $table: String, $id: uuid, $column: String) {
	q: explain_access(user: $user, action: $action, table: $table, id: $id, column: $column) { allowed answer missing steps { step ok text } grants { role held level units condition hidden reaches because } help } }`

// explanations are questions why a person may do something or not: an administrator's, who is answered at once, and his own.
func (g *game) explanations(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	if len(g.rows[table.Name]) == 0 {
		return nil
	}
	r := choose(g.maker, g.rows[table.Name]...)
	privileges := []string{"read", "read", "update", "update", "delete", "append", "append_to"}
	if table.Owned() {
		privileges = append(privileges, "share", "assign")
	}
	for range 2 {
		privilege := choose(g.maker, privileges...)
		arguments := map[string]any{"action": privilege, "table": table.Name, "id": r["id"]}
		allowed := func(bool) bool { return p.able(privilege, table.Name, r) }
		if (privilege == "read" || privilege == "update") && g.chance(0.6) {
			column := choose(g.maker, table.Columns...).Name
			arguments["column"] = column
			allowed = func(all bool) bool { return p.ableColumn(privilege, table.Name, r, column, all) }
		}
		own := g.query(t, p, explaining, arguments, func(got any, kind string) string {
			if kind != "" && arguments["column"] != nil { // of a column that he does not know, or where it depends on what he does not see
				return pick(kind == string(core.Invalid) || kind == string(core.Denied), "", "it was refused as "+kind)
			}
			o, _ := got.(map[string]any)
			if !p.visible(table.Name, r) && o["missing"] != "record" && o["missing"] != "privilege" {
				return "something was told of a record out of reach"
			}
			return pick(o["allowed"] == allowed(false), "", "it is explained otherwise")
		})
		own.turns = p.powers // he can try it
		out = append(out, own)
		arguments = map[string]any{"user": p.name + "@example.com", "action": privilege, "table": table.Name, "id": r["id"], "column": arguments["column"]}
		data := g.program.must(t, explaining, arguments)
		if data["q"].(map[string]any)["allowed"] != allowed(true) {
			t.Fatalf("want %t\n%v\n%v\n%s\n%s", allowed(true), arguments, data, g.describe(p), g.content())
		}
		g.count.Answers.add("explain", 1)
	}
	return append(out, g.whoCan(t, p, table, r, choose(g.maker, privileges...)))
}

// whoCan asks who can do something with a record: as an administrator, who is answered at once, and as the person.
func (g *game) whoCan(t testing.TB, p *person, table *core.Table, r core.Record, privilege string) probe {
	t.Helper()
	const document = "mutation($action: String!, $table: String!, $id: uuid!) { q: who_can(action: $action, table: $table, id: $id) { users { user name by role because } next } }"
	arguments := map[string]any{"action": privilege, "table": table.Name, "id": r["id"]}
	wrong := func(got any) string {
		users := map[any]bool{}
		for _, o := range got.(map[string]any)["users"].([]any) {
			users[o.(map[string]any)["user"]] = true
		}
		for _, other := range g.people {
			if users[string(other.id)] != other.able(privilege, table.Name, r) {
				return other.name + " is not who can, or can and was not told"
			}
		}
		return ""
	}
	if data := g.program.must(t, document, arguments); wrong(data["q"]) != "" {
		t.Fatalf("%s\n%v\n%v\n%s\n%s", wrong(data["q"]), arguments, data, g.describe(p), g.content())
	}
	g.count.Answers.add("who can", 1)
	out := g.query(t, p, document, arguments, func(got any, kind string) string {
		switch {
		case len(p.may("read", table.Name)) == 0:
			return pick(kind == string(core.Denied), "", "it was not denied")
		case !p.visible(table.Name, r):
			return pick(kind == string(core.NotFound), "", "it was found")
		case !p.able("share", table.Name, r):
			return pick(kind == string(core.Denied), "", "it was not denied")
		case kind != "": // it depends on what he does not see
			return pick(kind == string(core.Denied), "", "it was refused as "+kind)
		}
		return wrong(got)
	})
	out.path = "who can"
	out.turns = func() (powers []bool) { // who may share a record may learn who can do what with it
		for _, other := range g.people {
			powers = append(append(powers, other.able(privilege, table.Name, g.find(table.Name, r["id"]))), other.powers()...)
		}
		return powers
	}
	return out
}
