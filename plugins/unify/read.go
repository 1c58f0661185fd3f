package unify

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/rules"
	"colonnade/tables"
)

// reader reads the source records of a job under the rights of the caller.
type reader struct {
	store   *tables.Store
	snap    *tables.Snapshot
	job     *Job
	sources []sourceReader
}

// sourceReader is one source with its names resolved.
type sourceReader struct {
	*Source
	table   *core.Table
	columns []*core.Column // by attribute, nil where the source has none
	filter  *rules.Expr
	fields  []tables.Field
}

func newReader(ctx context.Context, store *tables.Store, snap *tables.Snapshot, job *Job) (*reader, error) {
	r := &reader{store: store, snap: snap, job: job}
	for i := range job.Sources {
		if _, err := snap.Policy.Decide(core.CallerFrom(ctx), job.Sources[i].Table, "read"); err != nil {
			return nil, core.E("unify.newReader", err)
		}
		s, err := r.source(&job.Sources[i])
		if err != nil {
			return nil, core.E("unify.newReader", core.Invalid, err)
		}
		if err := whole(core.CallerFrom(ctx), snap, &s); err != nil {
			return nil, err
		}
		r.sources = append(r.sources, s)
	}
	return r, nil
}

func (r *reader) source(of *Source) (sourceReader, error) {
	s := sourceReader{Source: of, columns: make([]*core.Column, len(r.job.Attributes))}
	var err error
	if s.table, err = r.snap.Schema.Table(of.Table); err != nil {
		return s, err
	}
	s.read("id")
	for i, a := range r.job.Attributes {
		name, ok := of.Map[a.Name]
		if !ok {
			continue
		}
		if s.columns[i], err = s.table.Need(name); err != nil {
			return s, err
		}
		s.read(name)
	}
	s.read("created_at")
	s.read("updated_at")
	if of.Updated != "" {
		c, err := s.table.Need(of.Updated)
		if err != nil {
			return s, err
		}
		if c.Kind != core.Date && c.Kind != core.Timestamp {
			return s, core.E("unify.source", core.Invalid, core.At{Table: of.Table, Column: of.Updated}, "updated names a date or a timestamp")
		}
		s.read(of.Updated)
	}
	if of.Filter != "" {
		if s.filter, err = rules.Compile(r.snap.Schema, s.table, of.Filter, rules.Options{}); err != nil {
			return s, err
		}
		if s.filter.Type != "bool" {
			return s, core.E("unify.source", core.Invalid, core.At{Table: of.Table}, "filter is a condition, and not a "+s.filter.Type+": compare it with something")
		}
		for _, name := range s.filter.Columns {
			s.read(name)
		}
	}
	return s, nil
}

// whole refuses a caller who reads a source in part only: what he does not see would be taken for gone.
func whole(c core.Caller, snap *tables.Snapshot, s *sourceReader) error {
	may, err := snap.Policy.Decide(c, s.Table, "read")
	if err != nil {
		return err
	}
	ok := may.Rows == nil
	for _, f := range s.fields {
		visible, guard := may.Column(f.Column)
		ok = ok && visible && guard == nil
	}
	if ok && s.filter != nil {
		ok = snap.Policy.Beyond(c, s.Table, s.filter.Reads) == ""
	}
	if !ok {
		return core.E("unify.whole", core.Denied, core.At{Table: s.Table}, "a unification reads all records and all mapped columns of its sources, and all that their filters read: your roles hide some of them")
	}
	return nil
}

func (s *sourceReader) read(name string) {
	if !slices.ContainsFunc(s.fields, func(f tables.Field) bool { return f.As == name }) {
		s.fields = append(s.fields, tables.Field{As: name, Column: name})
	}
}

// filtered is how many records are asked about at once.
const filtered = 500

// rows yields the records of all sources.
func (r *reader) rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for i := range r.sources {
			for rec, err := range r.chosen(ctx, &r.sources[i]) {
				if err != nil {
					yield(Row{}, err)
					return
				}
				if !yield(r.sources[i].row(rec), nil) {
					return
				}
			}
		}
	}
}

// chosen yields the records of a source for which its filter holds.
func (r *reader) chosen(ctx context.Context, s *sourceReader) iter.Seq2[core.Record, error] {
	all := r.store.Scan(ctx, r.snap, tables.Query{Table: s.Table, Fields: s.fields})
	if s.filter == nil {
		return all
	}
	return func(yield func(core.Record, error) bool) {
		var page []core.Record
		pass := func() bool {
			held, err := r.store.Holds(ctx, r.snap, s.filter, page, nil)
			if err != nil {
				yield(nil, err)
				return false
			}
			for i, rec := range page {
				if held[i] && !yield(rec, nil) {
					return false
				}
			}
			page = page[:0]
			return true
		}
		for rec, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			if page = append(page, rec); len(page) == filtered && !pass() {
				return
			}
		}
		if len(page) > 0 {
			pass()
		}
	}
}

func (s *sourceReader) row(rec core.Record) Row {
	row := Row{Source: s.Table, Values: make([]string, len(s.columns))}
	row.ID, _ = rec["id"].(string)
	row.Seen, _ = rec["created_at"].(time.Time)
	row.Updated, _ = rec["updated_at"].(time.Time)
	if s.Updated != "" {
		row.Updated, _ = rec[s.Updated].(time.Time)
	}
	for i, c := range s.columns {
		if c != nil {
			row.Values[i] = spell(c, rec[c.Name])
		}
	}
	return row
}

// spell writes a value as a text that the column reads again.
func spell(c *core.Column, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case time.Time:
		if c.Kind == core.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(core.TimeLayout)
	}
	return fmt.Sprint(v)
}
