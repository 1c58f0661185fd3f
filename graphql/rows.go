package graphql

import (
	"slices"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
)

// rows is what the API knows of one table: its types, and what their fields mean.
type rows struct {
	table  *core.Table
	fields map[string]field

	object       *gql.Object
	aggregate    *gql.Object
	where        *gql.InputObject
	orderBy      *gql.InputObject
	selectColumn *gql.Enum
	response     *gql.Object // of a write
	functions    *gql.Object // of an aggregate

	aggregateWhere *gql.InputObject // a condition on values over records
	aggregateOrder *gql.InputObject
	group          *gql.Object
	groupKey       *gql.Object
	groupBy        *gql.InputObject
	connection     *gql.Object // nil for tables of Colonnade itself
	edge           *gql.Object

	conflict     *gql.InputObject
	insert       *gql.InputObject
	insertOne    *gql.InputObject // nested in a record that looks it up
	insertMany   *gql.InputObject // nested in the record that they look up
	lookUp       *gql.InputObject // names a record that another is to look up from now on
	alternates   []alternate
	named        *gql.InputObject // a record that exists, by one of its keys
	streamCursor *gql.InputObject

	// what the types get, until they are complete
	objectFields gql.Fields
	whereFields  gql.InputObjectConfigFieldMap
	orderFields  gql.InputObjectConfigFieldMap
	insertFields gql.InputObjectConfigFieldMap
	keyFields    gql.Fields
	byFields     gql.InputObjectConfigFieldMap
}

// field is one field of a record: a column, the rank, the cursor, the global id, or else the records that a relation leads to, or an aggregate of them.
type field struct {
	column    *core.Column
	rank      bool
	cursor    bool
	global    bool
	relation  string
	union     *union // of a relation that leads to one of several tables
	many      bool
	aggregate bool
	page      bool // a connection
	to        *rows
}

// The functions of an aggregate that have a type of their own, with the type of their results.
var functions = []struct {
	name string
	has  func(core.KindInfo) bool
	typ  func(c *core.Column) gql.Output
}{
	{"avg", func(k core.KindInfo) bool { return k.Number }, averageType},
	{"max", func(k core.KindInfo) bool { return k.Ordered }, func(c *core.Column) gql.Output { return columnType(c) }},
	{"min", func(k core.KindInfo) bool { return k.Ordered }, func(c *core.Column) gql.Output { return columnType(c) }},
	{"stddev", spreads, asFloat},
	{"stddev_pop", spreads, asFloat},
	{"stddev_samp", spreads, asFloat},
	{"sum", func(k core.KindInfo) bool { return k.Number }, func(c *core.Column) gql.Output { return columnType(c) }},
	{"var_pop", spreads, asFloat},
	{"var_samp", spreads, asFloat},
	{"variance", spreads, asFloat},
}

// spreads reports whether there is a measure of how far values of a kind lie apart.
func spreads(k core.KindInfo) bool { return k.Number && k.GraphQL != "interval" }

func asFloat(*core.Column) gql.Output { return gql.Float }

// functionOf is what tables calls a function of an aggregate.
func functionOf(name string) string {
	switch name {
	case "stddev":
		return "stddev_samp"
	case "variance":
		return "var_samp"
	}
	return name
}

// averageType is the type of an average: that of a duration is one.
func averageType(c *core.Column) gql.Output {
	if c.Kind == core.Duration {
		return columnType(c)
	}
	return gql.Float
}

