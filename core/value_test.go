package core_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"colonnade/core"
)

func col(k core.Kind) core.Column {
	c := core.Column{Name: "c", Kind: k}
	switch k {
	case core.Decimal:
		c.Precision, c.Scale = 10, 2
	case core.Choice, core.Choices:
		c.Options = []core.Option{{Value: "red"}, {Value: "green"}}
	case core.Lookup:
		c.Target = "other"
	}
	return c
}

func TestParse(t *testing.T) {
	five := core.Column{Name: "c", Kind: core.Text, MaxLength: 5}
	list := core.Column{Name: "c", Kind: core.Integer, List: true}
	object := core.Column{Name: "c", Kind: core.Object, Fields: []core.Column{{Name: "a", Kind: core.Integer, Required: true}, {Name: "b", Kind: core.Text}}}
	whole := core.Column{Name: "c", Kind: core.Decimal, Precision: 3}
	free := core.Column{Name: "c", Kind: core.Decimal}
	id := "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"
	for _, test := range []struct {
		c    core.Column
		in   any
		want string // the JSON, or "! " and a part of the message
	}{
		{five, "", `""`}, {five, "äöüßé", `"äöüßé"`}, {five, "abcdef", "! the text has 6 characters, the column takes 5"}, {five, "äöüßéx", "! 6 characters"},
		{five, 1, "! 1 is no text"}, {five, "a\x00", "! NUL"}, {five, "\xff", "! UTF-8"}, {five, nil, "null"}, {five, []any{}, "! a list is no text"}, {five, map[string]any{}, "! an object is no text"},
		{col(core.LongText), "<&>\u2028\u007f", "\"<&>\u2028\u007f\""},

		{col(core.Integer), int64(math.MaxInt64), "9223372036854775807"}, {col(core.Integer), int32(-1), "-1"}, {col(core.Integer), 3, "3"}, {col(core.Integer), 2.0, "2"}, {col(core.Integer), 2.5, "! 2.5 is no whole number"},
		{col(core.Integer), 1e17, "! whole number"}, {col(core.Integer), math.NaN(), "! whole number"}, {col(core.Integer), math.Inf(1), "! whole number"},
		{col(core.Integer), "-9223372036854775808", "-9223372036854775808"}, {col(core.Integer), "9223372036854775808", "! whole number"}, {col(core.Integer), json.Number("7"), "7"}, {col(core.Integer), json.Number("7.5"), "! whole"},
		{col(core.Integer), decimal.RequireFromString("7.00"), "7"}, {col(core.Integer), decimal.RequireFromString("7.01"), "! whole"}, {col(core.Integer), true, "! true is no whole"}, {col(core.Integer), "", "! whole"},

		{col(core.Decimal), "1", "1.00"}, {col(core.Decimal), "1.5", "1.50"}, {col(core.Decimal), "1.505", "! 1.505 has more than 2 digits after the point"}, {col(core.Decimal), "1.500", "1.50"}, {col(core.Decimal), "99999999.99", "99999999.99"},
		{col(core.Decimal), "100000000", "! more than 8 digits before the point"}, {col(core.Decimal), "-0", "0.00"}, {col(core.Decimal), "1e2", "100.00"}, {col(core.Decimal), "1e-2", "0.01"}, {col(core.Decimal), "1e1000000000", "! no number"},
		{col(core.Decimal), "1e-1000000000", "! no number"}, {col(core.Decimal), strings.Repeat("1", 101), "! too many digits"}, {col(core.Decimal), "x", "! \"x\" is no number"}, {col(core.Decimal), "", "! no number"}, {col(core.Decimal), 0.1, "0.10"}, {col(core.Decimal), math.NaN(), "! no number"},
		{col(core.Decimal), int64(5), "5.00"}, {col(core.Decimal), 5, "5.00"}, {col(core.Decimal), json.Number("5.5"), "5.50"}, {col(core.Decimal), []byte("5.5"), "5.50"}, {col(core.Decimal), "0x10", "! no number"}, {col(core.Decimal), "1_000", "! no number"}, {col(core.Decimal), "Infinity", "! no number"},
		{whole, "999", "999"}, {whole, "1e3", "! 3 digits before"}, {whole, "1e2", "100"}, {whole, "0.5", "! 0 digits after"}, {free, "1.5e10", "15000000000"}, {free, "1.500", "1.5"},

		{col(core.Float), 0.1, "0.1"}, {col(core.Float), math.Copysign(0, -1), "0"}, {col(core.Float), "1e400", "! no number"}, {col(core.Float), "NaN", "! out of range"}, {col(core.Float), math.Inf(-1), "! out of range"}, {col(core.Float), int64(3), "3"}, {col(core.Float), json.Number("1e15"), "1e+15"},
		{col(core.Float), 999999999999999.0, "999999999999999"}, {col(core.Float), 0.0001, "0.0001"}, {col(core.Float), 0.00001, "1e-05"}, {col(core.Float), "abc", "! no number"}, {col(core.Float), decimal.RequireFromString("2.5"), "2.5"}, {col(core.Float), true, "! no number"},

		{col(core.Boolean), true, "true"}, {col(core.Boolean), int64(0), "false"}, {col(core.Boolean), int64(2), "! neither true nor false"}, {col(core.Boolean), "true", "! neither"},

		{col(core.Date), "2024-02-29", `"2024-02-29"`}, {col(core.Date), "2023-02-29", "! is no date: write it like 2024-12-31"}, {col(core.Date), "0001-01-01", `"0001-01-01"`}, {col(core.Date), "0000-01-01", "! between 1 and 9999"}, {col(core.Date), "2024-1-1", "! no date"},
		{col(core.Date), time.Date(2024, 5, 1, 23, 0, 0, 0, time.FixedZone("x", 7200)), `"2024-05-01"`}, {col(core.Date), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "! 9999"},

		{col(core.Timestamp), "2024-05-01T12:00:00Z", `"2024-05-01T12:00:00+00:00"`}, {col(core.Timestamp), "2024-05-01T12:00:00.1234567+02:00", `"2024-05-01T10:00:00.123456+00:00"`}, {col(core.Timestamp), "2024-05-01", "! no timestamp: write it like 2024-12-31T23:59:59Z"},
		{col(core.Timestamp), "0001-01-01T00:00:00+01:00", "! between 1 and 9999"}, {col(core.Timestamp), "9999-12-31T23:59:59-01:00", "! between 1 and 9999"}, {col(core.Timestamp), "2024-05-01T24:00:00Z", "! no timestamp"}, {col(core.Timestamp), int64(5), "! 5 is no timestamp"},

		{col(core.Timestamp), "2016-12-31T23:59:60Z", "! is a leap second, which no database keeps"},

		{col(core.DateTime), "2024-05-01T12:00", `"2024-05-01T12:00:00"`}, {col(core.DateTime), "2024-05-01 12:00:00.1234567", `"2024-05-01T12:00:00.123456"`}, {col(core.DateTime), time.Date(2024, 5, 1, 23, 0, 0, 1500, time.FixedZone("x", 7200)), `"2024-05-01T23:00:00.000001"`},
		{col(core.DateTime), "2024-05-01T12:00:00Z", "! has a time zone, and the column takes none"}, {col(core.DateTime), "2024-05-01T12:00+02:00", "! has a time zone"}, {col(core.DateTime), "2016-12-31T23:59:60", "! is a leap second"}, {col(core.DateTime), "2016-12-31T23:60:60", "! is no date and time"},
		{col(core.DateTime), "2024-05-01", "! is no date and time: write it like 2024-12-31T23:59:59"}, {col(core.DateTime), "2024-05-01T24:00:00", "! is no date and time"}, {col(core.DateTime), "0000-12-31T23:59:59", "! between 1 and 9999"}, {col(core.DateTime), 5, "! 5 is no date and time"}, {col(core.DateTime), core.CivilTime(-1), `"1969-12-31T23:59:59.999999"`},

		{col(core.Duration), "PT36H90M", `"P1DT13H30M"`}, {col(core.Duration), "-P1W", `"-P7D"`}, {col(core.Duration), "PT0.000001S", `"PT0.000001S"`}, {col(core.Duration), "PT1,5S", `"PT1.5S"`}, {col(core.Duration), "+PT0S", `"PT0S"`}, {col(core.Duration), "-PT0S", `"PT0S"`}, {col(core.Duration), core.MaxSpan, `"P4000000D"`}, {col(core.Duration), "PT1.5000000S", `"PT1.5S"`},
		{col(core.Duration), "P", "! is no duration: write it like P1DT2H30M"}, {col(core.Duration), "PT", "! is no duration"}, {col(core.Duration), "P1DT", "! is no duration"}, {col(core.Duration), "P1.5D", "! is no duration"}, {col(core.Duration), "1h", "! is no duration"}, {col(core.Duration), "P1M", "! counts years or months, which have no fixed length"}, {col(core.Duration), "PT0.0000001S", "! at most 6 digits"},
		{col(core.Duration), "P4000000DT0.000001S", "! longer than 4,000,000 days"}, {col(core.Duration), "P99999999999999999999D", "! longer than"}, {col(core.Duration), core.MaxSpan + 1, "! longer than"}, {col(core.Duration), int64(5), "! 5 is no duration"}, {col(core.Duration), "01:30", "! is no duration"},

		{col(core.UUID), strings.ToUpper(id), `"` + id + `"`}, {col(core.UUID), core.ID(id), `"` + id + `"`}, {col(core.UUID), [16]byte{15: 1}, `"00000000-0000-0000-0000-000000000001"`}, {col(core.UUID), "{" + id + "}", "! no uuid"}, {col(core.UUID), strings.ReplaceAll(id, "-", ""), "! no uuid"}, {col(core.UUID), strings.ReplaceAll(id, "-", "x"), "! no uuid"}, {col(core.UUID), "", "! no uuid"},
		{col(core.Lookup), id, `"` + id + `"`}, {col(core.Lookup), 7, "! 7 is no uuid"},

		{col(core.Choice), "red", `"red"`}, {col(core.Choice), "blue", `! "blue" is not one of red, green`}, {col(core.Choice), 1, "! 1 is no text"},
		{col(core.Choices), []any{"red", "green", "red"}, `["green","red"]`}, {col(core.Choices), "red", `["red"]`}, {col(core.Choices), []any{}, "null"}, {col(core.Choices), []any{"red", "blue"}, `! "blue" is not one of red, green`}, {col(core.Choices), []any{1}, "! 1 is no text"},
		{col(core.Choices), json.RawMessage(`["red"]`), `["red"]`}, {col(core.Choices), json.RawMessage(`{}`), "! no list of texts"}, {col(core.Choices), 7, "! 7 is no list of texts"},

		{col(core.JSON), json.RawMessage(` {"b": [1.0, 1e2, -0, "x"], "a": null} `), `{"a":null,"b":[1.0,100,0,"x"]}`}, {col(core.JSON), "text", `"text"`}, {col(core.JSON), map[string]any{"d": decimal.RequireFromString("1.50"), "a": []any{true, nil}}, `{"a":[true,null],"d":1.5}`},
		{col(core.JSON), json.RawMessage("null"), "null"}, {col(core.JSON), json.RawMessage(""), "! not valid JSON"}, {col(core.JSON), json.RawMessage("{} ]"), "! not valid JSON"}, {col(core.JSON), json.RawMessage("1 2"), "! not valid JSON"}, {col(core.JSON), json.RawMessage(`{"a":1,}`), "! not valid JSON"},
		{col(core.JSON), json.RawMessage(`"\u0000"`), "! NUL"}, {col(core.JSON), map[string]any{"a\x00": 1}, "! NUL"}, {col(core.JSON), json.RawMessage("1e1001"), "! more than 1000 digits"}, {col(core.JSON), json.RawMessage("1e-99999999999999999999"), "! more than 1000 digits"}, {col(core.JSON), json.RawMessage(strings.Repeat("[", 300) + strings.Repeat("]", 300)), "! deeper than 200"},
		{col(core.JSON), math.NaN(), "! not valid JSON"}, {col(core.JSON), make(chan int), "! not valid JSON"}, {col(core.JSON), struct{ A int }{1}, `{"A":1}`}, {col(core.JSON), []string{"a"}, `["a"]`},

		{list, []any{int64(1), "2"}, "[1,2]"}, {list, 5, "[5]"}, {list, []any{}, "[]"}, {list, []any{1, nil}, "! item 2: a list holds no null"}, {list, []any{1, "x"}, "! item 2"}, {list, nil, "null"},
		{object, map[string]any{"a": 1, "b": "x"}, `{"a":1,"b":"x"}`}, {object, map[string]any{"b": "x"}, "! a value is required"}, {object, map[string]any{"a": 1, "z": 1}, "! no such argument; there are: a, b"}, {object, "x", "! is no object"},
	} {
		v, err := test.c.Parse(test.in)
		if want, bad := strings.CutPrefix(test.want, "! "); bad {
			if core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), want) {
				t.Errorf("%s %.60v: %v, want %q", test.c.Kind, test.in, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %.60v: %v", test.c.Kind, test.in, err)
			continue
		}
		if got := string(test.c.AppendJSON(nil, v)); got != test.want {
			t.Errorf("%s %.60v: %s, want %s", test.c.Kind, test.in, got, test.want)
		}
	}
}

