package core

import (
	"fmt"
	"maps"
	"slices"
)

// PutOptions adds an option set, or replaces the one of its name for all columns that share it.
type PutOptions struct{ Put OptionSet }

// Table implements [Change].
func (c PutOptions) Table() string { return "" }

func (c PutOptions) apply(d *draft) error {
	if i := slices.IndexFunc(d.sets, c.Put.named); i >= 0 {
		d.sets[i] = c.Put
	} else {
		d.sets = append(d.sets, c.Put)
	}
	return nil
}

// DropOptions removes an option set that no column names.
type DropOptions struct{ Name string }

// Table implements [Change].
func (c DropOptions) Table() string { return "" }

func (c DropOptions) apply(d *draft) error {
	i := slices.IndexFunc(d.sets, OptionSet{Name: c.Name}.named)
	if i < 0 {
		return E("core.DropOptions", NotFound, fmt.Sprintf("there is no option set %q", c.Name))
	}
	for _, name := range slices.Sorted(maps.Keys(d.tables)) {
		for _, column := range d.tables[name].Columns {
			if column.OptionSet == c.Name {
				return E("core.DropOptions", Invalid, At{Table: name, Column: column.Name}, "the column takes its options from the set: give it others first")
			}
		}
	}
	d.sets = slices.Delete(d.sets, i, i+1)
	return nil
}
