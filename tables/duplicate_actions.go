package tables

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
)

var duplicateInput = []core.Column{
	required(text("name", "The name of the rule; a duplicate rule of that name is replaced.")),
	text("doc", "Why the rule is there."),
	{Name: "order", Kind: core.Integer, Doc: "Rules are asked in ascending order."},
	required(core.Column{Name: "columns", Kind: core.Object, List: true, Doc: "What must be the same in two records. A record with nothing in one of them is like no other.", Fields: []core.Column{
		required(text("column", "The column.")),
		text("compare", "exact (the default), or of texts: words, code, email, phone, name, full_name, organisation, address."),
		text("region", "Of phone: the country of numbers without one, such as DE."),
	}}),
	text("when", "A condition over the record, which both must meet; always when left out."),
	text("scope", "table (the default), or unit: only records of the same business unit."),
	text("do", "warn (the default): the writer is told; block: the record is refused."),
}

func (s *Store) putDuplicateRule() core.Action {
	input := append([]core.Column{required(text("table", "The table."))}, duplicateInput...)
	return s.define("put_duplicate_rule", "Adds or replaces a duplicate rule, which finds records that mean the same when one is written. The records that are there are compared too, "+
		"those of a large table after the change; _duplicate_index tells how far it is.", input, func(in core.Record) (core.Change, error) {
		var r core.DuplicateRule
		table, _ := in["table"].(string)
		in = in.Clone()
		delete(in, "table")
		err := decodeInput(in, &r)
		return core.PutDuplicateRule{On: table, Put: r}, err
	}, core.Example{Doc: "Nobody is there twice.", In: core.Record{"table": "customer", "name": "same person", "do": "block", "columns": []any{
		map[string]any{"column": "name", "compare": "full_name"}, map[string]any{"column": "phone", "compare": "phone", "region": "DE"},
	}}})
}

func (s *Store) dropDuplicateRule() core.Action {
	input := []core.Column{required(text("table", "The table.")), required(text("name", "The rule."))}
	return s.define("drop_duplicate_rule", "Removes a duplicate rule.", input, func(in core.Record) (core.Change, error) {
		table, _ := in["table"].(string)
		name, _ := in["name"].(string)
		return core.DropPart{Part: core.PartDuplicate, Of: table, Name: name}, nil
	}, core.Example{In: core.Record{"table": "customer", "name": "same person"}})
}

// Limits of find_duplicates.
const (
	defaultGroups = 20
	maxGroups     = 100
	maxMembers    = 100 // records that one group shows
)

func (s *Store) findDuplicates() core.Action {
	return core.Action{
		Name: "find_duplicates", Doc: "Lists the records that a duplicate rule says are the same, as far as the caller may read them, in groups. merge_<table> makes one of them.",
		Input: []core.Column{
			required(text("table", "The table.")), required(text("rule", "The duplicate rule.")),
			{Name: "limit", Kind: core.Integer, Doc: "How many groups at most, 1 to 100; 20 when left out."},
			text("after", "What next was in the answer before."),
		},
		Output: []core.Column{
			{Name: "groups", Kind: core.Object, List: true, Required: true, Doc: "The groups.", Fields: []core.Column{
				{Name: "count", Kind: core.Integer, Doc: "How many records are the same."},
				{Name: "records", Kind: core.UUID, List: true, Doc: "The records, the oldest id first; at most 100."},
			}},
			text("next", "Where the next groups begin; null when there are no more."),
			text("state", "ready, or filling: not all records are compared yet."),
		},
		Examples: []core.Example{{In: core.Record{"table": "customer", "rule": "same person"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.duplicateGroups(ctx, c)
			return out, core.E("tables.find_duplicates", err)
		},
	}
}

// duplicateGroups answers find_duplicates.
func (s *Store) duplicateGroups(ctx context.Context, c core.Call) (out core.Record, err error) {
	limit := c.Int("limit", defaultGroups)
	if limit < 1 || limit > maxGroups {
		return nil, core.E("tables.duplicateGroups", core.Invalid, core.At{Column: "limit"}, fmt.Sprintf("limit is 1 to %d", maxGroups))
	}
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		p := &planner{snap: tx.snap, caller: core.CallerFrom(ctx)}
		n, err := p.node(c.Text("table"), core.Read)
		if err != nil {
			return err
		}
		rules := tx.snap.duplicates[n.table.Name]
		i := slices.IndexFunc(rules, func(r *duplicateRule) bool { return r.Name == c.Text("rule") })
		if i < 0 || !n.readsRule(rules[i]) {
			return core.E("tables.duplicateGroups", core.NotFound, core.At{Table: n.table.Name, Rule: c.Text("rule")}, "the table has no such duplicate rule over columns that you may read")
		}
		out, err = tx.groups(ctx, n, rules[i], int(limit), c.Text("after"))
		return err
	})
	return out, err
}

// groups returns the groups of a rule that begin after a place.
func (tx *Tx) groups(ctx context.Context, n *node, r *duplicateRule, limit int, after string) (core.Record, error) {
	b := db.New(tx.db.Dialect).Write("SELECT d.value, count(*) FROM ")
	n.likeness(b, func() { b.Write("d.rule = ").Arg(r.key).Write(" AND d.value > ").Arg(after) })
	b.Write(" GROUP BY d.value HAVING count(*) > 1 ORDER BY d.value LIMIT ", strconv.Itoa(limit+1))
	var values []string
	counts := map[string]int64{}
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var value string
		var count int64
		err := scan(&value, &count)
		values, counts[value] = append(values, value), count
		return err
	})
	if err != nil {
		return nil, err
	}
	out := core.Record{"groups": []any{}, "next": nil}
	if len(values) > limit {
		values = values[:limit]
		out["next"] = values[limit-1]
	}
	members, err := tx.members(ctx, n, r, values)
	if err != nil {
		return nil, err
	}
	groups := make([]any, len(values))
	for i, v := range values {
		groups[i] = map[string]any{"count": counts[v], "records": members[v]}
	}
	out["groups"] = groups
	b = db.New(tx.db.Dialect).Write(`SELECT state FROM "_duplicate_index" WHERE rule_key = `).Arg(r.key)
	return out, tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var state string
		err := scan(&state)
		out["state"] = state
		return err
	})
}

// members returns the first records of the groups with these values.
func (tx *Tx) members(ctx context.Context, n *node, r *duplicateRule, values []string) (map[string][]any, error) {
	out := map[string][]any{}
	if len(values) == 0 {
		return out, nil
	}
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	b := db.New(tx.db.Dialect).Write("SELECT value, record_id FROM (SELECT d.value, d.record_id, row_number() OVER (PARTITION BY d.value ORDER BY d.record_id) AS place FROM ")
	n.likeness(b, func() {
		b.Write("d.rule = ").Arg(r.key).Write(" AND ")
		b.Dialect().AnyOf(b, duplicateColumns[1], func() { b.Write("d.value") }, list)
	})
	b.Write(fmt.Sprintf(") AS found WHERE place <= %d ORDER BY value, record_id", maxMembers))
	return out, tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var value string
		var id core.ID
		err := scan(&value, &id)
		out[value] = append(out[value], string(id))
		return err
	})
}
