package rules

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"colonnade/core"
)

var update = flag.Bool("update", false, "accept the present answers of the golden tests")

// TestErrors holds what an author reads to testdata/errors.txtar: each file is an expression, a line of dashes, and the
// error with its place. `go test -run TestErrors -update` accepts the present ones.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		source, want, _ := strings.Cut(string(f.Data), "\n---\n")
		got := "no error\n"
		var err error
		switch {
		case strings.HasPrefix(f.Name, "flow"):
			_, err = CompileFree([]string{"trigger", "steps"}, source)
		case strings.HasPrefix(f.Name, "rule"):
			_, err = Compile(nil, &worldTable, source, Options{Old: true, Memory: true})
		default:
			_, err = Compile(nil, &worldTable, source, Options{})
		}
		var e *core.Error
		if errors.As(err, &e) {
			got = fmt.Sprintf("%s %d:%d %s\n", e.Kind, e.Line, e.Pos, e.Msg)
			if e.Excerpt != "" {
				got += e.Excerpt + "\n"
			}
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) && !*update {
			t.Errorf("%s: %s\ngot  %swant %s", f.Name, source, got, want)
		}
		archive.Files[i].Data = []byte(source + "\n---\n" + got)
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBombs demands that what is built to cost much is refused, and soon.
func TestBombs(t *testing.T) {
	nest := func(before, inner, after string, n int) string {
		return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
	}
	const hang = 30 * time.Second // a bomb that goes off takes hours; a busy machine takes seconds
	for name, source := range map[string]string{
		"100 KB":        nest("1 + ", "1", "", 25_000),
		"9 KB sum":      nest("i1 + ", "1", "", 1_800),
		"parentheses":   nest("(", "1", ")", 4_000),
		"nots":          nest("!(", "b1", ")", 3_000),
		"minus":         nest("-(", "i1", ")", 3_000),
		"calls":         nest("lower(", "s1", ")", 1_000),
		"ternaries":     nest("b1 ? (", "1", ") : 2", 500),
		"min doubles":   nest("min(i1, ", "1", ")", 60),
		"replace grows": nest("replace(", "s1", ", s1, s2)", 30),
		"huge numbers":  nest("d2 * ", "d2", "", 99),
		"list":          "i1 in [" + nest("1, ", "1", "", 3_000) + "]",
		"loops":         "[1,2,3].all(a, [1,2,3].all(b, a == b))",
		"coalesce":      "coalesce(" + nest("i1, ", "1", "", 2_000) + ")",
		"joins":         "join(' ', " + nest("s1, ", "s2", "", 1_000) + ")",
		"powers":        "power(power(power(d2, 100), 100), 100)",
		"zones":         nest("startOf(", "t1", ", 'month', 'Europe/Berlin')", 60),
		"clamps":        nest("clamp(", "i1", ", 1, 9)", 40),
	} {
		begin := time.Now()
		_, err := Compile(nil, &worldTable, source, Options{})
		if core.KindOf(err) != core.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(begin); d > hang {
			t.Errorf("%s took %v", name, d)
		}
	}
	begin := time.Now()
	for _, source := range []string{ // small expressions of large values
		"size(" + nest("repeat(", "'abc'", ", 1000)", 50) + ")", "power(power(i1, 100), 100)", "size(" + nest("replace(", "s1", ", 'a', 'aaaaaaaaaa')", 8) + ")",
		"addWorkdays(day1, 1000000)", "workdaysBetween(date('0001-01-01'), date('9999-12-31'))", "round(power(0.01, 20), 30)", "find(repeat('a', 1000000), 'b')",
	} {
		e, err := Compile(nil, &worldTable, source, Options{})
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if _, err := e.Eval(core.Record{"s1": strings.Repeat("a", 4000), "i1": int64(9), "day1": time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}, nil, core.Caller{}, nil); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	if d := time.Since(begin); d > hang {
		t.Errorf("the large values took %v", d)
	}
	list := make([]any, 200)
	for i := range list {
		list[i] = int64(i)
	}
	begin = time.Now()
	f, err := CompileFree([]string{"l"}, "l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d >= 0))))")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Eval(map[string]any{"l": list}, core.Caller{}); core.KindOf(err) != core.Limit {
		t.Errorf("nested loops: %v", err)
	}
	if f, err = CompileFree([]string{"s"}, "replace(replace(replace(s, 'a', s), 'a', s), 'a', s)"); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Eval(map[string]any{"s": strings.Repeat("a", 2000)}, core.Caller{}); v != nil || err != nil {
		t.Errorf("a text of a billion characters: %v", err)
	}
	if d := time.Since(begin); d > hang {
		t.Errorf("the loops took %v", d)
	}
}
