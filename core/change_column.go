package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Dropped is a column, a key or an index that was dropped and can be brought back.
type Dropped struct {
	At     time.Time `json:"at"`
	Column *Column   `json:"column,omitempty"` // its target is a physical name
	Key    *Key      `json:"key,omitempty"`
	Index  *Index    `json:"index,omitempty"`
	By     string    `json:"by,omitempty"` // the physical name of the column of another kind that took its place
}

// AddColumn adds a column to a table. A required column needs a default, which existing records get.
type AddColumn struct {
	To  string
	Add Column
}

// Table implements [Change].
func (c AddColumn) Table() string { return c.To }

func (c AddColumn) apply(d *draft) error {
	t, err := d.table(c.To)
	if err != nil {
		return err
	}
	if _, ok := t.Column(c.Add.Name); ok {
		return E("core.AddColumn", Exists, At{Table: c.To, Column: c.Add.Name}, "the table has a column of this name already")
	}
	t.Columns = slices.Clone(t.Columns)
	for _, add := range d.withParts(&t, []Column{c.Add}) {
		add.Physical, add.StoredSince = physical(add.Name, t.taken), nil
		t.Columns = append(t.Columns, add)
	}
	d.tables[c.To] = t
	return nil
}

// taken reports whether a column of t has or had the physical name.
func (t *Table) taken(name string) bool {
	return isSystem(name) || slices.Contains(t.Spent, name) ||
		slices.ContainsFunc(t.Columns, func(c Column) bool { return c.SQL() == name }) ||
		slices.ContainsFunc(t.Dropped, func(x Dropped) bool { return x.Column != nil && x.Column.SQL() == name })
}

// RenameColumns gives columns of a table other names, all at once, so that two can swap theirs. Rules, formulas,
// defaults, keys and indexes follow, and so does a relation that carries the name of the column.
type RenameColumns struct {
	Of string
	To map[string]string
}

// Table implements [Change].
func (c RenameColumns) Table() string { return c.Of }

func (c RenameColumns) apply(d *draft) error {
	const op = "core.RenameColumns"
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	c.To = t.renameMoney(c.To)
	for _, from := range slices.Sorted(maps.Keys(c.To)) {
		if _, _, err := d.own(c.Of, from); err != nil {
			return E(op, err)
		}
		at := At{Table: c.Of, Column: from}
		if err := checkColumnName(c.To[from]); err != nil {
			return E(op, at, err)
		}
		if _, ok := t.Column(c.To[from]); ok && c.To[c.To[from]] == "" {
			return E(op, Exists, at, fmt.Sprintf("the table has a column named %s already", c.To[from]))
		}
	}
	t.Columns = slices.Clone(t.Columns)
	for i := range t.Columns {
		col := &t.Columns[i]
		to, ok := c.To[col.Name]
		if !ok {
			continue
		}
		if (col.Kind == Lookup || col.Kind == AnyLookup) && col.Relation == relationName(col.Name) {
			col.Relation = relationName(to)
		}
		if rest, ok := strings.CutSuffix(col.Inverse, "_by_"+col.Name); ok && rest != "" {
			col.Inverse = rest + "_by_" + to
		}
		col.Physical, col.Name = col.SQL(), to
	}
	if err := t.renameMentions(c.To, d.Rename); err != nil {
		return E(op, At{Table: c.Of}, err)
	}
	d.tables[c.Of] = t
	return nil
}

// relationName is the relation of a lookup that names none.
func relationName(column string) string {
	if rel, ok := strings.CutSuffix(column, "_id"); ok {
		return rel
	}
	return column + "_record"
}

