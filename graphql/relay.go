package graphql

import (
	"context"
	"fmt"
	"slices"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// What clients that speak Relay need: pages as connections, and records of all tables by one id. Tables of Colonnade itself have neither.

const (
	connectionSuffix = "_connection"
	globalID         = "_id" // of a record among those of all tables; no column has such a name
	nodeType         = "Node"
	pageInfoType     = "PageInfo"
)

// declareRelayCommon declares what is the same for all tables.
func (b *builder) declareRelayCommon() {
	b.node = gql.NewInterface(gql.InterfaceConfig{
		Name: nodeType, Description: "A record of any table.",
		Fields:      gql.Fields{globalID: globalIDField()},
		ResolveType: func(gql.ResolveTypeParams) *gql.Object { return nil }, // nothing is resolved: queries are compiled
	})
	b.pageInfo = gql.NewObject(gql.ObjectConfig{Name: pageInfoType, Description: "Where a page is in its list.", Fields: gql.Fields{
		"hasNextPage":     {Type: required(gql.Boolean), Description: "Whether there are records behind the page."},
		"hasPreviousPage": {Type: required(gql.Boolean), Description: "Whether there are records in front of the page."},
		"startCursor":     {Type: gql.String, Description: "The cursor of the first record; null on an empty page."},
		"endCursor":       {Type: gql.String, Description: "The cursor of the last record; null on an empty page."},
	}})
}

func globalIDField() *gql.Field {
	return &gql.Field{Type: required(gql.ID), Description: "Names the record among those of all tables, for node."}
}

// declareConnection declares the types of pages of a table.
func (b *builder) declareConnection(r *rows) error {
	n := r.table.Name
	owner, at := "the table "+n, core.At{Table: n}
	if err := claim(b.names, "type", owner, at, n+"Connection", n+"Edge"); err != nil {
		return err
	}
	if err := claim(b.roots, "field", owner, at, n+connectionSuffix); err != nil {
		return err
	}
	r.edge = gql.NewObject(gql.ObjectConfig{Name: n + "Edge", Fields: gql.Fields{
		"cursor": {Type: required(gql.String), Description: "The place of the record in the list."}, "node": {Type: required(r.object)},
	}})
	r.connection = gql.NewObject(gql.ObjectConfig{Name: n + "Connection", Description: "A page of records of " + n + ".", Fields: gql.Fields{
		"edges":      {Type: required(listOf(r.edge))},
		"pageInfo":   {Type: required(b.pageInfo)},
		"totalCount": {Type: required(gql.Int), Description: "How many records there are on all pages together. It is counted when it is asked for."},
	}})
	return nil
}

// connectionArgs are the arguments of a page.
func (r *rows) connectionArgs() gql.FieldConfigArgument {
	all := r.listArgs()
	return gql.FieldConfigArgument{
		"where": all["where"], "order_by": all["order_by"], "distinct_on": all["distinct_on"],
		"first":  {Type: gql.Int, Description: "How many records at most, from the first one on."},
		"after":  {Type: gql.String, Description: "Only records behind this cursor."},
		"last":   {Type: gql.Int, Description: "How many records at most, back from the last one."},
		"before": {Type: gql.String, Description: "Only records in front of this cursor."},
	}
}

// declareNodes declares the fields that find records by their global ids. A table of such a name keeps it.
func (b *builder) declareNodes() {
	for name, f := range map[string]struct {
		kind  rootKind
		field *gql.Field
	}{
		"node": {readNode, &gql.Field{
			Type: b.node, Description: "The record with that _id, or null.",
			Args: gql.FieldConfigArgument{"id": {Type: required(gql.ID)}},
		}},
		"nodes": {readNodes, &gql.Field{
			Type: required(gql.NewList(b.node)), Description: "The records with these _ids in their order, null for those that are not there.",
			Args: gql.FieldConfigArgument{"ids": {Type: required(listOf(gql.ID))}},
		}},
	} {
		if _, taken := b.roots[name]; taken {
			continue
		}
		b.roots[name] = "a field of every API"
		b.query[name], b.queryRoots[name] = f.field, &root{kind: f.kind}
	}
}

// page takes over the arguments of a connection.
func (c *compiler) page(q *tables.Query, r *rows, args object) error {
	q.Form = tables.Connection
	if err := c.list(q, r, without(args, "first", "last")); err != nil {
		return err
	}
	first, _ := args.get("first")
	last, _ := args.get("last")
	if first != nil && last != nil {
		return wrong("\"first\" and \"last\" are not allowed at once")
	}
	for _, a := range []member{{"first", first}, {"last", last}} {
		if a.value == nil {
			continue
		}
		if q.Limit = int(a.value.(int64)); q.Limit < 0 {
			return within("."+a.name, wrong("%s is not negative", a.name))
		}
		q.None = q.Limit == 0
	}
	q.Last = last != nil || q.Last && first == nil
	return nil
}

// pageParts are the fields of a connection, its edges and its page info.
var pageParts = map[string]tables.PagePart{
	"edges": tables.PageEdges, "pageInfo": tables.PageInfo, "totalCount": tables.PageTotal, "cursor": tables.PageCursor, "node": tables.PageNode,
	"hasNextPage": tables.PageNext, "hasPreviousPage": tables.PagePrevious, "startCursor": tables.PageStart, "endCursor": tables.PageEnd,
}

// selectConnection takes over what is asked of a connection.
func (c *compiler) selectConnection(q *tables.Query, r *rows, of *selected) (err error) {
	q.Fields, err = c.selectParts(r, of, r.connection.Name())
	return err
}

// selectParts takes over what is asked of an object of a connection of that type.
func (c *compiler) selectParts(r *rows, of *selected, typ string) ([]tables.Field, error) {
	fields, err := c.collect(of.sets)
	if err != nil {
		return nil, err
	}
	out := make([]tables.Field, len(fields))
	for i, s := range fields {
		to := &out[i]
		to.As, to.Page = s.key, pageParts[s.name]
		switch to.Page {
		case tables.PageEdges:
			to.Group, err = c.selectParts(r, s, r.edge.Name())
		case tables.PageInfo:
			to.Group, err = c.selectParts(r, s, pageInfoType)
		case tables.PageNode:
			record := tables.Query{}
			err = c.selectRecord(&record, r, s)
			to.Group = record.Fields
		case 0:
			to.Text = typ
		}
		if err != nil {
			return nil, nested(s, err)
		}
	}
	return out, nil
}

// readNode compiles the field of a record by its global id.
func (c *compiler) readNode(store *tables.Store, f *selected, args object) (*step, error) {
	id, _ := args.get("id")
	table, record, ok := c.global(f.field.Arguments.ForName("id").Value, id)
	q := tables.Query{Form: tables.One, OrNull: true} // without a table, so that an unknown one is no other than one out of reach
	if ok {
		q.Table, q.Where = table, tables.Compare{Column: "id", Op: tables.Eq, Value: record}
		if err := c.selectRecord(&q, c.api.query[table].rows, f); err != nil {
			return nil, err
		}
	}
	c.rows = saturate(c.rows + rowsOf(&q, 1))
	s := newStep(f)
	s.nullable, s.query = true, &q
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		return store.Query(ctx, in.snap, q, dst)
	}
	return s, nil
}

