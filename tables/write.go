package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// writer is a write to one table by one caller.
type writer struct {
	tx      *Tx
	table   *core.Table
	caller  core.Caller
	create  *authz.Decision
	update  *authz.Decision
	stored  []*core.Column
	batch   []change
	numbers map[string][]int64 // of each autonumber, those that were drawn for the batch
	asIs    bool               // the records are taken over from another system: see [Insert.AsIs]

	trusted map[any]bool // ids that the caller has just created, and may look up unseen
	defined bool         // what the records look up need not be in reach: they are changed by the definition of the tables
}

// change is a record that a write has prepared, with what it was before.
type change struct {
	op            core.Op
	before, after core.Record
	item          int  // 1-based position in the input; 0 for the only one
	given         bool // of a new record: the id came from the caller, and may have been used before
}

// record is the record that the change is about.
func (c *change) record() core.Record {
	if c.after == nil {
		return c.before
	}
	return c.after
}

// writer returns the write to the table, for which the caller needs the privilege.
func (tx *Tx) writer(ctx context.Context, table string, op core.Op) (*writer, error) {
	caller := core.CallerFrom(ctx)
	t, may, err := tx.snap.decide(caller, table, op)
	if err != nil {
		return nil, err
	}
	if t.Builtin && !caller.IsSystem() {
		return nil, core.E("tables.writer", core.Denied, core.At{Table: table}, "the table is kept by Colonnade: use the action that changes it")
	}
	w := newWriter(tx, t, caller)
	switch op {
	case core.Create:
		w.create = may
	case core.Update:
		w.update = may
	}
	return w, nil
}

func newWriter(tx *Tx, t *core.Table, caller core.Caller) *writer {
	w := &writer{tx: tx, table: t, caller: caller, stored: make([]*core.Column, 0, len(t.Columns))}
	for c := range t.Stored {
		w.stored = append(w.stored, c)
	}
	return w
}

// may returns how far the caller's privilege reaches.
func (w *writer) may(op core.Op) *authz.Decision {
	if op == core.Create {
		return w.create
	}
	return w.update
}

func (w *writer) at(column string) core.At { return core.At{Table: w.table.Name, Column: column} }

// item is the place of the i-th of n inputs; a single one needs none.
func item(n, i int) int {
	if n == 1 {
		return 0
	}
	return i + 1
}

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
	in.values = make(core.Record, len(w.table.Columns))
	for name, v := range values {
		c, ok := w.table.Column(name)
		if !ok {
			return in, w.unknown(name)
		}
		if err := w.writable(op, c, &in); err != nil {
			return in, err
		}
		if in.values[name], err = c.Parse(v); err != nil {
			return in, core.E("tables.parse", core.At{Table: w.table.Name}, err)
		}
	}
	return in, w.spread(op, &in)
}

// writable checks that the caller may write the column; a right that depends on the record becomes a guard of in.
func (w *writer) writable(op core.Op, c *core.Column, in *input) error {
	visible, holds := w.may(op).Column(c.Name)
	if !visible {
		if read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read); err == nil {
			visible, _ = read.Column(c.Name)
		}
		if !visible {
			return w.unknown(c.Name)
		}
		return core.E("tables.writable", core.Denied, w.at(c.Name), "you may not write this column: leave it out, or ask an administrator for the privilege")
	}
	switch {
	case c.Formula != "":
		return core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is calculated and cannot be written: leave it out")
	case c.Kind == core.Autonumber && (!w.asIs || op != core.Create):
		return core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is numbered and cannot be written: leave it out, or import the records of another system as they are")
	case c.System && !w.writableSystem(op, c.Name):
		return core.E("tables.writable", core.Invalid, w.at(c.Name), "the column is kept by Colonnade and cannot be written: leave it out")
	}
	if holds != nil {
		in.guards = append(in.guards, guard{c.Name, holds})
	}
	return nil
}

