// Package rules is being written; the signatures stand.
package rules

import (
	"errors"

	"colonnade/core"
	"colonnade/core/db"
)

// Options of [Compile]; the zero value works.
type Options struct {
	Old    bool // old.<column> is the record before the change
	Memory bool // functions without a SQL form are allowed; SQL then fails
}

// Expr is a checked expression over the columns of one table.
type Expr struct {
	Source     string
	Type       string
	Columns    []string
	OldColumns []string
}

var errStub = errors.New("rules: not written yet")

// Compile checks source.
func Compile(t *core.Table, source string, o Options) (*Expr, error) { return nil, errStub }

// Eval runs e over a record.
func (e *Expr) Eval(r, old core.Record, c core.Caller) (any, error) { return nil, errStub }

// True reports whether e holds.
func (e *Expr) True(r, old core.Record, c core.Caller) (bool, error) { return false, errStub }

// SQL writes e.
func (e *Expr) SQL(b *db.Builder, ref func(c *core.Column), c core.Caller) { b.Fail(errStub) }

// SQLAs writes e in the form in which the column k is stored: the SQL of a calculated column.
func (e *Expr) SQLAs(b *db.Builder, k *core.Column, ref func(c *core.Column), c core.Caller) {
	b.Fail(errStub)
}

// As brings v, a result of [Expr.Eval], into the Go form of the column k.
func (e *Expr) As(k *core.Column, v any) any { return v }

// Free is an expression over dynamic values.
type Free struct{ Source string }

// CompileFree checks source.
func CompileFree(names []string, source string) (*Free, error) { return nil, errStub }

// Eval runs f.
func (f *Free) Eval(vars map[string]any, c core.Caller) (any, error) { return nil, errStub }

// Set holds the compiled rules and formulas of one schema.
type Set struct{}

// NewSet compiles.
func NewSet(s *core.Schema) (*Set, error) { return nil, errStub }

// Formula returns the formula of a calculated column.
func (s *Set) Formula(table, column string) (*Expr, bool) { return nil, false }

// Reads returns the stored columns that a formula reads.
func (s *Set) Reads(table, column string) []string { return nil }

// HasRules reports whether the table has business rules.
func (s *Set) HasRules(table string) bool { return false }

// Defaults fills absent columns.
func (s *Set) Defaults(table string, r core.Record, c core.Caller) error { return errStub }

// Calculate fills calculated columns.
func (s *Set) Calculate(table string, r core.Record, c core.Caller) error { return errStub }

// Apply runs the business rules.
func (s *Set) Apply(table string, op core.Op, r, old core.Record, c core.Caller) error {
	return errStub
}
