package tables

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"colonnade/core"
)

// Import reads records from CSV text.
type Import struct {
	Table   string
	CSV     string
	Columns map[string]string // header -> column, or "lookup.key column of its target"; a header that is not named is a column of its name
	Key     string            // records with this key are changed, see [OnConflict]; empty to create only
	Skip    bool              // leave out rows that fail; otherwise nothing is imported when one fails
}

// ImportReport tells what an import did.
type ImportReport struct {
	Result
	Rows     int
	Failures []ImportFailure
	FailCSV  string // the rows that failed, with the reason in a last column, to mend and import again
}

// ImportFailure is one row that could not be imported.
type ImportFailure struct {
	Line int // of the file, the header being line 1
	Err  *core.Error
}

// maxFailures is how many failures an import without Skip reports before it stops looking.
const maxFailures = 20

// Import runs an import in the unit of work.
func (tx *Tx) Import(ctx context.Context, in Import) (*ImportReport, error) {
	const op = "tables.Import"
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "import_data"); err != nil {
		return nil, core.E(op, err)
	}
	t, _, err := tx.snap.decide(core.CallerFrom(ctx), in.Table, core.Create)
	if err != nil {
		return nil, core.E(op, err)
	}
	caller := core.CallerFrom(ctx)
	caller.Cause.Kind, caller.Cause.ID = "import", string(core.NewID())
	im := &importer{tx: tx, in: in, table: t, report: &ImportReport{}}
	if err := im.run(core.WithCaller(ctx, caller)); err != nil {
		at := core.At{Table: in.Table}
		if t := core.AsError(err).Table; t != "" {
			at.Table = t // the target of a lookup
		}
		return nil, core.E(op, at, err)
	}
	return im.report, nil
}

func (im *importer) run(ctx context.Context) (err error) {
	if err := im.read(ctx); err != nil {
		return err
	}
	if err := im.mayWrite(ctx); err != nil { // what no row can do
		return err
	}
	if err := im.resolve(ctx); err != nil {
		return err
	}
	if err := im.stop(); err != nil {
		return err
	}
	if err := im.write(ctx, im.rows); err != nil {
		return err
	}
	if err := im.stop(); err != nil {
		return err
	}
	slices.SortFunc(im.report.Failures, func(a, b ImportFailure) int { return a.Line - b.Line })
	im.report.FailCSV, err = im.failCSV()
	return err
}

