package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"colonnade/core"
)

// data is the set of rows: every value follows from the number of its row.
type data struct {
	accounts, contacts, orders int

	seller person
}

// person is a user with a key of the API.
type person struct{ id, key string }

func dataOf(scale int) data {
	return data{accounts: 4000 * scale, contacts: 20_000 * scale, orders: 60_000 * scale}
}

var (
	industries = []string{"Retail", "Energy", "Health", "Finance", "Media", "Public", "Telco", "Food"}
	countries  = []string{"DE", "FR", "US", "GB", "IT", "ES", "NL", "PL", "SE", "JP"}
	firstNames = []string{"Anna", "Ben", "Carla", "David", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jan"}
	statuses   = []string{"draft", "open", "shipped", "paid", "cancelled"}
	currencies = []string{"EUR", "USD", "GBP"}

	// orderCountries are those whose accounts have contacts with orders.
	orderCountries = []string{"DE", "US", "IT"}
)

func text(name string) core.Column {
	return core.Column{Name: name, Kind: core.Text, MaxLength: 100, Required: true}
}

func lookup(target string) core.Column {
	return core.Column{Name: target + "_id", Kind: core.Lookup, Target: target, Required: true}
}

func column(name string, k core.Kind) core.Column { return core.Column{Name: name, Kind: k} }

func decimal(name string, precision, scale int) core.Column {
	return core.Column{Name: name, Kind: core.Decimal, Precision: precision, Scale: scale}
}

// tables are owned by the organization, but for accounts: each twentieth is the seller's, who sees his own that are active.
var tables = []core.Table{
	{
		Name: "account", Ownership: core.UserOwned,
		Columns: []core.Column{
			text("name"), text("industry"), text("country"), column("employees", core.Integer), decimal("revenue", 14, 2), column("is_active", core.Boolean), text("website"),
		},
		Indexes: []core.Index{{Name: "country_revenue", Columns: []core.IndexColumn{{Column: "country"}, {Column: "revenue", Desc: true}}}},
	},
	{
		Name: "contact",
		Columns: []core.Column{
			lookup("account"), text("first_name"), text("last_name"), text("email"), text("phone"), column("score", core.Integer), column("opted_in", core.Boolean), column("birth_date", core.Date),
		},
	},
	{
		Name: "orders",
		Columns: []core.Column{
			lookup("contact"), lookup("account"), column("order_no", core.Integer), text("status"), decimal("total", 12, 2), text("currency"), column("is_paid", core.Boolean), column("placed_at", core.Timestamp),
		},
		Indexes: []core.Index{{Name: "status_placed", Columns: []core.IndexColumn{{Column: "status"}, {Column: "placed_at", Desc: true}}}},
	},
	{Name: "bench_row", Columns: personColumns},
	{Name: "bench_ruled", Columns: append(slices.Clone(personColumns), column("rank", core.Integer))},
}

var personColumns = []core.Column{lookup("account"), text("first_name"), text("last_name"), text("email"), column("score", core.Integer)}

// policy is what stands beside the tables: the rules of bench_ruled, and the role of the seller.
const policy = `mutation {
  a: put_rule(table: "bench_ruled", name: "rank", when: "score > 500", do: [{do: "set", column: "rank", value: "score * 2"}], else: [{do: "set", column: "rank", value: "score"}]) { version }
  b: put_rule(table: "bench_ruled", name: "score", when: "score < 0 || !email.contains('@')", do: [{do: "fail", column: "score", message: "{score} is no score"}]) { version }
  c: put_role(name: "seller", grants: [{table: "account", privileges: ["read"], level: "own", condition: "is_active"}]) { role }
  user: create_user(name: "Sam", email: "sam@example.com", roles: ["seller"]) { id }
  key: create_api_key(name: "bench", user: "sam@example.com") { secret }
}`

// ids sort by the number of the row, as they do when the server makes them.
func id(table, n int) string { return fmt.Sprintf("01900000-%04x-7000-8000-%012x", table, n) }

func (data) account(n int) string { return id(1, n) }
func (data) contact(n int) string { return id(2, n) }
func (data) order(n int) string   { return id(3, n) }

// buyer is the account of the n-th order.
func (d data) buyer(n int) string { return d.account(2 * buyerOf((n-1)/5)) }

// buyerOf returns the number of the account of the j-th contact with orders, among those with contacts.
func buyerOf(j int) int { return 5*(j/10/3) + []int{1, 3, 5}[j/10%3] }

func cents(n int) string { return strconv.Itoa(n/100) + fmt.Sprintf(".%02d", n%100) }

// rows returns how many rows a table has at the start, and the n-th of them, counted from 1. Each second account has ten
// contacts; each contact of the accounts in orderCountries has five orders.
func (d data) rows(table string) (count int, row func(n int) map[string]any) {
	switch table {
	case "account":
		return d.accounts, func(n int) map[string]any {
			row := map[string]any{
				"id": d.account(n), "name": "Account " + strconv.Itoa(n), "industry": industries[n%8], "country": countries[n*7%10],
				"employees": n * 37 % 5000, "revenue": cents(n * 7919 % 10_000_000), "is_active": n%7 != 0, "website": "https://www.example" + strconv.Itoa(n) + ".com",
			}
			if n%20 == 0 {
				row["owner_id"] = d.seller.id
			}
			return row
		}
	case "contact":
		born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)
		return d.contacts, func(n int) map[string]any {
			return map[string]any{
				"id": d.contact(n), "account_id": d.account(2 * (1 + (n-1)/10)), "first_name": firstNames[n%10], "last_name": "Last" + strconv.Itoa(n%5000),
				"email": fmt.Sprintf("c%d@example%d.com", n, n%97), "phone": fmt.Sprintf("+49-30-%06d", n%1_000_000), "score": n * 31 % 1000,
				"opted_in": n%3 == 0, "birth_date": born.AddDate(0, 0, n%20_000).Format(time.DateOnly),
			}
		}
	case "orders":
		first := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
		return d.orders, func(n int) map[string]any {
			j := (n - 1) / 5 // the j-th contact with orders
			e := buyerOf(j)
			return map[string]any{
				"id": d.order(n), "contact_id": d.contact((e-1)*10 + 1 + j%10), "account_id": d.account(2 * e), "order_no": n, "status": statuses[n%5],
				"total": cents(n * 4177 % 1_000_000), "currency": currencies[n%3], "is_paid": n%5 == 3,
				"placed_at": first.Add(time.Duration(n*131%1_000_000) * time.Minute).Format(time.RFC3339),
			}
		}
	}
	return 0, nil
}

