package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// modelRow is one version of a model.
type modelRow struct {
	ID        core.ID `gorm:"primaryKey"`
	Name      string
	Number    int64
	Kind      string
	Version   string
	TableName string `gorm:"column:table_name"`
	Settings  string
	Report    string
	Data      []byte
	CreatedAt db.Time
	CreatedBy core.ID
}

const modelTable = "_model"

// Tables returns the tables of the plugin as readers see them.
func Tables() []core.Table {
	return []core.Table{{
		Name: modelTable, Label: "Model", Doc: "Trained models, each version with its score.", Ownership: core.OrgOwned, Builtin: true,
		Columns: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, System: true},
			{Name: "name", Kind: core.Text, Required: true}, {Name: "number", Kind: core.Integer, Required: true, Doc: "1 for the first version of the name."},
			{Name: "kind", Kind: core.Text, Required: true}, {Name: "version", Kind: core.Text, Required: true, Doc: "A hash of the examples and settings."},
			{Name: "table_name", Kind: core.Text, Required: true}, {Name: "settings", Kind: core.JSON, Required: true}, {Name: "report", Kind: core.JSON, Required: true},
			{Name: "created_at", Kind: core.Timestamp, Required: true}, {Name: "created_by", Kind: core.UUID, Required: true},
		},
	}}
}

// models keeps the models in the database, and those in use in memory.
type models struct {
	store *tables.Store
	mu    sync.Mutex
	open  map[core.ID]*Model // newest versions that were used
}

func newModels(store *tables.Store) *models {
	s := &models{store: store, open: map[core.ID]*Model{}}
	store.Follow(s.follow)
	return s
}

// follow has the models follow the tables that they were trained on: who may read a table may use its models.
func (s *models) follow(ctx context.Context, tx *tables.Tx, f tables.Following) ([]tables.Dependant, func(context.Context) error, error) {
	var found []tables.Dependant
	moved := map[core.ID]string{}
	var rows []modelRow
	if err := tx.DB().Gorm(ctx).Table(modelTable).Select("id", "name", "table_name").Find(&rows).Error; err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		to := f.Moves.Tables[r.TableName]
		if to == "" {
			continue // the table stays what it is, or is gone for good
		}
		effect := "follows"
		if core.IsDroppedName(to) {
			effect = "waits until the table comes back"
		}
		moved[r.ID] = to
		found = append(found, tables.Dependant{Kind: "model", Name: r.Name, Table: r.TableName, Effect: effect})
	}
	if len(moved) == 0 {
		return nil, nil, nil
	}
	return found, func(ctx context.Context) error {
		for id, to := range moved {
			if err := tx.DB().Gorm(ctx).Table(modelTable).Where("id = ?", id).Update("table_name", to).Error; err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// save keeps the model as the next version of its name. When the newest one was made from the same examples and settings,
// that one is returned and nothing is written.
func (s *models) save(ctx context.Context, name, table string, settings map[string]any, m *Model) (row modelRow, err error) {
	if err := core.CheckName("model", name); err != nil {
		return row, err
	}
	data, err := m.MarshalBinary()
	if err != nil {
		return row, err
	}
	report, err := json.Marshal(m.Report())
	if err != nil {
		return row, err
	}
	about, err := json.Marshal(settings)
	if err != nil {
		return row, err
	}
	err = s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		g := tx.DB().Gorm(ctx).Table(modelTable)
		last, err := newestRow(tx.DB().Gorm(ctx), name, "id", "number", "version")
		if err != nil {
			return err
		}
		if last.Version == m.Version() {
			row = last
			return nil
		}
		row = modelRow{
			ID: core.NewID(), Name: name, Number: last.Number + 1, Kind: "text", Version: m.Version(), TableName: table,
			Settings: string(about), Report: string(report), Data: data, CreatedAt: db.Time{Time: tx.Now()}, CreatedBy: core.CallerFrom(ctx).User,
		}
		return g.Create(&row).Error
	})
	return row, err
}

// newestRow returns the newest version of a model, the zero row when there is none.
func newestRow(g *gorm.DB, name string, columns ...string) (row modelRow, err error) {
	err = g.Table(modelTable).Select(columns).Where("name = ?", name).Order("number DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, nil
	}
	return row, err
}

// newest returns the newest version of a model, ready for use.
func (s *models) newest(ctx context.Context, name string) (*Model, error) {
	row, err := newestRow(s.store.Gorm(ctx), name, "id", "number", "table_name")
	if err != nil {
		return nil, err
	}
	if row.ID == "" {
		return nil, core.E("classify.newest", core.NotFound, fmt.Sprintf("there is no model %q: train it with train_classifier", name))
	}
	// A model tells about the texts that it was trained on.
	if _, err := s.store.Snapshot().Policy.Decide(core.CallerFrom(ctx), row.TableName, "read"); err != nil {
		return nil, core.E("classify.newest", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.open[row.ID]; ok {
		return m, nil
	}
	full, err := newestRow(s.store.Gorm(ctx), name, "id", "data")
	if err != nil {
		return nil, err
	}
	m := &Model{}
	if err := m.UnmarshalBinary(full.Data); err != nil {
		return nil, core.E("classify.newest", fmt.Errorf("model %s: %w", name, err))
	}
	if len(s.open) >= 16 {
		clear(s.open)
	}
	s.open[full.ID] = m
	return m, nil
}
