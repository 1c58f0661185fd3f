package main

import (
	"encoding/json"

	"path/filepath"
	"strings"
	"testing"
)

// derivedWorld makes accounts with invoices with items, projects that they are linked with, and derived columns over them: in chains,
// down a tree, over links, stored and not.
func derivedWorld(t *testing.T, s *scenario) {
	s.must(t, "admin", `mutation {
		a: create_table(name: "account", ownership: "organization", columns: [{name: "name", kind: "text", unique: true}, {name: "parent_id", kind: "lookup", target: "account", inverse: "children"}]) { version }
		b: create_table(name: "invoice", ownership: "organization", columns: [{name: "no", kind: "integer", unique: true}, {name: "rate", kind: "decimal", precision: 6, scale: 2, default: "1"}, {name: "account_id", kind: "lookup", target: "account"}]) { version }
		c: create_table(name: "item", ownership: "organization", columns: [{name: "no", kind: "integer", unique: true}, {name: "price", kind: "decimal", precision: 10, scale: 2}, {name: "amount", kind: "integer"}, {name: "invoice_id", kind: "lookup", target: "invoice", on_delete: "cascade"},
			{name: "net", kind: "decimal", precision: 14, scale: 2, formula: "price * amount", stored: true}], indexes: [{name: "dearest", columns: [{column: "net", desc: true}]}]) { version }
		d: create_table(name: "project", ownership: "organization", columns: [{name: "title", kind: "text", unique: true}]) { version }
		e: add_many_to_many(table: "account", target: "project", field: "projects", inverse: "customers") { version }
		f: add_column(table: "invoice", name: "total", kind: "decimal", precision: 14, scale: 2, formula: "item.sum(i, i.net) * rate", stored: true) { version }
		g: add_column(table: "account", name: "total", kind: "decimal", precision: 16, scale: 2, formula: "coalesce(invoice.sum(i, i.total), 0) + descendants(children).sum(c, c.invoice.sum(i, i.total))", stored: true) { version }
		h: add_column(table: "account", name: "live", kind: "decimal", precision: 16, scale: 2, formula: "coalesce(invoice.sum(i, i.total), 0) + descendants(children).sum(c, c.invoice.sum(i, i.total))") { version }
		i: add_column(table: "project", name: "worth", kind: "decimal", precision: 16, scale: 2, formula: "customers.sum(c, c.total)", stored: true, rights: "definer") { version }
		j: add_column(table: "item", name: "customer", kind: "text", formula: "invoice.account.name", stored: true) { version }
		k: put_rule(table: "item", name: "limit", when: "invoice.total > 100000", do: [{do: "fail", message: "too much"}]) { version }
	}`)
	s.must(t, "admin", `mutation { insert_account_one(object: {name: "all"}) { id } insert_project_one(object: {title: "bridge"}) { id } }`)
	all := s.idOf(t, "account", "name", `"all"`)
	s.must(t, "admin", `mutation { insert_account_one(object: {name: "north", parent_id: "`+all+`"}) { id } }`)
	north := s.idOf(t, "account", "name", `"north"`)
	s.must(t, "admin", `mutation {
		insert_invoice(objects: [{no: 1, account_id: "`+all+`"}, {no: 2, rate: 0.5, account_id: "`+north+`"}]) { affected_rows }
		link_records(table: "account", field: "projects", id: "`+north+`", to: ["`+s.idOf(t, "project", "title", `"bridge"`)+`"]) { linked }
	}`)
	s.must(t, "admin", `mutation {
		insert_item(objects: [{no: 1, price: 2.5, amount: 4, invoice_id: "`+s.idOf(t, "invoice", "no", "1")+`"}, {no: 2, price: 1.25, amount: 8, invoice_id: "`+s.idOf(t, "invoice", "no", "2")+`"}]) { affected_rows }
	}`)
}

// idOf returns the id of the record that has the value.
func (s *scenario) idOf(t *testing.T, table, column, value string) string {
	t.Helper()
	var found map[string][]struct{ ID string }
	raw := s.must(t, "admin", `{ `+table+`(where: {`+column+`: {_eq: `+value+`}}) { id } }`)
	if err := json.Unmarshal(raw, &found); err != nil || len(found[table]) != 1 {
		t.Fatalf("%s %s: %s", table, value, raw)
	}
	return found[table][0].ID
}

// totals returns all that is derived.
func (s *scenario) totals(t *testing.T) string {
	t.Helper()
	return string(s.must(t, "admin", `{ account(order_by: {name: asc}) { name total live } invoice(order_by: {no: asc}) { no total } project { worth } item(order_by: {net: desc, no: asc}) { no net customer } }`))
}

const someTotals = `{"account":[{"name":"all","total":15.00,"live":15.00},{"name":"north","total":5.00,"live":5.00}],"invoice":[{"no":1,"total":10.00},{"no":2,"total":5.00}],"project":[{"worth":5.00}],` +
	`"item":[{"no":1,"net":10.00,"customer":"all"},{"no":2,"net":10.00,"customer":"north"}]}`

