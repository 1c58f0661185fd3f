package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// oracle answers queries naively, in plain Go over records in memory. It shares nothing with the compiler but the
// schema, the formulas and the conditions of grants.
type oracle struct {
	schema *core.Schema
	rules  *rules.Set
	grants []authz.Grant // of the caller, to read
	caller core.Caller
	places map[string]standing      // of roles that count from elsewhere than the caller's unit
	rows   map[string][]core.Record // with the calculated columns

	conditions map[string]*rules.Expr
	meanings   map[string]*reachingMeaning // of calculated columns that read other records, by table and column
	meant      map[string]meant            // of conditions of grants that do
	known      map[string]any              // what was found out about the rows
}

func (o *oracle) table(name string) *core.Table {
	t, err := o.schema.Table(name)
	if err != nil {
		panic(err)
	}
	return t
}

func (o *oracle) grantsOn(table string) []authz.Grant {
	return slices.DeleteFunc(slices.Clone(o.grants), func(g authz.Grant) bool { return g.Table != table })
}

// calculate fills in the calculated columns.
func (o *oracle) calculate(table string, r core.Record) core.Record {
	if err := o.rules.Calculate(table, r, o.caller, nil); err != nil {
		panic(err)
	}
	return r
}

func (o *oracle) reaches(g authz.Grant, r core.Record) bool {
	in := g.Level == authz.Organization
	if !in {
		owner, unit := core.ID(r["owner_id"].(string)), core.ID(r["unit_id"].(string))
		from, elsewhere := o.places[g.Role]
		if !elsewhere {
			from = standing{units: []core.ID{o.caller.Unit}}
		}
		in = slices.Contains(o.caller.Teams, owner) || owner == o.caller.User && !from.apart
		in = in || g.Level == authz.Unit && slices.Contains(from.units, unit)
		in = in || g.Level == authz.UnitBelow && slices.ContainsFunc(from.units, func(top core.ID) bool { return unit == top || top == world.here && unit == world.below })
	}
	if !in || g.Condition == "" {
		return in
	}
	key := g.Table + " " + g.Condition
	if m, ok := o.meant[key]; ok {
		return m.eval(&sight{o: o, all: true}, []core.Record{r}) == true
	}
	e := o.conditions[key]
	if e == nil {
		var err error
		if e, err = rules.Compile(nil, o.table(g.Table), g.Condition, rules.Options{}); err != nil {
			panic(err)
		}
		o.conditions[key] = e
	}
	ok, err := e.True(r, nil, o.caller, nil)
	if err != nil {
		panic(err)
	}
	return ok
}

func (o *oracle) visible(table string, r core.Record) bool {
	key := fmt.Sprint("visible ", table, r["id"])
	if known, ok := o.known[key]; ok {
		return known.(bool)
	}
	visible := slices.ContainsFunc(o.grantsOn(table), func(g authz.Grant) bool { return o.reaches(g, r) })
	o.known[key] = visible
	return visible
}

// secrets are the columns of the record whose visibility decides about that of the column.
func (o *oracle) secrets(table, column string) []string {
	out := []string{column}
	if c, _ := o.table(table).Column(column); c.Formula != "" && o.meanings[table+"."+column] == nil {
		for _, r := range o.rules.Reads(table, column) {
			out = append(out, r.Column)
		}
	}
	return out
}

// nameable reports whether the caller may name the column in a query.
func (o *oracle) nameable(table, column string) bool {
	for _, s := range o.secrets(table, column) {
		if !slices.ContainsFunc(o.grantsOn(table), func(g authz.Grant) bool { return !slices.Contains(g.Hidden, s) }) {
			return false
		}
	}
	d := o.meanings[table+"."+column]
	return d == nil || d.column.Rights == core.DefinerRights || !slices.ContainsFunc(d.means.reads, func(n mention) bool { return !o.nameable(n.table, n.column) })
}

// value is what the caller sees in the column of a visible record.
func (o *oracle) value(table string, r core.Record, column string) any {
	key := fmt.Sprint("value ", table, r["id"], column)
	if known, ok := o.known[key]; ok {
		return known
	}
	v := o.look(table, r, column)
	o.known[key] = v
	return v
}

func (o *oracle) look(table string, r core.Record, column string) any {
	for _, s := range o.secrets(table, column) {
		if !slices.ContainsFunc(o.grantsOn(table), func(g authz.Grant) bool { return !slices.Contains(g.Hidden, s) && o.reaches(g, r) }) {
			return nil
		}
	}
	if d := o.meanings[table+"."+column]; d != nil {
		if !o.nameable(table, column) {
			return nil
		}
		return o.reaching(table, r, d)
	}
	return r[column]
}

