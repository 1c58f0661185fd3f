package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// TestRulesHoldForEveryWriter goes through the ways in which the program writes records, from outside: a rule counts each write of a
// record, and another refuses what no record may hold.
func TestRulesHoldForEveryWriter(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		w := &ruledWorld{scenario: newScenario(t, c), t: t, dir: t.TempDir()}
		w.furnish()
		w.mutations()
		w.files()
		w.lifecycle()
		w.actions()
		w.unified()
		if got := w.ask(`{ thing_aggregate(where: {note: {_eq: "forbidden"}}) { aggregate { count } } person_aggregate(where: {email: {_eq: "forbidden@example.com"}}) { aggregate { count } } }`); strings.Count(got, `"count":0`) != 2 {
			t.Errorf("what no record may hold is there: %s", got)
		}
	})
}

// ruledWorld is a program with a table "thing", of which the record "a" is written again and again.
type ruledWorld struct {
	*scenario
	t    *testing.T
	dir  string
	seen int // how often the rule has seen the record
	ids  map[string]string
}

// ask sends a document that must be answered.
func (w *ruledWorld) ask(query string) string {
	w.t.Helper()
	got := string(w.send(w.t, "admin", query, nil))
	if strings.Contains(got, `"errors"`) {
		w.t.Fatalf("%s\n%s", query, got)
	}
	return got
}

// write writes the record "a" once.
func (w *ruledWorld) write(way, query string) {
	w.t.Helper()
	w.ask(query)
	w.wrote(way)
}

// wrote checks that the rule has seen one more write of the record.
func (w *ruledWorld) wrote(way string) {
	w.t.Helper()
	w.seen++
	if got := w.count("a"); got != w.seen {
		w.t.Errorf("after %s the rule has seen %d writes of the record, and not %d", way, got, w.seen)
		w.seen = got
	}
}

// count returns how often the rule has seen a record.
func (w *ruledWorld) count(code string) int {
	w.t.Helper()
	var out struct {
		Data struct{ Thing []struct{ Seen int } }
	}
	got := w.ask(`{ thing(where: {code: {_eq: "` + code + `"}}) { seen } }`)
	if err := json.Unmarshal([]byte(got), &out); err != nil || len(out.Data.Thing) != 1 {
		w.t.Fatal(got, err)
	}
	return out.Data.Thing[0].Seen
}

// refuse sends a mutation that the rule must refuse.
func (w *ruledWorld) refuse(query string) {
	w.t.Helper()
	if got := string(w.send(w.t, "admin", query, nil)); !strings.Contains(got, `"kind":"RULE_FAILED"`) || !strings.Contains(got, "not allowed") {
		w.t.Errorf("%s\n%s", query, got)
	}
}

// id returns the id that the answer to a document ends with.
func (w *ruledWorld) id(query string) string {
	w.t.Helper()
	found := uuidPattern.FindAllString(w.ask(query), -1)
	if len(found) == 0 {
		w.t.Fatal(query)
	}
	return found[len(found)-1]
}

func (w *ruledWorld) furnish() {
	w.ask(`mutation {
		box: create_table(name: "box", columns: [{name: "name", kind: "text"}]) { version }
		thing: create_table(name: "thing", columns: [{name: "code", kind: "text", unique: true}, {name: "note", kind: "text"}, {name: "mail", kind: "text"}, {name: "domain", kind: "text"}, {name: "tone", kind: "text"},
			{name: "box_id", kind: "lookup", target: "box", inverse: "things", on_delete: "set_null"}, {name: "seen", kind: "integer"}],
			rules: [
				{name: "count", order: 1, do: [{do: "set", column: "seen", value: "coalesce(seen, 0) + 1"}]}
				{name: "forbidden", order: 2, when: "note == 'forbidden'", do: [{do: "fail", message: "not allowed"}]}
				{name: "stays", on: ["delete"], when: "code == 'kept'", do: [{do: "fail", message: "not allowed"}]}
			]) { version }
		source: create_table(name: "source", columns: [{name: "code", kind: "text", unique: true}, {name: "note", kind: "text"}]) { version }
	}`)
	w.ask(`mutation { add_many_to_many(table: "thing", target: "box", name: "in_box", field: "boxes", inverse: "contents") { version } }`)
}

