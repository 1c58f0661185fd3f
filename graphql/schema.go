package graphql

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	gql "github.com/graphql-go/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// api is everything that follows from a schema: the types, what their fields mean, and the documents that are known to
// be valid against them. But for its caches it never changes.
type api struct {
	schema       *core.Schema
	digest       string // of what people have defined
	types        gql.Schema
	ast          *ast.Schema // the same types, for gqlparser
	query        map[string]*root
	mutation     map[string]*root
	subscription map[string]*root
	needs        map[*gql.InputObject][]*gql.InputObjectField
	tables       map[string]string // by type, of the types that are a table's own
	through      map[string]string // by type and field, such as product.tags: the table of links behind the field

	documents  *cache[string, *document]
	operations atomic.Uint64 // how many were numbered
}

// root is a field of query_root or mutation_root.
type root struct {
	kind   rootKind
	rows   *rows
	action *action
	key    *alternate // by which the record is found; nil for the primary key
	def    *gql.FieldDefinition
}

type rootKind int

const (
	readList rootKind = iota
	readByPK
	readByKey
	readAggregate
	readGroups
	readAsOf
	readHistory
	readDeleted
	readChanges
	readPreview
	readConnection
	readNode
	readNodes
	readStream
	followChanges
	writeInsert
	writeInsertOne
	writeUpdate
	writeUpdateByPK
	writeUpdateMany
	writeDelete
	writeDeleteByPK
	writeRestore
	writePurge
	writeRestoreVersion
	writeMerge
	writeUnmerge
	callAction
)

// builder declares the types of one schema.
type builder struct {
	schema *core.Schema
	names  map[string]string // who has a name of a type
	roots  map[string]string // who has a name of a root field

	orderBy  *gql.Enum
	period   *gql.InputObject // of a time
	writes   commonWrites
	compares map[string]*gql.InputObject // by scalar
	rows     map[string]*rows            // by table
	past     pasts
	file     fileTypes
	node     *gql.Interface
	pageInfo *gql.Object

	ordering *gql.Enum

	query, mutation, subscription                gql.Fields
	queryRoots, mutationRoots, subscriptionRoots map[string]*root
}

// build declares the API of a schema, or says why it cannot be one.
func build(s *core.Schema, actions []core.Action, defined *tables.Defined) (*api, error) {
	const op = "graphql.build"
	b := &builder{
		schema: s, names: map[string]string{}, roots: map[string]string{}, compares: map[string]*gql.InputObject{}, rows: map[string]*rows{},
		query: gql.Fields{}, mutation: gql.Fields{}, queryRoots: map[string]*root{}, mutationRoots: map[string]*root{},
		subscription: gql.Fields{}, subscriptionRoots: map[string]*root{},
	}
	if err := b.declare(slices.Concat(actions, defined.Actions)); err != nil {
		return nil, core.E(op, err)
	}
	conf := gql.SchemaConfig{
		Query:      gql.NewObject(gql.ObjectConfig{Name: "query_root", Description: "What can be read.", Fields: objectFields(b.query)}),
		Directives: directives,
	}
	for _, name := range comparedTypes { // the same in every API, whether a table has such a column or not
		conf.Types = append(conf.Types, scalarOf(name), b.compares[name])
	}
	if len(b.mutation) > 0 {
		conf.Mutation = gql.NewObject(gql.ObjectConfig{
			Name: "mutation_root", Fields: objectFields(b.mutation),
			Description: "What can be changed. The fields of one operation are done in order in one transaction: all of them or none.",
		})
	}
	if len(b.subscription) > 0 {
		conf.Subscription = gql.NewObject(gql.ObjectConfig{Name: subscriptionRoot, Fields: objectFields(b.subscription)})
	}
	types, err := gql.NewSchema(conf) // which reaches every type, so that nothing is left to do on first use
	if err != nil {
		return nil, core.E(op, core.Invalid, "the schema cannot be an API: "+err.Error())
	}
	for _, r := range b.rows {
		r.objectFields, r.whereFields, r.orderFields, r.insertFields, r.keyFields, r.byFields = nil, nil, nil, nil, nil, nil
	}
	for name, f := range types.QueryType().Fields() {
		b.queryRoots[name].def = f
	}
	if m := types.MutationType(); m != nil {
		for name, f := range m.Fields() {
			b.mutationRoots[name].def = f
		}
	}
	a := &api{
		schema: s, digest: defined.Digest, types: types, ast: astSchema(&types), needs: needs(&types), tables: b.typesOfTables(), through: b.through(), query: b.queryRoots, mutation: b.mutationRoots,
		subscription: b.subscriptionRoots, documents: newCache[string, *document](documentCacheBytes),
	}
	for _, d := range defined.Actions { // the others are known to everybody
		a.tables[d.Name+"_output"] = byRight + d.Privilege
	}
	a.subscribe(&types)
	return a, nil
}