func TestParseText(t *testing.T) {
	for _, test := range []struct {
		k        core.Kind
		in, want string
	}{
		{core.Text, " a ", `" a "`}, {core.Text, "", "null"}, {core.Integer, " 12 ", "12"}, {core.Integer, "1,000", "!"}, {core.Decimal, "1.5", "1.50"}, {core.Float, " 1e3", "1000"},
		{core.Boolean, "Yes", "true"}, {core.Boolean, " n ", "false"}, {core.Boolean, "1", "true"}, {core.Boolean, "maybe", "!"},
		{core.Date, "12/31/2024", `"2024-12-31"`}, {core.Date, "2024-12-31T10:00:00Z", `"2024-12-31"`}, {core.Date, "31/12/2024", "!"},
		{core.Timestamp, "2024-12-31 10:00:00", `"2024-12-31T10:00:00+00:00"`}, {core.Timestamp, "2024-12-31", `"2024-12-31T00:00:00+00:00"`}, {core.Timestamp, "2024-12-31T10:00:00+02:00", `"2024-12-31T08:00:00+00:00"`}, {core.Timestamp, "soon", "!"},
		{core.DateTime, " 2024-12-31 10:00 ", `"2024-12-31T10:00:00"`}, {core.DateTime, "12/31/2024 23:59", `"2024-12-31T23:59:00"`}, {core.DateTime, "2024-12-31", `"2024-12-31T00:00:00"`}, {core.DateTime, "2024-12-31T10:00:00Z", "!"}, {core.DateTime, "23:60", "!"},
		{core.Duration, " 36:30 ", `"P1DT12H30M"`}, {core.Duration, "-0:00:01.5", `"-PT1.5S"`}, {core.Duration, "PT1H", `"PT1H"`}, {core.Duration, "1:60", "!"}, {core.Duration, "90", "!"},
		{core.JSON, `{"b":1,"a":2}`, `{"a":2,"b":1}`}, {core.JSON, "{", "!"}, {core.Choice, " red ", `"red"`}, {core.Choice, "RED", "!"},
	} {
		c := col(test.k)
		v, err := c.ParseText(test.in)
		if got := string(c.AppendJSON(nil, v)); (err != nil) != (test.want == "!") || err == nil && got != test.want {
			t.Errorf("%s %q: %s, error %v, want %s", test.k, test.in, got, err, test.want)
		}
	}
}

