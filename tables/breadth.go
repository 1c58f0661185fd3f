package tables

import (
	"context"
	"strconv"
	"sync"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// A list is found in one of two ways: few records by the indexes of owners, units and shares, and then sorted; many along the order of
// the list, until enough of them are in reach. Of N records, of which a caller reaches n, the one looks at n and the other at some
// N * limit / n. So both cost the same at n = sqrt(N * limit), and where that is for a table of some hundred thousand records, the
// search changes. PostgreSQL knows how many records an owner and a unit have, SQLite does not, and neither how many are shared.

const (
	fewRows       = 2000  // that are found and sorted, for a list of up to 100
	mostRows      = 20000 // for a longer one
	breadthKept   = time.Minute
	breadthsAtAll = 10000 // that are kept
)

// breadths is how many records callers reach, of those who asked for lists.
type breadths struct {
	mu sync.Mutex
	of map[breadthKey]breadth
}

type breadthKey struct {
	user core.ID
	rows *rules.Expr // one for each table and set of roles, and so for each table of a user
}

// breadth is how many records a caller reached at a time. They were counted up to a number.
type breadth struct {
	n, most int
	until   time.Time
}

// fewFor returns how many rows are found and sorted for so many of them.
func fewFor(rows int) int { return min(max(fewRows, rows*fewRows/100), mostRows) }

// planner plans a query of the caller of ctx.
func (s *Store) planner(ctx context.Context, snap *Snapshot, q *Query) *planner {
	p := &planner{snap: snap, caller: core.CallerFrom(ctx), at: q.At, use: q.Use, patient: s.db.Dialect.HasStatistics()}
	p.pageKey = func() (*pageKey, error) { return s.pageKey(ctx) }
	p.breadth = func(n *node, rows int) (rules.Search, error) {
		b, err := s.breadth(ctx, n, fewFor(rows))
		if p.until.IsZero() || b.until.Before(p.until) {
			p.until = b.until
		}
		if b.n > b.most {
			return rules.ByOrder, err
		}
		return rules.ByReach, err
	}
	return p
}

// breadth returns how many records of n the caller reaches, counted up to one more than most. It is asked of the database once a
// minute for a caller, and decides nothing but which of two statements with the same answer is run.
func (s *Store) breadth(ctx context.Context, n *node, most int) (breadth, error) {
	all, key, now := &n.p.snap.breadths, breadthKey{n.p.caller.User, n.may.Rows}, time.Now()
	all.mu.Lock()
	b, ok := all.of[key]
	all.mu.Unlock()
	if ok && now.Before(b.until) && (most <= b.most || b.n <= b.most) {
		b.most = most
		return b, nil
	}
	b = breadth{most: most, until: now.Add(breadthKept)}
	count := (&planner{snap: n.p.snap, caller: n.p.caller}).alias(n.table, n.may)
	count.found = rules.ByReach
	q := db.New(s.db.Dialect).Write("SELECT count(*) FROM (SELECT 1 FROM ")
	count.from(q)
	q.Write(" WHERE TRUE")
	count.scope(q)
	q.Write(" LIMIT ", strconv.Itoa(most+1), ") AS r")
	var found int64
	if err := s.conn(ctx).Query(ctx, q, func(scan func(...any) error) error { return scan(&found) }); err != nil {
		return b, core.E("tables.breadth", err)
	}
	b.n = int(found)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil || len(all.of) >= breadthsAtAll {
		all.of = map[breadthKey]breadth{}
	}
	all.of[key] = b
	return b, nil
}
