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
	"colonnade/rules"
)

// writer is a write to one table by one caller.
type writer struct {
	tx      *Tx
	table   *core.Table
	caller  core.Caller
	ask     rules.Ask
	create  *authz.Decision
	update  *authz.Decision
	stored  []*core.Column
	monies  []core.Money
	derived []*core.Column // the stored columns that are calculated

	later   bool // stored columns that depend on other records are left to [Tx.settle]
	batch   []change
	numbers map[string][]int64 // of each autonumber, those that were drawn for the batch
	asIs    bool               // the records are taken over from another system: see [Insert.AsIs]

	columns  map[core.Op]map[string]*settable // that were found to be the caller's to write
	versions *core.StoredWriter
	page     []byte // where versions are written
	due      int    // how many versions come

	duplicates  []*duplicateRule
	onDuplicate Duplicates
	likened     map[core.ID][]Duplicate // by record: those that it is like

	trusted map[any]bool // ids that the caller has just created or read in an old version, and may name unseen
	defined bool         // what the records look up need not be in reach: they are changed by the definition of the tables
	unruled bool         // business rules are not asked: it is the definition of the tables that changes, not what somebody writes
}

// change is a record that a write has prepared, with what it was before.
type change struct {
	op            core.Op
	before, after core.Record
	item          int          // 1-based position in the input; 0 for the only one
	given         bool         // of a new record: the id came from the caller, and may have been used before
	ruled         bool         // the business rules were asked
	late          *rules.Write // what they have still to check when the record is written
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
	w := &writer{tx: tx, table: t, caller: caller, ask: tx.Ask(caller), duplicates: tx.snap.duplicates[t.Name], stored: make([]*core.Column, 0, len(t.Columns))}
	for c := range t.Stored {
		w.stored = append(w.stored, c)
	}
	w.monies = t.Monies()
	w.derived = tx.snap.Rules.StoredFormulas(t.Name)
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

// add prepares an insert.
func (w *writer) add(values core.Record, item int) (_ core.ID, err error) {
	in, err := w.parse(core.Create, values)
	if err != nil {
		return "", err
	}
	next := in.values
	named := next["id"] != nil
	var given core.Record
	if w.tx.snap.Rules.HasRules(w.table.Name, core.Create) {
		given = next.Clone() // rules change the values
	}
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
	if err := snap.Rules.Defaults(w.table.Name, next, w.caller, w.ask); err != nil {
		return "", err
	}
	for _, c := range w.stored {
		if _, ok := next[c.Name]; !ok && !c.Calculated() {
			next[c.Name] = nil
		}
	}
	if err := w.newMoney(next); err != nil { // which rules look at
		return "", err
	}
	late, err := w.ruled(core.Create, given, next, nil)
	if err != nil {
		return "", err
	}
	if err := w.newMoney(next); err != nil { // which they may have changed
		return "", err
	}
	if err := w.calculate(next, nil); err != nil {
		return "", err
	}
	if err := w.complete(next); err != nil {
		return "", err
	}
	if err := w.begin(next); err != nil {
		return "", err
	}
	kept, err := w.assigned(nil, next)
	if err == nil {
		err = w.inReach(core.Create, kept, in.guards)
	}
	if err != nil {
		return "", err
	}
	w.batch = append(w.batch, change{op: core.Create, after: next, item: item, given: named, ruled: true, late: late})
	id, _ := next["id"].(string)
	return core.ID(id), nil
}

// change prepares an update of old. A record that has the values already is left as it is, where the caller may know that it has.
func (w *writer) change(in input, old core.Record, item int) (changed bool, err error) {
	if err := w.guarded(in.guards, old); err != nil { // before anything tells whether the values are others
		return false, err
	}
	next := maps.Clone(old)
	maps.Copy(next, in.values)
	for _, c := range w.derived { // for rules to see what it will be
		delete(next, c.Name)
	}
	if err := w.follows(in, old, next); err != nil {
		return false, err
	}
	if err := w.changedMoney(in, old, next); err != nil {
		return false, err
	}
	late, err := w.ruled(core.Update, in.values, next, old)
	if err != nil {
		return false, err
	}
	if err := w.changedMoney(in, old, next); err != nil {
		return false, err
	}
	if err := w.calculate(next, old); err != nil {
		return false, err
	}
	if err := w.complete(next); err != nil {
		return false, err
	}
	if w.same(old, next) {
		if blind, err := w.blind(in, old); err != nil || !blind {
			return false, err
		}
	}
	if err := w.follow(old, next); err != nil {
		return false, err
	}
	w.touch(next, old)
	kept, err := w.assigned(old, next)
	if err == nil {
		err = w.inReach(core.Update, kept, in.guards)
	}
	if err != nil {
		return false, err
	}
	w.batch = append(w.batch, change{op: core.Update, before: old, after: next, item: item, ruled: true, late: late})
	return true, nil
}

// calculate computes the calculated columns that are stored, when everything that they read of their record is known. Those
// that depend on other records keep their values until [writer.deepen].
func (w *writer) calculate(next, old core.Record) error {
	if len(w.derived) == 0 {
		return nil
	}
	for _, c := range w.derived {
		if _, ok := next[c.Name]; !ok {
			next[c.Name] = old[c.Name]
		}
	}
	return w.tx.snap.Rules.Store(w.table.Name, next)
}

// deepen computes the stored columns that depend on other records, for the records of the batch that are new or differ in what
// these columns read of them.
func (w *writer) deepen() error {
	if w.later {
		return nil
	}
	var records []core.Record
	for i := range w.batch {
		c := &w.batch[i]
		if c.after != nil && slices.ContainsFunc(w.tx.snap.derivation.watches[w.table.Name], func(of *watch) bool { return len(of.path) == 0 && of.sees(c) }) {
			records = append(records, c.after)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := w.tx.Foresee(w.caller, w.tx.snap.Rules.StoredNeeds(w.table.Name), records, nil); err != nil {
		return err
	}
	for _, r := range records {
		if err := w.tx.snap.Rules.StoreNeeds(w.table.Name, r, w.ask); err != nil {
			return err
		}
	}
	return nil
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
	return w.table.CheckKeys(r)
}

// inReach checks that a record, as it will be, is one that the caller may touch, with the columns that have guards. That it is in
// reach as it is, the search for it has made sure. Of a record that is given away after is what [writer.assigned] returns.
func (w *writer) inReach(op core.Op, after core.Record, guards []guard) error {
	if rows := w.may(op).Rows; rows != nil {
		ok, err := w.holds(rows, after)
		if err != nil {
			return err
		}
		if !ok {
			return core.E("tables.inReach", core.Denied, core.At{Table: w.table.Name}, fmt.Sprintf("the record would be out of your reach to %s", op))
		}
	}
	return w.guarded(guards, after)
}

// guarded checks that the caller may write the columns that have guards in the record.
func (w *writer) guarded(guards []guard, r core.Record) error {
	for _, g := range guards {
		ok, err := w.holds(g.holds, r)
		if err != nil {
			return err
		}
		if !ok {
			return core.E("tables.guarded", core.Denied, w.at(g.column), "you may not write this column in this record: leave it out, or ask an administrator for the privilege")
		}
	}
	return nil
}

// holds evaluates a condition of the policy over a record, which lacks its calculated columns.
func (w *writer) holds(e *rules.Expr, r core.Record) (bool, error) {
	if slices.ContainsFunc(e.Columns, func(name string) bool { c, ok := w.table.Column(name); return ok && c.Calculated() }) {
		r = maps.Clone(r)
		if err := w.tx.snap.Rules.Calculate(w.table.Name, r, w.caller, w.ask); err != nil {
			return false, err
		}
	}
	return e.True(r, nil, w.caller, w.ask)
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
	if !w.owns(r["owner_id"]) || r["unit_id"] != nil {
		if err := w.mayAssign(); err != nil { // before a word about who there is
			return err
		}
	}
	if r["unit_id"] == nil {
		return w.place(r)
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

// maxStatements is how many statements are sent together.
const maxStatements = 1000
