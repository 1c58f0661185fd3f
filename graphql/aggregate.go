package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// comparedFunctions are the functions over numbers that a condition on an aggregate compares.
var comparedFunctions = []string{"avg", "max", "min", "stddev_samp", "sum", "var_samp"}

// declareComparisons declares conditions on values over records of a table, and sort orders by them.
func (b *builder) declareComparisons(r *rows) error {
	n := r.table.Name
	where, order := n+"_aggregate_bool_exp", n+"_aggregate_order_by"
	names := []string{where, where + "_count", order}
	numbers, truths := gql.EnumValueConfigMap{}, gql.EnumValueConfigMap{}
	byNumber, byValue := gql.InputObjectConfigFieldMap{}, gql.InputObjectConfigFieldMap{}
	for i := range r.table.Columns {
		c := &r.table.Columns[i]
		info := c.Kind.Info()
		if spreads(info) {
			numbers[c.Name] = &gql.EnumValueConfig{Value: c.Name, Description: columnDoc(c)}
			byNumber[c.Name] = &gql.InputObjectFieldConfig{Type: b.orderBy}
		}
		if c.Kind == core.Boolean {
			truths[c.Name] = &gql.EnumValueConfig{Value: c.Name, Description: columnDoc(c)}
		}
		if info.Ordered {
			byValue[c.Name] = &gql.InputObjectFieldConfig{Type: b.orderBy}
		}
	}
	compared := func(columns gql.Input, predicate string) gql.InputObjectConfigFieldMap {
		return gql.InputObjectConfigFieldMap{
			"arguments": {Type: columns, Description: "What it is made of."},
			"filter":    {Type: r.where, Description: "Only records that meet it."},
			"predicate": {Type: required(b.compares[predicate]), Description: "What the value is compared with."},
		}
	}
	count := compared(listOf(r.selectColumn), "Int")
	count["distinct"] = &gql.InputObjectFieldConfig{Type: gql.Boolean, Description: "Records that are equal in all of arguments count once."}
	conditions := gql.InputObjectConfigFieldMap{
		"count": {Type: gql.NewInputObject(gql.InputObjectConfig{Name: where + "_count", Fields: inputFields(count), Description: "How many records there are; with arguments, how many where one of them is not null."})},
	}
	orders := gql.InputObjectConfigFieldMap{"count": {Type: b.orderBy}}
	if len(numbers) > 0 {
		names = append(names, where+"_numbers", n+"_aggregate_number_column", order+"_numbers")
		columns := gql.NewEnum(gql.EnumConfig{Name: n + "_aggregate_number_column", Values: numbers, Description: "The columns of " + n + " that are numbers."})
		of := gql.NewInputObject(gql.InputObjectConfig{Name: where + "_numbers", Fields: inputFields(compared(required(columns), "numeric")), Description: "A value over numbers; it is null over none."})
		for _, f := range comparedFunctions {
			conditions[f] = &gql.InputObjectFieldConfig{Type: of}
		}
		by := gql.NewInputObject(gql.InputObjectConfig{Name: order + "_numbers", Fields: inputFields(byNumber)})
		for _, f := range functions {
			orders[f.name] = &gql.InputObjectFieldConfig{Type: by}
		}
	}
	if len(byValue) > 0 {
		names = append(names, order+"_values")
		by := gql.NewInputObject(gql.InputObjectConfig{Name: order + "_values", Fields: inputFields(byValue)})
		orders["min"], orders["max"] = &gql.InputObjectFieldConfig{Type: by}, &gql.InputObjectFieldConfig{Type: by}
	}
	if len(truths) > 0 {
		names = append(names, where+"_booleans", n+"_aggregate_boolean_column")
		columns := gql.NewEnum(gql.EnumConfig{Name: n + "_aggregate_boolean_column", Values: truths, Description: "The columns of " + n + " that are true or false."})
		of := gql.NewInputObject(gql.InputObjectConfig{Name: where + "_booleans", Fields: inputFields(compared(required(columns), "Boolean")), Description: "Whether all are true, or one is; it is null over none."})
		conditions["bool_and"], conditions["bool_or"] = &gql.InputObjectFieldConfig{Type: of}, &gql.InputObjectFieldConfig{Type: of}
	}
	if err := claim(b.names, "type", "the table "+n, core.At{Table: n}, names...); err != nil {
		return err
	}
	r.aggregateWhere = gql.NewInputObject(gql.InputObjectConfig{Name: where, Fields: inputFields(conditions), Description: "Conditions on values over records of " + n + ": all of them must hold."})
	conditions["_and"] = &gql.InputObjectFieldConfig{Type: listOf(r.aggregateWhere), Description: "All of them hold."}
	conditions["_or"] = &gql.InputObjectFieldConfig{Type: listOf(r.aggregateWhere), Description: "One of them holds; an empty list never does."}
	conditions["_not"] = &gql.InputObjectFieldConfig{Type: r.aggregateWhere, Description: "It does not hold."}
	r.aggregateOrder = gql.NewInputObject(gql.InputObjectConfig{Name: order, Fields: inputFields(orders), Description: "How to sort by values over records of " + n + "."})
	return nil
}

