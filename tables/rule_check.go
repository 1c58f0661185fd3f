package tables

import (
	"context"
	"fmt"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Limits of a check of the records that are there.
const (
	checkTime    = 10 * time.Second // it stops after this time, and can go on
	checkPage    = 20_000           // records that one statement looks at
	maxBreakings = 10               // records that are named
)

// Breakings is what a rule makes of records that are there.
type Breakings struct {
	Checked int     // records that were looked at
	Broken  int     // that the rule refuses
	Changed int     // that it gives other values
	After   core.ID // the last of them, when there are more: the next check begins behind it

	First    []Breaking // the first that are refused, of those that the caller may read
	Warnings []string   // see [rules.Set.Warnings]
}

// try asks a rule about records and counts them.
func (b *Breakings) try(check *rules.Check, page []core.Record, caller core.Caller, ask rules.Ask) error {
	for _, r := range page {
		found, err := check.Try(r, caller, ask)
		if err != nil {
			return core.E("tables.try", err)
		}
		b.Checked++
		b.After = core.ID(r["id"].(string))
		if found.Changed {
			b.Changed++
		}
		if !found.Broken {
			continue
		}
		b.Broken++
		if len(b.First) < maxBreakings {
			b.First = append(b.First, Breaking{b.After, found.Message})
		}
	}
	return nil
}

// Breaking is a record that a rule refuses.
type Breaking struct {
	ID      core.ID
	Message string // empty when the caller may not read every column
}

// CheckRule holds a rule against the records behind the given one, by primary key, each by itself and as if it were written
// again as it is. It needs the right to define tables, and counts records whoever may read them.
func (s *Store) CheckRule(ctx context.Context, snap *Snapshot, table string, r core.Rule, after core.ID) (Breakings, error) {
	const op = "tables.CheckRule"
	if err := snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return Breakings{}, core.E(op, err)
	}
	t, err := snap.Schema.Table(table)
	if err != nil {
		return Breakings{}, core.E(op, err)
	}
	check, err := snap.Rules.Check(table, r)
	if err != nil {
		return Breakings{}, core.E(op, err)
	}
	own, others := check.Reads()
	if at := snap.secret(core.CallerFrom(ctx), slices.Concat(own, others)); at != (core.At{}) {
		return Breakings{}, core.E(op, core.Denied, core.At{Table: table, Rule: r.Name}, readsSecured("rule", at))
	}
	c := checking{store: s, snap: snap, table: t, check: check, until: time.Now().Add(checkTime), out: Breakings{After: after}}
	c.out.Warnings = check.Warnings()
	err = c.all(ctx)
	return c.out, core.E(op, err)
}

// checking is a check under way.
type checking struct {
	store *Store
	snap  *Snapshot
	table *core.Table
	check *rules.Check
	until time.Time
	out   Breakings
}

// all looks at the records until there are no more, or the time is over.
func (c *checking) all(ctx context.Context) error {
	look := c.scan
	if c.check.Broken != nil {
		look = c.statements
	}
	if err := look(ctx); err != nil {
		return err
	}
	return c.readable(ctx)
}

// statements has the database look, some records at a time.
func (c *checking) statements(ctx context.Context) error {
	for {
		var n, broken int64
		var last core.ID
		b := db.New(c.store.db.Dialect).Write("SELECT count(*), count(CASE WHEN ")
		from := c.page(ctx)
		from.holds(b)
		b.Write(" THEN 1 END), coalesce(max(CAST(").Name(from.alias, "id").Write(" AS text)), '')")
		from.rows(b)
		err := c.store.conn(ctx).Query(ctx, b, func(scan func(...any) error) error { return scan(&n, &broken, &last) })
		if err != nil {
			return err
		}
		if broken > 0 && len(c.out.First) < maxBreakings {
			if err := c.first(ctx, from); err != nil {
				return err
			}
		}
		c.out.Checked += int(n)
		c.out.Broken += int(broken)
		if n < checkPage {
			c.out.After = ""
			return nil
		}
		if c.out.After = last; time.Now().After(c.until) {
			return nil
		}
	}
}

// checkedRows are some records of the table, under an alias.
type checkedRows struct {
	*node
	c *checking
}

