package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/tables"
)

const comparisonSuffix = "_comparison_exp"

// comparedScalars are the scalars of columns, each with a type of its operators.
var comparedScalars = []string{"Boolean", "String", "bigint", "date", "float8", "jsonb", "numeric", "timestamptz", "uuid"}

// operators are the comparisons, in the order of their documentation.
var operators = []struct {
	name string
	op   tables.CompareOp
	has  func(scalar string) bool
	doc  string
}{
	{"_eq", tables.Eq, everything, "Equal."},
	{"_neq", tables.NotEq, everything, "Not equal."},
	{"_gt", tables.Gt, ordered, "Greater."},
	{"_gte", tables.Gte, ordered, "Greater or equal."},
	{"_lt", tables.Lt, ordered, "Less."},
	{"_lte", tables.Lte, ordered, "Less or equal."},
	{"_in", tables.In, everything, "Equal to one of them; an empty list never holds."},
	{"_nin", tables.NotIn, everything, "Equal to none of them."},
	{"_is_null", tables.IsNull, everything, "Without a value (true), or with one (false)."},
	{"_between", tables.Between, ordered, "Not less than the first, and not greater than the second."},
	{"_like", tables.Like, texts, "Like a pattern: % stands for any characters, _ for one."},
	{"_nlike", tables.NotLike, texts, "Not like a pattern."},
	{"_ilike", tables.ILike, texts, "Like a pattern, in upper or lower case."},
	{"_nilike", tables.NotILike, texts, "Not like a pattern, in upper or lower case."},
	{"_starts_with", tables.StartsWith, texts, "Begins with it."},
}

func everything(string) bool   { return true }
func ordered(s string) bool    { return s != "Boolean" && s != "jsonb" }
func texts(scalar string) bool { return scalar == "String" }

// compareOps finds an operator by its name.
var compareOps = func() map[string]tables.CompareOp {
	out := map[string]tables.CompareOp{}
	for _, o := range operators {
		out[o.name] = o.op
	}
	return out
}()

// sortOrders are the values of the enum order_by.
var sortOrders = map[string]tables.Order{
	"asc":              {},
	"asc_nulls_first":  {NullsFirst: true, NullsSet: true},
	"asc_nulls_last":   {NullsSet: true},
	"desc":             {Desc: true},
	"desc_nulls_first": {Desc: true, NullsFirst: true, NullsSet: true},
	"desc_nulls_last":  {Desc: true, NullsSet: true},
}

// declareCommon declares the types that every table uses.
func (b *builder) declareCommon() {
	docs := map[string]string{
		"asc": "In ascending order, nulls last.", "asc_nulls_first": "In ascending order, nulls first.", "asc_nulls_last": "In ascending order, nulls last.",
		"desc": "In descending order, nulls first.", "desc_nulls_first": "In descending order, nulls first.", "desc_nulls_last": "In descending order, nulls last.",
	}
	values := gql.EnumValueConfigMap{}
	for name := range sortOrders {
		values[name] = &gql.EnumValueConfig{Value: name, Description: docs[name]}
	}
	b.orderBy = gql.NewEnum(gql.EnumConfig{Name: "order_by", Description: "A sort order.", Values: values})
	for _, name := range comparedScalars {
		typ := scalars[name].Scalar
		fields := gql.InputObjectConfigFieldMap{}
		for _, o := range operators {
			if !o.has(name) {
				continue
			}
			f := &gql.InputObjectFieldConfig{Type: typ, Description: o.doc}
			switch o.op {
			case tables.In, tables.NotIn, tables.Between:
				f.Type = listOf(typ)
			case tables.IsNull:
				f.Type = gql.Boolean
			}
			fields[o.name] = f
		}
		b.compares[name] = gql.NewInputObject(gql.InputObjectConfig{
			Name: name + comparisonSuffix, Fields: fields, Description: "Conditions on a " + name + ": all of them must hold.",
		})
	}
}