// mayWrite checks that the caller may create records with these columns, and change them where there is a key.
func (im *importer) mayWrite(ctx context.Context) error {
	ops := []core.Op{core.Create}
	if im.in.Key != "" {
		ops = append(ops, core.Update)
	}
	for _, op := range ops {
		w, err := im.tx.writer(ctx, im.table.Name, op)
		if err != nil {
			return err
		}
		for _, name := range im.columns(op) {
			if _, err := w.parse(op, core.Record{name: nil}); err != nil {
				return core.E("tables.Import", core.At{Line: 1}, err)
			}
		}
		if op == core.Update {
			if _, err := w.key(im.in.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// importer is one import under way.
type importer struct {
	tx     *Tx
	in     Import
	table  *core.Table
	header []string
	fields []importField
	rows   []importRow
	failed []importRow
	report *ImportReport
}

// importField is where the cells of one header go.
type importField struct {
	column *core.Column
	key    *core.Column // of the lookup's target, when cells hold that instead of the id
}

type importRow struct {
	line   int
	cells  []string
	values core.Record
}

func (im *importer) fail(r importRow, err error) {
	e := core.AsError(core.E("tables.Import", core.At{Line: r.line}, err))
	e.Item = 0
	im.report.Failures = append(im.report.Failures, ImportFailure{r.line, e})
	im.failed = append(im.failed, r)
}

// stop returns the failures as one error unless they are to be left out.
func (im *importer) stop() error {
	n := len(im.report.Failures)
	if n == 0 || im.in.Skip {
		return nil
	}
	first := im.report.Failures[0].Err
	more := ""
	if n > 1 {
		more = " (and " + core.Count(n-1, "more row") + ")"
	}
	return core.E("tables.Import", first.Kind, first.At, first.Msg+more+"; nothing was imported: mend the file, or import the rest with on_error: skip", first)
}

// read parses the text into rows.
func (im *importer) read(ctx context.Context) error {
	text := strings.TrimPrefix(im.in.CSV, "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	header, err := r.Read()
	if err != nil {
		return core.E("tables.Import", core.Invalid, core.At{Line: 1}, "the text has no header line")
	}
	im.header = header
	if err := im.match(ctx); err != nil {
		return err
	}
	for {
		from := r.InputOffset()
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		row := importRow{cells: cells}
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			row.line = bad.StartLine
			msg := "the line is no CSV: " + bad.Err.Error()
			if errors.Is(bad.Err, csv.ErrFieldCount) {
				msg = fmt.Sprintf("the line has %s, the header %d", core.Count(len(cells), "cell"), len(header))
			} else {
				row.cells = []string{strings.TrimSuffix(text[from:r.InputOffset()], "\n")}
			}
			bad := core.E("tables.Import", core.Invalid, core.At{Line: row.line}, msg)
			if errors.Is(err, csv.ErrQuote) && r.InputOffset() == int64(len(text)) { // the rest of the text is in it
				return core.E("tables.Import", core.Invalid, core.At{Line: row.line}, "a quote is opened here and not closed: nothing was imported, since the rest of the text is within it", bad)
			}
			im.fail(row, bad)
		case err != nil:
			return err
		default:
			row.line, _ = r.FieldPos(0)
			im.parse(row)
		}
		im.report.Rows++
		if !im.in.Skip && len(im.report.Failures) >= maxFailures {
			return nil
		}
	}
}

// match finds the column of each header.
func (im *importer) match(ctx context.Context) error {
	used := map[string]bool{}
	from := map[string]string{}
	for _, h := range im.header {
		used[h] = true
		to, ok := im.in.Columns[h]
		if !ok {
			to = h
		}
		if to == "" { // left out
			im.fields = append(im.fields, importField{})
			continue
		}
		name, key, byKey := strings.Cut(to, ".")
		c, ok := im.table.Column(name)
		if !ok {
			return core.E("tables.Import", core.Invalid, core.At{Table: im.table.Name, Column: name, Line: 1}, fmt.Sprintf("the header %q goes to no column: say where with columns, or \"\" to leave it out", h))
		}
		if other, twice := from[name]; twice {
			return core.E("tables.Import", core.Invalid, core.At{Table: im.table.Name, Column: name, Line: 1}, fmt.Sprintf("the headers %q and %q go to the same column: leave one out", other, h))
		}
		from[name] = h
		f := importField{column: c}
		if byKey {
			if c.Kind != core.Lookup {
				return core.E("tables.Import", core.Invalid, core.At{Table: im.table.Name, Column: name, Line: 1}, "only a lookup can be found by a key of its target")
			}
			var err error
			if f.key, err = im.keyOf(ctx, c, key); err != nil {
				return core.E("tables.Import", core.At{Line: 1}, err)
			}
		}
		im.fields = append(im.fields, f)
	}
	for h := range im.in.Columns {
		if !used[h] {
			return core.E("tables.Import", core.Invalid, core.At{Line: 1}, fmt.Sprintf("the text has no header %q; it has: %s", h, strings.Join(im.header, ", ")))
		}
	}
	return nil
}

// keyOf returns the unique column by which cells name records of the lookup's target, which the caller must be able to
// read.
func (im *importer) keyOf(ctx context.Context, lookup *core.Column, name string) (*core.Column, error) {
	p := &planner{snap: im.tx.snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(lookup.Target, core.Read)
	if err != nil {
		return nil, err
	}
	r, err := n.resolve(name)
	if err != nil {
		return nil, err
	}
	if !r.column.Unique {
		return nil, core.E("tables.keyOf", core.Invalid, core.At{Table: lookup.Target, Column: name}, "the column is not unique, so it does not identify a record")
	}
	return r.column, nil
}

func (im *importer) parse(row importRow) {
	row.values = core.Record{}
	for i, cell := range row.cells {
		f := im.fields[i]
		if f.column == nil {
			continue
		}
		c := f.column
		if f.key != nil {
			c = f.key
		}
		v, err := c.ParseText(cell)
		if err != nil {
			e := core.AsError(err)
			im.fail(row, core.E("tables.Import", e.Kind, core.At{Table: im.table.Name, Column: f.column.Name}, e.Msg, e))
			return
		}
		row.values[f.column.Name] = v
	}
	im.rows = append(im.rows, row)
}

// resolve replaces the keys of lookups by ids, with one query for each lookup.
func (im *importer) resolve(ctx context.Context) error {
	for _, f := range im.fields {
		if f.key == nil {
			continue
		}
		ids, err := im.byKey(ctx, f)
		if err != nil {
			return err
		}
		kept := im.rows[:0]
		for _, row := range im.rows {
			v := row.values[f.column.Name]
			if v == nil {
				kept = append(kept, row)
				continue
			}
			id, ok := ids[string(f.key.AppendJSON(nil, v))]
			if !ok {
				im.fail(row, core.E("tables.Import", core.Invalid, core.At{Table: im.table.Name, Column: f.column.Name}, fmt.Sprintf("there is no %s whose %s is %v", f.column.Target, f.key.Name, v)))
				continue
			}
			row.values[f.column.Name] = id
			kept = append(kept, row)
		}
		im.rows = kept
	}
	return nil
}

func (im *importer) byKey(ctx context.Context, f importField) (map[string]string, error) {
	var keys []any
	seen := map[string]bool{}
	for _, row := range im.rows {
		v := row.values[f.column.Name]
		k := string(f.key.AppendJSON(nil, v))
		if v != nil && !seen[k] {
			seen[k] = true
			keys = append(keys, v)
		}
	}
	out := map[string]string{}
	most := min(MaxLimit, im.tx.snap.maxLimit)
	for part := range slices.Chunk(keys, most) {
		found, err := im.tx.store.Records(ctx, im.tx.snap, Query{
			Table: f.column.Target, Where: Compare{Column: f.key.Name, Op: In, Value: part}, Limit: most,
			Fields: []Field{{As: "id", Column: "id"}, {As: f.key.Name, Column: f.key.Name}},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			out[string(f.key.AppendJSON(nil, r[f.key.Name]))], _ = r["id"].(string)
		}
	}
	return out, nil
}

// write inserts the rows. When some fail it halves them until it has found which.
func (im *importer) write(ctx context.Context, rows []importRow) error {
	if len(rows) == 0 {
		return nil
	}
	in := Insert{Table: im.table.Name, Rows: make([]core.Record, len(rows))}
	for i, r := range rows {
		in.Rows[i] = r.values
	}
	if im.in.Key != "" {
		in.OnConflict = &OnConflict{Key: im.in.Key, Update: im.columns(core.Update)}
	}
	var res Result
	err := im.tx.Savepoint(ctx, func() (err error) { res, err = im.tx.Insert(ctx, in); return err })
	if err == nil {
		im.report.Inserted += res.Inserted
		im.report.Updated += res.Updated
		return nil
	}
	switch core.KindOf(err) {
	case core.Denied, core.Invalid, core.Failed, core.Exists, core.NotFound, core.Limit: // of a row
	default:
		return err
	}
	if at := core.AsError(err).Item; len(rows) > 1 && at > 0 && at <= len(rows) && !im.in.Skip {
		im.fail(rows[at-1], err)
		return nil
	}
	if len(rows) == 1 {
		im.fail(rows[0], err)
		return nil
	}
	half := len(rows) / 2
	if err := im.write(ctx, rows[:half]); err != nil {
		return err
	}
	return im.write(ctx, rows[half:])
}

// columns returns what is created, or what is taken over by records that exist, which keep their ids.
func (im *importer) columns(op core.Op) []string {
	var out []string
	for _, f := range im.fields {
		if f.column != nil && (op == core.Create || f.column.Name != "id") {
			out = append(out, f.column.Name)
		}
	}
	return out
}

func (im *importer) failCSV() (string, error) {
	if len(im.failed) == 0 {
		return "", nil
	}
	slices.SortFunc(im.failed, func(a, b importRow) int { return a.line - b.line })
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.Write(append(slices.Clone(im.header), "error")); err != nil {
		return "", err
	}
	for i, row := range im.failed {
		cells := slices.Clone(row.cells)
		for len(cells) < len(im.header) {
			cells = append(cells, "")
		}
		if err := w.Write(append(cells, im.report.Failures[i].Err.Public())); err != nil {
			return "", err
		}
	}
	w.Flush()
	return out.String(), w.Error()
}
