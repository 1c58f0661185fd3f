package tables

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// ImportMode says what rows of a file may do.
type ImportMode string

// The modes. The latter two find records by a key.
const (
	ImportCreate ImportMode = "create" // every row is a new record
	ImportUpdate ImportMode = "update" // every row changes a record that exists
	ImportUpsert ImportMode = "upsert" // a row changes the record with its key, or creates it
)

// Import is what all rows of a file have in common.
type Import struct {
	Table   string
	Mode    ImportMode
	Key     string         // "<table>_pkey", a unique column or the name of a key; empty to create only
	Columns []ImportColumn // what the rows hold
	AsIs    bool           // see [Insert.AsIs]

	OnDuplicate Duplicates
}

// ImportColumn is a column that rows of a file have values for.
type ImportColumn struct {
	*core.Column
	By *core.Column // of a lookup: the unique column of its target whose values the rows hold, nil for ids
}

// Holds returns the column whose kind the values have.
func (c *ImportColumn) Holds() *core.Column {
	if c.By != nil {
		return c.By
	}
	return c.Column
}

// ImportColumn returns the column that a name leads to: a column of the table, or "lookup.key".
func (s *Store) ImportColumn(ctx context.Context, snap *Snapshot, table, name string) (ImportColumn, error) {
	const op = "tables.ImportColumn"
	caller := core.CallerFrom(ctx)
	t, create, err := snap.decide(caller, table, core.Create)
	also, update, bad := snap.decide(caller, table, core.Update)
	if err != nil && bad != nil {
		return ImportColumn{}, core.E(op, err)
	}
	if err != nil {
		t = also
	}
	name, key, byKey := strings.Cut(name, ".")
	c, ok := t.Column(name)
	if !ok || !visible(name, create, update) {
		return ImportColumn{}, core.E(op, unknownColumn(t, name, create, update))
	}
	out := ImportColumn{Column: c}
	if !byKey {
		return out, nil
	}
	if c.Kind != core.Lookup {
		return out, core.E(op, core.Invalid, core.At{Table: table, Column: name}, "only a lookup can be found by a key of its target")
	}
	p := &planner{snap: snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(c.Target, core.Read)
	if err != nil {
		return out, core.E(op, err)
	}
	r, err := n.resolve(key)
	if err != nil {
		return out, core.E(op, err)
	}
	if !r.column.Unique && r.column.Name != "id" {
		return out, core.E(op, core.Invalid, core.At{Table: c.Target, Column: key}, "the column is not unique, so it does not identify a record")
	}
	out.By = r.column
	return out, nil
}

// visible reports whether one of the decisions shows the column.
func visible(column string, may ...*authz.Decision) bool {
	return slices.ContainsFunc(may, func(d *authz.Decision) bool {
		if d == nil {
			return false
		}
		shown, _ := d.Column(column)
		return shown
	})
}

// ImportRow is one row of a file: values in the Go forms of what its columns hold.
type ImportRow struct {
	Line   int
	Values core.Record
}

// ImportResult tells what became of rows.
type ImportResult struct {
	Created   int
	Changed   int
	Unchanged int // records that had the values already
	Like      int // records that were created or changed, and that are like others by a duplicate rule
	Failed    []ImportFailure
}

// ImportFailure is a row that could not be imported.
type ImportFailure struct {
	Row int // the index of the row
	Err *core.Error
}

// Importer writes the rows of one file in one unit of work.
type Importer struct {
	tx    *Tx
	in    Import
	table *core.Table
	key   *uniqueKey // nil to create only
}

// Importer checks that the caller may import rows with these columns into the table, whatever they hold.
func (tx *Tx) Importer(ctx context.Context, in Import) (*Importer, error) {
	const op = "tables.Importer"
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "import_data"); err != nil {
		return nil, core.E(op, err)
	}
	im := &Importer{tx: tx, in: in}
	ops := map[ImportMode][]core.Op{ImportCreate: {core.Create}, ImportUpdate: {core.Update}, ImportUpsert: {core.Create, core.Update}}[in.Mode]
	if ops == nil {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("%q is no mode of an import; there are: create, update, upsert", in.Mode))
	}
	for _, o := range ops {
		w, err := tx.writer(ctx, in.Table, o)
		if err != nil {
			return nil, core.E(op, err)
		}
		w.asIs, im.table = in.AsIs, w.table
		if (in.Key == "") != (in.Mode == ImportCreate) {
			return nil, core.E(op, core.Invalid, core.At{Table: in.Table}, "update and upsert find records by a key, and create needs none: name the key, or leave it out")
		}
		for _, c := range im.columns(o) {
			if _, err := w.parse(o, core.Record{c: nil}); err != nil {
				return nil, core.E(op, err)
			}
		}
		if in.Key == "" {
			continue
		}
		if im.key, err = keyOf(w.table, in.Key); err != nil {
			return nil, core.E(op, err)
		}
	}
	return im, im.checkKey(ctx)
}

// keyColumns are the columns by which records are found.
func (im *Importer) keyColumns() []*core.Column {
	if im.key == nil {
		return nil
	}
	return im.key.columns
}

