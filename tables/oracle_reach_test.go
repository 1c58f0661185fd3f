package tables

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// meant is an expression together with what it means, said in plain Go.
type meant struct {
	kind  core.Kind
	text  string
	eval  func(v *sight, at []core.Record) any // at[0] is the record of the expression, the others those that aggregates are over
	reads []mention
}

// mention is a column that an expression names.
type mention struct {
	table, column string
}

// reachingMeaning is a calculated column that reads other records.
type reachingMeaning struct {
	column core.Column
	means  meant
}

// sight reads records for somebody: with everything in sight, or as the caller may. What he may not read of the record and of
// those on its lookups makes the whole value a secret; in lists it is passed over.
type sight struct {
	o      *oracle
	all    bool
	secret bool
}

// shown reports whether the column by itself is visible to the caller in a record.
func (o *oracle) shown(table string, r core.Record, column string) bool {
	return slices.ContainsFunc(o.grantsOn(table), func(g authz.Grant) bool { return !slices.Contains(g.Hidden, column) && o.reaches(g, r) })
}

// round brings a value into the form of the column.
func (d *reachingMeaning) round(v any) any {
	if x, ok := v.(decimal.Decimal); ok {
		return x.Round(int32(d.column.Scale))
	}
	return v
}

// whole is the value of a column with everything in sight.
func (o *oracle) whole(table string, r core.Record, d *reachingMeaning) any {
	key := fmt.Sprint("whole ", table, r["id"], d.column.Name)
	if v, ok := o.known[key]; ok {
		return v
	}
	v := d.round(d.means.eval(&sight{o: o, all: true}, []core.Record{r}))
	o.known[key] = v
	return v
}

// reaching is the column as the caller sees it in a record, apart from whether he may see the column itself.
func (o *oracle) reaching(table string, r core.Record, d *reachingMeaning) any {
	if d.column.Rights == core.DefinerRights {
		return o.whole(table, r, d)
	}
	v := &sight{o: o}
	out := d.round(d.means.eval(v, []core.Record{r}))
	if v.secret {
		return nil
	}
	return out
}

// read is a column of a record; among says that the record is one of a list, or was reached from there.
func (v *sight) read(table string, r core.Record, column string, among bool) any {
	if r == nil {
		return nil
	}
	if among && !v.all {
		return v.o.value(table, r, column)
	}
	d := v.o.meanings[table+"."+column]
	if v.all {
		if d != nil {
			return v.o.whole(table, r, d)
		}
		return r[column]
	}
	if d == nil {
		for _, s := range v.o.secrets(table, column) {
			v.secret = v.secret || !v.o.shown(table, r, s)
		}
		return r[column]
	}
	v.secret = v.secret || !v.o.shown(table, r, column)
	if d.column.Rights == core.DefinerRights {
		return v.o.whole(table, r, d)
	}
	return d.round(d.means.eval(v, []core.Record{r}))
}

// follow returns the record that a lookup leads to.
func (v *sight) follow(table string, r core.Record, rel core.Relation, among bool) core.Record {
	to, which := v.read(table, r, rel.Column, among), any(nil)
	if rel.Which != "" {
		which = v.read(table, r, rel.Which, among)
	}
	if to == nil || rel.Which != "" && which != rel.Target {
		return nil
	}
	found := v.o.find(rel.Table, to)
	if v.all || found != nil && v.o.visible(rel.Table, found) {
		return found
	}
	v.secret = v.secret || !among
	return nil
}

// list returns the records that a relation to many leads to from r.
func (v *sight) list(r core.Record, rel core.Relation) (out []core.Record) {
	if r == nil {
		return nil
	}
	see := func(table string, r core.Record, column string) any { return v.read(table, r, column, true) }
	visible := func(table string, r core.Record) bool { return v.all || v.o.visible(table, r) }
	var linked []any
	if rel.Through != "" {
		for _, l := range v.o.rows[rel.Through] {
			if visible(rel.Through, l) && see(rel.Through, l, rel.Near) == r["id"] {
				linked = append(linked, see(rel.Through, l, rel.Column))
			}
		}
	}
	for _, c := range v.o.rows[rel.Table] {
		switch {
		case !visible(rel.Table, c):
		case rel.Through != "":
			if slices.Contains(linked, c["id"]) {
				out = append(out, c)
			}
		case see(rel.Table, c, rel.Column) == r["id"] && (rel.Which == "" || see(rel.Table, c, rel.Which) == rel.Target):
			out = append(out, c)
		}
	}
	return out
}

