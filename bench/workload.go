package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
)

// workload is one kind of request, in the forms of both sides.
type workload struct {
	name   string
	what   string
	write  bool
	seller bool // it is the seller who asks, not the administrator

	document string // for Colonnade
	values   func(r *rand.Rand, d data) map[string]any
	body     string // the value that the limit gets as a body; it gets all others, or all, in the address

	mix     []portion // what it is made of, instead of the above
	variety int       // how many different requests there are; [variety] when 0
	conns   int       // connections at most; any number when 0
}

// portion is how many of a hundred requests are of a workload.
type portion struct {
	percent int
	of      string
}

const orderColumns = "id contact_id account_id order_no status total currency is_paid placed_at created_at"

func orderList(name, limit string) string {
	return `query ` + name + `($status: String!, $offset: Int!) {
  orders(where: {status: {_eq: $status}}, order_by: {placed_at: desc}, limit: ` + limit + `, offset: $offset) { ` + orderColumns + ` }
}`
}

var workloads = []workload{
	{
		name: "W1", what: "an order by its id, 10 columns",
		document: `query W1($id: uuid!) { orders_by_pk(id: $id) { ` + orderColumns + ` } }`,
		values:   func(r *rand.Rand, d data) map[string]any { return map[string]any{"id": d.order(1 + r.IntN(d.orders))} },
	},
	{name: "W2", what: "50 orders of a status, the last first, 10 columns", document: orderList("W2", "50"), values: aStatus},
	{
		name: "W3", what: "20 accounts of a country, 10 contacts each, 5 orders each: 1,220 objects",
		document: `query W3($country: String!, $offset: Int!) {
  account(where: {country: {_eq: $country}}, order_by: {revenue: desc}, limit: 20, offset: $offset) {
    id name revenue country
    contact(order_by: {id: asc}, limit: 10) {
      id first_name last_name email
      orders(order_by: {placed_at: desc}, limit: 5) { id order_no status total placed_at }
    }
  }
}`,
		values: func(r *rand.Rand, _ data) map[string]any {
			return map[string]any{"country": orderCountries[r.IntN(len(orderCountries))], "offset": r.IntN(101)}
		},
	},
	{
		name: "W4", what: "orders of a status by currency: count, sum", document: grouped("W4", "$status: String!", "status: {_eq: $status}"),
		values: func(r *rand.Rand, _ data) map[string]any {
			return map[string]any{"status": statuses[r.IntN(len(statuses))]}
		},
	},
	{
		name: "W4s", what: "the same of one account, 50 orders", document: grouped("W4s", "$account: uuid!", "account_id: {_eq: $account}"),
		values: func(r *rand.Rand, d data) map[string]any {
			return map[string]any{"account": d.buyer(1 + r.IntN(d.orders))}
		},
	},
	{name: "W7", what: "as W2, 1,000 orders", document: orderList("W7", "1000"), values: aStatus},
	{
		name: "W8", what: "50 active accounts of who asks, by revenue, 10 columns: his role names neither", seller: true,
		document: `query W8($offset: Int!) {
  account(order_by: {revenue: desc}, limit: 50, offset: $offset) { id name industry country employees revenue is_active website created_at updated_at }
}`,
		values: func(r *rand.Rand, _ data) map[string]any { return map[string]any{"offset": r.IntN(101)} },
	},
	{
		name: "W10", what: "50 orders of accounts of a country, the last first, and how many there are",
		document: `query W10($country: String!, $offset: Int!) {
  orders(where: {account: {country: {_eq: $country}}}, order_by: {placed_at: desc}, limit: 50, offset: $offset) { ` + orderColumns + ` }
  orders_aggregate(where: {account: {country: {_eq: $country}}}) { aggregate { count } }
}`,
		values: func(r *rand.Rand, _ data) map[string]any {
			return map[string]any{"country": orderCountries[r.IntN(len(orderCountries))], "offset": r.IntN(201)}
		},
	},
	{
		name: "W5", what: "insert a row, durable, answer 3 columns", write: true,
		document: `mutation W5($account: uuid!, $first: String!, $last: String!, $email: String!, $score: bigint!) {
  insert_bench_row_one(object: {account_id: $account, first_name: $first, last_name: $last, email: $email, score: $score}) { id first_name created_at }
}`,
		values: func(r *rand.Rand, d data) map[string]any {
			p := aPerson(r, d)
			return map[string]any{"account": p["account_id"], "first": p["first_name"], "last": p["last_name"], "email": p["email"], "score": p["score"]}
		},
	},
}

