package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// files, imports, duplicates, models and what enriches records show of a value what a query shows: nothing, or its mask. None
// of them depends on what is behind that.
func TestAttackA20MaskedPaths(t *testing.T) {
	for _, way := range []string{"hidden", "masked", "denied"} {
		t.Run(way, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) {
				s := hospital(t, c, way)
				s.must(t, "admin", `mutation {
					label: add_column(table: "patient", name: "label", kind: "text") { version }
					rule: put_duplicate_rule(table: "patient", name: "same code", columns: [{column: "code", compare: "code"}]) { version }
					more: put_duplicate_rule(table: "patient", name: "same name", columns: [{column: "name"}], when: "coalesce(size, 0) > 15") { version }
					helper: put_role(name: "helper", actions: ["import_data", "manage_models"]) { role }
					assign_role(role: "helper", user: "clerk@example.com") { role }
				}`)
				var more []string
				for i := range 24 {
					more = append(more, fmt.Sprintf(`{name: "P%d", code: "ABcanary %d", size: %d, label: "%c"}`, i, i, i, "xy"[i%2]))
				}
				s.must(t, "admin", `mutation { insert_patient(objects: [`+strings.Join(more, ",")+`]) { affected_rows } }`)
				send := func(query string) func() string {
					return func() string { return string(s.send(t, "clerk", query, nil)) }
				}
				get := func(path string) func() string {
					return func() string { return s.whole(t, "clerk", http.MethodGet, path) }
				}
				imported := func(query, csv string) func() string {
					return func() string {
						_, out := s.request(t, "clerk", http.MethodPost, "/data/import/patient?"+query, []byte(csv), []byte("Content-Type: text/csv"))
						if id := uuidPattern.FindString(string(out)); id != "" {
							out = append(out, s.call(t, "clerk", http.MethodGet, "/data/imports/"+id+"/failures", nil, nil)...)
						}
						return string(out)
					}
				}
				const ids = `"00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"`
				questions := map[string]func() string{
					"export csv":     get("/data/export/patient?format=csv"),
					"export ndjson":  get("/data/export/patient?format=ndjson"),
					"import by key":  imported("key=code&mode=update&columns="+`{"c":"code","n":"name"}`, "c,n\nABcanary,Eve\n"),
					"import refused": imported("on_error=skip&mode=update&key=id", "id,size\n00000000-0000-4000-8000-00000000000a,1\n"),
					"import lookups": imported("on_error=skip", "name,doctor_id\nEve,00000000-0000-4000-8000-0000000000aa\n"),
					"import planned": imported("plan=1&on_duplicate=refuse", "name\nBob\n"),
					"duplicates":     send(`mutation { find_duplicates(table: "patient", rule: "same code") { groups { count records } } }`),
					"like":           send(`mutation { find_duplicates(table: "patient", rule: "same name") { groups { count records } } }`),
					"warnings":       send(`mutation { insert_patient(objects: [{name: "Bob"}, {name: "Ann"}], dry_run: true) { affected_rows results { duplicates { rule record } } } }`),
					"refusals":       send(`mutation { insert_patient(objects: [{name: "Bob"}], on_duplicate: refuse, dry_run: true) { affected_rows } }`),
					"train":          send(`mutation { train_classifier(model: "m", table: "patient", text: "code", label: "label") { examples report } }`),
					"train on loud":  send(`mutation { train_classifier(model: "m", table: "patient", text: "loud", label: "label") { examples report } }`),
					"train to size":  send(`mutation { train_classifier(model: "m", table: "patient", text: "name", label: "size") { examples report } }`),
					"enrich":         send(`mutation { enrich_records(table: "patient", ids: [` + ids + `], set: {label: "email_domain(code)"}) { enriched } }`),
					"enriched":       send(`{ patient(order_by: {name: asc}) { name label } }`),
					"classify":       send(`mutation { classify_records(model: "m", table: "patient", ids: [` + ids + `], text: "code", label: "label") { classified } }`),
				}
				numbers := regexp.MustCompile(`"(updated_at|version|started_at|finished_at|rate|batch|request_id|token)":("[^"]*"|[\d.]+)|\d{4}-\d\d-\d\d[T ][^",]*|(?m)^<id>,\d+`)
				ask := func() map[string]string {
					out := map[string]string{}
					for name, q := range questions {
						answer := q()
						if strings.Contains(answer, "canary") && !strings.HasPrefix(name, "import by") || strings.Contains(answer, "zebra") || strings.Contains(answer, "lion") {
							t.Errorf("%s tells: %s", name, answer)
						}
						out[name] = numbers.ReplaceAllString(masked(answer), "")
					}
					return out
				}
				ask() // what it writes is written
				before := ask()
				for i, values := range []string{`{code: "ABzzz@canary.example", size: 99}`, `{code: "AB canary", size: 3}`, `{code: "AB-zzz@canary.example", size: 50}`} {
					s.must(t, "admin", fmt.Sprintf(`mutation { update_patient_by_pk(pk_columns: {id: "00000000-0000-4000-8000-00000000000%c"}, _set: %s) { id } }`, "abc"[i], values))
				}
				for name, now := range ask() {
					if now != before[name] {
						t.Errorf("%s depends on what is hidden:\nbefore %s\nafter  %s", name, before[name], now)
					}
				}
			})
		})
	}
}
