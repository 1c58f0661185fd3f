package tables

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
)

// columnAnswer is whether a column is within the reach of the privilege in a record.
type columnAnswer struct {
	of      *core.Column // nil where none is asked for
	visible bool         // in some records
	guarded bool         // and not in all
	guard   *bool        // in this one
	within  *bool        // and so is what it is calculated from
}

// known refuses a column that is not there. For who asks about himself one that is hidden from him in every use is not there.
func (q *inquiry) known() (*core.Column, error) {
	var may []*authz.Decision
	for _, priv := range authz.Privileges {
		if !priv.Columns() {
			continue
		}
		if d, err := q.snap.Policy.Decide(q.who, q.table.Name, priv); err == nil {
			may = append(may, d)
		}
	}
	c, ok := q.table.Column(q.column)
	if ok && q.all || slices.ContainsFunc(may, func(d *authz.Decision) bool { return knows(d, q.column) }) {
		return c, nil
	}
	return nil, unknownColumn(q.table, q.column, may...)
}

// knows reports whether who reads by the decision may know of the column: sees it, or what its mask makes of it.
func knows(d *authz.Decision, column string) bool {
	visible, _ := d.Column(column)
	mask, _ := d.Mask(column)
	return visible || mask != nil
}

// columnOf has the ballot decide about the column in the record of n.
func (q *inquiry) columnOf(b *ballot, n *node) (a columnAnswer, err error) {
	if q.column == "" {
		return a, nil
	}
	if a.of, err = q.known(); err != nil {
		return a, err
	}
	visible, guard := n.may.Column(q.column)
	a.visible, a.guarded, a.guard = visible, guard != nil, b.holds(n, guard)
	a.within = b.ask(nil)
	if !visible || q.priv != authz.Read || !q.all { // what else is out of his reach is nothing to tell who asks about himself
		return a, nil
	}
	within, err := n.derived(a.of)
	if kind := core.KindOf(err); kind == core.Invalid || kind == core.Denied {
		*a.within = false
		return a, nil
	}
	a.within = b.ask(within)
	return a, err
}

// tell adds the step. Who asks about himself is not told what depends on values that he does not see: a column that is hidden looks
// like one that is empty.
func (a columnAnswer) tell(q *inquiry) error {
	switch {
	case a.of == nil:
	case q.written(a.of):
	case a.guarded && slices.ContainsFunc(q.ways, func(w *weighed) bool { return !w.told }):
		return core.E("tables.tell", core.Denied, core.At{Table: q.table.Name, Column: a.of.Name}, "whether the column is within your reach in this record depends on what you do not see: ask an administrator")
	case q.denied():
	case q.secured(*a.guard):
	case !a.visible || !*a.guard:
		q.hidden()
	case !*a.within:
		q.step(stepColumn, false, fmt.Sprintf("%s is calculated from other records, of which one at least is out of reach, so that it is empty", a.of.Name))
	default:
		q.shown(a.of)
	}
	return nil
}

// shown answers for a column that is within reach.
func (q *inquiry) shown(c *core.Column) {
	text := c.Name + " is within a grant that reaches the record"
	if role := q.shownBy(c.Name); role != "" {
		text = fmt.Sprintf("%s is within the grant of role %s", c.Name, role)
	}
	if _, profiles, _ := q.snap.Policy.Secured(q.who, q.table.Name, c.Name, q.priv); len(profiles) > 0 {
		text += ", and given by the column profile " + strings.Join(profiles, ", ")
	}
	if !q.all && q.priv == authz.Read && q.snap.Rules.Reaches(q.table.Name, c.Name) {
		text += "; it is calculated from other records, and empty where one of them is out of your reach"
	}
	q.step(stepColumn, true, text)
}

// columnAnywhere answers for a column where no record is named.
func (q *inquiry) columnAnywhere(may *authz.Decision) error {
	if q.column == "" {
		return nil
	}
	c, err := q.known()
	if err != nil {
		return err
	}
	switch visible, guard := may.Column(c.Name); {
	case q.written(c), q.denied(), q.secured(true):
	case !visible:
		q.hidden()
	case guard != nil:
		q.step(stepColumn, true, c.Name+" is within reach in some of these records: name one to learn whether it is one of them")
	default:
		q.shown(c)
	}
	return nil
}

// written answers for a column that nobody writes.
func (q *inquiry) written(c *core.Column) bool {
	calculated := c.Calculated() || c.System && c.Name != "owner_id" && c.Name != "unit_id" && (c.Name != "id" || q.priv == authz.Update)
	if q.priv == authz.Read || !calculated {
		return false
	}
	q.step(stepColumn, false, fmt.Sprintf("nobody writes %s: it is calculated, or kept by the system", c.Name))
	return true
}

