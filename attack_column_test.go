package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The attacks of this file are on values that one may not read: in columns, in records, and in what is made of them. Each is sent
// over HTTP on every database, for every way in which a column can be kept from somebody.

// hospital is a world in which a clerk reads every patient, but for the columns code and size, and what is made of them.
func hospital(t *testing.T, c *config, way string) *scenario {
	secured, grant, profiles := "", `, hidden: ["code", "size"]`, ""
	switch way {
	case "secured", "masked":
		secured, grant = ", secured: true", ""
	case "denied":
		secured, grant, profiles = `, classes: ["health"]`, "", `, deny_classes: ["health"]`
	}
	code, size := secured, secured
	if way == "masked" {
		code, size, profiles = code+`, mask: "value.left(2) + '*'"`, size+`, mask: "value - value"`, `, column_profiles: ["glimpse"]`
	}
	s := newScenario(t, c)
	s.must(t, "admin", `mutation {
		put_data_class(name: "health") { version }
		doctor: create_table(name: "doctor", columns: [{name: "name", kind: "text"}]) { version }
		patient: create_table(name: "patient", columns: [{name: "name", kind: "text"}, {name: "code", kind: "text", unique: true`+code+`}, {name: "size", kind: "integer"`+size+`}
			{name: "loud", kind: "text", formula: "code.upper()"}, {name: "kept", kind: "integer", formula: "size + 1", stored: true}]) { version }
		add_lookup(table: "patient", target: "doctor", inverse: "patients") { version }
		total: add_column(table: "doctor", name: "total", kind: "integer", formula: "patients.sum(p, p.size)") { version }
		put_search(table: "patient", columns: [{column: "name"}, {column: "code"}]) { version }
	}`)
	if way == "masked" {
		s.must(t, "admin", `mutation { put_column_profile(name: "glimpse", columns: [{table: "patient", column: "code", read: "masked"}, {table: "patient", column: "size", read: "masked"}]) { profile } }`)
	}
	s.must(t, "admin", `mutation { put_role(name: "clerk", grants: [{table: "patient", privileges: ["create", "read", "update"]`+grant+`}, {table: "patient", privileges: ["delete", "append"]}, {table: "doctor", privileges: ["read", "append_to"]}]`+profiles+`) { role } }`)
	s.sure(t, "clerk", []string{"clerk"})
	s.must(t, "admin", `mutation { insert_doctor(objects: [
		{name: "House", patients: {data: [{id: "00000000-0000-4000-8000-00000000000a", name: "Ann", code: "ABcanary", size: 10}, {id: "00000000-0000-4000-8000-00000000000b", name: "Bob", code: "ABzebra", size: 20}]}}
		{name: "Who", patients: {data: [{id: "00000000-0000-4000-8000-00000000000c", name: "Cy", code: "ABlion", size: 30}]}}]) { affected_rows } }`)
	return s
}

