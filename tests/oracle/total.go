package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

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
	reads := append(slices.Clone(from.reads), mention{rel.Table, "id", false})
	if rel.Through != "" {
		reads = append(reads, mention{rel.Through, rel.Column, false}, mention{rel.Through, rel.Near, false})
	} else {
		reads = append(reads, mention{rel.Table, rel.Column, false})
	}
	if rel.Which != "" {
		reads = append(reads, mention{rel.Table, rel.Which, false})
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
		return slices.MinFunc(values, collate)
	case "max":
		return slices.MaxFunc(values, collate)
	}
	slices.SortFunc(all, func(x, y entry) int {
		if d := collate(x.by, y.by); d != 0 {
			return d
		}
		return collate(x.id, y.id)
	})
	if a.function == "first" {
		return all[0].value
	}
	return all[len(all)-1].value
}

// touch evaluates the parts over no record, so that what they read of the records around is a secret where there is none, too.
func (a *totalling) touch(v *sight, r []core.Record) {
	over := []core.Record{nil}
	if v.wide {
		over = append(over, a.list(v, r)...)
	}
	for _, c := range over {
		at := append(slices.Clone(r), c)
		for _, m := range []*meant{&a.value, &a.by, a.where} {
			if m != nil && m.eval != nil {
				m.eval(v, at)
			}
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