// denied answers for a column of a data class that a role of his denies.
func (q *inquiry) denied() bool {
	class, roles := q.snap.Policy.Denying(q.who, q.table.Name, q.column)
	if class == "" {
		return false
	}
	q.step(stepColumn, false, fmt.Sprintf("%s carries the data class %s, which is denied to all who hold the role %s, whatever gives it", q.column, class, strings.Join(roles, ", ")))
	q.help = append(q.help, "an administrator who no longer denies the class to the role (put_role, deny_classes), or takes the role away")
	return true
}

// secured answers for a column that no column profile gives, or of which only what its mask makes of it is shown.
func (q *inquiry) secured(reached bool) bool {
	given, profiles, secured := q.snap.Policy.Secured(q.who, q.table.Name, q.column, q.priv)
	switch {
	case !secured || given == authz.ReadFull:
		return false
	case given == authz.ReadNone:
		q.step(stepColumn, false, fmt.Sprintf("%s is secured, and no column profile gives %s on it", q.column, q.priv))
	case !reached:
		return false
	default:
		q.step(stepColumn, false, fmt.Sprintf("%s is masked by the column profile %s: what its mask makes of the value is shown", q.column, strings.Join(profiles, ", ")))
	}
	q.help = append(q.help, fmt.Sprintf("a column profile that gives %s on the column (put_column_profile, assign_column_profile)", q.priv))
	return true
}

// hidden tells what hides the column, as far as that depends on nothing that he does not see who asks about himself.
func (q *inquiry) hidden() {
	if q.id != "" && slices.ContainsFunc(q.ways, func(w *weighed) bool { return !w.told }) {
		q.step(stepColumn, false, q.column+" is hidden by every grant that reaches the record")
		return
	}
	parts, beyond := q.snap.Policy.Apart(q.who, q.table.Name, q.column)
	for _, name := range parts {
		if given, _, secured := q.snap.Policy.Secured(q.who, q.table.Name, name, q.priv); secured && given < authz.ReadFull && (q.all || q.visible(name)) {
			q.step(stepColumn, false, fmt.Sprintf("%s is calculated from %s, which is secured, and which no column profile gives in full", q.column, name))
			return
		}
		if slices.ContainsFunc(q.ways, func(w *weighed) bool { return q.counts(w) && !w.Leaves(name) }) {
			continue
		}
		text := q.column + " is hidden"
		if name != q.column {
			text = fmt.Sprintf("%s is calculated from %s, which is hidden", q.column, name)
			if !q.all && !q.visible(name) {
				text = q.column + " is calculated from what is hidden"
			}
		}
		if roles := q.leaving(name); len(roles) > 0 {
			text += " by every grant that reaches the record: of role " + strings.Join(roles, ", ")
		}
		q.step(stepColumn, false, text)
		q.help = append(q.help, fmt.Sprintf("a grant of %s that reaches the record and does not hide the column", q.priv))
		return
	}
	text := q.column + " is calculated from what is out of reach"
	if q.all && beyond != "" {
		text = fmt.Sprintf("%s is calculated from %s, of which nothing is in reach", q.column, beyond)
	}
	q.step(stepColumn, false, text)
}

// visible reports whether the column is in reach of reads in some record.
func (q *inquiry) visible(name string) bool {
	d, err := q.snap.Policy.Decide(q.who, q.table.Name, authz.Read)
	if err != nil {
		return false
	}
	visible, _ := d.Column(name)
	return visible
}

// counts reports whether the grant has a say about columns of the record.
func (q *inquiry) counts(w *weighed) bool { return q.id == "" || w.reaches() }

// names reports whether the grant counts, and may be named as one that does.
func (q *inquiry) names(w *weighed) bool { return q.id == "" || w.shows() }

// shownBy returns a role by which the column is shown, "" for none that may be named.
func (q *inquiry) shownBy(name string) string {
	for _, w := range q.ways {
		if q.names(w) && !w.Leaves(name) {
			return w.Role
		}
	}
	return ""
}

// leaving returns the roles whose grants hide the column.
func (q *inquiry) leaving(name string) (roles []string) {
	for _, w := range q.ways {
		if q.names(w) && w.Leaves(name) && !slices.Contains(roles, w.Role) {
			roles = append(roles, w.Role)
		}
	}
	return roles
}
