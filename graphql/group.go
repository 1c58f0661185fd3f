package graphql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// groupSuffix is what the name of a list of groups ends with. "_group" would be taken by tables such as product_group, which often
// stand beside product.
const groupSuffix = "_grouped"

// declareGroupCommon declares how times are grouped by.
func (b *builder) declareGroupCommon() {
	periods := map[string]string{}
	for _, p := range []string{"year", "quarter", "month", "day", "hour"} {
		periods[p] = "Since when the " + p + " began."
	}
	periods["week"] = "Since Monday."
	b.period = gql.NewInputObject(gql.InputObjectConfig{Name: "time_group_by", Description: "How to group by a time.", Fields: gql.InputObjectConfigFieldMap{
		"period":    {Type: enum("time_period", "A period of the calendar, or an hour of the clock.", periods), Description: "Times in the same period are one group, and its key is when it began; without one, equal times are."},
		"time_zone": {Type: gql.String, Description: "Of moments: whose calendar and clock count, such as \"Europe/Berlin\"; UTC when left out."},
	}})
}

// declareGroup declares the types of groups of a table, yet without its relations.
func (b *builder) declareGroup(r *rows) error {
	n := r.table.Name + groupSuffix
	owner, at := "the table "+r.table.Name, core.At{Table: r.table.Name}
	if err := claim(b.names, "type", owner, at, n, n+"_key", n+"_by", n+"_order_by"); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, n); err != nil {
		return err
	}
	r.keyFields, r.byFields = gql.Fields{}, gql.InputObjectConfigFieldMap{}
	for i := range r.table.Columns {
		c := &r.table.Columns[i]
		switch {
		case c.Kind == core.Date || c.Kind == core.Timestamp || c.Kind == core.DateTime:
			r.byFields[c.Name] = &gql.InputObjectFieldConfig{Type: b.period, Description: columnDoc(c)}
		case c.Kind.Info().Ordered || c.Kind == core.Boolean:
			r.byFields[c.Name] = &gql.InputObjectFieldConfig{Type: gql.Boolean, Description: columnDoc(c)}
		default:
			continue
		}
		r.keyFields[c.Name] = &gql.Field{Type: columnType(c), Description: columnDoc(c)}
	}
	r.groupKey = gql.NewObject(gql.ObjectConfig{Name: n + "_key", Fields: objectFields(r.keyFields), Description: "What the records of a group have in common: only what they are grouped by can be asked for."})
	r.groupBy = gql.NewInputObject(gql.InputObjectConfig{Name: n + "_by", Fields: inputFields(r.byFields), Description: "What to group records of " + r.table.Name + " by: columns with true or, of times, {period: month}; and those of records that they look up."})
	r.group = gql.NewObject(gql.ObjectConfig{Name: n, Description: "A group of records of " + r.table.Name + ".", Fields: gql.Fields{
		"key": {Type: required(r.groupKey)}, "aggregate": {Type: required(r.functions)},
	}})
	return nil
}

// groupQuery declares the list of groups of a table.
func (b *builder) groupQuery(r *rows) *gql.Field {
	n := r.table.Name + groupSuffix
	order := gql.NewInputObject(gql.InputObjectConfig{Name: n + "_order_by", Description: "How to sort groups.", Fields: gql.InputObjectConfigFieldMap{
		"key": {Type: r.orderBy, Description: "By something that they are grouped by."}, "aggregate": {Type: r.aggregateOrder, Description: "By a value over the records of each."},
	}})
	return &gql.Field{Type: required(listOf(r.group)), Description: "Groups of records of " + r.table.Name + ", with values over the records of each.", Args: gql.FieldConfigArgument{
		"by":       {Type: required(listOf(r.groupBy)), Description: "What to group by."},
		"where":    {Type: r.where, Description: "Only records that meet it."},
		"having":   {Type: r.aggregateWhere, Description: "Only groups that meet it."},
		"order_by": {Type: listOf(order), Description: "The sort order, the first term first; the keys are always its last."},
		"limit":    {Type: gql.Int, Description: "How many groups at most."},
		"offset":   {Type: gql.Int, Description: "How many groups to pass over."},
	}}
}

