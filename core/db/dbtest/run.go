package dbtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

// Run is what every dialect must do. open returns a new, empty database, which it closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) *db.DB) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *db.DB)
	}{
		{"RoundTrip", testRoundTrip},
		{"Floats", testFloats},
		{"Member", testMember},
		{"Compare", testCompare},
		{"AnyOf", testAnyOf},
		{"Position", testPosition},
		{"Like", testLike},
		{"Matches", testMatches},
		{"JSON", testJSON},
		{"Aggregate", testAggregate},
		{"Order", testOrder},
		{"Answers", testAnswers},
		{"Shapes", testShapes},
		{"Wide", testWide},
		{"Insert", testInsert},
		{"Builder", testBuilder},
		{"Commit", testCommit},
		{"Savepoint", testSavepoint},
		{"Isolation", testIsolation},
		{"Goexit", testGoexit},
		{"Cancel", testCancel},
		{"Concurrent", testConcurrent},
		{"Later", testLater},
		{"Alone", testAlone},
		{"Violations", testViolations},
		{"Gorm", testGorm},
		{"SchemaChange", testSchemaChange},
		{"Listen", testListen},
		{"CloseWhileBusy", testCloseWhileBusy},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// columns of the table "thing": one of each kind.
var columns = []*core.Column{
	{Name: "id", Kind: core.UUID},
	{Name: "text", Kind: core.Text},
	{Name: "long_text", Kind: core.LongText},
	{Name: "integer", Kind: core.Integer},
	{Name: "decimal", Kind: core.Decimal, Precision: 38, Scale: 10},
	{Name: "whole", Kind: core.Decimal, Precision: 38},
	{Name: "amount", Kind: core.Currency},
	{Name: "float", Kind: core.Float},
	{Name: "boolean", Kind: core.Boolean},
	{Name: "date", Kind: core.Date},
	{Name: "timestamp", Kind: core.Timestamp},
	{Name: "datetime", Kind: core.DateTime},
	{Name: "duration", Kind: core.Duration},
	{Name: "choice", Kind: core.Choice, Options: []core.Option{{Value: "a"}, {Value: "ä'\""}}},
	{Name: "lookup", Kind: core.Lookup, Target: "thing"},
	{Name: "json", Kind: core.JSON},
}

func column(name string) *core.Column {
	for _, c := range columns {
		if c.Name == name {
			return c
		}
	}
	panic("no column " + name)
}

// makeThing creates the table "thing".
func makeThing(t testing.TB, d *db.DB) {
	t.Helper()
	b := db.New(d.Dialect).Write("CREATE TABLE ").Name("thing").Write(" (")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.Name).Write(" ", d.ColumnType(c))
		if c.Name == "id" {
			b.Write(" PRIMARY KEY")
		}
	}
	exec(t, d, b.Write(")"))
}

func exec(t testing.TB, c db.Conn, b *db.Builder) int64 {
	t.Helper()
	n, err := c.Exec(context.Background(), b)
	if err != nil {
		t.Fatalf("%s\n%v", b.String(), err)
	}
	return n
}

