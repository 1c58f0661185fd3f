package graphql

import (
	"slices"
	"strings"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

const subscriptionRoot = "subscription_root"

// live reports whether a subscription can have what a query of the kind answers. What is asked of the past does not change, and is
// followed by what is asked of changes.
func (k rootKind) live() bool {
	return !slices.Contains([]rootKind{readAsOf, readHistory, readDeleted, readChanges, readPreview}, k)
}

// declareStreams declares the subscriptions of a table that are no queries. Of Colonnade's own tables there are none: what is written
// to them tells nobody.
func (b *builder) declareStreams(r *rows) error {
	n := r.table.Name
	owner, at := "the table "+n, core.At{Table: n}
	if err := claim(b.roots, "field", owner, at, n+"_stream"); err != nil {
		return err
	}
	if err := claim(b.names, "type", owner, at, n+"_stream_cursor_input", n+"_stream_cursor_value_input"); err != nil {
		return err
	}
	columns := gql.InputObjectConfigFieldMap{}
	for i := range r.table.Columns {
		if c := &r.table.Columns[i]; c.Kind.Info().Ordered {
			columns[c.Name] = &gql.InputObjectFieldConfig{Type: columnType(c), Description: columnDoc(c)}
		}
	}
	r.streamCursor = gql.NewInputObject(gql.InputObjectConfig{
		Name: n + "_stream_cursor_input", Description: "Where a stream of records of " + n + " begins, and in which direction it goes.",
		Fields: gql.InputObjectConfigFieldMap{
			"initial_value": {Description: "The column that the stream goes along, with the value behind which it begins.", Type: required(gql.NewInputObject(gql.InputObjectConfig{
				Name: n + "_stream_cursor_value_input", Fields: inputFields(columns), Description: "One column of " + n + ".",
			}))},
			"ordering": {Type: b.ordering, DefaultValue: "ASC", Description: "ASC for greater and greater values, DESC for smaller ones."},
		},
	})
	add := func(name string, kind rootKind, f *gql.Field) {
		b.subscription[name] = f
		b.subscriptionRoots[name] = &root{kind: kind, rows: r}
	}
	add(n+"_stream", readStream, &gql.Field{
		Type: required(listOf(r.object)), Description: "Records of " + n + " along a column, batch after batch: first those that are there, then those that come.",
		Args: gql.FieldConfigArgument{
			"batch_size": {Type: required(gql.Int), Description: "How many records at a time at most."},
			"cursor":     {Type: required(gql.NewList(r.streamCursor)), Description: "Where to begin; exactly one."},
			"where":      {Type: r.where, Description: "Only the records that meet it."},
		},
	})
	add(n+"_changes", followChanges, b.query[n+"_changes"])
	return nil
}

// declareOrdering declares the direction of a stream.
func (b *builder) declareOrdering() {
	b.ordering = gql.NewEnum(gql.EnumConfig{Name: "cursor_ordering", Description: "A direction.", Values: gql.EnumValueConfigMap{
		"ASC": {Value: "ASC", Description: "Upwards."}, "DESC": {Value: "DESC", Description: "Downwards."},
	}})
}

// subscribe completes what can be subscribed to: what is declared, and every query that can be live, which has one description
// in both places.
func (a *api) subscribe(s *gql.Schema) {
	d := a.ast.Types[subscriptionRoot]
	if d == nil {
		d = &ast.Definition{Kind: ast.Object, Name: subscriptionRoot}
		a.ast.Types[d.Name] = d
		a.ast.AddPossibleType(d.Name, d)
	}
	d.Description = "What can be subscribed to: the answers of queries whenever they change, and streams."
	for _, f := range a.ast.Query.Fields {
		if r := a.query[f.Name]; r != nil && r.kind.live() {
			d.Fields = append(d.Fields, f)
			a.subscription[f.Name] = r
		}
	}
	slices.SortFunc(d.Fields, func(x, y *ast.FieldDefinition) int { return strings.Compare(x.Name, y.Name) })
	if declared := s.SubscriptionType(); declared != nil {
		for name, f := range declared.Fields() {
			a.subscription[name].def = f
		}
	}
	a.ast.Subscription = d
}
