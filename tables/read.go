package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// conn is where reads go: the unit of work that ctx carries, or the pool.
func (s *Store) conn(ctx context.Context) db.Conn {
	if tx := s.txFrom(ctx); tx != nil {
		return tx.db
	}
	return s.db
}

// settle has what the unit of work that ctx carries, if any, made stale computed before it reads.
func (s *Store) settle(ctx context.Context) error {
	if tx := s.txFrom(ctx); tx != nil {
		return tx.settle(ctx)
	}
	return nil
}

// Query answers q for the caller of ctx, with one statement; the JSON is appended to dst.
func (s *Store) Query(ctx context.Context, snap *Snapshot, q Query, dst []byte) ([]byte, error) {
	const op = "tables.Query"
	if err := s.settle(ctx); err != nil {
		return dst, core.E(op, err)
	}
	if tx := s.txFrom(ctx); tx != nil && tx.snap == snap && q.Use == core.Shown {
		out, done, err := tx.readFresh(ctx, &q, dst)
		if done || err != nil {
			return out, core.E(op, err)
		}
	}
	p, b, shape, err := s.plan(ctx, snap, q)
	if err != nil {
		return dst, core.E(op, err)
	}
	c := s.conn(ctx)
	if b, err = p.way.choose(ctx, c, b, nil); err != nil {
		return dst, core.E(op, err)
	}
	out, err := c.Answer(ctx, b, shape, dst)
	if err == nil {
		err = s.whole(ctx, p.at, p.were)
	}
	if err == nil {
		var shown []Access
		if out, shown = witnessed(p.witnesses, p.pages.paged(out, len(dst)), len(dst)); len(shown) > 0 {
			err = s.LogAccess(ctx, shown...)
		}
	}
	if err == nil {
		out, err = s.sealed(ctx, p.lists, out, len(dst))
	}
	if err != nil {
		return dst, core.E(op, err)
	}
	return out, nil
}

// SQL returns the statement that answers q, and its arguments, to explain and to test.
func (s *Store) SQL(ctx context.Context, snap *Snapshot, q Query) (text string, args []any, err error) {
	_, b, _, err := s.plan(ctx, snap, q)
	if err != nil {
		return "", nil, core.E("tables.SQL", err)
	}
	return b.String(), b.Args(), nil
}

// plan plans and prints a query without parameters.
func (s *Store) plan(ctx context.Context, snap *Snapshot, q Query) (*planner, *db.Builder, *db.Shape, error) {
	p := s.planner(ctx, snap, &q)
	b, shape, err := p.print(s.db.Dialect, &q)
	if err == nil && len(p.open) > 0 {
		err = core.E("tables.plan", fmt.Errorf("a query with parameters must be prepared"))
	}
	return p, b, shape, err
}

func (p *planner) print(d db.Dialect, q *Query) (*db.Builder, *db.Shape, error) {
	sel, err := p.asked(q)
	if err != nil {
		return nil, nil, err
	}
	b := db.New(d).AtMost(maxStatement)
	sel.answer(b)
	p.way = p.led(d, q, sel)
	return b, sel.shape, b.Err()
}

// asked plans a query as a whole.
func (p *planner) asked(q *Query) (*selection, error) {
	if q.Form == ByRef {
		return p.byRef(q)
	}
	n, err := p.node(q.Table, core.Read)
	if err != nil && q.OrNull {
		return nothing(), nil
	}
	if err != nil {
		return nil, err
	}
	p.pages.whole = q.Form == Connection
	return p.selection(n, q, nil)
}

// maxStatement is how many bytes of SQL one query may become, where calculated columns are written into each other with what
// the rights of the caller ask of each record on the way. Databases prepare much longer ones for minutes, and cannot be stopped.
const maxStatement = 1 << 20