// insert brings the values into their Go form and inserts them, one statement a record; a record gets an id.
func insert(t testing.TB, d *db.DB, rows ...core.Record) {
	t.Helper()
	err := d.Tx(context.Background(), db.TxOptions{}, func(tx *db.Tx) error {
		insertInto(t, tx, rows)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func insertInto(t testing.TB, d *db.Tx, rows []core.Record) {
	t.Helper()
	for i, r := range rows {
		if r["id"] == nil {
			r["id"] = number(i + 1)
		}
		b := db.New(d.Dialect).Write("INSERT INTO ").Name("thing").Write(" (")
		first := true
		for _, c := range columns {
			if _, ok := r[c.Name]; !ok {
				continue
			}
			if !first {
				b.Write(", ")
			}
			first = false
			b.Name(c.Name)
		}
		b.Write(") VALUES (")
		first = true
		for _, c := range columns {
			if _, ok := r[c.Name]; !ok {
				continue
			}
			if !first {
				b.Write(", ")
			}
			first = false
			v, err := c.Parse(r[c.Name])
			if err != nil {
				t.Fatal(err)
			}
			r[c.Name] = v
			b.Value(c, v)
		}
		exec(t, d, b.Write(")"))
	}
}

// number returns the n-th id.
func number(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }

// ask returns the answer of a list with one field.
func ask(t testing.TB, d *db.DB, k core.Kind, value func(b *db.Builder), from func(b *db.Builder)) string {
	t.Helper()
	out, err := tryAsk(d, k, value, from)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryAsk(d *db.DB, k core.Kind, value func(b *db.Builder), from func(b *db.Builder)) (string, error) {
	b := db.New(d.Dialect)
	s := &db.Shape{Many: true, Bare: true, Fields: []db.ShapeField{{Key: "v", Kind: k}}}
	d.Dialect.Answer(b, s, func(int) { value(b) }, func() { b.Write(" FROM ").Name("thing").Write(" AS t"); from(b) })
	out, err := d.Answer(context.Background(), b, s, nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", b.String(), err)
	}
	return string(out), nil
}

// ids returns the numbers of the things for which the condition holds, as "1 2 3".
func ids(t testing.TB, d *db.DB, where func(b *db.Builder)) string {
	t.Helper()
	b := db.New(d.Dialect).Write("SELECT t.id FROM ").Name("thing").Write(" AS t WHERE ")
	where(b)
	return numbers(t, d, b.Write(" ORDER BY t.id"))
}

// numbers returns the ids that the statement yields as numbers.
func numbers(t testing.TB, d *db.DB, b *db.Builder) string {
	t.Helper()
	var out []string
	err := d.Query(context.Background(), b, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out = append(out, strings.TrimLeft(id[24:], "0"))
		return err
	})
	if err != nil {
		t.Fatalf("%s\n%v", b.String(), err)
	}
	return strings.Join(out, " ")
}

func field(b *db.Builder, name string) func() { return func() { b.Name("t", name) } }

// values are the extremes of each kind, as they come from JSON, and their JSON in an answer where it is another.
var values = map[string][][2]string{
	"text": {
		{`""`, ``}, {`" "`, ``}, {`"a"`, ``}, {`"Zoë ÅÉ 日本語 😀 \u2028"`, `"Zoë ÅÉ 日本語 😀 ` + "\u2028" + `"`},
		{`"quote \" backslash \\ slash / apostrophe ' percent % \u007f"`, `"quote \" backslash \\ slash / apostrophe ' percent % ` + "\u007f" + `"`},
		{`"\b\f\n\r\t\u0001\u001f"`, ``}, {`"<script>&amp;"`, ``}, {`"$1 ? :a @b"`, ``},
	},
	"long_text": {{`"` + strings.Repeat("é", 100_000) + `"`, ``}, {`""`, ``}},
	"integer":   {{`0`, ``}, {`-1`, ``}, {`9223372036854775807`, ``}, {`-9223372036854775808`, ``}, {`9007199254740993`, ``}},
	"decimal": {
		{`0`, `0.0000000000`}, {`9999999999999999999999999999.9999999999`, ``}, {`-9999999999999999999999999999.9999999999`, ``},
		{`0.0000000001`, ``}, {`-0.0000000001`, ``}, {`1e3`, `1000.0000000000`}, {`10000`, `10000.0000000000`}, {`12345678.9`, `12345678.9000000000`}, {`-0.0`, `0.0000000000`},
		{`0.0001`, `0.0001000000`}, {`10001.0001`, `10001.0001000000`},
	},
	"whole": {{`99999999999999999999999999999999999999`, ``}, {`-99999999999999999999999999999999999999`, ``}, {`0`, ``}, {`1e37`, `1` + strings.Repeat("0", 37)}, {`10000`, ``}, {`7`, ``}},
	"float": {
		{`0`, ``}, {`-0.0`, `0`}, {`1`, ``}, {`0.1`, ``}, {`-1.5`, ``}, {`1e300`, `1e+300`}, {`5e-324`, ``}, {`1.7976931348623157e308`, `1.7976931348623157e+308`},
		{`0.30000000000000004`, ``}, {`1000000`, ``}, {`123456789012345`, ``}, {`1e15`, `1e+15`}, {`0.0001`, ``}, {`0.00001`, `1e-05`}, {`9007199254740993`, `9.007199254740992e+15`},
	},
	"boolean":   {{`true`, ``}, {`false`, ``}},
	"date":      {{`"0001-01-01"`, ``}, {`"9999-12-31"`, ``}, {`"2024-02-29"`, ``}, {`"1582-10-10"`, ``}, {`"1970-01-01"`, ``}, {`"1999-12-31"`, ``}},
	"amount":    {{`12.50`, ``}, {`1000`, ``}, {`-0.005`, ``}, {`999999999999999999999999999999.9999`, ``}, {`0.00`, ``}},
	"datetime":  {{`"0001-01-01T00:00:00"`, ``}, {`"9999-12-31T23:59:59.999999"`, ``}, {`"2024-03-31T02:30"`, `"2024-03-31T02:30:00"`}, {`"1969-12-31 23:59:59.000001"`, `"1969-12-31T23:59:59.000001"`}, {`"2024-01-01T00:00:00.1234569"`, `"2024-01-01T00:00:00.123456"`}},
	"duration":  {{`"PT0S"`, ``}, {`"-PT0.000001S"`, ``}, {`"P1DT2H30M"`, ``}, {`"PT36H"`, `"P1DT12H"`}, {`"-P4000000D"`, ``}, {`"P3999999DT23H59M59.999999S"`, ``}, {`"PT0.5S"`, ``}, {`"P2W"`, `"P14D"`}, {`"PT1M0.25S"`, ``}, {`"-PT59S"`, ``}, {`"PT90M"`, `"PT1H30M"`}},
	"timestamp": {{`"0001-01-01T00:00:00Z"`, `"0001-01-01T00:00:00+00:00"`}, {`"9999-12-31T23:59:59.999999Z"`, `"9999-12-31T23:59:59.999999+00:00"`}, {`"2024-03-31T02:30:00.5+01:00"`, `"2024-03-31T01:30:00.5+00:00"`}, {`"1969-12-31T23:59:59.000001Z"`, `"1969-12-31T23:59:59.000001+00:00"`}, {`"2024-01-01T00:00:00.1234569Z"`, `"2024-01-01T00:00:00.123456+00:00"`}},
	"choice":    {{`"a"`, ``}, {`"ä'\""`, ``}},
	"lookup":    {{`"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"`, `"ffffffff-ffff-ffff-ffff-ffffffffffff"`}, {`"00000000-0000-0000-0000-000000000000"`, ``}},
	"json": {
		{`{"b":1,"a":2,"aa":3,"ä":4,"":5,"B":6}`, `{"":5,"B":6,"a":2,"b":1,"aa":3,"ä":4}`}, {`[]`, ``}, {`{}`, ``}, {`"text"`, ``}, {`true`, ``}, {`false`, ``},
		{`1`, ``}, {`1.0`, ``}, {`1.50e1`, `15.0`}, {`1e2`, `100`}, {`1E-2`, `0.01`}, {`-0`, `0`}, {`-0.0`, `0.0`}, {`0e5`, `0`}, {`0.00e-2`, `0.0000`}, {`1.00e2`, `100`}, {`-1.5e-3`, `-0.0015`}, {`0.5e1`, `5`}, {`123456789012345678901234567890.123456789`, ``}, {`1e300`, `1` + strings.Repeat("0", 300)},
		{`{"a":{"b":[1,null,{"c":"d e \" , : \\ f"}]},"a":{"z":1,"b":[1,{"x":null}]}}`, `{"a":{"b":[1,{"x":null}],"z":1}}`},
		{` [ 1 , "a , b" , { "k" : "\\\" : " } ] `, `[1,"a , b",{"k":"\\\" : "}]`},
		{`"\u00e9\ud83d\ude00\u0001\b\f\n\/\u007f\u2028"`, `"é😀\u0001\b\f\n/` + "\u007f\u2028" + `"`}, {`"\ufffd"`, `"` + "\ufffd" + `"`},
		{strings.Repeat("[", 200) + strings.Repeat("]", 200), ``},
	},
}

func testRoundTrip(t *testing.T, d *db.DB) {
	makeThing(t, d)
	for _, c := range columns[1:] {
		for _, v := range append(slices.Clone(values[c.Name]), [2]string{`null`, `null`}) {
			want := v[1]
			if want == "" {
				want = v[0]
			}
			exec(t, d, db.New(d.Dialect).Write("DELETE FROM ").Name("thing"))
			var raw any
			dec := json.NewDecoder(strings.NewReader(v[0]))
			dec.UseNumber()
			if err := dec.Decode(&raw); err != nil {
				t.Fatal(err)
			}
			if c.Kind == core.JSON && v[0] != "null" {
				raw = json.RawMessage(v[0])
			}
			r := core.Record{c.Name: raw}
			insert(t, d, r)
			if got := string(c.AppendJSON(nil, r[c.Name])); got != want {
				t.Errorf("%s %.200s: in memory it is %.300s, want %.300s", c.Name, v[0], got, want)
			}
			if got := ask(t, d, c.Kind, func(b *db.Builder) { b.Name("t", c.Name) }, func(*db.Builder) {}); got != "["+want+"]" {
				t.Errorf("%s %.200s: the answer is %.300s, want %.300s", c.Name, v[0], got, want)
			}
			back := parseJSON(t, c, want)
			if got := string(c.AppendJSON(nil, back)); got != want {
				t.Errorf("%s %.200s: parsed again it is %.300s, want %.300s", c.Name, v[0], got, want)
			}
			if got := nested(t, d, c); got != `{"list":[{"v":`+want+`}],"one":{"v":`+want+`},"bare":[`+want+`]}` {
				t.Errorf("%s %.200s: nested the answer is %.900s", c.Name, v[0], got)
			}
			if raw != nil { // the value finds itself
				if got := ids(t, d, func(b *db.Builder) { b.Name("t", c.Name).Write(" = ").Value(c, r[c.Name]) }); got != "1" {
					t.Errorf("%s %.200s does not equal itself", c.Name, v[0])
				}
				if got := ids(t, d, func(b *db.Builder) { d.AnyOf(b, c, field(b, c.Name), []any{r[c.Name]}) }); got != "1" {
					t.Errorf("%s %.200s is not in the list of itself", c.Name, v[0])
				}
			}
		}
	}
}

func parseJSON(t testing.TB, c *core.Column, text string) any {
	t.Helper()
	if c.Kind == core.JSON {
		v, err := c.Parse(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil {
		t.Fatal(err)
	}
	v, err := c.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// nested asks for the column of all things within lists and objects.
func nested(t testing.TB, d *db.DB, c *core.Column) string {
	t.Helper()
	b := db.New(d.Dialect)
	inner := []*db.Shape{
		{Many: true, Fields: []db.ShapeField{{Key: "v", Kind: c.Kind}}},
		{Fields: []db.ShapeField{{Key: "v", Kind: c.Kind}}},
		{Many: true, Bare: true, Fields: []db.ShapeField{{Key: "v", Kind: c.Kind}}},
	}
	s := &db.Shape{Fields: []db.ShapeField{{Key: "list", JSON: true}, {Key: "one", JSON: true}, {Key: "bare", JSON: true}}}
	d.Dialect.Answer(b, s, func(i int) {
		d.Nest(b, inner[i], func(int) { b.Name("t", c.Name) }, func() { b.Write(" FROM ").Name("thing").Write(" AS t") })
	}, func() {})
	out, err := d.Answer(context.Background(), b, s, nil)
	if err != nil {
		t.Fatalf("%s\n%v", b.String(), err)
	}
	return string(out)
}

// testFloats finds doubles that lose a bit on some way in or out.
func testFloats(t *testing.T, d *db.DB) {
	makeThing(t, d)
	c := column("float")
	var list []any
	x := uint64(88172645463325252)
	for range 2000 { // xorshift: the same numbers on every run
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		f := float64(x) / float64(uint64(1)<<(x%64))
		if x&1 == 0 {
			f = -f / 1e200
		}
		list = append(list, f)
	}
	var rows []core.Record
	for i, f := range list {
		rows = append(rows, core.Record{"id": number(i + 1), "float": f})
	}
	if err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
		return tx.InsertRows(t.Context(), "thing", []*core.Column{column("id"), c}, rows)
	}); err != nil {
		t.Fatal(err)
	}
	want := []byte{'['}
	for i, f := range list {
		if i > 0 {
			want = append(want, ',')
		}
		want = core.AppendFloat(want, f.(float64))
	}
	byID := func(b *db.Builder) { b.Write(" ORDER BY t.id") }
	if got := ask(t, d, c.Kind, func(b *db.Builder) { b.Name("t", "float") }, byID); got != string(want)+"]" {
		t.Error("floats changed on their way through the database")
	}
	lost := ids(t, d, func(b *db.Builder) { b.Write("NOT "); d.AnyOf(b, c, field(b, "float"), list) })
	if lost != "" {
		t.Errorf("AnyOf did not find %d floats: %.100s", strings.Count(lost, " ")+1, lost)
	}
}

// testMember takes each value of each kind out of the JSON of a version, by itself and as one of many, and has it equal the one in
// the column.
func testMember(t *testing.T, d *db.DB) {
	makeThing(t, d)
	exec(t, d, db.New(d.Dialect).Write(`CREATE TABLE doc AS SELECT t.id, h.data FROM thing AS t, "_history" AS h WHERE FALSE`))
	object, join := d.Version()
	id, data := column("id"), column("json")
	for name, list := range values {
		c := column(name)
		exec(t, d, db.New(d.Dialect).Write("DELETE FROM thing"))
		exec(t, d, db.New(d.Dialect).Write("DELETE FROM doc"))
		things, docs := []core.Record{{"id": number(1), name: nil}}, []core.Record{{"id": number(1), "json": json.RawMessage(`{"` + name + `":null}`)}}
		for i, v := range list {
			var raw any
			if err := json.Unmarshal([]byte(v[0]), &raw); err != nil || c.Kind == core.Integer || c.Kind == core.Decimal || c.Kind == core.Currency || c.Kind == core.JSON {
				raw = json.RawMessage(v[0])
				if c.Kind != core.JSON {
					raw = v[0]
				}
			}
			p, err := c.Parse(raw)
			if err != nil {
				t.Fatal(name, v[0], err)
			}
			doc := c.AppendJSON([]byte(`{"other":1,"`+name+`":`), p)
			things = append(things, core.Record{"id": number(i + 2), name: raw})
			docs = append(docs, core.Record{"id": number(i + 2), "json": json.RawMessage(append(doc, '}'))})
		}
		insert(t, d, things...)
		if err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			return tx.Insert(t.Context(), db.Rows{Table: "doc", Columns: []*core.Column{id, {Name: "data", Kind: core.JSON}}, N: len(docs), Value: func(row, column int) any {
				return docs[row][[]string{"id", "json"}[column]]
			}})
		}); err != nil {
			t.Fatal(err)
		}
		same := ids(t, d, func(b *db.Builder) {
			b.Write("EXISTS (SELECT 1 FROM doc AS h", join, " WHERE h.id = t.id")
			for _, from := range []string{"h.data", object} {
				b.Write(" AND ")
				d.Member(b, c, func() { b.Write(from) }, name)
				b.Write(" IS NOT DISTINCT FROM t.").Name(name)
				b.Write(" AND ")
				d.Member(b, data, func() { b.Write(from) }, "none")
				b.Write(" IS NULL")
			}
			b.Write(")")
		})
		if n := len(strings.Fields(same)); n != len(things) {
			t.Errorf("%s: of %d values these are what they were: %s", name, len(things), same)
		}
	}
}

// testCompare orders each kind and compares all pairs: decimals by value, texts by bytes.
func testCompare(t *testing.T, d *db.DB) {
	makeThing(t, d)
	for name, ordered := range map[string][]any{
		"text":      {"", " ", "1", "10", "9", "A", "Z", "a", "aa", "b", "z", "Ä", "ä", "日", "😀"},
		"integer":   {"-9223372036854775808", "-10", "-9", "0", "9", "10", "9223372036854775807"},
		"decimal":   {"-1000000", "-100", "-99.5", "-10.25", "-9", "-0.1", "0", "0.05", "0.1", "9", "10", "10.5", "99.9999999999", "100", "9999999999999999999999999999.9999999999"},
		"whole":     {"-100", "-99", "-2", "0", "3", "20", "100"},
		"float":     {-1e300, -2.5, 0.0, 1e-300, 1.0, 10.0, 1e300},
		"date":      {"0001-01-01", "0999-12-31", "1000-01-01", "2024-02-29", "9999-12-31"},
		"amount":    {"-999999999999999999999999999999.9999", "-10", "-9.99", "0.00", "0.005", "9.5", "9.50001", "10", "10.0001", "100000000000000000000"},
		"datetime":  {"0001-01-01T00:00:00", "2024-01-01T00:00:00", "2024-01-01T00:00:00.000001", "2024-01-01T00:00:00.4", "2024-01-01T00:00:00.49", "2024-01-01T00:00:00.5", "2024-01-01T00:00:01", "9999-12-31T23:59:59.999999"},
		"duration":  {"-P4000000D", "-P1D", "-PT1S", "-PT0.000001S", "PT0S", "PT0.5S", "PT9S", "PT10S", "PT59M", "P10D", "P4000000D"},
		"timestamp": {"0001-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000001Z", "2024-01-01T00:00:00.4Z", "2024-01-01T00:00:00.49Z", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:01Z", "9999-12-31T23:59:59.999999Z"},
		"lookup":    {"00000000-0000-0000-0000-000000000000", "0a000000-0000-0000-0000-000000000000", "a0000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
	} {
		c := column(name)
		exec(t, d, db.New(d.Dialect).Write("DELETE FROM ").Name("thing"))
		var rows []core.Record
		for i, v := range ordered {
			rows = append(rows, core.Record{"id": number(i + 1), name: v})
		}
		slices.Reverse(rows)
		insert(t, d, rows...)
		var sorted []string
		err := d.Query(t.Context(), orderBy(d, c), func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			sorted = append(sorted, id)
			return err
		})
		if err != nil || !slices.IsSorted(sorted) || len(sorted) != len(ordered) {
			t.Errorf("%s: order is %v, error %v", name, sorted, err)
		}
		for i, v := range ordered {
			p, err := c.Parse(v)
			if err != nil {
				t.Fatal(err)
			}
			for op, want := range map[string]int{" < ": i, " <= ": i + 1, " = ": 1, " > ": len(ordered) - i - 1, " >= ": len(ordered) - i, " <> ": len(ordered) - 1} {
				got := ids(t, d, func(b *db.Builder) { b.Name("t", name).Write(op).Value(c, p) })
				if n := len(strings.Fields(got)); n != want {
					t.Errorf("%s %s %v holds for %d things, want %d", name, op, v, n, want)
				}
			}
		}
		for f, want := range map[string]any{"min": ordered[0], "max": ordered[len(ordered)-1]} {
			p, _ := c.Parse(want)
			got := ask(t, d, c.Kind, func(b *db.Builder) { d.Aggregate(b, f, c.Kind, field(b, name)) }, func(*db.Builder) {})
			if got != "["+string(c.AppendJSON(nil, p))+"]" {
				t.Errorf("%s of %s is %s, want %v", f, name, got, want)
			}
		}
	}
}

func orderBy(d *db.DB, c *core.Column) *db.Builder {
	b := db.New(d.Dialect).Write("SELECT t.id FROM ").Name("thing").Write(" AS t ORDER BY ")
	d.Order(b, field(b, c.Name), c.Kind, false, false)
	return b
}

// testPosition sorts texts by their places in a list, and finds those at the first and the last place.
func testPosition(t *testing.T, d *db.DB) {
	makeThing(t, d)
	insert(t, d, core.Record{"choice": "a"}, core.Record{"choice": "ä'\""}, core.Record{})
	for _, test := range []struct {
		list []string
		want string
	}{{[]string{"ä'\"", "x", "a"}, "2 1 3"}, {[]string{"a", "ä'\""}, "1 2 3"}, {[]string{"ä'\""}, "2 1 3"}, {nil, "1 2 3"}} {
		b := db.New(d.Dialect).Write("SELECT t.id FROM ").Name("thing").Write(" AS t ORDER BY ")
		d.Order(b, func() { d.Position(b, core.Choice, field(b, "choice"), test.list) }, core.Integer, false, false)
		if got := numbers(t, d, b.Write(", t.id")); got != test.want {
			t.Errorf("%v: the order is %s, want %s", test.list, got, test.want)
		}
	}
	list := []string{"x", "ä'\"", "a"}
	for f, want := range map[string]string{"min": `["ä'\""]`, "max": `["a"]`} {
		place := func(b *db.Builder) func() {
			return func() { d.Position(b, core.Choice, field(b, "choice"), list) }
		}
		placed := func(from string) string {
			return ask(t, d, core.Text, func(b *db.Builder) {
				d.Placed(b, func() { d.Aggregate(b, f, core.Integer, place(b)) }, list)
			}, func(b *db.Builder) { b.Write(from) })
		}
		if got := placed(""); got != want {
			t.Errorf("%s of %v is %s, want %s", f, list, got, want)
		}
		if got := placed(" WHERE false"); got != "[null]" {
			t.Errorf("%s of nothing is %s", f, got)
		}
	}
}

func testAnyOf(t *testing.T, d *db.DB) {
	makeThing(t, d)
	members := map[string]func(i int) any{
		"id": func(i int) any { return number(i) }, "text": func(i int) any { return "t" + strconv.Itoa(i) },
		"long_text": func(i int) any { return "ü\"'\\" + strconv.Itoa(i) }, "integer": func(i int) any { return int64(i) },
		"decimal": func(i int) any { return strconv.Itoa(i) + ".5" }, "whole": func(i int) any { return strconv.Itoa(i) },
		"amount": func(i int) any { return strconv.Itoa(i) + ".50" }, "float": func(i int) any { return float64(i) / 3 }, "boolean": func(i int) any { return true },
		"date":      func(i int) any { return fmt.Sprintf("%04d-01-01", i) },
		"timestamp": func(i int) any { return fmt.Sprintf("%04d-01-01T00:00:00.5Z", i) },
		"datetime":  func(i int) any { return fmt.Sprintf("%04d-01-01T00:00:00.5", i) }, "duration": func(i int) any { return fmt.Sprintf("PT%dM", i) }, "choice": func(i int) any { return "a" },
		"lookup": func(i int) any { return number(i) }, "json": func(i int) any { return map[string]any{"b": "x", "a": int64(i)} },
	}
	first, second := core.Record{"id": number(1)}, core.Record{"id": number(2)}
	for _, c := range columns[1:] {
		first[c.Name] = members[c.Name](1)
	}
	insert(t, d, first, second)
	for _, c := range columns {
		for _, n := range []int{0, 1, 10_000} {
			list := []any{nil} // equals nothing, not even a NULL
			for i := range n {
				if v, err := c.Parse(members[c.Name](i%9999 + 1)); err == nil {
					list = append(list, v)
				} else {
					t.Fatal(err)
				}
			}
			want := ""
			if n > 0 {
				want = "1"
			}
			if c.Name == "id" && n > 1 {
				want = "1 2"
			}
			if got := ids(t, d, func(b *db.Builder) { d.AnyOf(b, c, field(b, c.Name), list) }); got != want {
				t.Errorf("%s in a list of %d finds %q, want %q", c.Name, n, got, want)
			}
			if n == 0 {
				if got := ids(t, d, func(b *db.Builder) {
					b.Write("NOT ")
					d.AnyOf(b, column("id"), field(b, "id"), list)
				}); got != "1 2" {
					t.Errorf("not in an empty list finds %q", got)
				}
			}
		}
	}
}

func testLike(t *testing.T, d *db.DB) {
	makeThing(t, d)
	for i, test := range []struct {
		text, pattern    string
		match, foldMatch bool
	}{
		{"", "", true, true}, {"", "%", true, true}, {"", "_", false, false}, {"a", "", false, false},
		{"abc", "abc", true, true}, {"abc", "ABC", false, true}, {"ABC", "abc", false, true}, {"abc", "a%", true, true},
		{"abc", "%c", true, true}, {"abc", "%b%", true, true}, {"abc", "a_c", true, true}, {"abc", "a_", false, false},
		{"abc", "____", false, false}, {"abc", "___", true, true}, {"abc", "%%%", true, true}, {"abcabd", "%ab_", true, true},
		{"100%", `100\%`, true, true}, {"1000", `100\%`, false, false}, {"a_b", `a\_b`, true, true}, {"axb", `a\_b`, false, false},
		{`a\b`, `a\\b`, true, true}, {`a\b`, `a\b`, false, false}, {"ab", `a\b`, true, true}, {`\`, `\\`, true, true}, {"ÄÖ", "äö", false, true},
		{"Zoë", "zo_", false, true}, {"日本語", "日_語", true, true}, {"日本語", "___", true, true}, {"😀x", "_x", true, true}, {"éa", `\éa`, true, true},
		{"ÉCOLE", "%école%", false, true}, {"ΣΊΣΥΦΟΣ", "σίσυφοσ", false, true}, {"Ж", "ж", false, true}, {"ẞ", "ß", false, true}, {"a\nb", "a%b", true, true}, {"a\nb", "a_b", true, true},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", strings.Repeat("%a", 20) + "%b", false, false},
		{"x'y\"z", "x'y\"z", true, true}, {"a.c", "a.c", true, true}, {"abc", "a.c", false, false}, {"[a]", "[a]", true, true}, {"a*", "a*", true, true},
	} {
		exec(t, d, db.New(d.Dialect).Write("DELETE FROM ").Name("thing"))
		insert(t, d, core.Record{"id": number(1), "text": test.text})
		for fold, want := range map[bool]bool{false: test.match, true: test.foldMatch} {
			got := ids(t, d, func(b *db.Builder) { d.Like(b, field(b, "text"), func() { b.Arg(test.pattern) }, fold) }) == "1"
			if got != want {
				t.Errorf("%d: %q like %q, fold %v: %v", i, test.text, test.pattern, fold, got)
			}
		}
	}
	exec(t, d, db.New(d.Dialect).Write("UPDATE ").Name("thing").Write(" SET text = NULL"))
	for _, fold := range []bool{false, true} {
		if got := ids(t, d, func(b *db.Builder) {
			b.Write("(")
			d.Like(b, field(b, "text"), func() { b.Arg("%") }, fold)
			b.Write(") IS NULL")
		}); got != "1" {
			t.Errorf("NULL like %%, fold %v, is not NULL", fold)
		}
	}
}

func testAggregate(t *testing.T, d *db.DB) {
	makeThing(t, d)
	aggregate := func(f, name string) (string, error) {
		c := column(name)
		k := c.Kind
		if f == "avg" {
			k = core.Float
		}
		return tryAsk(d, k, func(b *db.Builder) { d.Aggregate(b, f, c.Kind, field(b, name)) }, func(*db.Builder) {})
	}
	check := func(f, name, want string) {
		t.Helper()
		if got, err := aggregate(f, name); err != nil || got != "["+want+"]" {
			t.Errorf("%s of %s is %s, want [%s]; error %v", f, name, got, want, err)
		}
	}
	for _, f := range []string{"sum", "avg", "min", "max"} {
		for _, name := range []string{"integer", "decimal", "whole", "float"} {
			check(f, name, "null")
		}
	}
	insert(t, d,
		core.Record{"id": number(1), "integer": int64(1), "decimal": "0.1", "whole": "1", "float": 0.5},
		core.Record{"id": number(2), "integer": int64(2), "decimal": "0.2", "whole": "99999999999999999999999999999999999999", "float": 0.25},
		core.Record{"id": number(3), "integer": nil, "decimal": nil, "whole": nil, "float": nil})
	check("sum", "integer", "3")
	check("avg", "integer", "1.5")
	check("sum", "decimal", "0.3000000000")
	check("avg", "decimal", "0.15")
	check("sum", "whole", "100000000000000000000000000000000000000")
	check("avg", "whole", "5e+37")
	check("sum", "float", "0.75")
	check("avg", "float", "0.375")
	insert(t, d, core.Record{"id": number(4), "integer": int64(9223372036854775807), "decimal": "-9999999999999999999999999999.9999999999"})
	if got, err := aggregate("sum", "integer"); core.KindOf(err) != core.Invalid {
		t.Errorf("the sum of integers beyond 64 bits is %s, error %v", got, err)
	}
	check("sum", "decimal", "-9999999999999999999999999999.6999999999")
	insert(t, d, core.Record{"id": number(5), "float": 1.5e308}, core.Record{"id": number(6), "float": -1.5e308})
	if got, err := aggregate("avg", "float"); err != nil { // whose squares are too large
		t.Errorf("the average of large floats is %s, error %v", got, err)
	}
	insert(t, d, core.Record{"id": number(7), "float": 1.5e308}, core.Record{"id": number(8), "float": 1.5e308})
	for _, f := range []string{"sum", "avg"} {
		if got, err := aggregate(f, "float"); core.KindOf(err) != core.Invalid || core.AsError(err).Msg != "a sum is too large for its kind" {
			t.Errorf("the %s of floats that is too large is %s, error %v", f, got, err)
		}
	}
	check("max", "float", "1.5e+308")
	check("min", "float", "-1.5e+308")

	exec(t, d, db.New(d.Dialect).Write("DELETE FROM ").Name("thing"))
	var rows []core.Record
	for i := range 1000 {
		rows = append(rows, core.Record{"id": number(i + 1), "decimal": "0.1", "integer": int64(i * 7919), "whole": "9999999999999999"})
	}
	insert(t, d, rows...)
	check("sum", "decimal", "100.0000000000")
	check("avg", "decimal", "0.1")
	check("sum", "whole", "9999999999999999000")
	check("avg", "whole", "1e+16")
	check("sum", "integer", strconv.Itoa(7919*999*1000/2))
	check("avg", "integer", "3955540.5")
	// Averages whose digits do not end: the nearest double, on every database.
	for _, n := range []int{999, 333, 97, 49, 13, 11, 7, 3} {
		exec(t, d, db.New(d.Dialect).Write("DELETE FROM ").Name("thing").Write(" WHERE id > ").Value(column("id"), number(n)))
		for i, v := range []string{"0", "66667.77"} {
			b := db.New(d.Dialect).Write("UPDATE ").Name("thing").Write(" SET ").Name("decimal").Write(" = ").Value(column("decimal"), parse(column("decimal"), v))
			if i == 1 {
				b.Write(" WHERE id = ").Value(column("id"), number(1))
			}
			exec(t, d, b)
		}
		want, _ := big.NewRat(6666777, int64(100*n)).Float64()
		check("avg", "decimal", string(core.AppendFloat(nil, want)))
		want, _ = big.NewRat(7919*int64(n-1), 2).Float64()
		check("avg", "integer", string(core.AppendFloat(nil, want)))
	}
}

func parse(c *core.Column, v any) any {
	p, err := c.Parse(v)
	if err != nil {
		panic(err)
	}
	return p
}

func testOrder(t *testing.T, d *db.DB) {
	makeThing(t, d)
	insert(t, d, core.Record{"id": number(1), "decimal": "9"}, core.Record{"id": number(2), "decimal": nil}, core.Record{"id": number(3), "decimal": "10"}, core.Record{"id": number(4), "decimal": "-3"})
	for _, test := range []struct {
		desc, nullsFirst bool
		want             string
	}{{false, false, "4 1 3 2"}, {false, true, "2 4 1 3"}, {true, false, "3 1 4 2"}, {true, true, "2 3 1 4"}} {
		b := db.New(d.Dialect).Write("SELECT t.id FROM ").Name("thing").Write(" AS t ORDER BY ")
		d.Order(b, field(b, "decimal"), core.Decimal, test.desc, test.nullsFirst)
		var got []string
		if err := d.Query(t.Context(), b, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			got = append(got, strings.TrimLeft(id[24:], "0"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("desc %v, nulls first %v: %v, want %s", test.desc, test.nullsFirst, got, test.want)
		}
		plain := db.New(d.Dialect).Write("SELECT t.id FROM ").Name("thing").Write(" AS t ORDER BY t.", `"decimal"`)
		if test.desc {
			plain.Write(" DESC")
		}
		var first string
		if err := d.Query(t.Context(), plain.Write(" LIMIT 1"), func(scan func(...any) error) error { return scan(&first) }); err != nil {
			t.Fatal(err)
		}
		if (first == number(2)) != d.NullsFirst(test.desc) {
			t.Errorf("desc %v: NullsFirst is wrong", test.desc)
		}
	}
}

func testShapes(t *testing.T, d *db.DB) {
	makeThing(t, d)
	text, integer := core.Text, core.Integer
	long := strings.Repeat("k", 70)
	answer := func(s *db.Shape, value func(b *db.Builder, i int), from string) string {
		t.Helper()
		b := db.New(d.Dialect)
		d.Dialect.Answer(b, s, func(i int) { value(b, i) }, func() { b.Write(from) })
		out, err := d.Answer(t.Context(), b, s, []byte("pre "))
		if err != nil {
			t.Fatalf("%s\n%v", b.String(), err)
		}
		rest, ok := strings.CutPrefix(string(out), "pre ")
		if !ok {
			t.Fatalf("the answer %s does not keep what was there", out)
		}
		return rest
	}
	names := func(b *db.Builder, i int) { b.Name("t", []string{"id", "text", "integer"}[i]) }
	three := []db.ShapeField{{Key: "id", Kind: core.UUID}, {Key: "text", Kind: text}, {Key: "integer", Kind: integer}}
	equal := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const from = ` FROM "thing" AS t ORDER BY t.id`
	equal(answer(&db.Shape{Many: true, Fields: three}, names, from), `[]`)
	equal(answer(&db.Shape{Fields: three}, names, from+" LIMIT 1"), `null`)
	equal(answer(&db.Shape{Many: true, Bare: true, Fields: three[1:2]}, names, from), `[]`)
	insert(t, d, core.Record{"id": number(1), "text": "b", "integer": int64(2)}, core.Record{"id": number(2), "text": nil, "integer": int64(1)}, core.Record{"id": number(3), "text": "a", "integer": nil})
	equal(answer(&db.Shape{Many: true, Fields: three}, names, from),
		`[{"id":"`+number(1)+`","text":"b","integer":2},{"id":"`+number(2)+`","text":null,"integer":1},{"id":"`+number(3)+`","text":"a","integer":null}]`)
	equal(answer(&db.Shape{Many: true, Fields: three}, names, from+" DESC LIMIT 1 OFFSET 1"), `[{"id":"`+number(2)+`","text":null,"integer":1}]`)
	equal(answer(&db.Shape{Fields: three}, names, from+" LIMIT 1"), `{"id":"`+number(1)+`","text":"b","integer":2}`)
	equal(answer(&db.Shape{Many: true, Bare: true, Fields: three[:1]}, names, from), `["`+number(1)+`","`+number(2)+`","`+number(3)+`"]`)
	equal(answer(&db.Shape{Bare: true, Fields: three[:1]}, names, from+" LIMIT 1"), `"`+number(1)+`"`)

	// Constants and odd keys, which keep their order, at the top and below.
	odd := []db.ShapeField{{Key: "__typename", Text: "It's \"thing\" \\ ä"}, {Key: `q"u'o\te $1 ?`, Kind: text}, {Key: "z", Kind: integer}, {Key: "a", Text: "end"}}
	oddWant := `{"__typename":"It's \"thing\" \\ ä","q\"u'o\\te $1 ?":"b","z":2,"a":"end"}`
	oddValue := func(b *db.Builder, i int) { b.Name("t", []string{"", "text", "integer"}[i]) }
	equal(answer(&db.Shape{Fields: odd}, oddValue, from+" LIMIT 1"), oddWant)
	equal(answer(&db.Shape{Many: true, Fields: []db.ShapeField{{Key: "t", Text: "x"}}}, nil, from), `[{"t":"x"},{"t":"x"},{"t":"x"}]`)
	longKeys := []db.ShapeField{{Key: long + "1", Kind: text}, {Key: long + "2", Kind: integer}, {Key: "", Text: "none"}}
	longWant := `{"` + long + `1":"b","` + long + `2":2,"":"none"}`
	longValue := func(b *db.Builder, i int) { b.Name("t", []string{"text", "integer"}[i]) }
	equal(answer(&db.Shape{Fields: longKeys}, longValue, from+" LIMIT 1"), longWant)
	nest := func(s *db.Shape, value func(b *db.Builder, i int), from string) string {
		t.Helper()
		return answer(&db.Shape{Fields: []db.ShapeField{{Key: "n", JSON: true}}}, func(b *db.Builder, _ int) {
			d.Nest(b, s, func(i int) { value(b, i) }, func() { b.Write(from) })
		}, "")
	}
	equal(nest(&db.Shape{Fields: odd}, oddValue, from+" LIMIT 1"), `{"n":`+oddWant+`}`)
	equal(nest(&db.Shape{Fields: longKeys}, longValue, from+" LIMIT 1"), `{"n":`+longWant+`}`)
	equal(nest(&db.Shape{Many: true, Fields: longKeys}, longValue, from+" LIMIT 1"), `{"n":[`+longWant+`]}`)
	equal(nest(&db.Shape{Many: true, Fields: three}, names, ` FROM "thing" AS t WHERE 1 = 0`), `{"n":[]}`)
	equal(nest(&db.Shape{Fields: three}, names, ` FROM "thing" AS t WHERE 1 = 0`), `{"n":null}`)
	equal(nest(&db.Shape{Many: true, Bare: true, Fields: three[1:2]}, func(b *db.Builder, _ int) { b.Name("t", "text") }, from), `{"n":["b",null,"a"]}`)
	equal(nest(&db.Shape{Many: true, Bare: true, Fields: []db.ShapeField{{Text: "x"}}}, nil, from), `{"n":["x","x","x"]}`)
	equal(nest(&db.Shape{Many: true, Fields: three[1:2]}, func(b *db.Builder, _ int) { b.Name("t", "text") }, ` FROM "thing" AS t ORDER BY t.text DESC NULLS LAST`), `{"n":[{"text":"b"},{"text":"a"},{"text":null}]}`)

	// Three deep, each level with the values of the one above, in order, limited.
	level := func(many bool, key string, nested bool) *db.Shape {
		f := []db.ShapeField{{Key: key, Kind: text}}
		if nested {
			f = append(f, db.ShapeField{Key: "below", JSON: true})
		}
		return &db.Shape{Many: many, Fields: f}
	}
	got := answer(level(true, "a", true), func(b *db.Builder, i int) {
		if i == 0 {
			b.Name("t", "text")
			return
		}
		d.Nest(b, level(true, "b", true), func(i int) {
			if i == 0 {
				b.Name("u", "text")
				return
			}
			d.Nest(b, level(false, "c", true), func(i int) {
				if i == 0 {
					b.Name("v", "text")
					return
				}
				d.Nest(b, level(true, "d", false), func(int) { b.Name("w", "text") }, func() { b.Write(` FROM "thing" AS w WHERE w.id = v.id AND w.id = u.id`) })
			}, func() { b.Write(` FROM "thing" AS v WHERE v.id = u.id AND v.text IS NOT NULL`) })
		}, func() { b.Write(` FROM "thing" AS u WHERE u.id >= t.id ORDER BY u.id DESC LIMIT 2`) })
	}, ` FROM "thing" AS t ORDER BY t.id`)
	a, n := `{"b":"a","below":{"c":"a","below":[{"d":"a"}]}}`, `{"b":null,"below":null}`
	equal(got, `[{"a":"b","below":[`+a+`,`+n+`]},{"a":null,"below":[`+a+`,`+n+`]},{"a":"a","below":[`+a+`]}]`)
}

// testWide asks for as many columns as a table can have, at the top and below.
func testWide(t *testing.T, d *db.DB) {
	makeThing(t, d)
	insert(t, d, core.Record{"text": "x"})
	s := &db.Shape{Many: true}
	want := "["
	for i := range 520 {
		s.Fields = append(s.Fields, db.ShapeField{Key: "k" + strconv.Itoa(i), Kind: core.Text})
		want += map[bool]string{true: "{", false: ","}[i == 0] + `"k` + strconv.Itoa(i) + `":"x"`
	}
	want += "}]"
	b := db.New(d.Dialect)
	d.Dialect.Answer(b, s, func(int) { b.Name("t", "text") }, func() { b.Write(` FROM "thing" AS t`) })
	if got, err := d.Answer(t.Context(), b, s, nil); err != nil || string(got) != want {
		t.Errorf("answer of 520 columns: %.100s, error %v", got, err)
	}
	b = db.New(d.Dialect)
	top := &db.Shape{Bare: true, Fields: []db.ShapeField{{JSON: true}}}
	d.Dialect.Answer(b, top, func(int) {
		d.Nest(b, s, func(int) { b.Name("t", "text") }, func() { b.Write(` FROM "thing" AS t`) })
	}, func() {})
	if got, err := d.Answer(t.Context(), b, top, nil); err != nil || string(got) != want {
		t.Errorf("nested answer of 520 columns: %.100s, error %v", got, err)
	}
}

func testInsert(t *testing.T, d *db.DB) {
	makeThing(t, d)
	rows := func(n, from int) []core.Record {
		var out []core.Record
		for i := range n {
			r := core.Record{"id": number(from + i)}
			for _, c := range columns[1:] {
				v := values[c.Name][i%len(values[c.Name])]
				r[c.Name] = parseJSON(t, c, v[0])
			}
			if i%7 == 6 {
				r["json"], r["decimal"], r["text"] = nil, nil, nil
			}
			if n > 100 {
				r["long_text"] = nil // which is long
			}
			out = append(out, r)
		}
		return out
	}
	all := slices.Concat(rows(1, 1), rows(20, 2), rows(250, 22)) // one, few and many travel in different ways
	all[30]["text"], all[31]["text"], all[32]["text"] = "\\N", "a\\b\tc\nd\re\\", "\\."
	for _, part := range [][]core.Record{all[:1], all[1:21], all[21:], nil} {
		if err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.InsertRows(t.Context(), "thing", columns, part) }); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for _, c := range columns {
			want := "["
			for i, r := range all {
				if i > 0 {
					want += ","
				}
				want += string(c.AppendJSON(nil, r[c.Name]))
			}
			if got := ask(t, d, c.Kind, func(b *db.Builder) { b.Name("t", c.Name) }, func(b *db.Builder) { b.Write(" ORDER BY t.id") }); got != want+"]" {
				t.Errorf("%s: got  %.2000s\nwant %.2000s", c.Name, got, want)
			}
		}
	}
	check()
	for i, r := range all { // each gets the values of the next
		next := all[(i+1)%len(all)].Clone()
		next["id"] = r["id"]
		all[i] = next
	}
	for _, part := range [][]core.Record{all[:1], all[1:], nil} {
		if err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.Update(t.Context(), db.RowsOf("thing", columns, part)) }); err != nil {
			t.Fatal(err)
		}
	}
	check()
	err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.InsertRows(t.Context(), "thing", columns, rows(3, 1000)[:3:3]) })
	if err != nil {
		t.Fatal(err)
	}
	err = d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.InsertRows(t.Context(), "thing", columns, rows(5, 999)) })
	if core.KindOf(err) != core.Exists {
		t.Errorf("rows with a taken key: %v", err)
	}
	if got := ids(t, d, func(b *db.Builder) { b.Write("t.id = ").Value(column("id"), number(999)) }); got != "" {
		t.Error("part of a failed insert remained")
	}
}

