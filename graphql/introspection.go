package graphql

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

// Introspection is answered here and not by graphql-go, which knows the specification of 2018, prints defaults as Go
// values and answers in a different order each time. Nothing in the API is deprecated, and no input is a oneOf.

// wish is one key that an introspection asks for, with what it asks of the answer.
type wish struct {
	key, name string
	inner     []wish
}

func (c *compiler) wishes(of *selected) ([]wish, error) {
	fields, err := c.collect(of.sets)
	if err != nil {
		return nil, err
	}
	out := make([]wish, len(fields))
	for i, s := range fields {
		out[i] = wish{key: s.key, name: s.name}
		if len(s.sets) > 0 {
			if out[i].inner, err = c.wishes(s); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// compileIntrospection compiles __schema or __type.
func (c *compiler) compileIntrospection(f *selected) (*step, error) {
	inner, err := c.wishes(f)
	if err != nil {
		return nil, err
	}
	s := newStep(f)
	s.once = true // it holds on to the schema
	if f.name == "__schema" {
		s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
			w := c.api.describe(ctx, in)
			return w.finish(len(dst), w.describeSchema(dst, inner))
		}
		return s, nil
	}
	s.nullable = true
	name, err := c.api.fromLiteral(nameType, f.field.Arguments.ForName("name").Value, c.vars)
	if err != nil {
		return nil, inField(f, within(".name", err))
	}
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		w := c.api.describe(ctx, in)
		if !w.visible.shows(name.(string)) {
			return append(dst, "null"...), nil
		}
		return w.finish(len(dst), w.describeType(dst, inner, ast.NamedType(name.(string), nil)))
	}
	return s, nil
}

var nameType = required(scalars["String"].Scalar)

// introspection writes a description of the types, as far as a caller can use them.
type introspection struct {
	schema  *ast.Schema
	visible *visible
	full    bool // the answer is too large, and what follows is left out
}

func (a *api) describe(ctx context.Context, in scope) *introspection {
	return &introspection{schema: a.ast, visible: a.visibleTo(in.snap, core.CallerFrom(ctx))}
}

func (w *introspection) finish(start int, b []byte) ([]byte, error) {
	if w.full || len(b)-start > maxIntrospectionBytes {
		return b[:start], core.E("graphql.introspection", core.Limit, "the description of the types is too large: ask for less of it")
	}
	return b, nil
}

// each writes an object with what value writes for every wish.
func (w *introspection) each(b []byte, typ string, wishes []wish, value func(b []byte, want *wish) []byte) []byte {
	b = append(b, '{')
	for i := range wishes {
		if i > 0 {
			b = append(b, ',')
		}
		want := &wishes[i]
		b = append(core.AppendString(b, want.key), ':')
		if want.name == typename {
			b = core.AppendString(b, typ)
		} else {
			b = value(b, want)
		}
	}
	return append(b, '}')
}

// listJSON writes a list, one item after the other.
func listJSON[T any](w *introspection, b []byte, items []T, one func(b []byte, item T) []byte) []byte {
	b = append(b, '[')
	for i, item := range items {
		if len(b) > maxIntrospectionBytes {
			w.full = true
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, item)
	}
	return append(b, ']')
}

func orNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return core.AppendString(b, s)
}

// undeprecated answers isDeprecated and deprecationReason.
func undeprecated(b []byte, want *wish) []byte {
	if want.name == "isDeprecated" {
		return append(b, "false"...)
	}
	return append(b, "null"...)
}

func (w *introspection) describeSchema(b []byte, wishes []wish) []byte {
	return w.each(b, "__Schema", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "description":
			return orNull(b, w.schema.Description)
		case "types":
			names := slices.DeleteFunc(slices.Sorted(maps.Keys(w.schema.Types)), func(name string) bool { return !w.visible.shows(name) })
			return listJSON(w, b, names, func(b []byte, name string) []byte {
				return w.describeType(b, want.inner, ast.NamedType(name, nil))
			})
		case "directives":
			return listJSON(w, b, slices.Sorted(maps.Keys(w.schema.Directives)), func(b []byte, name string) []byte {
				return w.describeDirective(b, want.inner, w.schema.Directives[name])
			})
		case "queryType":
			return w.describeType(b, want.inner, ast.NamedType(w.schema.Query.Name, nil))
		case "mutationType":
			if m := w.schema.Mutation; m != nil {
				return w.describeType(b, want.inner, ast.NamedType(m.Name, nil))
			}
		case "subscriptionType":
			if w.visible.subscribes() {
				return w.describeType(b, want.inner, ast.NamedType(w.schema.Subscription.Name, nil))
			}
		}
		return append(b, "null"...)
	})
}

func (w *introspection) describeType(b []byte, wishes []wish, t *ast.Type) []byte {
	var inner *ast.Type
	kind := ""
	switch {
	case t.NonNull:
		nullable := *t
		nullable.NonNull = false
		kind, inner = "NON_NULL", &nullable
	case t.Elem != nil:
		kind, inner = "LIST", t.Elem
	}
	if inner != nil {
		return w.each(b, "__Type", wishes, func(b []byte, want *wish) []byte {
			switch want.name {
			case "kind":
				return core.AppendString(b, kind)
			case "ofType":
				return w.describeType(b, want.inner, inner)
			}
			return append(b, "null"...)
		})
	}
	return w.describeNamed(b, wishes, w.schema.Types[t.NamedType])
}

