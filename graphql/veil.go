package graphql

import (
	"errors"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// reader is who has a document parsed, and so learns from its mistakes what there is.
type reader struct {
	stranger bool                    // did not sign in
	sees     func(table string) bool // whether the caller holds anything on a table; nil for one who may know of all
}

// told returns the error of an input without the name that is near, unless the reader may know of all.
func (r reader) told(err error) error {
	var e *inputError
	if r.sees != nil && errors.As(err, &e) {
		e.near = ""
	}
	return err
}

// veil marks the names in a document that lead to tables of which the reader may not know. Validation finds no such name, and
// so answers as for one that is not there, whatever else is said about it. It reports whether there was one.
//
// What a name leads to is known by its type, the tables of which are in api.tables, or because it is a root field of a table.
func (a *api) veil(doc *ast.QueryDocument, sees func(table string) bool) bool {
	v := veiler{api: a, sees: sees}
	for _, op := range doc.Operations {
		for _, d := range op.VariableDefinitions {
			v.named(d.Type)
		}
		v.selection(op.SelectionSet, a.rootType(op.Operation))
	}
	for _, f := range doc.Fragments {
		v.condition(&f.TypeCondition)
		v.selection(f.SelectionSet, a.ast.Types[f.TypeCondition])
	}
	return v.found
}

func (a *api) rootType(op ast.Operation) *ast.Definition {
	switch op {
	case ast.Mutation:
		return a.ast.Mutation
	case ast.Subscription:
		return a.ast.Subscription
	}
	return a.ast.Query
}

// mark is no part of a name. It is printable, so that no message spells it otherwise.
const mark = "‡"

func unmark(errs []*gqlerror.Error) []*gqlerror.Error {
	for _, e := range errs {
		e.Message = strings.ReplaceAll(e.Message, mark, "")
	}
	return errs
}

type veiler struct {
	api   *api
	sees  func(table string) bool
	found bool
}

// hide marks a name when the type that it leads to is of a table that the reader does not see.
func (v *veiler) hide(name *string, typ string) bool {
	table, ok := v.api.tables[typ]
	return ok && v.conceal(name, table)
}

// conceal marks a name when the reader does not see the table that it tells of.
func (v *veiler) conceal(name *string, table string) bool {
	if v.sees(table) {
		return false
	}
	*name += mark
	v.found = true
	return true
}

func (v *veiler) condition(typ *string) { v.hide(typ, *typ) }

func (v *veiler) named(t *ast.Type) {
	for t.Elem != nil {
		t = t.Elem
	}
	v.condition(&t.NamedType)
}

func (v *veiler) selection(set ast.SelectionSet, of *ast.Definition) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			v.selection(s.SelectionSet, v.field(s, of))
		case *ast.InlineFragment:
			if s.TypeCondition != "" {
				v.condition(&s.TypeCondition)
				of = v.api.ast.Types[s.TypeCondition]
			}
			v.selection(s.SelectionSet, of)
		}
	}
}

// field hides what may not be known of a field of the type, and returns the type that it leads to: nil when nothing is
// known of that, in which names of types may still stand.
func (v *veiler) field(s *ast.Field, of *ast.Definition) *ast.Definition {
	if of == nil {
		return nil
	}
	f := of.Fields.ForName(s.Name)
	if f == nil {
		return nil
	}
	if r := v.api.rootField(of, s.Name); r != nil && r.rows != nil && v.conceal(&s.Name, r.rows.table.Name) {
		return nil
	}
	if links, ok := v.api.through[of.Name+"."+s.Name]; ok && v.conceal(&s.Name, links) {
		return nil
	}
	if v.hide(&s.Name, f.Type.Name()) {
		return nil
	}
	for _, arg := range s.Arguments {
		if d := f.Arguments.ForName(arg.Name); d != nil {
			v.value(arg.Value, d.Type)
		}
	}
	return v.api.ast.Types[f.Type.Name()]
}

// rootField returns the root field of that name when the type is one of root fields.
func (a *api) rootField(of *ast.Definition, name string) *root {
	switch of {
	case a.ast.Query:
		return a.query[name]
	case a.ast.Mutation:
		return a.mutation[name]
	case a.ast.Subscription:
		return a.subscription[name]
	}
	return nil
}

func (v *veiler) value(value *ast.Value, typ *ast.Type) {
	if value == nil {
		return
	}
	switch value.Kind {
	case ast.ListValue:
		for _, c := range value.Children {
			v.value(c.Value, typ)
		}
	case ast.ObjectValue:
		d := v.api.ast.Types[typ.Name()]
		if d == nil {
			return
		}
		for _, c := range value.Children {
			f := d.Fields.ForName(c.Name)
			if f == nil {
				continue
			}
			if links, ok := v.api.through[d.Name+"."+c.Name]; ok && v.conceal(&c.Name, links) {
				continue
			}
			if !v.hide(&c.Name, f.Type.Name()) {
				v.value(c.Value, f.Type)
			}
		}
	}
}

// tablesOf returns the tables of which a document says something, by name.
func (a *api) tablesOf(doc *ast.QueryDocument) []string {
	var out []string
	a.veil(doc, func(table string) bool {
		if !slices.Contains(out, table) {
			out = append(out, table)
		}
		return true
	})
	return out
}

// through returns the tables of links by the fields that lead through them to other records.
func (b *builder) through() map[string]string {
	out := map[string]string{}
	for name, r := range b.rows {
		for _, rel := range b.schema.Links(name) {
			out[r.object.Name()+"."+rel.Name] = rel.Through
			out[r.object.Name()+"."+rel.Name+"_aggregate"] = rel.Through
			out[r.object.Name()+"."+rel.Name+connectionSuffix] = rel.Through
			out[r.where.Name()+"."+rel.Name] = rel.Through
			out[r.where.Name()+"."+rel.Name+"_aggregate"] = rel.Through
			out[r.orderBy.Name()+"."+rel.Name+"_aggregate"] = rel.Through
		}
	}
	return out
}

// typesOfTables returns the table of each type that is a table's own.
func (b *builder) typesOfTables() map[string]string {
	out := map[string]string{}
	for name, owner := range b.names {
		if table, ok := strings.CutPrefix(owner, "the table "); ok {
			out[name] = table
		}
	}
	for _, roots := range []map[string]*root{b.queryRoots, b.mutationRoots} {
		for _, r := range roots {
			if r.rows == nil {
				continue
			}
			for _, arg := range r.def.Args {
				name := strings.Trim(arg.Type.String(), "[]!")
				if _, ok := out[name]; !ok && strings.HasPrefix(name, r.rows.table.Name+"_") {
					out[name] = r.rows.table.Name
				}
			}
		}
	}
	return out
}