func testBuilder(t *testing.T, d *db.DB) {
	exec(t, d, db.New(d.Dialect).Write("CREATE TABLE ").Name(`od"d; --`).Write(" (").Name(`a"b`).Write(" ", d.ColumnType(column("text")), ")"))
	evil := `'"; DROP TABLE x; -- $1 ? \`
	exec(t, d, db.New(d.Dialect).Write("INSERT INTO ").Name(`od"d; --`).Write(" VALUES (").Arg(evil).Write("), (").Arg(core.ID("x")).Write("), (").Arg(nil).Write(")"))
	var got []string
	if err := d.Query(t.Context(), db.New(d.Dialect).Write("SELECT ").Name("o", `a"b`).Write(" FROM ").Name("", `od"d; --`).Write(" AS o"), func(scan func(...any) error) error {
		var s string
		err := scan(&s)
		got = append(got, s)
		return err
	}); err != nil || !slices.Equal(got, []string{evil, "x", ""}) {
		t.Errorf("%q, error %v", got, err)
	}
	failed := core.E("x", core.Invalid, "no")
	if _, err := d.Exec(t.Context(), db.New(d.Dialect).Write("nonsense").Fail(failed).Fail(nil)); core.KindOf(err) != core.Invalid {
		t.Errorf("the error of the builder is %v", err)
	}
	if _, err := d.Exec(t.Context(), db.New(d.Dialect).Write("nonsense")); core.KindOf(err) != core.Internal {
		t.Errorf("nonsense gives %v", err)
	}
	var id core.ID
	var n int64
	var yes bool
	var raw []byte
	if err := d.Query(t.Context(), db.New(d.Dialect).Write("SELECT 'i', 42, 1 = 1, 'raw'"), func(scan func(...any) error) error { return scan(&id, &n, &yes, &raw) }); err == nil {
		if id != "i" || n != 42 || !yes || string(raw) != "raw" {
			t.Errorf("%v %v %v %s", id, n, yes, raw)
		}
	} else {
		t.Error(err)
	}
	if err := d.Query(t.Context(), db.New(d.Dialect).Write("SELECT 1, 2"), func(scan func(...any) error) error { return scan(&n) }); err == nil {
		t.Error("too few destinations are accepted")
	}
}
