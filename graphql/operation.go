package graphql

import (
	"encoding/json"
	"slices"
	"strconv"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// operation is an operation of a document, with what follows from its text.
type operation struct {
	*ast.OperationDefinition
	id        uint64 // no other operation of the api has it
	bytes     int    // of the document
	variables []variable
	places    map[string]int // of the variables, by name
}

// variable is a variable that an operation declares.
type variable struct {
	*ast.VariableDefinition
	typ gql.Type
	err error // there is no such type

	// A variable whose value is nothing but compared with can stay open in a plan. All others shape it.
	open bool
	skip bool // it is an offset too, which is there or not
	node bool // it is a global id, whose table shapes the plan
}

// operation prepares an operation for its requests.
func (a *api) operation(def *ast.OperationDefinition, bytes int) *operation {
	o := &operation{OperationDefinition: def, id: a.operations.Add(1), bytes: bytes, places: make(map[string]int, len(def.VariableDefinitions))}
	for i, d := range def.VariableDefinitions {
		v := variable{VariableDefinition: d}
		v.typ, v.err = a.inputType(d.Type)
		_, v.open = gql.GetNullable(v.typ).(*gql.Scalar)
		v.open = v.open && def.Operation != ast.Subscription // who has other values is in another group
		o.variables = append(o.variables, v)
		o.places[d.Variable] = i
	}
	if def.Operation == ast.Query && len(o.variables) > 0 {
		u := &uses{api: a, of: o, seen: map[string]bool{}}
		u.directives(def.Directives)
		u.set(def.SelectionSet)
	}
	return o
}

// uses looks at the places where an operation uses its variables, and closes those that are used for more than their
// value in a comparison.
type uses struct {
	api  *api
	of   *operation
	seen map[string]bool // fragments
}

func (u *uses) set(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			u.directives(s.Directives)
			for _, arg := range s.Arguments {
				u.argument(s, arg)
			}
			u.set(s.SelectionSet)
		case *ast.InlineFragment:
			u.directives(s.Directives)
			u.set(s.SelectionSet)
		case *ast.FragmentSpread:
			u.directives(s.Directives)
			if s.Definition != nil && !u.seen[s.Name] {
				u.seen[s.Name] = true
				u.directives(s.Definition.Directives)
				u.set(s.Definition.SelectionSet)
			}
		}
	}
}

func (u *uses) directives(list ast.DirectiveList) {
	for _, d := range list {
		for _, arg := range d.Arguments {
			u.value(arg.Value)
		}
	}
}

func (u *uses) argument(f *ast.Field, arg *ast.Argument) {
	if arg.Value.Kind != ast.Variable {
		u.value(arg.Value)
		return
	}
	switch v := u.variable(arg.Value); {
	case v == nil:
	case arg.Name == "id" && u.api.byPK(f), u.api.byKey(f, arg.Name):
	case arg.Name == "id" && u.api.isNode(f):
		v.node = true
	case arg.Name == "offset" && u.api.lists(f):
		v.skip = true
	default:
		v.open = false
	}
}

// value closes the variables in v, other than those that something is compared with.
func (u *uses) value(v *ast.Value) {
	if v.Kind == ast.Variable {
		if to := u.variable(v); to != nil {
			to.open = false
		}
		return
	}
	compares := v.Kind == ast.ObjectValue && v.Definition != nil && comparisonTypes[v.Definition.Name]
	for _, c := range v.Children {
		if !compares || c.Value.Kind != ast.Variable || !operands[compareOps[c.Name]] {
			u.value(c.Value)
		}
	}
}

// comparisonTypes are the types of conditions on one column.
var comparisonTypes = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range comparedTypes {
		out[name+comparisonSuffix] = true
	}
	return out
}()

// operands are the operators whose value may stay open.
var operands = map[tables.CompareOp]bool{
	tables.Eq: true, tables.NotEq: true, tables.Gt: true, tables.Gte: true, tables.Lt: true, tables.Lte: true,
	tables.Like: true, tables.NotLike: true, tables.ILike: true, tables.NotILike: true, tables.StartsWith: true,
}

func (u *uses) variable(v *ast.Value) *variable {
	if i, ok := u.of.places[v.Raw]; ok {
		return &u.of.variables[i]
	}
	return nil
}