// renameMentions renames columns where the definition of t names them.
func (t *Table) renameMentions(to map[string]string, rename func(string, map[string]string) (string, error)) error {
	named := func(name *string) {
		if n, ok := to[*name]; ok {
			*name = n
		}
	}
	for i := range t.Columns {
		named(&t.Columns[i].Of)
	}
	t.Keys, t.Indexes, t.Rules = slices.Clone(t.Keys), slices.Clone(t.Indexes), slices.Clone(t.Rules)
	for i := range t.Keys {
		t.Keys[i].Columns = slices.Clone(t.Keys[i].Columns)
		for j := range t.Keys[i].Columns {
			named(&t.Keys[i].Columns[j])
		}
	}
	for i := range t.Indexes {
		t.Indexes[i].Columns = slices.Clone(t.Indexes[i].Columns)
		for j := range t.Indexes[i].Columns {
			named(&t.Indexes[i].Columns[j].Column)
		}
	}
	for i := range t.Rules {
		t.Rules[i] = t.Rules[i].renamed(to)
	}
	t.renameDuplicates(named)
	t.Search = slices.Clone(t.Search)
	for i := range t.Search {
		named(&t.Search[i].Column)
	}
	if t.Link != nil {
		link := *t.Link
		named(&link.From.Column)
		named(&link.To.Column)
		t.Link = &link
	}
	t.Dropped = slices.Clone(t.Dropped)
	for i := range t.Dropped {
		switch x := &t.Dropped[i]; {
		case x.Key != nil:
			k := *x.Key
			k.Columns = slices.Clone(k.Columns)
			for j := range k.Columns {
				named(&k.Columns[j])
			}
			x.Key = &k
		case x.Index != nil:
			ix := *x.Index
			ix.Columns = slices.Clone(ix.Columns)
			for j := range ix.Columns {
				named(&ix.Columns[j].Column)
			}
			x.Index = &ix
		}
	}
	for what, source := range t.Expressions {
		if rename == nil {
			return E("core.RenameColumns", Invalid, what+" cannot follow the rename here")
		}
		next, err := rename(*source, to)
		if err != nil {
			return E("core.RenameColumns", err)
		}
		*source = next
	}
	return nil
}

// Expressions yields every expression over a row that the definition of t holds, with what it is for people: "the
// formula of gross".
func (t *Table) Expressions(yield func(what string, source *string) bool) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Part != "" {
			continue // it is made anew
		}
		if c.Formula != "" && !yield("the formula of "+c.Name, &c.Formula) || c.Default != "" && !yield("the default of "+c.Name, &c.Default) {
			return
		}
	}
	for i := range t.Duplicates {
		if r := &t.Duplicates[i]; r.When != "" && !yield("the duplicate rule "+r.Name, &r.When) {
			return
		}
	}
	for i := range t.Rules {
		r := &t.Rules[i]
		for source := range r.Expressions {
			if !yield("the rule "+r.Name, source) {
				return
			}
		}
	}
}

// AlterColumn changes settings of a column, by their JSON names: required, unique, max_length, options, default,
// formula, label, on_delete and the like.
type AlterColumn struct {
	Of, Column string
	Set        map[string]any
	Backfill   string // what records without a value get when the column becomes required, as in a text file
}

// Table implements [Change].
func (c AlterColumn) Table() string { return c.Of }

func (c AlterColumn) apply(d *draft) error {
	const op = "core.AlterColumn"
	t, i, err := d.own(c.Of, c.Column)
	if err != nil {
		return err
	}
	at := At{Table: c.Of, Column: c.Column}
	was := t.Columns[i]
	next, err := overlay(was, c.Set, "name", "kind", "physical", "stored_since", "target", "of", "precision", "scale")
	if err != nil {
		return E(op, at, err)
	}
	if was.Calculated() != next.Calculated() {
		return E(op, Invalid, at, "a calculated column has no values of its own: drop the column and add it anew")
	}
	if c.Backfill != "" && was.Kind == Currency {
		return E(op, Invalid, at, "an amount of money is not filled in, since its currency is in another column: write both before")
	}
	if was.Of != "" && c.Set["options"] != nil {
		return E(op, Invalid, at, "the options are the targets of "+was.Of+": add a target there")
	}
	if err := d.retarget(&t, &was, &next); err != nil {
		return E(op, err)
	}
	if next.Stored && !was.Stored {
		next.StoredSince = &d.Now
	}
	t.Columns[i] = next
	d.tables[c.Of] = t
	return nil
}

// RetypeColumn gives a column another kind, another target, or another precision and scale. Values are converted; see
// [Convert]. The column as it was becomes a dropped one, so that the change can be undone. A secured column stays one, and one
// of a data class too.
type RetypeColumn struct {
	Of     string
	To     Column // under the name that the column has
	Keep   bool   // label, doc, required and unique stay what they are
	OnLoss string // what to do with values that cannot be converted: refuse (also when empty) or null
}

// Table implements [Change].
func (c RetypeColumn) Table() string { return c.Of }