// global returns the table and the id of a record, which may be a parameter. Of a variable that a plan leaves open only the id is left.
func (c *compiler) global(v *ast.Value, id any) (table string, record any, ok bool) {
	if v.Kind == ast.Variable {
		if table = c.vars.table(v.Raw); table != "" {
			return table, id, true
		}
	}
	text, _ := id.(string)
	table, parsed, ok := tables.ParseGlobalID(c.api.schema, text)
	return table, string(parsed), ok
}

// readNodes compiles the field of records by their global ids.
func (c *compiler) readNodes(store *tables.Store, f *selected, args object) (*step, error) {
	list, _ := args.get("ids")
	ids := list.([]any)
	if len(ids) > tables.MaxLimit {
		return nil, within(".ids", &inputError{kind: core.Limit, msg: fmt.Sprintf("there are %d ids, and %d are allowed at once", len(ids), tables.MaxLimit)})
	}
	q := tables.Query{Form: tables.ByRef, Refs: make([]tables.Ref, len(ids))}
	for i, id := range ids {
		q.Refs[i].Of = -1
		table, record, ok := tables.ParseGlobalID(c.api.schema, id.(string))
		if !ok {
			continue
		}
		of := slices.IndexFunc(q.Several, func(o tables.Query) bool { return o.Table == table })
		if of < 0 {
			of = len(q.Several)
			q.Several = append(q.Several, tables.Query{Table: table})
			if err := c.selectRecord(&q.Several[of], c.api.query[table].rows, f); err != nil {
				return nil, err
			}
		}
		q.Refs[i] = tables.Ref{Of: of, ID: record}
	}
	c.rows = saturate(c.rows + rowsOf(&q, 1))
	s := newStep(f)
	s.query = &q
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		return store.Query(ctx, in.snap, q, dst)
	}
	return s, nil
}

// isNode reports whether the field finds a record by its global id.
func (a *api) isNode(f *ast.Field) bool {
	r := a.query[f.Name]
	return f.ObjectDefinition == a.ast.Query && r != nil && r.kind == readNode
}
