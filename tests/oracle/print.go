package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
)

// document is a request as it is written.
type document struct {
	p         *person
	variables map[string]any
	declared  []string
	roots     []string
	kind      string // "" for a query
	inline    bool   // values stand in the text
}

// enum is a name where a value stands.
type enum string

func (d *document) String() string {
	head := ""
	if len(d.declared) > 0 {
		head = "(" + strings.Join(d.declared, ", ") + ")"
	}
	return cmp.Or(d.kind, "query") + head + " {\n" + strings.Join(d.roots, "\n") + "\n}"
}

// add writes a root field; args stand in front of those of the query.
func (d *document) add(as, name string, q *query, args ...string) {
	d.roots = append(d.roots, as+": "+name+d.arguments(q, args...)+" "+d.selection(q))
}

// put writes an argument, in place or as a variable of the type.
func (d *document) put(name, typ string, v any) string {
	if d.inline {
		return name + ": " + literal(v)
	}
	variable := fmt.Sprintf("v%d", len(d.declared))
	d.declared = append(d.declared, "$"+variable+": "+typ)
	if d.variables == nil {
		d.variables = map[string]any{}
	}
	d.variables[variable] = v
	return name + ": $" + variable
}

func (d *document) arguments(q *query, args ...string) string {
	if q.where != nil {
		args = append(args, d.put("where", q.table+"_bool_exp", d.p.condition(q.table, q.where)))
	}
	if q.form == groups {
		args = append(args, d.groupsBy(q)...)
	} else if len(q.order) > 0 {
		var list []any
		for _, o := range q.order {
			list = append(list, orderBy(o))
		}
		args = append(args, d.put("order_by", "["+q.table+"_order_by!]", list))
	}
	if len(q.distinct) > 0 {
		args = append(args, "distinct_on: ["+strings.Join(q.distinct, ", ")+"]")
	}
	if q.after != nil {
		args = append(args, d.put("after", "String", q.after.cursor))
	}
	if q.before != nil {
		args = append(args, d.put("before", "String", q.before.cursor))
	}
	if q.limit > 0 {
		args = append(args, fmt.Sprint("limit: ", q.limit))
	}
	if q.offset > 0 {
		args = append(args, d.put("offset", "Int", q.offset))
	}
	if len(args) == 0 {
		return ""
	}
	return "(" + strings.Join(args, ", ") + ")"
}

// condition is a condition as the API takes it.
func (p *person) condition(table string, c cond) map[string]any {
	several := func(of []cond) []any {
		out := []any{}
		for _, one := range of {
			out = append(out, p.condition(table, one))
		}
		return out
	}
	switch c := c.(type) {
	case nil:
		return map[string]any{}
	case and:
		return map[string]any{"_and": several(c)}
	case or:
		return map[string]any{"_or": several(c)}
	case not:
		return map[string]any{"_not": p.condition(table, c.cond)}
	case search:
		return map[string]any{"_search": c.text}
	case related:
		to := p.condition(p.relation(table, c.relation, c.target).Table, c.where)
		if c.target != "" {
			to = map[string]any{c.target: to}
		}
		return map[string]any{c.relation: to}
	case gathered:
		return map[string]any{c.relation + "_aggregate": p.conditionOn(p.relation(table, c.relation, "").Table, c)}
	case compare:
		column, _ := p.table(table).Column(c.column)
		return map[string]any{c.column: map[string]any{c.op: operandJSON(column, c)}}
	}
	panic(fmt.Sprintf("%T", c))
}

func operandJSON(column *core.Column, c compare) any {
	of := func(v any) any { return json.RawMessage(column.AppendJSON(nil, v)) }
	switch v := c.value.(type) {
	case bool:
		return v
	case []any:
		out := []any{}
		for _, x := range v {
			if column.Kind == core.Choices || column.Kind == core.JSON {
				out = append(out, x)
				continue
			}
			out = append(out, of(x))
		}
		return out
	case string:
		return v
	case during:
		return v.text
	}
	return of(c.value)
}

func orderBy(o order) any {
	name := o.column
	if o.rank {
		name = "_rank"
	}
	out := map[string]any{name: orderWord(o)}
	switch {
	case o.children != "" && o.column == "":
		out = map[string]any{o.children + "_aggregate": map[string]any{o.function: orderWord(o)}}
	case o.children != "":
		out = map[string]any{o.children + "_aggregate": map[string]any{o.function: out}}
	}
	for _, step := range slices.Backward(o.relation) {
		out = map[string]any{step: out}
	}
	return out
}

// orderWord is the direction of a term.
func orderWord(o order) enum {
	word := pick(o.desc, "desc", "asc")
	if o.nullsSet {
		word += "_nulls_" + pick(o.nullsFirst, "first", "last")
	}
	return enum(word)
}

// literal writes a value as GraphQL has it.
func literal(v any) string {
	switch v := v.(type) {
	case enum:
		return string(v)
	case json.RawMessage:
		return literal(parsed(v))
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+": "+literal(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, literal(x))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (d *document) selection(q *query) string {
	if q.form == aggregate || q.form == groups {
		return d.functions(q)
	}
	var out []string
	for _, f := range q.fields {
		switch {
		case f.text != "":
			out = append(out, f.as+": __typename")
		case f.cursor:
			out = append(out, f.as+": _cursor")
		case f.rank:
			out = append(out, f.as+": _rank")
		case f.union != nil:
			var parts []string
			for _, sub := range f.union {
				parts = append(parts, "... on "+sub.table+" "+d.selection(&sub))
			}
			if len(parts) == 0 { // of targets that the person may not read, nothing is there but the name of the field
				parts = []string{"__typename"}
			}
			out = append(out, f.as+": "+f.relation+" { "+strings.Join(parts, " ")+" }")
		case f.query != nil:
			name := f.relation
			if f.query.form == aggregate {
				name += "_aggregate"
			}
			out = append(out, f.as+": "+name+d.arguments(f.query)+" "+d.selection(f.query))
		default:
			out = append(out, pick(f.as == f.column, "", f.as+": ")+f.column)
		}
	}
	return "{ " + strings.Join(out, " ") + " }"
}

// functions writes what an aggregate asks for.
func (d *document) functions(q *query) string {
	var out []string
	for _, f := range q.fields {
		switch {
		case f.key > 0:
			out = append(out, q.keyField(f))
		case f.query != nil:
			out = append(out, f.as+": nodes "+d.selection(f.query))
		case f.function != "count":
			out = append(out, f.as+": aggregate { "+f.function+" { "+f.column+" } }")
		case f.atMost > 0:
			out = append(out, fmt.Sprintf("%s: aggregate { count(at_most: %d) }", f.as, f.atMost))
		case len(f.columns) == 0:
			out = append(out, f.as+": aggregate { count }")
		default:
			out = append(out, fmt.Sprintf("%s: aggregate { count(columns: [%s], distinct: %t) }", f.as, strings.Join(f.columns, ", "), f.distinct))
		}
	}
	return "{ " + strings.Join(out, " ") + " }"
}
