package graphql

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

// SlowLog keeps what queries and mutations took longer than a threshold, put together by statement, operation and roles: the SQL
// with its placeholders, never a value. It is of one server, in its memory, and bounded.
type SlowLog struct {
	threshold time.Duration

	mu      sync.Mutex
	entries map[slowKey]*slowEntry
}

const (
	slowEntries = 500  // those that were slow last
	slowSamples = 128  // times of each, the last ones
	slowText    = 8192 // bytes of a statement
)

// explainQueries is the right to see how queries are answered.
const explainQueries = "explain_queries"

// NewSlowLog returns a log of what takes at least threshold, of nothing when that is 0.
func NewSlowLog(threshold time.Duration) *SlowLog {
	return &SlowLog{threshold: threshold, entries: map[slowKey]*slowEntry{}}
}

type slowKey struct{ statement, operation, field, roles string }

type slowEntry struct {
	slowKey
	count        int64
	total, worst time.Duration
	samples      []time.Duration
	first, last  time.Time
}

// note keeps that a statement took so long.
func (l *SlowLog) note(k slowKey, took time.Duration, now time.Time) {
	if len(k.statement) > slowText {
		k.statement = strings.ToValidUTF8(k.statement[:slowText], "")
	}
	k.operation, k.field = cut(k.operation), cut(k.field)
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[k]
	if e == nil {
		if len(l.entries) >= slowEntries {
			l.drop()
		}
		e = &slowEntry{slowKey: k, first: now}
		l.entries[k] = e
	}
	if len(e.samples) < slowSamples {
		e.samples = append(e.samples, took)
	} else {
		e.samples[e.count%slowSamples] = took
	}
	e.count++
	e.total += took
	e.worst, e.last = max(e.worst, took), now
}

// drop forgets the entry that was slow longest ago.
func (l *SlowLog) drop() {
	var oldest *slowEntry
	for _, e := range l.entries {
		if oldest == nil || e.last.Before(oldest.last) {
			oldest = e
		}
	}
	delete(l.entries, oldest.slowKey)
}

// record is the entry as an action answers it.
func (e *slowEntry) record() map[string]any {
	sorted := slices.Sorted(slices.Values(e.samples))
	at := func(percent int) float64 { return milliseconds(sorted[(len(sorted)*percent+99)/100-1]) }
	return map[string]any{
		"operation": orNil(e.operation), "field": e.field, "statement": orNil(e.statement), "roles": core.Texts(strings.Split(e.roles, ", ")), "count": e.count,
		"total": milliseconds(e.total), "p50": at(50), "p95": at(95), "worst": milliseconds(e.worst), "first": e.first, "last": e.last,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// watch has the log measure a step.
func (l *SlowLog) watch(operation, statement string, s *step) {
	if l == nil || l.threshold <= 0 {
		return
	}
	run := s.run
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		begin := time.Now()
		out, err := run(ctx, in, dst)
		if took := time.Since(begin); took >= l.threshold {
			l.note(slowKey{statement, operation, s.name, strings.Join(core.CallerFrom(ctx).Roles, ", ")}, took, begin)
		}
		return out, err
	}
}

// begin measures a mutation until what it returns is called.
func (l *SlowLog) begin(caller core.Caller, op *operation) (end func()) {
	if l == nil || l.threshold <= 0 {
		return func() {}
	}
	begin := time.Now()
	return func() {
		if took := time.Since(begin); took >= l.threshold {
			l.note(slowKey{"", op.Name, rootsOf(op), strings.Join(caller.Roles, ", ")}, took, begin)
		}
	}
}

// rootsOf names the root fields of an operation.
func rootsOf(op *operation) string {
	var names []string
	for _, s := range op.SelectionSet {
		if f, ok := s.(*ast.Field); ok && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Actions returns the actions that read the log.
func (l *SlowLog) Actions() []core.Action {
	text := func(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }
	number := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Float, Required: true, Doc: doc}
	}
	fields := []core.Column{
		text("operation", "The name of the GraphQL operation."), {Name: "field", Kind: core.Text, Required: true, Doc: "Its root field."},
		{Name: "statement", Kind: core.LongText, Doc: "The SQL, with placeholders in place of values; null of what is more than one statement, such as a mutation."},
		{Name: "roles", Kind: core.Text, List: true, Required: true, Doc: "The roles of who asked."}, {Name: "count", Kind: core.Integer, Required: true, Doc: "How often it was slow."},
		number("total", "Of all these times together, in milliseconds."), number("p50", "Half of the last 128 times were no longer, in milliseconds."),
		number("p95", "95 of 100 of them were no longer."), number("worst", "The longest of all."),
		{Name: "first", Kind: core.Timestamp, Required: true, Doc: "When it was slow first."}, {Name: "last", Kind: core.Timestamp, Required: true, Doc: "When it was slow last."},
	}
	return []core.Action{{
		Name: "slow_queries", Privilege: explainQueries, Doc: "Lists what took longer than the threshold of the server (--slow-query), what took most time together first. It is of the server that answers, since it was started.",
		Input: []core.Column{{Name: "limit", Kind: core.Integer, Doc: "How many at most; 50 when left out."}},
		Output: []core.Column{
			number("threshold", "From how many milliseconds on something is slow; 0 when nothing is kept."),
			{Name: "queries", Kind: core.Object, List: true, Required: true, Fields: fields, Doc: "What was slow."},
		},
		Examples: []core.Example{{In: core.Record{"limit": int64(10)}}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			limit := c.Int("limit", 50)
			if limit < 0 {
				return nil, core.E("graphql.slow_queries", core.Invalid, core.At{Column: "limit"}, "a limit is not negative")
			}
			return core.Record{"threshold": milliseconds(l.threshold), "queries": l.list(limit)}, nil
		},
	}, {
		Name: "forget_slow_queries", Privilege: explainQueries, Doc: "Empties the log of slow queries of the server that answers.",
		Output:   []core.Column{{Name: "forgotten", Kind: core.Integer, Required: true, Doc: "How many entries."}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(context.Context, core.Call) (core.Record, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			n := len(l.entries)
			clear(l.entries)
			return core.Record{"forgotten": int64(n)}, nil
		},
	}}
}

// list returns the entries that took most time.
func (l *SlowLog) list(limit int64) []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]*slowEntry, 0, len(l.entries))
	for _, e := range l.entries {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *slowEntry) int { return cmp.Or(cmp.Compare(b.total, a.total), a.first.Compare(b.first)) })
	out := []any{}
	for _, e := range entries[:min(limit, int64(len(entries)))] {
		out = append(out, e.record())
	}
	return out
}
