package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// The states of a batch. A batch that runs and does not move any more was cut off: send its file again.
const (
	Running = "running"
	Done    = "done"
	Stopped = "stopped" // by an error, or by too many; what was imported before stays
	Undone  = "undone"
)

// Batch is one import, as far as it has come.
type Batch struct {
	ID         core.ID  `gorm:"primaryKey" json:"id"`
	Table      string   `gorm:"column:table_name" json:"table"`
	Name       string   `json:"name"` // of the file, as the sender calls it
	Format     string   `json:"format"`
	Mode       string   `json:"mode"`
	KeyName    *string  `json:"key"`
	Status     string   `json:"status"`
	Settings   string   `json:"-"` // the request as JSON
	Header     string   `json:"-"` // the columns of the file as JSON
	Rows       int64    `json:"rows"`
	Created    int64    `json:"created"`
	Changed    int64    `json:"changed"`
	Unchanged  int64    `json:"unchanged"`
	Duplicates int64    `json:"duplicates"` // records that are like others by a duplicate rule
	Refused    int64    `json:"refused"`
	Bytes      int64    `json:"bytes"` // of the file, read so far
	Digest     string   `json:"-"`     // of the rows read so far
	Token      string   `json:"-"`     // of who works on it
	Error      *string  `json:"error"`
	OwnerID    core.ID  `json:"-"`
	UnitID     core.ID  `json:"-"`
	CreatedAt  db.Time  `gorm:"autoCreateTime:false" json:"created_at"`
	UpdatedAt  db.Time  `gorm:"autoUpdateTime:false" json:"updated_at"`
	Finished   *db.Time `gorm:"column:finished_at" json:"finished_at"`
}

// TableName implements gorm's Tabler.
func (Batch) TableName() string { return "_import_batch" }

// Rate returns the rows a second since the batch began.
func (b *Batch) Rate() float64 {
	if took := b.UpdatedAt.Sub(b.CreatedAt.Time); took > 0 {
		return float64(b.Rows) / took.Seconds()
	}
	return 0
}

// refused is a row of a batch that was not imported.
type refused struct {
	ID         core.ID `gorm:"primaryKey"`
	BatchID    core.ID
	Line       int64
	Kind       string
	ColumnName *string
	Message    string
	Cells      string // the cells as JSON
	OwnerID    core.ID
	UnitID     core.ID
}

// TableName implements gorm's Tabler.
func (refused) TableName() string { return "_import_failure" }

// Tables returns the tables of this package, as readers see them.
func Tables() []core.Table {
	table := func(name, label, doc string, columns ...core.Column) core.Table {
		id := core.Column{Name: "id", Kind: core.UUID, Required: true, System: true, Doc: "The primary key."}
		columns = append([]core.Column{id}, columns...)
		columns = append(columns,
			core.Column{Name: "owner_id", Kind: core.UUID, Required: true, System: true, Doc: "The user who imported."},
			core.Column{Name: "unit_id", Kind: core.UUID, Required: true, System: true, Doc: "The business unit of that user."})
		return core.Table{Name: name, Label: label, Doc: doc, Ownership: core.UserOwned, Builtin: true, Columns: columns}
	}
	required := func(name string, k core.Kind, doc string) core.Column {
		return core.Column{Name: name, Kind: k, Required: true, Doc: doc}
	}
	status := required("status", core.Choice, "How the import stands. One that runs and does not move any more was cut off: send its file again.")
	for _, s := range []string{Running, Done, Stopped, Undone} {
		status.Options = append(status.Options, core.Option{Value: s})
	}
	batch := required("batch_id", core.Lookup, "The import.")
	batch.Target, batch.Inverse = "_import_batch", "failures"
	return []core.Table{
		table("_import_batch", "Import", "The imports of files, and how far they have come.",
			required("table_name", core.Text, "The table."), required("name", core.Text, "The name of the file."),
			required("format", core.Text, "csv, ndjson, parquet or xlsx."), required("mode", core.Text, "create, update or upsert."),
			core.Column{Name: "key_name", Kind: core.Text, Doc: "The key by which records were found."}, status,
			required("rows", core.Integer, "Rows read so far."), required("created", core.Integer, "Records created."),
			required("changed", core.Integer, "Records changed."), required("unchanged", core.Integer, "Records that had the values already."),
			required("duplicates", core.Integer, "Records created or changed that are like others by a duplicate rule."),
			required("refused", core.Integer, "Rows that could not be imported."), required("bytes", core.Integer, "Bytes read so far."),
			core.Column{Name: "error", Kind: core.LongText, Doc: "Why the import stopped."},
			required("created_at", core.Timestamp, "When it began."), required("updated_at", core.Timestamp, "When it last moved."),
			core.Column{Name: "finished_at", Kind: core.Timestamp, Doc: "When it ended."}),
		table("_import_failure", "Refused row", "The rows that imports refused.",
			batch, required("line", core.Integer, "The line of the file."), required("kind", core.Text, "The kind of the error."),
			core.Column{Name: "column_name", Kind: core.Text, Doc: "The column, where one is to blame."},
			required("message", core.LongText, "What is wrong."), required("cells", core.JSON, "The cells of the row.")),
	}
}

