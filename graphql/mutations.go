package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// commonWrites are the types that the mutations of every table use.
type commonWrites struct {
	result, mode, onError, onDuplicate gql.Type
}

// The values of conflict_mode and on_error.
const (
	modeUpsert     = "upsert"
	modeCreateOnly = "create_only"
	modeUpdateOnly = "update_only"

	onErrorStop   = "stop"
	onErrorReport = "report"
)

func (b *builder) declareCommonWrites() {
	failure := gql.NewObject(gql.ObjectConfig{Name: "mutation_error", Description: "Why a record was refused.", Fields: gql.Fields{
		"message": {Type: required(gql.String), Description: "For people."},
		"code":    {Type: required(gql.String), Description: "As in the extensions of an error."},
		"kind":    {Type: required(gql.String), Description: "As in the extensions of an error."},
		"path":    {Type: required(gql.String), Description: "To the input that is wrong."},
		"table":   {Type: gql.String}, "column": {Type: gql.String}, "rule": {Type: gql.String},
	}})
	like := gql.NewObject(gql.ObjectConfig{Name: "mutation_duplicate", Description: "A record that another is like.", Fields: gql.Fields{
		"rule":   {Type: required(gql.String), Description: "The duplicate rule."},
		"record": {Type: required(scalars["uuid"].Scalar), Description: "The id of the record."},
	}})
	b.writes.result = gql.NewObject(gql.ObjectConfig{Name: "mutation_result", Description: "What became of one record.", Fields: gql.Fields{
		"index":      {Type: required(gql.Int), Description: "Its place in the input, from 0."},
		"id":         {Type: scalars["uuid"].Scalar, Description: "Its id; null when it was ignored or rejected."},
		"action":     {Type: required(gql.String), Description: "created, updated, unchanged (it had the values already), ignored (its key was taken, and on_conflict left the record as it was), deleted or rejected."},
		"error":      {Type: failure, Description: "Of a record that was rejected."},
		"duplicates": {Type: required(listOf(like)), Description: "Records that it is like by a duplicate rule, as far as you may read them; at most 5 for each rule."},
	}})
	b.writes.onDuplicate = enum("on_duplicate", "What happens with a record that is like another by a duplicate rule. A rule that blocks refuses it in any case, but for who may allow_duplicates.", map[string]string{
		string(tables.DuplicatesWarn): "It is written, and the results tell which others it is like.", string(tables.DuplicatesRefuse): "It is an error.",
		string(tables.DuplicatesAllow): "It is written; rules that warn are not asked.",
	})
	b.writes.mode = enum("conflict_mode", "Which records an insert with on_conflict writes.", map[string]string{
		modeUpsert: "Records that exist are changed, others created.", modeCreateOnly: "A record that exists is an error.", modeUpdateOnly: "A record that does not exist is an error.",
	})
	b.writes.onError = enum("on_error", "What happens when a record is refused.", map[string]string{
		onErrorStop: "Nothing is written.", onErrorReport: "The others are written; the results tell which was refused, and why.",
	})
}

// enum returns an enum whose values are their names; docs is by name.
func enum(name, doc string, docs map[string]string) *gql.Enum {
	values := gql.EnumValueConfigMap{}
	for v, d := range docs {
		values[v] = &gql.EnumValueConfig{Value: v, Description: d}
	}
	return gql.NewEnum(gql.EnumConfig{Name: name, Description: doc, Values: values})
}

// declareInserts declares the inputs of new records of a table, yet without what is nested in them.
func (b *builder) declareInserts(r *rows) error {
	t, n := r.table, r.table.Name
	err := claim(b.names, "type", "the table "+n, core.At{Table: n}, n+"_insert_input", n+"_on_conflict", n+"_constraint", n+"_update_column",
		n+"_obj_rel_insert_input", n+"_arr_rel_insert_input", n+"_obj_rel_update_input")
	if err != nil {
		return err
	}
	if err := b.declareKeys(r); err != nil {
		return err
	}
	r.insertFields = gql.InputObjectConfigFieldMap{}
	updatable := gql.EnumValueConfigMap{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if !writable(c) {
			continue
		}
		r.insertFields[c.Name] = &gql.InputObjectFieldConfig{Type: columnType(c), Description: columnDoc(c)}
		if c.Name != "id" {
			updatable[c.Name] = &gql.EnumValueConfig{Value: c.Name}
		}
	}
	r.insert = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_insert_input", Fields: inputFields(r.insertFields), Description: "A new record of " + n + ", with what belongs to it."})
	one := gql.InputObjectConfigFieldMap{
		"data": {Type: r.insert, Description: "The new record."},
		"key":  {Type: r.named, Description: "Instead of data: a record that exists."},
	}
	many := gql.InputObjectConfigFieldMap{"data": {Type: required(listOf(r.insert))}}
	if len(updatable) > 0 {
		if r.conflict, err = b.declareConflict(r, updatable); err != nil {
			return err
		}
		conflict := &gql.InputObjectFieldConfig{Type: r.conflict, Description: conflictDoc}
		one["on_conflict"], many["on_conflict"] = conflict, conflict
	}
	r.insertOne = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_obj_rel_insert_input", Fields: inputFields(one), Description: "A new record of " + n + " that another looks up, or one that exists."})
	r.insertMany = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_arr_rel_insert_input", Fields: inputFields(many), Description: "New records of " + n + " that look up another."})
	named := gql.InputObjectConfigFieldMap{"key": {Type: required(r.named)}}
	r.lookUp = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_obj_rel_update_input", Fields: inputFields(named), Description: "A record of " + n + " that another is to look up."})
	return nil
}

