package tables

import (
	"context"
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// counter is the sequence behind an autonumber.
func counter(t *core.Table, c *core.Column) db.Counter {
	return db.Counter{Name: constraintName("sq", t.SQL(), c.SQL()), Start: c.Start(), Step: c.Stride(), Gapless: c.Gapless}
}

// draw takes n numbers of the sequence of an autonumber, with one statement.
func (tx *Tx) draw(ctx context.Context, t *core.Table, c *core.Column, n int) ([]int64, error) {
	out := make([]int64, 0, n)
	of := counter(t, c)
	b := db.New(tx.db.Dialect)
	b.Dialect().Draw(b, of, n)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var number int64
		err := scan(&number)
		out = append(out, number)
		return err
	})
	if err == nil && len(out) == 0 {
		err = core.E("tables.draw", core.At{Table: t.Name, Column: c.Name}, "the sequence of the column is not there")
	}
	for len(out) < n && err == nil {
		out = append(out, out[len(out)-1]+of.Step)
	}
	return out, err
}

// number gives the rows that are about to be created their autonumbers: to each column with one statement. Rows that are
// taken over as they are keep those that they bring, and the sequence goes on behind them.
func (w *writer) number(ctx context.Context, u *upsert, rows []core.Record) error {
	for _, c := range w.stored {
		if c.Kind != core.Autonumber {
			continue
		}
		n, last := 0, int64(0)
		for i, r := range rows {
			if u != nil && (u.existing[i] != nil || u.Exists) {
				continue
			}
			given, _ := r[c.Name].(string)
			if !w.asIs || given == "" {
				n++
			} else if sequence, ok := c.Sequence(given); ok {
				last = max(last, sequence)
			}
		}
		if last > 0 {
			if err := w.tx.db.ExecAll(ctx, w.tx.db.Dialect.Advance(counter(w.table, c), last)...); err != nil {
				return err
			}
		}
		if n == 0 {
			continue
		}
		drawn, err := w.tx.draw(ctx, w.table, c, n)
		if err != nil {
			return err
		}
		if w.numbers == nil {
			w.numbers = map[string][]int64{}
		}
		w.numbers[c.Name] = append(w.numbers[c.Name], drawn...)
	}
	return nil
}

// takeNumbers puts the next of the numbers that were drawn into a new record. undo takes them back, for the next record.
func (w *writer) takeNumbers(r core.Record) (undo func(), err error) {
	undo = func() {}
	for _, c := range w.stored {
		if c.Kind != core.Autonumber || r[c.Name] != nil {
			continue
		}
		drawn := w.numbers[c.Name]
		if len(drawn) == 0 {
			return undo, core.E("tables.takeNumbers", w.at(c.Name), fmt.Errorf("no number was drawn for the record"))
		}
		r[c.Name], w.numbers[c.Name] = c.Number(drawn[0], w.tx.now), drawn[1:]
		before := undo
		undo = func() { before(); w.numbers[c.Name] = drawn }
	}
	return undo, nil
}

// giveBack returns the numbers of gapless sequences that no record took.
func (w *writer) giveBack(ctx context.Context) error {
	for _, c := range w.stored {
		n := len(w.numbers[c.Name])
		if n == 0 {
			continue
		}
		delete(w.numbers, c.Name)
		if !c.Gapless {
			continue
		}
		b := db.New(w.tx.db.Dialect)
		b.Dialect().Draw(b, counter(w.table, c), -n)
		if err := w.tx.db.Query(ctx, b, func(scan func(...any) error) error { var next int64; return scan(&next) }); err != nil {
			return err
		}
	}
	return nil
}

// counters makes the sequences of new autonumbers. One that changes its kind or its step goes on where it was.
func (a *alteration) counters(ctx context.Context, t *core.Table) error {
	was, _ := a.before(t)
	have := stored(was)
	for c := range t.Stored {
		if c.Kind != core.Autonumber {
			continue
		}
		of := counter(t, c)
		old := have[c.SQL()]
		if old != nil && old.Kind == core.Autonumber && counter(was, old) == of {
			continue
		}
		b := db.New(a.tx.db.Dialect)
		b.Dialect().CreateCounter(b, of)
		if err := a.run(ctx, b); err != nil {
			return err
		}
		if old == nil || old.Kind != core.Autonumber || a.dry {
			continue
		}
		last, err := a.tx.draw(ctx, was, old, 1)
		if err != nil {
			return err
		}
		past := max(last[0]-old.Stride(), c.Start()-1)
		if err := a.tx.db.ExecAll(ctx, a.tx.db.Dialect.Advance(of, past)...); err != nil {
			return err
		}
	}
	return nil
}

// numberRows adds an autonumber, and gives the records that are there already their numbers in the order of their making.
func (a *alteration) numberRows(ctx context.Context, t *core.Table, c *core.Column) error {
	n, err := a.number(ctx, t, nil)
	if err != nil {
		return err
	}
	if n > 0 {
		a.noteFill(t, c, unforeseen)
		if err := a.step(ctx, t, Step{What: "existing records get their numbers", Column: c.Name, Lock: LockWrites, Rows: n}); err != nil {
			return err
		}
	}
	if err := a.run(ctx, a.addColumn(t, c, nil)); err != nil || a.dry || n == 0 {
		return err
	}
	b := db.New(a.tx.db.Dialect).Write("SELECT id FROM ").Name(t.SQL()).Write(" ORDER BY created_at, id")
	ids, err := queryKeys(ctx, a.tx.db, b)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, convertPage) {
		numbers, err := a.tx.draw(ctx, t, c, len(part))
		if err != nil {
			return err
		}
		values := make(map[string]any, len(part))
		for i, id := range part {
			values[id.(string)] = c.Number(numbers[i], a.tx.now)
		}
		if err := a.fill(ctx, t, c, values); err != nil {
			return err
		}
	}
	return nil
}