// anything draws a value as JSON, GraphQL, a file or a driver would bring it.
func anything(t *rapid.T) any {
	return rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Int().AsAny(), rapid.Int32().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			return json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,9})?`).Draw(t, "n"))
		}),
		rapid.StringMatching(`-?[0-9]{1,40}(\.[0-9]{1,12})?`).AsAny(), rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][01][0-9]:00))?`).AsAny(),
		rapid.StringMatching(`[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`).AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			return time.Unix(rapid.Int64Range(-1<<37, 1<<38).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns"))
		}),
		rapid.Custom(func(t *rapid.T) any {
			return decimal.New(rapid.Int64().Draw(t, "d"), rapid.Int32Range(-50, 50).Draw(t, "e"))
		}),
		rapid.SliceOf(rapid.Byte()).AsAny(), rapid.Custom(func(t *rapid.T) any { return json.RawMessage(rapid.SliceOf(rapid.Byte()).Draw(t, "raw")) }),
		rapid.Custom(func(t *rapid.T) any { return [16]byte{0: rapid.Byte().Draw(t, "b")} }),
		rapid.Custom(func(t *rapid.T) any { return []any{rapid.Int64().Draw(t, "i"), rapid.String().Draw(t, "s"), nil} }),
		rapid.Custom(func(t *rapid.T) any {
			return map[string]any{rapid.String().Draw(t, "k"): rapid.Float64().Draw(t, "f"), "a": []any{true, nil}}
		}),
		rapid.SampledFrom([]any{"red", "green", "", "1e400", "Infinity", "-0", struct{}{}, "null"}),
	).Draw(t, "value")
}

