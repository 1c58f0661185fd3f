package tables

import (
	"context"
	"errors"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/rules"
)

// Broken is what a rule makes of the records of its table after a change of the schema.
type Broken struct {
	Table, Rule string
	Breakings
}

// filling is a column that a change of the schema gives other values in the records that are there. value computes them for some
// records: raw as they are, by physical names, next as they will be, by names.
type filling struct {
	table  *core.Table
	column *core.Column
	value  func(ctx context.Context, raw, next []core.Record) error
}

// errUnforeseen says that only the change itself can tell.
var errUnforeseen = errors.New("the value is known when the schema is changed")

func unforeseen(context.Context, []core.Record, []core.Record) error { return errUnforeseen }

// askNothing is a [rules.Ask] for what may read only the record.
func askNothing(*rules.Need, core.Record, core.Record) (any, error) { return nil, errUnforeseen }

func (a *alteration) noteFill(t *core.Table, c *core.Column, value func(ctx context.Context, raw, next []core.Record) error) {
	a.fills = append(a.fills, filling{t, c, value})
}

// broken tells what rules make of the records after the change: rules that the change puts, and those that read what it fills, in
// their own records or in others. Rules do not run for what a change fills in, so that this is how one learns of it.
func (a *alteration) broken(ctx context.Context) ([]Broken, error) {
	filled, err := a.filled()
	if err != nil {
		return nil, err
	}
	var out []Broken
	until := time.Now().Add(checkTime)
	for _, t := range a.next.Schema.Tables() {
		if _, isNew := a.before(t); isNew || t.Builtin {
			continue
		}
		var asked []*asking
		for i := range t.Rules {
			q, err := a.asking(t, &t.Rules[i], filled)
			if err != nil {
				return nil, err
			}
			if q != nil {
				asked = append(asked, q)
			}
		}
		if err := a.askAbout(ctx, t, asked, until); err != nil {
			return nil, core.E("tables.broken", core.At{Table: t.Name}, err)
		}
		for _, q := range asked {
			if q.open || q.out.Checked > 0 { // of no records there is nothing to say
				out = append(out, Broken{t.Name, q.rule.Name, q.out})
			}
		}
	}
	return out, nil
}

// filled returns the columns that have other values after the change, by their physical names.
func (a *alteration) filled() (map[core.At]bool, error) {
	out := map[core.At]bool{}
	for _, f := range a.fills {
		out[core.At{Table: f.table.SQL(), Column: f.column.SQL()}] = true
	}
	for _, t := range a.next.Schema.Tables() {
		was, isNew := a.before(t)
		if isNew || t.Builtin {
			continue
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			if !c.Calculated() {
				continue
			}
			same, err := a.same(was, t, c)
			if err != nil {
				return nil, err
			}
			if !same {
				out[core.At{Table: t.SQL(), Column: c.SQL()}] = true
			}
		}
	}
	return out, nil
}

// asking is a rule that is held against the records.
type asking struct {
	rule  *core.Rule
	check *rules.Check
	needs []*rules.Need
	open  bool // what it reads of other records is known when the schema is changed
	out   Breakings
}

// asking returns nil when the change makes no difference to the rule.
func (a *alteration) asking(t *core.Table, r *core.Rule, filled map[core.At]bool) (*asking, error) {
	if r.Disabled || !r.Runs(core.Create) && !r.Runs(core.Update) {
		return nil, nil
	}
	check, err := a.next.Rules.Check(t.Name, *r)
	if err != nil {
		return nil, err
	}
	own, others := check.Reads()
	isFilled := func(at core.At) bool {
		t, c := a.find(at)
		return c != nil && filled[core.At{Table: t.SQL(), Column: c.SQL()}]
	}
	isPut := slices.ContainsFunc(a.changes, func(x core.Change) bool {
		put, ok := x.(core.PutRule)
		return ok && put.Put.Name == r.Name && a.sameTable(put.On, t)
	})
	if !isPut && !slices.ContainsFunc(slices.Concat(own, others), isFilled) {
		return nil, nil
	}
	isOpen := func(at core.At) bool { return isFilled(at) || !a.there(at) }
	return &asking{rule: r, check: check, needs: check.Needs(), open: slices.ContainsFunc(others, isOpen)}, nil
}

// find returns a column of the schema as it will be, nil when there is none.
func (a *alteration) find(at core.At) (*core.Table, *core.Column) {
	t, err := a.next.Schema.Table(at.Table)
	if err != nil {
		return nil, nil
	}
	c, _ := t.Column(at.Column)
	return t, c
}

// there reports whether the database has the column before the change.
func (a *alteration) there(at core.At) bool {
	t, c := a.find(at)
	if c == nil {
		return false
	}
	was, isNew := a.before(t)
	return t.Builtin || !isNew && (c.Virtual() || stored(was)[c.SQL()] != nil)
}

// askAbout holds rules of one table against its records: as they are when the change was made, otherwise as they will be.
func (a *alteration) askAbout(ctx context.Context, t *core.Table, asked []*asking, until time.Time) error {
	if len(asked) == 0 {
		return nil
	}
	if a.dry {
		return a.foresee(ctx, t, asked, until)
	}
	for _, q := range asked {
		c := checking{store: a.tx.store, snap: a.next, table: t, check: q.check, until: until}
		if err := c.all(ctx); err != nil {
			return err
		}
		q.open, q.out = false, c.out
	}
	return nil
}

// foresee computes the records as they will be, and asks the rules about them.
func (a *alteration) foresee(ctx context.Context, t *core.Table, asked []*asking, until time.Time) error {
	was, _ := a.before(t)
	n, err := a.number(ctx, t, nil)
	if err != nil {
		return err
	}
	for _, q := range asked {
		q.open = q.open && n > 0
	}
	late := errors.New("it takes too long")
	err = a.pages(ctx, was, a.columnsNow(t), func(raw []core.Record) error {
		next, err := a.become(ctx, t, raw, func(c *core.Column) { leaveOpen(asked, core.At{Table: t.Name, Column: c.Name}) })
		if err != nil {
			return err
		}
		for _, q := range asked {
			if err := a.tryPage(ctx, q, next); err != nil {
				return err
			}
		}
		if time.Now().Before(until) {
			return nil
		}
		return late
	})
	if err != nil && !errors.Is(err, late) {
		return err
	}
	for _, q := range asked {
		if err == nil {
			q.out.After = ""
		}
		c := checking{store: a.tx.store, snap: a.from, table: was, out: q.out}
		if err := c.readable(ctx); err != nil {
			return err
		}
		q.out = c.out
	}
	return nil
}

// leaveOpen leaves those rules to the change itself that read the column.
func leaveOpen(asked []*asking, at core.At) {
	for _, q := range asked {
		if own, _ := q.check.Reads(); slices.Contains(own, at) {
			q.open = true
		}
	}
}

// tryPage asks a rule about some records.
func (a *alteration) tryPage(ctx context.Context, q *asking, records []core.Record) error {
	if q.open {
		q.out = Breakings{}
		return nil
	}
	caller := core.CallerFrom(ctx)
	tx := a.ahead()
	if err := tx.Foresee(caller, q.needs, records, records); err != nil {
		return err
	}
	return q.out.try(q.check, records, caller, tx.Ask(caller))
}

// ahead reads by the schema as it will be.
func (a *alteration) ahead() *Tx {
	return &Tx{store: a.tx.store, db: a.tx.db, snap: a.next, now: a.tx.now, query: a.tx.query}
}