// mutations writes with the mutations of the table.
func (w *ruledWorld) mutations() {
	box := w.id(`mutation { insert_box_one(object: {name: "first"}) { id } }`)
	w.ids = map[string]string{"first": box}
	w.write("insert_thing_one", `mutation { insert_thing_one(object: {code: "a", note: "1", mail: "a@example.org", box_id: "`+box+`"}) { id } }`)
	w.ids["a"] = w.id(`{ thing { id } }`)
	w.write("upsert", `mutation { insert_thing(objects: [{code: "a", note: "2"}], on_conflict: {constraint: thing_code_key, update_columns: [note]}) { affected_rows } }`)
	w.write("update", `mutation { update_thing(where: {code: {_eq: "a"}}, _set: {note: "3"}) { affected_rows } }`)
	w.write("update by key", `mutation { update_thing_by_pk(pk_columns: {id: "`+w.ids["a"]+`"}, _set: {note: "4"}) { id } }`)
	w.write("update by another key", `mutation { update_thing_by_code(key_columns: {code: "a"}, _set: {note: "5"}) { id } }`)
	w.write("update of many", `mutation { update_thing_many(updates: [{where: {code: {_eq: "a"}}, _set: {note: "6"}}]) { affected_rows } }`)
	w.ids["second"] = w.id(`mutation { insert_box_one(object: {name: "second", things: {data: [{code: "nested"}]}}) { id } }`)
	w.ask(`mutation { insert_thing(objects: [{code: "several"}, {code: "kept"}]) { affected_rows } }`)
	for _, code := range []string{"nested", "several"} {
		if n := w.count(code); n != 1 {
			w.t.Errorf("the rule has seen the record %q %d times", code, n)
		}
	}
	for _, q := range []string{
		`insert_thing_one(object: {code: "b", note: "forbidden"}) { id }`,
		`insert_thing(objects: [{code: "b"}, {code: "c", note: "forbidden"}]) { affected_rows }`,
		`insert_thing(objects: [{code: "a", note: "forbidden"}], on_conflict: {constraint: thing_code_key, update_columns: [note]}) { affected_rows }`,
		`insert_box_one(object: {name: "x", things: {data: [{code: "b", note: "forbidden"}]}}) { id }`,
		`insert_thing_one(object: {code: "b", note: "forbidden", box: {data: {name: "x"}}}) { id }`,
		`update_thing(where: {}, _set: {note: "forbidden"}) { affected_rows }`,
		`update_thing_by_pk(pk_columns: {id: "` + w.ids["a"] + `"}, _set: {note: "forbidden"}) { id }`,
		`update_thing_by_code(key_columns: {code: "a"}, _set: {note: "forbidden"}) { id }`,
		`update_thing_many(updates: [{where: {code: {_eq: "several"}}, _set: {note: "7"}}, {where: {code: {_eq: "a"}}, _set: {note: "forbidden"}}]) { affected_rows }`,
		`delete_thing(where: {code: {_eq: "kept"}}) { affected_rows }`,
		`delete_thing_by_code(key_columns: {code: "kept"}) { id }`,
	} {
		w.refuse(`mutation { ` + q + ` }`)
	}
}