// related returns the visible records that the relation leads to.
func (o *oracle) related(table string, r core.Record, rel core.Relation) []core.Record {
	v := &sight{o: o}
	if rel.Many {
		return v.list(r, rel)
	}
	if to := v.follow(table, r, rel, true); to != nil {
		return []core.Record{to}
	}
	return nil
}

// relation returns the relation of that name, of a lookup of several tables the one that leads to the target.
func (o *oracle) relation(table, name, target string) core.Relation {
	if target == "" {
		rel, _ := o.schema.Relation(table, name)
		return rel
	}
	u, _ := o.schema.Union(table, name)
	i := slices.IndexFunc(u.Targets, func(t core.Target) bool { return t.Table == target })
	return core.Relation{Table: target, Column: u.Column, Which: u.Which, Target: u.Targets[i].Value}
}

// truth is a value of three-valued logic.
type truth int

const (
	no truth = iota - 1
	unknown
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (o *oracle) holds(table string, r core.Record, c Cond) truth {
	switch c := c.(type) {
	case nil:
		return yes
	case And:
		out := yes
		for _, part := range c {
			out = min(out, o.holds(table, r, part))
		}
		return out
	case Or:
		out := no
		for _, part := range c {
			out = max(out, o.holds(table, r, part))
		}
		return out
	case Not:
		return -o.holds(table, r, c.Cond)
	case Related:
		rel := o.relation(table, c.Relation, c.Target)
		for _, other := range o.related(table, r, rel) {
			if o.holds(rel.Table, other, c.Where) == yes {
				return yes
			}
		}
		return no
	case Compare:
		return o.compare(table, r, c)
	}
	panic(fmt.Sprintf("%T", c))
}

func (o *oracle) compare(table string, r core.Record, c Compare) truth {
	v := o.value(table, r, c.Column)
	if c.Op == IsNull {
		return is((v == nil) == c.Value.(bool))
	}
	if c.Op == ContainsAll || c.Op == ContainedIn || c.Op == HasAny { // NULL is like no value
		have, _ := v.([]string)
		return includes(have, c)
	}
	if v == nil {
		if list, ok := c.Value.([]any); ok && len(list) == 0 { // no value is in an empty list
			return is(c.Op == NotIn)
		}
		return unknown
	}
	against := func(x any) int { return order(v, x) }
	switch c.Op {
	case Eq:
		return is(against(c.Value) == 0)
	case NotEq:
		return is(against(c.Value) != 0)
	case Gt:
		return is(against(c.Value) > 0)
	case Gte:
		return is(against(c.Value) >= 0)
	case Lt:
		return is(against(c.Value) < 0)
	case Lte:
		return is(against(c.Value) <= 0)
	case In, NotIn:
		in := slices.ContainsFunc(c.Value.([]any), func(x any) bool { return against(x) == 0 })
		return is(in == (c.Op == In))
	case Between:
		list := c.Value.([]any)
		return is(against(list[0]) >= 0 && against(list[1]) <= 0)
	case StartsWith:
		return is(strings.HasPrefix(v.(string), c.Value.(string)))
	case Like, NotLike, ILike, NotILike:
		return is(likes(v.(string), c.Value.(string), c.Op == ILike || c.Op == NotILike) == (c.Op == Like || c.Op == ILike))
	}
	panic(c.Op)
}

func includes(have []string, c Compare) truth {
	want := map[string]bool{}
	for _, v := range c.Value.([]any) {
		want[v.(string)] = true
	}
	n := 0
	for _, v := range have {
		if want[v] {
			n++
		}
	}
	switch c.Op {
	case ContainsAll:
		return is(n == len(want))
	case ContainedIn:
		return is(n == len(have))
	}
	return is(n > 0)
}

func likes(s, pattern string, fold bool) bool {
	var re strings.Builder
	re.WriteString("(?s)^")
	if fold {
		re.WriteString("(?i)")
	}
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '%':
			re.WriteString(".*")
		case pattern[i] == '_':
			re.WriteString(".")
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	return regexp.MustCompile(re.String() + "$").MatchString(s)
}

// order compares two values of one kind.
func order(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case decimal.Decimal:
		return a.Cmp(b.(decimal.Decimal))
	case time.Time:
		return a.Compare(b.(time.Time))
	case bool:
		if a == b.(bool) {
			return 0
		}
		if a {
			return 1
		}
		return -1
	case core.CivilTime:
		return cmp.Compare(a, b.(core.CivilTime))
	case core.Span:
		return cmp.Compare(a, b.(core.Span))
	case json.RawMessage:
		return strings.Compare(string(a), string(b.(json.RawMessage)))
	case []string:
		return slices.Compare(a, b.([]string))
	}
	panic(fmt.Sprintf("%T", a))
}

