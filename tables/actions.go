package tables

import (
	"context"
	"slices"
	"strings"

	"colonnade/core"
)

// Actions returns the actions that define tables.
func (s *Store) Actions() []core.Action {
	return append([]core.Action{
		s.createTable(), s.addColumn(), s.addLookup(), s.addKey(), s.addIndex(), s.putDuplicateRule(), s.dropDuplicateRule(), s.findDuplicates(),
		s.putOptions(), s.dropOptions(), s.describeOptions(),
		s.putClass(), s.dropClass(), s.listClasses(), s.putOperation(), s.dropOperation(), s.restrictOperations(), s.listOperations(),
		s.putSearch(), s.search(), s.addManyToMany(), s.linkRecords(), s.unlinkRecords(),
		s.verifyHistory(), s.historyHead(), s.signHead(), s.readAudit(), s.readAccessLog(), s.unmask(), s.unmaskMany(), s.reportCapacity(),
	}, slices.Concat(s.shareActions(), s.ruleActions(), s.expressionActions(), s.moneyActions(), s.schemaActions())...)
}

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func required(c core.Column) core.Column { c.Required = true; return c }

func kindNames() string {
	var out []string
	for _, k := range core.Kinds() {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

// columnInput describes a column as an argument.
var columnInput = []core.Column{
	required(text("name", "Lower-case letters, digits and underscores, such as order_line.")),
	required(text("kind", "One of the [kinds](kinds.md): "+kindNames()+".")),
	text("label", "The name for people."),
	text("doc", "What the column holds."),
	{Name: "required", Kind: core.Boolean, Doc: "Whether every record must have a value."},
	{Name: "unique", Kind: core.Boolean, Doc: "Whether no two records may have the same value."},
	text("default", "An expression for new records that come without the column."),
	text("formula", "An expression; the column is then calculated."),
	{Name: "stored", Kind: core.Boolean, Doc: "Of a calculated column: whether the database keeps its values, so that they can be indexed and have a history. They are always current."},
	text("rights", "Of a calculated column that reads other records: reader for what its reader may read of them, or definer for everything; reader when left out."),
	{Name: "secured", Kind: core.Boolean, Doc: "Whether only who holds a column profile that gives the column reads and writes it: see put_column_profile."},
	text("mask", "Of a column that is secured or has classes: what who may read it masked sees in its place, an expression over value, such as value.left(2) + '***'."),
	{Name: "classes", Kind: core.Text, List: true, Doc: "The data classes that it carries, such as personal: see put_data_class."},
	text("format", "Of a text: email, url, phone or currency (a code of ISO 4217). Values are brought into one form: a telephone number into that of E.164."),
	text("region", "Of a telephone number: the country of numbers that are written without one, such as DE."),
	text("pattern", "Of a text: a regular expression (RE2) that the whole text must match."),
	text("message", "Of a pattern: what the writer of another text reads."),
	{Name: "min_length", Kind: core.Integer, Doc: "Of a text, in characters."},
	{Name: "max_length", Kind: core.Integer, Doc: "Of a text, in characters; 1,048,576 when left out, and never more."},
	{Name: "min", Kind: core.Decimal, Doc: "Of a number or an amount: the least value."},
	{Name: "max", Kind: core.Decimal, Doc: "Of a number or an amount: the greatest value."},
	{Name: "precision", Kind: core.Integer, Doc: "Of a decimal, in digits."},
	{Name: "scale", Kind: core.Integer, Doc: "Of a decimal, digits after the point."},
	{Name: "options", Kind: core.Object, List: true, Doc: "Of a choice, of choices and of a status: in the order in which people see them.", Fields: statusInput},
	text("option_set", "Of a choice and of choices: the set that the options are taken from, in place of options. See put_options."),
	text("template", "Of an autonumber, such as INV-{DATE:yyyy}-{SEQ:5}: {SEQ} is the number, in at least so many digits; {DATE} the day in UTC, of yyyy, yy, MM, dd, HH, mm and ss; {RAND:6} random letters and digits. {SEQ} when left out."),
	{Name: "seed", Kind: core.Integer, Doc: "Of an autonumber: the first number; 1 when left out."},
	{Name: "step", Kind: core.Integer, Doc: "Of an autonumber: from one number to the next; 1 when left out."},
	{Name: "gapless", Kind: core.Boolean, Doc: "Of an autonumber: whether no number is ever missing. Transactions then wait for each other."},
	{Name: "max_size", Kind: core.Integer, Doc: "Of a file and an image, in bytes; what the server takes when left out."},
	{Name: "media_types", Kind: core.Text, List: true, Doc: "Of a file and an image: those that are taken, such as application/pdf or image/*; all when left out."},
	{Name: "max_pixels", Kind: core.Integer, Doc: "Of an image: width times height; 40,000,000 when left out, and never more than 100,000,000."},
	text("target", "Of a lookup: the table that it leads to."),
	{Name: "targets", Kind: core.Text, List: true, Doc: "Of an any_lookup: the tables that it may lead to."},
	text("relation", "Of a lookup: the field that leads to the record; the name without _id when left out."),
	text("inverse", "Of a lookup: the field of the target that leads back; the name of the table when left out."),
	text("on_delete", "Of a lookup: restrict (the default), set_null or cascade."),
	text("on_assign", "Of a lookup: which records go along when the one that they look up gets another owner: none (the default), all, owned (by the owner before) or active."),
	{Name: "inherit_shares", Kind: core.Boolean, Doc: "Of a lookup: whether with whom the record is shared that it leads to, the record that has the lookup is shared too."},
}

var keyInput = []core.Column{
	required(text("name", "The name of the key.")),
	required(core.Column{Name: "columns", Kind: core.Text, List: true, Doc: "The columns that identify a record together, at most 16."}),
	text("nulls", "What a NULL in the key means: distinct (the default), the record is like no other; equal, NULL is a value like others; refuse, no record has one."),
}

var indexInput = []core.Column{
	required(text("name", "The name of the index.")),
	required(core.Column{Name: "columns", Kind: core.Object, List: true, Doc: "The columns, the most selective condition first.", Fields: []core.Column{
		required(text("column", "The column.")), {Name: "desc", Kind: core.Boolean, Doc: "Whether in descending order."},
	}}),
}

// versionOutput is what an action that defines something answers.
var versionOutput = []core.Column{
	{Name: "table", Kind: core.Text, Doc: "The table."},
	{Name: "version", Kind: core.Integer, Doc: "The version of the schema after the change."},
}

// define returns the action that makes a change from its arguments.
func (s *Store) define(name, doc string, input []core.Column, change func(core.Record) (core.Change, error), example core.Example) core.Action {
	return core.Action{
		Name: name, Doc: doc, Input: input, Output: versionOutput, Privilege: "define_tables", Define: true, Examples: []core.Example{example},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			ch, err := change(c.In)
			if err != nil {
				return nil, core.E("tables."+name, err)
			}
			out := core.Record{"table": orNull(ch.Table())}
			err = s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				err := tx.Change(ctx, ch)
				out["version"] = tx.snap.Schema.Version()
				return err
			})
			if err != nil {
				return nil, core.E("tables."+name, err)
			}
			return out, nil
		},
	}
}

