package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"colonnade/core"
)

// Conditions reads a condition on a table from JSON, for the caller of ctx.
type Conditions func(ctx context.Context, table string, raw []byte) (Cond, error)

// RecordActions returns the actions that read and write records of tables that an argument names, for flows and for agents. Conditions are
// read by where.
func (s *Store) RecordActions(where Conditions) []core.Action {
	return []core.Action{s.readRecords(where), s.createRecords(), s.changeRecords(where), s.removeRecords(where)}
}

var (
	ofTable = required(text("table", "The table, such as customer."))
	ofWhere = core.Column{Name: "where", Kind: core.JSON, Doc: `Which records, in the form of where in the API: {"status": {"_eq": "open"}}.`}
	ofIDs   = core.Column{Name: "ids", Kind: core.UUID, List: true, Doc: "Which records, by their ids; those that meet where, if it is given, too. None for an empty list."}
	ofMost  = core.Column{Name: "at_most", Kind: core.Integer, Doc: "Refuse to do it to more records than that."}
)

func (s *Store) readRecords(where Conditions) core.Action {
	return core.Action{
		Name: "read_records", Doc: "Reads records of a table, as far as the caller may.", Reads: "table", ReadsOnly: "columns",
		Input: []core.Column{
			ofTable, ofWhere, ofIDs,
			{Name: "columns", Kind: core.Text, List: true, Doc: "Which columns; all that the caller may see when left out."},
			{Name: "order", Kind: core.Object, List: true, Doc: "In which order; that of their ids when left out.", Fields: []core.Column{
				required(text("column", "By which column.")), {Name: "descending", Kind: core.Boolean, Doc: "The largest first. Records without a value are last, and first then."},
			}},
			{Name: "limit", Kind: core.Integer, Doc: fmt.Sprintf("How many at most, up to %d; %d when left out.", MaxLimit, DefaultLimit)},
			{Name: "offset", Kind: core.Integer, Doc: "How many to leave out first."},
		},
		Output: []core.Column{
			required(core.Column{Name: "records", Kind: core.JSON, List: true, Doc: "The records: their values by column."}),
			required(core.Column{Name: "count", Kind: core.Integer, Doc: "How many these are."}),
		},
		Examples: []core.Example{{In: core.Record{
			"table": "customer", "where": map[string]any{"status": map[string]any{"_eq": "open"}}, "columns": []any{"id", "name"}, "order": []any{map[string]any{"column": "name"}}, "limit": 10,
		}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			found, err := s.recordsOf(ctx, where, c)
			if err != nil {
				return nil, core.E("tables.read_records", err)
			}
			return core.Record{"records": found, "count": int64(len(found))}, nil
		},
	}
}

func (s *Store) recordsOf(ctx context.Context, where Conditions, c core.Call) ([]any, error) {
	const op = "tables.recordsOf"
	snap := s.Snapshot()
	if tx := s.txFrom(ctx); tx != nil {
		snap = tx.snap
	}
	q := Query{Table: c.Text("table"), Limit: int(c.Int("limit", DefaultLimit)), Offset: int(c.Int("offset", 0))}
	if q.Limit < 1 || q.Limit > MaxLimit || q.Offset < 0 {
		return nil, core.E(op, core.Invalid, core.At{Column: "limit"}, fmt.Sprintf("limit is 1 to %d, and offset 0 or more", MaxLimit))
	}
	columns, err := s.Readable(ctx, snap, q.Table)
	if err != nil {
		return nil, err
	}
	if q.Where, err = which(ctx, where, c, false); err != nil {
		return nil, err
	}
	wanted, _ := c.In["columns"].([]any)
	for _, name := range wanted {
		q.Fields = append(q.Fields, Field{As: name.(string), Column: name.(string)})
	}
	for i := 0; len(wanted) == 0 && i < len(columns); i++ {
		q.Fields = append(q.Fields, Field{As: columns[i].Name, Column: columns[i].Name})
	}
	order, _ := c.In["order"].([]any)
	for _, by := range order {
		of, _ := by.(map[string]any)
		name, _ := of["column"].(string)
		desc, _ := of["descending"].(bool)
		q.Order = append(q.Order, Order{Column: name, Desc: desc})
	}
	if slices.ContainsFunc(columns, func(c *core.Column) bool { return c.Name == "id" }) {
		q.Order = append(q.Order, Order{Column: "id"}) // the same records give the same list
	}
	raw, err := s.Query(ctx, snap, q, nil)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, core.E(op, err)
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out, nil
}

// which returns the condition that where and ids make. A write names one of them: none of both stands for all records when they are read.
func which(ctx context.Context, where Conditions, c core.Call, needed bool) (Cond, error) {
	var all And
	if raw, ok := c.In["where"].(json.RawMessage); ok {
		cond, err := where(ctx, c.Text("table"), raw)
		if err != nil {
			return nil, err
		}
		all = append(all, cond)
	}
	if ids, ok := c.In["ids"].([]any); ok {
		all = append(all, Compare{Column: "id", Op: In, Value: ids})
	}
	if needed && len(all) == 0 {
		return nil, core.E("tables.which", core.Invalid, core.At{Column: "where"}, "say which records: by where, or by ids; {} stands for all")
	}
	return all, nil
}

// jsonObjects reads an argument that is a list of objects, or one.
func jsonObjects(c core.Call, name string) ([]core.Record, error) {
	raw, _ := c.In[name].(json.RawMessage)
	var list []core.Record
	if len(raw) > 0 && raw[0] == '{' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		return nil, core.E("tables.jsonObjects", core.Invalid, core.At{Column: name}, `give values by column: {"name": "Ann"}`)
	}
	for i, r := range list {
		if r == nil {
			return nil, core.E("tables.jsonObjects", core.Invalid, core.At{Column: name, Item: i + 1}, `give values by column: {"name": "Ann"}`)
		}
	}
	return list, nil
}

