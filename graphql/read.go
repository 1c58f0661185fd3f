package graphql

import (
	"context"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// step is one root field of an operation, ready to run: it appends its JSON to dst.
type step struct {
	key      string
	name     string // of the field
	at       location
	nullable bool // an error leaves null in its place, and the others as they are
	alone    bool
	define   bool
	secret   bool          // its answer is kept nowhere
	once     bool          // it is for one request
	query    *tables.Query // of a read that is not prepared
	twin     int           // which step before asks for the same, counted from 1; 0 for none
	prepared *tables.Prepared
	items    string // the argument whose items its errors number
	run      runFunc
}

func newStep(f *selected) *step {
	return &step{key: f.key, name: f.name, at: location{f.field.Position.Line, f.field.Position.Column}}
}

// scope is what a step runs in: a snapshot and, where there are writes, a unit of work, which ctx carries too.
type scope struct {
	snap   *tables.Snapshot
	tx     *tables.Tx
	values []any // of the parameters of prepared queries
}

type runFunc func(ctx context.Context, in scope, dst []byte) ([]byte, error)

// query answers a query operation: each root field is one statement, in the order of the document.
func (e *Engine) query(ctx context.Context, a *api, snap *tables.Snapshot, op *operation, vars variables, l core.Limits) Response {
	p, err := e.plan(ctx, a, snap, op, vars, l)
	if err != nil {
		return refused(requestError(err))
	}
	res := e.read(ctx, p.steps, scope{snap: snap, values: vars.values}, p.room())
	p.bytes.Store(int64(len(res.Body)))
	return res
}

// read runs the steps of a query and appends the answer to out.
func (e *Engine) read(ctx context.Context, steps []*step, in scope, out []byte) Response {
	out = append(out, `{"data":{`...)
	var errs []wireError
	var err error
	places := make([][2]int, len(steps)) // of the answers in out
	for i, s := range steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(core.AppendString(out, s.key), ':')
		start := len(out)
		run := s.run
		if s.twin > 0 {
			if p := places[s.twin-1]; p[1] > 0 {
				out = append(out, out[p[0]:p[1]]...)
				continue
			}
			run = steps[s.twin-1].run // which fails with the place of this one
		}
		if out, err = run(ctx, in, out); err == nil {
			places[i] = [2]int{start, len(out)}
			continue
		}
		errs = append(errs, e.executionError(ctx, s, err))
		if !s.nullable {
			return failed(errs)
		}
		out = append(out[:start], "null"...)
	}
	return answered(append(out, '}'), errs)
}

