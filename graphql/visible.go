package graphql

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// visible is the part of the types that a caller can use: the root fields for which he holds a privilege, and whatever
// they lead to that is not about a table of which he may not know.
type visible struct {
	api   *api
	sees  func(table string) bool // nil for one who may know of all
	snap  *tables.Snapshot
	who   core.Caller
	types map[string]bool // nil for all
}

func (a *api) visibleTo(snap *tables.Snapshot, who core.Caller) *visible {
	v := &visible{api: a, sees: readerOf(snap, who).sees, snap: snap, who: who}
	if v.sees == nil {
		return v
	}
	v.types = map[string]bool{}
	for name := range scalars {
		v.types[name] = true
	}
	for name, d := range a.ast.Types {
		if strings.HasPrefix(name, "__") {
			v.reach(d)
		}
	}
	for _, name := range comparedTypes {
		v.reach(a.ast.Types[name+comparisonSuffix])
	}
	v.reach(a.ast.Query)
	if a.ast.Mutation != nil {
		v.reach(a.ast.Mutation)
	}
	if v.subscribes() {
		v.reach(a.ast.Subscription)
	}
	return v
}

// subscribes reports whether there is anything that the caller can subscribe to.
func (v *visible) subscribes() bool { return len(v.fields(v.api.ast.Subscription)) > 0 }

// reach notes a type and all that its visible fields lead to.
func (v *visible) reach(d *ast.Definition) {
	if d == nil || v.types[d.Name] {
		return
	}
	v.types[d.Name] = true
	for _, f := range v.fields(d) {
		v.reach(v.api.ast.Types[f.Type.Name()])
		for _, arg := range f.Arguments {
			if v.about(arg.Type) {
				v.reach(v.api.ast.Types[arg.Type.Name()])
			}
		}
	}
	for _, name := range v.members(d) {
		v.reach(v.api.ast.Types[name])
	}
}

// shows reports whether there is a type of the name, as far as the caller knows.
func (v *visible) shows(name string) bool {
	_, ok := v.api.ast.Types[name]
	return ok && (v.types == nil || v.types[name])
}

// about reports whether what has the type may be known.
func (v *visible) about(t *ast.Type) bool { return v.known(t.Name()) }

func (v *visible) known(typ string) bool {
	table, ok := v.api.tables[typ]
	return v.sees == nil || !ok || v.sees(table)
}

// fields returns the fields of a type, or of an input, that the caller knows.
func (v *visible) fields(d *ast.Definition) []*ast.FieldDefinition {
	return slices.DeleteFunc(slices.Clone(d.Fields), func(f *ast.FieldDefinition) bool {
		if strings.HasPrefix(f.Name, "__") || !v.about(f.Type) {
			return true
		}
		if links, ok := v.api.through[d.Name+"."+f.Name]; ok && v.sees != nil && !v.sees(links) {
			return true
		}
		r := v.api.rootField(d, f.Name)
		return r != nil && v.sees != nil && !v.usable(r)
	})
}

// members returns the types of a union that the caller knows.
func (v *visible) members(d *ast.Definition) []string {
	return slices.DeleteFunc(slices.Clone(d.Types), func(name string) bool { return !v.known(name) })
}

// possible returns the types of a union, or those with an interface, that the caller can use.
func (v *visible) possible(d *ast.Definition) (out []string) {
	if d.Kind == ast.Union {
		return v.members(d)
	}
	for _, t := range v.api.ast.PossibleTypes[d.Name] {
		if v.shows(t.Name) {
			out = append(out, t.Name)
		}
	}
	slices.Sort(out)
	return out
}

// interfaces returns those of a type that the caller can use.
func (v *visible) interfaces(d *ast.Definition) []string {
	return slices.DeleteFunc(slices.Clone(d.Interfaces), func(name string) bool { return !v.shows(name) })
}

// reads reports whether the caller may read a table of which he can use the type with an interface.
func (v *visible) reads(d *ast.Definition) bool {
	return slices.ContainsFunc(v.api.ast.PossibleTypes[d.Name], func(t *ast.Definition) bool {
		_, err := v.snap.Policy.Decide(v.who, t.Name, "read")
		return err == nil
	})
}

// arguments returns those that the caller knows.
func (v *visible) arguments(list ast.ArgumentDefinitionList) ast.ArgumentDefinitionList {
	return slices.DeleteFunc(slices.Clone(list), func(a *ast.ArgumentDefinition) bool { return !v.about(a.Type) })
}

// usable reports whether the caller holds what a root field asks for first.
func (v *visible) usable(r *root) bool {
	policy := v.snap.Policy
	if r.action != nil {
		return policy.May(v.who, r.action.Privilege) == nil
	}
	if r.kind == readNode || r.kind == readNodes {
		return v.reads(v.api.ast.Types[nodeType])
	}
	if r.rows == nil {
		return true
	}
	table := r.rows.table.Name
	var err error
	switch r.kind {
	case writeInsert, writeInsertOne, writeRestore:
		_, err = policy.Decide(v.who, table, "create")
	case writeUpdate, writeUpdateByPK, writeUpdateMany, writeRestoreVersion, writeMerge, writeUnmerge:
		_, err = policy.Decide(v.who, table, "update")
	case writeDelete, writeDeleteByPK, readPreview:
		_, err = policy.Decide(v.who, table, "delete")
	case writePurge:
		return policy.May(v.who, "purge_records") == nil && v.sees(table)
	default:
		_, err = policy.Decide(v.who, table, "read")
	}
	return err == nil
}
