package authz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"colonnade/core"
	"colonnade/rules"
)

// Decision says which rows and columns of a table a privilege reaches. It is shared: do not change it.
type Decision struct {
	Rows *rules.Expr // the rows for which it holds; nil for every row

	table   *core.Table
	columns map[string]column // those that are not plainly visible
}

type column struct {
	visible bool
	mask    *rules.Expr // of a column that is not visible
	unmask  Unmasking   // of one too
	guard   *rules.Expr
}

// Column reports whether the privilege extends to the column. With a guard it does so only in the rows of d for which
// the guard holds: elsewhere the column must seem empty, to filters, sorting and aggregates too.
//
// Several roles add up: a column is visible in a row when one of the grants that reach the row leaves it in.
// A calculated column is as secret as the most secret column that it reads, of whatever table; the rows of other tables
// are no part of the guard. One of the definer's rights is as secret as it is called.
func (d *Decision) Column(name string) (visible bool, guard *rules.Expr) {
	if c, ok := d.columns[name]; ok {
		return c.visible, c.guard
	}
	_, ok := d.table.Column(name)
	return ok, nil
}

// Mask returns what is shown in place of the value of a column to which the privilege does not extend, nil for nothing. With a
// guard it is shown only where that holds. To filters, sorting, aggregates and whatever else could tell two values apart, the
// column is a hidden one.
func (d *Decision) Mask(name string) (mask, guard *rules.Expr) {
	c := d.columns[name]
	if c.mask == nil {
		return nil, nil
	}
	return c.mask, c.guard
}

// Unmask returns of how many records at a time the caller may ask for the value of a column to which the privilege does not extend; with
// a guard only of those where that holds.
func (d *Decision) Unmask(name string) (u Unmasking, guard *rules.Expr) {
	c := d.columns[name]
	return c.unmask, c.guard
}

// Hides reports whether any column is hidden, masked or has a guard.
func (d *Decision) Hides() bool { return len(d.columns) > 0 }

// errNoTable is the answer for a table that is not there; it must read like that for a table out of reach.
func errNoTable(table string, priv Privilege) error {
	return core.E("authz.Decide", core.Denied, core.At{Table: table}, fmt.Sprintf("your roles do not let you %s records of this table: ask an administrator for the privilege", priv.verb()))
}

// Decide returns how far the caller's privilege on the table reaches. It fails with core.Denied when nothing grants it.
// Nobody but the system writes a built-in table.
func (p *Policy) Decide(c core.Caller, table string, priv Privilege) (*Decision, error) {
	t, ok := p.tables[table]
	i := priv.index()
	if !ok || i < 0 {
		return nil, errNoTable(table, priv)
	}
	if c.IsSystem() {
		return t.full, nil
	}
	if err := t.covers(c, priv); err != nil {
		return nil, err
	}
	s := p.roleSet(c)
	slot := &s.decisions[t.index]
	row := slot.Load()
	if row == nil {
		slot.CompareAndSwap(nil, &[privileges]atomic.Pointer[outcome]{})
		row = slot.Load()
	}
	o := row[i].Load()
	if o == nil {
		o = &outcome{}
		o.Decision, o.err = p.decide(s, t, priv)
		row[i].Store(o)
	}
	return o.Decision, o.err
}

// Sees reports whether the caller may know of a table: holds a privilege on it, or may define tables.
func (p *Policy) Sees(c core.Caller, table string) bool {
	if p.May(c, "define_tables") == nil {
		return true
	}
	for _, priv := range Privileges {
		if _, err := p.Decide(c, table, priv); err == nil {
			return true
		}
	}
	return false
}

// May returns nil when the caller holds the action privilege; the empty one asks for nothing more than a caller
// who signed in.
func (p *Policy) May(c core.Caller, action string) error {
	if c.IsSystem() {
		return nil
	}
	if action == "" {
		if c.Anonymous() {
			return core.E("authz.May", core.Unknown, "sign in first")
		}
		return nil
	}
	if s := p.roleSet(c); s.admin || s.actions[action] {
		return withinScope(c, action)
	}
	return core.E("authz.May", core.Denied, fmt.Sprintf("your roles do not give you the right to %s: ask an administrator for it", strings.ReplaceAll(action, "_", " ")))
}

func (t *tablePolicy) held(s *roleSet, priv Privilege) []holding {
	var out []holding
	for _, role := range s.roles {
		if of := t.grants[role]; of != nil {
			basis, reports := s.basis[role], ""
			if t.Hierarchy && s.manages[basis] {
				reports = reportsOver(priv)
			}
			for _, h := range of[priv.index()] {
				out = append(out, holding{h, role, basis, reports})
			}
		}
	}
	return out
}