// Records answers a list query as records in the Go forms of their kinds. Fields must be columns; without fields, all
// columns that the caller may see are read.
func (s *Store) Records(ctx context.Context, snap *Snapshot, q Query) ([]core.Record, error) {
	const op = "tables.Records"
	t, _, err := snap.decide(core.CallerFrom(ctx), q.Table, core.Read)
	if err != nil {
		return nil, core.E(op, err)
	}
	if len(q.Fields) == 0 {
		for _, c := range t.Columns {
			q.Fields = append(q.Fields, Field{As: c.Name, Column: c.Name})
		}
	}
	q.Form = List
	raw, err := s.Query(ctx, snap, q, nil)
	if err != nil {
		return nil, core.E(op, err)
	}
	out, err := decode(t, raw)
	return out, core.E(op, err)
}

// Find returns the record with that id, or NotFound when it does not exist or is out of the caller's reach.
func (s *Store) Find(ctx context.Context, snap *Snapshot, table string, id core.ID) (core.Record, error) {
	found, err := s.Records(ctx, snap, Query{Table: table, Where: ByID(id), Limit: 1})
	if err != nil {
		return nil, core.E("tables.Find", err)
	}
	if len(found) == 0 {
		return nil, core.E("tables.Find", core.NotFound, core.At{Table: table}, fmt.Sprintf("there is no record with the id %s", id))
	}
	return found[0], nil
}

// Scan yields all records that a list query without order, limit and offset selects, by primary key, in pages. Each
// page is a statement of its own: records that change meanwhile are seen before or after, none twice.
func (s *Store) Scan(ctx context.Context, snap *Snapshot, q Query) iter.Seq2[core.Record, error] {
	return func(yield func(core.Record, error) bool) {
		if q.Form != List || len(q.Order) > 0 || q.Offset > 0 {
			yield(nil, core.E("tables.Scan", core.Invalid, core.At{Table: q.Table}, "a scan is of a list without order and offset"))
			return
		}
		q.Limit = snap.maxLimit
		where := q.Where
		var last string
		for {
			if last != "" {
				q.Where = And{orTrue(where), Compare{Column: "id", Op: Gt, Value: last}}
			}
			page, err := s.Records(ctx, snap, q)
			if err != nil {
				yield(nil, core.E("tables.Scan", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < q.Limit {
				return
			}
			id, ok := page[len(page)-1]["id"].(string)
			if !ok {
				yield(nil, core.E("tables.Scan", fmt.Errorf("the fields of a scan must contain id")))
				return
			}
			last = id
		}
	}
}

// Count returns how many records in the caller's reach meet the condition.
func (s *Store) Count(ctx context.Context, snap *Snapshot, table string, where Cond) (int, error) {
	raw, err := s.Query(ctx, snap, Query{Table: table, Form: Aggregate, Where: where, Fields: []Field{{As: "n", Func: "count"}}}, nil)
	if err != nil {
		return 0, core.E("tables.Count", err)
	}
	var out struct{ N int }
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&out); err != nil {
		return 0, core.E("tables.Count", err)
	}
	return out.N, nil
}

// Gorm reads the system tables of the package that owns them, in the unit of work that ctx carries or outside.
func (s *Store) Gorm(ctx context.Context) *gorm.DB {
	if tx := s.txFrom(ctx); tx != nil {
		return tx.db.Gorm(ctx)
	}
	return s.db.Gorm(ctx)
}

// Readable returns the columns of the table that the caller may read in some record, or sees masked.
func (s *Store) Readable(ctx context.Context, snap *Snapshot, table string) ([]*core.Column, error) {
	t, may, err := snap.decide(core.CallerFrom(ctx), table, core.Read)
	if err != nil {
		return nil, core.E("tables.Readable", err)
	}
	var out []*core.Column
	for i := range t.Columns {
		shown, _ := may.Column(t.Columns[i].Name)
		if mask, _ := may.Mask(t.Columns[i].Name); shown || mask != nil {
			out = append(out, &t.Columns[i])
		}
	}
	return out, nil
}

// Limit returns how many of n records one query may ask for.
func (n *Snapshot) Limit(want int) int { return min(want, n.maxLimit) }