// checkKey checks that the rows have the key, and that the caller may ask for the values of it.
func (im *Importer) checkKey(ctx context.Context) error {
	const op = "tables.Importer"
	for _, k := range im.keyColumns() {
		if !slices.ContainsFunc(im.in.Columns, func(c ImportColumn) bool { return c.Name == k.Name }) {
			return core.E(op, core.Invalid, core.At{Table: im.table.Name, Column: k.Name}, "the column is part of the key by which records are found, and the file has nothing for it")
		}
	}
	if im.in.Mode != ImportUpdate {
		return nil
	}
	p := &planner{snap: im.tx.snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(im.table.Name, core.Read)
	if err != nil {
		return core.E(op, err)
	}
	for _, k := range im.keyColumns() {
		if _, err := n.resolve(k.Name); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// columns returns what is created, or what records that exist take over: they keep their ids and what they are found by.
func (im *Importer) columns(op core.Op) []string {
	var out []string
	for _, c := range im.in.Columns {
		if op == core.Update && (c.Name == "id" || slices.ContainsFunc(im.keyColumns(), func(k *core.Column) bool { return k.Name == c.Name })) {
			continue
		}
		out = append(out, c.Name)
	}
	return out
}

// Keys yields what identifies a record in the database: the key by which records are found or, of rows that are only created, each
// unique column and key that the rows have. A key with a NULL is left out. What is yielded is valid until the next one.
func (im *Importer) Keys(values core.Record) iter.Seq2[int, []byte] {
	keys := []*uniqueKey{im.key}
	if im.in.Mode == ImportCreate {
		keys = im.uniques()
	}
	return func(yield func(int, []byte) bool) {
		var text []byte
		for n, k := range keys {
			var ok bool
			if text, ok = k.appendTo(text[:0], values); ok && !yield(n, text) {
				return
			}
		}
	}
}

// uniques returns what is unique in the table and in the rows.
func (im *Importer) uniques() (out []*uniqueKey) {
	has := func(name string) bool {
		return slices.ContainsFunc(im.in.Columns, func(c ImportColumn) bool { return c.Name == name && c.By == nil })
	}
	add := func(name string, columns ...string) {
		if slices.ContainsFunc(columns, func(c string) bool { return !has(c) }) {
			return
		}
		if k, err := keyOf(im.table, name); err == nil {
			out = append(out, k)
		}
	}
	for _, c := range im.table.Columns {
		if c.Unique || c.Name == "id" {
			add(c.Name, c.Name)
		}
	}
	for _, k := range im.table.Keys {
		add(k.Name, k.Columns...)
	}
	return out
}

// Write writes the rows that can be written and returns what is wrong with the others. It fails, and with it the unit of work,
// only when the database does.
func (im *Importer) Write(ctx context.Context, rows []ImportRow) (ImportResult, error) {
	b := &importBatch{Importer: im, rows: rows}
	all := make([]int, len(rows))
	for i := range all {
		all[i] = i
	}
	all, err := b.resolve(ctx, all)
	for len(all) > 0 && err == nil {
		n := b.distinct(all)
		err = b.write(ctx, all[:n])
		all = all[n:]
	}
	slices.SortFunc(b.res.Failed, func(x, y ImportFailure) int { return x.Row - y.Row })
	return b.res, core.E("tables.Import", im.tx.keep(err))
}

// importBatch is one call of Write.
type importBatch struct {
	*Importer
	rows []ImportRow
	res  ImportResult
}

func (b *importBatch) fail(row int, err error) {
	e := *core.AsError(err)
	e.Item, e.Line = 0, b.rows[row].Line
	if e.Table == "" {
		e.Table = b.table.Name
	}
	b.res.Failed = append(b.res.Failed, ImportFailure{row, &e})
}

// distinct returns how many of the rows come before one with the key of an earlier one, which must find what that wrote.
func (b *importBatch) distinct(rows []int) int {
	if b.key == nil {
		return len(rows)
	}
	seen := make(map[string]bool, len(rows))
	for n, i := range rows {
		key, ok := b.key.of(b.rows[i].Values)
		if ok && seen[key] {
			return n
		}
		seen[key] = ok
	}
	return len(rows)
}

// resolve replaces the keys of lookups by ids, with one query for each lookup, and returns the rows that are left.
func (b *importBatch) resolve(ctx context.Context, rows []int) ([]int, error) {
	for _, c := range b.in.Columns {
		if c.By == nil {
			continue
		}
		ids, err := b.byKey(ctx, c, rows)
		if err != nil {
			return nil, err
		}
		kept := rows[:0]
		for _, i := range rows {
			v := b.rows[i].Values[c.Name]
			if v != nil {
				id, ok := ids[string(c.By.AppendJSON(nil, v))]
				if !ok {
					b.fail(i, core.E("tables.Import", core.Invalid, core.At{Table: b.table.Name, Column: c.Name}, fmt.Sprintf("there is no %s whose %s is %v", c.Target, c.By.Name, v)))
					continue
				}
				b.rows[i].Values[c.Name] = id
			}
			kept = append(kept, i)
		}
		rows = kept
	}
	return rows, nil
}

func (b *importBatch) byKey(ctx context.Context, c ImportColumn, rows []int) (map[string]string, error) {
	var keys []any
	out := map[string]string{}
	for _, i := range rows {
		v := b.rows[i].Values[c.Name]
		k := string(c.By.AppendJSON(nil, v))
		if _, ok := out[k]; v != nil && !ok {
			out[k] = ""
			keys = append(keys, v)
		}
	}
	clear(out)
	most := min(MaxLimit, b.tx.snap.maxLimit)
	fields := []Field{{As: "id", Column: "id"}}
	if c.By.Name != "id" {
		fields = append(fields, Field{As: c.By.Name, Column: c.By.Name})
	}
	for part := range slices.Chunk(keys, most) {
		found, err := b.tx.store.Records(ctx, b.tx.snap, Query{Table: c.Target, Where: Compare{Column: c.By.Name, Op: In, Value: part}, Limit: most, Fields: fields})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			out[string(c.By.AppendJSON(nil, r[c.By.Name]))], _ = r["id"].(string)
		}
	}
	return out, nil
}

// maxPicked is how many rows are picked out of a statement that failed for them before it is halved instead.
const maxPicked = 4

// write writes rows of different keys. What is wrong with a row by itself is found before anything is written; when the database
// refuses, the row that it names is left out, or the rows are halved until it is found.
func (b *importBatch) write(ctx context.Context, rows []int) error {
	rows = slices.Clone(rows)
	for picked := 0; len(rows) > 0; picked++ {
		var res ImportResult
		var wrong []ImportFailure
		err := b.tx.Savepoint(ctx, func() (err error) {
			res, wrong, err = b.try(ctx, rows)
			return err
		})
		if err == nil {
			b.res.Created += res.Created
			b.res.Changed += res.Changed
			b.res.Unchanged += res.Unchanged
			b.res.Like += res.Like
			for _, f := range wrong {
				b.fail(f.Row, f.Err)
			}
			return nil
		}
		if !aboutRow(err) {
			return err
		}
		at := core.AsError(err).Item
		switch {
		case len(rows) == 1:
			b.fail(rows[0], err)
			return nil
		case at > 0 && at <= len(rows) && picked < maxPicked:
			b.fail(rows[at-1], err)
			rows = slices.Delete(rows, at-1, at)
		default:
			half := len(rows) / 2
			if err := b.write(ctx, rows[:half]); err != nil {
				return err
			}
			return b.write(ctx, rows[half:])
		}
	}
	return nil
}

// aboutRow reports whether an error says what is wrong with a row, and not with the database.
func aboutRow(err error) bool {
	switch core.KindOf(err) {
	case core.Denied, core.Invalid, core.Failed, core.Exists, core.NotFound, core.Limit:
		return true
	}
	var v *db.Violation
	return errors.As(err, &v)
}

// try writes the rows in one statement a table. The rows that are wrong by themselves are left out and returned.
func (b *importBatch) try(ctx context.Context, rows []int) (res ImportResult, wrong []ImportFailure, err error) {
	w, u, err := b.writer(ctx, rows)
	if err != nil {
		return res, nil, err
	}
	w.batch = make([]change, 0, len(rows))
	for n, i := range rows {
		switch err := b.row(w, u, n, b.rows[i].Values, &res); {
		case err == nil:
		case aboutRow(err):
			wrong = append(wrong, ImportFailure{i, core.AsError(err)})
		default:
			return res, nil, err
		}
	}
	err = w.flush(ctx)
	res.Like = len(w.likened)
	return res, wrong, err
}

// row prepares the n-th row of a batch.
func (b *importBatch) row(w *writer, u *upsert, n int, values core.Record, res *ImportResult) error {
	var one Result
	if err := w.put(u, values, n, n+1, &one); err != nil {
		return err
	}
	if u == nil || u.existing[n] == nil {
		res.Created++
	} else {
		res.Changed += one.Changed
		res.Unchanged += 1 - one.Changed
	}
	return nil
}

// writer returns the writer of the rows and, with a key, the records that have their keys.
func (b *importBatch) writer(ctx context.Context, rows []int) (*writer, *upsert, error) {
	in := Insert{Table: b.table.Name, Rows: make([]core.Record, len(rows)), AsIs: b.in.AsIs, OnDuplicate: b.in.OnDuplicate}
	for n, i := range rows {
		in.Rows[n] = b.rows[i].Values
	}
	if b.in.Mode != ImportCreate {
		in.OnConflict = &OnConflict{Key: b.in.Key, Update: b.columns(core.Update), Exists: b.in.Mode == ImportUpdate}
	}
	w, u, err := b.tx.inserter(ctx, in)
	if err == nil && u != nil {
		err = w.find(ctx, u, in.Rows, 0, len(rows))
	}
	if err == nil {
		err = w.number(ctx, u, in.Rows)
	}
	return w, u, err
}