func (w *introspection) describeNamed(b []byte, wishes []wish, d *ast.Definition) []byte {
	return w.each(b, "__Type", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "kind":
			return core.AppendString(b, string(d.Kind))
		case "name":
			return core.AppendString(b, d.Name)
		case "description":
			return orNull(b, d.Description)
		case "specifiedByURL":
			return orNull(b, scalars[d.Name].specifiedBy)
		}
		switch {
		case want.name == "fields" && (d.Kind == ast.Object || d.Kind == ast.Interface):
			return listJSON(w, b, w.visible.fields(d), func(b []byte, f *ast.FieldDefinition) []byte { return w.describeField(b, want.inner, f) })
		case want.name == "possibleTypes" && d.IsAbstractType():
			return listJSON(w, b, w.visible.possible(d), func(b []byte, name string) []byte { return w.describeNamed(b, want.inner, w.schema.Types[name]) })
		case want.name == "interfaces" && (d.Kind == ast.Object || d.Kind == ast.Interface):
			return listJSON(w, b, w.visible.interfaces(d), func(b []byte, name string) []byte { return w.describeNamed(b, want.inner, w.schema.Types[name]) })
		case want.name == "enumValues" && d.Kind == ast.Enum:
			return listJSON(w, b, d.EnumValues, func(b []byte, v *ast.EnumValueDefinition) []byte { return w.describeEnumValue(b, want.inner, v) })
		case want.name == "inputFields" && d.Kind == ast.InputObject:
			return listJSON(w, b, w.visible.fields(d), func(b []byte, f *ast.FieldDefinition) []byte {
				return w.describeInput(b, want.inner, f.Name, f.Description, f.Type, f.DefaultValue)
			})
		case want.name == "isOneOf" && d.Kind == ast.InputObject:
			return append(b, "false"...)
		}
		return append(b, "null"...)
	})
}

func (w *introspection) describeField(b []byte, wishes []wish, f *ast.FieldDefinition) []byte {
	return w.each(b, "__Field", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "name":
			return core.AppendString(b, f.Name)
		case "description":
			return orNull(b, f.Description)
		case "args":
			return w.describeArguments(b, want, f.Arguments)
		case "type":
			return w.describeType(b, want.inner, f.Type)
		}
		return undeprecated(b, want)
	})
}

func (w *introspection) describeArguments(b []byte, want *wish, args ast.ArgumentDefinitionList) []byte {
	return listJSON(w, b, w.visible.arguments(args), func(b []byte, a *ast.ArgumentDefinition) []byte {
		return w.describeInput(b, want.inner, a.Name, a.Description, a.Type, a.DefaultValue)
	})
}

func (w *introspection) describeInput(b []byte, wishes []wish, name, doc string, t *ast.Type, otherwise *ast.Value) []byte {
	return w.each(b, "__InputValue", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "name":
			return core.AppendString(b, name)
		case "description":
			return orNull(b, doc)
		case "type":
			return w.describeType(b, want.inner, t)
		case "defaultValue":
			if otherwise == nil {
				return append(b, "null"...)
			}
			return core.AppendString(b, otherwise.String())
		}
		return undeprecated(b, want)
	})
}

func (w *introspection) describeEnumValue(b []byte, wishes []wish, v *ast.EnumValueDefinition) []byte {
	return w.each(b, "__EnumValue", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "name":
			return core.AppendString(b, v.Name)
		case "description":
			return orNull(b, v.Description)
		}
		return undeprecated(b, want)
	})
}

func (w *introspection) describeDirective(b []byte, wishes []wish, d *ast.DirectiveDefinition) []byte {
	return w.each(b, "__Directive", wishes, func(b []byte, want *wish) []byte {
		switch want.name {
		case "name":
			return core.AppendString(b, d.Name)
		case "description":
			return orNull(b, d.Description)
		case "locations":
			return listJSON(w, b, d.Locations, func(b []byte, l ast.DirectiveLocation) []byte { return core.AppendString(b, string(l)) })
		case "args":
			return w.describeArguments(b, want, d.Arguments)
		}
		return append(b, "false"...) // isRepeatable
	})
}

// onlyIntrospection reports whether an operation asks for nothing but types, so that its answer can be kept.
func onlyIntrospection(op *ast.OperationDefinition) bool {
	for _, s := range op.SelectionSet {
		if f, ok := s.(*ast.Field); !ok || !strings.HasPrefix(f.Name, "__") {
			return false
		}
	}
	return true
}

// onlyTypename reports whether a document asks for nothing that anybody need not know.
func onlyTypename(doc *ast.QueryDocument) bool {
	for _, op := range doc.Operations {
		for _, s := range op.SelectionSet {
			if f, ok := s.(*ast.Field); !ok || f.Name != typename || len(f.Directives) > 0 {
				return false
			}
		}
	}
	return len(doc.Fragments) == 0
}
