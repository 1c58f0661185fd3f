package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strconv"
)

// workload is one kind of request, in the forms of both sides.
type workload struct {
	name  string
	what  string
	write bool

	document string // for Colonnade, with one root field
	values   func(r *rand.Rand, d data) map[string]any
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
	{name: "W7", what: "as W2, 1,000 orders", document: orderList("W7", "1000"), values: aStatus},
	{
		name: "W5", what: "insert a row, durable, answer 3 columns", write: true,
		document: `mutation W5($account: uuid!, $first: String!, $last: String!, $email: String!, $score: bigint!) {
  insert_bench_row_one(object: {account_id: $account, first_name: $first, last_name: $last, email: $email, score: $score}) { id first_name created_at }
}`,
		values: func(r *rand.Rand, d data) map[string]any {
			n := strconv.Itoa(r.IntN(1_000_000))
			return map[string]any{"account": d.account(1 + r.IntN(d.accounts)), "first": "Fn", "last": "Ln" + n, "email": "e" + n + "@example.com", "score": r.IntN(1000)}
		},
	},
}

func aStatus(r *rand.Rand, _ data) map[string]any {
	return map[string]any{"status": statuses[r.IntN(len(statuses))], "offset": r.IntN(201)}
}

// variety is how many different requests a workload has.
const variety = 512

// requests returns the same requests for both sides: for Colonnade, and for the limit at a path.
func (s *stage) requests(w workload, path string) (own, limit [][]byte, err error) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers in every run
	for range variety {
		values := w.values(r, s.data)
		body, err := json.Marshal(map[string]any{"query": w.document, "variables": values})
		if err != nil {
			return nil, nil, err
		}
		own = append(own, request("POST", s.own.addr, "/graphql", s.own.key, body))
		query := url.Values{}
		for name, v := range values {
			query.Set(name, fmt.Sprint(v))
		}
		method := "GET"
		if w.write {
			method = "POST"
		}
		limit = append(limit, request(method, s.limit.addr, path+"?"+query.Encode(), "", nil))
	}
	return own, limit, nil
}

// compare checks that both sides answer the same; of a written row, that they answer the same columns.
func (w *workload) compare(own, limit []byte) error {
	var envelope struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(own, &envelope); err != nil {
		return err
	}
	if len(envelope.Data) != 1 {
		return fmt.Errorf("the answer has %d fields", len(envelope.Data))
	}
	var a, b any
	for _, v := range envelope.Data {
		if err := errors.Join(decode(v, &a), decode(limit, &b)); err != nil {
			return err
		}
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
