package rules

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"colonnade/core"
)

// choicesType is the CEL type of several values of a list of options. NULL is like no value.
var choicesType = cel.OpaqueType("choices")

// choices is a value of that type: sorted by bytes, none twice, never empty.
type choices []string

var _ ref.Val = choices{}

// ConvertToNative implements ref.Val.
func (c choices) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeFor[[]string]().AssignableTo(t) {
		return []string(c), nil
	}
	return nil, fmt.Errorf("choices are no %v", t)
}

// ConvertToType implements ref.Val.
func (c choices) ConvertToType(t ref.Type) ref.Val {
	if t.TypeName() == choicesType.TypeName() {
		return c
	}
	return types.NewErr("choices are no %s", t.TypeName())
}

// Equal implements ref.Val.
func (c choices) Equal(other ref.Val) ref.Val {
	o, ok := other.(choices)
	return types.Bool(ok && slices.Equal(c, o))
}

// Type implements ref.Val.
func (c choices) Type() ref.Type { return choicesType }

// Value implements ref.Val.
func (c choices) Value() any { return []string(c) }

var choiceFunctions = []Function{
	{"choices", "Several values of a list of options, of a literal text with semicolons between them. Test with in: no value is the same as NULL, and has nothing in it.", []Overload{
		{Signature: "string: choices", Literal: 1, call: unaryText(choicesOf)},
	}, []string{"'b' in choices('a;b')", "choices('b; a') == choices('a;b')", "!('c' in choices('a;b'))"}},

	{"containsAll", "Whether choices have all values of others.", []Overload{
		{Signature: "choices, choices: bool", SQLite: "choices_contains($1, $2)", Postgres: "(coalesce($1, '[]') @> coalesce($2, '[]'))", lenient: true, call: containsAll},
	}, []string{"containsAll(choices('a;b;c'), choices('c;a'))", "!containsAll(choices('a'), choices('a;b'))"}},

	{"containsAny", "Whether choices have a value of others.", []Overload{
		{Signature: "choices, choices: bool", SQLite: "choices_any($1, $2)", Postgres: "(coalesce($1, '[]') ?| ARRAY(SELECT jsonb_array_elements_text(coalesce($2, '[]'))))", lenient: true, call: containsAny},
	}, []string{"containsAny(choices('a;b'), choices('b;c'))", "!containsAny(choices('a'), choices('b'))"}},

	{"label", "The label of the option that a column of the kind choice or status has. Not in flows.", []Overload{{Signature: "string: string", macro: true}}, []string{"label(c1) == 'Still open'"}},

	{"pick", "The text that a literal JSON object has for a key, NULL when it has none.", []Overload{
		{Signature: "string, string: string", SQLite: "json_pick($1, $2)", Postgres: "($2::jsonb ->> $1)", Literal: 2, check: checkTexts,
			call: pickFrom(func(s string) ref.Val { return types.String(s) })},
	}, []string{`pick('de', '{"de": "Germany", "fr": "France"}') == 'Germany'`, `isNull(pick('us', '{"de": "Germany"}'))`}},

	{"pickAll", "The choices that a literal JSON object has for a key, each a list of texts; NULL when it has none.", []Overload{
		{Signature: "string, string: choices", SQLite: "json_pick($1, $2)", Postgres: "nullif($2::jsonb -> $1, '[]')", Literal: 2, check: checkChoices,
			call: pickFrom(newChoices)},
	}, []string{`'b' in pickAll('x', '{"x": ["a", "b"]}')`}},

	{"with", "Choices and one more value. In memory only: not in formulas and row conditions.", []Overload{
		{Signature: "choices, string: choices", lenient: true, call: changeChoices(func(c []string, s string) []string { return append(c, s) })},
	}, []string{"choices('a').with('b') == choices('a;b')"}},

	{"without", "Choices without a value. In memory only: not in formulas and row conditions.", []Overload{
		{Signature: "choices, string: choices", lenient: true, call: changeChoices(func(c []string, s string) []string {
			return slices.DeleteFunc(c, func(have string) bool { return have == s })
		})},
	}, []string{"choices('a;b').without('b') == choices('a')", "isNull(choices('a').without('a'))"}},
}

// newChoices returns the values as one, NULL when there is none.
func newChoices(values []string) ref.Val {
	values = slices.Clone(values)
	slices.Sort(values)
	if values = slices.Compact(values); len(values) == 0 {
		return null
	}
	return choices(values)
}