// TestParseAgain brings anything into a column and back: Parse never panics, the JSON is valid, and it parses to
// itself.
func TestParseAgain(t *testing.T) {
	var columns []core.Column
	for _, k := range core.Kinds() {
		c := col(k)
		columns = append(columns, c)
		c.List = true
		columns = append(columns, c)
	}
	columns = append(columns, core.Column{Name: "c", Kind: core.Text, MaxLength: 3}, core.Column{Name: "c", Kind: core.Decimal}, core.Column{Name: "c", Kind: core.Decimal, Precision: 38}, core.Column{Name: "c", Kind: core.Decimal, Precision: 38, Scale: 38})
	rapid.Check(t, func(t *rapid.T) {
		in := anything(t)
		for _, c := range columns {
			v, err := c.Parse(in)
			if err != nil {
				if core.KindOf(err) != core.Invalid {
					t.Fatalf("%s %v: %v", c.Kind, in, err)
				}
				continue
			}
			text := c.AppendJSON(nil, v)
			if !json.Valid(text) {
				t.Fatalf("%s %v: %s is no JSON", c.Kind, in, text)
			}
			var raw any = json.RawMessage(text)
			if c.Kind != core.JSON || c.List {
				d := json.NewDecoder(strings.NewReader(string(text)))
				d.UseNumber()
				if err := d.Decode(&raw); err != nil {
					t.Fatal(err)
				}
			}
			again, err := c.Parse(raw)
			if err != nil {
				t.Fatalf("%s %v: %s does not parse: %v", c.Kind, in, text, err)
			}
			if back := c.AppendJSON(nil, again); string(back) != string(text) {
				t.Fatalf("%s %v: %s, then %s", c.Kind, in, text, back)
			}
			third, err := c.Parse(v) // and a value in its Go form stays
			if err != nil || string(c.AppendJSON(nil, third)) != string(text) {
				t.Fatalf("%s: the Go form of %v parses to %v, error %v", c.Kind, in, third, err)
			}
		}
	})
}