func (p *Policy) decide(s *roleSet, t *tablePolicy, priv Privilege) (*Decision, error) {
	if s.admin && (!t.Builtin || priv == Read) {
		return p.everything(s, t, priv), nil
	}
	grants := t.held(s, priv)
	if len(grants) == 0 {
		return nil, t.denied[priv.index()]
	}
	d := &Decision{table: t.Table, columns: map[string]column{}}
	rows, arms := union(grants), p.arms(t.Table, priv)
	var err error
	if d.Rows, err = p.reach(s, t.Table, []terms{rows}, arms); err != nil {
		return nil, err
	}
	shown := func(name string) terms {
		return union(slices.DeleteFunc(slices.Clone(grants), func(h holding) bool { return h.hidden[name] }))
	}
	for i := range t.Columns {
		name := t.Columns[i].Name
		given, unmask := s.given(t.Table, &t.Columns[i], priv), UnmaskNone
		if priv == Read && given < ReadFull {
			unmask = s.access(t.Table, &t.Columns[i]).Unmask
		}
		if given == ReadNone && unmask == UnmaskNone || priv.Columns() && p.denies(s, t.Name, name) {
			d.columns[name] = column{}
			continue
		}
		needs := []terms{shown(name)}
		if c := &t.Columns[i]; c.Calculated() && c.Rights != core.DefinerRights {
			for _, r := range p.set.Reads(t.Name, name) {
				for _, name := range r.From() {
					needs = append(needs, shown(name))
					if of, _ := t.Column(name); s.given(t.Table, of, priv) < ReadFull {
						needs = append(needs, nil)
					}
				}
				if !p.passes(s, r) {
					needs = append(needs, nil)
				}
			}
		}
		if slices.ContainsFunc(needs, func(n terms) bool { return len(n) == 0 }) {
			d.columns[name] = column{}
			continue
		}
		needs = slices.DeleteFunc(needs, func(n terms) bool { return slices.Equal(n, rows) })
		guard, err := p.reach(s, t.Table, needs, arms)
		if err != nil {
			return nil, err
		}
		switch {
		case given < ReadFull:
			c := column{unmask: unmask, guard: guard}
			if given == ReadMasked {
				c.mask = p.set.Mask(t.Name, name)
			}
			d.columns[name] = c
		case guard != nil:
			d.columns[name] = column{visible: true, guard: guard}
		}
	}
	return d, nil
}

// passes reports whether the roles may read the columns on the way of r and at its end in some records at least.
func (p *Policy) passes(s *roleSet, r rules.Read) bool {
	for i, step := range r.Path {
		rel := step.Relation
		if rel.Through != "" && !p.sees(s, rel.Through, rel.Near, rel.Column) || !p.sees(s, rel.Table, r.At(i)...) {
			return false
		}
	}
	return true
}

// sees reports whether the roles may read each of the columns of the table in some record.
func (p *Policy) sees(s *roleSet, table string, columns ...string) bool {
	t := p.tables[table]
	if slices.ContainsFunc(columns, func(name string) bool { return p.denies(s, table, name) }) {
		return false
	}
	if s.admin {
		return true
	}
	grants := t.held(s, Read)
	return !slices.ContainsFunc(append(columns, "id"), func(name string) bool {
		of, _ := t.Column(name)
		return s.given(t.Table, of, Read) < ReadFull || !slices.ContainsFunc(grants, func(h holding) bool { return !h.hidden[name] })
	})
}

// term is what one grant says about rows.
type term struct {
	level     Level
	basis     int    // that the level counts from; 0 too where it counts from nothing
	reports   string // that it extends to; see holding
	condition string
}

// terms are alternatives, sorted, none within another.
type terms []term

func union(grants []holding) terms {
	var out terms
	for _, h := range grants {
		t := term{h.Level, h.basis, h.reports, h.Condition}
		if t.level == Organization {
			t.basis, t.reports = 0, ""
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b term) int {
		return cmp.Or(int(b.level-a.level), a.basis-b.basis, strings.Compare(a.condition, b.condition)) // no condition first
	})
	kept := out[:0]
	for _, t := range out {
		if !slices.ContainsFunc(kept, t.within) {
			kept = append(kept, t)
		}
	}
	return kept
}

// within reports whether wide reaches every row that t reaches.
func (t term) within(wide term) bool {
	return t.level <= wide.level && (t.basis == wide.basis || wide.level == Organization) && (wide.condition == "" || wide.condition == t.condition)
}

// source returns the terms as one expression, "" for every row. One of the arms may hold in place of a level. Each condition ends
// with a line of its own: it may end with a comment.
func (ts terms) source(arms []string) string {
	var parts []string
	for i := 0; i < len(ts); {
		level := ts[i].level.source(ts[i].basis, ts[i].reports)
		var conditions []string
		for from := i; i < len(ts) && ts[i].level == ts[from].level && ts[i].basis == ts[from].basis; i++ {
			conditions = append(conditions, ts[i].condition)
		}
		switch {
		case conditions[0] != "": // otherwise there are no others
			part := anyOf(conditions)
			if level != "" {
				part = "(" + level + ") && (" + part + "\n)"
			}
			parts = append(parts, part)
		case level == "":
			return ""
		default:
			parts = append(parts, level)
		}
	}
	return anyOf(append(parts, ts.widened(arms)...))
}

// widened returns what the arms add to the terms: the records for which one of them holds, and a condition of a term with a level.
func (ts terms) widened(arms []string) []string {
	var conditions []string
	for _, t := range ts {
		if t.level == Organization {
			continue
		}
		if t.condition == "" {
			return arms
		}
		conditions = append(conditions, t.condition)
	}
	if len(conditions) == 0 || len(arms) == 0 {
		return nil
	}
	return []string{"(" + anyOf(arms) + ") && (" + anyOf(conditions) + "\n)"}
}

func anyOf(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, "\n) || (") + "\n)"
}

// reach compiles the rows that all of the unions reach; nil for every row. See [Policy.arms].
func (p *Policy) reach(s *roleSet, t *core.Table, all []terms, arms []string) (*rules.Expr, error) {
	var parts []string
	for _, ts := range all {
		if src := ts.source(arms); src != "" && !slices.Contains(parts, src) {
			parts = append(parts, src)
		}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	source := parts[0]
	if len(parts) > 1 {
		source = "(" + strings.Join(parts, "\n) && (") + "\n)"
	}
	x, err := p.compileFor(t, source, s.options(len(arms) > 0))
	if err != nil { // each condition compiles by itself, so that together they are too much
		return nil, core.E("authz.Decide", core.Denied, core.At{Table: t.Name}, "the conditions of your roles on this table are too long together: ask an administrator to shorten them", err)
	}
	return x, nil
}