// sortKey is the value of a term of an order.
func (o *oracle) sortKey(table string, r core.Record, t Order) any {
	for _, name := range t.Relation {
		rel, _ := o.schema.Relation(table, name)
		to := o.related(table, r, rel)
		if len(to) == 0 {
			return nil
		}
		table, r = rel.Table, to[0]
	}
	v := o.value(table, r, t.Column)
	if c, ok := o.table(table).Column(t.Column); ok && v != nil && c.HasOrder() {
		i := slices.IndexFunc(c.Options, func(o core.Option) bool { return o.Value == v })
		return int64(i)
	}
	return v
}

// pick returns the records that q selects from the candidates, in order.
func (o *oracle) pick(q *Query, from []core.Record, limit int) []core.Record {
	var out []core.Record
	for _, r := range from {
		if o.visible(q.Table, r) && o.holds(q.Table, r, q.Where) == yes {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b core.Record) int {
		for _, t := range q.Order {
			x, y := o.sortKey(q.Table, a, t), o.sortKey(q.Table, b, t)
			first := t.Desc
			if t.NullsSet {
				first = t.NullsFirst
			}
			switch {
			case x == nil && y == nil:
				continue
			case x == nil:
				return pick(first, -1, 1)
			case y == nil:
				return pick(first, 1, -1)
			}
			if d := order(x, y); d != 0 {
				return pick(t.Desc, -d, d)
			}
		}
		return strings.Compare(a["id"].(string), b["id"].(string))
	})
	out = out[min(q.Offset, len(out)):]
	if limit != NoLimit {
		out = out[:min(limit, len(out))]
	}
	return out
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// answer returns the answer to q over the candidates.
func (o *oracle) answer(q *Query, from []core.Record) any {
	switch {
	case q.Form == Aggregate:
		return o.aggregate(q, from)
	case q.Form == One:
		if found := o.pick(q, from, 1); len(found) > 0 {
			return o.object(q, found[0])
		}
		return nil
	}
	limit := q.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	out := []any{}
	for _, r := range o.pick(q, from, limit) {
		out = append(out, o.object(q, r))
	}
	return out
}

func (o *oracle) object(q *Query, r core.Record) any {
	out := map[string]any{}
	for _, f := range q.Fields {
		switch {
		case f.Text != "":
			out[f.As] = f.Text
		case f.Union != nil:
			out[f.As] = nil
			for _, sub := range f.Union {
				if of := o.related(q.Table, r, o.relation(q.Table, f.Relation, sub.Table)); len(of) > 0 {
					sub.Form = One
					out[f.As] = o.answer(&sub, of)
				}
			}
		case f.Query != nil:
			rel, _ := o.schema.Relation(q.Table, f.Relation)
			sub := *f.Query
			sub.Table = rel.Table
			if !rel.Many {
				sub.Form = One
			}
			out[f.As] = o.answer(&sub, o.related(q.Table, r, rel))
		case f.Group != nil:
			out[f.As] = o.object(&Query{Table: q.Table, Fields: f.Group}, r)
		default:
			c, _ := o.table(q.Table).Column(f.Column)
			out[f.As] = parsed(c.AppendJSON(nil, o.value(q.Table, r, f.Column)))
		}
	}
	return out
}

func (o *oracle) aggregate(q *Query, from []core.Record) any {
	limit := q.Limit
	if limit == 0 {
		limit = NoLimit
	}
	return o.functions(q, q.Fields, o.pick(q, from, limit), from)
}

func (o *oracle) functions(q *Query, fields []Field, rows, from []core.Record) any {
	out := map[string]any{}
	for _, f := range fields {
		switch {
		case f.Text != "":
			out[f.As] = f.Text
		case f.Group != nil:
			out[f.As] = o.functions(q, f.Group, rows, from)
		case f.Query != nil:
			nodes := *q
			nodes.Form, nodes.Fields = List, f.Query.Fields
			out[f.As] = o.answer(&nodes, from)
		default:
			out[f.As] = o.function(q.Table, f, rows)
		}
	}
	return out
}

func (o *oracle) function(table string, f Field, rows []core.Record) any {
	if f.Func == "count" {
		return json.Number(fmt.Sprint(o.count(table, f, rows)))
	}
	var values []any
	for _, r := range rows {
		if v := o.value(table, r, f.Column); v != nil {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil
	}
	c, _ := o.table(table).Column(f.Column)
	switch f.Func {
	case "min":
		return parsed(c.AppendJSON(nil, slices.MinFunc(values, order)))
	case "max":
		return parsed(c.AppendJSON(nil, slices.MaxFunc(values, order)))
	}
	if c.Kind == core.Duration {
		return spanOf(f.Func, values)
	}
	sum := new(big.Rat)
	for _, v := range values {
		x, ok := new(big.Rat).SetString(string(core.AppendValue(nil, v)))
		if !ok {
			panic(v)
		}
		sum.Add(sum, x)
	}
	if f.Func == "avg" {
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
		x, _ := sum.Float64()
		return json.Number(core.AppendFloat(nil, x))
	}
	return json.Number(sum.FloatString(6))
}

// spanOf is the sum or the average of durations, which is rounded half away from zero.
func spanOf(function string, values []any) any {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetInt64(int64(v.(core.Span))))
	}
	if function == "avg" {
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
	}
	us, err := strconv.ParseInt(sum.FloatString(0), 10, 64)
	if err != nil {
		panic(err)
	}
	return core.Span(us).String()
}

