package rules

import (
	"colonnade/core"
	"colonnade/core/db"
)

// compileMasks compiles the masks of the columns. A mask knows the value of its column and nothing else, so that what it shows
// of a value is the same for everybody and at any time.
func (t *tableSet) compileMasks() error {
	for i := range t.table.Columns {
		c := &t.table.Columns[i]
		if c.Mask == "" {
			continue
		}
		e, err := CompileMask(t.table, c, c.Mask)
		if err != nil {
			return core.E("rules.NewSet", core.At{Column: c.Name}, err)
		}
		t.masks[c.Name] = e
	}
	return nil
}

// CompileMask checks the source of a mask for the column of t.
func CompileMask(t *core.Table, c *core.Column, source string) (*Expr, error) {
	const op = "rules.CompileMask"
	e, err := Compile(nil, t.Masking(c), source, Options{mask: true})
	if err != nil {
		return nil, core.E(op, core.At{Table: t.Name, Column: c.Name}, err, "the mask of "+c.Name+": "+core.AsError(err).Msg)
	}
	if e.Outside {
		return nil, core.E(op, core.Invalid, core.At{Table: t.Name, Column: c.Name}, "the mask of "+c.Name+" depends on the caller or the time: a mask is made of "+core.MaskValue+" alone")
	}
	if err := e.Fits(c); err != nil {
		return nil, core.E(op, core.At{Table: t.Name, Column: c.Name}, err, "the mask of "+c.Name+": "+core.AsError(err).Msg)
	}
	return e, nil
}

// Mask returns the mask of the column, nil when it has none.
func (s *Set) Mask(table, column string) *Expr {
	if t, ok := s.tables[table]; ok {
		return t.masks[column]
	}
	return nil
}

// Masked returns what the mask e of the column makes of a value.
func (e *Expr) Masked(c *core.Column, value any) (any, error) {
	v, err := e.Eval(core.Record{core.MaskValue: value}, nil, core.Caller{}, nil)
	if err != nil {
		return nil, core.E("rules.Masked", core.At{Column: c.Name}, err)
	}
	return e.As(c, v), nil
}

// MaskSQL writes what the mask e of the column makes of the value that write writes, in the form in which the column is stored.
func (e *Expr) MaskSQL(b *db.Builder, c *core.Column, write func(*db.Builder)) {
	e.SQLAs(b, c, maskedValue(write), core.Caller{})
}

// maskedValue is the row that a mask is over.
type maskedValue func(*db.Builder)

// Column implements Row.
func (v maskedValue) Column(b *db.Builder, _ *core.Column) { v(b) }

// Open implements Row. A mask leads nowhere: it is compiled without the schema.
func (v maskedValue) Open(Step) Row { return v }

// From implements Row.
func (v maskedValue) From(*db.Builder) {}
