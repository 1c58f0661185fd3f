package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

var unmaskInput = []core.Column{
	{Name: "columns", Kind: core.Text, List: true, Required: true, Doc: "The columns."},
	required(text("reason", "Why you need to see the values. It is kept in the access log.")),
}

var unmaskedFields = []core.Column{
	{Name: "id", Kind: core.UUID, Required: true, Doc: "The record."},
	{Name: "values", Kind: core.JSON, Required: true, Doc: "The values by column; null also where your rights do not reach the column of the record."},
}

// unmasking is what is asked to be shown.
type unmasking struct {
	table   string
	ids     []core.ID
	columns []string
	reason  string
	as      authz.Unmasking // the right that it takes
}

func (s *Store) unmask() core.Action {
	return core.Action{
		Name: "unmask", Doc: "Shows values of a record that are masked or hidden otherwise, to whom a column profile lets unmask them. The access log keeps who saw them and why, before they are shown.",
		Input:  append([]core.Column{required(text("table", "The table.")), {Name: "id", Kind: core.UUID, Required: true, Doc: "The record."}}, unmaskInput...),
		Output: unmaskedFields, Secret: true, Personal: true, StepUp: true,
		Examples: []core.Example{{In: core.Record{"table": "employee", "id": "018f0000-0000-7000-8000-000000000001", "columns": []any{"ssn"}, "reason": "the bank asks for it, call of May 3"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			id := core.ID(c.Text("id"))
			shown, err := s.unmasked(ctx, unmasking{c.Text("table"), []core.ID{id}, inputTexts(c, "columns"), c.Text("reason"), authz.UnmaskOne})
			if err == nil && len(shown) == 0 {
				err = core.E("tables.unmasked", core.NotFound, core.At{Table: c.Text("table")}, fmt.Sprintf("there is no record with the id %s", id))
			}
			if err != nil {
				return nil, core.E("tables.unmask", err)
			}
			return shown[0], nil
		},
	}
}

func (s *Store) unmaskMany() core.Action {
	return core.Action{
		Name: "unmask_many", Doc: "Is unmask for up to 1000 records, to whom a column profile lets unmask many. Records that are out of reach are left out.",
		Input:  append([]core.Column{required(text("table", "The table.")), {Name: "ids", Kind: core.UUID, List: true, Required: true, Doc: "The records."}}, unmaskInput...),
		Output: []core.Column{{Name: "records", Kind: core.Object, List: true, Required: true, Fields: unmaskedFields, Doc: "The records, by id."}},
		Secret: true, Personal: true, StepUp: true,
		Examples: []core.Example{{In: core.Record{"table": "employee", "ids": []any{"018f0000-0000-7000-8000-000000000001"}, "columns": []any{"ssn"}, "reason": "yearly report to the tax office"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			of := unmasking{table: c.Text("table"), columns: inputTexts(c, "columns"), reason: c.Text("reason"), as: authz.UnmaskMany}
			for _, id := range inputTexts(c, "ids") {
				of.ids = append(of.ids, core.ID(id))
			}
			shown, err := s.unmasked(ctx, of)
			if err != nil {
				return nil, core.E("tables.unmask_many", err)
			}
			list := []any{}
			for _, r := range shown {
				list = append(list, map[string]any(r))
			}
			return core.Record{"records": list}, nil
		},
	}
}

func inputTexts(c core.Call, name string) []string {
	list, _ := c.In[name].([]any)
	return textsOf(list)
}

// unmasked reads the values, and keeps in the access log who sees them before it returns them.
func (s *Store) unmasked(ctx context.Context, u unmasking) ([]core.Record, error) {
	const op = "tables.unmasked"
	snap := s.Snapshot()
	if tx := s.txFrom(ctx); tx != nil {
		snap = tx.snap
	}
	u.reason = strings.TrimSpace(u.reason)
	switch {
	case u.reason == "" || len([]rune(u.reason)) > maxReason:
		return nil, core.E(op, core.Invalid, core.At{Column: "reason"}, fmt.Sprintf("say why you need to see the values, in at most %d characters", maxReason))
	case len(u.columns) == 0:
		return nil, core.E(op, core.Invalid, core.At{Column: "columns"}, "name the columns")
	case len(u.ids) > MaxLimit:
		return nil, core.E(op, core.Limit, core.At{Column: "ids"}, fmt.Sprintf("at most %d records at a time", MaxLimit))
	}
	slices.Sort(u.columns)
	u.columns = slices.Compact(u.columns)
	p := &planner{snap: snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(u.table, core.Read)
	if err != nil {
		return nil, err
	}
	sel, err := n.open(u)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	b := db.New(s.db.Dialect)
	sel.answer(b)
	raw, err := s.conn(ctx).Answer(ctx, b, sel.shape, nil)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID     string          `json:"id"`
		Values json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, core.E(op, err)
	}
	out, ids := make([]core.Record, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		out[i], ids[i] = core.Record{"id": r.ID, "values": r.Values}, r.ID
	}
	return out, s.LogAccess(ctx, Access{Kind: AccessUnmask, Table: n.table, Records: ids, Data: map[string]any{"columns": u.columns, "reason": u.reason}})
}

// open plans the selection of the values in the records.
func (n *node) open(u unmasking) (*selection, error) {
	where, err := n.where(ByID(u.ids...))
	if err != nil {
		return nil, err
	}
	values := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	for _, name := range u.columns {
		r, err := n.unmask(name, u.as)
		if err != nil {
			return nil, err
		}
		values.add(db.ShapeField{Key: name, Kind: r.column.Kind}, r.write)
	}
	sel := &selection{shape: &db.Shape{Many: true}}
	sel.add(db.ShapeField{Key: "id", Kind: core.UUID}, func(b *db.Builder) { b.Name(n.alias, "id") })
	sel.add(db.ShapeField{Key: "values", JSON: true}, values.nest)
	sel.from = func(b *db.Builder) {
		b.Write(" FROM ")
		n.from(b)
		b.Write(" WHERE TRUE")
		n.scope(b)
		b.Write(" AND ")
		where(b)
		b.Write(" ORDER BY ").Name(n.alias, "id")
	}
	return sel, nil
}

// unmask is resolve for a value that the caller asks to see with a reason.
func (n *node) unmask(name string, as authz.Unmasking) (ref, error) {
	c, ok := n.table.Column(name)
	if !ok {
		return ref{}, n.unknown(name)
	}
	if visible, _ := n.may.Column(name); visible {
		return n.resolve(name)
	}
	may, guard := n.may.Unmask(name)
	mask, _ := n.may.Mask(name)
	switch {
	case may == authz.UnmaskNone && mask == nil:
		return ref{}, n.unknown(name)
	case may == authz.UnmaskNone:
		return ref{}, core.E("tables.unmask", core.Denied, core.At{Table: n.table.Name, Column: name}, "no column profile of yours lets you unmask this column: ask an administrator")
	case may < as:
		return ref{}, core.E("tables.unmask", core.Denied, core.At{Table: n.table.Name, Column: name}, "your column profiles let you unmask this column in one record at a time: use the action unmask, or ask an administrator")
	}
	within, err := n.derived(c)
	if err != nil {
		return ref{}, err
	}
	return ref{c, n.guarded(guard, within, func(b *db.Builder) { n.raw(b, c) }), false}, nil
}
