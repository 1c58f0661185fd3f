package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CreateTable adds a table.
type CreateTable struct{ Define Table }

// Table implements [Change].
func (c CreateTable) Table() string { return c.Define.Name }

func (c CreateTable) apply(d *draft) error {
	if _, ok := d.tables[c.Define.Name]; ok {
		return E("core.CreateTable", Exists, At{Table: c.Define.Name}, "there is a table of this name already; add to it with add_column")
	}
	t := c.Define
	t.Columns = slices.Clone(t.Columns)
	t.Physical, t.Dropped, t.DroppedAt, t.Purged, t.Spent, t.HadOwners = physical(t.Name, d.taken), nil, nil, false, nil, false
	t.Columns = d.withParts(&t, t.Columns)
	for i := range t.Columns {
		t.Columns[i].Physical, t.Columns[i].StoredSince = "", nil // the names of a new table are free
	}
	d.tables[t.Name] = t
	return nil
}

// AlterTable changes settings of a table, by their JSON names: label, doc and the like.
type AlterTable struct {
	Of  string
	Set map[string]any
}

// Table implements [Change].
func (c AlterTable) Table() string { return c.Of }

func (c AlterTable) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	to, err := overlay(t, c.Set, "name", "physical", "ownership", "columns", "keys", "indexes", "rules", "search", "duplicates", "dropped", "dropped_at", "purged", "spent", "had_owners")
	if err != nil {
		return E("core.AlterTable", At{Table: c.Of}, err)
	}
	to.Columns = t.Columns // JSON does not hold everything of them
	d.tables[c.Of] = to
	return nil
}

// RenameTables gives tables other names, all at once, so that two can swap theirs. Lookups and relations that carry the
// name of the table follow.
type RenameTables struct{ To map[string]string }

// Table implements [Change].
func (c RenameTables) Table() string { return slices.Min(slices.Collect(maps.Keys(c.To))) }

func (c RenameTables) apply(d *draft) error {
	const op = "core.RenameTables"
	next := maps.Clone(d.tables)
	for _, from := range slices.Sorted(maps.Keys(c.To)) {
		if _, err := d.table(from); err != nil {
			return E(op, err)
		}
		delete(next, from)
	}
	for _, from := range slices.Sorted(maps.Keys(c.To)) {
		to, t := c.To[from], d.tables[from]
		if err := checkTableName(to); err != nil {
			return E(op, At{Table: from}, err)
		}
		if _, ok := next[to]; ok {
			return E(op, Exists, At{Table: from}, fmt.Sprintf("there is a table named %s already", to))
		}
		t.Name, t.Physical = to, t.SQL()
		next[to] = t
	}
	for name, t := range next {
		t.Columns = slices.Clone(t.Columns)
		for i := range t.Columns {
			col := &t.Columns[i]
			err := col.eachTarget(func(name string) (string, error) {
				if to, ok := c.To[name]; ok {
					return to, nil
				}
				return name, nil
			})
			if err != nil {
				return E(op, err)
			}
			if was, ok := oldName(c.To, t.Name); ok && (col.Kind == Lookup || col.Kind == AnyLookup) {
				if rest, ok := strings.CutPrefix(col.Inverse, was); ok && (rest == "" || rest == "_by_"+col.Name) {
					col.Inverse = t.Name + rest
				}
			}
		}
		t.index = nil
		next[name] = t
	}
	d.tables = next
	return nil
}

func oldName(renamed map[string]string, to string) (string, bool) {
	for from, name := range renamed {
		if name == to {
			return from, true
		}
	}
	return "", false
}

// DropTable takes a table out of the schema. Its records stay until it is purged; [UndoTable] brings it back.
type DropTable struct{ Name string }

// Table implements [Change].
func (c DropTable) Table() string { return c.Name }

func (c DropTable) apply(d *draft) error {
	t, err := d.table(c.Name)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(d.tables)) {
		other := d.tables[name]
		i := slices.IndexFunc(other.Columns, func(col Column) bool { return col.leadsTo(c.Name) })
		if i >= 0 && name != c.Name {
			return E("core.DropTable", Invalid, At{Table: c.Name}, fmt.Sprintf("%s.%s looks its records up: drop that column first, in the same plan", name, other.Columns[i].Name))
		}
	}
	t.Columns = slices.Clone(t.Columns)
	for i := range t.Columns {
		d.dropTargets(&t.Columns[i])
	}
	now := d.Now
	t.DroppedAt = &now
	t.Physical = t.SQL()
	delete(d.tables, c.Name)
	d.dropped = append(d.dropped, t)
	return nil
}

// physicalTarget returns what a dropped lookup keeps of the table that it leads to, whose name may change.
func (d *draft) physicalTarget(name string) string {
	if t, ok := d.tables[name]; ok {
		return t.SQL()
	}
	return name
}

