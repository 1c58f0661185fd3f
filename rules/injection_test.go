package rules

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core"
)

// mark is in everything that an attacker writes, and in no SQL of ours.
const mark = "zq9zq"

// hostile are literals that would end a text, a comment, an array, a pattern or a placeholder, had they become SQL text; each also in
// the forms that the literals of some functions have.
func hostile() []string {
	var out []string
	for _, s := range []string{
		`'; DROP TABLE zq9zq; --`, `zq9zq" OR ""="`, `zq9zq\`, `\'zq9zq`, `$1 zq9zq #1`, `/* zq9zq */`, `{zq9zq,"}`, `zq9zq'||(SELECT 1)||'`, "zq9zq\n--", `E'zq9zq'`, `%zq9zq_`, `zq9zq]`, `(?zq9zq)`, `zq9zq`,
	} {
		inQuotes := strings.ReplaceAll(s, "'", "")
		out = append(out, s, "yyyy'"+inQuotes+"'", "yyyy'"+inQuotes+"'MM", "["+strconv.Quote(s)+"]", "a."+s, string(core.AppendValue(nil, map[string]any{s: s})), string(core.AppendValue(nil, map[string]any{"a": []any{s}})), s+"/Berlin", "2024-12-25;"+s, "#,##0"+s)
	}
	return out
}

// TestInjection puts hostile literals into every argument of every function, as the table of functions tells: none becomes a
// part of the SQL, and no database chokes on one that was accepted. A new function is covered by its row.
func TestInjection(t *testing.T) {
	w := newWorld(t, []core.Record{{"s1": "a", "i1": int64(1), "j1": nil, "t1": time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)}})
	column := map[string]string{"string": "s1", "int": "i1", "decimal": "d1", "double": "f1", "bool": "b1", "timestamp": "t1", "datetime": "w1", "duration": "p1", "choices": "m1", "json": "j1", "dyn": "s1"}
	accepted, refused := 0, 0
	for _, f := range Functions {
		for _, o := range f.Overloads {
			before, _, _ := strings.Cut(o.Signature, ": ")
			types := strings.Split(before, ", ")
			for at := range types {
				if types[at] != "string" {
					continue
				}
				for _, s := range hostile() {
					args := make([]string, len(types))
					for i, typ := range types {
						args[i] = column[typ]
						if i+1 == o.Literal && typ == "int" {
							args[i] = "2"
						}
					}
					args[at] = strconv.QuoteToASCII(s)
					source := fmt.Sprintf("%s(%s)", f.Name, strings.Join(args, ", "))
					e, err := Compile(nil, &w.table, "isNull("+source+")", Options{})
					if err != nil {
						refused++
						continue
					}
					accepted++
					w.harmless(t, e)
				}
			}
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < 500 {
		t.Error("too few literals are accepted to say anything")
	}
}

// TestInjectionOfOperators puts them to the right and the left of every operator, and into lists.
func TestInjectionOfOperators(t *testing.T) {
	w := newWorld(t, []core.Record{{"s1": "a"}})
	for _, s := range hostile() {
		literal := strconv.QuoteToASCII(s)
		for _, form := range []string{"s1 == %s", "%s != s1", "s1 < %s", "u1 == %s", "c1 == %s", "isNull(s1 + %s)", "s1 in ['a', %s]", "%s in m1", "isNull(b1 ? %s : s1)", "%s in caller.roles"} {
			e, err := Compile(nil, &w.table, fmt.Sprintf(form, literal), Options{})
			if err != nil {
				t.Errorf("%s: %v", literal, err)
				continue
			}
			w.harmless(t, e)
		}
	}
}

// TestInjectionOfNames demands that nothing can be called what SQL, or an expression, would read otherwise.
func TestInjectionOfNames(t *testing.T) {
	for _, name := range append(hostile(), "a b", "a;b", "a-b", `a"b`, "a'b", "ä", "a.b", "old", "@now", "caller") {
		text := core.Column{Name: "title", Kind: core.Text}
		for what, table := range map[string]core.Table{
			"a table":    {Name: name, Columns: []core.Column{text}},
			"a column":   {Name: "thing", Columns: []core.Column{text, {Name: name, Kind: core.Text}}},
			"a relation": {Name: "thing", Columns: []core.Column{text, {Name: "other_id", Kind: core.Lookup, Target: "thing", Relation: name}}},
		} {
			_, err := core.NewSchema(1, table)
			reserved := name == "old" || name == "caller" || name == "zq9zq" // they are names, and bound to what they mean
			if core.KindOf(err) != core.Invalid && !reserved {
				t.Errorf("%s can be called %q: %v", what, name, err)
			}
		}
	}
}

// harmless asks every database for e, whose text must not hold the mark.
func (w *world) harmless(t *testing.T, e *Expr) {
	t.Helper()
	for _, d := range w.dbs {
		for _, fold := range []bool{false, true} {
			_, b, err := w.ask(t, d, []*Expr{e}, core.Caller{Roles: []string{mark}}, fold, time.Unix(0, 0))
			if err != nil {
				t.Errorf("%s: %s: %v", d.Name(), e.Source, err)
			}
			if strings.Contains(b.String(), mark) {
				t.Errorf("%s: %s became SQL:\n%s", d.Name(), e.Source, b)
			}
		}
	}
}
