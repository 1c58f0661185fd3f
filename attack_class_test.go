package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// values of a data class that logs do not hold are in no line of the log at its most talkative, whatever goes wrong with them: a
// wrong value, a key that is taken, a pattern, a rule whose message tells them, a calculated column, an import. Who made the mistake
// reads what it was. Who is denied the class reads nothing of it in the messages of rules either.
func TestAttackA20ClassesInLogs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		log := &kept{}
		c.Dev = false
		s := newScenarioLog(t, c, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		s.must(t, "admin", `mutation {
			put_data_class(name: "health", log: "deny") { version }
			create_table(name: "patient", columns: [
				{name: "name", kind: "text"}
				{name: "code", kind: "text", unique: true, max_length: 30, classes: ["health"]}
				{name: "born", kind: "date", classes: ["health"]}
				{name: "mark", kind: "text", pattern: "[A-Z]+", classes: ["health"]}
				{name: "note", kind: "text", formula: "code + '!'"}
			]) { version }
			put_rule(table: "patient", name: "no Eve", on: ["update"], when: "name == 'Eve'", do: [{do: "fail", message: "not with {note} of {code}"}]) { version }
			put_role(name: "nurse", grants: [{table: "patient", privileges: ["create", "read", "update"]}], actions: ["import_data"]) { role }
			trainee: put_role(name: "trainee", inherits: ["nurse"], deny_classes: ["health"]) { role }
		}`)
		s.sure(t, "nurse", []string{"nurse"})
		s.sure(t, "trainee", []string{"trainee"})
		const id = `"00000000-0000-4000-8000-00000000000a"`
		s.must(t, "nurse", `mutation { insert_patient_one(object: {id: `+id+`, name: "Ann", code: "canary"}) { id } }`)

		wrong := []string{
			`mutation { insert_patient_one(object: {name: "Bob", code: "canary"}) { id } }`,
			`mutation { insert_patient_one(object: {born: "canary"}) { id } }`,
			`mutation { insert_patient_one(object: {mark: "canary"}) { id } }`,
			`mutation { insert_patient_one(object: {code: "canary canary canary canary canary"}) { id } }`,
			`mutation { update_patient_by_pk(pk_columns: {id: ` + id + `}, _set: {name: "Eve"}) { id } }`,
			`mutation { update_patient_by_pk(pk_columns: {id: ` + id + `}, if_version: 7, _set: {code: "canary2"}) { id } }`,
			`mutation { insert_patient_one(object: {name: "x", born: "canary"}, on_conflict: {constraint: patient_code_key, update_columns: [name]}) { id } }`,
		}
		quoted := 0
		for _, q := range wrong {
			answer := s.send(t, "nurse", q, nil)
			if !bytes.Contains(answer, []byte(`"errors"`)) {
				t.Errorf("%s: %s", q, answer)
			}
			if bytes.Contains(answer, []byte("canary")) {
				quoted++
			}
			if answer := s.send(t, "trainee", q, nil); !bytes.Contains(answer, []byte(`"errors"`)) || strings.Contains(strings.ReplaceAll(string(answer), `\"canary\"`, ""), "canary!") {
				t.Errorf("%s: %s", q, answer)
			}
		}
		if quoted == 0 {
			t.Error("no error quotes a value, so that nothing was tried")
		}
		s.request(t, "nurse", http.MethodPost, "/data/import/patient?on_error=stop", []byte("name,born\nBob,canary\n"), []byte("Content-Type: text/csv"))
		s.request(t, "nurse", http.MethodPost, "/data/import/patient?on_error=skip", []byte("name,code\nBob,canary\n"), []byte("Content-Type: text/csv"))
		s.request(t, "nurse", http.MethodPost, "/data/import/patient?on_error=stop", []byte("name,mark\nBob,canary\n"), []byte("Content-Type: text/csv"))

		refused := s.send(t, "trainee", wrong[4], nil)
		if !bytes.Contains(refused, []byte("not with … of …")) {
			t.Errorf("the rule says %s", refused)
		}
		asked := s.send(t, "trainee", `mutation { evaluate_rules(table: "patient", op: "update", id: `+id+`, record: {name: "Eve"}) { ok refused { message } values } }`, nil)
		if bytes.Contains(asked, []byte("canary")) || !bytes.Contains(asked, []byte("not with … of …")) {
			t.Errorf("the rules say %s", asked)
		}
		if lines := log.Bytes(); bytes.Contains(lines, []byte("canary")) {
			i := bytes.Index(lines, []byte("canary"))
			t.Errorf("it is in the log: %s", lines[max(0, i-400):min(len(lines), i+100)])
		} else if !bytes.Contains(lines, []byte("whose data class health keeps them out of logs")) {
			t.Errorf("the log does not tell what it leaves out: %.3000s", lines)
		}
	})
}
