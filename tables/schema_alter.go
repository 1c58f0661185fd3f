package tables

import (
	"context"
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// alteration makes the physical tables those of another schema. A dry one only tells what it would do.
type alteration struct {
	*candidate
	o     ChangeOptions
	dry   bool
	done  []string // the statements
	steps []Step
	fills []filling             // what existing records get
	waits []waiting             // new columns whose defaults read others
	late  map[*core.Column]bool // lookups that a new table was made without
	made  map[string]bool       // new tables, by physical name: false while those that they look up are made
}

// apply does the alteration.
func (a *alteration) apply(ctx context.Context) error {
	if err := a.each(ctx, a.table, a.counters, a.dropIndexes, a.columns, a.owners); err != nil { // lookups when all tables are there
		return err
	}
	if err := a.defaults(ctx); err != nil {
		return err
	}
	if err := a.each(ctx, a.requirements); err != nil {
		return err
	}
	if err := a.derived(ctx); err != nil {
		return err
	}
	if err := a.each(ctx, a.references, a.purgeColumns, a.keys, a.indexes, a.search, a.duplicates, a.retention); err != nil {
		return err
	}
	return a.purgeTables(ctx)
}

// each takes the steps for every table, one after the other.
func (a *alteration) each(ctx context.Context, steps ...func(context.Context, *core.Table) error) error {
	for _, step := range steps {
		for _, t := range a.next.Schema.Tables() {
			if t.Builtin {
				continue
			}
			if err := step(ctx, t); err != nil {
				return core.E("tables.alter", core.At{Table: t.Name}, err)
			}
		}
	}
	return nil
}

func (a *alteration) run(ctx context.Context, b *db.Builder) error {
	if err := b.Err(); err != nil {
		return err
	}
	a.done = append(a.done, b.String())
	if a.dry {
		return nil
	}
	_, err := a.tx.db.Exec(ctx, b)
	return err
}

// step notes what is done to the data, and refuses what would keep writers waiting.
func (a *alteration) step(ctx context.Context, t *core.Table, s Step) error {
	s.Table = t.Name
	a.steps = append(a.steps, s)
	if s.Lock != LockWrites || a.o.MayBlock {
		return nil
	}
	n, err := a.size(ctx, t)
	if err != nil || n <= a.maxBlocked() {
		return err
	}
	return core.E("tables.alter", core.Limit, core.At{Column: s.Column}, fmt.Sprintf("the table has more than %d records, and writers would wait for this: %s. Plan it with plan_change, and apply it with apply_change and may_block", a.maxBlocked(), s.What))
}

func (a *alteration) maxBlocked() int64 { return int64(a.tx.store.o.MaxBlocked) }

// size counts the records of a table that was there before, up to one more than matters.
func (a *alteration) size(ctx context.Context, t *core.Table) (n int64, err error) {
	was, isNew := a.before(t)
	if isNew {
		return 0, nil
	}
	b := db.New(a.tx.db.Dialect).Write("SELECT count(*) FROM (SELECT 1 FROM ").Name(was.SQL()).Write(fmt.Sprintf(" LIMIT %d) AS part", a.maxBlocked()+1))
	err = a.tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// number counts records of a table that was there before; where may be nil.
func (a *alteration) number(ctx context.Context, t *core.Table, where func(*db.Builder)) (n int64, err error) {
	if _, isNew := a.before(t); isNew {
		return 0, nil
	}
	b := db.New(a.tx.db.Dialect).Write("SELECT count(*) FROM ").Name(t.SQL())
	if where != nil {
		b.Write(" WHERE ")
		where(b)
	}
	err = a.tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// before returns the table as it was, one without columns when it is new.
func (a *alteration) before(t *core.Table) (was *core.Table, isNew bool) {
	was, ok := a.from.Schema.At(t.SQL())
	if !ok {
		return &core.Table{Name: t.Name, Physical: t.Physical}, true
	}
	return was, false
}

// stored returns the columns that the database has of a table as it was, by physical name.
func stored(was *core.Table) map[string]*core.Column {
	have := map[string]*core.Column{}
	for c := range was.Stored {
		have[c.SQL()] = c
	}
	for i := range was.Dropped {
		if c := was.Dropped[i].Column; c != nil && !c.Virtual() {
			have[c.SQL()] = c
		}
	}
	if was.HadOwners {
		for _, c := range core.SystemColumns(core.UserOwned) {
			have[c.Name] = &c
		}
	}
	return have
}

// table makes a new table, after those that it looks up. Where tables look each other up, columns adds what is missing.
func (a *alteration) table(ctx context.Context, t *core.Table) error {
	_, begun := a.made[t.SQL()]
	if _, isNew := a.before(t); !isNew || begun {
		return nil
	}
	if a.made == nil {
		a.made = map[string]bool{}
	}
	a.made[t.SQL()] = false
	for c := range t.Stored {
		if target, err := a.next.Schema.Table(c.Target); err == nil && !target.Builtin {
			if err := a.table(ctx, target); err != nil {
				return err
			}
		}
	}
	err := a.run(ctx, a.createTable(t))
	a.made[t.SQL()] = true
	return err
}

// refers reports whether a new table can look up the target when it is made.
func (a *alteration) refers(t *core.Table, c *core.Column) bool {
	target, err := a.next.Schema.Table(c.Target)
	if err != nil {
		return false
	}
	made, isNew := a.made[target.SQL()]
	return !isNew || made || target.SQL() == t.SQL()
}

// columns adds what the database does not have yet: to a new table, what createTable leaves out.
func (a *alteration) columns(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	have := stored(was)
	for c := range t.Stored {
		if have[c.SQL()] != nil || isNew && !a.late[c] {
			continue
		}
		err := a.column(ctx, t, c, isNew)
		if err != nil {
			return core.E("tables.alter", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// column adds a column, and gives existing records their values.
func (a *alteration) column(ctx context.Context, t *core.Table, c *core.Column, isNew bool) error {
	if isNew || c.System || c.Calculated() {
		return a.run(ctx, a.addColumn(t, c, nil))
	}
	if c.Kind == core.Autonumber {
		return a.numberRows(ctx, t, c)
	}
	if r, ok := a.retyped(t, c); ok {
		if err := a.run(ctx, a.addColumn(t, c, nil)); err != nil {
			return err
		}
		return a.convert(ctx, t, r, c)
	}
	return a.backfill(ctx, t, c)
}

// retyped returns the change of kind that the column comes from.
func (a *alteration) retyped(t *core.Table, c *core.Column) (core.RetypeColumn, bool) {
	for _, x := range t.Dropped {
		if x.Column == nil || x.By != c.SQL() {
			continue
		}
		for _, change := range a.changes {
			if r, ok := change.(core.RetypeColumn); ok && r.To.Kind == c.Kind && a.sameTable(r.Of, t) {
				return r, true
			}
		}
	}
	return core.RetypeColumn{}, false
}

// sameTable reports whether the name, before or after the changes, is that of t.
func (a *alteration) sameTable(name string, t *core.Table) bool {
	was, _ := a.before(t)
	return name == t.Name || name == was.Name
}

// backfill adds a column and gives existing records its default, or refuses a required column that has none. A default
// that is the same for every record costs nothing: the database keeps it once. Backfills are not in the history, which
// tells what was written to a record.
func (a *alteration) backfill(ctx context.Context, t *core.Table, c *core.Column) error {
	if a.next.Rules.DefaultReads(t.Name, c.Name) {
		a.waits = append(a.waits, waiting{t, c})
		return a.run(ctx, a.addColumn(t, c, nil))
	}
	r := core.Record{}
	if err := a.next.Rules.Default(t.Name, c.Name, r, core.CallerFrom(ctx), a.ask(core.CallerFrom(ctx))); err != nil {
		return err
	}
	v, err := c.Parse(r[c.Name])
	if err != nil {
		return err
	}
	if v == nil && c.Required {
		n, err := a.number(ctx, t, nil)
		if err != nil {
			return err
		}
		if n > 0 {
			return core.E("tables.backfill", core.Invalid, fmt.Sprintf("the table has %s, which a required column cannot leave empty: give it a default that has a value whatever the record holds", core.Count(n, "record")))
		}
	}
	a.noteFill(t, c, func(_ context.Context, _, next []core.Record) error {
		for _, r := range next {
			r[c.Name] = v
		}
		return nil
	})
	if v == nil || c.Kind != core.Lookup {
		if v != nil {
			if err := a.step(ctx, t, Step{What: "existing records get the default, without being written", Column: c.Name, Lock: LockBrief}); err != nil {
				return err
			}
		}
		return a.run(ctx, a.addColumn(t, c, v))
	}
	n, err := a.number(ctx, t, nil)
	if err == nil {
		err = a.step(ctx, t, Step{What: "existing records get the default", Column: c.Name, Lock: LockWrites, Rows: n})
	}
	if err == nil {
		err = a.run(ctx, a.addColumn(t, c, nil))
	}
	if err != nil {
		return err
	}
	return a.run(ctx, db.New(a.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = ").Value(c, v))
}

// owners gives the records of a table that come to belong to somebody an owner and a unit.
func (a *alteration) owners(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew || was.Owned() == t.Owned() || !t.Owned() {
		return nil
	}
	for _, name := range []string{"owner_id", "unit_id"} {
		if c, ok := t.Column(name); ok {
			a.noteFill(t, c, unforeseen)
		}
	}
	n, err := a.number(ctx, t, nil)
	if err != nil {
		return err
	}
	if err := a.step(ctx, t, Step{What: "records get an owner and a unit", Column: "owner_id", Lock: LockWrites, Rows: n}); err != nil {
		return err
	}
	owner := core.ID("")
	for _, c := range a.changes {
		if s, ok := c.(core.SetOwnership); ok && a.sameTable(s.Of, t) {
			owner = s.Owner
		}
	}
	if _, ok := a.next.owners[owner]; owner != "" && !ok {
		return core.E("tables.owners", core.Invalid, core.At{Column: "owner_id"}, "there is no such user or team")
	}
	id := &core.Column{Name: "owner_id", Kind: core.UUID}
	update := func(column string) *db.Builder {
		return db.New(a.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ", column, " = ")
	}
	if owner == "" {
		creators := update("owner_id").Write(`created_by WHERE owner_id IS NULL AND created_by IN (SELECT id FROM "_user")`)
		if err := a.run(ctx, creators); err != nil {
			return err
		}
		owner = actor(ctx)
	}
	if err := a.run(ctx, update("owner_id").Value(id, string(owner)).Write(" WHERE owner_id IS NULL")); err != nil {
		return err
	}
	name := t.SQL()
	of := func(table string, b *db.Builder) {
		b.Write(`(SELECT d.unit_id FROM "`, table, `" AS d WHERE d.id = `).Name(name, "owner_id").Write(")")
	}
	units := update("unit_id").Write("coalesce(")
	of("_user", units)
	units.Write(", ")
	of("_team", units)
	units.Write(", ").Value(id, string(core.RootUnit))
	return a.run(ctx, units.Write(")"))
}

// requirements gives records without a value the one that was given for them, where a column becomes required.
func (a *alteration) requirements(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew {
		return nil
	}
	have := stored(was)
	for c := range t.Stored {
		if old := have[c.SQL()]; old == nil || !c.Required || c.System || old.Required && a.live(was, c) {
			continue
		}
		if err := a.require(ctx, t, c); err != nil {
			return core.E("tables.require", core.At{Column: c.Name}, err)
		}
	}
	return nil
}

// live reports whether the column was in the table, and not among what was dropped.
func (a *alteration) live(was *core.Table, c *core.Column) bool {
	for o := range was.Stored {
		if o.SQL() == c.SQL() {
			return true
		}
	}
	return false
}

func (a *alteration) require(ctx context.Context, t *core.Table, c *core.Column) error {
	empty := func(b *db.Builder) { b.Name(c.SQL()).Write(" IS NULL") }
	n, err := a.number(ctx, t, empty)
	if err != nil || n == 0 {
		return err
	}
	var backfill string
	for _, change := range a.changes {
		if s, ok := change.(core.AlterColumn); ok && s.Backfill != "" && a.sameTable(s.Of, t) && (s.Column == c.Name || a.moves.Column(s.Of, s.Column) == c.Name) {
			backfill = s.Backfill
		}
	}
	if backfill == "" && a.dry {
		return a.step(ctx, t, Step{What: fmt.Sprintf("no value in %s, which refuses the change: give one with backfill", core.Count(n, "record")), Column: c.Name, Lock: LockWrites})
	}
	if backfill == "" {
		return core.E("tables.require", core.Invalid, fmt.Sprintf("no value in %s, and the column is to be required: give one with backfill", core.Count(n, "record")))
	}
	v, err := c.ParseText(backfill)
	if err != nil {
		return core.E("tables.require", err, "backfill: "+core.AsError(err).Msg)
	}
	a.noteFill(t, c, func(_ context.Context, _, next []core.Record) error {
		for _, r := range next {
			if r[c.Name] == nil {
				r[c.Name] = v
			}
		}
		return nil
	})
	if err := a.step(ctx, t, Step{What: "records without a value get " + backfill, Column: c.Name, Lock: LockWrites, Rows: n}); err != nil {
		return err
	}
	return a.versions(ctx, t, empty, nil, func(r core.Record) { r[c.Name] = v })
}

// purgeColumns deletes the columns that are gone for good.
func (a *alteration) purgeColumns(ctx context.Context, t *core.Table) error {
	was, _ := a.before(t)
	gone := map[string]bool{}
	for _, name := range was.Spent {
		gone[name] = true
	}
	have := stored(was)
	for _, name := range t.Spent {
		if gone[name] || have[name] == nil { // that of a virtual column was never there
			continue
		}
		if err := a.step(ctx, t, Step{What: "the column is deleted for good", Column: name, Lock: LockWrites}); err != nil {
			return err
		}
		if err := a.run(ctx, db.New(a.tx.db.Dialect).Write("ALTER TABLE ").Name(t.SQL()).Write(" DROP COLUMN ").Name(name)); err != nil {
			return core.E("tables.purge", core.At{Column: name}, err)
		}
	}
	return nil
}

// purgeTables deletes the tables that are gone for good, and the references to them.
func (a *alteration) purgeTables(ctx context.Context) error {
	for _, t := range a.next.Schema.Dropped() {
		was, isNew := a.before(t)
		if isNew {
			continue
		}
		if !t.Purged {
			if err := a.purgeColumns(ctx, t); err != nil {
				return err
			}
			continue
		}
		if was.Purged {
			continue
		}
		if err := a.purgeDuplicates(ctx, was); err != nil {
			return err
		}
		if err := a.forgetRules(ctx, was); err != nil {
			return err
		}
		if err := a.step(ctx, t, Step{What: "the table is deleted for good", Lock: LockBrief}); err != nil {
			return err
		}
		if !a.dry {
			if err := a.tx.db.ExecAll(ctx, a.tx.db.SearchDrop(t.SQL(), nil)...); err != nil {
				return err
			}
			if _, err := a.tx.dropShares(ctx, t, func(b *db.Builder) { b.Write("TRUE") }); err != nil {
				return err
			}
		}
		if err := a.run(ctx, db.New(a.tx.db.Dialect).Write("DROP TABLE ").Name(t.SQL())); err != nil {
			return core.E("tables.purge", core.At{Table: t.Name}, err)
		}
	}
	return nil
}
