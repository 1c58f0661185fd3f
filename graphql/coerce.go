package graphql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// object is an input object, its fields in the order in which they were written. A field that is not there differs from
// one that is null.
type object []member

type member struct {
	name  string
	value any
}

func (o object) get(name string) (any, bool) {
	for i := range o {
		if o[i].name == name {
			return o[i].value, true
		}
	}
	return nil, false
}

// inputError says what is wrong with an input, and where in it.
type inputError struct {
	path string // such as .where.name[2]
	msg  string
	near string // what may have been meant, as a part of the sentence
	kind core.ErrKind
	pos  *ast.Position
}

func (e *inputError) Error() string { return e.msg }

// within adds an outer step to the path of an error.
func within(step string, err error) error {
	var e *inputError
	if errors.As(err, &e) {
		e.path = step + e.path
	}
	return err
}

func wrong(format string, args ...any) error { return &inputError{msg: fmt.Sprintf(format, args...)} }

// coerceVariables brings the variables of a request into the types that the operation declares.
func (a *api) coerceVariables(op *operation, raw json.RawMessage) (variables, error) {
	var given object
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && string(raw) != "null" {
		v, err := decodeJSON(raw)
		if err != nil {
			return variables{}, inVariables(err)
		}
		o, ok := v.(object)
		if !ok {
			return variables{}, wrong("the variables are %s, not an object", describe(v))
		}
		given = o
	}
	if len(op.variables) == 0 {
		return variables{}, nil
	}
	vars := variables{of: op, values: op.place(given)}
	var room [64]byte
	structure := room[:0]
	for i := range op.variables {
		raw := vars.values[i]
		v, err := a.coerceVariable(&op.variables[i], raw)
		if err != nil {
			return variables{}, err
		}
		if table, id, ok := a.split(&op.variables[i], v); ok {
			if vars.tables == nil {
				vars.tables = make([]string, len(op.variables))
			}
			vars.values[i], vars.tables[i] = id, table
			structure = append(appendCounted(structure, table), '?')
			continue
		}
		vars.values[i] = v
		structure = op.variables[i].structure(structure, v, raw)
	}
	vars.structure = string(structure)
	return vars, nil
}

// split takes the value of a variable apart that is nothing but a global id, so that one plan serves all records of a table.
func (a *api) split(d *variable, v any) (table, id string, ok bool) {
	text, ok := v.(string)
	if !ok || !d.node || !d.open {
		return "", "", false
	}
	table, record, ok := tables.ParseGlobalID(a.schema, text)
	return table, string(record), ok
}

// inVariables makes the path of an error one that begins with a variable.
func inVariables(err error) error {
	var e *inputError
	if errors.As(err, &e) {
		if name, ok := strings.CutPrefix(e.path, "."); ok {
			e.path = "$" + name
		}
	}
	return err
}

// coerceVariable brings one variable into its type. It is absent when it has no value and no default.
func (a *api) coerceVariable(d *variable, raw any) (any, error) {
	if d.err != nil {
		return nil, d.err
	}
	v, err := raw, error(nil)
	switch def := d.VariableDefinition; {
	case raw != absent{}:
		v, err = a.fromJSON(d.typ, raw)
	case def.DefaultValue != nil:
		v, err = a.fromLiteral(d.typ, def.DefaultValue, variables{})
	case def.Type.NonNull:
		err = wrong("a value of the type %s is required", def.Type)
	}
	if err != nil {
		return nil, variableError(d.VariableDefinition, err)
	}
	return v, nil
}

func variableError(def *ast.VariableDefinition, err error) error {
	err = within("$"+def.Variable, err)
	var e *inputError
	if errors.As(err, &e) && e.pos == nil {
		e.pos = def.Position
	}
	return err
}

// inputType finds the type that a document names.
func (a *api) inputType(t *ast.Type) (gql.Type, error) {
	var out gql.Type
	if t.Elem != nil {
		inner, err := a.inputType(t.Elem)
		if err != nil {
			return nil, err
		}
		out = gql.NewList(inner)
	} else if out = a.types.Type(t.NamedType); out == nil {
		return nil, wrong("no argument has the type %s", t.NamedType)
	}
	if t.NonNull {
		out = gql.NewNonNull(out)
	}
	return out, nil
}

