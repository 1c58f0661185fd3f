package graphql

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// mergeable checks that fields of one key in one place are the same field, or belong to types of which an object has one at most and
// have answers of one shape. Fields of one object need comparing with the first only.
func mergeable(doc *ast.QueryDocument) []*gqlerror.Error {
	m := &merger{doc: doc}
	for _, op := range doc.Operations {
		m.sets([]ast.SelectionSet{op.SelectionSet})
	}
	return m.errs
}

type merger struct {
	doc  *ast.QueryDocument
	errs []*gqlerror.Error
}

// keyed are the fields of one key in one place.
type keyed struct{ fields []*ast.Field }

// byKey returns the fields of the sets by their keys, in the order of their first mention, fragments written out.
func byKey(sets []ast.SelectionSet) (out []*keyed) {
	found, spread := map[string]*keyed{}, map[string]bool{}
	var add func(ast.SelectionSet)
	add = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				k := found[s.Alias]
				if k == nil {
					k = &keyed{}
					found[s.Alias] = k
					out = append(out, k)
				}
				k.fields = append(k.fields, s)
			case *ast.InlineFragment:
				add(s.SelectionSet)
			case *ast.FragmentSpread:
				if !spread[s.Name] && s.Definition != nil {
					spread[s.Name] = true
					add(s.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		add(set)
	}
	return out
}

// setsOf returns what is asked of the answers of the fields.
func setsOf(fields []*ast.Field) (out []ast.SelectionSet) {
	for _, f := range fields {
		if len(f.SelectionSet) > 0 {
			out = append(out, f.SelectionSet)
		}
	}
	return out
}

func (m *merger) sets(sets []ast.SelectionSet) {
	for _, k := range byKey(sets) {
		groups := k.groups()
		if len(groups) > 1 {
			m.shapes(k.fields)
		}
		for _, g := range groups {
			for _, f := range g[1:] {
				m.refuse(g[0], f, differ(g[0], f))
			}
			if inner := setsOf(g); len(inner) > 0 {
				m.sets(inner)
			}
		}
	}
}

func (m *merger) refuse(a, b *ast.Field, reason string) {
	if reason != "" && len(m.errs) < maxErrors {
		m.errs = append(m.errs, conflict(a, b, reason))
	}
}

// groups returns the fields that one object may have together: those of each object type, with those of interfaces and unions.
func (k *keyed) groups() (out [][]*ast.Field) {
	var types []string
	for _, f := range k.fields {
		if d := f.ObjectDefinition; d != nil && !d.IsAbstractType() && !slices.Contains(types, d.Name) {
			types = append(types, d.Name)
		}
	}
	if len(types) < 2 {
		return [][]*ast.Field{k.fields}
	}
	for _, t := range types {
		var group []*ast.Field
		for _, f := range k.fields {
			if d := f.ObjectDefinition; d == nil || d.IsAbstractType() || d.Name == t {
				group = append(group, f)
			}
		}
		out = append(out, group)
	}
	return out
}

// shapes checks that the answers of fields of several types have one shape.
func (m *merger) shapes(fields []*ast.Field) {
	for _, f := range fields[1:] {
		if a, b := fields[0].Definition, f.Definition; a != nil && b != nil && !alike(a.Type, b.Type, len(f.SelectionSet) > 0 && len(fields[0].SelectionSet) > 0) {
			m.refuse(fields[0], f, fmt.Sprintf("they return conflicting types %q and %q", a.Type, b.Type))
			return
		}
	}
	for _, k := range byKey(setsOf(fields)) {
		m.shapes(k.fields)
	}
}

// alike reports whether two types have lists and nulls in the same places, and around the same type where that is not an object.
func alike(a, b *ast.Type, objects bool) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return alike(a.Elem, b.Elem, objects)
	}
	return objects || a.NamedType == b.NamedType
}

func conflict(a, b *ast.Field, reason string) *gqlerror.Error {
	e := &gqlerror.Error{Message: fmt.Sprintf("Fields %q conflict because %s. Use different aliases on the fields to fetch both if this was intentional.", a.Alias, reason)}
	for _, f := range []*ast.Field{a, b} {
		e.Locations = append(e.Locations, gqlerror.Location{Line: f.Position.Line, Column: f.Position.Column})
	}
	return e
}

func differ(a, b *ast.Field) string {
	if a.Name != b.Name {
		return fmt.Sprintf("%q and %q are different fields", a.Name, b.Name)
	}
	if len(a.Arguments) != len(b.Arguments) {
		return "they have differing arguments"
	}
	for _, x := range a.Arguments {
		y := b.Arguments.ForName(x.Name)
		if y == nil || !sameValue(x.Value, y.Value) {
			return "they have differing arguments"
		}
	}
	return ""
}

func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	for i, x := range a.Children {
		y := b.Children[i]
		if a.Kind == ast.ObjectValue { // whose fields have no order
			if y.Name != x.Name {
				if y = child(b, x.Name); y == nil {
					return false
				}
			}
		}
		if !sameValue(x.Value, y.Value) {
			return false
		}
	}
	return true
}

func child(v *ast.Value, name string) *ast.ChildValue {
	for _, c := range v.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}