func (c RetypeColumn) apply(d *draft) error {
	const op = "core.RetypeColumn"
	t, i, err := d.own(c.Of, c.To.Name)
	if err != nil {
		return err
	}
	at := At{Table: c.Of, Column: c.To.Name}
	was := t.Columns[i]
	if was.Calculated() || c.To.Calculated() {
		return E(op, Invalid, at, "a calculated column has no values to convert: drop the column and add it anew")
	}
	if c.OnLoss != "" && c.OnLoss != "refuse" && c.OnLoss != "null" {
		return E(op, Invalid, at, "on_loss is refuse or null")
	}
	if was.Kind == Currency || c.To.Kind == Currency || was.Of != "" && was.Kind != Choice {
		return E(op, Invalid, at, "an amount of money has its currency in another column and is not converted: add a new column, and copy the amounts with their currencies")
	}
	if was.Of != "" || was.Kind == AnyLookup || c.To.Kind == AnyLookup {
		return E(op, Invalid, at, "a lookup of several tables is two columns and is not converted: add a new one")
	}
	if !Convertible(&was, &c.To) && (was.Kind.Info().File || c.To.Kind.Info().File) {
		return E(op, Invalid, at, fmt.Sprintf("a %s cannot become a %s: add a column, and write into it the files that it shall have", was.Kind, c.To.Kind))
	}
	if !Convertible(&was, &c.To) {
		return E(op, Invalid, at, fmt.Sprintf("a %s cannot become a %s: make it a text first", was.Kind, c.To.Kind))
	}
	to := c.To
	if c.Keep {
		to.Label, to.Doc, to.Required, to.Unique = was.Label, was.Doc, was.Required, was.Unique
	}
	to.Secured, to.Classes = to.Secured || was.Secured, union(to.Classes, was.Classes)
	if to.Mask == "" {
		to.Mask = was.Mask
	}
	to.Physical = physical(to.Name, t.taken)
	t.Columns[i] = to
	was.Target = d.physicalTarget(was.Target)
	was.Physical = was.SQL()
	t.Dropped = append(slices.Clone(t.Dropped), Dropped{At: d.Now, Column: &was, By: to.Physical})
	d.tables[c.Of] = t
	return nil
}

// DropColumn takes a column out of the table. Its values stay until it is purged; [UndoColumn] brings it back.
type DropColumn struct{ Of, Name string }

// Table implements [Change].
func (c DropColumn) Table() string { return c.Of }

func (c DropColumn) apply(d *draft) error {
	t, i, err := d.own(c.Of, c.Name)
	if err != nil {
		return err
	}
	at := At{Table: c.Of, Column: c.Name}
	for _, k := range t.Keys {
		if slices.Contains(k.Columns, c.Name) {
			return E("core.DropColumn", Invalid, at, fmt.Sprintf("the key %s names the column: drop it first, in the same plan", k.Name))
		}
	}
	for _, x := range t.Indexes {
		if slices.ContainsFunc(x.Columns, func(ic IndexColumn) bool { return ic.Column == c.Name }) {
			return E("core.DropColumn", Invalid, at, fmt.Sprintf("the index %s names the column: drop it first, in the same plan", x.Name))
		}
	}
	if slices.ContainsFunc(t.Search, func(s SearchColumn) bool { return s.Column == c.Name }) {
		return E("core.DropColumn", Invalid, at, "full-text search looks at the column: take it out first, in the same plan")
	}
	if k := slices.IndexFunc(t.Duplicates, func(r DuplicateRule) bool {
		return slices.ContainsFunc(r.Columns, func(dc DuplicateColumn) bool { return dc.Column == c.Name })
	}); k >= 0 {
		return E("core.DropColumn", Invalid, at, fmt.Sprintf("the duplicate rule %q names the column: drop it first, in the same plan", t.Duplicates[k].Name))
	}
	if of := t.Columns[i].Of; of != "" {
		return E("core.DropColumn", Invalid, at, "the column is a part of "+of+": drop that one, which takes this one along")
	}
	t.Dropped = slices.Clone(t.Dropped)
	t.Columns = slices.DeleteFunc(t.Columns, func(was Column) bool {
		if was.Name != c.Name && was.Of != c.Name {
			return false
		}
		d.dropTargets(&was)
		was.Physical = was.SQL()
		t.Dropped = append(t.Dropped, Dropped{At: d.Now, Column: &was})
		return true
	})
	d.tables[c.Of] = t
	return nil
}

// UndoColumn brings a column back that was dropped, or that another kind took the place of: that one is dropped then.
// Of several that had the name, it is the one that was dropped last.
type UndoColumn struct {
	Of, Name string
	As       string // its name from now on; the one that it had when empty
}

// Table implements [Change].
func (c UndoColumn) Table() string { return c.Of }

