package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

const comparisonSuffix = "_comparison_exp"

// comparedScalars are the scalars of columns, each with a type of its operators.
var comparedScalars = []string{"Boolean", "String", "bigint", "date", "float8", "jsonb", "numeric", "timestamptz", "uuid"}

// operators are the comparisons, in the order of their documentation.
var operators = []struct {
	name string
	op   tables.CompareOp
	has  func(scalar string) bool
	doc  string
}{
	{"_eq", tables.Eq, everything, "Equal."},
	{"_neq", tables.NotEq, everything, "Not equal."},
	{"_gt", tables.Gt, ordered, "Greater."},
	{"_gte", tables.Gte, ordered, "Greater or equal."},
	{"_lt", tables.Lt, ordered, "Less."},
	{"_lte", tables.Lte, ordered, "Less or equal."},
	{"_in", tables.In, everything, "Equal to one of them; an empty list never holds."},
	{"_nin", tables.NotIn, everything, "Equal to none of them."},
	{"_is_null", tables.IsNull, everything, "Without a value (true), or with one (false)."},
	{"_between", tables.Between, ordered, "Not less than the first, and not greater than the second."},
	{"_like", tables.Like, texts, "Like a pattern: % stands for any characters, _ for one."},
	{"_nlike", tables.NotLike, texts, "Not like a pattern."},
	{"_ilike", tables.ILike, texts, "Like a pattern, in upper or lower case."},
	{"_nilike", tables.NotILike, texts, "Not like a pattern, in upper or lower case."},
	{"_starts_with", tables.StartsWith, texts, "Begins with it."},
}

func everything(string) bool   { return true }
func ordered(s string) bool    { return s != "Boolean" && s != "jsonb" }
func texts(scalar string) bool { return scalar == "String" }

// compareOps finds an operator by its name.
var compareOps = func() map[string]tables.CompareOp {
	out := map[string]tables.CompareOp{}
	for _, o := range operators {
		out[o.name] = o.op
	}
	return out
}()

// sortOrders are the values of the enum order_by.
var sortOrders = map[string]tables.Order{
	"asc":              {},
	"asc_nulls_first":  {NullsFirst: true, NullsSet: true},
	"asc_nulls_last":   {NullsSet: true},
	"desc":             {Desc: true},
	"desc_nulls_first": {Desc: true, NullsFirst: true, NullsSet: true},
	"desc_nulls_last":  {Desc: true, NullsSet: true},
}

// declareCommon declares the types that every table uses.
func (b *builder) declareCommon() {
	docs := map[string]string{
		"asc": "In ascending order, nulls last.", "asc_nulls_first": "In ascending order, nulls first.", "asc_nulls_last": "In ascending order, nulls last.",
		"desc": "In descending order, nulls first.", "desc_nulls_first": "In descending order, nulls first.", "desc_nulls_last": "In descending order, nulls last.",
	}
	values := gql.EnumValueConfigMap{}
	for name := range sortOrders {
		values[name] = &gql.EnumValueConfig{Value: name, Description: docs[name]}
	}
	b.orderBy = gql.NewEnum(gql.EnumConfig{Name: "order_by", Description: "A sort order.", Values: values})
	for _, name := range comparedScalars {
		typ := scalars[name].Scalar
		fields := gql.InputObjectConfigFieldMap{}
		for _, o := range operators {
			if !o.has(name) {
				continue
			}
			f := &gql.InputObjectFieldConfig{Type: typ, Description: o.doc}
			switch o.op {
			case tables.In, tables.NotIn, tables.Between:
				f.Type = listOf(typ)
			case tables.IsNull:
				f.Type = gql.Boolean
			}
			fields[o.name] = f
		}
		b.compares[name] = gql.NewInputObject(gql.InputObjectConfig{
			Name: name + comparisonSuffix, Fields: fields, Description: "Conditions on a " + name + ": all of them must hold.",
		})
	}
}