func (c *checking) page(ctx context.Context) checkedRows {
	p := &planner{snap: c.snap, caller: core.CallerFrom(ctx)}
	return checkedRows{p.alias(c.table, nil), c}
}

func (r checkedRows) holds(b *db.Builder) { r.expr(b, r.c.check.Broken) }

func (r checkedRows) rows(b *db.Builder) {
	b.Write(" FROM (SELECT * FROM ").Name(r.table.SQL())
	if after := r.c.out.After; after != "" {
		id, _ := r.table.Column("id")
		b.Write(" WHERE id > ").Value(id, string(after))
	}
	b.Write(fmt.Sprintf(" ORDER BY id LIMIT %d) AS ", checkPage), r.alias)
}

// first notes which records the rule refuses.
func (c *checking) first(ctx context.Context, from checkedRows) error {
	b := db.New(c.store.db.Dialect).Write("SELECT ").Name(from.alias, "id")
	from.rows(b)
	b.Write(" WHERE ")
	from.holds(b)
	b.Write(" ORDER BY ").Name(from.alias, "id").Write(fmt.Sprintf(" LIMIT %d", maxBreakings-len(c.out.First)))
	ids, err := queryIDs(ctx, c.store.conn(ctx), b)
	if err != nil {
		return err
	}
	found, err := c.store.Records(core.WithCaller(ctx, core.System("check")), c.snap, Query{Table: c.table.Name, Where: ByID(ids...), Limit: maxBreakings})
	if err != nil {
		return err
	}
	ask := c.store.outside(ctx, c.snap).Ask(core.CallerFrom(ctx))
	for _, r := range found {
		why, err := c.check.Try(r, core.CallerFrom(ctx), ask)
		if err != nil {
			return err
		}
		c.out.First = append(c.out.First, Breaking{core.ID(r["id"].(string)), why.Message})
	}
	return nil
}

// scan looks at each record in memory.
func (c *checking) scan(ctx context.Context) error {
	q := Query{Table: c.table.Name}
	if c.out.After != "" {
		q.Where = Compare{Column: "id", Op: Gt, Value: string(c.out.After)}
	}
	var page []core.Record
	for r, err := range c.store.Scan(core.WithCaller(ctx, core.System("check")), c.snap, q) {
		if err != nil {
			return err
		}
		if page = append(page, r); len(page) < maxAsked {
			continue
		}
		if err := c.try(ctx, page); err != nil {
			return err
		}
		if page = page[:0]; time.Now().After(c.until) {
			return nil
		}
	}
	err := c.try(ctx, page)
	c.out.After = ""
	return err
}

// try asks the rule about some records, and what it reads of others for all of them at once.
func (c *checking) try(ctx context.Context, page []core.Record) error {
	caller, tx := core.CallerFrom(ctx), c.store.outside(ctx, c.snap)
	if err := tx.Foresee(caller, c.check.Needs(), page, page); err != nil {
		return err
	}
	return c.out.try(c.check, page, caller, tx.Ask(caller))
}

// readable leaves of the first records those that the caller may read. A message may hold what he may not: it stays with who
// reads everything.
func (c *checking) readable(ctx context.Context) error {
	if len(c.out.First) == 0 {
		return nil
	}
	all := c.out.First
	c.out.First = nil
	_, may, err := c.snap.decide(core.CallerFrom(ctx), c.table.Name, core.Read)
	if err != nil {
		return nil // who may not read the table learns how many
	}
	ids := make([]core.ID, len(all))
	for i, b := range all {
		ids[i] = b.ID
	}
	found, err := c.store.Records(ctx, c.snap, Query{Table: c.table.Name, Where: ByID(ids...), Limit: maxBreakings, Fields: []Field{{As: "id", Column: "id"}}})
	if err != nil {
		return err
	}
	seen := map[core.ID]bool{}
	for _, r := range found {
		seen[core.ID(r["id"].(string))] = true
	}
	for _, b := range all {
		if may.Hides() {
			b.Message = ""
		}
		if seen[b.ID] {
			c.out.First = append(c.out.First, b)
		}
	}
	return nil
}