// a column that one may not read is like one that is not there wherever it is named, and no answer depends on
// what is in it: not the order of records, not a count, not what is calculated from it.
func TestAttackA01HiddenColumns(t *testing.T) {
	for _, way := range []string{"hidden", "secured", "masked", "denied"} {
		t.Run(way, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) {
				s := hospital(t, c, way)
				refused := []string{
					`{ patient(where: {code: {_eq: "ABcanary"}}) { name } }`, `{ patient(where: {code: {_like: "AB%"}}) { name } }`, `{ patient(where: {code: {_is_null: true}}) { name } }`,
					`{ patient(where: {_not: {size: {_gt: 15}}}) { name } }`, `{ patient(where: {_or: [{name: {_eq: "Ann"}}, {size: {_gt: 15}}]}) { name } }`,
					`{ patient(where: {loud: {_eq: "ABCANARY"}}) { name } }`, `{ patient(where: {kept: {_eq: 11}}) { name } }`, `{ doctor(where: {total: {_gt: 5}}) { name } }`,
					`{ doctor(where: {patients: {code: {_eq: "ABcanary"}}}) { name } }`, `{ doctor(where: {patients: {loud: {_eq: "ABCANARY"}}}) { name } }`,
					`{ doctor { patients(where: {code: {_eq: "ABcanary"}}) { name } } }`, `{ doctor { patients_aggregate(where: {size: {_gt: 15}}) { aggregate { count } } } }`,
					`{ patient(order_by: {code: asc}) { name } }`, `{ patient(order_by: [{name: asc}, {size: desc}]) { name } }`, `{ patient(order_by: {loud: asc}) { name } }`, `{ patient(order_by: {kept: asc}) { name } }`,
					`{ doctor(order_by: {total: asc}) { name } }`, `{ doctor { patients(order_by: {size: asc}) { name } } }`, `{ patient(order_by: {doctor: {total: asc}}) { name } }`,
					`{ patient_aggregate { aggregate { min { size } } } }`, `{ patient_aggregate { aggregate { max { code } } } }`, `{ patient_aggregate { aggregate { sum { size kept } } } }`, `{ patient_aggregate { aggregate { avg { kept } } } }`,
					`{ patient_aggregate { aggregate { count(columns: [code]) } } }`, `{ patient_aggregate { aggregate { count(columns: [size], distinct: true) } } }`, `{ patient_aggregate(where: {code: {_gt: "ABd"}}) { aggregate { count } } }`,
					`{ doctor_aggregate { aggregate { sum { total } } } }`, `{ patient_by_code(code: "ABcanary") { name } }`,
					`{ patient_as_of(at: "2040-01-01T00:00:00Z", where: {code: {_eq: "ABcanary"}}) { name } }`,
					`mutation { update_patient(where: {code: {_eq: "ABcanary"}}, _set: {name: "Eve"}, dry_run: true) { affected_rows } }`, `mutation { delete_patient(where: {size: {_gt: 15}}, dry_run: true) { affected_rows } }`,
					`mutation { update_patient(where: {}, _inc: {size: 1}, dry_run: true) { affected_rows } }`, `mutation { update_patient(where: {}, _set: {code: "x"}, dry_run: true) { affected_rows } }`,
					`mutation { insert_patient_one(object: {name: "Eve", code: "ABcanary"}) { name } }`,
					`mutation { insert_patient(objects: [{name: "Eve"}], on_conflict: {constraint: patient_code_key, update_columns: [name]}) { affected_rows } }`,
					`mutation { insert_patient(objects: [{id: "00000000-0000-4000-8000-00000000000a", name: "Eve"}], on_conflict: {constraint: patient_pkey, update_columns: [size]}) { affected_rows } }`,
					`mutation { insert_patient(objects: [{id: "00000000-0000-4000-8000-00000000000a", name: "Eve"}], on_conflict: {constraint: patient_pkey, update_columns: [name], where: {size: {_gt: 1}}}) { affected_rows } }`,
					`mutation { insert_patient(objects: [{id: "00000000-0000-4000-8000-0000000000ff", name: "Eve"}], on_conflict: {constraint: patient_pkey, update_columns: [name], where: {code: {_eq: "ABcanary"}}}) { affected_rows } }`,
					`mutation { insert_patient(objects: [{id: "00000000-0000-4000-8000-0000000000ff", name: "Eve"}], on_conflict: {constraint: patient_pkey, update_columns: [], where: {_not: {kept: {_gt: 1}}}}) { affected_rows } }`,
					`mutation { insert_patient(objects: [], on_conflict: {constraint: patient_pkey, update_columns: [name], where: {loud: {_eq: "x"}}}) { affected_rows } }`,
				}
				if way != "masked" {
					refused = append(refused, "/data/export/patient?columns=name,code")
				}
				for _, q := range []string{`where={"code":{"_eq":"ABcanary"}}`, `where={"loud":{"_eq":"x"}}`, `where={"_or":[{"size":{"_gt":1}}]}`} {
					name, value, _ := strings.Cut(q, "=")
					refused = append(refused, "/data/export/patient?"+name+"="+url.QueryEscape(value))
				}
				asked := func(q string) string {
					if strings.HasPrefix(q, "/") {
						return s.whole(t, "clerk", http.MethodGet, q)
					}
					return string(s.send(t, "clerk", q, nil))
				}

				// Nothing that he can ask depends on the values, whatever they become.
				ask := func() (out []string) {
					for _, q := range refused {
						answer := asked(q)
						if !strings.Contains(answer, "there is no such column") || strings.Contains(answer, "did you mean") {
							t.Errorf("%s: %s", q, answer)
						}
						out = append(out, q+"\n"+answer)
					}
					for _, q := range []string{
						`{ patient { name code size loud kept } }`, `{ patient(order_by: {name: desc}) { name code size } }`, `{ doctor(order_by: {name: asc}) { name total patients(order_by: {name: asc}) { name code size loud kept } } }`,
						`{ patient_by_pk(id: "00000000-0000-4000-8000-00000000000a") { name code size loud kept } }`, `{ patient_aggregate { aggregate { count } nodes { name code size } } }`,
						`{ patient(where: {_search: "canary"}) { name } }`, `{ patient(where: {_search: "zebr*"}, order_by: {_rank: desc}) { name _rank } }`, `{ patient(where: {_search: "ABcanary"}) { name } }`,
						`mutation { search(text: "canary", tables: ["patient"]) { hits { title } } }`, `mutation { search(text: "lion", tables: ["patient"]) { hits { title } } }`,
						`mutation { evaluate_expression(table: "patient", source: "name", id: "00000000-0000-4000-8000-00000000000a") { value } }`,
						`mutation { update_patient(where: {name: {_eq: "Ann"}}, _set: {name: "Ann"}, dry_run: true) { returning { name code size loud kept } } }`,
					} {
						out = append(out, q+"\n"+string(s.send(t, "clerk", q, nil)))
					}
					for _, format := range []string{"csv", "ndjson"} {
						_, body := s.request(t, "clerk", http.MethodGet, "/data/export/patient?format="+format+"&columns=name", nil, nil)
						out = append(out, "export "+format+"\n"+string(body))
					}
					return out
				}
				before := ask()
				for i, values := range []string{`{code: "ABzzz", size: 99}`, `{code: "ABcanary canary", size: -1}`, `{code: "ABaaa", size: 0}`} {
					s.must(t, "admin", fmt.Sprintf(`mutation { update_patient_by_pk(pk_columns: {id: "00000000-0000-4000-8000-00000000000%c"}, _set: %s) { id } }`, "abc"[i], values))
				}
				for i, now := range ask() {
					if now != before[i] {
						t.Errorf("it depends on what is hidden: %s\nbefore %s", now, before[i])
					}
					if strings.Contains(strings.SplitN(now, "\n", 2)[1], "zebra") || strings.Contains(strings.SplitN(now, "\n", 2)[1], "canary") {
						t.Errorf("it tells: %s", now)
					}
				}
			})
		})
	}
}