// declareWrites declares the mutations of a table.
func (b *builder) declareWrites(r *rows) error {
	t, n := r.table, r.table.Name
	owner, at := "the table "+n, core.At{Table: n}
	if err := claim(b.names, "type", owner, at, n+"_insert_input", n+"_set_input", n+"_inc_input", n+"_pk_columns_input", n+"_on_conflict",
		n+"_constraint", n+"_update_column", n+"_mutation_response", n+"_updates"); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, "insert_"+n, "insert_"+n+"_one", "update_"+n, "update_"+n+"_by_pk", "update_"+n+"_many",
		"delete_"+n, "delete_"+n+"_by_pk"); err != nil {
		return err
	}
	insertFields, setFields, incFields := gql.InputObjectConfigFieldMap{}, gql.InputObjectConfigFieldMap{}, gql.InputObjectConfigFieldMap{}
	updatable := gql.EnumValueConfigMap{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Formula != "" || c.System && c.Name != "id" && c.Name != "owner_id" {
			continue
		}
		insertFields[c.Name] = &gql.InputObjectFieldConfig{Type: columnType(c), Description: columnDoc(c)}
		if c.Name == "id" {
			continue
		}
		setFields[c.Name] = &gql.InputObjectFieldConfig{Type: columnType(c), Description: columnDoc(c)}
		updatable[c.Name] = &gql.EnumValueConfig{Value: c.Name}
		if c.Kind.Info().Number {
			incFields[c.Name] = &gql.InputObjectFieldConfig{Type: columnType(c)}
		}
	}
	insertInput := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_insert_input", Fields: insertFields, Description: "A new record of " + n + "."})
	r.response = gql.NewObject(gql.ObjectConfig{Name: n + "_mutation_response", Fields: gql.Fields{
		"affected_rows": {Type: required(gql.Int), Description: "How many records the write was about."},
		"returning":     {Type: required(listOf(r.object)), Description: "The records, as far as you may read them."},
	}})
	inserting := gql.FieldConfigArgument{}
	changing := gql.FieldConfigArgument{}
	uuid, bigint := scalars["uuid"].Scalar, scalars["bigint"].Scalar
	if len(setFields) > 0 {
		conflict, err := declareConflict(r, updatable)
		if err != nil {
			return err
		}
		inserting["on_conflict"] = &gql.ArgumentConfig{Type: conflict, Description: "What to do with a record that exists; without it, that is an error."}
		changing["_set"] = &gql.ArgumentConfig{Description: "The new values.", Type: gql.NewInputObject(gql.InputObjectConfig{Name: n + "_set_input", Fields: setFields})}
	}
	if len(incFields) > 0 {
		changing["_inc"] = &gql.ArgumentConfig{Description: "What to add.", Type: gql.NewInputObject(gql.InputObjectConfig{Name: n + "_inc_input", Fields: incFields})}
	}
	where := &gql.ArgumentConfig{Type: required(r.where), Description: "The records that it is about; {} is all of them."}
	atMost := &gql.ArgumentConfig{Type: gql.Int, Description: "Do nothing, and fail, when it is about more records than that."}
	ifVersion := &gql.ArgumentConfig{Type: bigint, Description: "Fail when the record has another version."}
	key := &gql.ArgumentConfig{Type: required(uuid)}

	add := func(name string, kind rootKind, typ gql.Output, doc string, args ...gql.FieldConfigArgument) {
		b.mutation[name] = &gql.Field{Type: typ, Args: together(args...), Description: doc}
		b.mutationRoots[name] = &root{kind: kind, rows: r}
	}
	add("insert_"+n, writeInsert, r.response, "Creates records of "+n+".", inserting,
		gql.FieldConfigArgument{"objects": {Type: required(listOf(insertInput))}})
	add("insert_"+n+"_one", writeInsertOne, r.object, "Creates a record of "+n+".", inserting,
		gql.FieldConfigArgument{"object": {Type: required(insertInput)}})
	if len(changing) > 0 {
		pk := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_pk_columns_input", Fields: gql.InputObjectConfigFieldMap{"id": {Type: key.Type}}})
		many := gql.InputObjectConfigFieldMap{"where": {Type: where.Type, Description: where.Description}, "at_most": {Type: atMost.Type, Description: atMost.Description}}
		for name, a := range changing {
			many[name] = &gql.InputObjectFieldConfig{Type: a.Type, Description: a.Description}
		}
		updates := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_updates", Fields: many, Description: "One of several updates."})
		add("update_"+n, writeUpdate, r.response, "Changes records of "+n+".", changing, gql.FieldConfigArgument{"where": where, "at_most": atMost})
		add("update_"+n+"_by_pk", writeUpdateByPK, r.object, "Changes a record of "+n+"; null when there is none with that id in your reach.", changing,
			gql.FieldConfigArgument{"pk_columns": {Type: required(pk)}, "if_version": ifVersion})
		add("update_"+n+"_many", writeUpdateMany, gql.NewList(r.response), "Changes records of "+n+" in several ways, in order.",
			gql.FieldConfigArgument{"updates": {Type: required(listOf(updates))}})
	}
	add("delete_"+n, writeDelete, r.response, "Deletes records of "+n+".", gql.FieldConfigArgument{"where": where, "at_most": atMost})
	add("delete_"+n+"_by_pk", writeDeleteByPK, r.object, "Deletes a record of "+n+" and returns it as it was; null when there is none with that id in your reach.",
		gql.FieldConfigArgument{"id": key, "if_version": ifVersion})
	return nil
}

// together returns the arguments of all.
func together(all ...gql.FieldConfigArgument) gql.FieldConfigArgument {
	out := gql.FieldConfigArgument{}
	for _, args := range all {
		for name, a := range args {
			out[name] = a
		}
	}
	return out
}

// declareConflict declares <table>_on_conflict. The values of its constraint are what tables calls the keys.
func declareConflict(r *rows, updatable gql.EnumValueConfigMap) (*gql.InputObject, error) {
	t, n := r.table, r.table.Name
	taken := map[string]string{}
	keys := gql.EnumValueConfigMap{}
	add := func(name, key, owner, doc string) error {
		keys[name] = &gql.EnumValueConfig{Value: key, Description: doc}
		return claim(taken, "constraint", owner, core.At{Table: n}, name)
	}
	if err := add(n+"_pkey", n+"_pkey", "the primary key", "The id."); err != nil {
		return nil, err
	}
	for _, k := range t.Keys {
		if err := add(k.Name, k.Name, "the key "+k.Name, ""); err != nil {
			return nil, err
		}
	}
	for _, c := range t.Columns {
		if c.Unique {
			if err := add(n+"_"+c.Name+"_key", c.Name, "the unique column "+c.Name, "The column "+c.Name+"."); err != nil {
				return nil, err
			}
		}
	}
	columns := gql.NewEnum(gql.EnumConfig{Name: n + "_update_column", Values: updatable})
	return gql.NewInputObject(gql.InputObjectConfig{Name: n + "_on_conflict", Fields: gql.InputObjectConfigFieldMap{
		"constraint":     {Type: required(gql.NewEnum(gql.EnumConfig{Name: n + "_constraint", Values: keys})), Description: "The key by which a record exists."},
		"update_columns": {Type: required(listOf(columns)), DefaultValue: []any{}, Description: "What to take over; nothing to leave the record as it is."},
		"where":          {Type: r.where, Description: "Only a record that meets it is changed."},
	}}), nil
}
