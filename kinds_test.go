package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// TestKinds runs the example of every kind on every database, and keeps the page of kinds what the program does.
func TestKinds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		ask := func(query string) map[string]any {
			t.Helper()
			var out struct {
				Data   map[string]any
				Errors []any
			}
			d := json.NewDecoder(bytes.NewReader(s.send(t, "admin", query, nil)))
			d.UseNumber()
			if err := d.Decode(&out); err != nil || out.Errors != nil {
				t.Fatalf("%s: %v %v", query, err, out.Errors)
			}
			return out.Data
		}
		ask(`mutation { set_base_currency(currency: "EUR") { recomputed { table } } put_exchange_rates(rates: [{currency: "USD", rate: 0.925}]) { rates } }`)
		var columns, values, names []string
		for _, k := range core.Kinds() {
			x := k.Example()
			column := "{name: \"x_" + string(k) + "\", kind: \"" + string(k) + "\""
			if settings := strings.Trim(literal(t, x.Settings), "{}"); settings != "" {
				column += ", " + settings
			}
			columns = append(columns, column+"}")
		}
		ask(`mutation { create_table(name: "kind", columns: [` + strings.Join(columns, ", ") + `]) { version } }`)
		for _, k := range core.Kinds() {
			x := k.Example()
			names = append(names, "x_"+string(k))
			in := x.In
			if k.Info().File {
				in = s.example(t, k)
				names[len(names)-1] += " { " + strings.Join(slices.Collect(maps.Keys(members(t, x.Out))), " ") + " }"
			}
			if in != "" {
				values = append(values, "x_"+string(k)+": "+literal(t, in))
			}
		}
		row := ask(`mutation { insert_kind_one(object: {id: "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b", ` + strings.Join(values, ", ") + `}) { ` + strings.Join(names, " ") + ` } }`)["insert_kind_one"].(map[string]any)
		for _, k := range core.Kinds() {
			if k.Info().File {
				if got, want := row["x_"+string(k)], members(t, k.Example().Out); !reflect.DeepEqual(got, any(want)) {
					t.Errorf("%s: got %v, want %v", k, got, want)
				}
				continue
			}
			if got := string(core.AppendValue(nil, row["x_"+string(k)])); got != k.Example().Out {
				t.Errorf("%s: got %s, want %s", k, got, k.Example().Out)
			}
		}
		input := ask(`{ __type(name: "kind_bool_exp") { inputFields { name type { inputFields { name } } } } }`)["__type"].(map[string]any)
		operators := map[string][]string{}
		for _, f := range input["inputFields"].([]any) {
			f := f.(map[string]any)
			of, _ := f["type"].(map[string]any)["inputFields"].([]any)
			for _, o := range of {
				operators[f["name"].(string)] = append(operators[f["name"].(string)], o.(map[string]any)["name"].(string))
			}
		}
		golden(t, "docs/reference/kinds.md", kindPage(operators))
		s.move(t, c) // to the other kind of database
		moved := ask(`{ kind { ` + strings.Join(names, " ") + ` } }`)["kind"].([]any)
		if want := []any{any(row)}; !reflect.DeepEqual(moved, want) {
			t.Errorf("after a move got %v, want %v", moved, want)
		}
	})
}

// example uploads the file that the example of the kind shows, and returns its id as JSON.
func (s *scenario) example(t *testing.T, k core.Kind) string {
	name, content := "note.txt", []byte("Hello")
	if k == core.Image {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
			t.Fatal(err)
		}
		name, content = "dot.png", b.Bytes()
	}
	id, ok := members(t, string(s.call(t, "admin", http.MethodPost, "/data/file?name="+name, content, nil)))["id"].(string)
	if !ok {
		t.Fatalf("%s was not uploaded", name)
	}
	return string(core.AppendString(nil, id))
}

func members(t *testing.T, raw string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return out
}

// literal writes JSON as GraphQL does: names without quotes.
func literal(t *testing.T, raw string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	var write func(v any) string
	write = func(v any) string {
		var parts []string
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				parts = append(parts, name+": "+write(value))
			}
			slices.Sort(parts)
			return "{" + strings.Join(parts, ", ") + "}"
		case []any:
			for _, value := range v {
				parts = append(parts, write(value))
			}
			return "[" + strings.Join(parts, ", ") + "]"
		}
		return string(core.AppendValue(nil, v))
	}
	return write(v)
}

func kindPage(operators map[string][]string) []byte {
	var b bytes.Buffer
	b.WriteString("# Kinds of columns\n\nMade from the table of kinds in package core; the examples run in the tests, on both databases. " +
		"What a column demands (required, unique, lengths, formats, bounds, options, transitions) holds for every client: the API, rules, flows and imports. " +
		"NULL is no value, and an empty cell of a text file.\n")
	for _, k := range core.Kinds() {
		i, x := k.Info(), k.Example()
		c := &core.Column{Kind: k}
		if err := json.Unmarshal([]byte(x.Settings), c); err != nil {
			panic(err) // it is a part of the program
		}
		graphql := i.GraphQL
		if i.Many {
			graphql = "[" + graphql + "!]"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| | |\n|---|---|\n", k, i.Doc)
		for _, d := range []db.Dialect{sqlite.Dialect{}, postgres.Dialect{}} {
			fmt.Fprintf(&b, "| in %s | `%s` |\n", d.Name(), d.ColumnType(c))
		}
		fmt.Fprintf(&b, "| in GraphQL | `%s` |\n| in expressions | %s |\n", graphql, i.CEL)
		fmt.Fprintf(&b, "| conditions | %s |\n| besides | %s |\n| in a text file | %s |\n", strings.Join(operators["x_"+string(k)], " "), besides(k), x.Form)
		sent := "nothing is sent"
		if x.In != "" {
			sent = "`" + x.In + "` is sent"
		}
		fmt.Fprintf(&b, "\nWith the settings `%s`: %s, `%s` comes back.\n", x.Settings, sent, x.Out)
	}
	return b.Bytes()
}

// besides names what a kind has besides conditions.
func besides(k core.Kind) string {
	i := k.Info()
	out := "count"
	if i.Ordered || k == core.Boolean {
		out += ", order_by"
	}
	if i.Ordered {
		out += ", min, max"
	}
	if i.Number {
		out += ", sum, avg, _inc"
	}
	return out
}