func (o *oracle) count(table string, f Field, rows []core.Record) int {
	n := 0
	seen := map[string]bool{}
	for _, r := range rows {
		some := len(f.Columns) == 0
		for _, name := range f.Columns {
			if v := o.value(table, r, name); v != nil {
				some = true
				seen[string(core.AppendValue(nil, v))] = true
			}
		}
		if some {
			n++
		}
	}
	if f.Distinct {
		return len(seen)
	}
	return n
}

func parsed(raw []byte) any {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("%v: %s", err, raw))
	}
	return v
}

// agree compares answers; numbers by value.
func agree(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, err := decimal.NewFromString(string(a))
		y, err2 := decimal.NewFromString(string(b))
		if err != nil || err2 != nil {
			return false
		}
		return x.Equal(y) || x.Sub(y).Abs().Cmp(x.Abs().Mul(decimal.New(1, -13))) < 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, agree)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, ok := b[k]; !ok || !agree(v, other) {
				return false
			}
		}
		return true
	}
	return a == b
}

// A maker makes random cases.
type maker struct{ *rand.Rand }

func (m maker) chance(p float64) bool { return m.Float64() < p }

func choose[T any](m maker, of ...T) T { return of[m.IntN(len(of))] }

func subset[T any](m maker, of []T, p float64) []T {
	return slices.DeleteFunc(slices.Clone(of), func(T) bool { return !m.chance(p) })
}

// columns are all kinds and formulas; those that others read are always there.
var oracleColumns = []core.Column{
	{Name: "s", Kind: core.Text}, {Name: "n", Kind: core.Integer}, {Name: "d", Kind: core.Decimal, Precision: 10, Scale: 2},
	{Name: "b", Kind: core.Boolean}, {Name: "day", Kind: core.Date},
	{Name: "l", Kind: core.LongText}, {Name: "f", Kind: core.Float}, {Name: "moment", Kind: core.Timestamp}, {Name: "u", Kind: core.UUID},
	{Name: "opens", Kind: core.DateTime}, {Name: "length", Kind: core.Duration},
	{Name: "c", Kind: core.Choice, Options: []core.Option{{Value: "red"}, {Value: "green"}, {Value: "Blue"}}}, {Name: "j", Kind: core.JSON},
	{Name: "many", Kind: core.Choices, Options: []core.Option{{Value: "red"}, {Value: "green"}, {Value: "Blue"}, {Value: `"q"`}}},
	{Name: "stage", Kind: core.Status, Options: []core.Option{{Value: "new", State: "open", Next: []string{"won", "lost"}}, {Value: "won", State: "closed"}, {Value: "lost", State: "closed", Next: []string{"new"}}}},
	{Name: "no", Kind: core.Autonumber, Template: "N{SEQ:4}"},
	{Name: "next_n", Kind: core.Integer, Formula: "n + 1"}, {Name: "twice", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "d * 2.0"},
	{Name: "loud", Kind: core.Text, Formula: `s + "!"`}, {Name: "big", Kind: core.Boolean, Formula: "n > 2 && d > 1.0"},
	{Name: "label", Kind: core.Text, Formula: `coalesce(loud, "none") + string(next_n)`}, {Name: "later", Kind: core.Date, Formula: "addDays(day, 3)"},
	{Name: "mine", Kind: core.Boolean, Formula: `s == caller.user || n > 3`}, {Name: "half", Kind: core.Float, Formula: "n * 2.5"},
}

const alwaysThere = 5

func (m maker) schema() (*core.Schema, map[string]*reachingMeaning) {
	names := []string{"alpha", "beta", "gamma", "delta"}[:2+m.IntN(3)]
	var tables []core.Table
	for _, name := range names {
		t := core.Table{Name: name, Ownership: choose(m, core.UserOwned, core.UserOwned, core.OrgOwned)}
		t.Columns = append(t.Columns, oracleColumns[:alwaysThere]...)
		for _, c := range subset(m, oracleColumns[alwaysThere:], 0.7) {
			if c.Name == "label" && !(slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Name == "loud" }) && slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Name == "next_n" })) {
				continue
			}
			t.Columns = append(t.Columns, c)
		}
		for i := range 1 + m.IntN(2) {
			t.Columns = append(t.Columns, core.Column{
				Name: fmt.Sprintf("to%d_id", i), Kind: core.Lookup, Target: choose(m, names...),
				Inverse: fmt.Sprintf("from_%s%d", name, i), OnDelete: core.SetNull,
			})
		}
		if m.chance(0.5) {
			t.Columns = append(t.Columns, m.anyLookup(name, names)...)
		}
		tables = append(tables, t)
	}
	if m.chance(0.6) {
		tables = append(tables, m.links(names))
	}
	s := speaker{maker: m, meanings: map[string]*reachingMeaning{}}
	_, schema := s.add(tables, func(tables []core.Table) *core.Schema {
		schema, err := core.NewSchema(1, append(authz.Tables(), tables...)...)
		if err != nil {
			panic(err)
		}
		return schema
	})
	return schema, s.meanings
}

