package tables

import (
	"cmp"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// derivation says how stored columns that depend on other records are kept current: which change of which record makes a value
// stale, and in what order values are computed anew. It belongs to a snapshot and never changes.
type derivation struct {
	levels  []*level
	watches map[string][]*watch        // by table: what its records are for others
	trees   map[string][]core.Relation // by table: the lookups by which its records hang together, see [Tx.lockTrees]
}

// level is columns of a table that are computed together. What they read of other records is current once the levels before
// it are; what they read of their own record and of the same level is written into their formulas.
type level struct {
	table   *core.Table
	columns []*core.Column
	rank    int
	watches []*watch
	ways    []way // from the record
}

// watch is what a level reads in the records of a table.
type watch struct {
	level   *level
	path    []rules.Step   // from the record of the level to those of the table
	link    bool           // the table is that of the links which the last step leads through
	columns []*core.Column // a change of another column is none
	ways    []way          // from its records; of links, from those that they lead to
}

// way is lookups, one after the other, by which a level goes on from a record to what it reads. Who makes a record go another
// way, or reads along one that is new, locks what is on it: see [Tx.lockWays].
type way struct {
	steps []rules.Step
	row   bool // others change what is read at its end without a lock on that record: it is derived, or it is in a list from there
}

// derive finds the levels of a schema, and what they depend on.
func derive(s *core.Schema, set *rules.Set) *derivation {
	d := &derivation{watches: map[string][]*watch{}, trees: map[string][]core.Relation{}}
	r := ranking{set: set, ranks: map[columnKey]int{}}
	for _, t := range s.Tables() {
		for _, c := range set.StoredFormulas(t.Name) {
			if set.Reaches(t.Name, c.Name) {
				d.level(t, r.rank(columnKey{t.Name, c.Name})).add(c)
			}
		}
	}
	slices.SortStableFunc(d.levels, func(a, b *level) int {
		return cmp.Or(a.rank-b.rank, strings.Compare(a.table.Name, b.table.Name))
	})
	for _, l := range d.levels {
		for _, c := range l.columns {
			for _, read := range set.Watches(l.table.Name, c.Name) {
				d.watch(s, l, read)
				d.growTrees(read)
				l.leads(read, set.Reaches(read.Table, read.Column))
			}
		}
	}
	return d
}

// columnKey names a column.
type columnKey struct{ table, column string }

// ranking finds after how many others a column can be computed.
type ranking struct {
	set   *rules.Set
	ranks map[columnKey]int
}

// rank returns 0 for a column that reads nothing which is derived in other records. Formulas do not read each other in a
// circle, so that it ends.
func (r *ranking) rank(of columnKey) int {
	if known, ok := r.ranks[of]; ok {
		return known
	}
	rank := 0
	for _, read := range r.set.Watches(of.table, of.column) {
		if !r.set.Reaches(read.Table, read.Column) {
			continue
		}
		inner := r.rank(columnKey{read.Table, read.Column})
		if len(read.Path) > 0 {
			inner++
		}
		rank = max(rank, inner)
	}
	r.ranks[of] = rank
	return rank
}

func (d *derivation) level(t *core.Table, rank int) *level {
	i := slices.IndexFunc(d.levels, func(l *level) bool { return l.table == t && l.rank == rank })
	if i < 0 {
		i = len(d.levels)
		d.levels = append(d.levels, &level{table: t, rank: rank})
	}
	return d.levels[i]
}

func (l *level) add(c *core.Column) { l.columns = append(l.columns, c) }

// has reports whether the column is computed in this level.
func (l *level) has(c *core.Column) bool { return slices.Contains(l.columns, c) }

// leads notes the ways of what is read, from each record that it passes.
func (l *level) leads(read rules.Read, derived bool) {
	for i := range read.Path {
		rest := read.Path[i:]
		n := slices.IndexFunc(rest, func(s rules.Step) bool { return s.Relation.Many })
		on := way{steps: rest, row: derived}
		if n >= 0 {
			on = way{steps: rest[:n], row: true}
		}
		if len(on.steps) == 0 || len(on.steps) == 1 && !on.row { // a reference locks the next record by itself
			continue
		}
		if i == 0 {
			l.ways = addWay(l.ways, on)
		}
		for _, w := range l.watches {
			if i > 0 && slices.Equal(w.path, read.Path[:i]) {
				w.ways = addWay(w.ways, on)
			}
		}
	}
}

func addWay(all []way, w way) []way {
	if slices.ContainsFunc(all, func(o way) bool { return o.row == w.row && slices.Equal(o.steps, w.steps) }) {
		return all
	}
	return append(all, w)
}

// turns reports whether the record that is so many steps down the path is reached by a lookup, and left by a list.
func (w *watch) turns(steps int) bool {
	return steps > 0 && steps < len(w.path) && !w.path[steps-1].Relation.Many && w.path[steps].Relation.Many
}

// watch adds what a level reads, at every record on the way.
func (d *derivation) watch(s *core.Schema, l *level, read rules.Read) {
	if own, ok := l.table.Column(read.Column); len(read.Path) > 0 || !ok || !l.has(own) {
		d.add(l.table, l, nil, false, read.From())
	}
	for i, step := range read.Path {
		path := read.Path[:i+1]
		if t, err := s.Table(step.Relation.Table); err == nil {
			d.add(t, l, path, false, read.At(i))
		}
		if step.Relation.Through == "" {
			continue
		}
		if t, err := s.Table(step.Relation.Through); err == nil {
			d.add(t, l, path, true, []string{step.Relation.Near, step.Relation.Column})
		}
	}
}

// add adds columns to the watch of the level on what the path leads to.
func (d *derivation) add(t *core.Table, l *level, path []rules.Step, link bool, columns []string) {
	all := d.watches[t.Name]
	i := slices.IndexFunc(all, func(w *watch) bool { return w.level == l && w.link == link && slices.Equal(w.path, path) })
	if i < 0 {
		i = len(all)
		all = append(all, &watch{level: l, path: path, link: link})
		d.watches[t.Name] = all
		l.watches = append(l.watches, all[i])
	}
	for _, name := range columns {
		if c, ok := t.Column(name); ok && !slices.Contains(all[i].columns, c) {
			all[i].columns = append(all[i].columns, c)
		}
	}
}

// finds returns the columns of a table by which the records are found that depend on one of its.
func (d *derivation) finds(t *core.Table) (out []*core.Column) {
	for _, w := range d.watches[t.Name] {
		for _, name := range w.back() {
			if c, ok := t.Column(name); ok && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// back returns the columns of a record that name the records at the other end of the last step, none where these name it.
func (w *watch) back() []string {
	if len(w.path) == 0 {
		return nil
	}
	rel := w.path[len(w.path)-1].Relation
	switch {
	case w.link:
		return []string{rel.Near}
	case !rel.Many || rel.Through != "":
		return nil
	case rel.Which != "":
		return []string{rel.Column, rel.Which}
	}
	return []string{rel.Column}
}
