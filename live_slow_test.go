package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Who does not read holds nobody up, and of his subscriptions one whose answer does not fit ends with an error that says so.
func TestSlowReaders(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation { create_table(name: "page", columns: [{name: "body", kind: "long_text"}]) { table } }`)
		body := json.RawMessage(`{"body": "` + strings.Repeat("x", 900_000) + `"}`)
		for range 10 {
			if out := p.send(t, "admin", `mutation ($body: String!) { insert_page_one(object: {body: $body}) { version } }`, body); !strings.Contains(string(out), `"version":1`) {
				t.Fatalf("%.300s", out)
			}
		}
		slow := p.connect("admin")
		for i := range 4 {
			slow.subscribe(fmt.Sprint(i), fmt.Sprintf(`subscription { page%d: page { body } }`, i))
		}
		quick := p.connect("admin")
		quick.subscribe("q", liveCustomers)
		quick.want(`{"type":"next","id":"q","payload":{"data":{"customer":[]}}}`)
		p.must("admin", `mutation { insert_customer_one(object: {name: "Ann"}) { id } }`)
		quick.want(`{"type":"next","id":"q","payload":{"data":{"customer":[{"name":"Ann"}]}}}`)
		slow.until(`"code":"slow-reader"`)
		slow.subscribe("again", `{ __typename }`)
		slow.until(`{"type":"complete","id":"again"}`)
	})
}
