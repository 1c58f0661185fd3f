package codegen

import (
	"cmp"
	_ "embed"
	"fmt"
	"go/format"
	"go/token"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

//go:embed runtime.go.txt
var goRuntime string

// Go returns a client in Go, which needs nothing but the standard library.
func Go(sdl string, o Options) (string, error) {
	const op = "codegen.Go"
	m, err := read(sdl, o)
	if err != nil {
		return "", err
	}
	pkg := cmp.Or(o.Package, "client")
	if !token.IsIdentifier(pkg) {
		return "", core.E(op, core.Invalid, fmt.Sprintf("%q is no name of a package", pkg))
	}
	w := &golang{model: m}
	w.line("// %s\n", made)
	w.line("package %s\n", pkg)
	w.WriteString(goRuntime)
	w.inputTypes()
	for _, t := range w.tables {
		w.row(t)
		w.functions(t)
	}
	if d := w.stored(); d != nil {
		w.doc("", pascal(d.Name)+" is the file of a column.")
		w.line("type %s struct {", pascal(d.Name))
		for _, f := range d.Fields {
			w.line("	%s %s `json:\"%s\"`", goName(f.Name), w.out(f.Type), f.Name)
		}
		w.line("}\n")
	}
	out, err := format.Source([]byte(w.String()))
	return string(out), core.E(op, err)
}

type golang struct {
	strings.Builder
	*model
}

func (w *golang) line(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }

func (w *golang) doc(indent, text string) {
	for line := range strings.Lines(text) {
		w.line("%s// %s", indent, strings.TrimRight(line, "\n"))
	}
}

// row writes the type of the records of a table: its columns.
func (w *golang) row(t *table) {
	name := pascal(t.name)
	w.doc("", name+": "+cmp.Or(t.doc, "a record of "+t.name))
	w.line("type %s struct {", name)
	var columns []string
	for _, f := range t.fields {
		switch {
		case f.table != "", strings.HasPrefix(f.name, "_"): // relations, and what a record is in its list
			continue
		case f.object:
			columns = append(columns, f.name+" { "+w.columnsOf(f.typ.Name())+" }")
		default:
			columns = append(columns, f.name)
		}
		w.doc("	", f.doc)
		w.line("	%s %s `json:\"%s\"`", goName(f.name), w.out(f.typ), f.name)
	}
	w.line("}\n")
	w.line("const select%s = `%s`\n", name, strings.Join(columns, " "))
}

func (w *golang) columnsOf(typ string) string {
	var names []string
	for _, f := range w.schema.Types[typ].Fields {
		if w.schema.Types[f.Type.Name()].Kind == ast.Scalar {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " ")
}

// functions writes what can be done with a table.
func (w *golang) functions(t *table) {
	n, name := t.name, pascal(t.name)
	where, order := pascal(t.where), pascal(t.orderBy)
	w.line(`// List%[1]s returns records of %[2]s, 100 when no limit is given.
func (c *Client) List%[1]s(ctx context.Context, l List[%[3]s, %[4]s]) (out []%[1]s, err error) {
	return out, c.ask(ctx, "query", "%[2]s", select%[1]s, l.arguments("%[2]s"), &out)
}
`, name, n, where, order)
	if t.one {
		w.line(`// Get%[1]s returns the record of %[2]s with the id, or nil.
func (c *Client) Get%[1]s(ctx context.Context, id string) (out *%[1]s, err error) {
	return out, c.ask(ctx, "query", "%[2]s_by_pk", select%[1]s, []argument{{"id", "uuid!", id}}, &out)
}
`, name, n)
	}
	if t.count {
		w.line(`// Count%[1]s returns how many records of %[2]s meet the condition; nil counts all.
func (c *Client) Count%[1]s(ctx context.Context, where *%[3]s) (int, error) {
	return c.count(ctx, "%[2]s", where, where == nil)
}
`, name, n, where)
	}
	if t.insert {
		w.line(`// Insert%[1]s creates records of %[2]s: all of them, or none.
func (c *Client) Insert%[1]s(ctx context.Context, objects ...%[3]s) ([]%[1]s, error) {
	var out struct{ Returning []%[1]s }
	err := c.ask(ctx, "mutation", "insert_%[2]s", "returning { "+select%[1]s+" }", []argument{{"objects", "[%[4]s!]!", objects}}, &out)
	return out.Returning, err
}
`, name, n, pascal(t.insertInput), t.insertInput)
	}
	if t.update {
		w.line(`// Update%[1]s changes the record of %[2]s with the id and returns it; nil when there is none in reach.
func (c *Client) Update%[1]s(ctx context.Context, id string, set %[3]s) (out *%[1]s, err error) {
	key := map[string]string{"id": id}
	return out, c.ask(ctx, "mutation", "update_%[2]s_by_pk", select%[1]s, []argument{{"pk_columns", "%[2]s_pk_columns_input!", key}, {"_set", "%[4]s", set}}, &out)
}
`, name, n, pascal(t.setInput), t.setInput)
	}
	if t.remove {
		w.line(`// Delete%[1]s deletes the record of %[2]s with the id and returns it as it was; nil when there is none in reach.
func (c *Client) Delete%[1]s(ctx context.Context, id string) (out *%[1]s, err error) {
	return out, c.ask(ctx, "mutation", "delete_%[2]s_by_pk", select%[1]s, []argument{{"id", "uuid!", id}}, &out)
}
`, name, n)
	}
}

func (w *golang) inputTypes() {
	for _, d := range w.inputs {
		name := pascal(d.Name)
		if d.Kind == ast.Enum {
			w.line("// %s is one of the values below.\ntype %s string\n", name, name)
			w.line("const (")
			for _, v := range d.EnumValues {
				w.line("	%s%s %s = %q", name, goName(v.Name), name, v.Name)
			}
			w.line(")\n")
			continue
		}
		w.doc("", strings.TrimSuffix(name+": "+d.Description, ": "))
		w.line("type %s struct {", name)
		for _, f := range d.Fields {
			w.doc("	", f.Description)
			w.line("	%s %s `json:\"%s,omitzero\"`", goName(f.Name), w.in(d, f.Type), f.Name) // an empty list stays
		}
		w.line("}\n")
	}
}

// values reports whether an input holds new values of a record, where null differs from nothing at all.
func values(d *ast.Definition) bool {
	return strings.HasSuffix(d.Name, "_insert_input") || strings.HasSuffix(d.Name, "_set_input")
}

// in is the type of a field of an input.
func (w *golang) in(of *ast.Definition, t *ast.Type) string {
	inner := w.bare(t)
	switch {
	case values(of) && !t.NonNull:
		return "Opt[" + inner + "]"
	case t.Elem != nil || t.NonNull:
		return inner
	}
	return "*" + inner
}

// out is the type of a field of a record.
func (w *golang) out(t *ast.Type) string {
	if inner := w.bare(t); t.NonNull || t.Elem != nil || inner == "json.RawMessage" {
		return inner
	}
	return "*" + w.bare(t)
}

// bare is the type without whether it can be null.
func (w *golang) bare(t *ast.Type) string {
	if t.Elem != nil {
		return "[]" + w.bare(t.Elem)
	}
	if d := w.schema.Types[t.NamedType]; d == nil || d.Kind != ast.Scalar {
		return pascal(t.NamedType)
	}
	switch t.NamedType {
	case "Int":
		return "int"
	case "bigint":
		return "int64"
	case "Float", "float8":
		return "float64"
	case "numeric":
		return "json.Number"
	case "Boolean":
		return "bool"
	case "jsonb":
		return "json.RawMessage"
	}
	return "string"
}

// goName is a name in the form of a field: contact_id is ContactID, _eq is Eq.
func goName(name string) string {
	out := pascal(strings.TrimLeft(name, "_"))
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "X" + out
	}
	if rest, ok := strings.CutSuffix(out, "Id"); ok {
		out = rest + "ID"
	}
	return out
}
