package flows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
	"colonnade/tables"
)

// A flow takes values from the record that starts it to its actions, by way of variables and of what steps return. Where values
// of a data class may go is checked before they do: when the flow is saved, and at each step that runs. What is traced are the columns
// that expressions name; a record that is named as a whole stands for all of them.

// trace is what the steps of a definition have to do with data classes, in one snapshot and for one user.
type trace struct {
	snap      *tables.Snapshot
	as        core.ID
	steps     map[*step]*traced
	hidden    map[*value]bool // expressions whose values are kept out of logs
	variables map[string]bool // the variables that hold such values
}

// traced is a step that has values of data classes.
type traced struct {
	refused error    // why it must not run
	mask    bool     // a model reads what it is given: its values are made of masked records
	items   []string // the names of records of the trigger that for_each steps around it go through

	at     core.At // a column from which it has values that are kept out of logs
	secret string  // the data class that says so; empty for none
}

// tracing makes a trace. It holds columns that carry classes only.
type tracing struct {
	*trace
	as    core.Caller
	may   map[string]bool // the columns of the trigger's table that the user sees
	table string
	vars  map[string][]core.At
	out   map[string][]core.At // what steps return, by their ids
	items map[string]item
}

// item is what a for_each step goes through: records of the trigger, or values made of columns.
type item struct {
	record bool
	from   []core.At
}

// origin is where values come from: from the records of the trigger, where they can be masked, or by way of variables and steps.
type origin struct{ direct, kept []core.At }

// trace returns what the steps of d have to do with data classes, nil when there are none.
func (d *definition) trace(snap *tables.Snapshot, as core.ID) (*trace, error) {
	if len(snap.Schema.DataClasses()) == 0 {
		return nil, nil
	}
	if t := d.traced.Load(); t != nil && t.snap == snap && t.as == as {
		return t, nil
	}
	caller, err := snap.Policy.Caller(as, core.Cause{Kind: "flow"})
	if err != nil {
		return nil, core.E("flows.trace", err)
	}
	t := &trace{snap, as, map[*step]*traced{}, map[*value]bool{}, map[string]bool{}}
	w := &tracing{trace: t, as: caller, vars: map[string][]core.At{}, out: map[string][]core.At{}, items: map[string]item{}}
	if e := d.trigger.event; e != nil {
		w.table, w.may = e.table, snap.Sees(caller, e.table)
	}
	w.list(d.steps)
	for name, columns := range w.vars {
		_, class := unlogged(snap, columns)
		t.variables[name] = class != ""
	}
	d.traced.Store(t)
	return t, nil
}

// of returns what is known of the step, nil for nothing.
func (t *trace) of(st *step) *traced {
	if t == nil {
		return nil
	}
	return t.steps[st]
}

