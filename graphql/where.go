package graphql

import (
	"strconv"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// condition is a <table>_bool_exp as a condition. A null in it would be a condition that silently is none, so it is refused.
func (c *compiler) condition(r *rows, o object) (tables.Cond, error) {
	all := make(tables.And, 0, len(o))
	for _, m := range o {
		one, err := c.term(r, m)
		if err != nil {
			return nil, within("."+m.name, err)
		}
		all = append(all, one)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (c *compiler) term(r *rows, m member) (tables.Cond, error) {
	if m.value == nil {
		return nil, wrong("null is no condition: leave the field out")
	}
	if err := c.countTerm(); err != nil {
		return nil, err
	}
	switch m.name {
	case "_and":
		all, err := c.conditions(r, m.value.([]any))
		return tables.And(all), err
	case "_or":
		any, err := c.conditions(r, m.value.([]any))
		return tables.Or(any), err
	case "_not":
		inner, err := c.condition(r, m.value.(object))
		return tables.Not{Cond: inner}, err
	case "_search":
		return tables.Search{Text: m.value.(string)}, nil
	}
	f := r.fields[m.name]
	if f.union != nil {
		return c.targets(f, m.value.(object))
	}
	if f.column == nil {
		if err := c.deeper(); err != nil {
			return nil, err
		}
		defer func() { c.steps-- }()
		if f.aggregate {
			return c.aggregateCondition(f.to, f.relation, m.value.(object))
		}
		inner, err := c.condition(f.to, m.value.(object))
		return tables.Related{Relation: f.relation, Where: inner}, err
	}
	if f.column.Kind.Info().File {
		return c.files(f.column.Name, m.value.(object))
	}
	return c.comparisons(f.column.Name, m.value.(object))
}

// deeper counts a relation that a condition follows.
func (c *compiler) deeper() error {
	if c.steps++; c.steps > c.limits.Depth {
		return &inputError{kind: core.Limit, msg: "the condition follows more than " + strconv.Itoa(c.limits.Depth) + " relations, one after the other"}
	}
	return nil
}

func (c *compiler) conditions(r *rows, list []any) ([]tables.Cond, error) {
	out := make([]tables.Cond, len(list))
	for i, item := range list {
		var err error
		if out[i], err = c.condition(r, item.(object)); err != nil {
			return nil, within(index(i), err)
		}
	}
	return out, nil
}

func (c *compiler) comparisons(column string, o object) (tables.Cond, error) {
	list, err := c.compares(column, o)
	if err != nil {
		return nil, err
	}
	all := make(tables.And, len(list))
	for i, one := range list {
		all[i] = one
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// compares is what a <type>_comparison_exp asks of a value.
func (c *compiler) compares(column string, o object) ([]tables.Compare, error) {
	all := make([]tables.Compare, 0, len(o))
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null compares with nothing: use _is_null"))
		}
		if err := c.countTerm(); err != nil {
			return nil, err
		}
		if m.name == "_cast" {
			texts, err := c.casts(column, m.value.(object))
			if err != nil {
				return nil, within("._cast", err)
			}
			all = append(all, texts...)
			continue
		}
		all = append(all, tables.Compare{Column: column, Op: compareOps[m.name], Value: m.value})
	}
	return all, nil
}

// casts is what a <type>_cast_exp asks of a value as another type.
func (c *compiler) casts(column string, o object) (all []tables.Compare, err error) {
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null is no condition: leave the field out"))
		}
		if all, err = c.compares(column, m.value.(object)); err != nil {
			return nil, within("."+m.name, err)
		}
	}
	for i := range all {
		all[i].Text = true
	}
	return all, nil
}

// sortOrder is a list of <table>_order_by as a sort order.
func (c *compiler) sortOrder(r *rows, list []any) (out []tables.Order, err error) {
	for i, item := range list {
		if out, err = c.appendOrder(out, r, nil, item.(object)); err != nil {
			return nil, within(index(i), err)
		}
	}
	return out, nil
}

func (c *compiler) appendOrder(out []tables.Order, r *rows, path []string, o object) (_ []tables.Order, err error) {
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null is no sort order: leave the field out"))
		}
		if err := c.countTerm(); err != nil {
			return nil, err
		}
		f := r.fields[m.name]
		if f.column != nil || f.rank {
			order := sortOrders[m.value.(string)]
			order.Rank, order.Relation = f.rank, path
			if f.column != nil {
				order.Column = f.column.Name
			}
			out = append(out, order)
			continue
		}
		if len(path) >= c.limits.Depth {
			return nil, &inputError{kind: core.Limit, msg: "the sort order follows more than " + strconv.Itoa(c.limits.Depth) + " relations, one after the other"}
		}
		if f.aggregate {
			if out, err = c.appendAggregateOrder(out, tables.Order{Relation: path, Children: f.relation}, m.value.(object)); err != nil {
				return nil, within("."+m.name, err)
			}
			continue
		}
		inner := append(path[:len(path):len(path)], f.relation)
		if out, err = c.appendOrder(out, f.to, inner, m.value.(object)); err != nil {
			return nil, within("."+m.name, err)
		}
	}
	return out, nil
}

// countTerm counts a term of a condition or a sort order, of which a database plans only so many.
func (c *compiler) countTerm() error {
	if c.terms++; c.terms > c.limits.Terms {
		return &inputError{kind: core.Limit, msg: "the conditions and sort orders of the request have more than " + strconv.Itoa(c.limits.Terms) + " terms: compare with a list by _in"}
	}
	return nil
}

// objectOf returns the object that a type is, wrapped or not.
func objectOf(t gql.Type) *gql.Object { return gql.GetNamed(t).(*gql.Object) }
