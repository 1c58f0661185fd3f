package graphql

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

// directives are those of the specification, with all the places where they may stand.
var directives = []*gql.Directive{
	gql.IncludeDirective,
	gql.SkipDirective,
	gql.NewDirective(gql.DirectiveConfig{
		Name: "deprecated", Description: "Marks an element of a GraphQL schema as no longer supported.",
		Locations: []string{gql.DirectiveLocationFieldDefinition, gql.DirectiveLocationArgumentDefinition, gql.DirectiveLocationInputFieldDefinition, gql.DirectiveLocationEnumValue},
		Args:      gql.FieldConfigArgument{"reason": {Type: gql.String, DefaultValue: gql.DefaultDeprecationReason, Description: "Why, and what to use instead, in Markdown."}},
	}),
	gql.NewDirective(gql.DirectiveConfig{
		Name: "specifiedBy", Description: "Exposes a URL that specifies the behavior of this scalar.",
		Locations: []string{gql.DirectiveLocationScalar},
		Args:      gql.FieldConfigArgument{"url": {Type: gql.NewNonNull(gql.String), Description: "The URL that specifies the behavior of this scalar."}},
	}),
}

// prelude is what the specification declares for every schema. It is shared: nothing changes it.
var prelude = sync.OnceValue(validator.PreludeDocument)

// astSchema describes the types to gqlparser, sorted by name, since graphql-go keeps them in maps.
func astSchema(s *gql.Schema) *ast.Schema {
	out := &ast.Schema{
		Types: map[string]*ast.Definition{}, Directives: map[string]*ast.DirectiveDefinition{},
		PossibleTypes: map[string][]*ast.Definition{}, Implements: map[string][]*ast.Definition{},
		Description: "The API of Colonnade: the tables, and everything that can be done.",
	}
	r := &describer{map[namedType]*ast.Type{}, map[wrappedType]*ast.Type{}, map[written]*ast.FieldDefinition{}, map[written]*ast.ArgumentDefinition{}}
	for _, d := range prelude().Definitions {
		out.Types[d.Name] = d
	}
	for name, t := range s.TypeMap() {
		if _, ok := out.Types[name]; !ok { // graphql-go has introspection types too, older ones
			out.Types[name] = r.definition(t)
		}
	}
	for _, d := range out.Types {
		if d.Kind == ast.Object || d.Kind == ast.InputObject {
			out.AddPossibleType(d.Name, d)
		}
		for _, name := range d.Types {
			out.AddPossibleType(d.Name, out.Types[name])
		}
		for _, name := range d.Interfaces {
			out.AddPossibleType(name, d)
			out.AddImplements(d.Name, out.Types[name])
		}
	}
	for _, d := range s.Directives() {
		out.Directives[d.Name] = &ast.DirectiveDefinition{Name: d.Name, Description: d.Description, Arguments: r.argumentsOf(d.Args), Position: builtin}
		for _, l := range d.Locations {
			out.Directives[d.Name].Locations = append(out.Directives[d.Name].Locations, ast.DirectiveLocation(l))
		}
	}
	out.Query = out.Types[s.QueryType().Name()]
	out.Query.Fields = append(out.Query.Fields, validator.QueryIntrospectionFields()...)
	if m := s.MutationType(); m != nil {
		out.Mutation = out.Types[m.Name()]
	}
	return out
}

// builtin is the place of what no text defines, so that it is not printed as ours.
var builtin = &ast.Position{Src: &ast.Source{BuiltIn: true}}

// describer describes types to gqlparser, which changes none of it. What is written alike is one: most fields of most tables have
// a twin, such as the columns of a table in what is read, inserted and updated, and those that every table has.
type describer struct {
	named     map[namedType]*ast.Type
	wrapped   map[wrappedType]*ast.Type
	fields    map[written]*ast.FieldDefinition
	arguments map[written]*ast.ArgumentDefinition
}

// written is a field without arguments, or an argument, that has no default value.
type written struct {
	name, doc string
	typ       *ast.Type
}

type namedType struct {
	name    string
	nonNull bool
}

type wrappedType struct {
	of      *ast.Type
	nonNull bool
}

