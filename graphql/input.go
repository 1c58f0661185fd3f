package graphql

import (
	"slices"
	"strings"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

const comparisonSuffix = "_comparison_exp"

// choicesType is the type of several texts, in the name of its operators.
const choicesType = "String_array"

// comparedTypes are the types of columns and of counts, each with a type of its operators.
var comparedTypes = []string{"Boolean", "Int", "String", choicesType, "bigint", "date", "float8", "interval", "jsonb", "numeric", "timestamp", "timestamptz", "uuid"}

// comparedType is the name of the type of the values of a kind.
func comparedType(k core.KindInfo) string {
	if k.Many {
		return k.GraphQL + "_array"
	}
	return k.GraphQL
}

// scalarOf returns the scalar of a compared type.
func scalarOf(name string) *gql.Scalar { return scalars[strings.TrimSuffix(name, "_array")].Scalar }

// operators are the comparisons, in the order of their documentation.
var operators = []struct {
	name string
	op   tables.CompareOp
	has  func(typ string) bool
	doc  string
}{
	{"_eq", tables.Eq, everything, "Equal."},
	{"_neq", tables.NotEq, everything, "Not equal."},
	{"_gt", tables.Gt, ordered, "Greater."},
	{"_gte", tables.Gte, ordered, "Greater or equal."},
	{"_lt", tables.Lt, ordered, "Less."},
	{"_lte", tables.Lte, ordered, "Less or equal."},
	{"_in", tables.In, single, "Equal to one of them; an empty list never holds."},
	{"_nin", tables.NotIn, single, "Equal to none of them."},
	{"_is_null", tables.IsNull, everything, "Without a value (true), or with one (false)."},
	{"_between", tables.Between, ordered, "Not less than the first, and not greater than the second."},
	{"_rel_date", tables.RelDate, calendar, "In a range relative to now: today, this_month, last_week, last_30_days, next_2_hours; \" in \" and a time zone may follow, as in \"today in Europe/Berlin\"."},
	{"_like", tables.Like, texts, "Like a pattern: % stands for any characters, _ for one."},
	{"_nlike", tables.NotLike, texts, "Not like a pattern."},
	{"_ilike", tables.ILike, texts, "Like a pattern, in upper or lower case."},
	{"_nilike", tables.NotILike, texts, "Not like a pattern, in upper or lower case."},
	{"_starts_with", tables.StartsWith, texts, "Begins with it."},
	{"_regex", tables.Regex, texts, "A regular expression (RE2) finds something in it."},
	{"_nregex", tables.NotRegex, texts, "A regular expression finds nothing in it."},
	{"_iregex", tables.IRegex, texts, "A regular expression finds something in it, in upper or lower case."},
	{"_niregex", tables.NotIRegex, texts, "A regular expression finds nothing in it, in upper or lower case."},
	{"_similar", tables.Similar, texts, "Like a pattern of SIMILAR TO in SQL, where % and _ are wild and | * + ? {m,n} ( ) [ ] are those of regular expressions."},
	{"_nsimilar", tables.NotSimilar, texts, "Not like a pattern of SIMILAR TO."},
	{"_contains", tables.ContainsAll, containing, "Of JSON: has all that the value has. Of choices: has every one of them; no value has none."},
	{"_contained_in", tables.ContainedIn, containing, "Of JSON: the value has all that it has. Of choices: has nothing else than them; no value holds."},
	{"_has_key", tables.HasKey, documents, "Has the key, or is a list with that text."},
	{"_has_keys_any", tables.HasAnyKey, documents, "Has one of the keys."},
	{"_has_keys_all", tables.HasAllKeys, documents, "Has all of the keys."},
	{"_has_any", tables.HasAny, several, "Has one of them."},
}

func everything(string) bool     { return true }
func ordered(typ string) bool    { return typ != "Boolean" && typ != "jsonb" && typ != choicesType }
func texts(typ string) bool      { return typ == "String" }
func several(typ string) bool    { return typ == choicesType }
func documents(typ string) bool  { return typ == "jsonb" }
func containing(typ string) bool { return several(typ) || documents(typ) }
func single(typ string) bool     { return typ != choicesType }
func calendar(typ string) bool   { return typ == "date" || typ == "timestamp" || typ == "timestamptz" }

// castTypes are the types whose values can be compared as texts.
var castTypes = []string{"bigint", "date", "jsonb", "numeric", "uuid"}

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
	for _, name := range comparedTypes {
		typ := valueType(scalarOf(name))
		if name == choicesType {
			typ = listOf(typ)
		}
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
			case tables.HasKey, tables.RelDate:
				f.Type = gql.String
			case tables.HasAnyKey, tables.HasAllKeys:
				f.Type = listOf(gql.String)
			}
			fields[o.name] = f
		}
		if slices.Contains(castTypes, name) {
			fields["_cast"] = &gql.InputObjectFieldConfig{Type: gql.NewInputObject(gql.InputObjectConfig{
				Name: name + "_cast_exp", Description: "Conditions on a " + name + " as another type.", Fields: gql.InputObjectConfigFieldMap{"String": {Type: b.compares["String"]}},
			}), Description: "As a text."}
		}
		b.compares[name] = gql.NewInputObject(gql.InputObjectConfig{
			Name: name + comparisonSuffix, Fields: fields, Description: "Conditions on a " + name + ": all of them must hold.",
		})
	}
}
