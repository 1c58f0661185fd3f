package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
	"colonnade/transfer/format"
)

// Request is an import as its sender describes it. Table is needed; the zero value of everything else works.
type Request struct {
	Table       string            `json:"table"`
	Name        string            `json:"name,omitempty"` // of the file, for people
	File        format.Options    `json:"file"`
	Columns     map[string]string `json:"columns,omitempty"`   // header -> column, or "lookup.key"; "" leaves it out. A header that is not named is a column of its name
	Match       bool              `json:"match,omitempty"`     // headers that are not named go where a suggestion is sure, and else nowhere
	Constants   map[string]any    `json:"constants,omitempty"` // column -> value of every row
	Defaults    map[string]any    `json:"defaults,omitempty"`  // column -> value of rows whose cell is empty
	Mode        Mode              `json:"mode,omitempty"`      // create, or upsert with a key, when empty
	Key         string            `json:"key,omitempty"`
	Skip        bool              `json:"skip,omitempty"`       // leave out rows that fail; otherwise nothing is imported when one fails
	MaxErrors   int               `json:"max_errors,omitempty"` // with Skip: stop after more failures; [MaxErrors] when 0
	OnDuplicate Duplicates        `json:"on_duplicate,omitempty"`
	AsIs        bool              `json:"as_is,omitempty"` // the records of another system, see [tables.Insert]
	Batch       core.ID           `json:"-"`               // of the sender's choice: a batch of that id goes on, or begins; a new id when empty
	Plan        bool              `json:"-"`               // tell what would happen, and write nothing
}

// Mode says what rows of a file may do.
type Mode = tables.ImportMode

// Duplicates says what happens with rows that are like other records by a duplicate rule.
type Duplicates = tables.Duplicates

// Limits of imports.
const (
	MaxErrors = 1000     // failures after which an import stops, unless it says otherwise
	maxErrors = 100_000  // what it may say
	MaxWhole  = 64 << 20 // bytes of a file that is imported whole or not at all; nobody else writes on SQLite meanwhile
	maxHeld   = 32 << 20 // bytes of a file that must be in memory
	part      = 1000     // rows that are written together
	partBytes = 4 << 20  // bytes of the cells that are written together
)

// check completes the request.
func (r *Request) check() error {
	const op = "transfer.Import"
	if r.Mode == "" {
		r.Mode = tables.ImportCreate
		if r.Key != "" {
			r.Mode = tables.ImportUpsert
		}
	}
	if r.MaxErrors == 0 {
		r.MaxErrors = MaxErrors
	}
	if r.MaxErrors < 0 || r.MaxErrors > maxErrors {
		return core.E(op, core.Invalid, core.At{Column: "max_errors"}, fmt.Sprintf("max_errors is from 1 to %d", maxErrors))
	}
	if !slices.Contains([]tables.Duplicates{"", tables.DuplicatesWarn, tables.DuplicatesRefuse, tables.DuplicatesAllow}, r.OnDuplicate) {
		return core.E(op, core.Invalid, core.At{Column: "on_duplicate"}, "on_duplicate is warn, refuse or allow")
	}
	if r.Batch != "" {
		id, err := core.ParseID(string(r.Batch))
		if err != nil {
			return core.E(op, core.Invalid, core.At{Column: "batch"}, "batch is a uuid")
		}
		r.Batch = id
	}
	if r.File.Header != "" && r.File.Header != "yes" && r.File.Header != "no" {
		return core.E(op, core.Invalid, core.At{Column: "header"}, "header is yes or no, or left out")
	}
	return nil
}

