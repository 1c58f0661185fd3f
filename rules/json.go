package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"colonnade/core"
	"colonnade/core/formula"
)

// jsonType is the CEL type of JSON values, which functions look into.
var jsonType = cel.OpaqueType("json")

// document is a value of that type, in the form of [core.CanonicalJSON].
type document json.RawMessage

var _ ref.Val = document{}

// ConvertToNative implements ref.Val.
func (d document) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeFor[json.RawMessage]().AssignableTo(t) {
		return json.RawMessage(d), nil
	}
	return nil, fmt.Errorf("a JSON value is no %v", t)
}

// ConvertToType implements ref.Val.
func (d document) ConvertToType(t ref.Type) ref.Val {
	if t.TypeName() == jsonType.TypeName() {
		return d
	}
	return types.NewErr("a JSON value is no %s", t.TypeName())
}

// Equal implements ref.Val.
func (d document) Equal(other ref.Val) ref.Val {
	o, ok := other.(document)
	return types.Bool(ok && bytes.Equal(d, o))
}

// Type implements ref.Val.
func (d document) Type() ref.Type { return jsonType }

// Value implements ref.Val.
func (d document) Value() any { return json.RawMessage(d) }

// jsonFunctions look into a JSON value along a literal path.
var jsonFunctions = []Function{
	{"json", "The JSON value that a literal text spells.", []Overload{
		{Signature: "string: json", Literal: 1, call: unaryText(documentOf)},
	}, []string{`!isNull(json('{"a": 1}'))`}},

	{"textAt", "The text at a place in a JSON value; NULL where there is none, or something else. The place is a literal like 'address.city', 'lines[0].name' or 'headers[\"content-type\"]'.", []Overload{
		lookInto("string", "json_text_at($1, $2)", "CASE jsonb_typeof($1 #> #1::text[]) WHEN 'string' THEN $1 #>> #1::text[] END", func(d document, p formula.Path) ref.Val {
			s, ok := formula.TextAt(d, p)
			return perhaps(types.String(s), ok)
		}),
	}, []string{`textAt(json('{"address": {"city": "Bonn"}}'), 'address.city') == 'Bonn'`, `isNull(textAt(json('{"a": 1}'), 'a'))`, `textAt(json('["x", "y"]'), '[1]') == 'y'`}},

	{"numberAt", "The number at a place in a JSON value, with at most 30 digits on each side of the point; NULL where there is none.", []Overload{
		lookInto("decimal", "json_number_at($1, $2)", "json_number($1, #1::text[])", func(d document, p formula.Path) ref.Val {
			n, ok := formula.NumberAt(d, p)
			return perhaps(dec{n}, ok)
		}),
	}, []string{`numberAt(json('{"lines": [{"price": 1.50}]}'), 'lines[0].price') == 1.5`, `isNull(numberAt(json('{"a": "1"}'), 'a'))`}},

	{"booleanAt", "The truth value at a place in a JSON value; NULL where there is none.", []Overload{
		lookInto("bool", "json_bool_at($1, $2)", "CASE $1 #> #1::text[] WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END", func(d document, p formula.Path) ref.Val {
			b, ok := formula.BoolAt(d, p)
			return perhaps(types.Bool(b), ok)
		}),
	}, []string{`booleanAt(json('{"open": true}'), 'open')`, `isNull(booleanAt(json('{"open": "true"}'), 'open'))`}},

	{"sizeAt", "How many items a list, or members an object, has at a place in a JSON value; NULL where there is neither.", []Overload{
		lookInto("int", "json_size_at($1, $2)", "json_size($1, #1::text[])", func(d document, p formula.Path) ref.Val {
			n, ok := formula.SizeAt(d, p)
			return perhaps(types.Int(n), ok)
		}),
	}, []string{`sizeAt(json('{"lines": [1, 2]}'), 'lines') == 2`, `isNull(sizeAt(json('{"a": "xy"}'), 'a'))`}},

	{"hasAt", "Whether there is something at a place in a JSON value, be it null.", []Overload{
		{Signature: "json, string: bool", SQLite: "coalesce(json_has_at($1, $2), FALSE)", Postgres: "($1 #> #1::text[] IS NOT NULL)", Literal: 2, check: checkPath, derive: pathArray, lenient: true, call: hasAt},
	}, []string{`hasAt(json('{"a": null}'), 'a')`, `!hasAt(json('{"a": null}'), 'b')`}},
}

