package core

import (
	"fmt"
	"slices"
)

// SearchColumn is a column whose words are found by full-text search.
type SearchColumn struct {
	Column string `json:"column"`
	Weight int    `json:"weight,omitempty"` // how much a word in it counts, 1 to 10; 1 when 0
}

// maxSearch is how many columns of a table are searched.
const maxSearch = 8

// searchable reports whether the column holds words of its own.
func (c *Column) searchable() bool {
	return !c.Virtual() && (c.Kind == Text || c.Kind == LongText || c.Kind == Choice)
}

// checkSearch finds what is wrong with the searched columns of t.
func (t *Table) checkSearch() error {
	const op = "core.Search"
	if len(t.Search) > maxSearch {
		return E(op, Limit, At{Table: t.Name}, fmt.Sprintf("at most %d columns of a table are searched", maxSearch))
	}
	for i, s := range t.Search {
		c, err := t.Need(s.Column)
		if err != nil {
			return E(op, err)
		}
		at := At{Table: t.Name, Column: c.Name}
		switch {
		case slices.ContainsFunc(t.Search[:i], func(o SearchColumn) bool { return o.Column == s.Column }):
			return E(op, Invalid, at, "the search names the column twice")
		case !c.searchable():
			return E(op, Invalid, at, "only texts and choices that are stored can be searched")
		case s.Weight < 0 || s.Weight > 10:
			return E(op, Invalid, at, "a weight is 1 to 10")
		}
	}
	return nil
}

// PutSearch sets the columns of a table that full-text search looks at; none to have no search.
type PutSearch struct {
	On      string
	Columns []SearchColumn
}

// Table implements [Change].
func (c PutSearch) Table() string { return c.On }

func (c PutSearch) apply(d *draft) error {
	t, err := d.table(c.On)
	if err != nil {
		return err
	}
	t.Search = slices.Clone(c.Columns)
	d.tables[c.On] = t
	return nil
}
