package tables

import (
	"encoding/json"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// column is a column of a table of the system, and its value for a change.
type column struct {
	core.Column
	value func(w *writer, c *change) any
	same  sameness
}

// sameness tells when all changes of a batch have the same value.
type sameness string

const (
	differs   sameness = ""
	always    sameness = "always"
	whenAlike sameness = "when all of them do the same at the same time"
)

func field(name string, kind core.Kind, same sameness, value func(w *writer, c *change) any) column {
	return column{core.Column{Name: name, Kind: kind}, value, same}
}

// common are the columns that history and events share.
var common = []column{
	field("table_name", core.Text, always, func(w *writer, _ *change) any { return w.table.SQL() }),
	field("record_id", core.UUID, differs, func(_ *writer, c *change) any { return c.record()["id"] }),
	field("version", core.Integer, differs, func(_ *writer, c *change) any {
		if c.op == core.Delete {
			return c.before["version"].(int64) + 1
		}
		return c.after["version"]
	}),
	field("op", core.Text, whenAlike, func(_ *writer, c *change) any { return string(c.op) }),
	field("actor", core.UUID, always, func(w *writer, _ *change) any { return string(actorOf(w.caller)) }),
	field("cause", core.Text, always, func(w *writer, _ *change) any { return causeKind(w.caller) }),
	field("cause_id", core.Text, always, func(w *writer, _ *change) any { return orNull(w.caller.Cause.ID) }),
	field("at", core.Timestamp, whenAlike, func(w *writer, c *change) any { return w.when(c) }),
}

var (
	historyColumns = append(common[:len(common):len(common)],
		field("behalf", core.UUID, always, func(w *writer, _ *change) any { return orNull(string(w.caller.Behalf)) }),
		field("data", core.JSON, differs, func(w *writer, c *change) any {
			if c.after == nil {
				return nil
			}
			return w.version(c.after)
		}))
	eventColumns = append(common[:len(common):len(common)],
		field("depth", core.Integer, always, func(w *writer, _ *change) any { return int64(w.caller.Cause.Depth) }))

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

// history is a row for each record of the batch: what it became, and who made it so.
func (w *writer) history() db.Rows { return w.trail("_history", historyTable, historyColumns) }

// events is a row for each record of the batch, for those who follow what happens.
func (w *writer) events() db.Rows { return w.trail("_event", eventTable, eventColumns) }

func (w *writer) trail(table string, columns []*core.Column, values []column) db.Rows {
	alike := w.alikeInTime()
	same := make([]bool, len(values))
	for i, c := range values {
		same[i] = c.same == always || c.same == whenAlike && alike
	}
	return db.Rows{Table: table, Columns: columns, N: len(w.batch), Same: same, Value: func(row, column int) any {
		return values[column].value(w, &w.batch[row])
	}}
}

// alikeInTime reports whether all changes of the batch do the same at the same time.
func (w *writer) alikeInTime() bool {
	if len(w.batch) == 0 {
		return true
	}
	first := &w.batch[0]
	at := w.when(first)
	return !slices.ContainsFunc(w.batch, func(c change) bool { return c.op != first.op || c.before != nil && !w.when(&c).Equal(at) })
}

// maxPage is how many bytes of versions share a piece of memory.
const maxPage = 64 << 10

// version returns what the history keeps of a record.
func (w *writer) version(r core.Record) json.RawMessage {
	if w.versions == nil {
		w.versions = w.table.StoredWriter()
	}
	if need := 48 * len(w.stored); cap(w.page)-len(w.page) < need {
		w.page = make([]byte, 0, min(need*len(w.batch), max(need, maxPage)))
	}
	start := len(w.page)
	w.page = w.versions.Append(w.page, r)
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
