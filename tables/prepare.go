package tables

import (
	"context"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Param stands in a [Query] for a value that is given when the prepared query is answered. It is the place of the value
// among all of them, counted from 1.
type Param int

// Prepared is a query that is planned and printed: what is left open are the values of its parameters. It belongs to the
// snapshot and the caller that it was prepared for, is never changed, and may be used by many at once.
type Prepared struct {
	statement *db.Builder // with slots among its arguments
	shape     *db.Shape
	open      []operand // in the order of planning, in which mistakes are reported
	at        time.Time // see planner
	then      []*core.Table
	until     time.Time
	witnesses []*witness
}

// slot is an argument that is still to come: the index of its operand.
type slot int

// leaveOpen keeps an operand whose value comes later and returns the argument that stands for it.
func (p *planner) leaveOpen(o operand) slot {
	p.open = append(p.open, o)
	return slot(len(p.open) - 1)
}

// Prepare plans a query for the caller of ctx. It fails as [Store.Query] would, except for what is wrong with the value of
// a parameter.
func (s *Store) Prepare(ctx context.Context, snap *Snapshot, q Query) (*Prepared, error) {
	p := s.planner(ctx, snap, &q)
	b, shape, err := p.print(s.db.Dialect, &q)
	if err != nil {
		return nil, core.E("tables.Query", err)
	}
	shape.Keep()
	return &Prepared{statement: b, shape: shape, open: p.open, at: p.at, then: p.were, until: p.until, witnesses: p.witnesses}, nil
}

// Lasting reports whether the answer of p does not depend on when it was prepared.
func (p *Prepared) Lasting() bool { return !p.statement.OnlyOnce() }

// Until returns when it is time to prepare p anew, for another way to search may have become the better one; zero for never.
func (p *Prepared) Until() time.Time { return p.until }

// Size is roughly how many bytes p holds.
func (p *Prepared) Size() int {
	n := 2000 + 2*len(p.statement.String()) + 150*len(p.shape.Fields) + 500*len(p.open)
	for _, a := range p.statement.Args() {
		n += 50
		switch a := a.(type) {
		case string:
			n += len(a)
		case []string: // such as the units of the caller
			for _, s := range a {
				n += 16 + len(s)
			}
		}
	}
	return n
}

// Answer answers a prepared query, with one statement; the JSON is appended to dst. Values are as they came from the
// client.
func (s *Store) Answer(ctx context.Context, p *Prepared, values []any, dst []byte) ([]byte, error) {
	const op = "tables.Query"
	if err := s.settle(ctx); err != nil {
		return dst, core.E(op, err)
	}
	b := p.statement
	if len(p.open) > 0 {
		args, err := p.bind(s.db.Dialect, values)
		if err != nil {
			return dst, core.E(op, err)
		}
		b = b.With(args)
	}
	out, err := s.conn(ctx).Answer(ctx, b, p.shape, dst)
	if err == nil {
		err = s.whole(ctx, p.at, p.then)
	}
	if err == nil {
		out, err = s.witnessed(ctx, p.witnesses, out, len(dst))
	}
	if err != nil {
		return dst, core.E(op, err)
	}
	return out, nil
}

// bind returns the arguments of the statement, each slot filled.
func (p *Prepared) bind(d db.Dialect, values []any) ([]any, error) {
	given := make([]any, len(p.open))
	for i := range p.open {
		o := &p.open[i]
		var err error
		if given[i], err = o.bind(d, values[o.param-1]); err != nil {
			return nil, err
		}
	}
	args := slices.Clone(p.statement.Args())
	for i, a := range args {
		if s, ok := a.(slot); ok {
			args[i] = given[s]
		}
	}
	return args, nil
}

// bind returns the value as the driver takes it.
func (o *operand) bind(d db.Dialect, v any) (any, error) {
	switch o.op {
	case Like, NotLike, ILike, NotILike, StartsWith:
		return o.pattern(v)
	}
	v, err := o.parse(v)
	if err != nil {
		return nil, err
	}
	return d.Bind(o.column, v), nil
}