func FuzzCanonicalJSON(f *testing.F) {
	for _, s := range []string{`{"b":1.50e1,"aa":[null,true,{"":-0.0}],"a":"\u00e9\ud800"}`, `1e-5`, ` [ ] `, `"\b\f"`, `0e0`, `{"a":1}{`, `-1E+2`, `00`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := core.CanonicalJSON(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is accepted", raw)
		}
		twice, err := core.CanonicalJSON(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q gives %q, then %q, error %v", raw, once, twice, err)
		}
		if got := core.CompactJSON(nil, once); string(got) != string(once) {
			t.Fatalf("CompactJSON changes %q to %q", once, got)
		}
		var indented strings.Builder
		e := json.NewEncoder(&indented)
		e.SetEscapeHTML(false)
		e.SetIndent(" ", "\t")
		if err := e.Encode(json.RawMessage(once)); err != nil {
			t.Fatal(err)
		}
		if got, _ := core.CanonicalJSON(core.CompactJSON(nil, []byte(indented.String()))); string(got) != string(once) {
			t.Fatalf("CompactJSON loses something of %q: %q", indented.String(), got)
		}
	})
}

func TestAppendString(t *testing.T) {
	for c := range rune(0x100) {
		s := "a" + string(c) + "b"
		var back string
		if err := json.Unmarshal(core.AppendString(nil, s), &back); err != nil || back != s {
			t.Errorf("%U: %q, error %v", c, back, err)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).Draw(t, "f")
		var back float64
		if err := json.Unmarshal(core.AppendFloat(nil, f), &back); err != nil || back != f {
			t.Fatalf("%v becomes %v, error %v", f, back, err)
		}
	})
}