// refused returns why the first of the steps, in their order, must not run.
func (t *trace) refused(steps []*step) error {
	for _, st := range steps {
		if of := t.of(st); of != nil && of.refused != nil {
			return st.at.problem(st.path, "%s", core.AsError(of.refused).Public())
		}
		for _, inner := range st.lists() {
			if err := t.refused(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *tracing) list(steps []*step) {
	for _, st := range steps {
		switch st.kind {
		case "action":
			w.action(st)
		case "wait":
			w.await(st)
		case "call":
			w.call(st)
		case "approval":
			w.approval(st)
		case "set":
			for _, f := range st.values {
				o := w.values([]field{f})
				w.vars[f.name] = join(w.vars[f.name], o.direct, o.kept)
			}
			w.secret(st, w.values(st.values).all())
		case "for_each":
			w.each(st)
			continue
		default:
			if st.cond != nil {
				w.secret(st, w.value(st.cond).all())
			}
		}
		for _, inner := range st.lists() {
			w.list(inner)
		}
	}
}

// each goes through the steps of a for_each until no variable takes on more: an item may use what one before it has left.
func (w *tracing) each(st *step) {
	before, had := w.items[st.as]
	o := w.value(st.cond)
	w.secret(st, o.all())
	w.items[st.as] = item{record: rules.ItemsOf(st.cond.source) == "trigger.records", from: o.all()}
	for last := -1; last != w.size(); {
		last = w.size()
		w.list(st.body)
	}
	if delete(w.items, st.as); had {
		w.items[st.as] = before
	}
}

// size is how much is known of what variables and steps hold.
func (w *tracing) size() (n int) {
	for _, of := range []map[string][]core.At{w.vars, w.out} {
		for _, columns := range of {
			n += len(columns)
		}
	}
	return n
}

func (w *tracing) action(st *step) {
	o := w.values(st.values)
	taken := st.actionSpec.Sends.Columns(literals(st.values))
	all := w.classed(join(o.direct, o.kept, taken))
	returned := join(all, w.read(st))
	if st.id != "" {
		w.out[st.id] = join(w.out[st.id], returned)
	}
	w.secret(st, returned)
	if len(all) == 0 {
		return
	}
	t := w.found(st)
	t.refused = w.refuse(st, o, all)
	if st.actionSpec.Sends.Model {
		t.mask = slices.ContainsFunc(o.direct, w.masked)
	}
	t.items = nil
	for name, it := range w.items {
		if it.record {
			t.items = append(t.items, name)
		}
	}
}

// found is what is known of the step.
func (w *tracing) found(st *step) *traced {
	if w.steps[st] == nil {
		w.steps[st] = &traced{}
	}
	return w.steps[st]
}

// secret notes that the step has values of the columns, where those are kept out of logs.
func (w *tracing) secret(st *step, columns []core.At) {
	if at, class := unlogged(w.snap, columns); class != "" {
		of := w.found(st)
		of.at, of.secret = at, class
	}
}

// read returns the columns of which the action of the step returns values, as far as the user sees them: of the tables that an
// argument names, and those that another one does, and of all where that is not known before.
func (w *tracing) read(st *step) (out []core.At) {
	reads := st.actionSpec.Reads
	if reads == "" {
		return nil
	}
	var named, only []string
	for _, f := range st.values {
		switch f.name {
		case reads:
			named = f.value.texts()
		case st.actionSpec.ReadsOnly:
			only = f.value.texts()
		}
	}
	for _, t := range w.snap.Schema.Tables() {
		if len(named) > 0 && !slices.Contains(named, t.Name) {
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(w.snap.Sees(w.as, t.Name))) {
			if len(only) == 0 || slices.Contains(only, column) {
				out = append(out, core.At{Table: t.Name, Column: column})
			}
		}
	}
	return w.classed(out)
}

// refuse returns why the values must not go where the action of the step sends them.
func (w *tracing) refuse(st *step, o origin, all []core.At) error {
	a := st.actionSpec
	if a.Name == emitAction {
		return leaving(w.snap, all[0])
	}
	for _, at := range all {
		if err := w.snap.MaySendColumn(a, literals(st.values), at); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(o.kept, w.masked); i >= 0 && a.Sends.Model {
		at := o.kept[i]
		_, class := w.snap.Handling(at.Table, at.Column, core.UseModel)
		return core.E("flows.refuse", core.Denied, core.At{Table: at.Table, Column: at.Column}, fmt.Sprintf("the column carries the data class %s, whose values models read masked, and they come to the action %s by way of a step or a variable: name the column of the trigger in with", class, a.Name))
	}
	return nil
}

// leaving refuses values of data classes that would go to another run, where nothing is known of them.
func leaving(snap *tables.Snapshot, at core.At) error {
	return core.E("flows.refuse", core.Denied, core.At{Table: at.Table, Column: at.Column},
		fmt.Sprintf("the column carries the data class %s, which gets lost on the way to another run: give it the id of the record, and let it read the record", snap.Rules.Classes(at.Table, at.Column)[0]))
}

// shownToOthers refuses values of data classes in what people are asked to approve.
func shownToOthers(snap *tables.Snapshot, at core.At) error {
	return core.E("flows.refuse", core.Denied, core.At{Table: at.Table, Column: at.Column},
		fmt.Sprintf("the column carries the data class %s, and who is asked may not be one who may read it: give the id of the record in details", snap.Rules.Classes(at.Table, at.Column)[0]))
}

// await notes what a step that waits for changes of records returns.
func (w *tracing) await(st *step) {
	a := st.await
	var key, out []core.At
	for _, v := range []*value{a.length, a.until, a.key, a.timeout} {
		if v != nil {
			key = join(key, w.value(v).all())
		}
	}
	if t, err := w.snap.Schema.Table(a.table); a.table != "" && err == nil {
		for _, column := range slices.Sorted(maps.Keys(w.snap.Sees(w.as, t.Name))) {
			out = append(out, core.At{Table: t.Name, Column: column})
		}
		out = w.classed(out)
	}
	if st.id != "" {
		w.out[st.id] = join(w.out[st.id], out)
	}
	w.secret(st, join(key, out))
}

// call notes what a run of another flow returns, of which nothing is known: it may be anything.
func (w *tracing) call(st *step) {
	all := w.classed(w.values(st.values).all())
	var out []core.At
	for _, t := range w.snap.Schema.Tables() {
		for i := range t.Columns {
			out = append(out, core.At{Table: t.Name, Column: t.Columns[i].Name})
		}
	}
	out = w.classed(out)
	if st.id != "" {
		w.out[st.id] = join(w.out[st.id], out)
	}
	w.secret(st, join(all, out))
	if len(all) > 0 {
		w.found(st).refused = leaving(w.snap, all[0])
	}
}

// approval refuses to show people what carries a data class: who is asked may not be one who may read it.
func (w *tracing) approval(st *step) {
	all := w.classed(w.values(st.values).all())
	if v := st.await.timeout; v != nil {
		all = join(all, w.classed(w.value(v).all()))
	}
	w.secret(st, all)
	if len(all) > 0 {
		w.found(st).refused = shownToOthers(w.snap, all[0])
	}
}

func (w *tracing) masked(at core.At) bool {
	h, _ := w.snap.Handling(at.Table, at.Column, core.UseModel)
	return h == core.Mask
}

// literals are the texts among the values, by which an action is named tables and columns.
func literals(fields []field) core.Record {
	out := core.Record{}
	for _, f := range fields {
		if s, ok := f.value.literal.(string); ok {
			out[f.name] = s
		}
	}
	return out
}

func (w *tracing) values(fields []field) (o origin) {
	for _, f := range fields {
		o = o.and(w.value(f.value))
	}
	return o
}

func (w *tracing) value(v *value) (o origin) {
	if v.isExpr {
		o = w.expression(v.source)
		_, class := unlogged(w.snap, o.all())
		w.hidden[v] = class != ""
		return o
	}
	for _, item := range v.list {
		o = o.and(w.value(item))
	}
	return o.and(w.values(v.object))
}

// expression returns where the value of an expression, which was compiled before, comes from.
func (w *tracing) expression(source string) (o origin) {
	paths, err := rules.Paths(source)
	if err != nil {
		return origin{direct: w.columns("")} // nothing is known of it
	}
	for _, p := range paths {
		of, rest, _ := strings.Cut(p, ".")
		name, member, _ := strings.Cut(rest, ".")
		switch {
		case of == "trigger":
			switch name {
			case "record", "old":
				o.direct = join(o.direct, w.columns(member))
			case "records":
				o.direct = join(o.direct, w.columns(strings.TrimPrefix(strings.TrimPrefix(member, "[]"), ".")))
			case "":
				o.direct = join(o.direct, w.columns(""))
			}
		case of == "vars":
			o.kept = join(o.kept, some(w.vars, name))
		case of == "steps":
			o.kept = join(o.kept, some(w.out, name))
		case w.items[of].record:
			o.direct = join(o.direct, w.columns(name))
		default:
			o.kept = join(o.kept, w.items[of].from)
		}
	}
	return o
}

// columns returns the column of the trigger's records that the user sees and that carries a class; all of them for a path that leads to
// no column.
func (w *tracing) columns(path string) (out []core.At) {
	name, _, _ := strings.Cut(path, ".")
	for _, column := range slices.Sorted(maps.Keys(w.may)) {
		if name == "" || name == column {
			out = append(out, core.At{Table: w.table, Column: column})
		}
	}
	return w.classed(out)
}

func (w *tracing) classed(list []core.At) []core.At {
	return slices.DeleteFunc(list, func(at core.At) bool { return len(w.snap.Rules.Classes(at.Table, at.Column)) == 0 })
}

// some returns what is known under the name; everything without one.
func some(of map[string][]core.At, name string) (out []core.At) {
	if name != "" {
		return of[name]
	}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		out = join(out, of[key])
	}
	return out
}

// all are the columns, whatever way their values take.
func (o origin) all() []core.At { return join(o.direct, o.kept) }

func (o origin) and(other origin) origin {
	return origin{join(o.direct, other.direct), join(o.kept, other.kept)}
}

// join returns the columns of all lists, each once.
func join(lists ...[]core.At) (out []core.At) {
	for _, list := range lists {
		for _, at := range list {
			if !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	return out
}