func (s *Store) createRecords() core.Action {
	return core.Action{
		Name: "create_records", Doc: "Creates records of a table, or changes those that have their key already. All of them are written, or none.",
		Input: []core.Column{
			ofTable,
			required(core.Column{Name: "records", Kind: core.JSON, Doc: `The values by column, of one record or of a list of them: [{"name": "Ann"}, {"name": "Bob"}].`}),
			text("key", "A key or a unique column of the table: the record that has the value already is changed, and none created."),
			{Name: "update", Kind: core.Text, List: true, Doc: "With key: which columns are changed; all that are given when left out, and none for an empty list."},
		},
		Output: []core.Column{
			required(core.Column{Name: "ids", Kind: core.UUID, List: true, Doc: "The records, in the order of the input; without those that were there and were to be left as they are."}),
			required(core.Column{Name: "created", Kind: core.Integer, Doc: "How many are new."}), required(core.Column{Name: "changed", Kind: core.Integer, Doc: "How many were there, and are different now."}),
		},
		Examples: []core.Example{
			{In: core.Record{"table": "customer", "records": []any{map[string]any{"name": "Ann"}, map[string]any{"name": "Bob"}}}},
			{Doc: "Creates a customer or changes the one of that address.", In: core.Record{"table": "customer", "records": map[string]any{"email": "ann@example.org", "name": "Ann"}, "key": "email", "update": []any{"name"}}},
		},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			in := Insert{Table: c.Text("table")}
			if in.Rows, err = jsonObjects(c, "records"); err != nil {
				return nil, core.E("tables.create_records", err)
			}
			if in.OnConflict, err = onKey(c, in.Rows); err != nil {
				return nil, core.E("tables.create_records", err)
			}
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.Insert(ctx, in)
				ids := make([]any, len(res.IDs))
				for i, id := range res.IDs {
					ids[i] = string(id)
				}
				out = core.Record{"ids": ids, "created": int64(res.Inserted), "changed": int64(res.Changed)}
				return err
			})
			if err != nil {
				return nil, core.E("tables.create_records", err)
			}
			return out, nil
		},
	}
}