const conflictDoc = "What to do with a record that exists; without it, that is an error."

// nestInserts adds to the input of a new record what can be created with it.
func (b *builder) nestInserts(r *rows) {
	for _, rel := range b.schema.Relations(r.table.Name) {
		to := b.rows[rel.Table]
		switch {
		case to.table.Builtin:
		case rel.Many:
			r.insertFields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.insertMany}
		default:
			r.insertFields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.insertOne}
		}
	}
}

// writable reports whether the API has the column as an input.
func writable(c *core.Column) bool {
	return !c.Calculated() && c.Kind != core.Autonumber && !c.Kept() && (!c.System || c.Name == "id" || c.Name == "owner_id" || c.Name == "unit_id")
}

// declareWrites declares the mutations of a table.
func (b *builder) declareWrites(r *rows) error {
	n := r.table.Name
	owner, at := "the table "+n, core.At{Table: n}
	if err := claim(b.names, "type", owner, at, n+"_pk_columns_input", n+"_mutation_response", n+"_updates"); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, "insert_"+n, "insert_"+n+"_one", "update_"+n, "update_"+n+"_by_pk", "update_"+n+"_many",
		"delete_"+n, "delete_"+n+"_by_pk"); err != nil {
		return err
	}
	b.nestInserts(r)
	r.response = gql.NewObject(gql.ObjectConfig{Name: n + "_mutation_response", Fields: gql.Fields{
		"affected_rows": {Type: required(gql.Int), Description: "How many records the write was about, nested ones included."},
		"inserted_rows": {Type: required(gql.Int), Description: "How many of them are new."},
		"updated_rows":  {Type: required(gql.Int), Description: "How many others are different now."},
		"results":       {Type: required(listOf(b.writes.result)), Description: "What became of each record of the table itself."},
		"returning":     {Type: required(listOf(r.object)), Description: "The records, as far as you may read them."},
	}})
	changing, err := b.operators(r)
	if err != nil {
		return err
	}
	inserting := gql.FieldConfigArgument{}
	likeness := &gql.ArgumentConfig{Type: b.writes.onDuplicate, DefaultValue: string(tables.DuplicatesWarn), Description: "What happens with a record that is like another by a duplicate rule."}
	inserting["on_duplicate"] = likeness
	if len(changing) > 0 {
		changing["on_duplicate"] = likeness
	}
	if r.conflict != nil {
		inserting["on_conflict"] = &gql.ArgumentConfig{Type: r.conflict, Description: conflictDoc}
	}
	where := &gql.ArgumentConfig{Type: required(r.where), Description: "The records that it is about; {} is all of them."}
	atMost := &gql.ArgumentConfig{Type: gql.Int, Description: "Do nothing, and fail, when it is about more records than that."}
	ifVersion := &gql.ArgumentConfig{Type: scalars["bigint"].Scalar, Description: "Fail when the record has another version."}
	key := &gql.ArgumentConfig{Type: required(scalars["uuid"].Scalar)}
	dry := gql.FieldConfigArgument{"dry_run": {Type: gql.Boolean, DefaultValue: false, Description: "Answer as if it were done, and undo it."}}

	add := func(name string, kind rootKind, typ gql.Output, doc string, args ...gql.FieldConfigArgument) {
		b.mutation[name] = &gql.Field{Type: typ, Args: together(append(args, dry)...), Description: doc}
		b.mutationRoots[name] = &root{kind: kind, rows: r}
	}
	add("insert_"+n, writeInsert, r.response, "Creates records of "+n+".", inserting, gql.FieldConfigArgument{
		"objects":  {Type: required(listOf(r.insert))},
		"on_error": {Type: b.writes.onError, DefaultValue: onErrorStop, Description: "Whether a record that is refused stops the others."},
	})
	add("insert_"+n+"_one", writeInsertOne, r.object, "Creates a record of "+n+".", inserting,
		gql.FieldConfigArgument{"object": {Type: required(r.insert)}})
	if len(changing) > 0 {
		pk := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_pk_columns_input", Fields: gql.InputObjectConfigFieldMap{"id": {Type: key.Type}}})
		many := gql.InputObjectConfigFieldMap{"where": {Type: where.Type, Description: where.Description}, "at_most": {Type: atMost.Type, Description: atMost.Description}}
		for name, a := range changing {
			many[name] = &gql.InputObjectFieldConfig{Type: a.Type, DefaultValue: a.DefaultValue, Description: a.Description}
		}
		updates := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_updates", Fields: inputFields(many), Description: "One of several updates."})
		add("update_"+n, writeUpdate, r.response, "Changes records of "+n+".", changing, gql.FieldConfigArgument{"where": where, "at_most": atMost})
		add("update_"+n+"_by_pk", writeUpdateByPK, r.object, "Changes a record of "+n+"; null when there is none with that id in your reach.", changing,
			gql.FieldConfigArgument{"pk_columns": {Type: required(pk)}, "if_version": ifVersion})
		add("update_"+n+"_many", writeUpdateMany, gql.NewList(r.response), "Changes records of "+n+" in several ways, in order.",
			gql.FieldConfigArgument{"updates": {Type: required(listOf(updates))}})
	}
	add("delete_"+n, writeDelete, r.response, "Deletes records of "+n+".", gql.FieldConfigArgument{"where": where, "at_most": atMost})
	add("delete_"+n+"_by_pk", writeDeleteByPK, r.object, "Deletes a record of "+n+" and returns it as it was; null when there is none with that id in your reach.",
		gql.FieldConfigArgument{"id": key, "if_version": ifVersion})
	return b.declareKeyWrites(r, changing, together(dry, gql.FieldConfigArgument{"if_version": ifVersion}))
}

