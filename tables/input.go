package tables

import (
	"maps"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// input is what the caller wants a record to hold: checked, in the Go forms.
type input struct {
	values core.Record
	guards []guard
}

// guard is the condition on a record under which the caller may write the column.
type guard struct {
	column string
	holds  *rules.Expr
}

// parse checks that the caller may write the columns that the values name, and brings the values into their Go forms.
func (w *writer) parse(op core.Op, values core.Record) (in input, err error) {
	size := len(values)
	if op == core.Create {
		size = len(w.table.Columns) // all of which a new record has
	}
	in.values = make(core.Record, size)
	for name, v := range values {
		if err := w.take(op, &in, name, v); err != nil {
			return in, w.firstMistake(op, values)
		}
	}
	slices.SortFunc(in.guards, func(a, b guard) int { return strings.Compare(a.column, b.column) })
	return in, w.spread(op, &in)
}

// firstMistake returns what is wrong with the first of the columns, by name, with which something is: so that the same input gets
// the same answer.
func (w *writer) firstMistake(op core.Op, values core.Record) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := w.take(op, &input{values: core.Record{}}, name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// parseSome is parse for those of the columns that the values name.
func (w *writer) parseSome(op core.Op, values core.Record, columns []string) (in input, err error) {
	in.values = make(core.Record, len(columns))
	for _, name := range columns {
		if v, ok := values[name]; ok {
			if err := w.take(op, &in, name, v); err != nil {
				return in, err
			}
		}
	}
	return in, w.spread(op, &in)
}

// take parses one value.
func (w *writer) take(op core.Op, in *input, name string, v any) error {
	c, err := w.column(op, name)
	if err != nil {
		return err
	}
	in.guard(c)
	if in.values[name], err = c.Parse(v); err != nil {
		return core.E("tables.parse", core.At{Table: w.table.Name}, err)
	}
	return nil
}

// settable is a column that the caller may write, perhaps under a condition.
type settable struct {
	*core.Column
	guard *guard
}

// guard adds the condition under which the caller may write c.
func (in *input) guard(c *settable) {
	if c.guard != nil {
		in.guards = append(in.guards, *c.guard)
	}
}

// column returns a column for the caller to write, or why he may not.
func (w *writer) column(op core.Op, name string) (*settable, error) {
	if c, ok := w.columns[op][name]; ok {
		return c, nil
	}
	c, ok := w.table.Column(name)
	if !ok {
		return nil, w.unknown(name)
	}
	guard, err := w.writable(op, c)
	if err != nil {
		return nil, err
	}
	if w.columns == nil {
		w.columns = map[core.Op]map[string]*settable{}
	}
	if w.columns[op] == nil {
		w.columns[op] = make(map[string]*settable, len(w.table.Columns))
	}
	w.columns[op][name] = &settable{c, guard}
	return w.columns[op][name], nil
}

// writable checks that the caller may write the column; a right that depends on the record becomes a guard.
func (w *writer) writable(op core.Op, c *core.Column) (*guard, error) {
	visible, holds := w.may(op).Column(c.Name)
	if !visible {
		if read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read); err == nil {
			visible, _ = read.Column(c.Name)
		}
		if !visible {
			return nil, w.unknown(c.Name)
		}
		return nil, core.E("tables.writable", core.Denied, w.at(c.Name), "you may not write this column: leave it out, or ask an administrator for the privilege")
	}
	switch {
	case c.Kept():
		return nil, core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is computed with the exchange rate and cannot be written: leave it out")
	case c.Calculated():
		return nil, core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is calculated and cannot be written: leave it out")
	case c.Kind == core.Autonumber && (!w.asIs || op != core.Create):
		return nil, core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is numbered and cannot be written: leave it out, or import the records of another system as they are")
	case c.System && !w.writableSystem(op, c.Name):
		return nil, core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is kept by Colonnade and cannot be written: leave it out")
	}
	if holds == nil {
		return nil, nil
	}
	return &guard{c.Name, holds}, nil
}

func (w *writer) writableSystem(op core.Op, name string) bool {
	switch name {
	case "id":
		return op == core.Create
	case "owner_id", "unit_id":
		return true
	}
	return w.table.Builtin
}

// unknown is the error for a column that the caller neither reads nor writes.
func (w *writer) unknown(name string) error {
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	if err != nil {
		return unknownColumn(w.table, name, w.create, w.update)
	}
	return unknownColumn(w.table, name, w.create, w.update, read)
}