// files imports files of each format, which hold the record and one that is refused, and takes the last import back.
func (w *ruledWorld) files() {
	w.ask(`mutation { insert_source(objects: [{code: "a", note: ""}, {code: "z", note: "forbidden"}]) { affected_rows } }`)
	for _, format := range []string{"csv", "ndjson", "parquet", "xlsx"} {
		w.ask(`mutation { update_source(where: {code: {_eq: "a"}}, _set: {note: "from ` + format + `"}) { affected_rows } }`)
		file := filepath.Join(w.dir, "source."+format)
		if format == "xlsx" {
			w.book(file)
		} else if out, err := w.command(w.t, "export-data", "--table", "source", "--columns", "code,note", "--out", file); err != nil {
			w.t.Fatal(out, err)
		}
		out, err := w.command(w.t, "import", "--table", "thing", "--key-column", "code", "--mode", "upsert", "--on-error", "skip", file)
		if err != nil || !strings.Contains(out, "0 created, 1 changed, 0 unchanged, 1 refused") || !strings.Contains(out, "not allowed") {
			w.t.Errorf("%s: %s %v", format, out, err)
		}
		w.wrote("an import of " + format)
	}
	batch := w.id(`mutation { import_csv(table: "thing", csv: "code,note\na,by hand\n", key: "code", mode: "upsert") { batch } }`)
	w.wrote("import_csv")
	w.refuse(`mutation { import_csv(table: "thing", csv: "code,note\nz,forbidden\n") { batch } }`)
	w.seen-- // which the undoing makes what it was
	w.write("undo_import", `mutation { undo_import(batch: "`+batch+`") { restored } }`)
}

