package main

import (
	"fmt"
	"testing"
)

// TestBackupKeepsRights restores a backup into both kinds of databases: everybody sees there what he saw, and for the same reasons,
// by shares, column profiles, the hierarchy, and roles that count from other units.
func TestBackupKeepsRights(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			a: create_table(name: "folder", ownership: "user", columns: [{name: "name", kind: "text"}], share_templates: [{name: "reader", rights: ["read"]}]) { version }
			b: create_table(name: "paper", ownership: "user", hierarchy: true, audit_reads: true, columns: [{name: "title", kind: "text"}, {name: "ssn", kind: "text", secured: true, mask: "'***' + value.right(2)"}]) { version }
			c: add_lookup(table: "paper", target: "folder", inherit_shares: true) { version }
			d: put_column_profile(name: "glimpse", columns: [{table: "paper", column: "ssn", read: "masked", unmask: "one"}]) { profile }
			e: put_column_profile(name: "full", columns: [{table: "paper", column: "ssn", read: "full", create: true}]) { profile }
			f: put_role(name: "rep", column_profiles: ["glimpse"], grants: [{table: "folder", privileges: ["all"], level: "own"}, {table: "paper", privileges: ["all"], level: "own"}]) { role }
			g: put_role(name: "head", grants: [{table: "paper", privileges: ["read"], level: "unit_and_below", condition: "title != 'secret'"}]) { role }
			north: create_unit(name: "North") { id }
			night: create_team(name: "night") { id }
		}`)
		for _, name := range []string{"ann", "bob", "cyd", "dan"} {
			s.sure(t, name, []string{"rep"})
		}
		s.must(t, "admin", `mutation {
			a: add_member(team: "night", user: "cyd@example.com") { id }
			b: assign_column_profile(profile: "full", team: "night") { profile }
			c: set_hierarchy(mode: "manager", depth: 3) { mode }
			d: set_manager(user: "ann@example.com", manager: "bob@example.com") { id }
			e: move_user(user: "ann@example.com", unit: "North") { id }
			f: assign_role(role: "head", user: "dan@example.com", unit: "North") { role }
			g: require_second_factor(role: "head", required: true) { role }
		}`)
		const folder, paper = "00000000-0000-4000-8000-00000000000f", "00000000-0000-4000-8000-00000000000a"
		s.must(t, "ann", `mutation { insert_folder_one(object: {id: "`+folder+`", name: "shared"}) { id } }`)
		s.must(t, "ann", `mutation { insert_paper(objects: [{id: "`+paper+`", title: "a", folder_id: "`+folder+`"}, {title: "b"}, {title: "secret"}]) { affected_rows } }`)
		s.must(t, "admin", `mutation { update_paper(where: {}, _set: {ssn: "078-05-1120"}) { affected_rows } }`)
		s.must(t, "ann", `mutation {
			a: share_record(table: "folder", id: "`+folder+`", team: "night", template: "reader", reason: "the night shift asks") { lacking }
			b: share_record(table: "paper", id: "`+paper+`", user: "dan@example.com", rights: ["read", "update"], expires_at: "2099-01-01T00:00:00Z") { lacking }
		}`)
		s.must(t, "admin", `mutation { disable_user(user: "dan@example.com") { id } again: disable_user(user: "dan@example.com", disabled: false) { id } }`)

		told := s.rightsTold(t, folder, paper)
		s.eachRestored(t, c, func(*config) {
			for question, now := range s.rightsTold(t, folder, paper) {
				if now != told[question] {
					t.Errorf("%s\nbefore %s\nafter  %s", question, told[question], now)
				}
			}
		})
	})
}

// rightsTold is what everybody sees of the papers, and why.
func (s *scenario) rightsTold(t *testing.T, folder, paper string) map[string]string {
	t.Helper()
	out := map[string]string{}
	ask := func(user, question string) {
		out[user+": "+question] = string(s.must(t, user, question))
	}
	const seen = `paper(order_by: {title: asc}) { title ssn owner_id unit_id version folder { name } }`
	for _, user := range []string{"ann", "bob", "cyd", "dan", "admin"} {
		email := user + "@example.com"
		ask(user, `{ folder { name } `+seen+` }`)
		ask(user, `mutation { shared_with_me { shares { table id with_kind with_name rights expires_at reason template granted_by } } }`)
		for _, action := range []string{"read", "update", "share"} {
			ask("admin", fmt.Sprintf(`mutation { explain_access(user: %q, action: %q, table: "paper", id: %q) { allowed answer missing steps { step ok text } grants { role held level units hidden reaches because } help } }`, email, action, paper))
			ask("admin", fmt.Sprintf(`mutation { explain_access(user: %q, action: "read", table: "paper", id: %q, column: "ssn") { allowed answer } }`, email, paper))
		}
	}
	ask("admin", `mutation { record_shares(table: "folder", id: "`+folder+`") { shares { with rights expires_at reason template granted_by granted_at } } who_can(table: "paper", id: "`+paper+`", action: "read") { users { name by role because } } column_profiles { profiles { name columns { table column read create update unmask } roles teams users } } export_schema { files { path text } } }`)
	return out
}
