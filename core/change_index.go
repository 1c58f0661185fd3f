package core

import (
	"fmt"
	"slices"
)

// AddKey adds an alternate key to a table.
type AddKey struct {
	To  string
	Add Key
}

// Table implements [Change].
func (c AddKey) Table() string { return c.To }

func (c AddKey) apply(d *draft) error {
	t, err := d.table(c.To)
	if err != nil {
		return err
	}
	t.Keys = append(slices.Clone(t.Keys), c.Add)
	d.tables[c.To] = t
	return nil
}

// AddIndex adds an index to a table.
type AddIndex struct {
	To  string
	Add Index
}

// Table implements [Change].
func (c AddIndex) Table() string { return c.To }

func (c AddIndex) apply(d *draft) error {
	t, err := d.table(c.To)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(t.Indexes, func(x Index) bool { return x.Name == c.Add.Name }) {
		return E("core.AddIndex", Exists, At{Table: c.To}, "the table has an index named "+c.Add.Name+" already")
	}
	t.Indexes = append(slices.Clone(t.Indexes), c.Add)
	d.tables[c.To] = t
	return nil
}

// Part names a kind of thing that a table has several of.
type Part string

// The parts with a name of their own.
const (
	PartKey   Part = "key"
	PartIndex Part = "index"
	PartRule  Part = "rule"

	PartDuplicate Part = "duplicate rule"
)

// RenamePart gives a key, an index or a rule another name.
type RenamePart struct {
	Part         Part
	Of, Name, To string
}

// Table implements [Change].
func (c RenamePart) Table() string { return c.Of }

func (c RenamePart) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	i, names := t.part(c.Part, c.Name)
	if i < 0 {
		return noPart("core.RenamePart", c.Of, c.Part, c.Name)
	}
	if slices.Contains(names, c.To) {
		return E("core.RenamePart", Exists, At{Table: c.Of}, fmt.Sprintf("the table has a %s named %s already", c.Part, c.To))
	}
	t.Keys, t.Indexes, t.Rules = slices.Clone(t.Keys), slices.Clone(t.Indexes), slices.Clone(t.Rules)
	switch c.Part {
	case PartKey:
		t.Keys[i].Name = c.To
	case PartIndex:
		t.Indexes[i].Name = c.To
	case PartRule:
		t.Rules[i].Name = c.To
	case PartDuplicate:
		t.Duplicates = slices.Clone(t.Duplicates)
		t.Duplicates[i].Name = c.To
	}
	d.tables[c.Of] = t
	return nil
}

// part returns the place of a part, -1 when there is none, and the names of all of its kind.
func (t *Table) part(p Part, name string) (int, []string) {
	var names []string
	switch p {
	case PartKey:
		for _, k := range t.Keys {
			names = append(names, k.Name)
		}
	case PartIndex:
		for _, x := range t.Indexes {
			names = append(names, x.Name)
		}
	case PartRule:
		for _, r := range t.Rules {
			names = append(names, r.Name)
		}
	case PartDuplicate:
		for _, r := range t.Duplicates {
			names = append(names, r.Name)
		}
	}
	return slices.Index(names, name), names
}

func noPart(op, table string, p Part, name string) error {
	at := At{Table: table}
	if p == PartRule || p == PartDuplicate {
		at.Rule = name
	}
	return E(op, NotFound, at, fmt.Sprintf("the table has no %s %q", p, name))
}

// DropPart takes a key, an index or a rule of either kind from a table; [UndoPart] brings a key or an index back.
type DropPart struct {
	Part     Part
	Of, Name string
}

// Table implements [Change].
func (c DropPart) Table() string { return c.Of }

func (c DropPart) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	i, _ := t.part(c.Part, c.Name)
	if i < 0 {
		return noPart("core.DropPart", c.Of, c.Part, c.Name)
	}
	switch c.Part {
	case PartKey:
		k := t.Keys[i]
		t.Keys = slices.Delete(slices.Clone(t.Keys), i, i+1)
		t.Dropped = append(slices.Clone(t.Dropped), Dropped{At: d.Now, Key: &k})
	case PartIndex:
		x := t.Indexes[i]
		t.Indexes = slices.Delete(slices.Clone(t.Indexes), i, i+1)
		t.Dropped = append(slices.Clone(t.Dropped), Dropped{At: d.Now, Index: &x})
	case PartRule:
		t.Rules = slices.Delete(slices.Clone(t.Rules), i, i+1)
	case PartDuplicate:
		t.Duplicates = slices.Delete(slices.Clone(t.Duplicates), i, i+1)
	}
	d.tables[c.Of] = t
	return nil
}

// UndoPart brings a key or an index back that was dropped.
type UndoPart struct {
	Part     Part
	Of, Name string
}

// Table implements [Change].
func (c UndoPart) Table() string { return c.Of }

func (c UndoPart) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	i := t.lastDropped(func(x Dropped) bool {
		return c.Part == PartKey && x.Key != nil && x.Key.Name == c.Name || c.Part == PartIndex && x.Index != nil && x.Index.Name == c.Name
	})
	if i < 0 {
		return E("core.UndoPart", NotFound, At{Table: c.Of}, fmt.Sprintf("no %s named %s was dropped", c.Part, c.Name))
	}
	x := t.Dropped[i]
	t.Dropped = slices.Delete(slices.Clone(t.Dropped), i, i+1)
	if x.Key != nil {
		t.Keys = append(slices.Clone(t.Keys), *x.Key)
	} else {
		t.Indexes = append(slices.Clone(t.Indexes), *x.Index)
	}
	d.tables[c.Of] = t
	return nil
}

// PutRule adds a business rule, or replaces the one of its name.
type PutRule struct {
	On  string
	Put Rule
}

// Table implements [Change].
func (c PutRule) Table() string { return c.On }

func (c PutRule) apply(d *draft) error {
	t, err := d.table(c.On)
	if err != nil {
		return err
	}
	t.Rules = slices.Clone(t.Rules)
	if i := slices.IndexFunc(t.Rules, func(r Rule) bool { return r.Name == c.Put.Name }); i >= 0 {
		t.Rules[i] = c.Put
	} else {
		t.Rules = append(t.Rules, c.Put)
	}
	d.tables[c.On] = t
	return nil
}
