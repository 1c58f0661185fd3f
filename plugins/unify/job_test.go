package unify

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const jobText = `{
  "name": "customers", "region": "DE",
  "attributes": [
    {"name": "email", "type": "email"}, {"name": "name", "type": "full_name"}, {"name": "tax", "type": "identifier", "unique": true},
    {"name": "street", "type": "address"},
    {"name": "tier", "type": "text", "golden_only": true}],
  "sources": [
    {"table": "shop", "map": {"email": "mail", "name": "full", "tax": "vat", "tier": "level"}, "trust": 2, "updated": "changed", "filter": "active"},
    {"table": "crm", "map": {"email": "e_mail", "name": "title"}, "unique": true, "date_order": "mdy"}],
  "rules": [{"name": "mail and name", "match": [{"attribute": "email"}, {"attribute": "name", "how": "fuzzy"}], "unless": ["tax"]}],
  "score": {"enabled": true, "threshold": 2.5, "households": true, "gate": ["name"]},
  "passes": [{"keys": ["email:local"]}, {"keys": ["name:sounds", "tax:last4"]}],
  "golden": {"table": "customer", "crosswalk": "customer_source", "lineage": "customer_value", "default": "most_complete",
    "keep": [{"attributes": ["name", "tax"], "policy": "source_priority", "sources": ["crm"]}]},
  "always": [{"a": {"source": "shop", "id": "1"}, "b": {"source": "crm", "id": "2"}}],
  "never": [{"a": {"source": "shop", "id": "1"}, "b": {"source": "shop", "id": "3"}}]
}`

func TestParseJob(t *testing.T) {
	j, err := ParseJob([]byte(jobText))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseJob(text)
	if err != nil || !reflect.DeepEqual(j, again) {
		t.Errorf("changed by a round trip: %v\n%s", err, text)
	}
}

// TestJobMistakes changes one piece of a good job and expects the place of the mistake.
func TestJobMistakes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"name": "customers"`, `"name": ""`, "name: is empty"},
		{`"region": "DE"`, `"region": "Mars"`, `region: "Mars"`},
		{`"region": "DE"`, `"regoin": "DE"`, `unknown field "regoin"`},
		{`"type": "email"`, `"type": "mail"`, `attributes[0].type: "mail" is no type`},
		{`"name": "tax", "type"`, `"name": "email", "type"`, `attributes[2].name: "email" is there twice`},
		{`"name": "tax", "type"`, `"name": "t:x", "type"`, `attributes[2].name: "t:x" may not contain`},
		{`"golden_only": true`, `"keep_tag": true`, `attributes[4].keep_tag: is for e-mail only`},
		{`"email": "mail"`, `"e_mail": "mail"`, `sources[0].map.e_mail: no such attribute`},
		{`"email": "mail"`, `"email": ""`, `sources[0].map.email: names no column`},
		{`"table": "crm"`, `"table": "shop"`, `sources[1].table: "shop" is there twice`},
		{`"date_order": "mdy"`, `"date_order": "ydm"`, `sources[1].date_order: "ydm"`},
		{`{"attribute": "email"}, `, ``, `rules[0].match: needs at least one exact condition`},
		{`"how": "fuzzy"`, `"how": "vague"`, `rules[0].match[1].how: "vague"`},
		{`"unless": ["tax"]`, `"unless": ["tier"]`, `rules[0].unless[0]: attribute "tier" is golden_only`},
		{`"threshold": 2.5`, `"threshold": 1e9`, `score.threshold: must be between`},
		{`"type": "address"`, `"type": "text"`, `score.households: needs an attribute of type address`},
		{`"gate": ["name"]`, `"gate": ["nam"]`, `score.gate[0]: no attribute "nam"`},
		{`"email:local"`, `"email:locale"`, `passes[0].keys[0]: "email:locale": no transform "locale"`},
		{`"name:sounds"`, `"tier:sounds"`, `passes[1].keys[0]: "tier:sounds": no compared attribute "tier"`},
		{`"most_complete"`, `"best"`, `golden.default: "best" is no policy`},
		{`["name", "tax"]`, `["name", "name"]`, `golden.keep[0].attributes[1]: "name" has a policy already`},
		{`"sources": ["crm"]`, `"sources": ["erp"]`, `golden.keep[0].sources[0]: no source "erp"`},
		{`"b": {"source": "crm", "id": "2"}`, `"b": {"source": "shop", "id": "3"}`, `never[0]: the same pair is in always`},
		{`"b": {"source": "crm", "id": "2"}`, `"b": {"source": "erp", "id": "3"}`, `always[0]: no source "erp"`},
		{`"never": [`, `"block_cap": 1, "never": [`, `block_cap: must be at least 2`},
	} {
		if !strings.Contains(jobText, c.old) {
			t.Fatalf("no %s in the job", c.old)
		}
		_, err := ParseJob([]byte(strings.Replace(jobText, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -> %s: got %v, want %s", c.old, c.new, err, c.want)
		}
	}
}