func (w *writer) writableSystem(op core.Op, name string) bool {
	switch name {
	case "id":
		return op == core.Create
	case "owner_id":
		return true
	case "unit_id":
		return w.caller.IsSystem()
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

// add prepares an insert.
func (w *writer) add(values core.Record, item int) (_ core.ID, err error) {
	in, err := w.parse(core.Create, values)
	if err != nil {
		return "", err
	}
	next := in.values
	given := next["id"] != nil
	if err := w.identify(next); err != nil {
		return "", err
	}
	undo, err := w.takeNumbers(next)
	defer func() {
		if err != nil {
			undo()
		}
	}()
	if err != nil {
		return "", err
	}
	snap := w.tx.snap
	if err := snap.Rules.Defaults(w.table.Name, next, w.caller); err != nil {
		return "", err
	}
	for _, c := range w.stored {
		if _, ok := next[c.Name]; !ok {
			next[c.Name] = nil
		}
	}
	if snap.Rules.HasRules(w.table.Name) {
		if err := snap.Rules.Apply(w.table.Name, core.Create, next, nil, w.caller); err != nil {
			return "", err
		}
	}
	if err := w.complete(next); err != nil {
		return "", err
	}
	if err := w.begin(next); err != nil {
		return "", err
	}
	if err := w.inReach(core.Create, nil, next, in.guards); err != nil {
		return "", err
	}
	w.batch = append(w.batch, change{op: core.Create, after: next, item: item, given: given})
	id, _ := next["id"].(string)
	return core.ID(id), nil
}

// change prepares an update of old. A record that has the values already is left as it is.
func (w *writer) change(in input, old core.Record, item int) (changed bool, err error) {
	next := maps.Clone(old)
	maps.Copy(next, in.values)
	if w.table.Owned() && next["owner_id"] != old["owner_id"] {
		if err := w.place(next); err != nil {
			return false, err
		}
	}
	if w.tx.snap.Rules.HasRules(w.table.Name) {
		if err := w.tx.snap.Rules.Apply(w.table.Name, core.Update, next, old, w.caller); err != nil {
			return false, err
		}
	}
	if err := w.complete(next); err != nil || w.same(old, next) {
		return false, err
	}
	if err := w.follow(old, next); err != nil {
		return false, err
	}
	w.touch(next, old)
	if err := w.inReach(core.Update, old, next, in.guards); err != nil {
		return false, err
	}
	w.batch = append(w.batch, change{op: core.Update, before: old, after: next, item: item})
	return true, nil
}

// touch fills the system columns of a record that changes.
func (w *writer) touch(next, old core.Record) {
	if w.table.Builtin {
		return
	}
	next["version"] = old["version"].(int64) + 1
	next["updated_at"] = later(w.tx.now, old["updated_at"])
	next["updated_by"] = string(actorOf(w.caller))
}

// complete checks that nothing is missing.
func (w *writer) complete(r core.Record) error {
	if err := w.completeTargets(r); err != nil {
		return err
	}
	for _, c := range w.stored {
		if c.Required && r[c.Name] == nil {
			return core.E("tables.complete", core.Invalid, w.at(c.Name), "a value is required")
		}
	}
	return nil
}

// inReach checks that a record, as it is and as it will be, is one that the caller may touch, with the columns that have
// guards. That it is in reach as it is, the search for it has made sure.
func (w *writer) inReach(op core.Op, before, after core.Record, guards []guard) error {
	if rows := w.may(op).Rows; rows != nil {
		ok, err := w.holds(rows, after)
		if err != nil {
			return err
		}
		if !ok {
			return core.E("tables.inReach", core.Denied, core.At{Table: w.table.Name}, fmt.Sprintf("the record would be out of your reach to %s", op))
		}
	}
	for _, g := range guards {
		for _, r := range []core.Record{before, after} {
			if r == nil {
				continue
			}
			ok, err := w.holds(g.holds, r)
			if err != nil {
				return err
			}
			if !ok {
				return core.E("tables.inReach", core.Denied, w.at(g.column), "you may not write this column in this record: leave it out, or ask an administrator for the privilege")
			}
		}
	}
	return nil
}

// holds evaluates a condition of the policy over a record, which lacks its calculated columns.
func (w *writer) holds(e *rules.Expr, r core.Record) (bool, error) {
	if slices.ContainsFunc(e.Columns, func(name string) bool { c, ok := w.table.Column(name); return ok && c.Formula != "" }) {
		r = maps.Clone(r)
		if err := w.tx.snap.Rules.Calculate(w.table.Name, r, w.caller); err != nil {
			return false, err
		}
	}
	return e.True(r, nil, w.caller)
}

// identify fills the system columns of a new record.
func (w *writer) identify(r core.Record) error {
	if w.table.Builtin {
		return nil
	}
	if r["id"] == nil {
		r["id"] = string(core.NewID())
	}
	user := string(actorOf(w.caller))
	var now any = w.tx.now
	r["version"] = int64(1)
	r["created_at"], r["updated_at"] = now, now
	r["created_by"], r["updated_by"] = user, user
	if !w.table.Owned() {
		return nil
	}
	if r["owner_id"] == nil {
		r["owner_id"] = user
	}
	if r["unit_id"] == nil {
		return w.place(r)
	}
	return nil
}

// place puts a record into the unit of its owner.
func (w *writer) place(r core.Record) error {
	owner, _ := r["owner_id"].(string)
	if owner == "" {
		return core.E("tables.place", core.Invalid, w.at("owner_id"), "a value is required")
	}
	unit, ok := w.tx.snap.owners[core.ID(owner)]
	switch {
	case ok:
		r["unit_id"] = string(unit)
	case core.ID(owner) == actorOf(w.caller): // the machinery, or somebody who did not sign in
		r["unit_id"] = string(core.RootUnit)
	default:
		return core.E("tables.place", core.Invalid, w.at("owner_id"), "there is no such user or team")
	}
	return nil
}

func actorOf(c core.Caller) core.ID {
	if c.User == "" {
		return core.SystemID
	}
	return c.User
}

func (w *writer) same(a, b core.Record) bool {
	for _, c := range w.stored {
		if !equal(a[c.Name], b[c.Name]) {
			return false
		}
	}
	return true
}

// equal compares two values in the Go form of one kind.
func equal(a, b any) bool {
	switch a := a.(type) {
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case decimal.Decimal:
		b, ok := b.(decimal.Decimal)
		return ok && a.Equal(b)
	case json.RawMessage:
		b, ok := b.(json.RawMessage)
		return ok && bytes.Equal(a, b)
	case []string:
		b, ok := b.([]string)
		return ok && slices.Equal(a, b)
	}
	switch b.(type) {
	case json.RawMessage, []string: // which do not compare with ==
		return false
	}
	return a == b
}

// flush writes what was prepared: the rows, their history and their events.
func (w *writer) flush(ctx context.Context) error {
	if err := w.giveBack(ctx); err != nil {
		return err
	}
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.lookups(ctx); err != nil {
		return err
	}
	if err := w.targets(ctx); err != nil {
		return err
	}
	creates, err := w.creates(ctx)
	if err != nil {
		return err
	}
	sets := make([]db.Rows, 0, 3)
	if len(creates) > 0 {
		sets = append(sets, db.Rows{Table: w.table.SQL(), Columns: w.stored, N: len(creates), Value: func(row, column int) any {
			return creates[row].after[w.stored[column].Name]
		}})
	}
	if len(creates) > 0 && len(creates) < len(w.batch) { // what the statements change may refer to what they find
		if err := w.tx.db.Insert(ctx, sets...); err != nil {
			return w.explain(ctx, err, creates)
		}
		sets = sets[:0]
	}
	if err := w.statements(ctx); err != nil {
		return w.explain(ctx, err, nil)
	}
	if err := w.index(ctx); err != nil {
		return err
	}
	if !w.table.Builtin {
		sets = append(sets, w.history(), w.events())
		w.tx.events = true
	}
	creates = slices.Clone(creates) // the batch is used again before a late error comes
	err = w.tx.db.InsertLater(ctx, func(err error) error { return w.explain(ctx, err, creates) }, sets...)
	if err != nil {
		return err
	}
	w.tx.remember(w)
	w.batch = w.batch[:0]
	return nil
}

// creates returns the new records in an order in which each comes after those of them that it looks up, with the versions
// that follow on their history.
func (w *writer) creates(ctx context.Context) ([]change, error) {
	creates := w.batch
	if slices.ContainsFunc(w.batch, func(c change) bool { return c.op != core.Create }) {
		creates = nil
		for _, c := range w.batch {
			if c.op == core.Create {
				creates = append(creates, c)
			}
		}
	}
	if len(creates) == 0 {
		return nil, nil
	}
	if err := w.resume(ctx, creates); err != nil {
		return nil, err
	}
	for _, c := range w.stored {
		if c.Kind == core.Lookup && c.Target == w.table.Name && len(creates) > 1 {
			return w.parentsFirst(creates), nil
		}
	}
	return creates, nil
}

// resume gives records whose ids were used before the versions that come next.
func (w *writer) resume(ctx context.Context, creates []change) error {
	if w.table.Builtin {
		return nil
	}
	var given []any
	byID := map[string]core.Record{}
	for _, c := range creates {
		if c.given {
			id := c.after["id"].(string)
			given = append(given, id)
			byID[id] = c.after
		}
	}
	if len(given) == 0 {
		return nil
	}
	id := &core.Column{Name: "record_id", Kind: core.UUID}
	b := db.New(w.tx.db.Dialect).Write(`SELECT record_id, max(version) FROM "_history" WHERE table_name = `).Arg(w.table.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, id, func() { b.Write("record_id") }, given)
	return w.tx.db.Query(ctx, b.Write(" GROUP BY record_id"), func(scan func(...any) error) error {
		var id core.ID
		var version int64
		err := scan(&id, &version)
		byID[string(id)]["version"] = version + 1
		return err
	})
}

// parentsFirst sorts records of a table that looks up itself.
func (w *writer) parentsFirst(creates []change) []change {
	byID := make(map[any]int, len(creates))
	for i, c := range creates {
		byID[c.after["id"]] = i
	}
	out := make([]change, 0, len(creates))
	seen := make([]bool, len(creates))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, c := range w.stored {
			if c.Kind == core.Lookup && c.Target == w.table.Name {
				if j, ok := byID[creates[i].after[c.Name]]; ok {
					visit(j)
				}
			}
		}
		out = append(out, creates[i])
	}
	for i := range creates {
		visit(i)
	}
	return out
}

// maxStatements is how many statements are sent together.
const maxStatements = 1000

// statements runs what updates and deletes the records of the batch.
func (w *writer) statements(ctx context.Context) error {
	var changed []*change
	var gone []any
	for i := range w.batch {
		switch c := &w.batch[i]; c.op {
		case core.Update:
			changed = append(changed, c)
		case core.Delete:
			gone = append(gone, c.before["id"])
		}
	}
	if err := w.updateRows(ctx, changed); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	if err := w.retire(ctx, gone); err != nil {
		return err
	}
	id, _ := w.table.Column("id")
	b := db.New(w.tx.db.Dialect).Write("DELETE FROM ").Name(w.table.SQL()).Write(" WHERE ")
	b.Dialect().AnyOf(b, id, func() { b.Name("id") }, gone)
	_, err := w.tx.db.Exec(ctx, b)
	return err
}

// retire empties the dropped lookups that lead to records which go, so that they do not stand in the way.
func (w *writer) retire(ctx context.Context, gone []any) error {
	for _, r := range w.tx.snap.Schema.Retired(w.table) {
		lookup := &core.Column{Name: r.Column, Kind: core.Lookup}
		b := db.New(w.tx.db.Dialect).Write("UPDATE ").Name(r.Table).Write(" SET ").Name(r.Column).Write(" = NULL WHERE ")
		b.Dialect().AnyOf(b, lookup, func() { b.Name(r.Column) }, gone)
		if _, err := w.tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// updateRows updates records, together those that change in the same columns.
func (w *writer) updateRows(ctx context.Context, changed []*change) error {
	if len(changed) == 1 {
		_, err := w.tx.db.Exec(ctx, w.updateRow(changed[0].before, changed[0].after))
		return err
	}
	id, _ := w.table.Column("id")
	for _, g := range w.alike(changed) {
		columns := append([]*core.Column{id}, g.columns...)
		err := w.tx.db.Update(ctx, db.Rows{Table: w.table.SQL(), Columns: columns, N: len(g.changes), Value: func(row, column int) any {
			return g.changes[row].after[columns[column].Name]
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// alike are records that change in the same columns.
type alike struct {
	columns []*core.Column
	changes []*change
}

func (w *writer) alike(changed []*change) (out []*alike) {
	byColumns := map[string]*alike{}
	key := make([]byte, len(w.stored))
	for _, c := range changed {
		for i, col := range w.stored {
			key[i] = 0
			if !equal(c.before[col.Name], c.after[col.Name]) {
				key[i] = 1
			}
		}
		g := byColumns[string(key)]
		if g == nil {
			g = &alike{}
			for i, col := range w.stored {
				if key[i] == 1 {
					g.columns = append(g.columns, col)
				}
			}
			byColumns[string(key)] = g
			out = append(out, g)
		}
		g.changes = append(g.changes, c)
	}
	return out
}

func (w *writer) updateRow(old, next core.Record) *db.Builder {
	b := db.New(w.tx.db.Dialect).Write("UPDATE ").Name(w.table.SQL()).Write(" SET ")
	comma := false
	for _, c := range w.stored {
		if equal(old[c.Name], next[c.Name]) {
			continue
		}
		if comma {
			b.Write(", ")
		}
		comma = true
		b.Name(c.SQL()).Write(" = ").Value(c, next[c.Name])
	}
	return b.Write(" WHERE id = ").Arg(old["id"])
}

// lookups checks that what the records look up exists and is in the caller's reach. Where everything is in reach the
// database's own reference is check enough.
func (w *writer) lookups(ctx context.Context) error {
	if w.defined {
		return nil
	}
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		may, err := w.tx.snap.Policy.Decide(w.caller, c.Target, authz.Read)
		if err == nil && may.Rows == nil {
			continue
		}
		wanted := w.wanted(c)
		if len(wanted) == 0 {
			continue
		}
		if err != nil {
			return core.E("tables.lookups", core.Denied, w.at(c.Name), "you may not read the table that the lookup leads to: leave it out, or ask an administrator for the privilege")
		}
		found, err := w.tx.ids(ctx, c.Target, core.Read, Compare{Column: "id", Op: In, Value: keys(wanted)})
		if err != nil {
			return err
		}
		if err := w.missing(c, wanted, found); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns the ids that the batch newly looks up, with the place in the input; without those that it creates.
func (w *writer) wanted(c *core.Column) map[any]int {
	out := map[any]int{}
	for _, ch := range w.batch {
		if ch.after == nil || ch.after[c.Name] == nil || ch.before != nil && ch.before[c.Name] == ch.after[c.Name] {
			continue
		}
		if _, ok := out[ch.after[c.Name]]; !ok {
			out[ch.after[c.Name]] = ch.item
		}
	}
	maps.DeleteFunc(out, func(id any, _ int) bool { return w.trusted[id] })
	if c.Target == w.table.Name {
		for _, ch := range w.batch {
			if ch.op == core.Create {
				delete(out, ch.after["id"])
			}
		}
	}
	return out
}

func keys(m map[any]int) []any { return slices.Collect(maps.Keys(m)) }

// missing returns an error for the first of the wanted ids that was not found.
func (w *writer) missing(c *core.Column, wanted map[any]int, found []core.ID) error {
	for _, id := range found {
		delete(wanted, string(id))
	}
	first, at := any(nil), 0
	for id, item := range wanted {
		if first == nil || item < at {
			first, at = id, item
		}
	}
	if first == nil {
		return nil
	}
	return core.E("tables.missing", core.Invalid, core.At{Table: w.table.Name, Column: c.Name, Item: at}, fmt.Sprintf("there is no %s with the id %v", c.Target, first))
}