// updateOperators are the arguments of an update that change columns: for which they are, and what they take.
var updateOperators = []struct {
	name string // of the argument; with the table's before it and _input behind, of its type
	has  func(core.KindInfo, core.Kind) bool
	typ  func(*core.Column) gql.Input
	doc  string
	edit tables.EditOp // of those on JSON
}{
	{"_set", func(core.KindInfo, core.Kind) bool { return true }, ofColumn, "The new values.", 0},
	{"_inc", func(k core.KindInfo, _ core.Kind) bool { return k.Number }, ofColumn, "What to add.", 0},
	{"_mul", func(_ core.KindInfo, k core.Kind) bool {
		return k == core.Integer || k == core.Decimal || k == core.Float
	}, ofColumn, "What to multiply with; a decimal is rounded to its digits, half away from zero.", 0},
	{"_append", isJSON, ofColumn, "What to append to a JSON list, or to join with an object.", tables.Append},
	{"_prepend", isJSON, ofColumn, "What to put before a JSON list, or to join with an object, whose keys stay.", tables.Prepend},
	{"_delete_key", isJSON, always(gql.String), "The key to delete from a JSON object, or the text to delete from a list.", tables.DeleteKey},
	{"_delete_elem", isJSON, always(gql.Int), "The index to delete from a JSON list, negative from the end.", tables.DeleteElem},
	{"_delete_at_path", isJSON, always(listOf(gql.String)), "The keys and indexes that lead to what to delete.", tables.DeleteAtPath},
}

func isJSON(_ core.KindInfo, k core.Kind) bool { return k == core.JSON }
func ofColumn(c *core.Column) gql.Input        { return columnType(c) }
func always(t gql.Input) func(*core.Column) gql.Input {
	return func(*core.Column) gql.Input { return t }
}

// operators declares the arguments that change columns, those that any column has.
func (b *builder) operators(r *rows) (gql.FieldConfigArgument, error) {
	t := r.table
	out := gql.FieldConfigArgument{}
	for _, o := range updateOperators {
		fields := gql.InputObjectConfigFieldMap{}
		for i := range t.Columns {
			if c := &t.Columns[i]; writable(c) && c.Name != "id" && o.has(c.Kind.Info(), c.Kind) {
				fields[c.Name] = &gql.InputObjectFieldConfig{Type: o.typ(c)}
				if o.name == "_set" {
					fields[c.Name].Description = columnDoc(c)
				}
			}
		}
		if o.name == "_set" {
			b.nameLookups(r, fields)
		}
		name := t.Name + o.name + "_input"
		if err := claim(b.names, "type", "the table "+t.Name, core.At{Table: t.Name}, name); err != nil {
			return nil, err
		}
		if len(fields) > 0 {
			out[o.name] = &gql.ArgumentConfig{Description: o.doc, Type: gql.NewInputObject(gql.InputObjectConfig{Name: name, Fields: inputFields(fields)})}
		}
	}
	return out, nil
}

// nameLookups adds to the new values of a record what it is to look up, named by a key.
func (b *builder) nameLookups(r *rows, fields gql.InputObjectConfigFieldMap) {
	for _, rel := range b.schema.Relations(r.table.Name) {
		if to := b.rows[rel.Table]; !rel.Many && !to.table.Builtin {
			fields[rel.Name] = &gql.InputObjectFieldConfig{Type: to.lookUp, Description: "Instead of " + rel.Column + ": the record by one of its keys."}
		}
	}
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
func (b *builder) declareConflict(r *rows, updatable gql.EnumValueConfigMap) (*gql.InputObject, error) {
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
		"mode":           {Type: b.writes.mode, DefaultValue: modeUpsert, Description: "Which records are written."},
	}}), nil
}