// api sends GraphQL requests to Colonnade.
type api struct{ addr, key string }

// batch is how many rows one request inserts.
const batch = 1000

// load creates the tables and fills them through the API, as any client would. It returns the rows with the seller.
func (a api) load(ctx context.Context, d data) (data, error) {
	for _, t := range tables {
		ownership := t.Ownership
		if ownership == "" {
			ownership = core.OrgOwned
		}
		_, err := a.send(ctx, `mutation($name: String!, $ownership: String!, $columns: [create_table_columns_input!]!, $indexes: [create_table_indexes_input!]) {
  create_table(name: $name, ownership: $ownership, columns: $columns, indexes: $indexes) { table }
}`, map[string]any{"name": t.Name, "ownership": ownership, "columns": t.Columns, "indexes": t.Indexes})
		if err != nil {
			return d, fmt.Errorf("create %s: %w", t.Name, err)
		}
	}
	answer, err := a.send(ctx, policy, nil)
	if err != nil {
		return d, fmt.Errorf("rules and roles: %w", err)
	}
	var made struct {
		User struct{ ID string }
		Key  struct{ Secret string }
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return d, err
	}
	d.seller = person{made.User.ID, made.Key.Secret}
	for _, t := range tables {
		count, row := d.rows(t.Name)
		document := fmt.Sprintf(`mutation($rows: [%s_insert_input!]!) { insert_%s(objects: $rows) { affected_rows } }`, t.Name, t.Name)
		for n := 1; n <= count; n += batch {
			var rows []map[string]any
			for i := n; i < min(n+batch, count+1); i++ {
				rows = append(rows, row(i))
			}
			if _, err := a.send(ctx, document, map[string]any{"rows": rows}); err != nil {
				return d, fmt.Errorf("insert into %s: %w", t.Name, err)
			}
		}
	}
	return d, nil
}

// send sends one mutation, and returns the data of the answer.
func (a api) send(ctx context.Context, document string, variables map[string]any) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.addr+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var out struct {
		Data   json.RawMessage   `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || len(out.Errors) > 0 || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %.1000s", resp.StatusCode, answer)
	}
	return out.Data, nil
}
