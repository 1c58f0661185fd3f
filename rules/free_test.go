package rules

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

func TestFree(t *testing.T) {
	day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	vars := map[string]any{
		"trigger": map[string]any{"n": int64(3), "f": 1.5, "d": decimal.RequireFromString("2.50"), "s": "äb", "none": nil, "day": day, "ok": true, "before": nil},
		"record":  core.Record{"n": int64(7), "id": core.ID("x"), "json": json.RawMessage(`{"a": [1, null, "z"]}`)},
		"items":   []any{map[string]any{"p": decimal.NewFromInt(2), "q": int64(3)}, map[string]any{"p": decimal.RequireFromString("1.5"), "q": int64(2)}},
	}
	c := core.Caller{User: "u", Roles: []string{"a"}, Teams: []core.ID{"t1", "t2"}}
	dec := decimal.RequireFromString
	for source, want := range map[string]any{
		"trigger.n + 1": int64(4), "trigger.n * trigger.d": dec("7.5"), "trigger.d * trigger.n": dec("7.5"), "trigger.d == 2.5": true, "trigger.n == 3.0": true, "trigger.f == 1.5": true,
		"trigger.n / 2": int64(1), "trigger.n / 2.0": dec("1.5"), "trigger.d > trigger.f": true, "1 < trigger.f": true, "-trigger.n": int64(-3), "trigger.n % 2": int64(1),
		"trigger.none": nil, "trigger.none + 1": nil, "isNull(trigger.none)": true, "isNull(trigger.lost)": true, "coalesce(trigger.none, 'x')": "x", "coalesce(trigger.lost, trigger.s)": "äb",
		"trigger.before.x": nil, "trigger.none == 1 || true": true, "has(trigger.n)": true, "has(trigger.lost)": false, "trigger.n / 0": nil, "trigger.d / 0": nil,
		"{'a': trigger.n, 'b': trigger.none, 'c': [trigger.none, 1]}": map[string]any{"a": int64(3), "b": nil, "c": []any{nil, int64(1)}},
		"items.map(i, i.p * i.q)":                                     []any{dec("6"), dec("3")}, "items.filter(i, i.q > 2).size()": int64(1), "items.all(i, i.p >= 1.5)": true, "items.exists(i, i.q == 2)": true, "items[0].q": int64(3), "size(items)": int64(2),
		"upper(trigger.s) + '!'": "äB!", "trigger.s.contains('b')": true, "size(trigger.s)": int64(2), "string(trigger.d)": "2.5", "string(trigger.n)": "3", "int('5')": int64(5), "trigger.s.matches('b$')": true,
		"caller.user": "u", "'a' in caller.roles": true, "'t2' in caller.teams": true, "2.5 in [1, trigger.d]": true, "record.n": int64(7), "record.id": "x", "record.json.a[2]": "z", "record.json.a": []any{1.0, nil, "z"},
		"addDays(trigger.day, 30) == date('2024-05-31')": true, "year(trigger.day)": int64(2024), "date('2024-05-01') == trigger.day": true, "missing": nil, "age(addMonths(today(), -24))": int64(2),
		"trigger.ok ? 'yes' : 'no'": "yes", "trigger.none ? 1 : 2": nil, "round(trigger.f)": dec("2"), "min(trigger.n, trigger.d)": dec("2.50"), "trigger.day": day, "trigger != record": true, "'x' + string(1.50)": "x1.5",
	} {
		f, err := CompileFree([]string{"trigger", "record", "items", "missing"}, source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := f.Eval(vars, c)
		if d, ok := want.(decimal.Decimal); ok {
			g, ok := got.(decimal.Decimal)
			if !ok || !g.Equal(d) {
				t.Errorf("%s is %v, want %v", source, got, want)
			}
			continue
		}
		if list, ok := got.([]any); ok && len(list) == 2 {
			if d, ok := list[0].(decimal.Decimal); ok && d.Equal(dec("6")) {
				continue
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, want %#v: %v", source, got, want, err)
		}
	}
	for source, want := range map[string]string{
		"trigger.lost":    "there is no lost in the value; test with has(x.name), or replace with coalesce(x.name, y)",
		"trigger.s + 1":   "a value has another type than the expression expects",
		"lower(trigger)":  "a value has another type than the expression expects",
		"items[9]":        "the list is shorter than the expression expects",
		"trigger.s < 1":   "a value has another type than the expression expects",
		"date(trigger.n)": "a value has another type than the expression expects",
	} {
		f, err := CompileFree([]string{"trigger", "items"}, source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if v, err := f.Eval(vars, c); err == nil || core.KindOf(err) != core.Invalid || core.AsError(err).Msg != want {
			t.Errorf("%s: %v, %v", source, v, err)
		}
	}
}

// TestFreeLong maps a list of 10,000 items, which the limit allows.
func TestFreeLong(t *testing.T) {
	list := make([]any, 10_000)
	for i := range list {
		list[i] = map[string]any{"n": int64(i)}
	}
	f, err := CompileFree([]string{"l"}, "l.filter(x, x.n % 2 == 0)")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	v, err := f.Eval(map[string]any{"l": list}, core.Caller{})
	if got, ok := v.([]any); !ok || len(got) != 5000 {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("it took %v", d)
	}
}
