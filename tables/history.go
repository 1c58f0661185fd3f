package tables

import (
	"encoding/json"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// imprint is what a change leaves in history and events.
type imprint struct {
	op              core.Op
	id, version, at any
	after           core.Record // or
	values          []any       // of the stored columns, in their order
}

// imprint returns what the change leaves.
func (w *writer) imprint(c *change) imprint {
	r := c.record()
	t := imprint{op: c.op, id: r["id"], version: r["version"], at: w.when(c), after: c.after}
	if c.op == core.Delete {
		t.version = c.before["version"].(int64) + 1
	}
	return t
}

// imprints returns what the changes of the batch leave.
func (w *writer) imprints() []imprint {
	out := make([]imprint, len(w.batch))
	for i := range out {
		out[i] = w.imprint(&w.batch[i])
	}
	return out
}

// column is a column of a table of the system, and its value for a change.
type column struct {
	core.Column
	value func(w *writer, t *imprint) any
	same  sameness
}

// sameness tells when all changes of a batch have the same value.
type sameness string

const (
	differs   sameness = ""
	always    sameness = "always"
	whenAlike sameness = "when all of them do the same at the same time"
)

func field(name string, kind core.Kind, same sameness, value func(w *writer, t *imprint) any) column {
	return column{core.Column{Name: name, Kind: kind}, value, same}
}

// common are the columns that history and events share.
var common = []column{
	field("table_name", core.Text, always, func(w *writer, _ *imprint) any { return w.table.SQL() }),
	field("record_id", core.UUID, differs, func(_ *writer, t *imprint) any { return t.id }),
	field("version", core.Integer, differs, func(_ *writer, t *imprint) any { return t.version }),
	field("op", core.Text, whenAlike, func(_ *writer, t *imprint) any { return string(t.op) }),
	field("actor", core.UUID, always, func(w *writer, _ *imprint) any { return string(actorOf(w.caller)) }),
	field("cause", core.Text, always, func(w *writer, _ *imprint) any { return causeKind(w.caller) }),
	field("cause_id", core.Text, always, func(w *writer, _ *imprint) any { return orNull(w.caller.Cause.ID) }),
	field("at", core.Timestamp, whenAlike, func(_ *writer, t *imprint) any { return t.at }),
}

var (
	historyColumns = append(common[:len(common):len(common)],
		field("behalf", core.UUID, always, func(w *writer, _ *imprint) any { return orNull(string(w.caller.Behalf)) }),
		field("data", core.JSON, differs, func(w *writer, t *imprint) any {
			if t.op == core.Delete {
				return nil
			}
			return w.version(t)
		}))
	eventColumns = append(common[:len(common):len(common)],
		field("depth", core.Integer, always, func(w *writer, _ *imprint) any { return int64(w.caller.Cause.Depth) }))

	historyTable = columnsOf(historyColumns)
	eventTable   = columnsOf(eventColumns)
)

func columnsOf(columns []column) []*core.Column {
	out := make([]*core.Column, len(columns))
	for i := range columns {
		out[i] = &columns[i].Column
	}
	return out
}

// history is a row for each change: what its record became, and who made it so.
func (w *writer) history(all []imprint) db.Rows {
	return w.trail("_history", historyTable, historyColumns, all)
}

// events is a row for each change, for those who follow what happens.
func (w *writer) events(all []imprint) db.Rows {
	return w.trail("_event", eventTable, eventColumns, all)
}

func (w *writer) trail(table string, columns []*core.Column, values []column, all []imprint) db.Rows {
	w.due = len(all)
	alike := alikeInTime(all)
	same := make([]bool, len(values))
	for i, c := range values {
		same[i] = c.same == always || c.same == whenAlike && alike
	}
	return db.Rows{Table: table, Columns: columns, N: len(all), Same: same, Value: func(row, column int) any {
		return values[column].value(w, &all[row])
	}}
}

// alikeInTime reports whether all changes do the same at the same time.
func alikeInTime(all []imprint) bool {
	return !slices.ContainsFunc(all, func(t imprint) bool { return t.op != all[0].op || !equal(t.at, all[0].at) })
}

// maxPage is how many bytes of versions share a piece of memory.
const maxPage = 64 << 10

// version returns what the history keeps of a record that was written.
func (w *writer) version(t *imprint) json.RawMessage {
	if w.versions == nil {
		w.versions = w.table.StoredWriter()
	}
	if need := 48 * len(w.stored); cap(w.page)-len(w.page) < need {
		w.page = make([]byte, 0, min(need*w.due, max(need, maxPage)))
	}
	start := len(w.page)
	if t.values != nil {
		w.page = w.versions.AppendValues(w.page, t.values)
	} else {
		w.page = w.versions.Append(w.page, t.after)
	}
	return json.RawMessage(w.page[start:len(w.page):len(w.page)])
}

// created are the rows of new records.
func (w *writer) created(creates []change) db.Rows {
	after := func(row int) core.Record { return creates[row].after }
	same := sameSystem(w.stored, len(creates), after)
	return db.Rows{Table: w.table.SQL(), Columns: w.stored, N: len(creates), Same: same, Value: func(row, column int) any {
		return after(row)[w.stored[column].Name]
	}}
}

// sameSystem tells in which system columns n records have the same values.
func sameSystem(columns []*core.Column, n int, record func(int) core.Record) []bool {
	same := make([]bool, len(columns))
	for i, c := range columns {
		same[i] = c.System && c.Name != "id"
		first := record(0)[c.Name]
		for row := 1; same[i] && row < n; row++ {
			same[i] = equal(record(row)[c.Name], first)
		}
	}
	return same
}

// when is the time of a change. The versions of a record are in the order of their times, whatever the clocks say.
func (w *writer) when(c *change) time.Time {
	if c.before == nil {
		return w.tx.now
	}
	return later(w.tx.now, c.before["updated_at"])
}

func later(now time.Time, last any) time.Time {
	if t, ok := last.(time.Time); ok && t.After(now) {
		return t
	}
	return now
}

// causeDerived is the cause of a change of nothing but calculated columns, which follows from another change.
const causeDerived = "derived"

func causeKind(c core.Caller) string {
	if c.Cause.Kind == "" {
		return "api"
	}
	return c.Cause.Kind
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