// fromJSON brings a value from JSON into its type.
func (a *api) fromJSON(t gql.Type, v any) (any, error) {
	if n, ok := t.(*gql.NonNull); ok {
		if v == nil {
			return nil, wrong("null is no %s", t)
		}
		t = n.OfType
	}
	if v == nil {
		return nil, nil
	}
	switch t := t.(type) {
	case *gql.List:
		items, ok := v.([]any)
		if !ok {
			items = []any{v}
		}
		out := make([]any, len(items))
		for i, item := range items {
			var err error
			if out[i], err = a.fromJSON(t.OfType, item); err != nil {
				return nil, inList(ok, i, err)
			}
		}
		return out, nil
	case *gql.InputObject:
		o, ok := v.(object)
		if !ok {
			return nil, wrong("%s is no %s", describe(v), t)
		}
		fields := t.Fields()
		out := make(object, 0, min(len(o), len(fields)))
		for _, m := range o {
			f, ok := fields[m.name]
			if !ok {
				return nil, within("."+cut(m.name), &inputError{msg: fmt.Sprintf("%s has no such field", t), near: suggestField(m.name, fields)})
			}
			if _, twice := out.get(m.name); twice {
				return nil, within("."+m.name, wrong("the field is there twice"))
			}
			value, err := a.fromJSON(f.Type, m.value)
			if err != nil {
				return nil, within("."+m.name, err)
			}
			out = append(out, member{m.name, value})
		}
		return a.complete(t, out)
	case *gql.Enum:
		s, ok := v.(string)
		if !ok {
			return nil, wrong("%s is no %s", describe(v), t)
		}
		return enumValue(t, s)
	case *gql.Scalar:
		return scalarValue(t, v)
	}
	return nil, wrong("%s is no input", t)
}

// fromLiteral brings a value of a document into its type. absent tells a variable without a value from null.
func (a *api) fromLiteral(t gql.Type, v *ast.Value, vars variables) (out any, err error) {
	if v.Kind == ast.Variable { // which has its type already
		out, _ := vars.get(v.Raw)
		if _, ok := t.(*gql.NonNull); ok && out == nil {
			return nil, at(v, wrong("the variable $%s is null, which is no %s", v.Raw, t))
		}
		return out, nil
	}
	if n, ok := t.(*gql.NonNull); ok {
		if v.Kind == ast.NullValue {
			return nil, at(v, wrong("null is no %s", t))
		}
		t = n.OfType
	}
	if v.Kind == ast.NullValue {
		return nil, nil
	}
	switch t := t.(type) {
	case *gql.List:
		if v.Kind != ast.ListValue {
			one, err := a.fromLiteral(t.OfType, v, vars)
			return []any{one}, err
		}
		out := make([]any, len(v.Children))
		for i, c := range v.Children {
			if out[i], err = a.fromLiteral(t.OfType, c.Value, vars); err != nil {
				return nil, inList(true, i, err)
			}
		}
		return out, nil
	case *gql.InputObject:
		if v.Kind != ast.ObjectValue {
			return nil, at(v, wrong("%s is no %s", cut(v.String()), t))
		}
		fields := t.Fields()
		out := make(object, 0, len(v.Children))
		for _, c := range v.Children {
			f, ok := fields[c.Name]
			if !ok {
				return nil, within("."+c.Name, at(v, wrong("%s has no such field", t)))
			}
			if vars.lack(c.Value) {
				continue
			}
			value, err := a.fromLiteral(f.Type, c.Value, vars)
			if err != nil {
				return nil, within("."+c.Name, err)
			}
			out = append(out, member{c.Name, value})
		}
		done, err := a.complete(t, out)
		return done, at(v, err)
	case *gql.Enum:
		if v.Kind != ast.EnumValue {
			return nil, at(v, wrong("%s is no %s", cut(v.String()), t))
		}
		out, err := enumValue(t, v.Raw)
		return out, at(v, err)
	case *gql.Scalar:
		raw, err := literal(v, vars)
		if err == nil {
			out, err = scalarValue(t, raw)
		}
		return out, at(v, err)
	}
	return nil, at(v, wrong("%s is no input", t))
}

// at gives an error its place in the document.
func at(v *ast.Value, err error) error {
	var e *inputError
	if errors.As(err, &e) && e.pos == nil {
		e.pos = v.Position
	}
	return err
}

func inList(isList bool, i int, err error) error {
	if isList {
		return within("["+strconv.Itoa(i)+"]", err)
	}
	return err
}