// below returns what a relation of a table to itself leads to, and what it leads to from there, without r.
func (v *sight) below(r core.Record, rel core.Relation) (out []core.Record) {
	seen := map[any]bool{}
	for next := v.list(r, rel); len(next) > 0; {
		c := next[0]
		if next = next[1:]; seen[c["id"]] {
			continue
		}
		seen[c["id"]] = true
		if c["id"] != r["id"] {
			out = append(out, c)
		}
		next = append(next, v.list(c, rel)...)
	}
	return out
}

func (o *oracle) find(table string, id any) core.Record {
	if i := slices.IndexFunc(o.rows[table], func(r core.Record) bool { return r["id"] == id }); i >= 0 {
		return o.rows[table][i]
	}
	return nil
}

// keep computes the stored columns that read other records, with everything in sight, and forgets what was found out before.
func (o *oracle) keep() {
	o.forget()
	for table, rows := range o.rows {
		for _, r := range rows {
			for _, c := range o.table(table).Columns {
				if d := o.meanings[table+"."+c.Name]; d != nil && c.Stored {
					r[c.Name] = o.whole(table, r, d)
				}
			}
		}
	}
}

func (o *oracle) forget() { o.known = map[string]any{} }

// speaker makes expressions that read other records.
type speaker struct {
	maker
	schema   *core.Schema
	meanings map[string]*reachingMeaning
	n        int // names given
}

// spot is a record of which an expression speaks.
type spot struct {
	table string
	name  string // with a dot behind; empty for the record of the expression
	at    int    // its place among the records
	among bool
	outer *spot
}

func (s *speaker) table(name string) *core.Table {
	t, err := s.schema.Table(name)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	spoken = []core.Kind{core.Integer, core.Decimal, core.Text, core.Boolean, core.Date}
	sizes  = map[core.Kind]string{core.Integer: "0", core.Decimal: "0.5", core.Text: "'?'", core.Boolean: "false"}
)

func constant(kind core.Kind) any {
	return map[core.Kind]any{core.Integer: int64(0), core.Decimal: decimal.New(5, -1), core.Text: "?", core.Boolean: false}[kind]
}

// term makes an expression of the kind about a record.
func (s *speaker) term(kind core.Kind, at *spot, depth int) meant {
	if depth == 0 || s.chance(0.15) {
		return s.column(kind, at)
	}
	switch s.IntN(7) {
	case 0, 1:
		if m, ok := s.up(kind, at, depth); ok {
			return m
		}
	case 2, 3, 4:
		if m, ok := s.aggregate(kind, at, depth); ok {
			return m
		}
	case 5:
		if _, ok := sizes[kind]; ok {
			m, otherwise := s.term(kind, at, depth-1), constant(kind)
			return meant{kind, "coalesce(" + m.text + ", " + sizes[kind] + ")", func(v *sight, r []core.Record) any {
				if x := m.eval(v, r); x != nil {
					return x
				}
				return otherwise
			}, m.reads}
		}
	}
	switch kind {
	case core.Integer, core.Decimal, core.Text:
		return adding(kind, s.term(kind, at, depth-1), s.term(kind, at, depth-1))
	case core.Boolean:
		return s.condition(at, depth-1)
	}
	return s.column(kind, at)
}

func adding(kind core.Kind, a, b meant) meant {
	return meant{kind, a.text + " + " + b.text, func(v *sight, r []core.Record) any {
		x, y := a.eval(v, r), b.eval(v, r)
		if x == nil || y == nil {
			return nil
		}
		switch x := x.(type) {
		case int64:
			return x + y.(int64)
		case decimal.Decimal:
			return x.Add(y.(decimal.Decimal))
		}
		return x.(string) + y.(string)
	}, slices.Concat(a.reads, b.reads)}
}

