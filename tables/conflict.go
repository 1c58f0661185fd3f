package tables

import (
	"context"
	"encoding/json"
	"fmt"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Moved is the cause inside the error of a record that is no longer of the version that its writer expects: what became
// of it, as far as he may read it.
type Moved struct {
	Version int64        `json:"version,omitempty"` // that it has now; 0 when he may not read it
	Columns []Difference `json:"columns"`           // that he would change, or that somebody else has changed
}

// Difference is one column of a record that has moved on. A value that is not known, or not given, is left out.
type Difference struct {
	Column string          `json:"column"`
	Yours  json.RawMessage `json:"yours,omitempty"`  // what the writer would set
	Theirs json.RawMessage `json:"theirs,omitempty"` // what the record has
	Base   json.RawMessage `json:"base,omitempty"`   // what it had in the version that the writer expects
}

// Error implements error, for the log.
func (m *Moved) Error() string { return fmt.Sprintf("the record has version %d", m.Version) }

// checkVersion refuses to write a record that has another version than the one expected; 0 expects none. Versions in which only
// calculated columns have changed are passed over. yours is what would be set.
func (w *writer) checkVersion(ctx context.Context, old core.Record, version int64, yours core.Record) error {
	if version == 0 || old["version"] == version {
		return nil
	}
	const op = "tables.checkVersion"
	if same, err := w.tx.onlyDerived(ctx, w.table, old["id"], version, old["version"].(int64)); err != nil || same {
		return core.E(op, err)
	}
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	if err != nil {
		return core.E(op, err)
	}
	found, err := w.tx.records(ctx, w.table.Name, "", ByID(core.ID(old["id"].(string))), false) // old may hold less
	if err != nil || len(found) != 1 {
		return core.E(op, core.Conflict, core.At{Table: w.table.Name}, "the record is gone", err)
	}
	d := &diff{w: w, read: read, theirs: found[0], yours: yours}
	if d.base, err = d.before(ctx, version); err != nil {
		return core.E(op, err)
	}
	m, err := d.moved()
	if err != nil {
		return core.E(op, err)
	}
	msg := "the record has moved on: read it again and repeat the change"
	if m.Version > 0 {
		msg = fmt.Sprintf("the record has moved on to version %d: read it again and repeat the change", m.Version)
	}
	return core.E(op, core.Conflict, w.at("version"), msg, m)
}

// onlyDerived reports whether nothing but calculated columns has changed in a record from one version to a later one.
func (tx *Tx) onlyDerived(ctx context.Context, t *core.Table, id any, from, to int64) (bool, error) {
	if from >= to || len(tx.snap.Rules.StoredFormulas(t.Name)) == 0 {
		return from == to, nil
	}
	var n int64
	b := db.New(tx.db.Dialect).Write(`SELECT count(*) FROM "_history" WHERE record_id = `).Arg(id).Write(" AND version > ").Arg(from).Write(" AND version <= ").Arg(to).
		Write(" AND table_name = ").Arg(t.SQL()).Write(" AND cause = ").Arg(causeDerived)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	return n == to-from, err
}

// diff compares three states of a record for one who reads it.
type diff struct {
	w      *writer
	read   *authz.Decision
	theirs core.Record
	yours  core.Record
	base   core.Record // nil when it is not known, or was out of reach
}

// before reads a version of the record from its history, where the caller's present rights reach it.
func (d *diff) before(ctx context.Context, version int64) (core.Record, error) {
	tx := d.w.tx
	var data []byte
	b := db.New(tx.db.Dialect).Write(`SELECT data FROM "_history" WHERE record_id = `).Arg(d.theirs["id"]).Write(" AND version = ").Arg(version).
		Write(" AND table_name = ").Arg(d.w.table.SQL())
	if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&data) }); err != nil {
		return nil, err
	}
	base, err := decodeStored(d.w.table, data)
	if err != nil || base == nil || d.read.Rows == nil {
		return base, err
	}
	if ok, err := d.w.holds(d.read.Rows, base); err != nil || !ok {
		return nil, err
	}
	return base, nil
}

func (d *diff) moved() (*Moved, error) {
	m := &Moved{Columns: []Difference{}}
	if ok, err := d.readable("version", d.theirs); err != nil {
		return nil, err
	} else if ok {
		m.Version = d.theirs["version"].(int64)
	}
	for _, c := range d.w.stored {
		if c.System && c.Name != "owner_id" && c.Name != "unit_id" {
			continue
		}
		one, err := d.column(c)
		if err != nil {
			return nil, err
		}
		if one != nil {
			m.Columns = append(m.Columns, *one)
		}
	}
	return m, nil
}

// column returns how the states differ in a column; nil when they do not, or the caller may not know.
func (d *diff) column(c *core.Column) (*Difference, error) {
	if ok, err := d.readable(c.Name, d.theirs); err != nil || !ok {
		return nil, err
	}
	out := &Difference{Column: c.Name, Theirs: c.AppendJSON(nil, d.theirs[c.Name])}
	yours, set := d.yours[c.Name]
	if set {
		out.Yours = c.AppendJSON(nil, yours)
	}
	differs := set && !equal(yours, d.theirs[c.Name])
	if d.base != nil {
		ok, err := d.readable(c.Name, d.base)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Base = c.AppendJSON(nil, d.base[c.Name])
			differs = differs || !equal(d.base[c.Name], d.theirs[c.Name])
		}
	}
	if !differs {
		return nil, nil
	}
	return out, nil
}

// readable reports whether the caller may read the column of the record in that state.
func (d *diff) readable(column string, r core.Record) (bool, error) {
	if c, ok := d.w.table.Column(column); ok && !d.w.tx.snap.ShowsStored(d.w.caller, d.w.table, c) {
		return false, nil
	}
	visible, holds := d.read.Column(column)
	if !visible || holds == nil {
		return visible, nil
	}
	return d.w.holds(holds, r)
}
