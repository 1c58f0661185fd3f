package tables

import (
	"errors"
	"fmt"

	"colonnade/core"
)

// quoting are the kinds of errors whose messages quote values of records.
var quoting = map[core.ErrKind]bool{core.Invalid: true, core.Failed: true, core.Exists: true, core.Conflict: true, core.Internal: true}

// Logged returns the error as the log and recordings hold it: in place of one that may tell values which a data class keeps out of
// them, and of what caused it, one that says so.
func (n *Snapshot) Logged(err error) error {
	if err == nil || len(n.Schema.DataClasses()) == 0 {
		return err
	}
	for inner := err; inner != nil; {
		var e *core.Error
		if !errors.As(inner, &e) {
			break
		}
		if at, class := n.tells(e); class != "" {
			return core.E("tables.Logged", core.KindOf(err), e.At, fmt.Sprintf("what went wrong is not logged: it may tell values of %s.%s, whose data class %s keeps them out of logs", at.Table, at.Column, class))
		}
		inner = e.Err
	}
	return err
}

// tells returns a column whose values the error may tell and the log must not hold, and the data class that says so; "" for none.
func (n *Snapshot) tells(e *core.Error) (core.At, string) {
	t, err := n.Schema.Table(e.Table)
	if err != nil || !quoting[e.Kind] {
		return core.At{}, ""
	}
	var columns []core.At
	for i := range t.Columns {
		if e.Column == "" || e.Column == t.Columns[i].Name {
			columns = append(columns, core.At{Table: t.Name, Column: t.Columns[i].Name})
		}
	}
	for _, d := range n.Rules.Definitions(t.Name) {
		if e.Rule != "" && d.Rule == e.Rule || e.Column != "" && d.Column == e.Column {
			columns = append(columns, d.Reads...)
		}
	}
	for _, at := range columns {
		if h, class := n.Handling(at.Table, at.Column, core.UseLog); h == core.Deny {
			return at, class
		}
	}
	return core.At{}, ""
}
