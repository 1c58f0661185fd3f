package transfer

import (
	"log/slog"

	"colonnade/core"
	"colonnade/files"
	"colonnade/tables"
)

// Options of a [Service]; the zero value works.
type Options struct {
	Log     *slog.Logger // slog.Default when nil
	Version string       // of the program, which a backup names

	// Contents are the contents of files, which go with the database; nil when there are none.
	Contents files.Store
}

// Service imports and exports for callers.
type Service struct {
	store *tables.Store
	o     Options
}

// New returns the service of the store.
func New(store *tables.Store, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{store: store, o: o}
}

// Actions returns the actions of this package.
func (s *Service) Actions() []core.Action {
	return []core.Action{s.importCSV(), s.undoImport()}
}