func TestTimesSortAsText(t *testing.T) {
	c := col(core.Timestamp)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) time.Time {
			v, err := c.Parse(time.Unix(rapid.Int64Range(1700000000, 1700000002).Draw(t, name), 1000*rapid.Int64Range(0, 999999).Draw(t, name+" us")))
			if err != nil {
				t.Fatal(err)
			}
			return v.(time.Time)
		}
		a, b := draw("a"), draw("b")
		if got := strings.Compare(a.Format(core.TimeLayout), b.Format(core.TimeLayout)); got != a.Compare(b) {
			t.Fatalf("%v and %v: %d as texts", a, b, got)
		}
	})
}

func TestID(t *testing.T) {
	a, b := core.NewID(), core.NewID()
	if a >= b || len(a) != 36 {
		t.Errorf("%s, %s", a, b)
	}
	for _, s := range []string{"", "x", strings.Repeat("g", 36), "urn:uuid:0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"} {
		if _, err := core.ParseID(s); core.KindOf(err) != core.Invalid {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func BenchmarkCanonicalJSON(b *testing.B) {
	raw := []byte(fmt.Sprintf(`{"name":"x","tags":["a","b"],"n":%d,"nested":{"z":1.5,"a":null}}`, 42))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := core.CanonicalJSON(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func TestHasLoneSurrogate(t *testing.T) {
	for text, want := range map[string]bool{
		`"a"`: false, `"\ud83d\ude00"`: false, `"\\ud800"`: false, `"\\\ud800"`: true, `"\ud83d"`: true, `"\ude00"`: true, `"\ude00\ud83d"`: true,
		`"\ud83dx\ude00"`: true, `"\ud83d\n"`: true, `"\ud83d\ud83d\ude00"`: true, `"\u00e9\"\uD83D\uDE00"`: false, `"�"`: false, `"\ufffd"`: false,
		`"\u{1}"`: false, `\u{1}`: false, `"\ud83d\u{1F600}"`: true, `\`: false, `\u`: false,
	} {
		if got := core.HasLoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 records", 1: "1 record", 2: "2 records", -1: "-1 records"} {
		if got := core.Count(n, "record"); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// TestAppendFixed compares the short way with that of the library.
func TestAppendFixed(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 9, 10, -10, 99, 100, 12345, -12345, 999_999_999_999_999_999, -999_999_999_999_999_999, math.MaxInt64, math.MinInt64} {
		for exponent := int32(-20); exponent <= 3; exponent++ {
			for places := range 21 {
				d := decimal.New(n, exponent)
				if got, want := string(core.AppendFixed([]byte("x"), d, places)), "x"+d.StringFixed(int32(places)); got != want {
					t.Fatalf("%s with %d digits: %s, want %s", d, places, got, want)
				}
			}
		}
	}
}