// byPK reports whether the field is a record by its id.
func (a *api) byPK(f *ast.Field) bool {
	r := a.query[f.Name]
	return f.ObjectDefinition == a.ast.Query && r != nil && r.kind == readByPK
}

// byKey reports whether the field is a record by an alternate key, and the argument a part of the key that is never null.
func (a *api) byKey(f *ast.Field, arg string) bool {
	r := a.query[f.Name]
	return f.ObjectDefinition == a.ast.Query && r != nil && r.kind == readByKey &&
		slices.ContainsFunc(r.key.columns, func(c *core.Column) bool { return c.Name == arg && !r.key.null(c) })
}

// lists reports whether the field is a list of records, or an aggregate of one.
func (a *api) lists(f *ast.Field) bool {
	if f.ObjectDefinition == nil {
		return false
	}
	if f.ObjectDefinition == a.ast.Query {
		r := a.query[f.Name]
		return r != nil && (r.kind == readList || r.kind == readAggregate)
	}
	from := a.query[f.ObjectDefinition.Name] // the list of a table has the name of its type
	return from != nil && from.kind == readList && from.rows.fields[f.Name].many
}

// absent is the value of a variable that has none.
type absent struct{}

// place returns the values that the variables are given, by their place; of equal names the last counts, as everywhere
// in JSON.
func (o *operation) place(given object) []any {
	values := slices.Repeat([]any{absent{}}, len(o.variables))
	for _, m := range given {
		if i, ok := o.places[m.name]; ok {
			values[i] = m.value
		}
	}
	return values
}

// variables are the values of an operation's variables.
type variables struct {
	of        *operation
	values    []any    // by place
	tables    []string // by place, of global ids whose value is the id of the record alone; may be shorter than values
	structure string   // all that shapes a plan: requests of one operation that have it in common differ in open values only
}

// get returns the value of a variable, which may be nil, and whether it has one.
func (v variables) get(name string) (any, bool) {
	if v.of == nil {
		return nil, false
	}
	i, ok := v.of.places[name]
	if !ok || v.values[i] == (absent{}) {
		return nil, false
	}
	return v.values[i], true
}

// table returns the table of the global id that the variable has, when its value is the id alone.
func (v variables) table(name string) string {
	if v.of == nil {
		return ""
	}
	if i, ok := v.of.places[name]; ok && i < len(v.tables) {
		return v.tables[i]
	}
	return ""
}

// lack reports whether v is a variable that has no value, and thus no input at all.
func (v variables) lack(value *ast.Value) bool {
	if value.Kind != ast.Variable {
		return false
	}
	_, ok := v.get(value.Raw)
	return !ok
}

// open returns the variables with a parameter in place of each value that can stay open.
func (v variables) open() variables {
	out := v
	out.values = slices.Clone(v.values)
	for i := range out.values {
		if i < len(v.tables) && v.tables[i] != "" || v.of.variables[i].opens(v.values[i]) {
			out.values[i] = tables.Param(i + 1)
		}
	}
	return out
}

// opens reports whether a plan can leave the value open.
func (d *variable) opens(v any) bool {
	if !d.open || v == nil || v == (absent{}) {
		return false
	}
	if d.node { // as far as it has a table: see variables.tables
		return false
	}
	if n, ok := v.(int64); d.skip && (!ok || n <= 0) {
		return false
	}
	return true
}

// structure appends what the variable with that value, given as raw, says about the plan.
func (d *variable) structure(b []byte, v, raw any) []byte {
	if d.opens(v) {
		return append(b, '?')
	}
	return append(appendGiven(b, raw), ',')
}

// appendGiven appends a value of [jsonReader] as a text of its own, but stops somewhere beyond maxStructure.
func appendGiven(b []byte, v any) []byte {
	if len(b) > maxStructure {
		return b
	}
	switch v := v.(type) {
	case absent:
		return append(b, '-')
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendCounted(b, v)
	case json.Number:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for _, item := range v {
			b = append(appendGiven(b, item), ',')
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for _, m := range v {
			b = append(appendGiven(appendCounted(b, m.name), m.value), ',')
		}
		return append(b, '}')
	}
	return b
}

// appendCounted appends a string behind its length, so that no two strings look alike.
func appendCounted(b []byte, s string) []byte {
	return append(append(strconv.AppendInt(append(b, '"'), int64(len(s)), 10), '"'), s...)
}