func (c UndoColumn) apply(d *draft) error {
	const op = "core.UndoColumn"
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	at := At{Table: c.Of, Column: c.Name}
	i := t.lastDropped(func(x Dropped) bool {
		if j := t.bySQL(x.By); x.Column != nil && j >= 0 {
			return t.Columns[j].Name == c.Name
		}
		return x.Column != nil && x.Column.Name == c.Name
	})
	if i < 0 {
		return E(op, NotFound, at, "no column of this name was dropped, or it is purged already")
	}
	x := t.Dropped[i]
	back := *x.Column
	if c.As != "" {
		if x.By != "" {
			return E(op, Invalid, at, "another kind took the place of the column, and what roles hide of the one they hide of the other: undo it without as")
		}
		back.Name = c.As
	}
	if back.Of != "" {
		return E(op, Invalid, at, "the column is a part of "+back.Of+": bring that one back, which brings this one along")
	}
	if err = back.eachTarget(func(name string) (string, error) { return d.liveTarget(at, name) }); err != nil {
		return E(op, err)
	}
	t.Dropped = slices.Delete(slices.Clone(t.Dropped), i, i+1)
	t.Columns = slices.Clone(t.Columns)
	if back.Stored {
		back.StoredSince = &d.Now
	}
	if j := t.bySQL(x.By); j >= 0 {
		replaced := t.Columns[j]
		back.Name = replaced.Name
		back.Secured, back.Classes = back.Secured || replaced.Secured, union(back.Classes, replaced.Classes)
		replaced.Target = d.physicalTarget(replaced.Target)
		replaced.Physical = replaced.SQL()
		t.Dropped = append(t.Dropped, Dropped{At: d.Now, Column: &replaced, By: back.SQL()})
		t.Columns[j] = back
	} else if _, ok := t.Column(back.Name); ok {
		return E(op, Exists, at, "the table has another column of this name now: bring it back under another one with as")
	} else {
		t.Columns = append(t.Columns, back)
	}
	if back.Kind == AnyLookup || back.Kind == Currency {
		if err := t.undoParts(x.Column.Name, back.Name, back.Kind); err != nil {
			return E(op, err)
		}
	}
	d.tables[c.Of] = t
	return nil
}

// undoParts brings back the other columns of a lookup or an amount, which has another name now.
func (t *Table) undoParts(was, now string, k Kind) error {
	const op = "core.undoParts"
	want := 1
	if k == Currency {
		want = len((&Column{}).moneyParts())
	}
	for range want {
		i := t.lastDropped(func(x Dropped) bool { return x.Column != nil && x.Column.Of == was })
		if i < 0 {
			return E(op, NotFound, At{Table: t.Name, Column: was}, "another part of the column is purged")
		}
		part := *t.Dropped[i].Column
		part.Of = now
		if rest, ok := strings.CutPrefix(part.Name, was); ok && k == Currency {
			part.Name = now + rest
		}
		if _, ok := t.Column(part.Name); ok {
			return E(op, Exists, At{Table: t.Name, Column: part.Name}, "the table has another column of this name now: rename it first")
		}
		t.Dropped = slices.Delete(t.Dropped, i, i+1)
		t.Columns = append(t.Columns, part)
	}
	return nil
}

// bySQL returns the place of the column with the physical name, -1 when there is none.
func (t *Table) bySQL(physical string) int {
	if physical == "" {
		return -1
	}
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.SQL() == physical })
}

func (t *Table) lastDropped(is func(Dropped) bool) int {
	last := -1
	for i, x := range t.Dropped {
		if is(x) && (last < 0 || !x.At.Before(t.Dropped[last].At)) {
			last = i
		}
	}
	return last
}

// PurgeColumn deletes the values of a dropped column for good.
type PurgeColumn struct{ Of, Physical string }

// Table implements [Change].
func (c PurgeColumn) Table() string { return c.Of }

func (c PurgeColumn) apply(d *draft) error {
	t, err := d.table(c.Of)
	if err != nil {
		return err
	}
	is := func(x Dropped) bool { return x.Column != nil && x.Column.SQL() == c.Physical }
	if !slices.ContainsFunc(t.Dropped, is) {
		return E("core.PurgeColumn", NotFound, At{Table: c.Of, Column: c.Physical}, "there is no such dropped column")
	}
	t.spend(is)
	d.tables[c.Of] = t
	return nil
}

// spend forgets dropped columns, and those whose place they took; of them remains that their physical names were used.
func (t *Table) spend(is func(Dropped) bool) {
	t.Spent = slices.Clone(t.Spent)
	for more := true; more; {
		more = false
		for _, x := range t.Dropped {
			gone := x.Column != nil && (is(x) || x.By != "" && slices.Contains(t.Spent, x.By))
			if gone && !slices.Contains(t.Spent, x.Column.SQL()) {
				t.Spent = append(t.Spent, x.Column.SQL())
				more = true
			}
		}
	}
	t.Dropped = slices.DeleteFunc(slices.Clone(t.Dropped), func(x Dropped) bool {
		return x.Column != nil && slices.Contains(t.Spent, x.Column.SQL())
	})
}
