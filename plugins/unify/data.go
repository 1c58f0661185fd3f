package unify

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// Row is one record of a source. Values are those of the job's attributes, in their order, "" where the source has none.
type Row struct {
	Source  string    // table of one of the job's sources
	ID      string    // unique inside the source
	Values  []string  // one per attribute, as the source spells it
	Updated time.Time // last change, for survivorship; zero when unknown
	Seen    time.Time // when the record was first seen; the oldest member of a cluster names it
	Birth   string    // golden id given to the record at first sight; derived from job, source and id when empty
}

// Rows iterates over a slice.
func Rows(rows []Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// dataset is all rows in canonical order, that of source and id, with every attribute coded as a column of distinct
// values. Record numbers used everywhere else are positions in that order, so no outcome depends on the order of arrival.
type dataset struct {
	plan    *plan
	heads   []head
	columns []*column // one per attribute
	raw     []uint32  // [record*len(columns)+column]: number of a raw value, 0 when missing
	keys    []uint64  // per record, see hashes
	fields  []uint32  // [record*len(plan.fields)+field]: number of a match form, 0 when missing
}

// head is what is known of a record besides its values. Times are in nanoseconds since 1970, 0 when unknown.
type head struct {
	source  uint16
	id      string
	birth   string
	updated int64
	seen    int64
}

// column is the dictionary of one attribute. Entry 0 of both lists is the missing value.
type column struct {
	kind   *kind
	raws   []rawValue
	values []value
}

type rawValue struct {
	text  string
	value uint32 // its match form
}

// rawKey tells raw values apart: the same text may be another date in another source.
type rawKey struct {
	text  string
	order DateOrder
}

func (d *dataset) len() int { return len(d.heads) }

// row answers the match forms of a record, one per compared field.
func (d *dataset) row(record uint32) []uint32 {
	n := len(d.plan.fields)
	return d.fields[int(record)*n : int(record)*n+n]
}

func (d *dataset) ref(record uint32) Ref {
	h := &d.heads[record]
	return Ref{Source: d.plan.job.Sources[h.source].Table, ID: h.id}
}

// mayMatch tells whether the job asks about a pair at all: two records of a source without duplicates are different.
func (d *dataset) mayMatch(a, b uint32) bool {
	s := d.heads[a].source
	return s != d.heads[b].source || !d.plan.job.Sources[s].Unique
}

// load reads all rows, then normalises each distinct value once, a column per goroutine.
func load(ctx context.Context, p *plan, rows iter.Seq2[Row, error], workers int) (*dataset, error) {
	l := newLoader(p)
	for r, err := range rows {
		if err != nil {
			return nil, fmt.Errorf("unify: read rows: %w", err)
		}
		if err := l.add(r); err != nil {
			return nil, err
		}
		if len(l.d.heads)%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := l.sort(); err != nil {
		return nil, err
	}
	l.normalise(workers)
	return l.d, ctx.Err()
}

type loader struct {
	d       *dataset
	sources map[string]int
	orders  []DateOrder         // per source
	seen    []map[rawKey]uint32 // per attribute
	keys    [][]rawKey          // per attribute, by raw number
}

func newLoader(p *plan) *loader {
	n := len(p.job.Attributes)
	l := &loader{
		d:       &dataset{plan: p, columns: make([]*column, n)},
		sources: map[string]int{},
		seen:    make([]map[rawKey]uint32, n),
		keys:    make([][]rawKey, n),
	}
	for i := range p.job.Sources {
		l.sources[p.job.Sources[i].Table] = i
		l.orders = append(l.orders, p.job.dateOrder(&p.job.Sources[i]))
	}
	for i := range n {
		l.d.columns[i] = &column{kind: kinds[p.job.Attributes[i].Type]}
		l.seen[i] = map[rawKey]uint32{}
		l.keys[i] = []rawKey{{}}
	}
	return l
}

func (l *loader) add(r Row) error {
	s, ok := l.sources[r.Source]
	if !ok {
		return fmt.Errorf("unify: row %q: the job has no source %q", r.ID, r.Source)
	}
	if len(r.Values) != len(l.seen) {
		return fmt.Errorf("unify: row %s %q: %d values for %d attributes", r.Source, r.ID, len(r.Values), len(l.seen))
	}
	l.d.heads = append(l.d.heads, head{source: uint16(s), id: r.ID, birth: r.Birth, updated: nanos(r.Updated), seen: nanos(r.Seen)})
	for i, text := range r.Values {
		l.d.raw = append(l.d.raw, l.number(i, s, text))
	}
	return nil
}

func (l *loader) number(attribute, source int, text string) uint32 {
	if text == "" {
		return 0
	}
	key := rawKey{text: text}
	if l.d.plan.job.Attributes[attribute].Type == Date {
		key.order = l.orders[source]
	}
	n, ok := l.seen[attribute][key]
	if !ok {
		n = uint32(len(l.keys[attribute]))
		l.seen[attribute][key] = n
		l.keys[attribute] = append(l.keys[attribute], key)
	}
	return n
}

// sort brings the rows into canonical order and refuses a record that came twice.
func (l *loader) sort() error {
	d := l.d
	order := make([]int, len(d.heads))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareHeads(&d.heads[a], &d.heads[b]) })
	n := len(d.columns)
	heads, raw := make([]head, len(order)), make([]uint32, 0, len(d.raw))
	for i, from := range order {
		heads[i] = d.heads[from]
		raw = append(raw, d.raw[from*n:from*n+n]...)
		if i > 0 && compareHeads(&heads[i-1], &heads[i]) == 0 {
			return fmt.Errorf("unify: record %v came twice", Ref{d.plan.job.Sources[heads[i].source].Table, heads[i].id})
		}
	}
	d.heads, d.raw = heads, raw
	return nil
}

func compareHeads(a, b *head) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.id, b.id))
}

func (l *loader) normalise(workers int) {
	d := l.d
	parallel(len(d.columns), workers, func(i int) {
		d.columns[i].fill(&d.plan.job, &d.plan.job.Attributes[i], l.keys[i])
	})
	l.seen, l.keys = nil, nil
	n := len(d.columns)
	d.fields = make([]uint32, 0, len(d.heads)*len(d.plan.fields))
	for r := range d.heads {
		for _, f := range d.plan.fields {
			d.fields = append(d.fields, d.columns[f.attribute].raws[d.raw[r*n+f.attribute]].value)
		}
	}
}

// fill normalises the raw values and numbers their match forms.
func (c *column) fill(j *Job, a *Attribute, keys []rawKey) {
	numbers := map[string]uint32{"": 0}
	c.raws = make([]rawValue, len(keys))
	c.values = append(c.values, value{})
	for i, key := range keys {
		if i == 0 {
			continue
		}
		text := c.kind.match(key.text, reading{region: j.region(), order: key.order, keepTag: a.KeepTag})
		n, ok := numbers[text]
		if !ok {
			n = uint32(len(c.values))
			numbers[text] = n
			c.values = append(c.values, newValue(c.kind, text))
		}
		c.raws[i] = rawValue{text: key.text, value: n}
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// parallel runs do(0) … do(n-1) on up to workers goroutines and waits for all.
func parallel(n, workers int, do func(int)) {
	if workers <= 1 || n <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
