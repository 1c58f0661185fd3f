package tables

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"colonnade/core"
)

// pairKey is the key of a table of links, over its two ends.
const pairKey = "pair"

func (s *Store) addManyToMany() core.Action {
	input := []core.Column{
		required(text("table", "The table at one end, such as product.")),
		required(text("target", "The table at the other end, such as tag; it may be the same.")),
		text("name", "The table of the links; the two names with an underscore between them when left out."),
		text("label", "The name for people."),
		text("doc", "What a link says."),
		text("field", "The field of the table that lists the records of the target; the name of the target when left out."),
		text("inverse", "The field of the target that lists the records of the table; the name of the table when left out."),
		text("column", "The lookup of a link that leads to the table; its name with _id when left out."),
		text("target_column", "The lookup of a link that leads to the target; its name with _id when left out."),
		text("ownership", "Of the links: organization (the default) or user."),
		{Name: "columns", Kind: core.Object, List: true, Fields: columnInput, Doc: "The links' own columns."},
	}
	return s.define("add_many_to_many", "Joins two tables by a table of links, so that each record of one leads to any number of the other. "+
		"A pair is linked once; when either record goes, the link goes too. A link is a record like any other, with rights of its own.",
		input, manyToMany, core.Example{Doc: "A product has tags, a tag has products.", In: core.Record{"table": "product", "target": "tag", "columns": []any{
			map[string]any{"name": "position", "kind": "integer"},
		}}})
}

// manyToMany makes the table of links.
func manyToMany(in core.Record) (core.Change, error) {
	var m struct {
		Table, Target, Name, Label, Doc string
		Field, Inverse, Column          string
		TargetColumn                    string `json:"target_column"`
		Ownership                       core.Ownership
		Columns                         []core.Column
	}
	if err := decodeInput(in, &m); err != nil {
		return nil, err
	}
	if m.Table == m.Target && (m.Field == "" || m.Inverse == "" || m.TargetColumn == "") {
		return nil, core.E("tables.manyToMany", core.Invalid, core.At{Table: m.Table}, "a table that is linked with itself needs names for field, inverse and target_column, which tell the two ends apart")
	}
	from := cmp.Or(m.Column, m.Table+"_id")
	to := cmp.Or(m.TargetColumn, m.Target+"_id")
	end := func(name, target string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: target, Required: true, OnDelete: core.Cascade}
	}
	return core.CreateTable{Define: core.Table{
		Name: cmp.Or(m.Name, m.Table+"_"+m.Target), Label: m.Label, Doc: m.Doc, Ownership: cmp.Or(m.Ownership, core.OrgOwned),
		Columns: append([]core.Column{end(from, m.Table), end(to, m.Target)}, m.Columns...),
		Keys:    []core.Key{{Name: pairKey, Columns: []string{from, to}}},
		Link: &core.Link{
			From: core.LinkEnd{Column: from, Field: cmp.Or(m.Field, m.Target)},
			To:   core.LinkEnd{Column: to, Field: cmp.Or(m.Inverse, m.Table)},
		},
	}}, nil
}

// linkInput says which records are to be linked.
var linkInput = []core.Column{
	required(text("table", "The table of the record.")),
	required(text("field", "The field of the record that lists what it is linked with.")),
	required(core.Column{Name: "id", Kind: core.UUID, Doc: "The record."}),
	required(core.Column{Name: "to", Kind: core.UUID, List: true, Doc: "The records at the other end, at most 1,000."}),
}

func (s *Store) linkRecords() core.Action {
	return core.Action{
		Name: "link_records", Doc: "Links a record with others. Those that it is linked with already stay as they are. It needs the right to create links.",
		Input: append(linkInput[:len(linkInput):len(linkInput)],
			core.Column{Name: "values", Kind: core.JSON, Doc: `The links' own columns: {"position": 1}.`}),
		Output:   []core.Column{{Name: "linked", Kind: core.Integer, Doc: "How many links are new."}},
		Examples: []core.Example{{In: core.Record{"table": "product", "field": "tag", "id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b", "to": []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2c"}}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			var values core.Record
			if raw, ok := c.In["values"].(json.RawMessage); ok {
				d := json.NewDecoder(bytes.NewReader(raw))
				d.UseNumber()
				if err := d.Decode(&values); err != nil {
					return nil, core.E("tables.link_records", core.Invalid, core.At{Column: "values"}, "values is an object, such as {\"position\": 1}")
				}
			}
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.link(ctx, c, values)
				out = core.Record{"linked": int64(res.Inserted)}
				return err
			})
			if err != nil {
				return nil, core.E("tables.link_records", err)
			}
			return out, nil
		},
	}
}

func (s *Store) unlinkRecords() core.Action {
	return core.Action{
		Name: "unlink_records", Doc: "Ends links of a record with others. It needs the right to delete links.",
		Input:    linkInput,
		Output:   []core.Column{{Name: "unlinked", Kind: core.Integer, Doc: "How many links there were."}},
		Examples: []core.Example{{In: core.Record{"table": "product", "field": "tag", "id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b", "to": []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2c"}}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.unlink(ctx, c)
				out = core.Record{"unlinked": int64(res.Deleted)}
				return err
			})
			if err != nil {
				return nil, core.E("tables.unlink_records", err)
			}
			return out, nil
		},
	}
}

// linked returns the relation that an action names, and the ids at its other end. A relation whose ends the caller may not
// see is like one that is not there.
func (tx *Tx) linked(ctx context.Context, c core.Call) (rel core.Relation, to []any, err error) {
	const op = "tables.linked"
	table, field := c.Text("table"), c.Text("field")
	p := &planner{snap: tx.snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(table, core.Read)
	if err != nil {
		return rel, nil, core.E(op, err)
	}
	if _, rel, _, err = n.relation(field); err != nil {
		return rel, nil, core.E(op, err)
	}
	if rel.Through == "" {
		return rel, nil, core.E(op, core.Invalid, core.At{Table: table, Column: field}, "the relation is not one of many to many: change the lookup instead")
	}
	to, _ = c.In["to"].([]any)
	if len(to) > MaxLimit {
		return rel, nil, core.E(op, core.Limit, core.At{Column: "to"}, fmt.Sprintf("at most %d records at once", MaxLimit))
	}
	return rel, to, nil
}

func (tx *Tx) link(ctx context.Context, c core.Call, values core.Record) (Result, error) {
	rel, to, err := tx.linked(ctx, c)
	if err != nil {
		return Result{}, err
	}
	t, err := tx.snap.Schema.Table(rel.Through)
	if err != nil {
		return Result{}, err
	}
	in := Insert{Table: rel.Through, OnConflict: &OnConflict{Key: t.Link.Key(t)}}
	for _, id := range to {
		row := core.Record{}
		for name, v := range values {
			row[name] = v
		}
		row[rel.Near], row[rel.Column] = c.In["id"], id
		in.Rows = append(in.Rows, row)
	}
	return tx.Insert(ctx, in)
}

func (tx *Tx) unlink(ctx context.Context, c core.Call) (Result, error) {
	rel, to, err := tx.linked(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return tx.Delete(ctx, Remove{Table: rel.Through, Where: And{
		Compare{Column: rel.Near, Op: Eq, Value: c.In["id"]}, Compare{Column: rel.Column, Op: In, Value: to},
	}})
}
