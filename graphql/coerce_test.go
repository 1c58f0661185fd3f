package graphql

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"colonnade/core"
	"colonnade/tables"
)

// sample is an api with an action that takes everything.
func sample(t testing.TB) *api {
	t.Helper()
	s, err := core.NewSchema(1, core.Table{Name: "thing", Columns: []core.Column{{Name: "title", Kind: core.Text}, {Name: "n", Kind: core.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := build(s, testActions(), &tables.Defined{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCoercion compares a variable and a literal of the same value: both must come out as the same Go value, or fail.
func TestCoercion(t *testing.T) {
	a := sample(t)
	for _, c := range []struct {
		typ, json, literal string // literal is as json when empty
		want               string // "" when it is refused
	}{
		{"Int", "1", "", "int64 1"},
		{"Int", "-2147483648", "", "int64 -2147483648"},
		{"Int", "2147483648", "", ""},
		{"Int", "99999999999999999999", "", ""},
		{"Int", "1.0", "", "int64 1"}, // a client may not tell 1.0 from 1
		{"Int", "1.5", "", ""},
		{"Int", "1e3", "", "int64 1000"},
		{"Int", `"1"`, "", ""},
		{"Int", "true", "", ""},
		{"Int", "null", "", "<nil> <nil>"},
		{"Int!", "null", "", ""},
		{"Boolean", "true", "", "bool true"},
		{"Boolean", `"true"`, "", ""},
		{"Boolean", "1", "", ""},
		{"String", `"a\u00e9\ud83d\ude00"`, "", "string aé😀"},
		{"String", "1", "", ""},
		{"String", `["a"]`, "", ""},
		{"String", `{"a":1}`, `{a:1}`, ""},
		{"[String!]", `"a"`, "", "[]interface {} [a]"},
		{"[String!]", `["a","b"]`, "", "[]interface {} [a b]"},
		{"[String!]", `["a",null]`, "", ""},
		{"[String!]", `[]`, "", "[]interface {} []"},
		{"[String]", `["a",null]`, "", "[]interface {} [a <nil>]"},
		{"[[Int]]", `1`, "", "[]interface {} [[1]]"},
		{"[[Int]]", `[1]`, "", "[]interface {} [[1]]"},
		{"bigint", "9007199254740993", "", "int64 9007199254740993"},
		{"bigint", `"9007199254740993"`, "", "int64 9007199254740993"},
		{"bigint", "9223372036854775807", "", "int64 9223372036854775807"},
		{"bigint", "9223372036854775808", "", ""},
		{"bigint", "1.5", "", ""},
		{"bigint", "true", "", ""},
		{"bigint", `"x"`, "", ""},
		{"bigint", `"x"`, "x", ""},
		{"numeric", "0.1", "", "decimal.Decimal 0.1"},
		{"numeric", `"0.1"`, "", "decimal.Decimal 0.1"},
		{"numeric", "123456789012345678901234567890.123456789", "", "decimal.Decimal 123456789012345678901234567890.123456789"},
		{"numeric", "1e400", "", ""},
		{"numeric", "true", "", ""},
		{"numeric", `"NaN"`, "", ""},
		{"float8", "1.5", "", "float64 1.5"},
		{"float8", "1e400", "", ""},
		{"float8", `"1.5"`, "", "float64 1.5"},
		{"date", `"2024-02-29"`, "", "time.Time 2024-02-29 00:00:00 +0000 UTC"},
		{"date", `"2023-02-29"`, "", ""},
		{"date", `"2024-02-29T00:00:00Z"`, "", ""},
		{"timestamptz", `"2024-02-29T12:00:00+02:00"`, "", "time.Time 2024-02-29 10:00:00 +0000 UTC"},
		{"timestamptz", `1700000000`, "", ""},
		{"uuid", `"0190A3C1-7C1E-7A3E-9D0B-0C5F8E6F1A2B"`, "", "string 0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"},
		{"uuid", `"0190a3c17c1e7a3e9d0b0c5f8e6f1a2b"`, "", ""},
		{"jsonb", `{"b":[1,2.50,null,true,"x"],"a":{}}`, `{b:[1,2.50,null,true,"x"],a:{}}`, `json.RawMessage {"a":{},"b":[1,2.50,null,true,"x"]}`},
		{"jsonb", `"x"`, "", `json.RawMessage "x"`},
		{"jsonb", `12345678901234567890123`, "", `json.RawMessage 12345678901234567890123`},
		{"jsonb", `{"a":"x"}`, `{a:x}`, "enum"},
		{"order_by", `"asc"`, "asc", "string asc"},
		{"order_by", `"ASC"`, "ASC", ""},
		{"order_by", `1`, "", ""},
		{"thing_select_column", `"title"`, "title", "string title"},
		{"thing_set_input", `{"title":null}`, `{title:null}`, "graphql.object [{title <nil>}]"},
		{"thing_set_input", `{}`, "", "graphql.object []"},
		{"thing_set_input", `{"titel":"x"}`, `{titel:"x"}`, ""},
		{"thing_set_input", `{"title":1}`, `{title:1}`, ""},
		{"thing_set_input", `"x"`, "", ""},
		{"thing_set_input", `[{"n":1}]`, `[{n:1}]`, ""},
		{"thing_bool_exp", `{"n":{"_in":7}}`, `{n:{_in:7}}`, "graphql.object [{n [{_in [7]}]}]"},
		{"thing_on_conflict", `{"constraint":"thing_pkey"}`, `{constraint:thing_pkey}`, "graphql.object [{constraint thing_pkey} {mode upsert} {update_columns []}]"},
		{"thing_on_conflict", `{}`, "", ""},
		{"echo_parts_input", `{"name":"a","count":"3"}`, `{name:"a",count:"3"}`, "graphql.object [{name a} {count 3}]"},
		{"echo_parts_input", `{"count":3}`, `{count:3}`, ""},
	} {
		typ := typeOf(t, a, c.typ)
		v, err := decodeJSON([]byte(c.json))
		if err == nil {
			v, err = a.fromJSON(typ, v)
		}
		text := c.literal
		if text == "" {
			text = c.json
		}
		if c.want == "enum" { // which JSON does not have
			if _, err := a.fromLiteral(typ, valueOf(t, text), variables{}); err == nil {
				t.Errorf("%s %s: taken", c.typ, text)
			}
			continue
		}
		check(t, c.typ+" from "+c.json, c.want, v, err)
		v, err = a.fromLiteral(typ, valueOf(t, text), variables{})
		check(t, c.typ+" from the literal "+text, c.want, v, err)
	}
}

func check(t *testing.T, what, want string, v any, err error) {
	t.Helper()
	got := fmt.Sprintf("%T %v", v, v)
	if s := fmt.Sprintf("%T %s", v, v); strings.HasPrefix(s, "json.RawMessage") {
		got = s
	}
	if err != nil {
		got = ""
	}
	if got != want {
		t.Errorf("%s: %q (error %v), want %q", what, got, err, want)
	}
}

func typeOf(t *testing.T, a *api, text string) gql.Type {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: "query($v:" + text + "){a}"})
	if err != nil {
		t.Fatal(err)
	}
	typ, err := a.inputType(doc.Operations[0].VariableDefinitions[0].Type)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func valueOf(t *testing.T, text string) *ast.Value {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: "{a(v:" + text + ")}"})
	if err != nil {
		t.Fatal(text, err)
	}
	return doc.Operations[0].SelectionSet[0].(*ast.Field).Arguments[0].Value
}

func TestVariables(t *testing.T) {
	a := sample(t)
	for _, c := range []struct{ query, variables, want string }{
		{"query($a:Int){a}", `{}`, "map[]"},
		{"query($a:Int){a}", ``, "map[]"},
		{"query($a:Int){a}", `null`, "map[]"},
		{"query($a:Int){a}", `{"a":null}`, "map[a:<nil>]"},
		{"query($a:Int=7){a}", `{}`, "map[a:7]"},
		{"query($a:Int=7){a}", `{"a":null}`, "map[a:<nil>]"},
		{"query($a:Int!=7){a}", `{}`, "map[a:7]"},
		{"query($a:Int!=7){a}", `{"a":null}`, "$a: null is no Int!"},
		{"query($a:Int!){a}", `{}`, "$a: a value of the type Int! is required"},
		{"query($a:Int){a}", `{"b":1}`, "map[]"},
		{"query($a:Int){a}", `{"a":1,"a":2}`, "map[a:2]"},
		{"query($a:Int){a}", `[]`, "the variables are a list, not an object"},
		{"query($a:Int){a}", `"x"`, `the variables are "x", not an object`},
		{"query($a:Int){a}", `{"a":1}}`, "the variables are not valid JSON"},
		{"query($a:Int){a}", `{"a":`, "the variables are not valid JSON"},
		{"{a}", `{"a":[[`, "the variables are not valid JSON"},
		{"query($a:thing_set_input){a}", `{"a":{"n":1,"n":2}}`, "$a.n: the field is there twice"},
		{"query($a:[thing_set_input!]){a}", `{"a":[{},{"n":"x"}]}`, `$a[1].n: "x" is no whole number of 64 bits`},
		{"query($a:thing_bool_exp){a}", `{"a":{"_and":[{"n":{"_gt":true}}]}}`, "$a._and[0].n._gt: true is no whole number of 64 bits"},
		{"query($a:thing_bool_exp){a}", `{"a":{"_and":[{"n":{"_g":1}}]}}`, "$a._and[0].n._g: bigint_comparison_exp has no such field; did you mean _gt?"},
		{"query($a:order_by){a}", `{"a":"ascc"}`, `$a: "ascc" is no order_by; did you mean asc?`},
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: c.query})
		if err != nil {
			t.Fatal(err)
		}
		v, problem := a.coerceVariables(a.operation(doc.Operations[0], 0), []byte(c.variables))
		values := map[string]any{}
		for _, d := range doc.Operations[0].VariableDefinitions {
			if value, ok := v.get(d.Variable); ok {
				values[d.Variable] = value
			}
		}
		got := fmt.Sprint(values)
		if problem != nil {
			got = requestError(problem).Message
		}
		if got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.query, c.variables, got, c.want)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , -2.5e-7 , true , false , null , "x" , { } ] , "b\\\"\u00e9" : { "c" : [ [ ] ] } } `, `"\\"`, `0`, "[1\t,\r\n2]", `"\ud83d\ude00"`,
	} {
		v, err := decodeJSON([]byte(text))
		if err != nil {
			t.Fatal(text, err)
		}
		p, _ := plain(v)
		got := string(core.AppendValue(nil, p))
		want, err := core.CanonicalJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := core.CanonicalJSON([]byte(got)); err != nil || string(got) != string(want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{``, `{`, `[1,]`, `{"a"}`, `{"a":1,}`, `01`, `tru`, `"\x"`, `1 2`, "\"\x01\""} {
		if v, err := decodeJSON([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, v)
		}
	}
}

// TestEnumsAtOnce reads values of an enum that nobody has used before, in requests that come at once: the race detector watches.
func TestEnumsAtOnce(t *testing.T) {
	e := gql.NewEnum(gql.EnumConfig{Name: "order_by", Values: gql.EnumValueConfigMap{"asc": {Value: "ASC"}, "desc": {Value: "DESC"}}})
	var all sync.WaitGroup
	for name, want := range map[string]any{"asc": "ASC", "desc": "DESC", "ask": nil, "Asc": nil} {
		all.Go(func() {
			if got, err := enumValue(e, name); got != want || (err == nil) != (want != nil) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		})
	}
	all.Wait()
	if _, err := enumValue(e, "dsc"); err == nil || !strings.Contains(err.Error(), `"dsc" is no order_by`) {
		t.Errorf("%v", err)
	}
}