// onKey returns what becomes of records whose key is taken; nil where that is an error.
func onKey(c core.Call, rows []core.Record) (*OnConflict, error) {
	update, told := c.In["update"].([]any)
	key := c.Text("key")
	if key == "" {
		if told {
			return nil, core.E("tables.onKey", core.Invalid, core.At{Column: "update"}, "update goes with key, which says which record there may be already")
		}
		return nil, nil
	}
	out := &OnConflict{Key: key}
	for _, name := range update {
		out.Update = append(out.Update, name.(string))
	}
	for i := 0; !told && i < len(rows); i++ {
		for name := range rows[i] {
			if name != "id" && !slices.Contains(out.Update, name) {
				out.Update = append(out.Update, name)
			}
		}
	}
	slices.Sort(out.Update)
	return out, nil
}

func (s *Store) changeRecords(where Conditions) core.Action {
	return core.Action{
		Name: "change_records", Doc: "Changes records of a table. All of them are changed, or none.",
		Input: []core.Column{
			ofTable, ofWhere, ofIDs,
			{Name: "set", Kind: core.JSON, Doc: `The new values by column: {"status": "closed"}.`},
			{Name: "inc", Kind: core.JSON, Doc: `What is added to numbers: {"visits": 1}.`},
			{Name: "if_version", Kind: core.Integer, Doc: "The version that the records must have; with another one the call is refused."}, ofMost,
		},
		Output:   []core.Column{required(core.Column{Name: "found", Kind: core.Integer, Doc: "How many records were to be changed."}), required(core.Column{Name: "changed", Kind: core.Integer, Doc: "How many of them are different now."})},
		Examples: []core.Example{{In: core.Record{"table": "ticket", "where": map[string]any{"status": map[string]any{"_eq": "open"}}, "set": map[string]any{"status": "closed"}, "at_most": 100}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			u := Update{Table: c.Text("table"), IfVersion: c.Int("if_version", 0)}
			if u.Where, u.AtMost, err = bounded(ctx, where, c); err == nil {
				u.Set, u.Inc, err = assigned(c)
			}
			if err != nil {
				return nil, core.E("tables.change_records", err)
			}
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.Update(ctx, u)
				out = core.Record{"found": int64(res.Updated), "changed": int64(res.Changed)}
				return err
			})
			if err != nil {
				return nil, core.E("tables.change_records", err)
			}
			return out, nil
		},
	}
}

// assigned returns what is set, and what is added.
func assigned(c core.Call) (set, inc core.Record, err error) {
	for name, to := range map[string]*core.Record{"set": &set, "inc": &inc} {
		if _, told := c.In[name].(json.RawMessage); !told {
			continue
		}
		list, err := jsonObjects(c, name)
		if err != nil {
			return nil, nil, err
		}
		if len(list) != 1 {
			return nil, nil, core.E("tables.assigned", core.Invalid, core.At{Column: name}, `give one object, such as {"status": "closed"}`)
		}
		*to = list[0]
	}
	if len(set)+len(inc) == 0 {
		return nil, nil, core.E("tables.assigned", core.Invalid, core.At{Column: "set"}, "say what to change, by set or inc")
	}
	return set, inc, nil
}

// bounded returns which records a write is about, and how many there may be.
func bounded(ctx context.Context, where Conditions, c core.Call) (Cond, int, error) {
	cond, err := which(ctx, where, c, true)
	most, told := c.In["at_most"].(int64)
	if err == nil && told && most < 1 {
		err = core.E("tables.bounded", core.Invalid, core.At{Column: "at_most"}, "at_most is 1 or more")
	}
	return cond, int(most), err
}

func (s *Store) removeRecords(where Conditions) core.Action {
	return core.Action{
		Name: "remove_records", Doc: "Deletes records of a table, and what their lookups say that goes with them. All of them go, or none; they stay in the recycle bin.",
		Input:    []core.Column{ofTable, ofWhere, ofIDs, ofMost},
		Output:   []core.Column{required(core.Column{Name: "deleted", Kind: core.Integer, Doc: "How many records were deleted."})},
		Examples: []core.Example{{In: core.Record{"table": "ticket", "ids": []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			d := Remove{Table: c.Text("table")}
			if d.Where, d.AtMost, err = bounded(ctx, where, c); err != nil {
				return nil, core.E("tables.remove_records", err)
			}
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err := tx.Delete(ctx, d)
				out = core.Record{"deleted": int64(res.Deleted)}
				return err
			})
			if err != nil {
				return nil, core.E("tables.remove_records", err)
			}
			return out, nil
		},
	}
}