// compileGroups compiles a list of groups.
func (c *compiler) compileGroups(q *tables.Query, r *rows, f *selected, args object) error {
	q.Form = tables.Groups
	by, _ := args.get("by")
	for i, item := range by.([]any) {
		if err := c.appendKeys(q, r, nil, item.(object)); err != nil {
			return within(".by"+index(i), err)
		}
	}
	if len(q.Keys) == 0 {
		return within(".by", wrong("say what to group by, such as {created_at: {period: month}}"))
	}
	if err := c.list(q, r, without(args, "by", "having", "order_by")); err != nil {
		return err
	}
	if having, _ := args.get("having"); having != nil {
		var err error
		if q.Having, err = c.aggregateCondition(r, "", having.(object)); err != nil {
			return within(".having", err)
		}
	}
	if order, _ := args.get("order_by"); order != nil {
		for i, item := range order.([]any) {
			if err := c.appendGroupOrder(q, r, item.(object)); err != nil {
				return within(".order_by"+index(i), err)
			}
		}
	}
	fields, err := c.collect(f.sets)
	if err != nil {
		return err
	}
	q.Fields = make([]tables.Field, len(fields))
	for i, s := range fields {
		to := &q.Fields[i]
		to.As = s.key
		switch s.name {
		case typename:
			to.Text = r.group.Name()
		case "key":
			to.Group, err = c.selectKeys(q.Keys, r, nil, s)
		default:
			to.Group, err = c.selectFunctions(r, s)
		}
		if err != nil {
			return nested(s, err)
		}
	}
	return nil
}

// appendKeys is a <table>_grouped_by as keys.
func (c *compiler) appendKeys(q *tables.Query, r *rows, path []string, o object) error {
	for _, m := range o {
		if m.value == nil || m.value == false {
			return within("."+m.name, wrong("leave out what is not to be grouped by"))
		}
		if err := c.countTerm(); err != nil {
			return err
		}
		f := r.fields[m.name]
		if f.column == nil {
			if len(path) >= c.limits.Depth {
				return &inputError{kind: core.Limit, msg: fmt.Sprintf("the key follows more than %d relations, one after the other", c.limits.Depth)}
			}
			if err := c.appendKeys(q, f.to, append(path[:len(path):len(path)], f.relation), m.value.(object)); err != nil {
				return within("."+m.name, err)
			}
			continue
		}
		k := tables.Key{Relation: path, Column: m.name}
		if o, ok := m.value.(object); ok {
			period, _ := o.get("period")
			zone, _ := o.get("time_zone")
			k.Period, _ = period.(string)
			k.Zone, _ = zone.(string)
		}
		if keyAt(q.Keys, path, m.name) > 0 {
			return within("."+m.name, wrong("the records are grouped by it already: a key is there once"))
		}
		q.Keys = append(q.Keys, k)
	}
	return nil
}

// keyAt returns which of the keys is the column, counted from 1; 0 for none.
func keyAt(keys []tables.Key, path []string, column string) int {
	return 1 + slices.IndexFunc(keys, func(k tables.Key) bool { return k.Column == column && slices.Equal(k.Relation, path) })
}

// errNoKey says that something is no key of the groups.
func errNoKey(path []string, column string) error {
	return wrong("the records are not grouped by %s: name it in by", strings.Join(append(slices.Clone(path), column), "."))
}

// appendGroupOrder takes over terms of the order of groups.
func (c *compiler) appendGroupOrder(q *tables.Query, r *rows, o object) (err error) {
	for _, m := range o {
		if m.value == nil {
			return within("."+m.name, wrong("null is no sort order: leave the field out"))
		}
		if m.name == "aggregate" {
			if q.Order, err = c.appendAggregateOrder(q.Order, tables.Order{}, m.value.(object)); err != nil {
				return within(".aggregate", err)
			}
			continue
		}
		terms, err := c.appendOrder(nil, r, nil, m.value.(object))
		if err != nil {
			return within(".key", err)
		}
		for _, t := range terms {
			if t.Key = keyAt(q.Keys, t.Relation, t.Column); t.Key == 0 || t.Children != "" {
				return within(".key", errNoKey(t.Relation, t.Column))
			}
			q.Order = append(q.Order, t)
		}
	}
	return nil
}

// selectKeys takes over which keys of a group are asked for.
func (c *compiler) selectKeys(keys []tables.Key, r *rows, path []string, of *selected) ([]tables.Field, error) {
	fields, err := c.collect(of.sets)
	if err != nil {
		return nil, err
	}
	out := make([]tables.Field, len(fields))
	for i, s := range fields {
		out[i].As = s.key
		f := r.fields[s.name]
		switch {
		case s.name == typename:
			out[i].Text = r.groupKey.Name()
		case f.column == nil:
			out[i].Group, err = c.selectKeys(keys, f.to, append(path[:len(path):len(path)], f.relation), s)
		default:
			if out[i].Key = keyAt(keys, path, s.name); out[i].Key == 0 {
				err = errNoKey(path, s.name)
			}
		}
		if err != nil {
			return nil, nested(s, err)
		}
	}
	return out, nil
}

// readGroups compiles the field of a list of groups.
func (c *compiler) readGroups(store *tables.Store, f *selected, r *root, args object) (*step, error) {
	q := tables.Query{Table: r.rows.table.Name}
	if err := c.compileGroups(&q, r.rows, f, args); err != nil {
		return nil, err
	}
	c.rows = saturate(c.rows + rowsOf(&q, 1))
	s := newStep(f)
	s.query = &q
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		return store.Query(ctx, in.snap, q, dst)
	}
	return s, nil
}
