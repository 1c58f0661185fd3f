package tables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Evaluate asks what the rules of a table would make of a write.
type Evaluate struct {
	Table  string
	Op     core.Op     // create, update or delete
	ID     core.ID     // of the record that is changed or deleted
	Values core.Record // what the writer would send
}

// Advice is what rules say of a write that is not made.
type Advice struct {
	Record      core.Record // as it would be, of the columns that differ from what the record has and the writer sends
	Required    []string
	Locked      []string
	Hidden      []string
	Recommended []rules.DeedLog
	Refused     []Refusal
	Log         *rules.Log
}

// Refusal is what a rule has against a write.
type Refusal struct{ Rule, Column, Message string }

// EvaluateRules tells what the rules of the table would make of a write of the caller. Nothing is written, and he learns
// nothing that the write would not tell him. Keys, limits and required columns are not looked at; but where they refuse the
// write, rules that check by other records are not asked, as in the write.
func (s *Store) EvaluateRules(ctx context.Context, snap *Snapshot, in Evaluate) (*Advice, error) {
	const op = "tables.EvaluateRules"
	e := &evaluation{Evaluate: in, tx: s.outside(ctx, snap)}
	if err := e.prepare(ctx); err != nil {
		return nil, core.E(op, err)
	}
	w := e.w.ruleWrite(in.Op, e.given, e.next, e.old)
	w.Advise, w.Log = true, &rules.Log{}
	if err := snap.Rules.Apply(in.Table, w); err != nil {
		return nil, core.E(op, err)
	}
	if snap.Rules.Verifies(in.Table, in.Op) {
		late, err := e.try(ctx)
		if err != nil {
			return nil, core.E(op, err)
		}
		w.Log.Asked(late)
	}
	out, err := e.advice(w)
	return out, core.E(op, err)
}

// try writes the record, has those rules asked that check by other records, and undoes it all. What they say is empty when the
// write itself is refused.
func (e *evaluation) try(ctx context.Context) (*rules.Log, error) {
	log := &rules.Log{}
	err := e.tx.store.Tx(ctx, TxOptions{Again: true}, func(ctx context.Context, tx *Tx) error {
		tx.advice, log.Rules = log, nil
		defer func() { tx.advice = nil }()
		err := tx.Savepoint(ctx, func() (err error) {
			if e.Op == core.Create {
				_, err = tx.Insert(ctx, Insert{Table: e.Table, Rows: []core.Record{e.Values}})
			} else {
				_, err = tx.Update(ctx, Update{Table: e.Table, Where: ByID(e.ID), Set: e.Values})
			}
			if err == nil {
				err = errTried
			}
			return err
		})
		if !errors.Is(err, errTried) {
			log.Rules = nil
		}
		if errors.Is(err, db.ErrClash) || core.KindOf(err) == core.Internal && !errors.Is(err, errTried) {
			return err
		}
		return nil
	})
	return log, err
}

// evaluation is a write that is prepared as far as rules see it.
type evaluation struct {
	Evaluate
	tx               *Tx
	w                *writer
	given, next, old core.Record
}

func (e *evaluation) prepare(ctx context.Context) error {
	if !slices.Contains([]core.Op{core.Create, core.Update, core.Delete}, e.Op) {
		return core.E("tables.evaluate", core.Invalid, core.At{Column: "op"}, fmt.Sprintf("%q is no operation: choose create, update or delete", e.Op))
	}
	if (e.ID == "") != (e.Op == core.Create) {
		return core.E("tables.evaluate", core.Invalid, core.At{Column: "id"}, "name the record that is changed or deleted, and none to create one")
	}
	if e.Op == core.Delete && len(e.Values) > 0 {
		return core.E("tables.evaluate", core.Invalid, core.At{Column: "record"}, "a delete sends no values: leave them out")
	}
	var err error
	if e.w, err = e.tx.writer(ctx, e.Table, e.Op); err != nil {
		return err
	}
	var in input
	if e.Op != core.Delete {
		if in, err = e.w.parse(e.Op, e.Values); err != nil {
			return err
		}
	}
	if e.Op == core.Create {
		return e.create(in)
	}
	if e.old, err = e.record(ctx); err != nil {
		return err
	}
	e.given, e.next = in.values, maps.Clone(e.old)
	maps.Copy(e.next, in.values)
	for _, c := range e.w.derived {
		delete(e.next, c.Name)
	}
	if e.Op == core.Update {
		return e.w.changedMoney(in, e.old, e.next)
	}
	return nil
}

func (e *evaluation) create(in input) error {
	e.next, e.given = in.values, in.values.Clone()
	if err := e.w.identify(e.next); err != nil {
		return err
	}
	if err := e.tx.snap.Rules.Defaults(e.Table, e.next, e.w.caller, e.w.ask); err != nil {
		return err
	}
	for _, c := range e.w.stored {
		if _, ok := e.next[c.Name]; !ok && !c.Calculated() {
			e.next[c.Name] = nil
		}
	}
	return e.w.newMoney(e.next)
}

// record reads the whole record, when the caller may do to it what he asks about.
func (e *evaluation) record(ctx context.Context) (core.Record, error) {
	r, err := e.tx.reach(ctx, e.Table, e.Op, ByID(e.ID))
	if err != nil {
		return nil, err
	}
	conn := e.tx.store.conn(ctx)
	b := db.New(e.tx.store.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	ids, err := queryIDs(ctx, conn, b)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, core.E("tables.evaluate", core.NotFound, core.At{Table: e.Table}, fmt.Sprintf("there is no record with the id %s that you may %s", e.ID, e.Op))
	}
	whole, err := e.tx.store.Find(core.WithCaller(ctx, core.System("rules")), e.tx.snap, e.Table, e.ID)
	if err != nil {
		return nil, err
	}
	for i := range e.w.table.Columns {
		if c := &e.w.table.Columns[i]; c.Virtual() {
			delete(whole, c.Name)
		}
	}
	return whole, nil
}

// advice sorts what the rules have done.
func (e *evaluation) advice(w *rules.Write) (*Advice, error) {
	out := &Advice{Log: w.Log, Record: core.Record{}}
	add := func(to *[]string, column string) {
		if column != "" && !slices.Contains(*to, column) {
			*to = append(*to, column)
		}
	}
	for _, r := range w.Log.Rules {
		for _, d := range r.Did {
			switch d.Do {
			case "require":
				add(&out.Required, d.Column)
			case "lock":
				if e.Op == core.Update {
					add(&out.Locked, d.Column)
				}
			case "hide":
				add(&out.Hidden, d.Column)
			case "recommend":
				out.Recommended = append(out.Recommended, d)
			}
			if d.Refused {
				out.Refused = append(out.Refused, Refusal{r.Rule, d.Column, d.Message})
			}
		}
	}
	if e.Op == core.Delete {
		return out, nil
	}
	if err := e.w.calculate(e.next, e.old); err != nil {
		return nil, err
	}
	return out, e.values(w, out)
}

// values fills what the record would hold, as far as the caller could read it.
func (e *evaluation) values(w *rules.Write, out *Advice) error {
	for _, c := range e.w.stored {
		v := e.next[c.Name]
		before, sent := e.given[c.Name]
		if !sent {
			before = e.old[c.Name]
		}
		if equal(v, before) || c.System {
			continue
		}
		if w.Viewer != nil {
			if ok, err := w.Viewer.Sees(c.Name, false); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
		}
		out.Record[c.Name] = v
	}
	return nil
}
