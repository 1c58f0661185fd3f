package core

import "slices"

// MaskValue is what an expression of a mask calls the value of the column.
const MaskValue = "value"

// maskable are the kinds that a mask can make another value of.
var maskable = []Kind{Text, LongText, Integer, Decimal, Float, Boolean, Date, Timestamp, DateTime, Duration}

// MaskableKinds returns the kinds of columns that can have a mask. The slice is shared: do not change it.
func MaskableKinds() []Kind { return maskable }

// Maskable reports whether the column can have a mask.
func (c *Column) Maskable() bool { return slices.Contains(maskable, c.Kind) && c.Of == "" }

// Masking returns a table whose one column is the value that a mask of the column of t is over.
func (t *Table) Masking(c *Column) *Table {
	value := *c.Loose()
	value.Name, value.Formula, value.Stored, value.Rights, value.Default, value.Physical, value.Classes = MaskValue, "", false, "", "", "", nil
	return &Table{Name: t.Name, Columns: []Column{value}}
}

// SecuredBy returns the column whose profiles give the column of t: itself, or the one that it is a part of. It is nil for a
// column that is not secured.
func (t *Table) SecuredBy(c *Column) *Column {
	if c.Of != "" {
		if of, ok := t.Column(c.Of); ok {
			return t.SecuredBy(of)
		}
	}
	if c.Secured {
		return c
	}
	return nil
}