// anyLookup is a lookup of several tables, and the column that says which.
func (m maker) anyLookup(table string, names []string) []core.Column {
	targets := names[:1+m.IntN(len(names))]
	of := core.Column{Name: "about_table", Kind: core.Choice, Of: "about_id"}
	for _, name := range targets {
		of.Options = append(of.Options, core.Option{Value: name})
	}
	return []core.Column{{Name: "about_id", Kind: core.AnyLookup, Targets: targets, Inverse: "said_by_" + table, OnDelete: core.SetNull}, of}
}

// links is a table that joins many with many.
func (m maker) links(names []string) core.Table {
	end := func(name string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: choose(m, names...), Required: true, OnDelete: core.Cascade}
	}
	columns := append([]core.Column{end("left_id"), end("right_id")}, oracleColumns[:alwaysThere]...)
	return core.Table{Name: "bond", Ownership: core.OrgOwned, Columns: columns, Keys: []core.Key{{Name: pairKey, Columns: []string{"left_id", "right_id"}}},
		Link: &core.Link{From: core.LinkEnd{Column: "left_id", Field: "rights"}, To: core.LinkEnd{Column: "right_id", Field: "lefts"}}}
}

func userTables(s *core.Schema) []*core.Table {
	return slices.DeleteFunc(slices.Clone(s.Tables()), func(t *core.Table) bool { return t.Builtin })
}

// value returns a random value of the column, from few, so that they meet.
func (m maker) value(c *core.Column) any {
	switch c.Kind {
	case core.Text, core.LongText:
		return choose[any](m, "a", "A", "b", "ab", "a_b", "b%", "", "z!", `back\slash`)
	case core.Integer:
		return int64(m.IntN(6) - 1)
	case core.Decimal:
		return decimal.New(int64(choose(m, 0, 50, 100, 150, 1000, -250)), -2)
	case core.Float:
		return choose[any](m, 0.0, 0.25, 1.5, 2.0, -3.0)
	case core.Boolean:
		return m.chance(0.5)
	case core.Date:
		return time.Date(2024, 2, 27+m.IntN(4), 0, 0, 0, 0, time.UTC)
	case core.Timestamp:
		return time.Date(2024, 2, 28, 12, m.IntN(3), 0, 1000*m.IntN(2), time.UTC)
	case core.DateTime:
		return core.CivilTimeOf(time.Date(2024, 2, 28, 12, m.IntN(3), 0, 1000*m.IntN(2), time.UTC))
	case core.Duration:
		return choose[any](m, core.Span(0), core.Hour, 90*core.Minute, -core.Second, core.Day, core.Microsecond)
	case core.UUID:
		return fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", m.IntN(4))
	case core.Autonumber:
		return fmt.Sprintf("N%04d", m.IntN(10000))
	case core.Choice, core.Status:
		return choose(m, c.Options...).Value
	case core.Choices:
		var out []string
		for _, o := range append(subset(m, c.Options, 0.4), choose(m, c.Options...)) {
			out = append(out, o.Value)
		}
		slices.Sort(out)
		return slices.Compact(out)
	case core.JSON:
		return choose[any](m, json.RawMessage(`{"a":1}`), json.RawMessage(`[1,"x"]`), json.RawMessage(`"t"`))
	}
	panic(c.Kind)
}

type people struct {
	me, team, other   core.ID
	here, below, away core.ID
}

var world = people{core.NewID(), core.NewID(), core.NewID(), core.NewID(), core.NewID(), core.NewID()}

// standing is where a role counts from.
type standing struct {
	units []core.ID
	apart bool // own are the records of the team only
}

// places gives some of the roles another place.
func (m maker) places(roles []string) map[string]standing {
	out := map[string]standing{}
	for _, r := range roles {
		if m.chance(0.3) {
			out[r] = standing{subset(m, []core.ID{world.here, world.below, world.away}, 0.5), m.chance(0.3)}
		}
	}
	return out
}