// compile compiles the root fields of an operation.
func (c *compiler) compile(op *ast.OperationDefinition, one func(*selected) (*step, error)) ([]*step, error) {
	roots, err := c.collect([]ast.SelectionSet{op.SelectionSet})
	if err != nil {
		return nil, err
	}
	steps := make([]*step, len(roots))
	for i, f := range roots {
		if f.name == typename {
			name := c.api.ast.Query.Name
			if op.Operation == ast.Mutation {
				name = c.api.ast.Mutation.Name
			}
			steps[i] = newStep(f)
			steps[i].run = func(_ context.Context, _ scope, dst []byte) ([]byte, error) {
				return core.AppendString(dst, name), nil
			}
		} else if steps[i], err = one(f); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (c *compiler) tooManyRows() error {
	return &inputError{kind: core.Limit, msg: "the lists of the request may have " + describe(c.rows) + " records together, when each is as long as its limit, and " +
		describe(c.limits.Rows) + " are allowed: set lower limits"}
}

func (c *compiler) compileRead(store *tables.Store, f *selected) (*step, error) {
	switch f.name {
	case "__schema", "__type":
		return c.compileIntrospection(f)
	}
	r := c.api.query[f.name]
	args, err := c.api.coerceArguments(r.def, f.field.Arguments, c.vars)
	if err != nil {
		return nil, inField(f, err)
	}
	switch r.kind {
	case readNode:
		s, err := c.readNode(store, f, args)
		return s, inField(f, err)
	case readNodes:
		s, err := c.readNodes(store, f, args)
		return s, inField(f, err)
	}
	q := tables.Query{Table: r.rows.table.Name}
	switch r.kind {
	case readAsOf, readHistory, readDeleted, readChanges, readPreview:
		s, err := c.compilePast(store, f, r, args)
		return s, inField(f, err)
	case readGroups:
		s, err := c.readGroups(store, f, r, args)
		return s, inField(f, err)
	case readByPK:
		id, _ := args.get("id")
		q.Form, q.Where = tables.One, tables.Compare{Column: "id", Op: tables.Eq, Value: id}
		err = c.selectRecord(&q, r.rows, f)
	case readByKey:
		q.Form = tables.One
		if q.Where, err = r.key.where(args); err == nil {
			err = c.selectRecord(&q, r.rows, f)
		}
	case readConnection:
		if err = c.page(&q, r.rows, args); err == nil {
			err = c.selectConnection(&q, r.rows, f)
		}
	case readAggregate:
		q.Form = tables.Aggregate
		if err = c.list(&q, r.rows, args); err == nil {
			err = c.selectAggregate(&q, r.rows, f)
		}
	default:
		if err = c.list(&q, r.rows, args); err == nil {
			err = c.selectRecord(&q, r.rows, f)
		}
	}
	if err != nil {
		return nil, inField(f, err)
	}
	c.rows = saturate(c.rows + rowsOf(&q, 1))
	s := newStep(f)
	s.nullable, s.query = r.kind == readByPK || r.kind == readByKey, &q
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		return store.Query(ctx, in.snap, q, dst)
	}
	return s, nil
}

// list takes over the arguments of a list.
func (c *compiler) list(q *tables.Query, r *rows, args object) (err error) {
	for _, a := range args {
		if a.value == nil { // as good as not given
			continue
		}
		switch a.name {
		case "where":
			q.Where, err = c.condition(r, a.value.(object))
		case "order_by":
			q.Order, err = c.sortOrder(r, a.value.([]any))
		case "limit":
			q.Limit = int(a.value.(int64))
			if q.Limit < 0 {
				err = wrong("a limit is not negative")
			}
		case "offset":
			if n, ok := a.value.(int64); ok {
				q.Offset = int(n)
			} else {
				q.Skip = a.value.(tables.Param)
			}
			if q.Offset < 0 {
				err = wrong("an offset is not negative")
			}
		case "distinct_on":
			for _, v := range a.value.([]any) {
				q.Distinct = append(q.Distinct, v.(string))
			}
		case "after":
			q.After, err = cursor(a.value)
		case "before":
			q.Before, err = cursor(a.value)
		}
		if err != nil {
			return within("."+a.name, err)
		}
	}
	if limit, _ := args.get("limit"); limit == int64(0) { // which tables takes for its default
		q.Where = tables.Or{}
	}
	q.Last = q.Before != "" && q.After == ""
	return distinctFirst(q)
}

// cursor reads a cursor. An empty one would be none.
func cursor(v any) (string, error) {
	if v == "" {
		return "", wrong("an empty text is no cursor: leave it out for the first records")
	}
	return v.(string), nil
}

// distinctFirst refuses an order that does not begin with the columns by which the records differ: which of those that are equal
// is the first would depend on another order than that of the list.
func distinctFirst(q *tables.Query) error {
	if len(q.Order) == 0 {
		return nil
	}
	first := q.Order[:min(len(q.Order), len(q.Distinct))]
	for _, name := range q.Distinct {
		if !slices.ContainsFunc(first, func(o tables.Order) bool { return o.Column == name && len(o.Relation) == 0 && o.Children == "" }) {
			return within(".distinct_on", wrong("\"distinct_on\" columns must match initial \"order_by\" columns"))
		}
	}
	return nil
}

// selectRecord takes over what is asked of each record.
func (c *compiler) selectRecord(q *tables.Query, r *rows, of *selected) error {
	fields, err := c.collectOf(r.table.Name, of.sets)
	if err != nil {
		return err
	}
	q.Fields = make([]tables.Field, len(fields))
	for i, s := range fields {
		to := &q.Fields[i]
		to.As = s.key
		if s.name == typename {
			to.Text = r.table.Name
			continue
		}
		f := r.fields[s.name]
		if f.column != nil && f.column.Kind.Info().File {
			if err := c.selectFile(to, f.column, s); err != nil {
				return nested(s, err)
			}
			continue
		}
		if f.column != nil {
			to.Column = f.column.Name
			continue
		}
		if f.rank || f.cursor || f.global {
			to.Rank, to.Cursor, to.Global = f.rank, f.cursor, f.global
			continue
		}
		if f.union != nil {
			if err := c.selectUnion(to, f, s); err != nil {
				return nested(s, err)
			}
			continue
		}
		inner := &tables.Query{Table: f.to.table.Name}
		to.Relation, to.Query = f.relation, inner
		if err := c.related(inner, f, r, s); err != nil {
			return nested(s, err)
		}
	}
	return nil
}

func (c *compiler) related(q *tables.Query, f field, from *rows, s *selected) error {
	if f.many {
		args, err := c.api.coerceArguments(from.object.Fields()[s.name], s.field.Arguments, c.vars)
		if err == nil && f.page {
			err = c.page(q, f.to, args)
		} else if err == nil {
			err = c.list(q, f.to, args)
		}
		if err != nil {
			return within(".args", err)
		}
	}
	switch {
	case f.page:
		return c.selectConnection(q, f.to, s)
	case f.aggregate:
		q.Form = tables.Aggregate
		return c.selectAggregate(q, f.to, s)
	case !f.many:
		q.Form = tables.One
	}
	return c.selectRecord(q, f.to, s)
}

// nested gives an error the place of a field within a record.
func nested(s *selected, err error) error { return within(".selectionSet."+s.key, err) }

// selectAggregate takes over what is asked of an aggregate.
func (c *compiler) selectAggregate(q *tables.Query, r *rows, of *selected) error {
	fields, err := c.collect(of.sets)
	if err != nil {
		return err
	}
	q.Fields = make([]tables.Field, len(fields))
	for i, s := range fields {
		to := &q.Fields[i]
		to.As = s.key
		switch s.name {
		case typename:
			to.Text = r.table.Name + "_aggregate"
		case "nodes":
			to.Query = &tables.Query{Table: r.table.Name}
			err = c.selectRecord(to.Query, r, s)
		default:
			to.Group, err = c.selectFunctions(r, s)
		}
		if err != nil {
			return nested(s, err)
		}
	}
	return nil
}

func (c *compiler) selectFunctions(r *rows, of *selected) ([]tables.Field, error) {
	fields, err := c.collect(of.sets)
	if err != nil {
		return nil, err
	}
	out := make([]tables.Field, len(fields))
	for i, s := range fields {
		out[i].As = s.key
		switch s.name {
		case typename:
			out[i].Text = r.table.Name + "_aggregate_fields"
		case "count":
			err = c.count(&out[i], r, s)
		default:
			out[i].Group, err = c.selectValues(r, s)
		}
		if err != nil {
			return nil, nested(s, err)
		}
	}
	return out, nil
}

func (c *compiler) count(to *tables.Field, r *rows, s *selected) error {
	to.Func = "count"
	def := r.aggregate.Fields()["aggregate"].Type
	args, err := c.api.coerceArguments(objectOf(def).Fields()["count"], s.field.Arguments, c.vars)
	if err != nil {
		return within(".args", err)
	}
	if columns, _ := args.get("columns"); columns != nil {
		for _, v := range columns.([]any) {
			to.Columns = append(to.Columns, v.(string))
		}
	}
	distinct, _ := args.get("distinct")
	to.Distinct = distinct == true
	if to.Distinct && len(to.Columns) == 0 {
		return within(".args.distinct", wrong("records differ by columns: name some"))
	}
	if n, _ := args.get("at_most"); n != nil {
		if to.AtMost = int(n.(int64)); to.AtMost < 1 {
			return within(".args.at_most", wrong("at_most is 1 or more"))
		}
	}
	return nil
}

func (c *compiler) selectValues(r *rows, of *selected) ([]tables.Field, error) {
	fields, err := c.collect(of.sets)
	if err != nil {
		return nil, err
	}
	out := make([]tables.Field, len(fields))
	for i, s := range fields {
		out[i].As = s.key
		if s.name == typename {
			out[i].Text = r.table.Name + "_" + of.name + "_fields"
			continue
		}
		out[i].Func, out[i].Column = functionOf(of.name), s.name
	}
	return out, nil
}