func (s *Store) createTable() core.Action {
	input := []core.Column{
		required(text("name", "The name of the table, such as purchase.")),
		text("label", "The name for people."),
		text("doc", "What a record is."),
		text("ownership", "user: records have an owner and a business unit (the default); organization: they belong to all."),
		required(core.Column{Name: "columns", Kind: core.Object, List: true, Fields: columnInput, Doc: "The columns; id, version, created_at and the like are always there."}),
		{Name: "keys", Kind: core.Object, List: true, Fields: keyInput, Doc: "Alternate keys."},
		{Name: "indexes", Kind: core.Object, List: true, Fields: indexInput, Doc: "Indexes."},
		{Name: "rules", Kind: core.Object, List: true, Fields: ruleInput, Doc: "Business rules."},
		{Name: "duplicates", Kind: core.Object, List: true, Fields: duplicateInput, Doc: "Duplicate rules."},
		{Name: "retention", Kind: core.Object, Doc: "How long what is past is kept; for good what is left out.", Fields: []core.Column{
			{Name: "history_days", Kind: core.Integer, Doc: "A version is kept for so many days after the next one has replaced it."},
			{Name: "history_versions", Kind: core.Integer, Doc: "So many versions of a record are kept, the last among them."},
			{Name: "bin_days", Kind: core.Integer, Doc: "A deleted record can be restored for so many days."},
		}},
		{Name: "audit_reads", Kind: core.Boolean, Doc: "Whether the access log keeps who reads which records."},
		{Name: "hierarchy", Kind: core.Boolean, Doc: "Whether who is above the owner of a record in the hierarchy of users reaches it: see set_hierarchy."},
		{Name: "keep_previous_owner", Kind: core.Boolean, Doc: "Whether a record that gets another owner is shared with the one before, to read and update."},
		{Name: "share_templates", Kind: core.Object, List: true, Doc: "Sets of rights that records are shared with, by their names: see share_record.", Fields: []core.Column{
			required(text("name", "The name.")), text("doc", "What it is for."), required(core.Column{Name: "rights", Kind: core.Text, List: true, Doc: "read, update, delete, append, append_to, assign, share."}),
		}},
	}
	return s.define("create_table", "Creates a table.", input, func(in core.Record) (core.Change, error) {
		var t core.Table
		err := decodeInput(in, &t)
		return core.CreateTable{Define: t}, err
	}, core.Example{Doc: "A table of products.", In: core.Record{"name": "product", "columns": []any{
		map[string]any{"name": "title", "kind": "text", "required": true},
		map[string]any{"name": "price", "kind": "decimal", "precision": 10, "scale": 2},
	}}})
}

