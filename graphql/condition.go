package graphql

import (
	"context"
	"errors"

	"colonnade/core"
	"colonnade/tables"
)

// Where reads a condition on a table from JSON, in the form that the argument where of its list takes.
func (e *Engine) Where(ctx context.Context, table string, raw []byte) (tables.Cond, error) {
	const op = "graphql.Where"
	at := core.At{Table: table, Column: "where"}
	snap, caller := e.store.Snapshot(), core.CallerFrom(ctx)
	a := e.api(snap)
	root := a.query[table]
	if root == nil || root.rows == nil || !snap.Policy.Sees(caller, table) {
		return nil, core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	c := &compiler{api: a, limits: snap.Policy.Limits(caller)}
	v, err := decodeJSON(raw)
	if err == nil {
		v, err = a.fromJSON(root.rows.where, v)
	}
	var cond tables.Cond
	if err == nil {
		o, ok := v.(object)
		if !ok {
			return nil, core.E(op, core.Invalid, at, "where is an object, such as {\"state\": {\"_eq\": \"Texas\"}}")
		}
		cond, err = c.condition(root.rows, o)
	}
	var bad *inputError
	if errors.As(err, &bad) {
		return nil, core.E(op, core.Invalid, at, "where"+bad.path+": "+bad.msg, err)
	}
	return cond, core.E(op, err)
}
