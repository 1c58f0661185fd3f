package graphql

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// errMoved says that the schema changed between the compilation of a mutation and its transaction.
var errMoved = errors.New("the schema has changed")

// mutation answers a mutation operation: its root fields run in order in one unit of work.
func (e *Engine) mutation(ctx context.Context, a *api, snap *tables.Snapshot, op *ast.OperationDefinition, vars variables, l core.Limits, r Request) (Response, error) {
	c := &compiler{api: a, vars: vars, limits: l}
	steps, err := c.compile(op, func(f *selected) (*step, error) { return c.compileWrite(e.store, f) })
	if err == nil && c.rows > l.Rows {
		err = c.tooManyRows()
	}
	if err == nil {
		err = checkAlone(steps, r.Key != "")
	}
	if err != nil {
		return refused(requestError(err)), nil
	}
	if len(steps) == 1 && steps[0].alone {
		out, err := runSteps(ctx, steps, scope{snap: snap})
		if err != nil {
			return failed([]wireError{e.executionError(ctx, steps[0], err)}), nil
		}
		return answered(out, nil), nil
	}
	var res Response
	var blamed *step
	o := tables.TxOptions{Later: true, Again: true, Define: slices.ContainsFunc(steps, func(s *step) bool { return s.define })}
	err = e.store.Tx(ctx, o, func(ctx context.Context, tx *tables.Tx) error {
		if tx.Snapshot().Schema != snap.Schema {
			return errMoved
		}
		run := func() ([]byte, error) {
			out, err := runSteps(ctx, steps, scope{tx: tx})
			if err != nil {
				return nil, err
			}
			blamed = steps[len(steps)-1] // for the commit, and with it what the last step left to it
			return answered(out, nil).Body, nil
		}
		var err error
		if r.Key == "" {
			res.Body, err = run()
		} else {
			once := r.once()
			once.Secret = slices.ContainsFunc(steps, func(s *step) bool { return s.secret })
			res.Body, res.Repeated, err = tx.Once(ctx, once, run)
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return Response{}, errMoved
	}
	if err != nil {
		var at *stepError
		if errors.As(err, &at) {
			blamed = at.step
		}
		return failed([]wireError{e.executionError(ctx, blamed, err)}), nil
	}
	return res, nil
}

// stepError says which root field failed.
type stepError struct {
	step *step
	err  error
}

func (e *stepError) Error() string { return e.step.key + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func runSteps(ctx context.Context, steps []*step, in scope) ([]byte, error) {
	out := append(make([]byte, 0, 1024), `{"data":{`...)
	for i, s := range steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(core.AppendString(out, s.key), ':')
		if in.tx != nil {
			in.snap = in.tx.Snapshot() // a step before this one may have changed it
		}
		var err error
		if in.tx != nil && i > 0 {
			if err = in.tx.Flush(ctx); err != nil {
				return nil, &stepError{steps[i-1], err}
			}
		}
		if out, err = s.run(ctx, in, out); err != nil {
			return nil, &stepError{s, err}
		}
	}
	return append(out, '}'), nil
}

// checkAlone refuses an action that opens transactions of its own together with others, and with a key: what it does and
// its answer could not be kept together.
func checkAlone(steps []*step, key bool) error {
	if len(steps) == 1 && steps[0].alone && key {
		return wrong("the action %s opens transactions of its own, so it cannot be done once by a key: send it without", steps[0].key)
	}
	if len(steps) < 2 {
		return nil
	}
	for _, s := range steps {
		if s.alone {
			return &inputError{path: "." + s.key, msg: "the action " + s.name + " opens transactions of its own: send it alone", kind: core.Invalid, pos: &ast.Position{Line: s.at.Line, Column: s.at.Column}}
		}
	}
	return nil
}

func (c *compiler) compileWrite(store *tables.Store, f *selected) (*step, error) {
	r := c.api.mutation[f.name]
	args, err := c.api.coerceArguments(r.def, f.field.Arguments, c.vars)
	if err != nil {
		return nil, inField(f, err)
	}
	if r.kind == callAction {
		return c.compileCall(r.action, f, args)
	}
	w := &write{store: store, c: c, rows: r.rows, key: r.key, args: args, onDuplicate: onDuplicate(args)}
	run, err := w.compile(r.kind, f)
	if err != nil {
		return nil, inField(f, err)
	}
	if dry, _ := args.get("dry_run"); dry == true {
		run = dryRun(run)
	}
	s := newStep(f)
	s.run, s.items = run, itemsOf[r.kind]
	return s, nil
}

// itemsOf is the argument that the items of a write are in.
var itemsOf = map[rootKind]string{writeInsert: "objects", writeInsertOne: "object", writeUpdateMany: "updates"}

// dryRun runs a write and undoes it; the answer is that of the write.
func dryRun(run runFunc) runFunc {
	return func(ctx context.Context, in scope, dst []byte) (out []byte, err error) {
		out = dst
		err = in.tx.DryRun(ctx, func() error {
			out, err = run(ctx, in, dst)
			return err
		})
		return out, err
	}
}

// write compiles one mutation of a table.
type write struct {
	store *tables.Store
	c     *compiler
	rows  *rows
	key   *alternate // by which the record is found; nil for the primary key
	args  object

	onDuplicate tables.Duplicates // of an insert, and all that is nested in it
	nesting     int               // of the new records being compiled
}

func (w *write) compile(kind rootKind, f *selected) (runFunc, error) {
	switch kind {
	case writeInsert:
		objects, _ := w.args.get("objects")
		in, err := w.insert(w.rows, w.args, objects.([]any), func(i int) string { return ".objects" + index(i) })
		if err != nil {
			return nil, err
		}
		report, _ := w.args.get("on_error")
		in.Report = report == onErrorReport
		return w.respond(f, len(in.Rows), inserter(in))
	case writeInsertOne:
		one, _ := w.args.get("object")
		in, err := w.insert(w.rows, w.args, []any{one}, func(int) string { return ".object" })
		if err != nil {
			return nil, err
		}
		return w.respondOne(f, inserter(in))
	case writeUpdate:
		u, err := w.update(w.args)
		if err != nil {
			return nil, err
		}
		return w.respond(f, guess(u.AtMost), updater(u))
	case writeUpdateByPK:
		u, err := w.update(w.args)
		if err != nil {
			return nil, err
		}
		return w.respondOne(f, updater(u))
	case writeUpdateMany:
		return w.updateMany(f)
	case writeDelete, writeDeleteByPK:
		d := tables.Remove{Table: w.rows.table.Name}
		var err error
		if d.Where, d.IfVersion, d.AtMost, err = w.target(w.args); err != nil {
			return nil, err
		}
		run := func(ctx context.Context, tx *tables.Tx, before func([]core.ID) error) (tables.Result, error) {
			d := d
			d.Before = before
			return tx.Delete(ctx, d)
		}
		if kind == writeDeleteByPK {
			return w.respondOne(f, run)
		}
		return w.respond(f, guess(d.AtMost), run)
	case writeRestore, writePurge, writeRestoreVersion, writeMerge, writeUnmerge:
		return w.compilePast(kind, f)
	}
	return nil, wrong("there is no such write")
}

// onDuplicate reads what is to happen with records that are like others.
func onDuplicate(args object) tables.Duplicates {
	v, _ := args.get("on_duplicate")
	word, _ := v.(string)
	return tables.Duplicates(word)
}

// guess is how many records a write is taken to be about when its answer is estimated.
func guess(atMost int) int {
	if atMost > 0 {
		return atMost
	}
	return tables.DefaultLimit
}

// doFunc writes. A delete calls before while the records are still there; the others leave them to be read.
type doFunc func(ctx context.Context, tx *tables.Tx, before func([]core.ID) error) (tables.Result, error)

func updater(u tables.Update) doFunc {
	return func(ctx context.Context, tx *tables.Tx, _ func([]core.ID) error) (tables.Result, error) {
		return tx.Update(ctx, u)
	}
}

func record(v any) core.Record {
	o, _ := v.(object)
	if o == nil {
		return nil
	}
	r := make(core.Record, len(o))
	for _, m := range o {
		r[m.name] = m.value
	}
	return r
}

func (w *write) update(args object) (tables.Update, error) {
	u := tables.Update{Table: w.rows.table.Name, OnDuplicate: onDuplicate(args)}
	var err error
	if u.Where, u.IfVersion, u.AtMost, err = w.target(args); err != nil {
		return u, err
	}
	for _, o := range updateOperators {
		v, _ := args.get(o.name)
		switch o.name {
		case "_set":
			if u.Set, u.Named, err = w.set(v); err != nil {
				return u, within("._set", err)
			}
		case "_inc":
			u.Inc = record(v)
		case "_mul":
			u.Mul = record(v)
		default:
			u.Edit = appendEdits(u.Edit, o.edit, v)
		}
	}
	if len(u.Set)+len(u.Named)+len(u.Inc)+len(u.Mul)+len(u.Edit) == 0 {
		return u, wrong("there is nothing to change: give _set or another operator")
	}
	return u, nil
}

// set reads the new values of a record, and what it is to look up.
func (w *write) set(v any) (values core.Record, named []tables.Named, err error) {
	o, _ := v.(object)
	if o == nil {
		return nil, nil, nil
	}
	values = make(core.Record, len(o))
	for _, m := range o {
		f := w.rows.fields[m.name]
		if f.column != nil {
			values[m.name] = m.value
			continue
		}
		to, ok := m.value.(object)
		if !ok {
			return nil, nil, within("."+m.name, wrong("give the key of a record, or null for the column of the lookup"))
		}
		key, _ := to.get("key")
		in, err := w.connect(f.to, key.(object))
		if err != nil {
			return nil, nil, within("."+m.name, err)
		}
		named = append(named, tables.Named{Relation: f.relation, Key: in.Find, Values: in.Rows[0]})
	}
	return values, named, nil
}

// appendEdits appends what one of the operators on JSON does.
func appendEdits(edits []tables.Edit, op tables.EditOp, v any) []tables.Edit {
	o, _ := v.(object)
	for _, m := range o {
		if path, ok := m.value.([]any); ok && op == tables.DeleteAtPath {
			steps := make([]string, len(path))
			for i, step := range path {
				steps[i] = step.(string)
			}
			m.value = steps
		}
		edits = append(edits, tables.Edit{Column: m.name, Op: op, Value: m.value})
	}
	return edits
}

// target reads which records a write is about.
func (w *write) target(args object) (where tables.Cond, ifVersion int64, atMost int, err error) {
	for _, a := range args {
		if a.value == nil {
			if a.name == "at_most" || a.name == "if_version" {
				return nil, 0, 0, within("."+a.name, wrong("null is no safeguard: leave it out"))
			}
			continue
		}
		switch a.name {
		case "where":
			if where, err = w.c.condition(w.rows, a.value.(object)); err != nil {
				return nil, 0, 0, within(".where", err)
			}
		case "pk_columns":
			id, _ := a.value.(object).get("id")
			where = tables.ByID(core.ID(id.(string)))
		case "id":
			where = tables.ByID(core.ID(a.value.(string)))
		case keyColumns:
			if where, err = w.key.where(a.value.(object)); err != nil {
				return nil, 0, 0, within("."+keyColumns, err)
			}
		case "if_version":
			if ifVersion = a.value.(int64); ifVersion < 1 {
				return nil, 0, 0, within(".if_version", wrong("a version is 1 or more"))
			}
		case "at_most":
			if atMost = int(a.value.(int64)); atMost < 1 {
				return nil, 0, 0, within(".at_most", wrong("at_most is 1 or more"))
			}
		}
	}
	return where, ifVersion, atMost, nil
}

func (w *write) updateMany(f *selected) (runFunc, error) {
	list, _ := w.args.get("updates")
	var all []runFunc
	for i, item := range list.([]any) {
		u, err := w.update(item.(object))
		if err != nil {
			return nil, within(".updates"+index(i), err)
		}
		one, err := w.respond(f, guess(u.AtMost), updater(u))
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		dst = append(dst, '[')
		for i, one := range all {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = one(ctx, in, dst); err != nil {
				return dst, core.E("graphql.updateMany", core.At{Item: i + 1}, err)
			}
		}
		return append(dst, ']'), nil
	}, nil
}

// respondOne answers with the record itself, or null.
func (w *write) respondOne(f *selected, do doFunc) (runFunc, error) {
	back, err := w.readBack(f, 1)
	if err != nil {
		return nil, err
	}
	back.query.Form = tables.One
	return func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		answer, start := dst, len(dst)
		read := func(ids []core.ID) (err error) {
			answer, err = back.one(ctx, in.snap, answer, ids)
			return err
		}
		res, err := do(ctx, in.tx, read)
		if err == nil && len(answer) == start && res.Deleted == 0 && len(res.IDs) > 0 {
			err = read(res.IDs)
		}
		if err != nil {
			return dst, err
		}
		if len(answer) == start {
			answer = append(answer, "null"...)
		}
		return answer, nil
	}, nil
}

// respond answers with a <table>_mutation_response. n is how many records the write is estimated to be about.
func (w *write) respond(f *selected, n int, do doFunc) (runFunc, error) {
	fields, err := w.c.collect(f.sets)
	if err != nil {
		return nil, err
	}
	backs := make([]*readBack, len(fields))
	for i, s := range fields {
		if s.name == "returning" {
			if backs[i], err = w.readBack(s, n); err != nil {
				return nil, nested(s, err)
			}
		}
	}
	results := make([][]*selected, len(fields))
	for i, s := range fields {
		if s.name == "results" {
			if results[i], err = w.c.resultFields(s); err != nil {
				return nil, nested(s, err)
			}
		}
	}
	return func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		returned := make([][]byte, len(fields))
		read := func(ids []core.ID) (err error) {
			for i, back := range backs {
				if back != nil && returned[i] == nil {
					if returned[i], err = back.list(ctx, in.snap, nil, ids); err != nil {
						return err
					}
				}
			}
			return nil
		}
		res, err := do(ctx, in.tx, read)
		if err == nil && res.Deleted == 0 {
			err = read(res.IDs)
		}
		if err != nil {
			return dst, err
		}
		dst = append(dst, '{')
		for i, s := range fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(core.AppendString(dst, s.key), ':')
			switch s.name {
			case typename:
				dst = core.AppendString(dst, w.rows.response.Name())
			case "affected_rows":
				dst = strconv.AppendInt(dst, int64(res.Affected()), 10)
			case "inserted_rows":
				dst = strconv.AppendInt(dst, int64(res.Inserted), 10)
			case "updated_rows":
				dst = strconv.AppendInt(dst, int64(res.Changed), 10)
			case "results":
				dst = appendResults(dst, results[i], res.Outcomes(), "$.selectionSet."+f.key+".args.objects")
			default:
				dst = append(dst, returned[i]...)
			}
		}
		return append(dst, '}'), nil
	}, nil
}