// declareRows declares the types of a table, yet without its relations.
func (b *builder) declareRows(t *core.Table) error {
	n := t.Name
	owner, at := "the table "+n, core.At{Table: n}
	names := []string{n, n + "_aggregate", n + "_aggregate_fields", n + "_bool_exp", n + "_order_by", n + "_select_column"}
	if err := claim(b.names, "type", owner, at, names...); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, n, n+"_aggregate", n+"_by_pk"); err != nil {
		return err
	}
	r := &rows{
		table: t, fields: map[string]field{}, alternates: alternates(t),
		objectFields: gql.Fields{}, whereFields: gql.InputObjectConfigFieldMap{}, orderFields: gql.InputObjectConfigFieldMap{},
	}
	b.rows[n] = r
	columns := gql.EnumValueConfigMap{}
	for i := range t.Columns {
		c := &t.Columns[i]
		r.fields[c.Name] = field{column: c}
		// Who may not see a value sees null, so that only the key is never null.
		var typ gql.Output = columnType(c)
		if c.Name == "id" {
			typ = required(typ)
		}
		r.objectFields[c.Name] = &gql.Field{Type: typ, Description: columnDoc(c)}
		r.whereFields[c.Name] = &gql.InputObjectFieldConfig{Type: b.compares[comparedType(c.Kind.Info())]}
		if c.Kind.Info().File {
			r.objectFields[c.Name].Type, r.whereFields[c.Name].Type = b.file.object, b.file.where
		}
		if c.Kind.Info().Ordered || c.Kind == core.Boolean {
			r.orderFields[c.Name] = &gql.InputObjectFieldConfig{Type: b.orderBy}
		}
		columns[c.Name] = &gql.EnumValueConfig{Value: c.Name, Description: columnDoc(c)}
	}
	r.fields["_cursor"] = field{cursor: true}
	r.objectFields["_cursor"] = &gql.Field{Type: gql.String, Description: "The place of the record in its list, for after and before; null outside a list."}
	r.selectColumn = gql.NewEnum(gql.EnumConfig{Name: n + "_select_column", Values: columns, Description: "The columns of " + n + "."})
	config := gql.ObjectConfig{Name: n, Fields: objectFields(r.objectFields), Description: title(t.Label, t.Doc)}
	if !t.Builtin {
		r.fields[globalID], r.objectFields[globalID] = field{global: true}, globalIDField()
		config.Interfaces = []*gql.Interface{b.node}
	}
	r.object = gql.NewObject(config)
	r.where = gql.NewInputObject(gql.InputObjectConfig{
		Name: n + "_bool_exp", Fields: inputFields(r.whereFields),
		Description: "A condition on a record of " + n + ": all of the fields must hold. An empty one always holds.",
	})
	r.whereFields["_and"] = &gql.InputObjectFieldConfig{Type: listOf(r.where), Description: "All of them hold."}
	r.whereFields["_or"] = &gql.InputObjectFieldConfig{Type: listOf(r.where), Description: "One of them holds; an empty list never does."}
	r.whereFields["_not"] = &gql.InputObjectFieldConfig{Type: r.where, Description: "It does not hold."}
	r.orderBy = gql.NewInputObject(gql.InputObjectConfig{
		Name: n + "_order_by", Fields: inputFields(r.orderFields), Description: "How to sort records of " + n + ".",
	})
	if len(t.Search) > 0 {
		r.declareSearch(b.orderBy)
	}
	if err := b.declareAggregate(r); err != nil {
		return err
	}
	if err := b.declareComparisons(r); err != nil {
		return err
	}
	if !t.Builtin {
		if err := b.declareConnection(r); err != nil {
			return err
		}
	}
	return b.declareGroup(r)
}

// declareSearch adds full-text search to the types of a table. No column has such a name.
func (r *rows) declareSearch(orderBy *gql.Enum) {
	r.fields["_rank"] = field{rank: true}
	r.whereFields["_search"] = &gql.InputObjectFieldConfig{Type: gql.String, Description: `Has these words: coffee, coff*, "iced coffee", -milk.`}
	r.orderFields["_rank"] = &gql.InputObjectFieldConfig{Type: orderBy, Description: "How well the record answers the _search of the same list."}
	r.objectFields["_rank"] = &gql.Field{Type: gql.Int, Description: "How well the record answers the _search of its list; null without one."}
}

func (b *builder) declareAggregate(r *rows) error {
	t := r.table
	fields := gql.Fields{"count": {
		Type: required(gql.Int), Description: "How many records there are; with columns, how many where one of them is not null.",
		Args: gql.FieldConfigArgument{
			"columns":  {Type: listOf(r.selectColumn)},
			"distinct": {Type: gql.Boolean, Description: "Count records that are equal in all columns once."},
			"at_most":  {Type: gql.Int, Description: "Stop counting there: this number means that there are as many or more."},
		},
	}}
	for _, f := range functions {
		values := gql.Fields{}
		for i := range t.Columns {
			if c := &t.Columns[i]; f.has(c.Kind.Info()) {
				values[c.Name] = &gql.Field{Type: f.typ(c)}
			}
		}
		if len(values) == 0 {
			continue
		}
		name := t.Name + "_" + f.name + "_fields"
		if err := claim(b.names, "type", "the table "+t.Name, core.At{Table: t.Name}, name); err != nil {
			return err
		}
		fields[f.name] = &gql.Field{Type: gql.NewObject(gql.ObjectConfig{Name: name, Fields: objectFields(values)})}
	}
	r.functions = gql.NewObject(gql.ObjectConfig{Name: t.Name + "_aggregate_fields", Fields: objectFields(fields)})
	r.aggregate = gql.NewObject(gql.ObjectConfig{
		Name: t.Name + "_aggregate", Description: "Records of " + t.Name + ", and values computed over all of them.",
		Fields: gql.Fields{"aggregate": {Type: r.functions}, "nodes": {Type: required(listOf(r.object))}},
	})
	return nil
}