// aggregateCondition is a <table>_aggregate_bool_exp as a condition on the records that a relation leads to; without one, on those
// of a group.
func (c *compiler) aggregateCondition(r *rows, relation string, o object) (tables.Cond, error) {
	all := make(tables.And, 0, len(o))
	for _, m := range o {
		one, err := c.aggregateTerm(r, relation, m)
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

func (c *compiler) aggregateTerm(r *rows, relation string, m member) (tables.Cond, error) {
	if m.value == nil {
		return nil, wrong("null is no condition: leave the field out")
	}
	if err := c.countTerm(); err != nil {
		return nil, err
	}
	switch m.name {
	case "_and", "_or":
		list := m.value.([]any)
		all := make([]tables.Cond, len(list))
		for i, item := range list {
			var err error
			if all[i], err = c.aggregateCondition(r, relation, item.(object)); err != nil {
				return nil, within(index(i), err)
			}
		}
		if m.name == "_or" {
			return tables.Or(all), nil
		}
		return tables.And(all), nil
	case "_not":
		inner, err := c.aggregateCondition(r, relation, m.value.(object))
		return tables.Not{Cond: inner}, err
	}
	out := tables.Aggregated{Relation: relation, Of: tables.Function{Name: functionOf(m.name)}}
	for _, part := range m.value.(object) {
		if part.value == nil { // as good as not given
			continue
		}
		var err error
		switch part.name {
		case "arguments":
			out.Of.Columns = enumNames(part.value)
		case "distinct":
			out.Of.Distinct = part.value.(bool)
		case "filter":
			out.Of.Where, err = c.condition(r, part.value.(object))
		case "predicate":
			out.Is, err = c.compares("", part.value.(object))
		}
		if err != nil {
			return nil, within("."+part.name, err)
		}
	}
	if out.Of.Distinct && len(out.Of.Columns) == 0 {
		return nil, within(".distinct", wrong("records differ by columns: name some in arguments"))
	}
	return out, nil
}

// enumNames returns the values of an enum, one or a list.
func enumNames(v any) (out []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		out = append(out, item.(string))
	}
	return out
}

// appendAggregateOrder is a <table>_aggregate_order_by as terms of a sort order; of has what they have in common.
func (c *compiler) appendAggregateOrder(out []tables.Order, of tables.Order, o object) (_ []tables.Order, err error) {
	for _, m := range o {
		columns, several := m.value.(object)
		if !several {
			columns = object{{"", m.value}}
		}
		for _, by := range columns {
			place := "." + m.name
			if several {
				place += "." + by.name
			}
			if by.value == nil {
				return nil, within(place, wrong("null is no sort order: leave the field out"))
			}
			if err := c.countTerm(); err != nil {
				return nil, within(place, err)
			}
			term := sortOrders[by.value.(string)]
			term.Relation, term.Children = of.Relation, of.Children
			term.Func, term.Column = functionOf(m.name), by.name
			out = append(out, term)
		}
	}
	return out, nil
}
