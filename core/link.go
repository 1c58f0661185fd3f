package core

import (
	"fmt"
	"slices"
)

// Link makes a table one whose records each join two others: it stands between many and many. Its own columns say what is
// to be said of the pair.
type Link struct {
	From LinkEnd `json:"from"`
	To   LinkEnd `json:"to"`
}

// LinkEnd is one side of a [Link].
type LinkEnd struct {
	Column string `json:"column"` // the lookup that leads to the record at this end
	Field  string `json:"field"`  // the field of that record which lists the records at the other end
}

func (l *Link) ends() [2]LinkEnd { return [2]LinkEnd{l.From, l.To} }

// Key returns the name of the key of t over the two ends, "" when there is none.
func (l *Link) Key(t *Table) string {
	for _, k := range t.Keys {
		if len(k.Columns) == 2 && slices.Contains(k.Columns, l.From.Column) && slices.Contains(k.Columns, l.To.Column) {
			return k.Name
		}
	}
	return ""
}

// checkLink finds what is wrong with the link of t, apart from its fields, whose names the schema checks.
func (t *Table) checkLink() error {
	const op = "core.Link"
	if t.Link == nil {
		return nil
	}
	for _, end := range t.Link.ends() {
		c, err := t.Need(end.Column)
		if err != nil {
			return E(op, err)
		}
		if c.Kind != Lookup || c.Target == "" || !c.Required || c.OnDelete != Cascade {
			return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "an end of a link is a required lookup of one table, with on_delete cascade")
		}
	}
	pair := []string{t.Link.From.Column, t.Link.To.Column}
	if pair[0] == pair[1] {
		return E(op, Invalid, At{Table: t.Name, Column: pair[0]}, "a link has two ends: name another column for one of them")
	}
	if t.Link.Key(t) == "" {
		return E(op, Invalid, At{Table: t.Name}, fmt.Sprintf("a link joins two records once: give the table a key over %s and %s", pair[0], pair[1]))
	}
	return nil
}

// relateLinks names the fields of the links.
func (s *Schema) relateLinks(taken map[string]bool) error {
	const op = "core.relateLinks"
	for _, t := range s.sorted {
		if t.Link == nil {
			continue
		}
		ends := t.Link.ends()
		for i, near := range ends {
			far := ends[1-i]
			from, _ := t.Column(near.Column)
			to, _ := t.Column(far.Column)
			field := from.Target + "." + near.Field
			if err := CheckName("relation", near.Field); err != nil {
				return E(op, At{Table: t.Name, Column: near.Column}, err)
			}
			if taken[field] {
				return E(op, Exists, At{Table: t.Name, Column: near.Column}, fmt.Sprintf("the relation would be %s, which is taken: choose another name for the field", field))
			}
			taken[field] = true
			s.links[from.Target] = append(s.links[from.Target], Relation{
				Name: near.Field, Many: true, Table: to.Target, Column: far.Column, Through: t.Name, Near: near.Column,
			})
		}
	}
	return nil
}

// Links returns the relations of many to many that the table takes part in.
func (s *Schema) Links(table string) []Relation { return s.links[table] }