func (s *Store) addColumn() core.Action {
	input := append([]core.Column{required(text("table", "The table."))}, columnInput...)
	return s.define("add_column", "Adds a column to a table.", input, func(in core.Record) (core.Change, error) {
		var c core.Column
		table, _ := in["table"].(string)
		in = in.Clone()
		delete(in, "table")
		err := decodeInput(in, &c)
		return core.AddColumn{To: table, Add: c}, err
	}, core.Example{Doc: "A calculated column.", In: core.Record{"table": "product", "name": "gross", "kind": "decimal", "precision": 12, "scale": 2, "formula": "price * 1.19"}})
}

func (s *Store) addLookup() core.Action {
	input := []core.Column{
		required(text("table", "The table whose records shall look up others.")),
		text("target", "The table that they look up."),
		{Name: "targets", Kind: core.Text, List: true, Doc: "Instead of target: several tables, one of which each record leads to."},
		text("name", "The column; the target with _id when left out, which a lookup of several tables cannot be."),
		text("label", "The name for people."),
		{Name: "required", Kind: core.Boolean, Doc: "Whether every record must have a value."},
		text("relation", "The field that leads to the record; the name without _id when left out."),
		text("inverse", "The field of the target that leads back; the name of the table when left out."),
		text("on_delete", "What happens when the record looked up is deleted: restrict (the default), set_null or cascade."),
		text("on_assign", "Which records go along when the one that they look up gets another owner: none (the default), all, owned (by the owner before) or active."),
		{Name: "inherit_shares", Kind: core.Boolean, Doc: "Whether with whom the record looked up is shared, the record of the table is shared too."},
	}
	return s.define("add_lookup", "Adds a lookup, which links each record of a table to one of another, or of the same.", input, func(in core.Record) (core.Change, error) {
		var c core.Column
		table, _ := in["table"].(string)
		in = in.Clone()
		delete(in, "table")
		err := decodeInput(in, &c)
		c.Kind = core.Lookup
		if len(c.Targets) > 0 {
			c.Kind = core.AnyLookup
		}
		if c.Name == "" && c.Target != "" {
			c.Name = c.Target + "_id"
		}
		return core.AddColumn{To: table, Add: c}, err
	}, core.Example{Doc: "Each purchase has a product.", In: core.Record{"table": "purchase", "target": "product"}})
}

func (s *Store) addKey() core.Action {
	input := append([]core.Column{required(text("table", "The table."))}, keyInput...)
	return s.define("add_key", "Adds an alternate key: columns that identify a record. plan_change tells which records stand in its way.", input, func(in core.Record) (core.Change, error) {
		var k core.Key
		table, _ := in["table"].(string)
		in = in.Clone()
		delete(in, "table")
		err := decodeInput(in, &k)
		return core.AddKey{To: table, Add: k}, err
	}, core.Example{Doc: "No two products have the same code and size; one without a size has it alone.", In: core.Record{"table": "product", "name": "by_code", "columns": []any{"code", "size"}, "nulls": "equal"}})
}

func (s *Store) addIndex() core.Action {
	input := append([]core.Column{required(text("table", "The table."))}, indexInput...)
	return s.define("add_index", "Adds an index, which makes conditions and sort orders over its columns fast.", input, func(in core.Record) (core.Change, error) {
		var x core.Index
		err := decodeInput(in, &x)
		table, _ := in["table"].(string)
		return core.AddIndex{To: table, Add: x}, err
	}, core.Example{Doc: "The dearest first.", In: core.Record{"table": "product", "name": "dearest", "columns": []any{map[string]any{"column": "price", "desc": true}}}})
}