func (w *ruledWorld) book(file string) {
	book := excelize.NewFile()
	for cell, v := range map[string]string{"A1": "code", "B1": "note", "A2": "a", "B2": "from xlsx", "A3": "z", "B3": "forbidden"} {
		if err := book.SetCellValue("Sheet1", cell, v); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := book.SaveAs(file); err != nil {
		w.t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		w.t.Fatal(err)
	}
}

// lifecycle deletes, restores and merges the record, and what it looks up.
func (w *ruledWorld) lifecycle() {
	w.ask(`mutation { delete_thing(where: {code: {_eq: "a"}}) { affected_rows } }`)
	w.write("restore", `mutation { restore_thing(ids: ["`+w.ids["a"]+`"]) { affected_rows } }`)
	merge := w.id(`mutation { merge_box(winner: "` + w.ids["second"] + `", losers: ["` + w.ids["first"] + `"]) { id } }`)
	w.wrote("merge of what it looks up")
	w.write("unmerge", `mutation { unmerge_box(id: "`+merge+`") { moved } }`)
	w.write("delete of what it looks up", `mutation { delete_box_by_pk(id: "`+w.ids["first"]+`") { id } }`)
	w.write("restore of what it looked up", `mutation { restore_box(ids: ["`+w.ids["first"]+`"]) { affected_rows } }`)
	w.seen = 1 // as in the version
	w.write("restore of a version", `mutation { restore_thing_version(id: "`+w.ids["a"]+`", version: 1) { id } }`)
	loser := w.id(`mutation { insert_thing_one(object: {code: "loser"}) { id } }`)
	w.write("merge", `mutation { merge_thing(winner: "`+w.ids["a"]+`", losers: ["`+loser+`"], take: {box_id: "`+loser+`"}) { id } }`)
}

// actions writes with the actions of plugins, called by people and by a flow.
func (w *ruledWorld) actions() {
	enrich := `table: "thing", ids: ["` + w.ids["a"] + `"], set: {domain: "email_domain(mail)"}`
	w.write("enrich_records", `mutation { enrich_records(`+enrich+`) { enriched } }`)
	var reviews []string
	for i := range 12 {
		reviews = append(reviews, fmt.Sprintf(`{body: "good nice lovely tea %d", tone: "good"}, {body: "bad cold awful cup %d", tone: "bad"}`, i, i))
	}
	w.ask(`mutation { create_table(name: "review", columns: [{name: "body", kind: "text"}, {name: "tone", kind: "text"}]) { version } }`)
	w.ask(`mutation { insert_review(objects: [` + strings.Join(reviews, ", ") + `]) { affected_rows } }`)
	w.ask(`mutation { train_classifier(model: "tone", table: "review", text: "body", label: "tone") { examples } }`)
	w.write("an update", `mutation { update_thing(where: {code: {_eq: "a"}}, _set: {note: "good lovely tea"}) { affected_rows } }`)
	w.write("classify_records", `mutation { classify_records(model: "tone", table: "thing", ids: ["`+w.ids["a"]+`"], text: "note", label: "tone") { classified } }`)
	w.ask(`mutation { put_flow(definition: """
name: plugins
trigger: {manual: {input: [{name: thing, kind: uuid}]}}
steps:
  - action: enrich_records
    with:
      table: thing
      ids: =[trigger.input.thing]
      set: {domain: "email_domain(mail)"}
  - action: classify_records
    with:
      table: thing
      model: tone
      ids: =[trigger.input.thing]
      text: note
      label: tone
  - action: import_csv
    with: {table: thing, csv: "code,note\na,by a flow\n", key: code, mode: upsert}
  - action: import_csv
    with: {table: thing, csv: "code,note\nz,forbidden\n"}
""") { version } }`)
	w.ask(`mutation { run_flow(name: "plugins", input: {thing: "` + w.ids["a"] + `"}) { run_id } }`)
	if err := w.app.flows.Drain(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
	if got := w.ask(`{ _flow_run { status error } }`); !strings.Contains(got, "failed") || !strings.Contains(got, "not allowed") {
		w.t.Error(got)
	}
	w.seen += 2
	w.wrote("a flow with three actions")
	w.ask(`mutation { put_rule(table: "in_box", name: "no", when: "box.name == 'second'", do: [{do: "fail", message: "not allowed"}]) { version } }`)
	w.ask(`mutation { link_records(table: "thing", field: "boxes", id: "` + w.ids["a"] + `", to: ["` + w.ids["first"] + `"]) { linked } }`)
	w.refuse(`mutation { link_records(table: "thing", field: "boxes", id: "` + w.ids["a"] + `", to: ["` + w.ids["second"] + `"]) { linked } }`)
}

// unified unifies records into a table with rules of its own.
func (w *ruledWorld) unified() {
	const job = `{name: "people", attributes: [{name: "email", type: "email"}, {name: "name", type: "full_name"}], sources: [{table: "lead", map: {email: "email", name: "name"}}],
		rules: [{name: "mail", match: [{attribute: "email"}]}], golden: {table: "person"}}`
	w.ask(`mutation { create_table(name: "lead", columns: [{name: "email", kind: "text"}, {name: "name", kind: "text"}]) { version } }`)
	w.ask(`mutation { unify_prepare(job: ` + job + `) { created } }`)
	w.ask(`mutation { add_column(table: "person", name: "seen", kind: "integer") { version } }`)
	w.ask(`mutation { put_rule(table: "person", name: "count", do: [{do: "set", column: "seen", value: "coalesce(seen, 0) + 1"}]) { version }
		no: put_rule(table: "person", name: "no", when: "email == 'forbidden@example.com'", do: [{do: "fail", message: "not allowed"}]) { version } }`)
	w.ask(`mutation { insert_lead_one(object: {email: "ann@example.com", name: "Ann Lee"}) { id } }`)
	w.ask(`mutation { unify_run(job: ` + job + `) { created } }`)
	w.ask(`mutation { update_lead(where: {}, _set: {name: "Anna Lee"}) { affected_rows } }`)
	w.ask(`mutation { unify_run(job: ` + job + `) { updated } }`)
	if got := w.ask(`{ person { name seen } }`); !strings.Contains(got, `{"name":"Anna Lee","seen":2}`) {
		w.t.Error(got)
	}
	w.ask(`mutation { insert_lead_one(object: {email: "forbidden@example.com", name: "Bo Lee"}) { id } }`)
	w.refuse(`mutation { unify_run(job: ` + job + `) { created } }`)
}
