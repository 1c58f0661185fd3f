package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/tables"
)

// condition is a <table>_bool_exp as a condition. A null in it would be a condition that silently is none, so it is refused.
func condition(r *rows, o object) (tables.Cond, error) {
	all := make(tables.And, 0, len(o))
	for _, m := range o {
		one, err := term(r, m)
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

func term(r *rows, m member) (tables.Cond, error) {
	if m.value == nil {
		return nil, wrong("null is no condition: leave the field out")
	}
	switch m.name {
	case "_and":
		all, err := conditions(r, m.value.([]any))
		return tables.And(all), err
	case "_or":
		any, err := conditions(r, m.value.([]any))
		return tables.Or(any), err
	case "_not":
		inner, err := condition(r, m.value.(object))
		return tables.Not{Cond: inner}, err
	}
	f := r.fields[m.name]
	if f.column == nil {
		inner, err := condition(f.to, m.value.(object))
		return tables.Related{Relation: f.relation, Where: inner}, err
	}
	return comparisons(f.column.Name, m.value.(object))
}

func conditions(r *rows, list []any) ([]tables.Cond, error) {
	out := make([]tables.Cond, len(list))
	for i, item := range list {
		var err error
		if out[i], err = condition(r, item.(object)); err != nil {
			return nil, within(index(i), err)
		}
	}
	return out, nil
}

func comparisons(column string, o object) (tables.Cond, error) {
	all := make(tables.And, 0, len(o))
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null compares with nothing: use _is_null"))
		}
		all = append(all, tables.Compare{Column: column, Op: compareOps[m.name], Value: m.value})
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// sortOrder is a list of <table>_order_by as a sort order.
func sortOrder(r *rows, list []any) (out []tables.Order, err error) {
	for i, item := range list {
		if out, err = appendOrder(out, r, nil, item.(object)); err != nil {
			return nil, within(index(i), err)
		}
	}
	return out, nil
}

func appendOrder(out []tables.Order, r *rows, path []string, o object) (_ []tables.Order, err error) {
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null is no sort order: leave the field out"))
		}
		f := r.fields[m.name]
		if f.column != nil {
			order := sortOrders[m.value.(string)]
			order.Column, order.Relation = f.column.Name, path
			out = append(out, order)
			continue
		}
		inner := append(path[:len(path):len(path)], f.relation)
		if out, err = appendOrder(out, f.to, inner, m.value.(object)); err != nil {
			return nil, within("."+m.name, err)
		}
	}
	return out, nil
}

// objectOf returns the object that a type is, wrapped or not.
func objectOf(t gql.Type) *gql.Object { return gql.GetNamed(t).(*gql.Object) }