// Import reads a file into a table. What it has committed stays when it fails: the report, which comes with the error, names the
// batch to go on with.
func (s *Service) Import(ctx context.Context, r Request, body io.Reader) (*Report, error) {
	const op = "transfer.Import"
	if err := r.check(); err != nil {
		return nil, err
	}
	if !r.Skip && !r.Plan && !s.store.InTx(ctx) { // nobody waits for a slow sender within a transaction
		if err := s.mayImport(ctx); err != nil { // before anything is kept
			return nil, within(r.Table, err)
		}
		file, err := spool(body, MaxWhole, "a file that is imported whole or not at all; send it with on_error=skip, and undo what is not as it should be")
		if err != nil {
			return nil, within(r.Table, err)
		}
		defer func() { _ = file.Close() }()
		body = file
	}
	in := &input{r: &r, body: &counter{r: body}}
	if err := s.open(ctx, in); err != nil {
		return nil, within(r.Table, err)
	}
	im := &importing{Service: s, input: in, report: newReport()}
	caller := core.CallerFrom(ctx)
	caller.Cause.Kind = "import"
	there, err := s.there(ctx, r.Batch)
	switch {
	case err != nil:
		return nil, core.E(op, err)
	case r.Plan:
		im.batch = &Batch{}
		err = im.plan(core.WithCaller(ctx, caller))
	case there:
		if im.batch, err = s.resumed(ctx, in); err != nil {
			return nil, core.E(op, err)
		}
		caller.Cause.ID = string(im.batch.ID)
		err = im.inParts(core.WithCaller(ctx, caller))
	default:
		if im.batch, err = begin(ctx, &r, in.reader.Header(), time.Now().UTC()); err != nil {
			return nil, core.E(op, err)
		}
		caller.Cause.ID = string(im.batch.ID)
		if r.Skip && !im.store.InTx(ctx) {
			err = im.begun(core.WithCaller(ctx, caller))
		} else {
			err = im.whole(core.WithCaller(ctx, caller))
		}
	}
	im.report.take(im.batch, in)
	if err != nil {
		return im.report, within(r.Table, err)
	}
	return im.report, nil
}

// within names the table of an error that names none.
func within(table string, err error) error {
	if at := core.AsError(err).Table; at != "" {
		table = at
	}
	return core.E("transfer.Import", core.At{Table: table}, err)
}

func (s *Service) mayImport(ctx context.Context) error {
	return s.store.Snapshot().Policy.May(core.CallerFrom(ctx), "import_data")
}

// importing is one import under way.
type importing struct {
	*Service
	*input
	batch  *Batch
	report *Report
	digest hash.Hash
}

// chunk is a part of the file, as it was read.
type chunk struct {
	rows   []tables.ImportRow
	cells  [][]format.Cell // of the rows
	bad    []failure       // rows that cannot be read
	n      int64           // rows, the bad ones included
	bytes  int64           // of the file, up to here
	digest string          // of the rows, up to here
	err    error           // behind the rows: io.EOF at the end
}

// failure is a row that is refused.
type failure struct {
	line  int
	err   *core.Error
	cells []format.Cell
}

// whole imports everything in one unit of work, or nothing. The unit is not done again when it clashes with another: it reads the
// file as it comes, and what was read is not kept.
func (im *importing) whole(ctx context.Context) error {
	err := im.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if err := tx.DB().Gorm(ctx).Create(im.batch).Error; err != nil {
			return core.E("transfer.whole", err)
		}
		w, err := tx.Importer(ctx, im.how)
		if err != nil {
			return err
		}
		im.digest = sha256.New()
		for last := false; !last; {
			c := im.next()
			if last = c.err != nil; last && !errors.Is(c.err, io.EOF) {
				return c.err
			}
			failed, err := im.write(ctx, tx, w, c)
			if err != nil {
				return err
			}
			im.report.add(failed)
			if !im.r.Skip && len(im.report.failures) >= maxShown {
				break // it fails, and this is enough to see why
			}
		}
		if !im.r.Skip && len(im.report.failures) > 0 {
			return im.report.refusal()
		}
		im.finish(Done, nil)
		return im.batch.commit(ctx, tx, im.batch.Token)
	})
	if err != nil {
		im.batch.ID = "" // there is none
	}
	return err
}

// begun makes the batch and imports in parts.
func (im *importing) begun(ctx context.Context) error {
	err := im.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if _, err := tx.Importer(ctx, im.how); err != nil { // before there is a batch
			return err
		}
		return tx.DB().Gorm(ctx).Create(im.batch).Error
	})
	if err != nil {
		im.batch.ID = ""
		return core.E("transfer.begun", err)
	}
	return im.inParts(ctx)
}

// inParts imports in units of work of some rows each, reading ahead while the database writes.
func (im *importing) inParts(ctx context.Context) error {
	im.digest = sha256.New()
	if err := im.forward(); err != nil {
		return err
	}
	parts, done := make(chan *chunk, 1), make(chan error, 1)
	go func() { done <- im.commitParts(ctx, parts) }()
	for {
		c := im.next() // here, so that nothing reads the body when we have returned
		select {
		case parts <- c:
		case err := <-done:
			return err
		}
		if c.err != nil {
			close(parts)
			return <-done
		}
	}
}

