package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// explain gives a broken constraint the name of its column or key. creates are the new records, in their order.
func (w *writer) explain(ctx context.Context, err error, creates []change) error {
	var v *db.Violation
	if !errors.As(err, &v) {
		return err
	}
	at := core.At{Table: w.table.Name}
	if i := core.AsError(err).Item; i > 0 && i <= len(creates) {
		at.Item = creates[i-1].item
	}
	switch {
	case v.Unique:
		return w.taken(v, at)
	case v.Constraint == "" && v.Columns == nil: // a reference, on a database that says no more
		if err := w.dangling(ctx); err != nil {
			return err
		}
	}
	for _, c := range w.stored {
		if c.Kind == core.Lookup && v.Constraint == foreignKey(w.table.Name, c.Name) {
			at.Column = c.Name
			return core.E("tables.explain", core.Invalid, at, "the lookup leads to a record that does not exist", v)
		}
	}
	return core.E("tables.explain", core.KindOf(err), at, core.AsError(err).Msg, v)
}

// taken explains a key that another record has.
func (w *writer) taken(v *db.Violation, at core.At) error {
	const op = "tables.taken"
	for _, i := range append(indexes(w.table), index{name: w.table.Name + "_pkey", unique: true, columns: []core.IndexColumn{{Column: "id"}}}) {
		var columns []string
		for _, c := range i.columns {
			columns = append(columns, c.Column)
		}
		if !i.unique || i.name != v.Constraint && !slices.Equal(columns, v.Columns) {
			continue
		}
		if len(columns) == 1 {
			at.Column = columns[0]
			return core.E(op, core.Exists, at, "another record has this value, and the column is unique", v)
		}
		return core.E(op, core.Exists, at, fmt.Sprintf("another record has the same values in %s, which are a key", strings.Join(columns, ", ")), v)
	}
	return core.E(op, core.Exists, at, "a record with this key exists already", v)
}

// dangling finds the lookup that leads nowhere.
func (w *writer) dangling(ctx context.Context) error {
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		wanted := w.wanted(c)
		if len(wanted) == 0 {
			continue
		}
		found, err := w.tx.ids(ctx, c.Target, "", Compare{Column: "id", Op: In, Value: keys(wanted)})
		if err != nil {
			return err
		}
		if err := w.missing(c, wanted, found); err != nil {
			return core.E("tables.dangling", "the lookup leads to a record that does not exist", err)
		}
	}
	return nil
}
