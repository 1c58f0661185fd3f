package tables

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
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
	lists     []string
	pages     paging
	way       *led
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
	return &Prepared{statement: b, shape: shape, open: p.open, at: p.at, then: p.were, until: p.until, witnesses: p.witnesses, lists: p.lists, pages: p.pages, way: p.way}, nil
}

// Lasting reports whether the answer of p does not depend on when it was prepared.
func (p *Prepared) Lasting() bool { return !p.statement.OnlyOnce() }

// Until returns when it is time to prepare p anew, for another way to search may have become the better one; zero for never.
func (p *Prepared) Until() time.Time { return p.until }

// SQL returns the statement, with placeholders in place of values.
func (p *Prepared) SQL() string { return strings.ReplaceAll(p.statement.String(), pageMark, "~") }

// Size is roughly how many bytes p holds.
func (p *Prepared) Size() int {
	n := 2000 + 2*len(p.statement.String()) + 150*len(p.shape.Fields) + 500*len(p.open)
	if p.way != nil { // another statement with as many arguments, and what it remembers
		n += 20_000 + 2*len(p.statement.String()) + 100*len(p.statement.Args())
	}
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
	out, shown, err := s.look(ctx, p, values, dst)
	if err == nil && len(shown) > 0 {
		err = s.LogAccess(ctx, shown...)
	}
	if err == nil {
		out, err = s.sealed(ctx, p.lists, out, len(dst))
	}
	if err != nil {
		return dst, core.E(op, err)
	}
	return out, nil
}

// Seen is an answer that may be shown to several callers, or to none.
type Seen struct {
	Answer []byte
	Digest [sha256.Size]byte // of what it says: two answers with one digest differ in how cursors are spelled at most
	Shown  []Access          // what the access log is to keep for each caller before he sees it
}

// Look is [Store.Answer] for who decides afterwards whom the answer is shown to.
func (s *Store) Look(ctx context.Context, p *Prepared, values []any, dst []byte) (out Seen, err error) {
	const op = "tables.Query"
	raw, shown, err := s.look(ctx, p, values, dst)
	if err != nil {
		return out, core.E(op, err)
	}
	out.Digest, out.Shown = sha256.Sum256(raw[len(dst):]), shown
	if out.Answer, err = s.sealed(ctx, p.lists, raw, len(dst)); err != nil {
		return Seen{}, core.E(op, err)
	}
	return out, nil
}

// look answers a prepared query; cursors are yet to be sealed.
func (s *Store) look(ctx context.Context, p *Prepared, values []any, dst []byte) (out []byte, shown []Access, err error) {
	if err := s.settle(ctx); err != nil {
		return dst, nil, err
	}
	given, err := p.bind(s.db.Dialect, values)
	if err != nil {
		return dst, nil, err
	}
	c := s.conn(ctx)
	b, err := p.way.choose(ctx, c, p.statement, given)
	if err != nil {
		return dst, nil, err
	}
	out, err = c.Answer(ctx, complete(b, given), p.shape, dst)
	if err == nil {
		err = s.whole(ctx, p.at, p.then)
	}
	if err != nil {
		return dst, nil, err
	}
	out, shown = witnessed(p.witnesses, p.pages.paged(out, len(dst)), len(dst))
	return out, shown, nil
}

// Fingerprint is a digest of the statement and of what is bound to it, so of all that the rights of the caller come to: two
// prepared queries of one document, with one snapshot and one fingerprint, have one answer.
func (s *Store) Fingerprint(p *Prepared, values []any) (sum [sha256.Size]byte, err error) {
	given, err := p.bind(s.db.Dialect, values)
	if err != nil {
		return sum, core.E("tables.Fingerprint", err)
	}
	return fingerprint(complete(p.statement, given)), nil
}

func fingerprint(b *db.Builder) [sha256.Size]byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:%s", len(b.String()), b.String())
	for _, a := range b.Args() {
		_, _ = fmt.Fprintf(h, "%#v;", a)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Sources is where the rows of a statement come from.
type Sources struct {
	Tables []string // the physical names of tables of which [Store.Touched] tells
	Silent bool     // it reads a table of which that does not tell
}

// Sources returns where the rows of the answer come from, those behind relations, formulas, conditions and rights included.
func (p *Prepared) Sources(snap *Snapshot) Sources { return sourcesOf(snap, p.statement.String()) }

// sourcesOf finds the tables that a statement names: every name stands in quotes. A column or a key of the answer that has the
// name of a table counts as that table, which only means more than is needed.
func sourcesOf(snap *Snapshot, statement string) (out Sources) {
	named := func(name string) {
		t, ok := snap.Schema.Stored(name)
		switch {
		case name == sharesTable, ok && !t.Builtin:
			if !slices.Contains(out.Tables, name) {
				out.Tables = append(out.Tables, name)
			}
		case ok:
			out.Silent = true
		}
	}
	for rest := statement; ; {
		i := strings.IndexAny(rest, `'"`)
		if i < 0 {
			return out
		}
		quote := rest[i]
		text, after, closed := strings.Cut(rest[i+1:], rest[i:i+1])
		if !closed {
			return out
		}
		if quote == '"' {
			named(text)
		}
		rest = after // a doubled quote begins another text, which is no name of a table either
	}
}

// bind returns the values that are left open as the driver takes them.
func (p *Prepared) bind(d db.Dialect, values []any) ([]any, error) {
	if len(p.open) == 0 {
		return nil, nil
	}
	given := make([]any, len(p.open))
	for i := range p.open {
		o := &p.open[i]
		var err error
		if given[i], err = o.bind(d, values[o.param-1]); err != nil {
			return nil, err
		}
	}
	return given, nil
}

// complete returns the statement with each of its slots filled.
func complete(b *db.Builder, given []any) *db.Builder {
	if len(given) == 0 {
		return b
	}
	args := slices.Clone(b.Args())
	for i, a := range args {
		if s, ok := a.(slot); ok {
			args[i] = given[s]
		}
	}
	return b.With(args)
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