// dropTargets is physicalTarget for all that a column looks up.
func (d *draft) dropTargets(c *Column) {
	_ = c.eachTarget(func(name string) (string, error) { return d.physicalTarget(name), nil })
}

// liveTarget is the reverse of physicalTarget.
func (d *draft) liveTarget(at At, physical string) (string, error) {
	if t, ok := d.stored(physical); ok {
		return t.Name, nil
	}
	return "", E("core.Undo", Invalid, at, fmt.Sprintf("it looks up records of %s, which is dropped: bring that back first", physical))
}

// UndoTable brings the table of that name back that was dropped last.
type UndoTable struct {
	Name string
	As   string // its name from now on; the one that it had when empty
}

// Table implements [Change].
func (c UndoTable) Table() string { return c.Name }

func (c UndoTable) apply(d *draft) error {
	const op = "core.UndoTable"
	i := d.lastDropped(c.Name)
	if i < 0 {
		return E(op, NotFound, At{Table: c.Name}, "no table of this name was dropped, or it is purged already")
	}
	t := d.dropped[i]
	if c.As != "" {
		t.Name = c.As
	}
	if _, ok := d.tables[t.Name]; ok {
		return E(op, Exists, At{Table: t.Name}, "there is another table of this name now: bring it back under another one with as")
	}
	t.DroppedAt, t.index = nil, nil
	d.dropped = slices.Delete(slices.Clone(d.dropped), i, i+1)
	d.tables[t.Name] = t
	t.Columns = slices.Clone(t.Columns)
	for i := range t.Columns {
		col := &t.Columns[i]
		at := At{Table: t.Name, Column: col.Name}
		if err := col.eachTarget(func(name string) (string, error) { return d.liveTarget(at, name) }); err != nil {
			return E(op, err)
		}
	}
	d.tables[t.Name] = t
	return nil
}

func (d *draft) lastDropped(name string) int {
	last := -1
	for i, t := range d.dropped {
		if t.Name == name && !t.Purged && (last < 0 || !t.DroppedAt.Before(*d.dropped[last].DroppedAt)) {
			last = i
		}
	}
	return last
}

// PurgeTable deletes what is left of a dropped table for good. Of it remains that its physical name was used.
type PurgeTable struct{ Physical string }

// Table implements [Change].
func (c PurgeTable) Table() string { return c.Physical }

func (c PurgeTable) apply(d *draft) error {
	const op = "core.PurgeTable"
	i := slices.IndexFunc(d.dropped, func(t Table) bool { return t.SQL() == c.Physical && !t.Purged })
	if i < 0 {
		return E(op, NotFound, At{Table: c.Physical}, "there is no such dropped table")
	}
	for _, t := range d.dropped {
		if !t.Purged && t.SQL() != c.Physical && slices.ContainsFunc(t.Columns, func(col Column) bool { return col.leadsTo(c.Physical) }) {
			return E(op, Invalid, At{Table: c.Physical}, fmt.Sprintf("the dropped table %s looks its records up: purge that one first", t.SQL()))
		}
	}
	d.dropped = slices.Clone(d.dropped)
	t := d.dropped[i]
	d.dropped[i] = Table{Name: t.Name, Physical: t.SQL(), Ownership: t.Ownership, DroppedAt: t.DroppedAt, Purged: true}
	leads := func(x Dropped) bool { return x.Column != nil && x.Column.leadsTo(c.Physical) }
	for name, t := range d.tables { // a reference to a table that is gone cannot be
		if slices.ContainsFunc(t.Dropped, leads) {
			t.spend(leads)
			d.tables[name] = t
		}
	}
	for i, t := range d.dropped {
		if slices.ContainsFunc(t.Dropped, leads) {
			t.spend(leads)
			d.dropped[i] = t
		}
	}
	return nil
}

// SetOwnership changes whether the records of a table belong to users. Records that come to belong to somebody belong to
// Owner, or when that is empty to the user who created them.
type SetOwnership struct {
	Of    string
	To    Ownership
	Owner ID
}

// Table implements [Change].
func (c SetOwnership) Table() string { return c.Of }

func (c SetOwnership) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	if c.To != UserOwned && c.To != OrgOwned {
		return E("core.SetOwnership", Invalid, At{Table: c.Of}, fmt.Sprintf("ownership is %q: choose user or organization", c.To))
	}
	own := Definition(&t)
	own.HadOwners = t.HadOwners || t.Owned()
	own.Ownership = c.To
	d.tables[c.Of] = own
	return nil
}

// Definition returns t as an app builder defined it, without the system columns.
func Definition(t *Table) Table {
	out := *t
	out.index = nil
	out.Columns = nil
	for _, c := range t.Columns {
		if c.Part == "" && (!c.System || t.Builtin) {
			out.Columns = append(out.Columns, c)
		}
	}
	return out
}