// commitParts writes the parts of the file as they come.
func (im *importing) commitParts(ctx context.Context, parts <-chan *chunk) error {
	for c := range parts {
		err := im.commitPart(ctx, c)
		switch {
		case err != nil:
		case im.batch.Refused > int64(im.r.MaxErrors) && !errors.Is(c.err, io.EOF):
			err = core.E("transfer.commitParts", core.Limit, fmt.Sprintf("more than %d rows were refused: see why, mend the file, and send what is left", im.r.MaxErrors))
		case !errors.Is(c.err, io.EOF):
			err = c.err
		}
		if err != nil {
			return im.stopped(ctx, err)
		}
	}
	return nil
}

// commitPart writes a part and how far the batch has come, both or neither.
func (im *importing) commitPart(ctx context.Context, c *chunk) error {
	before := *im.batch
	var failed []failure
	err := im.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		*im.batch = before
		w, err := tx.Importer(ctx, im.how)
		if err == nil {
			failed, err = im.write(ctx, tx, w, c)
		}
		if err != nil {
			return err
		}
		if errors.Is(c.err, io.EOF) {
			im.finish(Done, nil)
		}
		return im.batch.commit(ctx, tx, im.batch.Token)
	})
	if err != nil {
		*im.batch = before
		return err
	}
	im.report.add(failed)
	return nil
}

// write writes a part in the unit of work, with the rows that it refuses, and returns these.
func (im *importing) write(ctx context.Context, tx *tables.Tx, w *tables.Importer, c *chunk) (failed []failure, err error) {
	res, err := w.Write(ctx, c.rows)
	if err != nil {
		return nil, err
	}
	failed = slices.Clone(c.bad)
	for _, f := range res.Failed {
		failed = append(failed, failure{c.rows[f.Row].Line, f.Err, c.cells[f.Row]})
	}
	slices.SortStableFunc(failed, func(a, b failure) int { return a.line - b.line })
	b := im.batch
	b.Rows += c.n
	b.Created += int64(res.Created)
	b.Changed += int64(res.Changed)
	b.Unchanged += int64(res.Unchanged)
	b.Duplicates += int64(res.Like)
	b.Refused += int64(len(failed))
	b.Bytes, b.Digest = c.bytes, c.digest
	if len(failed) == 0 || !im.r.Skip || im.r.Plan {
		return failed, nil
	}
	rows := make([]refused, len(failed))
	for i, f := range failed {
		cells, err := json.Marshal(texts(f.cells))
		if err != nil {
			return nil, core.E("transfer.write", err)
		}
		rows[i] = refused{ID: core.NewID(), BatchID: b.ID, Line: int64(f.line), Kind: string(f.err.Kind), Message: f.err.Public(), Cells: string(cells), OwnerID: b.OwnerID, UnitID: b.UnitID}
		if f.err.Column != "" {
			rows[i].ColumnName = &f.err.Column
		}
	}
	return failed, core.E("transfer.write", tx.DB().Gorm(ctx).CreateInBatches(rows, 200).Error)
}

func (im *importing) finish(status string, err error) {
	now := db.Now()
	im.batch.Status, im.batch.Finished, im.batch.Error = status, &now, nil
	if err != nil {
		text := core.AsError(err).Public()
		im.batch.Error = &text
	}
}

// stopped keeps in the batch why it stopped, and returns that. The position stays: the batch can go on.
func (im *importing) stopped(ctx context.Context, why error) error {
	im.finish(Stopped, why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := im.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		return im.batch.commit(ctx, tx, im.batch.Token)
	})
	if err != nil {
		im.o.Log.WarnContext(ctx, "transfer: the batch does not say why it stopped", "batch", im.batch.ID, "err", err)
	}
	return why
}