func (r *describer) definition(t gql.Type) *ast.Definition {
	d := &ast.Definition{Name: t.Name(), Description: t.Description()}
	switch t := t.(type) {
	case *gql.Scalar:
		d.Kind = ast.Scalar
		if url := scalars[t.Name()].specifiedBy; url != "" {
			d.Directives = ast.DirectiveList{{Name: "specifiedBy", Arguments: ast.ArgumentList{{Name: "url", Value: &ast.Value{Kind: ast.StringValue, Raw: url}}}}}
		}
	case *gql.Object:
		d.Kind = ast.Object
		for _, i := range t.Interfaces() {
			d.Interfaces = append(d.Interfaces, i.Name())
		}
		fields := t.Fields()
		d.Fields = make(ast.FieldList, 0, len(fields))
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			f := fields[name]
			d.Fields = append(d.Fields, r.field(written{name, f.Description, r.typeOf(f.Type)}, r.argumentsOf(f.Args), nil))
		}
	case *gql.Interface:
		d.Kind = ast.Interface
		for name, f := range t.Fields() {
			d.Fields = append(d.Fields, r.field(written{name, f.Description, r.typeOf(f.Type)}, nil, nil))
		}
	case *gql.InputObject:
		d.Kind = ast.InputObject
		fields := t.Fields()
		d.Fields = make(ast.FieldList, 0, len(fields))
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			f := fields[name]
			d.Fields = append(d.Fields, r.field(written{name, f.PrivateDescription, r.typeOf(f.Type)}, nil, astValue(f.Type, f.DefaultValue)))
		}
	case *gql.Union:
		d.Kind = ast.Union
		for _, o := range t.Types() {
			d.Types = append(d.Types, o.Name())
		}
		slices.Sort(d.Types)
	case *gql.Enum:
		d.Kind = ast.Enum
		values := slices.SortedFunc(slices.Values(t.Values()), func(a, b *gql.EnumValueDefinition) int { return strings.Compare(a.Name, b.Name) })
		for _, v := range values {
			d.EnumValues = append(d.EnumValues, &ast.EnumValueDefinition{Name: v.Name, Description: v.Description})
		}
	}
	return d
}

func (r *describer) field(p written, args ast.ArgumentDefinitionList, value *ast.Value) *ast.FieldDefinition {
	if f, ok := r.fields[p]; ok && args == nil && value == nil {
		return f
	}
	f := &ast.FieldDefinition{Name: p.name, Description: p.doc, Type: p.typ, Arguments: args, DefaultValue: value}
	if args == nil && value == nil {
		r.fields[p] = f
	}
	return f
}

func (r *describer) argumentsOf(args []*gql.Argument) (out ast.ArgumentDefinitionList) {
	for _, a := range slices.SortedFunc(slices.Values(args), func(a, b *gql.Argument) int { return strings.Compare(a.PrivateName, b.PrivateName) }) {
		out = append(out, r.argument(written{a.PrivateName, a.PrivateDescription, r.typeOf(a.Type)}, astValue(a.Type, a.DefaultValue)))
	}
	return slices.Clip(out)
}

func (r *describer) argument(p written, value *ast.Value) *ast.ArgumentDefinition {
	if a, ok := r.arguments[p]; ok && value == nil {
		return a
	}
	a := &ast.ArgumentDefinition{Name: p.name, Description: p.doc, Type: p.typ, DefaultValue: value}
	if value == nil {
		r.arguments[p] = a
	}
	return a
}

func (r *describer) typeOf(t gql.Type) *ast.Type {
	n, nonNull := t.(*gql.NonNull)
	if nonNull {
		t = n.OfType
	}
	if l, ok := t.(*gql.List); ok {
		key := wrappedType{r.typeOf(l.OfType), nonNull}
		if r.wrapped[key] == nil {
			r.wrapped[key] = &ast.Type{Elem: key.of, NonNull: nonNull}
		}
		return r.wrapped[key]
	}
	key := namedType{t.Name(), nonNull}
	if r.named[key] == nil {
		r.named[key] = &ast.Type{NamedType: key.name, NonNull: nonNull}
	}
	return r.named[key]
}

// astValue is the literal of a default value; nil for none.
func astValue(t gql.Type, v any) *ast.Value {
	switch t := t.(type) {
	case *gql.NonNull:
		return astValue(t.OfType, v)
	case *gql.List:
		items, ok := v.([]any)
		if !ok {
			break
		}
		out := &ast.Value{Kind: ast.ListValue}
		for _, item := range items {
			out.Children = append(out.Children, &ast.ChildValue{Value: astValue(t.OfType, item)})
		}
		return out
	case *gql.InputObject:
		fields, ok := v.(map[string]any)
		if !ok {
			break
		}
		out := &ast.Value{Kind: ast.ObjectValue}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			out.Children = append(out.Children, &ast.ChildValue{Name: name, Value: astValue(t.Fields()[name].Type, fields[name])})
		}
		return out
	case *gql.Enum:
		if s, ok := v.(string); ok {
			return &ast.Value{Kind: ast.EnumValue, Raw: s}
		}
	}
	switch v := v.(type) {
	case string:
		return &ast.Value{Kind: ast.StringValue, Raw: v}
	case bool:
		return &ast.Value{Kind: ast.BooleanValue, Raw: strconv.FormatBool(v)}
	case int:
		return &ast.Value{Kind: ast.IntValue, Raw: strconv.Itoa(v)}
	}
	return nil
}

// objectFields and inputFields hand the fields over to a type and let go of them: it makes definitions of its own from them, and
// would keep both.
func objectFields(f gql.Fields) gql.FieldsThunk {
	return func() gql.Fields {
		out := f
		f = nil
		return out
	}
}

func inputFields(f gql.InputObjectConfigFieldMap) gql.InputObjectConfigFieldMapThunk {
	return func() gql.InputObjectConfigFieldMap {
		out := f
		f = nil
		return out
	}
}
