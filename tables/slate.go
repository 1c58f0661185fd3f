package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// slate is a batch of records that are new, as far as is known: their values one after the other, in the order of the stored
// columns. Where nobody asks for a value by the name of its column, many records cost least this way.
type slate struct {
	columns []*core.Column
	values  []any
	n       int
}

// record returns the values of the i-th record.
func (s *slate) record(i int) []any { return s.values[i*len(s.columns) : (i+1)*len(s.columns)] }

// changes returns the records as other writes have them, to say what is wrong with one. They are the rows of the input from the
// given one on, of n.
func (s *slate) changes(from, n int) []change {
	out := make([]change, s.n)
	for i := range out {
		r := make(core.Record, len(s.columns))
		for j, v := range s.record(i) {
			r[s.columns[j].Name] = v
		}
		out[i] = change{op: core.Create, after: r, item: item(n, from+i), ruled: true}
	}
	return out
}

// clerk fills slates. What is wrong with a row it does not say: the batch then goes the way of all others, which finds the words.
type clerk struct {
	w                    *writer
	columns              []ruled
	keys                 [][]*ruled // that are checked
	same                 []bool     // by column: all records have the same
	id, version, updated int        // the places of columns of the system
	slates               [2]slate   // to be used again: while one is written, the next is filled
	turn                 int
}

// ruled is a column of a slate.
type ruled struct {
	*core.Column
	place  int
	value  any  // of a column of the system
	open   bool // the caller may fill it
	must   bool // each row must say what is in it
	chosen bool // it has options, which may be retired
	nulls  bool // of a key: it may be NULL
}

// slates reports whether the rows of an insert can be written as slates: nothing but the input fills the columns, and nothing else
// is written, or looked at, with a record.
func (w *writer) slates(u *upsert) bool {
	t := w.table
	if w.asIs || t.Builtin || len(t.Search)+len(w.monies)+len(w.duplicates)+len(w.tx.snap.derivation.watches[t.Name]) > 0 || !w.aside(u) {
		return false
	}
	return !slices.ContainsFunc(w.stored, func(c *core.Column) bool {
		return c.Kind == core.Status || c.Kind == core.AnyLookup || c.Kind.Info().File || c.Kind == core.Lookup && (c.Target == t.Name || !w.ties(c).free())
	})
}

// clerk returns who fills the slates of the write; must are the columns that each row is to say something of. It is nil when the
// caller's records have no place: why not, the way of all others says.
func (w *writer) clerk(must []string) *clerk {
	k := &clerk{w: w, columns: make([]ruled, len(w.stored)), same: make([]bool, len(w.stored))}
	fixed := core.Record{}
	if err := w.identify(fixed); err != nil {
		return nil
	}
	places := make(map[string]int, len(w.stored))
	for i, c := range w.stored {
		places[c.Name] = i
		k.columns[i] = ruled{Column: c, place: i, value: fixed[c.Name], must: slices.Contains(must, c.Name), chosen: c.Kind == core.Choice || c.Kind == core.Choices}
		k.same[i] = c.System && c.Name != "id"
		if !c.System {
			_, err := w.column(core.Create, c.Name)
			k.columns[i].open = err == nil
		}
	}
	k.id, k.version, k.updated = places["id"], places["version"], places["updated_at"]
	for _, key := range w.table.CheckedKeys() {
		var columns []*ruled
		for _, name := range key.Columns {
			c := k.columns[places[name]]
			c.nulls = key.Nulls != core.NullsRefuse
			columns = append(columns, &c)
		}
		k.keys = append(k.keys, columns)
	}
	return k
}

// fill puts rows onto a slate, which is good until the next but one; nil when one of them does not fit.
func (k *clerk) fill(rows []core.Record) *slate {
	s := &k.slates[k.turn]
	k.turn = 1 - k.turn
	s.columns, s.n = k.w.stored, len(rows)
	s.values = slices.Grow(s.values[:0], len(rows)*len(k.columns))[:len(rows)*len(k.columns)]
	for i, values := range rows {
		if !k.put(values, s.record(i)) {
			return nil
		}
	}
	return s
}