// choicesOf reads values with semicolons between them, as in a CSV file.
func choicesOf(s string) ref.Val {
	var values []string
	for v := range strings.SplitSeq(s, ";") {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return newChoices(values)
}

func includes(item, of ref.Val) ref.Val {
	s, ok := item.(types.String)
	if !ok {
		return null
	}
	c, _ := of.(choices)
	_, found := slices.BinarySearch(c, string(s))
	return types.Bool(found)
}

func countChoices(v ref.Val) ref.Val {
	c, _ := v.(choices)
	return types.Int(len(c))
}

// changeChoices is a function of choices and one more value; NULL is like no choices.
func changeChoices(f func(c []string, s string) []string) any {
	return func(v, item ref.Val) ref.Val {
		s, ok := item.(types.String)
		if !ok {
			return null
		}
		c, _ := v.(choices)
		return newChoices(f(slices.Clone(c), string(s)))
	}
}

// pickFrom returns what a JSON object, which was checked, has for a key.
func pickFrom[T any](wrap func(T) ref.Val) any {
	return func(key, object ref.Val) ref.Val {
		var m map[string]T
		if err := json.Unmarshal([]byte(object.(types.String)), &m); err != nil {
			return null
		}
		v, ok := m[string(key.(types.String))]
		if !ok {
			return null
		}
		return wrap(v)
	}
}

// checkTexts returns what is wrong with the literal object of pick.
func checkTexts(s string) error {
	_, err := literalObject[string](s)
	return err
}

// checkChoices returns what is wrong with the literal object of pickAll, whose lists are in the form of choices.
func checkChoices(s string) error {
	m, err := literalObject[[]string](s)
	if err != nil {
		return err
	}
	for _, list := range m {
		if len(list) == 0 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) < len(list) {
			return errors.New("each list has its values in order, each once")
		}
	}
	return nil
}

func literalObject[T any](s string) (out map[string]T, err error) {
	raw, err := core.CanonicalJSON([]byte(s))
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil || string(raw) == "null" {
		return nil, errors.New("the text is no JSON object whose values are texts, or lists of texts, as the function takes them")
	}
	return out, nil
}

// asLists returns the signatures as flows have them, where choices are lists of texts.
func asLists(in []Overload) []Overload {
	out := slices.Clone(in)
	for i := range out {
		out[i].Signature = strings.ReplaceAll(out[i].Signature, "choices", "list(string)")
		switch call := out[i].call.(type) {
		case func(ref.Val) ref.Val:
			out[i].call = func(v ref.Val) ref.Val { return toList(call(v)) }
		case func(a, b ref.Val) ref.Val:
			out[i].call = func(a, b ref.Val) ref.Val { return toList(call(fromList(a), fromList(b))) }
		}
	}
	return out
}

func toList(v ref.Val) ref.Val {
	if c, ok := v.(choices); ok {
		return types.NewStringList(types.DefaultTypeAdapter, c)
	}
	return v
}

func fromList(v ref.Val) ref.Val {
	list, ok := v.(traits.Lister)
	if !ok {
		return v
	}
	var values []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		if s, ok := it.Next().(types.String); ok {
			values = append(values, string(s))
		}
	}
	return newChoices(values)
}

func containsAll(a, b ref.Val) ref.Val {
	have, _ := a.(choices)
	want, _ := b.(choices)
	return types.Bool(!slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) }))
}

func containsAny(a, b ref.Val) ref.Val {
	have, _ := a.(choices)
	want, _ := b.(choices)
	return types.Bool(slices.ContainsFunc(want, func(s string) bool { return slices.Contains(have, s) }))
}

// label writes pick(column, labels) for label(column) in a tree that is not checked yet.
func (b *builder) label(e ast.Expr) error {
	args := operands(e.AsCall())
	var c *core.Column
	if len(args) == 1 && args[0].Kind() == ast.IdentKind {
		c = b.targets[args[0].AsIdent()].column
	}
	if c == nil || !c.HasOrder() {
		return refuse(b.a, e, "label takes a column of the kind choice or status")
	}
	of := map[string]any{}
	for _, o := range c.Options {
		of[o.Value] = cmp.Or(o.Label, o.Value)
	}
	e.SetKindCase(b.f.NewCall(e.ID(), "pick", args[0], b.f.NewLiteral(b.id(), types.String(core.AppendValue(nil, of)))))
	return nil
}