func (p people) caller(roles []string, places map[string]standing) core.Caller {
	c := core.Caller{User: p.me, Unit: p.here, Below: []core.ID{p.below, p.here}, Teams: []core.ID{p.team}, Roles: roles}
	for _, r := range roles {
		from, ok := places[r]
		if !ok {
			continue
		}
		b := core.Basis{Roles: []string{r}, Owners: []core.ID{p.me, p.team}, Units: from.units, Below: slices.Clone(from.units)}
		if from.apart {
			b.Owners = []core.ID{p.team}
		}
		if slices.Contains(from.units, p.here) && !slices.Contains(from.units, p.below) {
			b.Below = append(b.Below, p.below)
		}
		c.Bases = append(c.Bases, b)
	}
	return c
}

func (m maker) record(t *core.Table, all map[string][]core.Record) core.Record {
	r := core.Record{}
	for c := range t.Stored {
		switch {
		case c.Name == "id":
			r["id"] = string(core.NewID())
		case c.Name == "owner_id":
			r[c.Name] = string(choose(m, world.me, world.team, world.other, world.other))
		case c.Name == "unit_id":
			r[c.Name] = string(choose(m, world.here, world.below, world.away, world.away))
		case c.Name == "version":
			r[c.Name] = int64(1)
		case c.Kind == core.Timestamp && c.System:
			r[c.Name] = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		case c.System:
			r[c.Name] = string(world.other)
		case c.Calculated() || c.Of != "": // see oracle.keep, and below
		case m.chance(0.2) && !c.Required:
			r[c.Name] = nil
		case c.Kind == core.AnyLookup:
			target := choose(m, c.Targets...)
			r[c.Name] = m.lookup(&core.Column{Target: target}, all)
			if of, _ := t.TargetColumn(c); r[c.Name] != nil {
				r[of.Name] = of.Options[slices.Index(c.Targets, target)].Value
			}
		case c.Kind == core.Lookup:
			r[c.Name] = m.lookup(c, all)
		default:
			r[c.Name] = m.value(c)
		}
	}
	return r
}

func (m maker) lookup(c *core.Column, all map[string][]core.Record) any {
	if to := all[c.Target]; len(to) > 0 {
		return choose(m, to...)["id"]
	}
	return nil
}

// rows returns records of every table. Those that are made later may look up those that were made earlier.
func (m maker) rows(s *core.Schema) map[string][]core.Record {
	out := map[string][]core.Record{}
	for range 2 {
		for _, t := range userTables(s) {
			for range m.IntN(7) {
				if r := m.record(t, out); linksTwo(t, r) {
					out[t.Name] = append(out[t.Name], r)
				}
			}
		}
	}
	return out
}

// linksTwo reports whether a record has what is required of it.
func linksTwo(t *core.Table, r core.Record) bool {
	return t.Link == nil || r[t.Link.From.Column] != nil && r[t.Link.To.Column] != nil
}

// grants returns what the roles give, all of it to read, and what those of their conditions mean that read other records.
func (m maker) grants(s *core.Schema, meanings map[string]*reachingMeaning, roles []string) ([]authz.Grant, map[string]meant) {
	var out []authz.Grant
	means := map[string]meant{}
	speak := speaker{maker: m, schema: s, meanings: meanings}
	for _, t := range userTables(s) {
		conditions := []string{"", "", "n > 1", `s == "a" || s == "b"`, "b", "!b || n < 3", "d >= 1.0 // dear", `day > date("2024-02-27")`, `s in ["a", "ab"] && n != 2`, "version == 1 && n > 0"}
		if _, ok := t.Column("to0_id"); ok {
			conditions = append(conditions, "isNull(to0_id)")
		}
		for range 3 {
			x := speak.term(core.Boolean, &spot{table: t.Name}, 2)
			if _, err := rules.Compile(s, t, x.text, rules.Options{}); err == nil { // and not too large
				conditions = append(conditions, x.text)
				means[t.Name+" "+x.text] = x
			}
		}
		for _, c := range t.Columns {
			switch c.Name {
			case "big", "mine":
				conditions = append(conditions, c.Name)
			case "many":
				conditions = append(conditions, `"red" in many`, `!("green" in many) || size(many) > 2`)
			case "stage":
				conditions = append(conditions, `stage_state == "open"`, `"won" in stage_next`)
			}
		}
		for _, role := range roles {
			if m.chance(0.25) {
				continue
			}
			g := authz.Grant{Role: role, Table: t.Name, Privilege: authz.Read, Level: authz.Organization, Condition: choose(m, conditions...)}
			if t.Owned() {
				g.Level = choose(m, authz.Own, authz.Unit, authz.UnitBelow, authz.Organization)
			}
			for _, c := range t.Columns {
				if c.Name != "id" && m.chance(0.2) {
					g.Hidden = append(g.Hidden, c.Name)
				}
			}
			out = append(out, g)
		}
	}
	return out, means
}

