package tables

import (
	"context"
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// authority writes what follows from something that a caller may do, by the definition of the tables: every record is in
// reach, and the history names the caller.
type authority struct {
	tx     *Tx
	caller core.Caller
	id     core.ID // of the deletion or the merge
}

// because returns the caller, with the cause that the history shall tell.
func because(c core.Caller, kind string, id core.ID) core.Caller {
	c.Cause.Kind, c.Cause.ID = kind, string(id)
	return c
}

func (a authority) writer(table string) (*writer, error) {
	t, may, err := a.tx.snap.decide(core.System("authority"), table, core.Update)
	if err != nil {
		return nil, err
	}
	w := newWriter(a.tx, t, a.caller)
	w.create, w.update, w.defined = may, may, true
	return w, nil
}

// relink gives records other values in their lookups, and notes for each what it led to. set returns nothing for a record
// that stays as it is.
func (a authority) relink(ctx context.Context, kind traceKind, table string, ids []any, set func(core.Record) core.Record) error {
	w, err := a.writer(table)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, maxBatch) {
		old, err := a.tx.records(ctx, table, "", Compare{Column: "id", Op: In, Value: part}, true)
		if err != nil {
			return err
		}
		var log []trace
		for _, child := range old {
			values := set(child)
			if len(values) == 0 {
				continue
			}
			changed, err := w.change(input{values: values}, child, 0)
			if err != nil {
				return a.conceal(ctx, table, child, err)
			}
			for column := range values {
				if changed && kind != "" {
					log = append(log, trace{kind, w.table, child["id"], child["version"].(int64) + 1, column, child[column]})
				}
			}
		}
		if err := w.flush(ctx); err != nil {
			return a.conceal(ctx, table, nil, err)
		}
		if err := a.tx.trace(ctx, a.id, log); err != nil {
			return err
		}
	}
	return nil
}

// conceal replaces an error about a record that the caller may not read, or with no record about some of the table.
func (a authority) conceal(ctx context.Context, table string, of core.Record, err error) error {
	const op = "tables.conceal"
	if core.KindOf(err).Retry() {
		return err
	}
	may, denied := a.tx.snap.Policy.Decide(a.caller, table, authz.Read)
	seen := denied == nil && may.Rows == nil
	if denied == nil && may.Rows != nil && of != nil {
		ids, bad := a.tx.ids(ctx, table, core.Read, ByID(core.ID(of["id"].(string))))
		if bad != nil {
			return bad
		}
		seen = len(ids) > 0
	}
	if seen {
		return core.E(op, core.At{Table: table}, err)
	}
	return core.E(op, core.Failed, "a record that you may not read hangs together with this one, and its table does not allow it: ask an administrator")
}
