package graphql

import (
	"slices"
	"strings"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// alternate is a key by which the API finds a record, other than the primary key.
type alternate struct {
	name    string // as package tables calls it
	field   string // of the query, behind <table>_by_
	columns []*core.Column
	nulls   core.Nulls
	input   *gql.InputObject // of a write
}

// alternates returns the alternate keys of a table: its unique columns, by their names, and its keys, by theirs without the
// by_ that many begin with. A key whose name is taken that way has its whole name.
func alternates(t *core.Table) (out []alternate) {
	taken := map[string]bool{"pk": true, "id": true}
	add := func(names []string, nulls core.Nulls, columns ...string) {
		i := slices.IndexFunc(names, func(name string) bool { return !taken[name] })
		if i < 0 {
			return
		}
		taken[names[i]] = true
		k := alternate{name: names[len(names)-1], field: names[i], nulls: nulls}
		for _, name := range columns {
			c, _ := t.Column(name)
			k.columns = append(k.columns, c)
		}
		out = append(out, k)
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Unique {
			add([]string{c.Name}, core.NullsDistinct, c.Name)
		}
	}
	for _, k := range t.Keys {
		add([]string{strings.TrimPrefix(k.Name, "by_"), k.Name}, k.Nulls, k.Columns...)
	}
	return out
}

// argument is the type of the value of a column of the key. NULL finds a record only where it is a value like others.
func (k *alternate) argument(c *core.Column) gql.Input {
	if k.null(c) {
		return columnType(c)
	}
	return required(columnType(c))
}

func (k *alternate) null(c *core.Column) bool { return k.nulls == core.NullsEqual && !c.Required }

// where is the condition that a record has the key of the arguments.
func (k *alternate) where(args object) (tables.Cond, error) {
	all := make(tables.And, len(k.columns))
	for i, c := range k.columns {
		v, given := args.get(c.Name)
		switch {
		case !given:
			return nil, within("."+c.Name, wrong("the key needs a value: give null for a record without one"))
		case v == nil:
			all[i] = tables.Compare{Column: c.Name, Op: tables.IsNull, Value: true}
		default:
			all[i] = tables.Compare{Column: c.Name, Op: tables.Eq, Value: v}
		}
	}
	return all, nil
}

// declareKeyQueries declares <table>_by_<key> for each alternate key.
func (b *builder) declareKeyQueries(r *rows) error {
	n := r.table.Name
	for i := range r.alternates {
		k := &r.alternates[i]
		name := n + "_by_" + k.field
		if err := claim(b.roots, "field", "the table "+n, core.At{Table: n}, name); err != nil {
			return err
		}
		args := gql.FieldConfigArgument{}
		for _, c := range k.columns {
			args[c.Name] = &gql.ArgumentConfig{Type: k.argument(c), Description: columnDoc(c)}
		}
		b.query[name] = &gql.Field{Type: r.object, Args: args, Description: "The record of " + n + " with that key, or null."}
		b.queryRoots[name] = &root{kind: readByKey, rows: r, key: k}
	}
	return nil
}

// declareKeys declares the inputs that name a record by a key.
func (b *builder) declareKeys(r *rows) error {
	n := r.table.Name
	owner, at := "the table "+n, core.At{Table: n}
	all := gql.InputObjectConfigFieldMap{"id": {Type: scalars["uuid"].Scalar, Description: "The primary key."}}
	if err := claim(b.names, "type", owner, at, n+"_key_input"); err != nil {
		return err
	}
	for i := range r.alternates {
		k := &r.alternates[i]
		name := n + "_by_" + k.field + "_input"
		if err := claim(b.names, "type", owner, at, name); err != nil {
			return err
		}
		fields := gql.InputObjectConfigFieldMap{}
		for _, c := range k.columns {
			fields[c.Name] = &gql.InputObjectFieldConfig{Type: k.argument(c), Description: columnDoc(c)}
		}
		k.input = gql.NewInputObject(gql.InputObjectConfig{Name: name, Fields: inputFields(fields), Description: "A key of " + n + "."})
		all[k.field] = &gql.InputObjectFieldConfig{Type: k.input}
		if len(k.columns) == 1 {
			all[k.field].Type = columnType(k.columns[0])
		}
	}
	r.named = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_key_input", Fields: inputFields(all), Description: "A record of " + n + " that exists, by one of its keys."})
	return nil
}

// declareKeyWrites declares update_<table>_by_<key> and delete_<table>_by_<key>; changing and others are the arguments that
// they have in common with those by the primary key.
func (b *builder) declareKeyWrites(r *rows, changing, others gql.FieldConfigArgument) error {
	n := r.table.Name
	for i := range r.alternates {
		k := &r.alternates[i]
		update, remove := "update_"+n+"_by_"+k.field, "delete_"+n+"_by_"+k.field
		if err := claim(b.roots, "field", "the table "+n, core.At{Table: n}, update, remove); err != nil {
			return err
		}
		key := gql.FieldConfigArgument{keyColumns: {Type: required(k.input)}}
		if len(changing) > 0 {
			b.mutation[update] = &gql.Field{Type: r.object, Args: together(key, changing, others), Description: "Changes a record of " + n + "; null when there is none with that key in your reach."}
			b.mutationRoots[update] = &root{kind: writeUpdateByPK, rows: r, key: k}
		}
		b.mutation[remove] = &gql.Field{Type: r.object, Args: together(key, others), Description: "Deletes a record of " + n + " and returns it as it was; null when there is none with that key in your reach."}
		b.mutationRoots[remove] = &root{kind: writeDeleteByPK, rows: r, key: k}
	}
	return nil
}

// keyColumns is the argument of a write that finds its record by an alternate key.
const keyColumns = "key_columns"

// connect compiles the record that a new one looks up, when it is named by a key.
func (w *write) connect(r *rows, o object) (tables.Insert, error) {
	in := tables.Insert{Table: r.table.Name}
	if len(o) != 1 || o[0].value == nil {
		return in, within(".key", wrong("give one key"))
	}
	if o[0].name == "id" {
		in.Find, in.Rows = "id", []core.Record{{"id": o[0].value}}
		return in, nil
	}
	i := slices.IndexFunc(r.alternates, func(k alternate) bool { return k.field == o[0].name })
	k := &r.alternates[i]
	values, several := o[0].value.(object)
	if !several {
		values = object{{k.columns[0].Name, o[0].value}}
	}
	if _, err := k.where(values); err != nil {
		return in, within(".key."+k.field, err)
	}
	in.Find, in.Rows = k.name, []core.Record{record(values)}
	return in, nil
}