// data is the grants as the policy is made of them.
func policyData(roles []string, grants []authz.Grant) *authz.Data {
	d := &authz.Data{Units: []authz.BusinessUnit{{ID: core.RootUnit, Name: "all"}}, Roles: []authz.Role{{ID: core.NewID(), Name: authz.Administrator}}}
	for _, r := range roles {
		d.Roles = append(d.Roles, authz.Role{ID: core.NewID(), Name: r})
	}
	for _, g := range grants {
		hidden, err := json.Marshal(append([]string{}, g.Hidden...))
		if err != nil {
			panic(err)
		}
		d.Rules = append(d.Rules, authz.Rule{ID: core.NewID(), Ptype: "p", V0: "role:" + g.Role, V1: g.Table, V2: string(g.Privilege), V3: g.Level.String(), V4: g.Condition, V5: string(hidden)})
	}
	return d
}

// asker makes random queries that the caller may ask.
type asker struct {
	maker
	o *oracle
}

func (a asker) columns(table string, ok func(c *core.Column) bool) []*core.Column {
	var out []*core.Column
	t := a.o.table(table)
	for i := range t.Columns {
		if c := &t.Columns[i]; a.o.nameable(table, c.Name) && (ok == nil || ok(c)) {
			out = append(out, c)
		}
	}
	return out
}

// relations returns the relations of the table that the caller may name.
func (a asker) relations(table string, many bool) []core.Relation {
	all := a.o.schema.Relations(table)
	if many {
		all = append(all, a.o.schema.Links(table)...)
	}
	return slices.DeleteFunc(all, func(r core.Relation) bool {
		child := table
		if r.Many {
			child = r.Table
		}
		if r.Through != "" {
			child = r.Through
		}
		return r.Many != many || len(a.o.grantsOn(r.Table)) == 0 || !a.o.nameable(child, r.Column) || r.Which != "" && !a.o.nameable(child, r.Which) ||
			r.Through != "" && !a.o.nameable(child, r.Near)
	})
}

// unions returns the lookups of several tables that the caller may name.
func (a asker) unions(table string) []core.Union {
	return slices.DeleteFunc(a.o.schema.Unions(table), func(u core.Union) bool { return !a.o.nameable(table, u.Column) || !a.o.nameable(table, u.Which) })
}

func ordered(c *core.Column) bool { return c.Kind.Info().Ordered || c.Kind == core.Boolean }

func (a asker) cond(table string, depth int) Cond {
	switch n := a.IntN(10); {
	case depth > 0 && n < 2:
		return And{a.cond(table, depth-1), a.cond(table, depth-1)}
	case depth > 0 && n < 4:
		return Or{a.cond(table, depth-1), a.cond(table, depth-1)}
	case depth > 0 && n < 5:
		return Not{a.cond(table, depth-1)}
	case depth > 0 && n < 6 && len(a.unions(table)) > 0:
		u := choose(a.maker, a.unions(table)...)
		if to := choose(a.maker, u.Targets...).Table; len(a.o.grantsOn(to)) > 0 {
			return Related{Relation: u.Name, Target: to, Where: a.cond(to, depth-1)}
		}
	case depth > 0 && n < 8:
		if all := append(a.relations(table, true), a.relations(table, false)...); len(all) > 0 {
			rel := choose(a.maker, all...)
			if a.chance(0.2) {
				return Related{Relation: rel.Name}
			}
			return Related{Relation: rel.Name, Where: a.cond(rel.Table, depth-1)}
		}
	case n == 9 && a.chance(0.1):
		return choose[Cond](a.maker, And{}, Or{}, Not{And{}})
	}
	return a.comparison(table)
}

func (a asker) comparison(table string) Cond {
	c := choose(a.maker, a.columns(table, nil)...)
	ops := []CompareOp{IsNull}
	if c.Kind != core.JSON {
		ops = append(ops, Eq, NotEq, In, NotIn)
	}
	if c.Kind.Info().Ordered {
		ops = append(ops, Gt, Gte, Lt, Lte, Between)
	}
	if c.Kind == core.Choices {
		ops = append(ops, ContainsAll, ContainedIn, HasAny)
	}
	if c.Kind.Info().Like {
		ops = append(ops, Like, NotLike, ILike, NotILike, StartsWith)
	}
	out := Compare{Column: c.Name, Op: choose(a.maker, ops...)}
	switch out.Op {
	case IsNull:
		out.Value = a.chance(0.5)
	case In, NotIn:
		list := []any{}
		for range a.IntN(4) {
			list = append(list, a.operand(table, c))
		}
		out.Value = list
	case ContainsAll, ContainedIn, HasAny:
		list := []any{}
		for range a.IntN(4) {
			list = append(list, choose(a.maker, c.Options...).Value)
		}
		out.Value = list
	case Between:
		out.Value = []any{a.operand(table, c), a.operand(table, c)}
	case Like, NotLike, ILike, NotILike:
		out.Value = choose(a.maker, "a%", "%B", "_", "a\\_%", "%!%", "", "%", "\\%", "%\\\\%")
	default:
		out.Value = a.operand(table, c)
	}
	return out
}

