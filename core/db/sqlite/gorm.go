package sqlite

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
)

// dialector lets GORM read and write the fixed system tables. GORM's own SQLite driver links a second SQLite engine
// and does not understand this driver's errors; migrations are ours, so there is no migrator.
type dialector struct{ conn gorm.ConnPool }

var _ gorm.Dialector = dialector{}

func openGorm(conn gorm.ConnPool) (*gorm.DB, error) {
	return gorm.Open(dialector{conn}, &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true})
}

// withConn returns g over another connection, such as a transaction.
func withConn(g *gorm.DB, tx *sql.Tx) *gorm.DB {
	s := g.Session(&gorm.Session{NewDB: true, Context: context.Background()})
	s.Statement.ConnPool = tx
	return s
}

// Name implements gorm.Dialector.
func (dialector) Name() string { return "sqlite" }

// Initialize implements gorm.Dialector.
func (d dialector) Initialize(g *gorm.DB) error {
	g.ConnPool = d.conn
	callbacks.RegisterDefaultCallbacks(g, &callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	return nil
}

// Migrator implements gorm.Dialector.
func (d dialector) Migrator(g *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: g, Dialector: d}}
}

// DataTypeOf implements gorm.Dialector; only a migrator would ask.
func (dialector) DataTypeOf(*schema.Field) string { return "" }

// DefaultValueOf implements gorm.Dialector.
func (dialector) DefaultValueOf(*schema.Field) clause.Expression { return clause.Expr{SQL: "NULL"} }

// BindVarTo implements gorm.Dialector.
func (dialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo implements gorm.Dialector. The names are constants of the program.
func (dialector) QuoteTo(w clause.Writer, name string) {
	_ = w.WriteByte('"')
	for _, c := range []byte(name) {
		if c == '.' {
			_, _ = w.WriteString(`"."`)
			continue
		}
		_ = w.WriteByte(c)
	}
	_ = w.WriteByte('"')
}

// Explain implements gorm.Dialector, for log messages, which are off.
func (dialector) Explain(sql string, vars ...any) string {
	return logger.ExplainSQL(sql, nil, `'`, vars...)
}