// a search finds nothing by words that are only in what one may not read, and counts and ranks nothing by them.
func TestAttackA02SearchOfHiddenColumns(t *testing.T) {
	for _, way := range []string{"hidden", "secured", "masked", "denied"} {
		t.Run(way, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) {
				s := hospital(t, c, way)
				s.must(t, "admin", `mutation { insert_patient_one(object: {name: "Zora zebra", code: "ABother"}) { id } }`)
				for _, text := range []string{"ABcanary", "abcan*", `\"ABcanary\"`, "ABlion", "ABzebra", "ab*"} {
					for _, q := range []string{`{ patient(where: {_search: "%s"}) { name _rank } }`, `{ patient_aggregate(where: {_search: "%s"}) { aggregate { count } } }`, `mutation { search(text: "%s") { hits { title } } }`} {
						q = fmt.Sprintf(q, text)
						want := strings.Replace(q, text, "nowhere", 1)
						if got, want := s.send(t, "clerk", q, nil), s.send(t, "clerk", want, nil); !bytes.Equal(got, want) || bytes.Contains(got, []byte(`"errors"`)) {
							t.Errorf("%s\ngot  %s\nwant %s", q, got, want)
						}
					}
				}
				got := s.send(t, "clerk", `{ patient(where: {_search: "zebra"}) { name } }`, nil)
				if want := `{"data":{"patient":[{"name":"Zora zebra"}]}}`; strings.TrimSpace(string(got)) != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

// what is counted and added up is what the caller may read, in every place where something is.
func TestAttackA03Aggregates(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			team: create_table(name: "region", columns: [{name: "name", kind: "text"}]) { version }
			deal: create_table(name: "deal", ownership: "user", columns: [{name: "title", kind: "text"}, {name: "amount", kind: "integer"}, {name: "open", kind: "boolean"}]) { version }
			add_lookup(table: "deal", target: "region", inverse: "deals") { version }
			total: add_column(table: "region", name: "total", kind: "integer", formula: "deals.sum(d, d.amount)") { version }
			number: add_column(table: "region", name: "number", kind: "integer", formula: "deals.count(d, d.amount > 0)") { version }
			a: put_role(name: "seller", grants: [{table: "deal", privileges: ["create", "append"]}, {table: "deal", privileges: ["read"], level: "own"}, {table: "region", privileges: ["read", "append_to", "create"]}]) { role }
			b: put_role(name: "auditor", grants: [{table: "deal", privileges: ["read"], condition: "open"}, {table: "region", privileges: ["read"]}]) { role }
			c: put_role(name: "stranger", grants: [{table: "region", privileges: ["read"]}]) { role }
		}`)
		s.sure(t, "seller", []string{"seller"})
		s.sure(t, "auditor", []string{"auditor"})
		s.sure(t, "stranger", []string{"stranger"})
		s.must(t, "admin", `mutation { insert_region_one(object: {id: "00000000-0000-4000-8000-000000000001", name: "North", deals: {data: [{title: "a", amount: 100, open: true}, {title: "b", amount: 200, open: false}, {title: "c", amount: -7}]}}) { id } }`)
		s.must(t, "seller", `mutation { insert_deal(objects: [{title: "d", amount: 5, open: false, region_id: "00000000-0000-4000-8000-000000000001"}, {title: "e", amount: 6, open: true, region_id: "00000000-0000-4000-8000-000000000001"}]) { affected_rows } }`)
		const aggregate = `aggregate { count sum { amount } min { amount title } max { amount title } avg { amount } }`
		for user, want := range map[string]string{
			"seller":  `{"count":2,"sum":{"amount":11},"min":{"amount":5,"title":"d"},"max":{"amount":6,"title":"e"},"avg":{"amount":5.5}}`,
			"auditor": `{"count":2,"sum":{"amount":106},"min":{"amount":6,"title":"a"},"max":{"amount":100,"title":"e"},"avg":{"amount":53}}`,
		} {
			for q, answer := range map[string]string{
				`{ deal_aggregate { ` + aggregate + ` } }`:                                                `{"data":{"deal_aggregate":{"aggregate":` + want + `}}}`,
				`{ region { deals_aggregate { ` + aggregate + ` } } }`:                                    `{"data":{"region":[{"deals_aggregate":{"aggregate":` + want + `}}]}}`,
				`{ deal_aggregate(where: {amount: {_gt: 150}}) { aggregate { count } nodes { title } } }`: `{"data":{"deal_aggregate":{"aggregate":{"count":0},"nodes":[]}}}`,
				`{ region(where: {deals: {title: {_eq: "b"}}}) { name } }`:                                `{"data":{"region":[]}}`,
			} {
				if got := strings.TrimSpace(string(s.send(t, user, q, nil))); got != answer {
					t.Errorf("%s: %s\ngot  %s\nwant %s", user, q, got, answer)
				}
			}
		}
		for user, want := range map[string]string{
			"seller": `{"total":11,"number":2}`, "auditor": `{"total":106,"number":2}`, "stranger": `{"total":null,"number":null}`, "admin": `{"total":304,"number":4}`,
		} {
			if got := strings.TrimSpace(string(s.send(t, user, `{ region { total number } }`, nil))); got != `{"data":{"region":[`+want+`]}}` {
				t.Errorf("%s: %s, want %s", user, got, want)
			}
		}
	})
}