// resumed takes over a batch that was cut off: who worked on it can commit no more.
func (s *Service) resumed(ctx context.Context, in *input) (*Batch, error) {
	const op = "transfer.resume"
	b, err := s.own(ctx, in.r.Batch)
	if err != nil {
		return nil, core.E(op, err)
	}
	if b.Status == Done || b.Status == Undone {
		return nil, core.E(op, core.Conflict, "the import is "+b.Status+" already: leave out the batch to import the file anew")
	}
	var header []string
	if err := json.Unmarshal([]byte(b.Header), &header); err != nil {
		return nil, core.E(op, err)
	}
	settings, err := json.Marshal(in.r)
	if err != nil {
		return nil, core.E(op, err)
	}
	if !slices.Equal(header, in.reader.Header()) || !sameJSON(settings, []byte(b.Settings)) {
		return nil, core.E(op, core.Conflict, "the file or the settings are not those that the import began with: send the same, or leave out the batch to begin a new one")
	}
	b.Token, b.Status, b.Error, b.Finished = string(core.NewID()), Running, nil, nil
	err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		fresh, err := s.batch(tx.DB().Gorm(ctx), b.ID)
		if err != nil {
			return core.E(op, err)
		}
		token := fresh.Token
		fresh.Token, fresh.Status, fresh.Error, fresh.Finished = b.Token, Running, nil, nil
		b = fresh
		return b.commit(ctx, tx, token)
	})
	return b, core.E(op, err)
}

func sameJSON(a, b []byte) bool {
	x, err := core.CanonicalJSON(a)
	y, bad := core.CanonicalJSON(b)
	return err == nil && bad == nil && string(x) == string(y)
}

// forward reads on to where the batch stopped, and makes sure that the file is the same up to there.
func (im *importing) forward() error {
	const op = "transfer.forward"
	other := core.E(op, core.Conflict, "the file is not the one that the import began with: send the same, or leave out the batch to begin a new one")
	for n := int64(0); n < im.batch.Rows; n++ {
		var row format.Row
		err := im.reader.Next(&row)
		if errors.Is(err, io.EOF) {
			return other
		}
		if bad := (*format.RowError)(nil); err != nil && !errors.As(err, &bad) {
			return err
		}
		im.sum(&row)
	}
	if im.batch.Rows > 0 && hex.EncodeToString(im.digest.Sum(nil)) != im.batch.Digest {
		return other
	}
	return nil
}

// sum adds a row to the digest.
func (im *importing) sum(row *format.Row) {
	var b []byte
	for i := range row.Cells {
		b = appendText(b, &row.Cells[i])
		b = append(b, 0)
	}
	im.digest.Write(append(b, '\n'))
}

// next reads and converts the next part.
func (im *importing) next() *chunk {
	c := &chunk{rows: make([]tables.ImportRow, 0, part), cells: make([][]format.Cell, 0, part)}
	start := im.body.n
	for len(c.rows) < part && len(c.bad) < part && im.body.n-start < partBytes {
		var row format.Row
		err := im.reader.Next(&row)
		bad := (*format.RowError)(nil)
		switch {
		case errors.As(err, &bad):
			c.n++
			im.sum(&row)
			c.bad = append(c.bad, failure{row.Line, core.AsError(core.E("transfer.read", core.Invalid, core.At{Line: row.Line}, bad.Msg)), row.Cells})
			continue
		case err != nil:
			c.err = received(err)
		default:
			c.n++
			im.sum(&row)
			values, err := im.convert(&row)
			if err != nil {
				c.bad = append(c.bad, failure{row.Line, err, row.Cells})
				continue
			}
			c.rows = append(c.rows, tables.ImportRow{Line: row.Line, Values: values})
			c.cells = append(c.cells, row.Cells)
		}
		if c.err != nil {
			break
		}
	}
	c.bytes, c.digest = im.body.n, hex.EncodeToString(im.digest.Sum(nil))
	return c
}

// convert makes a row a record.
func (im *importing) convert(row *format.Row) (core.Record, *core.Error) {
	values := make(core.Record, len(im.fields)+len(im.extra))
	for i := range row.Cells {
		f := &im.fields[i]
		if f.Column == nil {
			continue
		}
		v, err := f.value(&row.Cells[i])
		if err != nil {
			e := core.AsError(err)
			return nil, core.AsError(core.E("transfer.convert", e.Kind, core.At{Table: im.r.Table, Column: f.Name, Line: row.Line}, e.Msg, e))
		}
		values[f.Name] = v
	}
	for _, e := range im.extra {
		values[e.Name] = e.value
	}
	return values, nil
}
