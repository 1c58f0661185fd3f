package graphql

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"colonnade/core/db/dbtest"
)

// everything that graphql-js 17 asks for with all its options on.
const introspectionQuery = `query IntrospectionQuery {
  __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind } types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } }
}
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

func TestIntrospection(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{}, testActions()...)
	first := w.must(t, "root", introspectionQuery, "")
	if file := os.Getenv("INTROSPECTION_FILE"); file != "" { // to hold against graphql-js
		if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if again := w.must(t, "root", introspectionQuery, ""); again != first {
		t.Error("two answers differ")
	}
	w.must(t, "root", `mutation { create_table(name: "more", columns: [{name: "a", kind: "text"}]) { version } }`, "")
	if later := w.must(t, "root", introspectionQuery, ""); !strings.Contains(later, `"more_bool_exp"`) || strings.Contains(first, `"more_bool_exp"`) {
		t.Error("the answer does not follow the schema")
	}
}

func TestIntrospectionAnswers(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{}, testActions()...)
	for _, c := range []struct{ query, variables, want string }{
		{`{ t: __type(name: "account_on_conflict") { __typename inputFields { n: name type { kind ofType { kind name ofType { kind ofType { kind ofType { name } } } } } defaultValue } fields { name } } }`, "",
			`{"t":{"__typename":"__Type","inputFields":[` +
				`{"n":"constraint","type":{"kind":"NON_NULL","ofType":{"kind":"ENUM","name":"account_constraint","ofType":null}},"defaultValue":null},` +
				`{"n":"mode","type":{"kind":"ENUM","ofType":null},"defaultValue":"upsert"},` +
				`{"n":"update_columns","type":{"kind":"NON_NULL","ofType":{"kind":"LIST","name":null,"ofType":{"kind":"NON_NULL","ofType":{"kind":"ENUM","ofType":null}}}},"defaultValue":"[]"},` +
				`{"n":"where","type":{"kind":"INPUT_OBJECT","ofType":null},"defaultValue":null}],"fields":null}}`},
		{`query ($n: String!, $no: Boolean = false) { __type(name: $n) { kind name specifiedByURL isOneOf description @include(if: $no) } none: __type(name: "none") { name } }`, `{"n": "uuid"}`,
			`{"__type":{"kind":"SCALAR","name":"uuid","specifiedByURL":"https://www.rfc-editor.org/rfc/rfc9562","isOneOf":null},"none":null}`},
		{`{ __typename __type(name: "order_by") { enumValues { name isDeprecated } isOneOf } account(limit: 1) { name } }`, "",
			`{"__typename":"query_root","__type":{"enumValues":[{"name":"asc","isDeprecated":false},{"name":"asc_nulls_first","isDeprecated":false},{"name":"asc_nulls_last","isDeprecated":false},` +
				`{"name":"desc","isDeprecated":false},{"name":"desc_nulls_first","isDeprecated":false},{"name":"desc_nulls_last","isDeprecated":false}],"isOneOf":null},"account":[]}`},
		{`{ __schema { mutationType { name } subscriptionType { name } directives { name isRepeatable locations args { name defaultValue } } } }`, "",
			`{"__schema":{"mutationType":{"name":"mutation_root"},"subscriptionType":{"name":"subscription_root"},"directives":[` +
				`{"name":"deprecated","isRepeatable":false,"locations":["FIELD_DEFINITION","ARGUMENT_DEFINITION","INPUT_FIELD_DEFINITION","ENUM_VALUE"],"args":[{"name":"reason","defaultValue":"\"No longer supported\""}]},` +
				`{"name":"include","isRepeatable":false,"locations":["FIELD","FRAGMENT_SPREAD","INLINE_FRAGMENT"],"args":[{"name":"if","defaultValue":null}]},` +
				`{"name":"skip","isRepeatable":false,"locations":["FIELD","FRAGMENT_SPREAD","INLINE_FRAGMENT"],"args":[{"name":"if","defaultValue":null}]},` +
				`{"name":"specifiedBy","isRepeatable":false,"locations":["SCALAR"],"args":[{"name":"url","defaultValue":null}]}]}}`},
	} {
		if got := w.must(t, "root", c.query, c.variables); got != `{"data":`+c.want+`}` {
			t.Errorf("%s:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
	if res := w.do(t, "root", `query ($n: String!) { __type(name: $n) { name } }`, `{"n": null}`); res.Kind != RequestError {
		t.Errorf("%s", res.Body)
	}
	if !json.Valid([]byte(w.must(t, "root", `{ __schema { types { fields { type { fields { name } } } } } }`, ""))) {
		t.Error("no JSON")
	}
}
