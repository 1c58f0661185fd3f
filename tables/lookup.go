package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// lookups checks that what the records newly look up exists, that the caller may read it, and that he may tie the two: see
// [ties]. Where everything is in reach the database's own reference is check enough.
func (w *writer) lookups(ctx context.Context) error {
	if w.defined {
		return nil
	}
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		if k := w.ties(c); !k.free() {
			if err := k.check(ctx, k.wanted()); err != nil {
				return err
			}
		}
	}
	return nil
}

// newly reports whether the change has the record look up another one than before by the lookup.
func (c *change) newly(of *core.Column) bool {
	return c.after != nil && c.after[of.Name] != nil && (c.before == nil || c.before[of.Name] != c.after[of.Name])
}

// ties are the rights that a lookup asks for. To have a record look up another one, one needs the privilege append on the one
// and append_to on the other, which one must also be able to read, unless one has just created it. A link of many to many ties
// two records that are alike: it needs append on both. Built-in tables need to be read only. A lookup that is emptied asks for
// nothing more than the change of the record.
type ties struct {
	w      *writer
	column *core.Column       // a lookup of one table
	newly  func(*change) bool // whether a change has its record look up another one
	to     core.Op            // what is asked for on the record that is looked up, besides read; "" for nothing

	read   right
	self   right // append on the records that look up
	target right // k.to on those that are looked up
}

// right is a privilege that a write asks for.
type right struct {
	asked bool
	may   *authz.Decision
	err   error // why there is none
}

func (w *writer) right(table string, priv core.Op) right {
	may, err := w.tx.snap.Policy.Decide(w.caller, table, authz.Privilege(priv))
	return right{true, may, err}
}

// free reports whether there is nothing to check in single records.
func (r right) free() bool { return !r.asked || r.err == nil && r.may.Rows == nil }

func (w *writer) ties(c *core.Column) *ties {
	k := &ties{w: w, column: c, newly: func(ch *change) bool { return ch.newly(c) }, read: w.right(c.Target, core.Read)}
	t, err := w.tx.snap.Schema.Table(c.Target)
	switch link := w.table.Link; {
	case err != nil || t.Builtin:
		return k
	case link != nil && (c.Name == link.From.Column || c.Name == link.To.Column):
		k.to = core.Append
	default:
		k.to, k.self = core.AppendTo, w.right(w.table.Name, core.Append)
	}
	k.target = w.right(c.Target, k.to)
	return k
}

// free reports whether every record may look up every other one.
func (k *ties) free() bool { return k.read.free() && k.self.free() && k.target.free() }

// wanted returns the ids that the batch newly looks up, with the place in the input.
func (k *ties) wanted() map[any]int {
	out := map[any]int{}
	for i := range k.w.batch {
		if ch := &k.w.batch[i]; k.newly(ch) {
			if _, ok := out[ch.after[k.column.Name]]; !ok {
				out[ch.after[k.column.Name]] = ch.item
			}
		}
	}
	return out
}

// check checks the rights to what the batch newly looks up.
func (k *ties) check(ctx context.Context, wanted map[any]int) error {
	if len(wanted) == 0 {
		return nil
	}
	made, own, foreign := k.divide(wanted)
	if k.read.err != nil && len(foreign) > 0 {
		return core.E("tables.lookups", core.Denied, k.w.at(k.column.Name), "you may not read the table that the lookup leads to: leave it out, or ask an administrator for the privilege")
	}
	if k.self.err != nil || k.target.err != nil {
		return k.denied()
	}
	if err := k.appends(); err != nil {
		return err
	}
	if err := k.reaches(ctx, foreign); err != nil || k.target.free() {
		return err
	}
	for _, r := range made {
		ok, err := k.w.holds(k.target.may.Rows, r)
		if err != nil {
			return err
		}
		if !ok {
			return k.beyond(wanted[r["id"]])
		}
	}
	return k.reachesUnseen(ctx, own)
}

// divide returns which of the wanted records the batch makes, which others the caller has created before, and which are foreign.
func (k *ties) divide(wanted map[any]int) (made []core.Record, own, foreign map[any]int) {
	own, foreign = map[any]int{}, maps.Clone(wanted)
	if k.column.Target == k.w.table.Name {
		for i := range k.w.batch {
			ch := &k.w.batch[i]
			if ch.op != core.Create {
				continue
			}
			if _, ok := foreign[ch.after["id"]]; ok {
				made = append(made, ch.after)
				delete(foreign, ch.after["id"])
			}
		}
	}
	for id, item := range foreign {
		if k.w.trusted[id] {
			own[id] = item
			delete(foreign, id)
		}
	}
	return made, own, foreign
}

