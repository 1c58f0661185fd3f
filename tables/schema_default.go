package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// waiting is a new column whose default reads others, of its record or of others, that may be new themselves.
type waiting struct {
	table  *core.Table
	column *core.Column
}

func (w waiting) at() core.At { return core.At{Table: w.table.Name, Column: w.column.Name} }

// defaults gives the records that are there the defaults of new columns, each after those that it reads.
func (a *alteration) defaults(ctx context.Context) error {
	waits, err := a.populated(ctx)
	if err != nil || len(waits) == 0 {
		return err
	}
	o := ordering{alteration: a, waits: waits}
	if o.later, err = a.filled(); err != nil {
		return err
	}
	for _, w := range waits {
		if err := o.visit(w, nil); err != nil {
			return err
		}
	}
	for _, w := range o.sorted {
		if err := a.backfillEach(ctx, w.table, w.column); err != nil {
			return core.E("tables.defaults", w.at(), err)
		}
	}
	return nil
}

// ordering puts columns that wait into the order in which they can be filled.
type ordering struct {
	*alteration
	waits, sorted []waiting
	later         map[core.At]bool // what the change calculates anew, when all that waits is filled
}

// visit places a column after those that its default reads; path are those that led to it.
func (o *ordering) visit(w waiting, path []waiting) error {
	if slices.Contains(o.sorted, w) {
		return nil
	}
	path = append(slices.Clip(path), w)
	if i := slices.Index(path, w); i < len(path)-1 {
		var names []string
		for _, x := range path[i:] {
			names = append(names, x.table.Name+"."+x.column.Name)
		}
		return core.E("tables.defaults", core.Invalid, w.at(), "the default reads what other records get by the same change, in a circle: "+strings.Join(names, " -> ")+". Add the column without it, fill it, and give it the default then")
	}
	for _, r := range o.next.Rules.DefaultWatches(w.table.Name, w.column.Name) {
		if t, c := o.find(core.At{Table: r.Table, Column: r.Column}); c != nil && c.Calculated() && o.later[core.At{Table: t.SQL(), Column: c.SQL()}] {
			return core.E("tables.defaults", core.Invalid, w.at(), fmt.Sprintf("the default reads %s of %s, which the same change calculates anew: add the column by a change after it", r.Column, r.Table))
		}
		for _, other := range o.waits {
			if passes(r, other.table, other.column.Name) {
				if err := o.visit(other, path); err != nil {
					return err
				}
			}
		}
	}
	o.sorted = append(o.sorted, w)
	return nil
}

// populated returns the columns that wait in tables with records.
func (a *alteration) populated(ctx context.Context) (out []waiting, err error) {
	for _, w := range a.waits {
		n, err := a.number(ctx, w.table, nil)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, w)
		}
	}
	return out, nil
}

// backfillEach computes the default of a new column for each record. Like all backfills it is not in the history.
func (a *alteration) backfillEach(ctx context.Context, t *core.Table, c *core.Column) error {
	s := Step{What: "the default is computed for each record", Column: c.Name, Lock: LockWrites}
	if err := a.mayBlock(ctx, t, s); err != nil {
		return err
	}
	caller := core.CallerFrom(ctx)
	needs, tx := a.next.Rules.DefaultNeeds(t.Name, c.Name), a.ahead()
	empty, open := 0, a.dry && len(needs) > 0 // a plan does not ask
	err := a.pages(ctx, t, a.columnsNow(t), func(raw []core.Record) error {
		next, err := a.become(ctx, t, raw, func(*core.Column) { open = true })
		if err != nil {
			return err
		}
		ask := a.ask(caller)
		if !a.dry {
			if err := tx.Foresee(caller, needs, next, nil); err != nil {
				return err
			}
			ask = tx.Ask(caller)
		}
		values := map[string]any{}
		for _, r := range next {
			if err := a.defaultOf(t, c, r, caller, ask); err != nil {
				return err
			}
			if r[c.Name] == nil {
				empty++
			} else {
				values[r["id"].(string)] = r[c.Name]
			}
		}
		if open {
			s.Rows += int64(len(raw))
		} else {
			s.Rows += int64(len(values))
		}
		return a.fill(ctx, t, c, values)
	})
	if err != nil {
		return err
	}
	a.noteFill(t, c, func(_ context.Context, _, next []core.Record) error {
		for _, r := range next {
			if err := a.defaultOf(t, c, r, caller, askNothing); err != nil {
				return err
			}
		}
		return nil
	})
	a.steps = append(a.steps, s.of(t))
	if c.Required && empty > 0 && !a.dry {
		return core.E("tables.backfill", core.Invalid, fmt.Sprintf("the default has no value for %s, and the column is required: give it one that has a value whatever the record holds", core.Count(empty, "record")))
	}
	return nil
}

// defaultOf gives a record the default of a new column.
func (a *alteration) defaultOf(t *core.Table, c *core.Column, r core.Record, caller core.Caller, ask rules.Ask) error {
	delete(r, c.Name)
	if err := a.next.Rules.Default(t.Name, c.Name, r, caller, ask); err != nil {
		return err
	}
	v, err := c.Parse(r[c.Name])
	r[c.Name] = v
	return err
}

// columnsNow returns the columns from which the records of the table can be told as they will be: those that the database has, and
// in a plan those from which others are converted.
func (a *alteration) columnsNow(t *core.Table) (out []*core.Column) {
	was, _ := a.before(t)
	have := stored(was)
	for c := range t.Stored {
		if c.Name != "id" && !c.Calculated() && (!a.dry || have[c.SQL()] != nil) {
			out = append(out, c.Loose())
		}
	}
	for i := range t.Dropped {
		if c := t.Dropped[i].Column; a.dry && c != nil && have[c.SQL()] != nil {
			out = append(out, c.Loose())
		}
	}
	return out
}

// become returns records as the change makes them, as far as it has come: raw holds them as the database has them, by physical names.
// What is calculated is left out, since it follows from the others. open is told the columns that only the change itself can fill.
func (a *alteration) become(ctx context.Context, t *core.Table, raw []core.Record, open func(*core.Column)) ([]core.Record, error) {
	next := make([]core.Record, len(raw))
	for i, r := range raw {
		next[i] = core.Record{}
		for c := range t.Stored {
			if !c.Calculated() {
				next[i][c.Name] = r[c.SQL()]
			}
		}
	}
	if !a.dry {
		return next, nil // which the database knows
	}
	for _, f := range a.fills {
		if f.table.SQL() != t.SQL() {
			continue
		}
		if err := f.value(ctx, raw, next); errors.Is(err, errUnforeseen) {
			open(f.column)
		} else if err != nil {
			return nil, err
		}
	}
	return next, nil
}