// operand is a value to compare the column with, often one that is there.
func (a asker) operand(table string, c *core.Column) any {
	if rows := a.o.rows[table]; len(rows) > 0 && a.chance(0.7) {
		if v := choose(a.maker, rows...)[c.Name]; v != nil {
			return v
		}
	}
	if c.System || c.Kind == core.Lookup || c.Kind == core.AnyLookup {
		if c.Kind == core.Integer {
			return int64(1)
		}
		if c.Kind == core.Timestamp {
			return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		return string(world.other)
	}
	return a.value(c)
}

func (a asker) orders(table string) []Order {
	var out []Order
	for range a.IntN(3) {
		o := Order{Desc: a.chance(0.5), NullsSet: a.chance(0.4), NullsFirst: a.chance(0.5)}
		at := table
		for range 2 {
			if to := a.relations(at, false); len(to) > 0 && a.chance(0.4) {
				rel := choose(a.maker, to...)
				o.Relation = append(o.Relation, rel.Name)
				at = rel.Table
			}
		}
		c := choose(a.maker, a.columns(at, ordered)...)
		o.Column = c.Name
		out = append(out, o)
	}
	return out
}

func (a asker) query(table string, depth int) *Query {
	q := &Query{Table: table, Form: choose(a.maker, List, List, List, Aggregate, One)}
	if a.chance(0.7) {
		q.Where = a.cond(table, 2)
	}
	q.Order = a.orders(table)
	if q.Form == One {
		q.Order = append(q.Order, Order{Column: "id"})
	}
	if a.chance(0.4) {
		q.Limit = 1 + a.IntN(4)
	}
	if a.chance(0.3) {
		q.Offset = a.IntN(4)
	}
	if q.Form == Aggregate {
		q.Fields = a.functions(table, depth)
	} else {
		q.Fields = a.fields(table, depth)
	}
	return q
}

func (a asker) fields(table string, depth int) []Field {
	out := []Field{{As: "id", Column: "id"}, {As: "type", Text: table}}
	for _, c := range subset(a.maker, a.columns(table, nil), 0.4) {
		out = append(out, Field{As: "x_" + c.Name, Column: c.Name})
	}
	for i := range a.o.table(table).Columns { // a hidden column is empty
		if c := &a.o.table(table).Columns[i]; !a.o.nameable(table, c.Name) && a.chance(0.2) {
			out = append(out, Field{As: "h_" + c.Name, Column: c.Name})
		}
	}
	if a.chance(0.1) {
		out = append(out, Field{As: "group", Group: []Field{{As: "id", Column: "id"}, {As: "t", Text: "x"}}})
	}
	if depth == 0 {
		return out
	}
	for _, rel := range subset(a.maker, append(a.relations(table, true), a.relations(table, false)...), 0.4) {
		q := a.query(rel.Table, depth-1)
		if !rel.Many {
			q = &Query{Table: rel.Table, Fields: a.fields(rel.Table, depth-1)}
		}
		out = append(out, Field{As: "r_" + rel.Name, Relation: rel.Name, Query: q})
	}
	for _, u := range subset(a.maker, a.unions(table), 0.6) {
		f := Field{As: "u_" + u.Name, Relation: u.Name, Union: []Query{}}
		for _, to := range u.Targets {
			if len(a.o.grantsOn(to.Table)) > 0 { // what is asked of others is never looked at
				f.Union = append(f.Union, Query{Table: to.Table, Fields: a.fields(to.Table, depth-1)})
			}
		}
		out = append(out, f)
	}
	return out
}

func (a asker) functions(table string, depth int) []Field {
	out := []Field{{As: "n", Func: "count"}}
	if a.chance(0.3) {
		out = append(out, Field{As: "nodes", Query: &Query{Fields: a.fields(table, 0)}})
	}
	var group []Field
	for _, c := range subset(a.maker, a.columns(table, nil), 0.3) {
		group = append(group, Field{As: "count_" + c.Name, Func: "count", Columns: []string{c.Name}, Distinct: c.Kind != core.JSON && a.chance(0.5)})
		if c.Kind.Info().Number {
			group = append(group, Field{As: "sum_" + c.Name, Func: "sum", Column: c.Name}, Field{As: "avg_" + c.Name, Func: "avg", Column: c.Name})
		}
		if c.Kind.Info().Ordered {
			group = append(group, Field{As: "min_" + c.Name, Func: "min", Column: c.Name}, Field{As: "max_" + c.Name, Func: "max", Column: c.Name})
		}
	}
	if len(group) > 1 {
		group = append(group, Field{As: "both", Func: "count", Columns: []string{group[0].Columns[0], "id"}})
		out = append(out, Field{As: "agg", Group: group})
	}
	return out
}
