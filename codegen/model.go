package codegen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

// Options of [TypeScript] and [Go]; the zero value is a client of every table.
type Options struct {
	Tables  []string // all that the types have, but for Colonnade's own, when empty
	Package string   // of Go; client when empty
}

// model is what a client is made of.
type model struct {
	schema *ast.Schema
	tables []*table
	inputs []*ast.Definition // and enums, by name: all that the tables need
}

// table is a table that the types have.
type table struct {
	name   string
	doc    string
	fields []field

	// What can be done; a root field that the types do not have is not there.
	list, one, count                      bool
	insert, update, remove                bool
	where, orderBy, insertInput, setInput string // types
}

// field is a column, or what a relation leads to.
type field struct {
	name, doc string
	typ       *ast.Type
	table     string // where it leads; "" for a column
	object    bool   // a file, of which the columns are asked for
}

// read reads the types of the API.
func read(sdl string, o Options) (*model, error) {
	const op = "codegen.read"
	s, err := gqlparser.LoadSchema(&ast.Source{Name: "types", Input: sdl})
	if err != nil {
		return nil, core.E(op, core.Invalid, "these are no types of GraphQL: "+err.Error(), err)
	}
	m := &model{schema: s}
	have := m.names()
	for _, name := range have {
		if len(o.Tables) == 0 && !strings.HasPrefix(name, "_") || slices.Contains(o.Tables, name) {
			m.tables = append(m.tables, &table{name: name, doc: s.Types[name].Description})
		}
	}
	for _, name := range o.Tables {
		if !slices.Contains(have, name) {
			msg := fmt.Sprintf("there is no table %q in the types", name)
			if near := core.Suggest(name, have); near != "" {
				msg += "; did you mean " + near + "?"
			}
			return nil, core.E(op, core.Invalid, msg)
		}
	}
	if len(m.tables) == 0 {
		return nil, core.E(op, core.Invalid, "the types have no table: make one, or choose a role that reads one")
	}
	for _, t := range m.tables {
		m.complete(t)
	}
	m.reach()
	return m, nil
}

// names returns the tables of the types, by name: those of which a list can be read.
func (m *model) names() (out []string) {
	if m.schema.Query == nil {
		return nil
	}
	for _, f := range m.schema.Query.Fields {
		if d := m.schema.Types[f.Name]; d != nil && d.Kind == ast.Object && f.Type.Elem != nil && f.Type.Name() == f.Name {
			out = append(out, f.Name)
		}
	}
	slices.Sort(out)
	return out
}

func (m *model) has(name string) bool {
	return slices.ContainsFunc(m.tables, func(t *table) bool { return t.name == name })
}

// complete finds the fields of a table, and what can be done with it.
func (m *model) complete(t *table) {
	for _, f := range m.schema.Types[t.name].Fields {
		to := m.schema.Types[f.Type.Name()]
		of := field{name: f.Name, doc: f.Description, typ: f.Type}
		switch {
		case strings.HasPrefix(f.Name, "__"):
			continue
		case to.Kind == ast.Scalar || to.Kind == ast.Enum:
		case to.Kind == ast.Object && m.has(to.Name):
			of.table = to.Name
		case to.Name == storedFile:
			of.object = true
		default: // an aggregate, a union, or a table that is left out
			continue
		}
		t.fields = append(t.fields, of)
	}
	query, mutation := m.schema.Query, m.schema.Mutation
	t.list, t.one, t.count = true, hasField(query, t.name+"_by_pk"), hasField(query, t.name+"_aggregate")
	t.insert, t.update, t.remove = hasField(mutation, "insert_"+t.name), hasField(mutation, "update_"+t.name+"_by_pk"), hasField(mutation, "delete_"+t.name+"_by_pk")
	t.where, t.orderBy, t.insertInput, t.setInput = t.name+"_bool_exp", t.name+"_order_by", t.name+"_insert_input", t.name+"_set_input"
}

// storedFile is the type of a column of files.
const storedFile = "_stored_file"

func hasField(of *ast.Definition, name string) bool {
	return of != nil && of.Fields.ForName(name) != nil
}

// reach finds the inputs and enums that the tables need.
func (m *model) reach() {
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		d := m.schema.Types[name]
		if d == nil || seen[name] || d.Kind != ast.InputObject && d.Kind != ast.Enum {
			return
		}
		seen[name] = true
		for _, f := range d.Fields {
			add(f.Type.Name())
		}
	}
	for _, t := range m.tables {
		add(t.where)
		add(t.orderBy)
		if t.insert {
			add(t.insertInput)
			add(t.name + "_on_conflict")
		}
		if t.update {
			add(t.setInput)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		m.inputs = append(m.inputs, m.schema.Types[name])
	}
}

// stored returns the type of a file, nil when no column holds one.
func (m *model) stored() *ast.Definition {
	for _, t := range m.tables {
		if slices.ContainsFunc(t.fields, func(f field) bool { return f.object }) {
			return m.schema.Types[storedFile]
		}
	}
	return nil
}

// pascal is a name in the form of a type: contact_bool_exp is ContactBoolExp.
func pascal(name string) string {
	var b strings.Builder
	if strings.HasPrefix(name, "_") {
		b.WriteByte('X') // Colonnade's own begin with an underscore
	}
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
