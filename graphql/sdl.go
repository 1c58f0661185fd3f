package graphql

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"colonnade/core"
	"colonnade/tables"
)

// Actions returns all actions of the API: those that it was made with, and its own.
func (e *Engine) Actions() []core.Action { return e.actions }

// printSDL is the action that prints the types, as somebody sees them.
func (e *Engine) printSDL() core.Action {
	return core.Action{
		Name: "print_sdl", Doc: "Prints the types of the API in the schema definition language, as far as the caller can use them, or who holds a role and nothing else. The same schema and rights give the same text, to the byte.",
		Input: []core.Column{
			{Name: "role", Kind: core.Text, Doc: "The role, for those who manage access; the caller's own view when left out."},
		},
		Output:   []core.Column{{Name: "sdl", Kind: core.LongText, Required: true, Doc: "The types."}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "graphql.print_sdl"
			snap, who := e.store.Snapshot(), core.CallerFrom(ctx)
			if role, _ := c.In["role"].(string); role != "" {
				if err := snap.Policy.May(who, "manage_access"); err != nil {
					return nil, core.E(op, err)
				}
				var err error
				if who, err = snap.Policy.RoleCaller(role); err != nil {
					return nil, core.E(op, err)
				}
			}
			return core.Record{"sdl": e.SDL(snap, who)}, nil
		},
	}
}

// SDL returns the API of a snapshot in the schema definition language, as far as the caller can use it.
func (e *Engine) SDL(snap *tables.Snapshot, who core.Caller) string {
	return e.api(snap).visibleTo(snap, who).sdl()
}

func (v *visible) sdl() string {
	var out bytes.Buffer
	formatter.NewFormatter(&out, formatter.WithIndent("  ")).FormatSchema(v.schema())
	return out.String()
}

// schema returns the types that the caller can use, with the fields that he can.
func (v *visible) schema() *ast.Schema {
	out := *v.api.ast
	out.Types = map[string]*ast.Definition{}
	for _, name := range slices.Sorted(maps.Keys(v.api.ast.Types)) {
		if !v.shows(name) {
			continue
		}
		all := v.api.ast.Types[name]
		d := *all
		if d.Kind == ast.Object || d.Kind == ast.InputObject || d.Kind == ast.Interface {
			d.Fields = v.printed(v.fields(all))
		}
		d.Types, d.Interfaces = v.members(all), v.interfaces(all)
		if (d.Kind == ast.Object || d.Kind == ast.InputObject) && len(d.Fields) == 0 && !strings.HasPrefix(name, "__") {
			continue // of a root that leads nowhere
		}
		out.Types[name] = &d
	}
	out.Query, out.Mutation, out.Subscription = shownRoot(&out, out.Query), shownRoot(&out, out.Mutation), shownRoot(&out, out.Subscription)
	return &out
}

// shownRoot returns the type as the schema has it, nil when it does not.
func shownRoot(s *ast.Schema, d *ast.Definition) *ast.Definition {
	if d == nil {
		return nil
	}
	return s.Types[d.Name]
}

// printed returns the fields with the arguments that the caller knows.
func (v *visible) printed(fields []*ast.FieldDefinition) ast.FieldList {
	out := make(ast.FieldList, len(fields))
	for i, f := range fields {
		if out[i] = f; len(f.Arguments) > 0 {
			shown := *f
			shown.Arguments = v.arguments(f.Arguments)
			out[i] = &shown
		}
	}
	return out
}