// literal is a literal as JSON would give it; an enum value is an [enumName].
func literal(v *ast.Value, vars variables) (any, error) {
	switch v.Kind {
	case ast.IntValue, ast.FloatValue:
		return json.Number(v.Raw), nil
	case ast.BlockValue:
		return v.Raw, nil
	case ast.StringValue:
		if strings.ContainsRune(v.Raw, utf8.RuneError) { // the character itself, or what the parser puts in place of none
			text := []rune(v.Position.Src.Input)[v.Position.Start:v.Position.End]
			if core.HasLoneSurrogate([]byte(string(text))) {
				return nil, at(v, wrong(half))
			}
		}
		return v.Raw, nil
	case ast.BooleanValue:
		return v.Raw == "true", nil
	case ast.NullValue:
		return nil, nil
	case ast.EnumValue:
		return enumName(v.Raw), nil
	case ast.Variable:
		out, _ := vars.get(v.Raw)
		return out, nil
	case ast.ListValue:
		out := make([]any, len(v.Children))
		for i, c := range v.Children {
			var err error
			if out[i], err = literal(c.Value, vars); err != nil {
				return nil, err
			}
		}
		return out, nil
	case ast.ObjectValue:
		out := make(object, 0, len(v.Children))
		for _, c := range v.Children {
			if vars.lack(c.Value) {
				continue
			}
			value, err := literal(c.Value, vars)
			if err != nil {
				return nil, err
			}
			out = append(out, member{c.Name, value})
		}
		return out, nil
	}
	return nil, wrong("%s is no value", v)
}

func scalarValue(t *gql.Scalar, v any) (any, error) {
	s, ok := scalars[t.Name()]
	if !ok {
		return nil, wrong("no input has the type %s", t)
	}
	out, problem := s.parse(v)
	if problem != "" {
		return nil, wrong("%s", problem)
	}
	return out, nil
}

func enumValue(t *gql.Enum, s string) (any, error) {
	values := t.Values()
	for _, d := range values { // t.ParseValue would make a map the first time, and requests share the type
		if d.Name == s {
			return d.Value, nil
		}
	}
	have := make([]string, len(values))
	for i, d := range values {
		have[i] = d.Name
	}
	return nil, &inputError{msg: fmt.Sprintf("%q is no %s", cut(s), t), near: suggest(s, have)}
}

// complete adds defaults to an input object and asks for what is required.
func (a *api) complete(t *gql.InputObject, o object) (object, error) {
	for _, f := range a.needs[t] {
		if _, ok := o.get(f.PrivateName); ok {
			continue
		}
		if f.DefaultValue == nil {
			return nil, within("."+f.PrivateName, wrong("a value of the type %s is required", f.Type))
		}
		o = append(o, member{f.PrivateName, f.DefaultValue})
	}
	return o, nil
}

// needs finds the fields of input objects that have a default or are required, in an order.
func needs(types *gql.Schema) map[*gql.InputObject][]*gql.InputObjectField {
	out := map[*gql.InputObject][]*gql.InputObjectField{}
	for _, t := range types.TypeMap() {
		in, ok := t.(*gql.InputObject)
		if !ok {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(in.Fields())) {
			f := in.Fields()[name]
			if _, must := f.Type.(*gql.NonNull); must || f.DefaultValue != nil {
				out[in] = append(out[in], f)
			}
		}
	}
	return out
}

func suggestField(s string, fields gql.InputObjectFieldMap) string {
	return suggest(s, slices.Sorted(maps.Keys(fields)))
}

func suggest(s string, have []string) string {
	if len(s) > 60 {
		return ""
	}
	if near := core.Suggest(s, have); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// coerceArguments returns the arguments of a field that have a value, and the defaults of those that do not.
func (a *api) coerceArguments(def *gql.FieldDefinition, args ast.ArgumentList, vars variables) (object, error) {
	if len(def.Args) == 0 {
		return nil, nil
	}
	out := make(object, 0, len(def.Args))
	for _, arg := range args {
		if vars.lack(arg.Value) {
			continue
		}
		for _, d := range def.Args {
			if d.PrivateName != arg.Name {
				continue
			}
			v, err := a.fromLiteral(d.Type, arg.Value, vars)
			if err != nil {
				return nil, within("."+arg.Name, err)
			}
			out = append(out, member{arg.Name, v})
		}
	}
	for _, d := range def.Args {
		_, must := d.Type.(*gql.NonNull)
		if !must && d.DefaultValue == nil {
			continue
		}
		if _, ok := out.get(d.PrivateName); ok {
			continue
		}
		if d.DefaultValue == nil {
			return nil, within("."+d.PrivateName, wrong("a value of the type %s is required", d.Type))
		}
		out = append(out, member{d.PrivateName, d.DefaultValue})
	}
	return out, nil
}
