package unify

import (
	"context"
	"encoding/json"
	"slices"

	"colonnade/core"
	"colonnade/tables"
)

// publisher writes the outcome of a run. It writes differences only, so that the same outcome writes nothing, and a run
// that was cut off is completed by the next.
type publisher struct {
	store   *tables.Store
	snap    *tables.Snapshot
	job     *Job
	columns []*core.Column // of the golden table, by attribute; nil where it has none

	created, updated, removed int
}

func newPublisher(store *tables.Store, snap *tables.Snapshot, job *Job) (*publisher, error) {
	const op = "unify.newPublisher"
	p := &publisher{store: store, snap: snap, job: job, columns: make([]*core.Column, len(job.Attributes))}
	for _, want := range job.tables() {
		t, err := snap.Schema.Table(want.Name)
		if err != nil {
			return nil, core.E(op, err, core.AsError(err).Msg+"; unify_prepare creates it")
		}
		if want.Name == job.Golden.Table {
			for i, a := range job.Attributes {
				p.columns[i], _ = t.Column(a.Name)
			}
			continue
		}
		for _, c := range want.Columns {
			if _, err := t.Need(c.Name); err != nil {
				return nil, core.E(op, err)
			}
		}
	}
	return p, nil
}

// batch is how many records one transaction writes.
const batch = 1000

func (p *publisher) publish(ctx context.Context, res *Result) error {
	before, err := p.crosswalk(ctx)
	if err != nil {
		return err
	}
	golden := map[string]bool{}
	for part := range slices.Chunk(slices.Collect(res.Golden()), batch) {
		for _, g := range part {
			golden[g.ID] = true
		}
		if err := p.write(ctx, part, before); err != nil {
			return err
		}
	}
	return p.sweep(ctx, before, golden)
}

// crossRow is a row of the crosswalk as it was before the run.
type crossRow struct {
	id, golden string
	seen       bool
}

func (p *publisher) crosswalk(ctx context.Context) (map[Ref]*crossRow, error) {
	link := p.job.link()
	q := tables.Query{Table: p.job.Golden.Crosswalk}
	for _, name := range []string{"id", link, "source_table", "source_id"} {
		q.Fields = append(q.Fields, tables.Field{As: name, Column: name})
	}
	out := map[Ref]*crossRow{}
	for r, err := range p.store.Scan(ctx, p.snap, q) {
		if err != nil {
			return nil, err
		}
		text := func(name string) string { s, _ := r[name].(string); return s }
		out[Ref{text("source_table"), text("source_id")}] = &crossRow{id: text("id"), golden: text(link)}
	}
	return out, nil
}

// write makes the golden records and what belongs to them, in one transaction.
func (p *publisher) write(ctx context.Context, part []GoldenRecord, before map[Ref]*crossRow) error {
	golden := make([]core.Record, len(part))
	lineage := make([]core.Record, len(part))
	var cross []core.Record
	for i, g := range part {
		var err error
		if golden[i], err = p.golden(g); err != nil {
			return err
		}
		if lineage[i], err = p.lineage(g); err != nil {
			return err
		}
		for _, m := range g.Members {
			if row := before[m]; row != nil {
				row.seen = true
				if row.golden == g.ID {
					continue
				}
			}
			cross = append(cross, core.Record{p.job.link(): g.ID, "source_table": m.Source, "source_id": m.ID})
		}
	}
	var res tables.Result
	err := p.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) (err error) {
		res, err = tx.Insert(ctx, tables.Insert{Table: p.job.Golden.Table, Rows: golden, OnConflict: p.merge(p.job.Golden.Table+"_pkey", golden)})
		if err != nil {
			return err
		}
		if _, err := tx.Insert(ctx, tables.Insert{Table: p.job.Golden.Crosswalk, Rows: cross, OnConflict: &tables.OnConflict{Key: "source", Update: []string{p.job.link()}}}); err != nil {
			return err
		}
		_, err = tx.Insert(ctx, tables.Insert{Table: p.job.Golden.Lineage, Rows: lineage, OnConflict: &tables.OnConflict{Key: p.job.link(), Update: []string{"fields"}}})
		return err
	})
	if err == nil {
		p.created += res.Inserted
		p.updated += res.Changed
	}
	return err
}

// merge takes over every column that the rows have but the key.
func (p *publisher) merge(key string, rows []core.Record) *tables.OnConflict {
	o := &tables.OnConflict{Key: key}
	for name := range rows[0] {
		if name != "id" {
			o.Update = append(o.Update, name)
		}
	}
	slices.Sort(o.Update)
	return o
}

func (p *publisher) golden(g GoldenRecord) (core.Record, error) {
	r := core.Record{"id": g.ID}
	for i, v := range g.Values {
		c := p.columns[i]
		if c == nil {
			continue
		}
		value, err := c.ParseText(v.Text)
		if err != nil {
			return nil, core.E("unify.golden", core.At{Table: p.job.Golden.Table}, err)
		}
		r[c.Name] = value
	}
	return r, nil
}

// lineage tells where each value of a golden record comes from; the values themselves stay where their rights are.
func (p *publisher) lineage(g GoldenRecord) (core.Record, error) {
	type origin struct {
		Table  string `json:"table"`
		ID     string `json:"id"`
		Policy Policy `json:"policy"`
	}
	fields := map[string]origin{}
	for i, v := range g.Values {
		if v.From.ID != "" {
			fields[p.job.Attributes[i].Name] = origin{v.From.Source, v.From.ID, v.Policy}
		}
	}
	raw, err := json.Marshal(fields)
	return core.Record{p.job.link(): g.ID, "fields": json.RawMessage(raw)}, err
}

// sweep removes crosswalk rows of source records that are gone, and golden records that have no member any more.
func (p *publisher) sweep(ctx context.Context, before map[Ref]*crossRow, golden map[string]bool) error {
	var rows, records []core.ID
	gone := map[string]bool{}
	for _, row := range before {
		if !row.seen {
			rows = append(rows, core.ID(row.id))
		}
		if !golden[row.golden] && !gone[row.golden] {
			gone[row.golden] = true
			records = append(records, core.ID(row.golden))
		}
	}
	slices.Sort(rows)
	slices.Sort(records)
	return p.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		p.removed = 0
		for part := range slices.Chunk(rows, batch) {
			if _, err := tx.Delete(ctx, tables.Remove{Table: p.job.Golden.Crosswalk, Where: tables.ByID(part...)}); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(records, batch) {
			res, err := tx.Delete(ctx, tables.Remove{Table: p.job.Golden.Table, Where: tables.ByID(part...)})
			if err != nil {
				return err
			}
			p.removed += res.Deleted
		}
		return nil
	})
}
