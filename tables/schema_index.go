package tables

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

func (a *alteration) dropIndexes(ctx context.Context, t *core.Table) error {
	was, _ := a.before(t)
	for _, i := range missingIndexes(t, was) { // those of was that t has not
		if err := a.run(ctx, db.New(a.tx.db.Dialect).Write("DROP INDEX IF EXISTS ").Name(i.name())); err != nil {
			return err
		}
	}
	return nil
}

func (a *alteration) indexes(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	have := stored(was)
	for _, i := range missingIndexes(was, t) {
		if !isNew && !i.over(have) {
			isNew = true // over a column that is being made: nothing of it can be looked at in advance
		}
		if err := a.index(ctx, t, i, isNew); err != nil {
			return err
		}
	}
	return nil
}

// over reports whether the index is over these columns only.
func (i index) over(have map[string]*core.Column) bool {
	for _, c := range i.columns {
		if have[c.SQL()] == nil {
			return false
		}
	}
	return true
}

func (a *alteration) index(ctx context.Context, t *core.Table, i index, isNew bool) error {
	if a.o.built[i.name()] {
		a.done = append(a.done, i.create(a.tx.db.Dialect, a.tx.db.Online()).String())
		return nil
	}
	if !isNew {
		s, err := a.indexStep(ctx, t, i)
		if err != nil {
			return err
		}
		if err := a.step(ctx, t, s); err != nil {
			return err
		}
	}
	return i.refused(a.run(ctx, i.create(a.tx.db.Dialect, "")))
}

// indexStep tells what building an index over records that are there does, and which of them refuse it.
func (a *alteration) indexStep(ctx context.Context, t *core.Table, i index) (s Step, err error) {
	s = Step{What: "an index is built", Column: i.columns[0].Name, Lock: LockWrites}
	if !a.dry {
		return s, nil
	}
	if a.tx.db.Online() != "" {
		n, err := a.size(ctx, t)
		if err != nil {
			return s, err
		}
		if n > a.maxBlocked() {
			s.Lock = LockNone // see buildOnline
		}
	}
	if !i.unique {
		return s, nil
	}
	if s.Conflicts, err = a.count(ctx, i.doubles); err != nil {
		return s, err
	}
	if s.Conflicts > 0 {
		s.What = fmt.Sprintf("%s the same values as others, which refuses the change: change them first", holds(s.Conflicts))
		s.Examples, err = a.conflicts(ctx, t, i, "another record has the same values", i.doubles)
	}
	return s, err
}

func holds(n int64) string {
	if n == 1 {
		return "1 record has"
	}
	return core.Count(n, "record") + " have"
}

// refused gives the error of a database that did not build the index its words.
func (i index) refused(err error) error {
	first := i.columns[0].Name
	switch {
	case err == nil:
		return nil
	case core.KindOf(err) == core.Exists:
		return core.E("tables.alter", core.Exists, core.At{Column: first}, "the table has records with the same values in it, so it cannot be unique: change them first, or leave out the default", err)
	case core.KindOf(err) == core.Invalid:
		return core.E("tables.alter", core.Invalid, core.At{Column: first}, "the table has records with values that are too long for an index: shorten them first", err)
	}
	return err
}

// keys looks at the records that are there where a key or a unique column is new: whether one has a NULL that it refuses, or
// values that are longer than a key can be.
func (a *alteration) keys(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew {
		return nil
	}
	have := stored(was)
	for _, k := range t.Keys {
		i := index{table: t, unique: true}
		for _, name := range k.Columns {
			c, _ := t.Column(name)
			i.columns = append(i.columns, indexColumn{c, false})
		}
		if k.Nulls != core.NullsRefuse || a.refused(was, i) || a.dry && !i.over(have) {
			continue
		}
		if err := a.standing(ctx, t, i, "no value in a column of a key that takes no null", "a value is missing", i.empties); err != nil {
			return err
		}
	}
	for _, i := range missingIndexes(was, t) {
		if !i.unique || i.nulls || a.dry && !i.over(have) || !slices.ContainsFunc(i.columns, func(c indexColumn) bool { return c.Kind.Measured() }) {
			continue
		}
		what := fmt.Sprintf("values that have more than %d bytes together, which is too long for a key", core.MaxKeyBytes)
		if err := a.standing(ctx, t, i, what, "the values are too long", i.tooLong); err != nil {
			return err
		}
	}
	return nil
}