// lookInto is the signature of a function of a JSON value and a path.
func lookInto(result, sqlite, postgres string, look func(document, formula.Path) ref.Val) Overload {
	return Overload{Signature: "json, string: " + result, SQLite: sqlite, Postgres: postgres, Literal: 2, check: checkPath, derive: pathArray, call: func(v, path ref.Val) ref.Val {
		d, ok := v.(document)
		p, ok2 := formula.ParsePath(string(path.(types.String)))
		if !ok || !ok2 {
			return null
		}
		return look(d, p)
	}}
}

func hasAt(v, path ref.Val) ref.Val {
	d, ok := v.(document)
	p, ok2 := formula.ParsePath(string(path.(types.String)))
	return types.Bool(ok && ok2 && formula.HasAt(d, p))
}

// pathArray writes the steps of a path for PostgreSQL.
func pathArray(literal string) []any {
	p, _ := formula.ParsePath(literal)
	quoted := make([]string, len(p))
	for i, step := range p {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(step) + `"`
	}
	return []any{"{" + strings.Join(quoted, ",") + "}"}
}

func checkPath(s string) error {
	if _, ok := formula.ParsePath(s); !ok {
		return wrongLiteral(s, `place in a JSON value: write one like 'address.city', 'lines[0].price' or 'headers["content-type"]'`)
	}
	return nil
}

func documentOf(s string) ref.Val {
	raw, err := core.CanonicalJSON([]byte(s))
	if err != nil {
		return null
	}
	return document(raw)
}

// found are the functions of JSON as flows have them, where a JSON value is maps and lists: each takes what is at the place, nil
// where nothing is.
var found = map[string]func(ref.Val) ref.Val{
	"textAt": func(v ref.Val) ref.Val {
		s, ok := v.(types.String)
		return perhaps(s, ok)
	},
	"numberAt": func(v ref.Val) ref.Val {
		d, ok := toDecimal(v)
		d = d.Round(numberDigits)
		return perhaps(dec{d}, ok && d.Abs().Cmp(numberBound) < 0)
	},
	"booleanAt": func(v ref.Val) ref.Val {
		b, ok := v.(types.Bool)
		return perhaps(b, ok)
	},
	"sizeAt": func(v ref.Val) ref.Val {
		if s, ok := v.(traits.Sizer); ok && v.Type() != types.StringType {
			return s.Size()
		}
		return null
	},
	"hasAt": func(v ref.Val) ref.Val { return types.Bool(v != nil) },
}

// inMaps returns the signature of a function of JSON as flows have it.
func inMaps(f Function) []Overload {
	look := found[f.Name]
	_, result, _ := strings.Cut(f.Overloads[0].Signature, ": ")
	return []Overload{{Signature: "dyn, string: " + result, call: func(v, path ref.Val) ref.Val {
		p, ok := formula.ParsePath(string(path.(types.String)))
		if !ok {
			return null
		}
		for _, step := range p {
			if v = member(v, step); v == nil {
				break
			}
		}
		return look(v)
	}}}
}

// member returns what a map has for a key, or a list at a place; nil for nothing.
func member(v ref.Val, step string) ref.Val {
	switch v := v.(type) {
	case traits.Mapper:
		if item, ok := v.Find(types.String(step)); ok {
			return item
		}
	case traits.Lister:
		if n, err := strconv.Atoi(step); err == nil && types.Int(n) < v.Size().(types.Int) {
			return v.Get(types.Int(n))
		}
	}
	return nil
}