// init, since the mix names the others.
func init() {
	workloads = append(workloads,
		workload{
			name: "W6", what: "insert 1,000 rows, each by two business rules", write: true, body: "rows", variety: 16, conns: 4,
			document: `mutation W6($rows: [bench_ruled_insert_input!]!) { insert_bench_ruled(objects: $rows) { affected_rows } }`,
			values: func(r *rand.Rand, d data) map[string]any {
				rows := make([]map[string]any, batch)
				for i := range rows {
					rows[i] = aPerson(r, d)
				}
				return map[string]any{"rows": rows}
			},
		},
		workload{name: "W9", what: "50 % W1, 25 % W2, 5 % W3, 20 % W5", write: true, mix: []portion{{50, "W1"}, {25, "W2"}, {5, "W3"}, {20, "W5"}}},
	)
}

// grouped is a query for orders by currency.
func grouped(name, variable, where string) string {
	return `query ` + name + `(` + variable + `) {
  orders_grouped(by: [{currency: true}], where: {` + where + `}) { key { currency } aggregate { count sum { total } } }
}`
}

// aPerson is a row of bench_row.
func aPerson(r *rand.Rand, d data) map[string]any {
	n := strconv.Itoa(r.IntN(1_000_000))
	return map[string]any{"account_id": d.account(1 + r.IntN(d.accounts)), "first_name": "Fn", "last_name": "Ln" + n, "email": "e" + n + "@example.com", "score": r.IntN(1000)}
}

func aStatus(r *rand.Rand, _ data) map[string]any {
	return map[string]any{"status": statuses[r.IntN(len(statuses))], "offset": r.IntN(201)}
}

// connections returns how many there are.
func (w *workload) connections(o *options) int {
	if w.conns > 0 {
		return min(w.conns, o.conns)
	}
	return o.conns
}

// variety is how many different requests a workload has.
const variety = 512

// exchange is a request in the forms of both sides.
type exchange struct {
	of         *workload
	own, limit []byte
}

// exchanges returns the same requests for both sides. Those of the limit go to the path of their workload and what is behind it.
func (s *stage) exchanges(w workload, behind string) ([]exchange, error) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers in every run
	n := w.variety
	if n == 0 {
		n = variety
	}
	out := make([]exchange, n)
	for i := range out {
		one, err := w.pick(r)
		if err == nil {
			out[i], err = s.exchange(one, r, behind)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pick returns the workload of the next request.
func (w *workload) pick(r *rand.Rand) (*workload, error) {
	if w.mix == nil {
		return w, nil
	}
	at := r.IntN(100)
	for _, p := range w.mix {
		if at -= p.percent; at >= 0 {
			continue
		}
		i := slices.IndexFunc(workloads, func(o workload) bool { return o.name == p.of })
		if i < 0 {
			return nil, fmt.Errorf("there is no workload %s", p.of)
		}
		return &workloads[i], nil
	}
	return nil, fmt.Errorf("the parts of %s are not a hundred", w.name)
}

func (s *stage) exchange(w *workload, r *rand.Rand, behind string) (exchange, error) {
	values := w.values(r, s.data)
	own, err := json.Marshal(map[string]any{"query": w.document, "variables": values})
	if err != nil {
		return exchange{}, err
	}
	key, query := s.own.key, url.Values{}
	if w.seller {
		key = s.data.seller.key
		query.Set("owner", s.data.seller.id)
	}
	var body []byte
	for name, v := range values {
		if name != w.body {
			query.Set(name, fmt.Sprint(v))
		} else if body, err = json.Marshal(v); err != nil {
			return exchange{}, err
		}
	}
	method := "GET"
	if w.write {
		method = "POST"
	}
	return exchange{w, request("POST", s.own.addr, "/graphql", key, own), request(method, s.limit.addr, "/"+w.name+behind+"?"+query.Encode(), "", body)}, nil
}

// split returns what each side gets.
func split(list []exchange) (own, limit [][]byte) {
	for _, e := range list {
		own, limit = append(own, e.own), append(limit, e.limit)
	}
	return own, limit
}

// compare checks that both sides answer the same; of a written row, that they answer the same columns.
func (w *workload) compare(own, limit []byte) error {
	var envelope struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(own, &envelope); err != nil {
		return err
	}
	of := []byte("null")
	for _, of = range envelope.Data {
	}
	if len(envelope.Data) > 1 { // which the limit answers whole
		var err error
		if of, err = json.Marshal(envelope.Data); err != nil {
			return err
		}
	}
	var a, b any
	if err := errors.Join(decode(of, &a), decode(limit, &b)); err != nil {
		return err
	}
	if list, ok := a.([]any); a == nil || ok && len(list) == 0 {
		return errors.New("the answer is empty")
	}
	if w.write {
		a, b = keys(a), keys(b)
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Errorf("the answers differ:\ncolonnade %.600s\nlimit     %.600s", own, limit)
	}
	return nil
}

// decode keeps the digits of numbers.
func decode(text []byte, to *any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(to)
}

func keys(v any) any {
	out := map[string]bool{}
	if m, ok := v.(map[string]any); ok {
		for k := range m {
			out[k] = true
		}
	}
	return out
}
