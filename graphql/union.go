package graphql

import (
	"slices"

	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// union is a relation that leads to one of several tables.
type union struct {
	core.Union
	to []*rows // by target
}

// relateUnions adds the relations that lead to one of several tables to the types of a table.
func (b *builder) relateUnions(r *rows, taken map[string]string) error {
	for _, u := range b.schema.Unions(r.table.Name) {
		owner, at := "the relation "+u.Name, core.At{Table: r.table.Name, Column: u.Name}
		if err := claim(taken, "field", owner, at, u.Name); err != nil {
			return err
		}
		name := r.table.Name + "_" + u.Name
		if err := claim(b.names, "type", owner, at, name, name+"_bool_exp"); err != nil {
			return err
		}
		f := field{relation: u.Name, union: &union{Union: u}}
		var types []*gql.Object
		where := gql.InputObjectConfigFieldMap{}
		for _, t := range u.Targets {
			to := b.rows[t.Table]
			f.union.to = append(f.union.to, to)
			types = append(types, to.object)
			where[t.Table] = &gql.InputObjectFieldConfig{Type: to.where, Description: "It leads to a record of " + t.Table + " that meets this."}
		}
		r.fields[u.Name] = f
		r.objectFields[u.Name] = &gql.Field{Type: gql.NewUnion(gql.UnionConfig{
			Name: name, Types: types, Description: "A record of one of the tables that " + u.Column + " of " + r.table.Name + " may lead to.",
			ResolveType: func(gql.ResolveTypeParams) *gql.Object { return nil }, // nothing is resolved: queries are compiled
		})}
		r.whereFields[u.Name] = &gql.InputObjectFieldConfig{Type: gql.NewInputObject(gql.InputObjectConfig{
			Name: name + "_bool_exp", Fields: where, Description: "Conditions on what " + u.Name + " leads to: all of them must hold.",
		})}
	}
	return nil
}

// selectUnion takes over what is asked of each of the tables that a relation may lead to.
func (c *compiler) selectUnion(to *tables.Field, f field, s *selected) error {
	to.Relation, to.Union = f.relation, make([]tables.Query, len(f.union.to))
	for i, r := range f.union.to {
		to.Union[i] = tables.Query{Table: r.table.Name, Form: tables.One}
		if err := c.selectRecord(&to.Union[i], r, s); err != nil {
			return err
		}
	}
	return nil
}

// targets is a condition on what a relation leads to, by its table.
func (c *compiler) targets(f field, o object) (tables.Cond, error) {
	if err := c.deeper(); err != nil {
		return nil, err
	}
	defer func() { c.steps-- }()
	if len(o) == 0 {
		return nil, wrong("there is no condition: name a table that it may lead to")
	}
	all := tables.And{}
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null is no condition: leave the field out"))
		}
		i := slices.IndexFunc(f.union.Targets, func(t core.Target) bool { return t.Table == m.name })
		inner, err := c.condition(f.union.to[i], m.value.(object))
		if err != nil {
			return nil, within("."+m.name, err)
		}
		all = append(all, tables.Related{Relation: f.relation, Target: m.name, Where: inner})
	}
	return all, nil
}