// put fills a record with the values of a row, and reports whether it could.
func (k *clerk) put(values core.Record, out []any) bool {
	named := 0
	for i := range k.columns {
		c := &k.columns[i]
		if c.System {
			out[i] = c.value
			continue
		}
		v, ok := values[c.Name]
		if ok {
			named++
		}
		if ok && !c.open || !ok && c.must {
			return false
		}
		var err error
		if out[i], err = c.Parse(v); err != nil || c.Required && out[i] == nil || c.chosen && k.w.chosen(c.Column, nil, out[i]) != nil {
			return false
		}
	}
	out[k.id] = string(core.NewID())
	return named == len(values) && k.keyed(out)
}

// keyed reports whether the record can have its keys: see [core.Table.CheckKeys].
func (k *clerk) keyed(values []any) bool {
	for _, key := range k.keys {
		size := 0
		for _, c := range key {
			v := values[c.place]
			if v == nil && !c.nulls {
				return false
			}
			size += core.KeySize(c.Kind, v)
		}
		if size > core.MaxKeyBytes {
			return false
		}
	}
	return true
}

// rows are the records of the slate for their table.
func (k *clerk) rows(s *slate) db.Rows {
	return db.Rows{Table: k.w.table.SQL(), Columns: s.columns, N: s.n, Same: k.same, Value: func(row, column int) any {
		return s.values[row*len(s.columns)+column]
	}}
}

// imprint returns what the i-th record leaves that was created or changed.
func (k *clerk) imprint(s *slate, i int, op core.Op) imprint {
	values := s.record(i)
	return imprint{op: op, id: values[k.id], version: values[k.version], at: values[k.updated], values: values}
}

// minSlate is from how many rows on slates are worth it.
const minSlate = 100

// insertSlates writes a batch while the next is prepared.
func (w *writer) insertSlates(ctx context.Context, rows []core.Record, res *Result) error {
	clerk, preparer := w.clerk(nil), *w
	preparer.columns = nil // which are found out as they are needed
	ready := func() newSlate { return newSlate{} }
	defer func() { ready() }()
	for from, part := range w.parts(rows) {
		before := ready()
		ready = db.Start(func() newSlate {
			if s := clerk.fill(part); s != nil {
				return newSlate{from: from, slate: s}
			}
			preparer.batch = nil
			err := preparer.prepare(nil, part, from, len(rows), &Result{})
			return newSlate{from: from, changes: preparer.batch, err: err}
		})
		if err := w.writeSlate(ctx, clerk, before, len(rows), res); err != nil {
			return err
		}
	}
	return w.writeSlate(ctx, clerk, ready(), len(rows), res)
}

// newSlate is a batch of new records, or what is wrong with one of them.
type newSlate struct {
	from    int
	slate   *slate
	changes []change // where one did not fit onto the slate
	err     error
}

// writeSlate writes new records, which are rows of n, with their history and events.
func (w *writer) writeSlate(ctx context.Context, k *clerk, next newSlate, n int, res *Result) error {
	s := next.slate
	if s == nil {
		if next.err != nil {
			return next.err
		}
		for i := range next.changes {
			res.created(core.ID(next.changes[i].after["id"].(string)))
		}
		w.batch = next.changes
		return w.flush(ctx)
	}
	trail := make([]imprint, s.n)
	for i := range trail {
		trail[i] = k.imprint(s, i, core.Create)
		res.created(core.ID(trail[i].id.(string)))
	}
	if err := w.tx.db.Insert(ctx, k.rows(s), w.history(trail), w.events(trail)); err != nil {
		w.batch = s.changes(next.from, n)
		return w.explain(ctx, err, w.batch)
	}
	w.tx.events = true
	w.tx.wrote()
	return nil
}

// writeTrail writes the history and the events of records that are written.
func (w *writer) writeTrail(ctx context.Context, trail []imprint) error {
	if len(trail) == 0 {
		return nil
	}
	if err := w.tx.db.Insert(ctx, w.history(trail), w.events(trail)); err != nil {
		return err
	}
	w.tx.events = true
	w.tx.wrote()
	return nil
}
