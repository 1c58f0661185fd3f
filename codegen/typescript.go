package codegen

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

//go:embed runtime.ts
var typeScriptRuntime string

// made is the first line of what is generated.
const made = "Made by colonnade codegen: make it anew when the schema changes, in place of editing it."

// TypeScript returns a client in TypeScript, which needs nothing but fetch.
func TypeScript(sdl string, o Options) (string, error) {
	m, err := read(sdl, o)
	if err != nil {
		return "", err
	}
	w := &typeScript{model: m}
	w.line("// %s", made)
	w.line("")
	w.rows()
	w.inputTypes()
	w.tableTypes()
	w.WriteString(typeScriptRuntime)
	return w.String(), nil
}

type typeScript struct {
	strings.Builder
	*model
}

func (w *typeScript) line(format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

func (w *typeScript) doc(indent, text string) {
	if text != "" {
		w.line("%s/** %s */", indent, strings.ReplaceAll(strings.ReplaceAll(text, "*/", "*\\/"), "\n", " "))
	}
}

// rows writes a type for the records of each table, and for files.
func (w *typeScript) rows() {
	for _, t := range w.tables {
		w.doc("", t.doc)
		w.line("export interface %s {", pascal(t.name))
		w.line("  __typename: '%s';", t.name)
		for _, f := range t.fields {
			w.doc("  ", f.doc)
			w.line("  %s: %s;", f.name, w.of(f.typ, false))
		}
		w.line("}\n")
	}
	if d := w.stored(); d != nil {
		w.doc("", d.Description)
		w.line("export interface %s {", pascal(d.Name))
		w.line("  __typename: '%s';", d.Name)
		for _, f := range d.Fields {
			w.line("  %s: %s;", f.Name, w.of(f.Type, false))
		}
		w.line("}\n")
	}
}

func (w *typeScript) inputTypes() {
	for _, d := range w.inputs {
		if d.Kind == ast.Enum {
			names := make([]string, len(d.EnumValues))
			for i, v := range d.EnumValues {
				names[i] = "'" + v.Name + "'"
			}
			w.line("export type %s = %s;\n", pascal(d.Name), strings.Join(names, " | "))
			continue
		}
		w.doc("", d.Description)
		w.line("export interface %s {", pascal(d.Name))
		for _, f := range d.Fields {
			w.doc("  ", f.Description)
			optional := "?"
			if f.Type.NonNull && f.DefaultValue == nil {
				optional = ""
			}
			w.line("  %s%s: %s;", f.Name, optional, w.of(f.Type, true))
		}
		w.line("}\n")
	}
}

// tableTypes writes what can be done with each table, and where its relations lead.
func (w *typeScript) tableTypes() {
	w.line("/** The tables: their records, and what their functions take; never for what the caller may not do. */\nexport interface Tables {")
	either := func(ok bool, name string) string {
		if !ok {
			return "never"
		}
		return pascal(name)
	}
	for _, t := range w.tables {
		w.line("  %s: { row: %s; where: %s; order: %s; insert: %s; set: %s };", t.name, pascal(t.name), pascal(t.where), pascal(t.orderBy),
			either(t.insert, t.insertInput), either(t.update, t.setInput))
	}
	w.line("}\n")
	row := "Tables[keyof Tables]['row']"
	if d := w.stored(); d != nil {
		row += " | " + pascal(d.Name)
	}
	w.line("type Row = %s;\n", row)
	w.line("const relations: Record<string, Record<string, string>> = {")
	for _, t := range w.tables {
		var to []string
		for _, f := range t.fields {
			if f.table != "" {
				to = append(to, f.name+": '"+f.table+"'")
			}
		}
		if len(to) > 0 {
			w.line("  %s: { %s },", t.name, strings.Join(to, ", "))
		}
	}
	w.line("};\n")
}

// of returns the type of a value that comes out, or of one that goes in.
func (w *typeScript) of(t *ast.Type, in bool) string {
	var out string
	switch {
	case t.Elem != nil:
		out = w.of(t.Elem, in)
		if strings.Contains(out, " ") {
			out = "(" + out + ")"
		}
		out += "[]"
	default:
		out = pascal(t.NamedType)
		if d := w.schema.Types[t.NamedType]; d != nil && d.Kind == ast.Scalar {
			out = typeScriptScalar(t.NamedType)
		}
	}
	if !t.NonNull {
		out += " | null"
	}
	return out
}

// typeScriptScalar is what JSON has for a scalar. Numbers that are exact in the API are as exact as those of JavaScript; as inputs
// they may be texts.
func typeScriptScalar(name string) string {
	switch name {
	case "Int", "Float", "float8", "bigint", "numeric":
		return "number"
	case "Boolean":
		return "boolean"
	case "jsonb":
		return "unknown"
	}
	return "string"
}
