package tables

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// ballot is a list of conditions about one record, which statements answer for several callers.
type ballot struct {
	snap       *Snapshot
	table      *core.Table
	conditions []writeFunc
	answers    []*bool

	found       bool // there is such a record
	owner, unit core.ID
}

// voter returns the record as a caller sees it, for conditions of the ballot.
func (b *ballot) voter(c core.Caller) *node {
	p := &planner{snap: b.snap, caller: c}
	return p.alias(b.table, nil)
}

// ask adds a condition, of which nil holds always. The answer is there after [ballot.count]; one that is not known does not hold.
func (b *ballot) ask(w writeFunc) *bool {
	held := w == nil
	if w != nil {
		b.conditions, b.answers = append(b.conditions, w), append(b.answers, &held)
	}
	return &held
}

// holds adds that an expression of the policy holds for the record of n.
func (b *ballot) holds(n *node, e *rules.Expr) *bool {
	if e == nil {
		return b.ask(nil)
	}
	return b.ask(func(to *db.Builder) { n.expr(to, e) })
}

// maxAnswers is how many conditions go into one statement.
const maxAnswers = 60

// count answers what was asked, for the record of that id. Where ctx carries a unit of work, all of it is of one moment.
func (b *ballot) count(ctx context.Context, s *Store, id core.ID) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	for first := true; first || b.found && len(b.conditions) > 0; first = false {
		n := min(len(b.conditions), maxAnswers)
		if err := b.part(ctx, s, id, n); err != nil {
			return core.E("tables.ballot", core.At{Table: b.table.Name}, err)
		}
		b.conditions, b.answers = b.conditions[n:], b.answers[n:]
	}
	return nil
}

// part answers the first n conditions.
func (b *ballot) part(ctx context.Context, s *Store, id core.ID, n int) error {
	q, t := db.New(s.db.Dialect).Write("SELECT "), "t0"
	dest := []any{new(core.ID)}
	q.Name(t, "id")
	if b.table.Owned() {
		q.Write(", ").Name(t, "owner_id").Write(", ").Name(t, "unit_id")
		dest = append(dest, &b.owner, &b.unit)
	}
	flags := make([]int64, n)
	for i, condition := range b.conditions[:n] {
		q.Write(", CASE WHEN ")
		condition(q)
		q.Write(" THEN 1 ELSE 0 END")
		dest = append(dest, &flags[i])
	}
	q.Write(" FROM ").Name(b.table.SQL()).Write(" AS ", t, " WHERE ").Name(t, "id").Write(" = ").Value(&core.Column{Kind: core.UUID}, string(id))
	err := s.conn(ctx).Query(ctx, q, func(scan func(...any) error) error {
		b.found = true
		return scan(dest...)
	})
	for i, answer := range b.answers[:n] {
		*answer = flags[i] == 1
	}
	return err
}