// TestDerivedColumnsSurviveABackup backs a database with stored values and roll-ups up and restores it into both kinds of databases:
// every value is there, is what its formula makes of the records, and follows the next write.
func TestDerivedColumnsSurviveABackup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		derivedWorld(t, s)
		if got := s.totals(t); got != someTotals {
			t.Fatal(got)
		}
		s.eachRestored(t, c, func(c *config) {
			if got := s.totals(t); got != someTotals {
				t.Errorf("restored into %s: %s", placeOf(c.Data, c.Database, ""), got)
			}
			s.must(t, "admin", `mutation { update_item(where: {no: {_eq: 2}}, _set: {amount: 80}) { affected_rows } }`)
			want := strings.NewReplacer("15.00", "60.00", "5.00", "50.00", `{"no":1,"net":10.00,"customer":"all"},{"no":2,"net":10.00,"customer":"north"}`, `{"no":2,"net":100.00,"customer":"north"},{"no":1,"net":10.00,"customer":"all"}`).Replace(someTotals)
			if got := s.totals(t); got != want {
				t.Errorf("after a write %s, want %s", got, want)
			}
			history := s.must(t, "admin", `{ account_history(id: "`+s.idOf(t, "account", "name", `"all"`)+`", limit: 1) { cause changes { column new } } }`)
			if want := `"cause":"derived","changes":[{"column":"total","new":60.00}]`; !strings.Contains(string(history), want) {
				t.Errorf("the last version of the account is %s, want %s", history, want)
			}
		})
		s.open(t, c)
	})
}

// TestDerivedColumnsAndFiles writes records with derived values to files, and reads files into what they are derived from: they are in
// the files for who may read them, nobody writes them, and totals follow an import and its undoing at once.
func TestDerivedColumnsAndFiles(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		derivedWorld(t, s)
		dir := t.TempDir()
		file := func(name, text string) string {
			writeFile(t, dir, name, text)
			return filepath.Join(dir, name)
		}
		out, err := s.command(t, "export-data", "--table", "account", "--columns", "name,total,live", "--format", "csv")
		if want := "name,total,live\nall,15.00,15.00\nnorth,5.00,5.00\n"; err != nil || out != want {
			t.Errorf("%s %v", out, err)
		}
		for _, format := range []string{"ndjson", "parquet"} { // without the column that nobody writes
			name := filepath.Join(dir, "items."+format)
			if out, err := s.command(t, "export-data", "--table", "item", "--columns", "no,price,amount,invoice_id", "--out", name); err != nil {
				t.Fatal(out, err)
			}
			s.must(t, "admin", `mutation { delete_item(where: {}) { affected_rows } }`)
			if got := s.totals(t); !strings.Contains(got, `{"name":"all","total":0.00,"live":0.00}`) {
				t.Errorf("without items %s", got)
			}
			if out, err := s.command(t, "import", "--table", "item", name); err != nil {
				t.Fatal(out, err)
			}
			if got := s.totals(t); got != someTotals {
				t.Errorf("out and in again as %s: %s", format, got)
			}
		}
		_, err = s.command(t, "import", "--table", "item", file("net.csv", "no,net\n7,1\n"))
		if err == nil || !strings.Contains(explain(err), "net") || !strings.Contains(explain(err), "calculated") {
			t.Errorf("a calculated column is imported: %v", err)
		}
		out, err = s.command(t, "import", "--table", "item", "--column", "Invoice=invoice_id.no", "--match", file("more.csv", "no,price,amount,Invoice\n3,100,2,2\n4,1,1,1\n"))
		if err != nil || !strings.Contains(out, "2 created") {
			t.Fatal(out, err)
		}
		if got := s.totals(t); !strings.Contains(got, `{"name":"all","total":116.00,"live":116.00},{"name":"north","total":105.00,"live":105.00}`) || !strings.Contains(got, `"worth":105.00`) {
			t.Errorf("after an import %s", got)
		}
		_, err = s.command(t, "import", "--table", "item", "--column", "Invoice=invoice_id.no", "--match", file("dear.csv", "no,price,amount,Invoice\n5,500000,2,1\n"))
		if err == nil || !strings.Contains(explain(err), "too much") {
			t.Errorf("the rule over the total lets a file pass: %v", err)
		}
		var batches struct {
			Batches []struct{ ID string } `json:"_import_batch"`
		}
		raw := s.must(t, "admin", `{ _import_batch(order_by: {id: desc}, where: {created: {_eq: 2}}, limit: 1) { id } }`)
		if err := json.Unmarshal(raw, &batches); err != nil || len(batches.Batches) != 1 {
			t.Fatalf("%s", raw)
		}
		s.must(t, "admin", `mutation { undo_import(batch: "`+batches.Batches[0].ID+`") { deleted } }`)
		if got := s.totals(t); got != someTotals {
			t.Errorf("after the import is undone %s", got)
		}
	})
}