// readable returns the batch when the caller began it, or may read it.
func (s *Service) readable(ctx context.Context, id core.ID) (*Batch, error) {
	const op = "transfer.Batch"
	missing := core.E(op, core.NotFound, core.At{Table: "_import_batch"}, "there is no import "+string(id)+" of yours")
	if _, err := core.ParseID(string(id)); err != nil {
		return nil, missing
	}
	b, err := s.batch(s.store.Gorm(ctx), id)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	if b.OwnerID == core.CallerFrom(ctx).User {
		return b, nil
	}
	if _, err := s.store.Find(ctx, s.store.Snapshot(), "_import_batch", id); err != nil {
		return nil, missing
	}
	return b, nil
}

// Batch returns how an import stands, to the caller who began it or may read it.
func (s *Service) Batch(ctx context.Context, id core.ID) (*Batch, error) {
	b, err := s.readable(ctx, id)
	return b, core.E("transfer.Batch", err)
}

// own returns the batch when the caller began it.
func (s *Service) own(ctx context.Context, id core.ID) (*Batch, error) {
	b, err := s.readable(ctx, id)
	if err == nil && b.OwnerID != core.CallerFrom(ctx).User && !core.CallerFrom(ctx).IsSystem() {
		err = core.E("transfer.own", core.Denied, "somebody else began the import: only that user can go on with it or undo it")
	}
	return b, err
}

// there reports whether a batch has the id.
func (s *Service) there(ctx context.Context, id core.ID) (bool, error) {
	if id == "" {
		return false, nil
	}
	var n int64
	err := s.store.Gorm(ctx).Model(&Batch{}).Where("id = ?", id).Count(&n).Error
	return n > 0, core.E("transfer.there", err)
}

func (s *Service) batch(g *gorm.DB, id core.ID) (*Batch, error) {
	var b Batch
	err := g.Where("id = ?", id).Take(&b).Error
	return &b, err
}

// begin makes the row of a new batch.
func begin(ctx context.Context, r *Request, header []string, now time.Time) (*Batch, error) {
	caller := core.CallerFrom(ctx)
	settings, err := json.Marshal(r)
	if err != nil {
		return nil, core.E("transfer.begin", err)
	}
	names, err := json.Marshal(header)
	if err != nil {
		return nil, core.E("transfer.begin", err)
	}
	id := r.Batch
	if id == "" {
		id = core.NewID()
	}
	b := &Batch{
		ID: id, Table: r.Table, Name: r.Name, Format: r.File.Format, Mode: string(r.Mode), Status: Running,
		Settings: string(settings), Header: string(names), Token: string(core.NewID()),
		OwnerID: caller.User, UnitID: caller.Unit, CreatedAt: db.Time{Time: now}, UpdatedAt: db.Time{Time: now},
	}
	if r.Key != "" {
		b.KeyName = &r.Key
	}
	return b, nil
}

// commit writes how far the batch has come, in the unit of work of its rows. It fails when somebody else has taken it over.
func (b *Batch) commit(ctx context.Context, tx *tables.Tx, token string) error {
	const op = "transfer.commit"
	b.UpdatedAt = db.Time{Time: tx.Now()}
	g := tx.DB().Gorm(ctx).Model(&Batch{}).Where("id = ? AND token = ?", b.ID, token).
		Select("*").Omit("id", "owner_id", "unit_id", "created_at").Updates(b)
	switch {
	case g.Error != nil:
		return core.E(op, g.Error)
	case g.RowsAffected == 0:
		return core.E(op, core.Conflict, "another request goes on with this import: this one stops")
	}
	return nil
}