// condition compares something.
func (s *speaker) condition(at *spot, depth int) meant {
	kind := choose(s.maker, core.Integer, core.Decimal, core.Text)
	a := s.term(kind, at, depth)
	if s.chance(0.2) {
		return meant{core.Boolean, "isNull(" + a.text + ")", func(v *sight, r []core.Record) any { return a.eval(v, r) == nil }, a.reads}
	}
	b := meant{kind, sizes[kind], func(*sight, []core.Record) any { return constant(kind) }, nil}
	if s.chance(0.4) {
		b = s.term(kind, at, 0)
	}
	word := choose(s.maker, ">", "<=", "!=")
	return meant{core.Boolean, "(" + a.text + ") " + word + " (" + b.text + ")", func(v *sight, r []core.Record) any {
		x, y := a.eval(v, r), b.eval(v, r)
		if x == nil || y == nil {
			return nil
		}
		d := order(x, y)
		return word == ">" && d > 0 || word == "<=" && d <= 0 || word == "!=" && d != 0
	}, slices.Concat(a.reads, b.reads)}
}

// column names a column of the kind, of the record or of one around it.
func (s *speaker) column(kind core.Kind, at *spot) meant {
	for at.outer != nil && s.chance(0.2) {
		at = at.outer
	}
	var all []string
	for _, c := range s.table(at.table).Columns {
		if c.Kind == kind && c.Of == "" && !c.System && c.Name != "mine" {
			all = append(all, c.Name)
		}
	}
	name := choose(s.maker, all...)
	here := *at
	return meant{kind, here.name + name, func(v *sight, r []core.Record) any {
		return v.read(here.table, r[here.at], name, here.among)
	}, []mention{{here.table, name}}}
}

// track is a lookup, or several in a row.
type track struct {
	text  string
	table string
	reads []mention
	eval  func(v *sight, r []core.Record) core.Record
}

// lookups returns what the lookups of a table are called in expressions, and the relations that they make.
func (s *speaker) lookups(table string) map[string]core.Relation {
	out := map[string]core.Relation{}
	for _, r := range s.schema.Relations(table) {
		if _, err := s.schema.Table(r.Table); !r.Many && err == nil && !s.table(r.Table).Builtin {
			out[r.Name] = r
		}
	}
	for _, u := range s.schema.Unions(table) {
		for _, t := range u.Targets {
			out[u.Name+"."+t.Table] = core.Relation{Table: t.Table, Column: u.Column, Which: u.Which, Target: t.Value}
		}
	}
	return out
}