// relate adds the relations of a table to its types.
func (b *builder) relate(r *rows) error {
	taken := map[string]string{}
	for name := range r.fields {
		taken[name] = "the column " + name
	}
	for _, rel := range slices.Concat(b.schema.Relations(r.table.Name), b.schema.Links(r.table.Name)) {
		to, owner, at := b.rows[rel.Table], "the relation "+rel.Name, core.At{Table: r.table.Name, Column: rel.Name}
		if err := claim(taken, "field", owner, at, rel.Name); err != nil {
			return err
		}
		r.fields[rel.Name] = field{relation: rel.Name, many: rel.Many, to: to}
		r.whereFields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.where}
		if !rel.Many {
			r.objectFields[rel.Name] = &gql.Field{Type: to.object}
			r.orderFields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.orderBy}
			r.keyFields[rel.Name] = &gql.Field{Type: to.groupKey}
			r.byFields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.groupBy}
			continue
		}
		name := rel.Name + "_aggregate"
		if err := claim(taken, "field", owner, at, name); err != nil {
			return err
		}
		r.fields[name] = field{relation: rel.Name, many: true, aggregate: true, to: to}
		r.whereFields[name] = &gql.InputObjectFieldConfig{Type: to.aggregateWhere, Description: "A condition on values over the records of " + rel.Name + "."}
		r.orderFields[name] = &gql.InputObjectFieldConfig{Type: to.aggregateOrder}
		r.objectFields[rel.Name] = &gql.Field{Type: required(listOf(to.object)), Args: to.listArgs()}
		r.objectFields[name] = &gql.Field{Type: required(to.aggregate), Args: to.aggregateArgs()}
		if to.connection == nil {
			continue
		}
		name = rel.Name + connectionSuffix
		if err := claim(taken, "field", owner, at, name); err != nil {
			return err
		}
		r.fields[name] = field{relation: rel.Name, many: true, page: true, to: to}
		r.objectFields[name] = &gql.Field{Type: required(to.connection), Args: to.connectionArgs()}
	}
	return b.relateUnions(r, taken)
}

// args are the arguments of every list of the records.
func (r *rows) args() gql.FieldConfigArgument {
	return gql.FieldConfigArgument{
		"where":    {Type: r.where, Description: "Only the records that meet it."},
		"order_by": {Type: listOf(r.orderBy), Description: "The sort order, the first term first; the id is always its last."},
		"limit":    {Type: gql.Int, Description: "How many records at most."},
		"offset":   {Type: gql.Int, Description: "How many records to pass over."},
	}
}

// aggregateArgs are the arguments of what is computed over records.
func (r *rows) aggregateArgs() gql.FieldConfigArgument {
	return together(r.args(), gql.FieldConfigArgument{
		"distinct_on": {Type: listOf(r.selectColumn), Description: "Of records that are equal in all of these columns, only the first; order_by begins with them."},
	})
}

// listArgs are the arguments of a list of records as they are.
func (r *rows) listArgs() gql.FieldConfigArgument {
	return together(r.aggregateArgs(), gql.FieldConfigArgument{
		"after":  {Type: gql.String, Description: "Only records behind the _cursor of one."},
		"before": {Type: gql.String, Description: "Only records in front of the _cursor of one; without after, limit and offset count back from there."},
	})
}

func (b *builder) declareQueries(r *rows) {
	n := r.table.Name
	add := func(name string, kind rootKind, f *gql.Field) {
		b.query[name] = f
		b.queryRoots[name] = &root{kind: kind, rows: r}
	}
	add(n, readList, &gql.Field{Type: required(listOf(r.object)), Args: r.listArgs(), Description: "Records of " + n + "."})
	add(n+"_aggregate", readAggregate, &gql.Field{Type: required(r.aggregate), Args: r.aggregateArgs(), Description: "Values over records of " + n + "."})
	add(n+groupSuffix, readGroups, b.groupQuery(r))
	if r.connection != nil {
		add(n+connectionSuffix, readConnection, &gql.Field{Type: required(r.connection), Args: r.connectionArgs(), Description: "A page of records of " + n + "."})
	}
	add(n+"_by_pk", readByPK, &gql.Field{
		Type: r.object, Description: "The record of " + n + " with that id, or null.",
		Args: gql.FieldConfigArgument{"id": {Type: required(scalars["uuid"].Scalar)}},
	})
}
