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
		return w.taken(v, at, creates)
	case v.Constraint == "" && v.Columns == nil: // a reference, on a database that says no more
		if err := w.dangling(ctx); err != nil {
			return err
		}
	}
	for _, c := range w.stored {
		if c.Kind == core.Lookup && v.Constraint == foreignKey(w.table, c) {
			at.Column = c.Name
			if i := slices.IndexFunc(creates, func(ch change) bool { return fmt.Sprint(w.tx.db.Bind(c, ch.after[c.Name])) == v.Values }); i >= 0 && at.Item == 0 {
				at.Item = creates[i].item
			}
			return core.E("tables.explain", core.Invalid, at, "the lookup leads to a record that does not exist", v)
		}
	}
	return core.E("tables.explain", core.KindOf(err), at, core.AsError(err).Msg, v)
}

// explainMarks is explain for what is written together with marks.
func (w *writer) explainMarks(ctx context.Context, err error, marks []mark, creates []change) error {
	var v *db.Violation
	if errors.As(err, &v) && v.Unique {
		if taken := w.duplicateTaken(v, marks); taken != nil {
			return taken
		}
	}
	return w.explain(ctx, err, creates)
}

// taken explains a key that another record has.
func (w *writer) taken(v *db.Violation, at core.At, creates []change) error {
	if v.Constraint == w.table.SQL()+"_pkey" || slices.Equal(v.Columns, []string{"id"}) {
		return w.takenBy([]string{"id"}, v, at, creates)
	}
	for _, i := range indexes(w.table) {
		var columns, stored []string
		for _, c := range i.columns {
			columns, stored = append(columns, c.Name), append(stored, c.SQL())
		}
		if i.unique && (i.name() == v.Constraint || slices.Equal(stored, v.Columns)) {
			if i.nulls {
				v.Values = "" // those of the expressions
			}
			return w.takenBy(columns, v, at, creates)
		}
	}
	return core.E("tables.taken", core.Exists, at, "a record with this key exists already", v)
}

// takenBy is the error for values that another record has in the columns.
func (w *writer) takenBy(columns []string, v *db.Violation, at core.At, creates []change) error {
	const op = "tables.taken"
	if at.Item == 0 {
		at.Item = w.holder(columns, v.Values, creates)
	}
	if len(columns) == 1 {
		at.Column = columns[0]
		return core.E(op, core.Exists, at, "another record has this value, and the column is unique", v)
	}
	return core.E(op, core.Exists, at, fmt.Sprintf("another record has the same values in %s, which are a key", strings.Join(columns, ", ")), v)
}

// holder returns which new record has the values in the columns, 0 when the database did not tell them.
func (w *writer) holder(columns []string, values string, creates []change) int {
	if values == "" {
		return 0
	}
	for i := len(creates) - 1; i >= 0; i-- { // of two with the same key, the later one is wrong
		var texts []string
		for _, name := range columns {
			c, _ := w.table.Column(name)
			texts = append(texts, fmt.Sprint(w.tx.db.Bind(c, creates[i].after[name])))
		}
		if strings.Join(texts, ", ") == values {
			return creates[i].item
		}
	}
	return 0
}

// dangling finds the lookup that leads nowhere.
func (w *writer) dangling(ctx context.Context) error {
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		k := w.ties(c)
		_, _, wanted := k.divide(k.wanted())
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