// appends checks that the caller may append to the records which look up, as they will be.
func (k *ties) appends() error {
	if k.self.free() {
		return nil
	}
	for i := range k.w.batch {
		ch := &k.w.batch[i]
		if !k.newly(ch) {
			continue
		}
		ok, err := k.w.holds(k.self.may.Rows, ch.after)
		if err != nil {
			return err
		}
		if !ok {
			at := core.At{Table: k.w.table.Name, Column: k.column.Name, Item: ch.item}
			return core.E("tables.appends", core.Denied, at, k.rule()+"; your append on "+k.w.table.Name+" does not reach this record: leave the lookup out, or ask an administrator")
		}
	}
	return nil
}

// reaches checks that the caller may read the records and tie others to them.
func (k *ties) reaches(ctx context.Context, wanted map[any]int) error {
	if len(wanted) == 0 || k.read.free() && k.target.free() {
		return nil
	}
	which := Compare{Column: "id", Op: In, Value: keys(wanted)}
	priv := k.to
	if priv == "" {
		priv = core.Read
	}
	found, err := k.w.tx.ids(ctx, k.column.Target, priv, which)
	if err != nil || len(found) == len(wanted) {
		return err
	}
	if priv == core.Read {
		return k.w.missing(k.column, wanted, found)
	}
	read, err := k.w.tx.ids(ctx, k.column.Target, core.Read, which) // which of the two rights is it?
	if err != nil {
		return err
	}
	if err := k.w.missing(k.column, wanted, read); err != nil {
		return err
	}
	_, item := first(wanted, found)
	return k.beyond(item)
}

// reachesUnseen is reaches for records that the caller has created before in the unit, and perhaps cannot read.
func (k *ties) reachesUnseen(ctx context.Context, wanted map[any]int) error {
	if len(wanted) == 0 {
		return nil
	}
	p := &planner{snap: k.w.tx.snap, caller: k.w.caller}
	n, err := p.node(k.column.Target, k.to)
	if err != nil {
		return err
	}
	r := &reach{node: n, any: true}
	if r.where, err = n.where(Compare{Column: "id", Op: In, Value: keys(wanted)}); err != nil {
		return err
	}
	b := db.New(k.w.tx.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	found, err := queryIDs(ctx, k.w.tx.db, b)
	if err != nil || len(found) == len(wanted) {
		return err
	}
	_, item := first(wanted, found)
	return k.beyond(item)
}

// rule says what the lookup asks for.
func (k *ties) rule() string {
	if k.to == core.Append {
		return fmt.Sprintf("a link needs append on both of its ends, and %s leads to %s", k.column.Name, k.column.Target)
	}
	return fmt.Sprintf("to set %s you need append on %s and append_to on %s", k.column.Name, k.w.table.Name, k.column.Target)
}

// denied is the error for a privilege that the caller lacks altogether. What the lookup leads to is named to him who knows of it.
func (k *ties) denied() error {
	var lacks []string
	if k.self.err != nil {
		lacks = append(lacks, "append on "+k.w.table.Name)
	}
	if k.target.err != nil {
		lacks = append(lacks, fmt.Sprintf("%s on %s", k.to, k.column.Target))
	}
	msg := k.rule() + "; you lack " + strings.Join(lacks, " and ")
	if !k.w.tx.snap.Policy.Sees(k.w.caller, k.column.Target) {
		msg = "you may not have records look up those of the table that the lookup leads to"
	}
	return core.E("tables.lookups", core.Denied, k.w.at(k.column.Name), msg+": ask an administrator for it, or leave the lookup out")
}

// beyond is the error for a record that may be read, and not be looked up.
func (k *ties) beyond(item int) error {
	at := core.At{Table: k.w.table.Name, Column: k.column.Name, Item: item}
	return core.E("tables.lookups", core.Denied, at, fmt.Sprintf("%s; your %s on %s does not reach this record: choose another one, or ask an administrator", k.rule(), k.to, k.column.Target))
}

func keys(m map[any]int) []any { return slices.Collect(maps.Keys(m)) }

// missing returns an error for the first of the wanted ids that was not found.
func (w *writer) missing(c *core.Column, wanted map[any]int, found []core.ID) error {
	id, at := first(wanted, found)
	if id == nil {
		return nil
	}
	return core.E("tables.missing", core.Invalid, core.At{Table: w.table.Name, Column: c.Name, Item: at}, fmt.Sprintf("there is no %s with the id %v", c.Target, id))
}

// first returns the first of the wanted ids that was not found, and its place in the input; nil when all were.
func first(wanted map[any]int, found []core.ID) (id any, at int) {
	have := make(map[any]bool, len(found))
	for _, id := range found {
		have[string(id)] = true
	}
	for want, item := range wanted {
		if !have[want] && (id == nil || item < at) {
			id, at = want, item
		}
	}
	return id, at
}