// refused reports whether the table had a key over the columns that took no NULL.
func (a *alteration) refused(was *core.Table, i index) bool {
	return slices.ContainsFunc(was.Keys, func(k core.Key) bool {
		return k.Nulls == core.NullsRefuse && slices.EqualFunc(k.Columns, i.columns, func(name string, c indexColumn) bool {
			o, ok := was.Column(name)
			return ok && o.SQL() == c.SQL()
		})
	})
}

// standing refuses a key when records stand in its way; a plan tells of them.
func (a *alteration) standing(ctx context.Context, t *core.Table, i index, what, reason string, which func(*db.Builder)) error {
	n, err := a.count(ctx, which)
	if err != nil || n == 0 {
		return err
	}
	what = holds(n) + " " + what
	first := i.columns[0].Name
	if !a.dry {
		return core.E("tables.keys", core.Invalid, core.At{Column: first}, what+": change them first, or see plan_change")
	}
	s := Step{What: what + ", which refuses the change: change them first", Column: first, Lock: LockBrief, Conflicts: n}
	if s.Examples, err = a.conflicts(ctx, t, i, reason, which); err != nil {
		return err
	}
	return a.step(ctx, t, s)
}

// count counts the ids that a query yields.
func (a *alteration) count(ctx context.Context, which func(*db.Builder)) (n int64, err error) {
	b := db.New(a.tx.db.Dialect).Write("SELECT count(*) FROM (")
	which(b)
	err = a.tx.db.Query(ctx, b.Write(") AS found"), func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// doubles writes the query for the records whose values others have too.
func (i index) doubles(b *db.Builder) {
	b.Write("SELECT id FROM (SELECT id, count(*) OVER (PARTITION BY ")
	for n, c := range i.columns {
		if n > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	b.Write(") AS alike FROM ").Name(i.table.SQL()).Write(" WHERE ")
	i.holds(b)
	b.Write(") AS counted WHERE alike > 1")
}

// empties writes the query for the records with a NULL in a column.
func (i index) empties(b *db.Builder) {
	b.Write("SELECT id FROM ").Name(i.table.SQL()).Write(" WHERE ")
	i.nulls = true
	i.holds(b)
}

// tooLong writes the query for the records that [core.Table.CheckKeys] would refuse for the length of their values.
func (i index) tooLong(b *db.Builder) {
	b.Write("SELECT id FROM ").Name(i.table.SQL()).Write(" WHERE ")
	for n, c := range i.columns {
		if n > 0 {
			b.Write(" + ")
		}
		if c.Kind.Measured() {
			b.Write("coalesce(octet_length(").Name(c.SQL()).Write("), 0) + ")
		}
		b.Write(strconv.Itoa(core.KeySize(c.Kind, "")))
	}
	b.Write(fmt.Sprintf(" > %d", core.MaxKeyBytes))
}

// conflicts returns the first of the records that stand in the way of a key, as far as the caller may read them.
func (a *alteration) conflicts(ctx context.Context, t *core.Table, i index, reason string, which func(*db.Builder)) ([]Lost, error) {
	was, _ := a.before(t)
	may, err := a.tx.snap.Policy.Decide(core.CallerFrom(ctx), was.Name, authz.Read)
	if err != nil {
		return nil, nil
	}
	b := db.New(a.tx.db.Dialect)
	which(b)
	ids, err := queryIDs(ctx, a.tx.db, b.Write(fmt.Sprintf(" ORDER BY id LIMIT %d", maxExamples)))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	visible := true
	fields := []Field{{As: "id", Column: "id"}}
	for _, c := range i.columns {
		for o := range was.Stored {
			if o.SQL() == c.SQL() {
				shown, guard := may.Column(o.Name)
				visible = visible && shown && guard == nil
				fields = append(fields, Field{As: o.Name, Column: o.Name})
			}
		}
	}
	if !visible {
		fields = fields[:1]
	}
	found, err := a.tx.store.Records(ctx, a.tx.snap, Query{Table: was.Name, Where: ByID(ids...), Fields: fields})
	if err != nil {
		return nil, err
	}
	out := make([]Lost, len(found))
	for n, r := range found {
		id, _ := r["id"].(string)
		out[n] = Lost{ID: core.ID(id), Value: shown(was, fields[1:], r), Reason: reason}
		if !visible {
			out[n].Reason = "you may not read the values"
		}
	}
	return out, nil
}

// shown is what a record holds in the fields, for people.
func shown(t *core.Table, fields []Field, r core.Record) string {
	var parts []string
	for _, f := range fields {
		c, _ := t.Column(f.Column)
		parts = append(parts, string(c.AppendJSON(nil, r[f.Column])))
	}
	return strings.Join(parts, ", ")
}