func (s *speaker) track(at *spot) (w track, ok bool) {
	here := *at
	w = track{text: here.name, table: here.table, eval: func(_ *sight, r []core.Record) core.Record { return r[here.at] }}
	for range 1 + s.IntN(2) {
		all := s.lookups(w.table)
		if len(all) == 0 {
			break
		}
		name := choose(s.maker, sortedKeys(all)...)
		rel, from, before := all[name], w.table, w.eval
		w.reads = append(w.reads, mention{from, rel.Column}, mention{rel.Table, "id"})
		if rel.Which != "" {
			w.reads = append(w.reads, mention{from, rel.Which})
		}
		w.text, w.table, ok = w.text+name+".", rel.Table, true
		w.eval = func(v *sight, r []core.Record) core.Record {
			if near := before(v, r); near != nil {
				return v.follow(from, near, rel, here.among)
			}
			return nil
		}
	}
	return w, ok
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// up reads a column of a record that lookups lead to.
func (s *speaker) up(kind core.Kind, at *spot, _ int) (meant, bool) {
	w, ok := s.track(at)
	if !ok {
		return meant{}, false
	}
	c := s.column(kind, &spot{table: w.table})
	name, among := c.reads[0].column, at.among
	return meant{kind, w.text + name, func(v *sight, r []core.Record) any {
		return v.read(w.table, w.eval(v, r), name, among)
	}, append(w.reads, mention{w.table, name})}, true
}

// lists returns what the relations to many of a table are called.
func (s *speaker) lists(table string) (out []core.Relation) {
	for _, r := range slices.Concat(s.schema.Relations(table), s.schema.Links(table)) {
		if r.Many && !s.table(r.Table).Builtin {
			out = append(out, r)
		}
	}
	return out
}

// aggregate makes a value of several records.
func (s *speaker) aggregate(kind core.Kind, at *spot, depth int) (meant, bool) {
	from := track{text: at.name, table: at.table, eval: func(_ *sight, r []core.Record) core.Record { return r[at.at] }}
	if s.chance(0.25) {
		if w, ok := s.track(at); ok {
			from = w
		}
	}
	lists := s.lists(from.table)
	if len(lists) == 0 {
		return meant{}, false
	}
	rel := choose(s.maker, lists...)
	reads := append(slices.Clone(from.reads), mention{rel.Table, "id"})
	if rel.Through != "" {
		reads = append(reads, mention{rel.Through, rel.Column}, mention{rel.Through, rel.Near})
	} else {
		reads = append(reads, mention{rel.Table, rel.Column})
	}
	if rel.Which != "" {
		reads = append(reads, mention{rel.Table, rel.Which})
	}
	list := func(v *sight, r []core.Record) []core.Record { return v.list(from.eval(v, r), rel) }
	text := from.text + rel.Name
	if rel.Table == from.table && rel.Through == "" && rel.Which == "" && s.chance(0.6) {
		text = "descendants(" + text + ")"
		list = func(v *sight, r []core.Record) []core.Record {
			if near := from.eval(v, r); near != nil {
				return v.below(near, rel)
			}
			return nil
		}
	}
	s.n++
	name := fmt.Sprint("x", s.n)
	inner := &spot{table: rel.Table, name: name + ".", at: at.at + 1, among: true, outer: at}
	a := totalling{from: from.eval, list: list}
	take := func(m meant) string { reads = append(reads, m.reads...); return m.text }
	args := []string{name}
	switch function := choose(s.maker, functionsOf[kind]...); function {
	case "count":
		a.function = function
	case "exists", "all":
		a.function, a.value = function, s.condition(inner, depth-1)
		args = append(args, take(a.value))
	case "countDistinct":
		a.function, a.value = function, s.term(choose(s.maker, spoken...), inner, depth-1)
		args = append(args, take(a.value))
	case "first", "last":
		a.function, a.value, a.by = function, s.term(kind, inner, depth-1), s.term(choose(s.maker, core.Integer, core.Text, core.Date), inner, depth-1)
		args = append(args, take(a.value), take(a.by))
	default:
		of := kind
		if function == "avg" {
			of = choose(s.maker, core.Integer, core.Decimal)
		}
		a.function, a.value = function, s.term(of, inner, depth-1)
		args = append(args, take(a.value))
	}
	if a.function != "exists" && a.function != "all" && s.chance(0.5) {
		where := s.condition(inner, depth-1)
		if s.chance(0.4) {
			where = s.term(core.Boolean, inner, 0)
		}
		a.where = &where
		args = append(args, take(where))
	}
	if len(args) == 1 {
		args = nil
	}
	return meant{kind, text + "." + a.function + "(" + strings.Join(args, ", ") + ")", a.eval, reads}, true
}

var functionsOf = map[core.Kind][]string{
	core.Integer: {"count", "countDistinct", "sum", "sum", "min", "max", "first", "last"}, core.Decimal: {"sum", "sum", "avg", "min", "max", "first"},
	core.Text: {"min", "max", "first", "last"}, core.Boolean: {"exists", "all", "first"}, core.Date: {"min", "max", "first", "last"},
}

// totalling is what an aggregate does.
type totalling struct {
	function  string
	from      func(v *sight, r []core.Record) core.Record
	list      func(v *sight, r []core.Record) []core.Record
	value, by meant
	where     *meant
}

func (a *totalling) eval(v *sight, r []core.Record) any {
	a.touch(v, r)
	if a.from(v, r) == nil {
		return nil
	}
	type entry struct{ value, by, id any }
	var all []entry
	records := a.list(v, r)
	for _, c := range records {
		at := append(slices.Clone(r), c)
		if a.where != nil && a.where.eval(v, at) != true {
			continue
		}
		e := entry{id: c["id"], value: true}
		if a.value.eval != nil {
			e.value = a.value.eval(v, at)
		}
		if a.by.eval != nil {
			if e.by = a.by.eval(v, at); e.by == nil {
				continue
			}
		}
		if e.value != nil {
			all = append(all, e)
		}
	}
	var values []any
	for _, e := range all {
		values = append(values, e.value)
	}
	switch a.function {
	case "count":
		return int64(len(all))
	case "countDistinct":
		seen := map[string]bool{}
		for _, x := range values {
			seen[asText(x)] = true
		}
		return int64(len(seen))
	case "exists":
		return slices.Contains(values, true)
	case "all":
		return len(records) == len(values) && !slices.Contains(values, false)
	case "sum", "avg":
		return a.number(values)
	}
	if len(all) == 0 {
		return nil
	}
	switch a.function {
	case "min":
		return slices.MinFunc(values, order)
	case "max":
		return slices.MaxFunc(values, order)
	}
	slices.SortFunc(all, func(x, y entry) int {
		if d := order(x.by, y.by); d != 0 {
			return d
		}
		return order(x.id, y.id)
	})
	if a.function == "first" {
		return all[0].value
	}
	return all[len(all)-1].value
}

// touch evaluates the parts over no record, so that what they read of the records around is a secret where there is none, too.
func (a *totalling) touch(v *sight, r []core.Record) {
	at := append(slices.Clone(r), nil)
	for _, m := range []*meant{&a.value, &a.by, a.where} {
		if m != nil && m.eval != nil {
			m.eval(v, at)
		}
	}
}

func asText(v any) string {
	if d, ok := v.(decimal.Decimal); ok {
		return d.StringFixed(30)
	}
	if t, ok := v.(time.Time); ok {
		return t.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

func (a *totalling) number(values []any) any {
	if a.value.kind == core.Integer && a.function == "sum" {
		n := int64(0)
		for _, x := range values {
			n += x.(int64)
		}
		return n
	}
	sum := decimal.Zero
	for _, x := range values {
		if n, ok := x.(int64); ok {
			x = decimal.NewFromInt(n)
		}
		sum = sum.Add(x.(decimal.Decimal))
	}
	if a.function == "sum" {
		return sum
	}
	if len(values) == 0 {
		return nil
	}
	return sum.DivRound(decimal.NewFromInt(int64(len(values))), 20)
}

// add gives the tables calculated columns that read other records. What does not compile (circles cannot be) is left out.
func (s *speaker) add(tables []core.Table, build func([]core.Table) *core.Schema) ([]core.Table, *core.Schema) {
	s.schema = build(tables)
	for range 3 + s.IntN(6) {
		i := s.IntN(len(tables))
		kind := choose(s.maker, spoken...)
		m := s.term(kind, &spot{table: tables[i].Name}, 3)
		s.n++
		c := core.Column{Name: fmt.Sprint("r", s.n), Kind: kind, Formula: m.text, Stored: s.chance(0.5)}
		if kind == core.Decimal {
			c.Precision, c.Scale = 30, 4
		}
		if s.chance(0.25) {
			c.Rights = core.DefinerRights
		}
		next := slices.Clone(tables)
		next[i].Columns = append(slices.Clone(next[i].Columns), c)
		schema := build(next)
		set, err := rules.NewSet(schema)
		if err != nil {
			if !strings.Contains(err.Error(), "too large") {
				panic(fmt.Sprint(err, ": ", m.text))
			}
			continue
		}
		if !set.Reaches(next[i].Name, c.Name) {
			continue
		}
		tables, s.schema = next, schema
		s.meanings[next[i].Name+"."+c.Name] = &reachingMeaning{c, m}
	}
	return tables, s.schema
}