func (b *builder) declare(actions []core.Action) error {
	for name := range scalars {
		b.names[name] = "a scalar"
	}
	for _, name := range []string{"query_root", "mutation_root", subscriptionRoot, "cursor_ordering", "order_by", "time_group_by", "time_period", nodeType, pageInfoType, "mutation_result", "mutation_error", "mutation_duplicate", "conflict_mode", "on_error", "on_duplicate"} {
		b.names[name] = "a type of every API"
	}
	for _, name := range comparedTypes {
		b.names[name+comparisonSuffix] = "a type of every API"
	}
	for _, name := range castTypes {
		b.names[name+"_cast_exp"] = "a type of every API"
	}
	b.declareCommon()
	b.declareGroupCommon()
	b.declareRelayCommon()
	b.declareCommonWrites()
	b.declareOrdering()
	if err := b.declarePasts(); err != nil {
		return err
	}
	if err := b.declareFiles(); err != nil {
		return err
	}
	for _, t := range b.schema.Tables() {
		if err := b.declareRows(t); err != nil {
			return err
		}
	}
	for _, t := range b.schema.Tables() {
		if !t.Builtin {
			if err := b.declareInserts(b.rows[t.Name]); err != nil {
				return err
			}
		}
	}
	for _, t := range b.schema.Tables() { // now that every type is there
		if err := b.relate(b.rows[t.Name]); err != nil {
			return err
		}
		b.declareQueries(b.rows[t.Name])
		if err := b.declareKeyQueries(b.rows[t.Name]); err != nil {
			return err
		}
		if !t.Builtin {
			if err := b.declareWrites(b.rows[t.Name]); err != nil {
				return err
			}
			if err := b.declarePast(b.rows[t.Name]); err != nil {
				return err
			}
			if err := b.declareStreams(b.rows[t.Name]); err != nil {
				return err
			}
		}
	}
	b.declareNodes()
	for i := range actions {
		if err := b.declareAction(&actions[i]); err != nil {
			return err
		}
	}
	return nil
}

// claim takes names of types for an owner, such as "the table customer".
func claim(taken map[string]string, what, owner string, at core.At, names ...string) error {
	for _, name := range names {
		if other, ok := taken[name]; ok {
			return core.E("graphql.claim", core.Exists, at, fmt.Sprintf("%s and %s would both have the %s %s in the API: choose another name", other, owner, what, name))
		}
		taken[name] = owner
	}
	return nil
}

func required(t gql.Type) *gql.NonNull { return gql.NewNonNull(t) }

// listOf is the type of a list without nulls in it.
func listOf(t gql.Type) *gql.List { return gql.NewList(gql.NewNonNull(t)) }

func sentences(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, " ")
}

func title(label, doc string) string {
	if label != "" && doc != "" {
		return label + ": " + doc
	}
	return label + doc
}

// columnType returns the type of a column's values.
func columnType(c *core.Column) valueType {
	k := c.Kind.Info()
	if k.Many {
		return listOf(scalars[k.GraphQL].Scalar)
	}
	return scalars[k.GraphQL].Scalar
}

// valueType is a type of values, which come in and go out alike.
type valueType interface {
	gql.Input
	gql.Output
}

// columnDoc says what a column holds.
func columnDoc(c *core.Column) string {
	var options []string
	for _, o := range c.Options {
		if !o.Retired {
			options = append(options, o.Value)
		}
	}
	all := ""
	if len(options) > 0 {
		all = "One of "
		if c.Kind.Info().Many {
			all = "Some of "
		}
		all += strings.Join(options, ", ") + "."
	}
	calculated := ""
	if c.Calculated() {
		calculated = "Calculated."
	}
	return sentences(title(c.Label, c.Doc), calculated, all)
}
