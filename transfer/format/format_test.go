package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"colonnade/core"
)

// dump reads everything and writes it as lines: the header, then "line: cells" or the error of a row.
func dump(r Reader) string {
	var b strings.Builder
	b.WriteString(strings.Join(r.Header(), "|"))
	for {
		var row Row
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		fmt.Fprintf(&b, "\n%d:", row.Line)
		if err != nil {
			fmt.Fprint(&b, " ", err)
			if !broken(err) {
				return b.String()
			}
			continue
		}
		for i, c := range row.Cells {
			if i > 0 {
				b.WriteByte('|')
			}
			switch {
			case c.Null:
				b.WriteString("NULL")
			case c.Value != nil:
				b.Write(core.AppendValue(nil, c.Value))
			default:
				b.WriteString(c.Text)
			}
		}
	}
}

func read(t testing.TB, data []byte, o Options) string {
	t.Helper()
	r, err := OpenAt(bytes.NewReader(data), int64(len(data)), o)
	if err != nil {
		return "error: " + core.AsError(err).Public()
	}
	return dump(r)
}

func TestRead(t *testing.T) {
	utf16le := func(s string) []byte {
		b := []byte{}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	latin, err := charmap.Windows1252.NewEncoder().Bytes([]byte("name;ort\nMüller;Köln €\n"))
	if err != nil {
		t.Fatal(err)
	}
	const german = "name|ort\n2:Müller|Köln €"
	for name, c := range map[string]struct {
		in   string
		o    Options
		want string
	}{
		"plain":                {"a,b\n1,x\n", Options{}, "a|b\n2:1|x"},
		"quotes":               {"a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\nz,\r\n", Options{}, "a|b\n2:x, \"y\"|two\nlines\n4:z|NULL"},
		"semicolon":            {"a;b;c\n1,5;2;3\n", Options{}, "a|b|c\n2:1,5|2|3"},
		"tab":                  {"a\tb\n1\t2\n", Options{}, "a|b\n2:1|2"},
		"pipe":                 {"a|b\n1|2\n", Options{}, "a|b\n2:1|2"},
		"single quotes":        {"a,b\n'x,y','z'\n'1','2'\n", Options{}, "a|b\n2:x,y|z\n3:1|2"},
		"given":                {"a;b,c\n1;2,3\n", Options{Delimiter: ","}, "a;b|c\n2:1;2|3"},
		"no header":            {"1,x\n2,y\n", Options{}, "column_1|column_2\n1:1|x\n2:2|y"},
		"header forced":        {"1,x\n2,y\n", Options{Header: "yes"}, "1|x\n2:2|y"},
		"header twice":         {"a,a,\n1,2,3\n", Options{}, "a|a (2)|column_3\n2:1|2|3"},
		"short row":            {"a,b\n1\n2,3\n", Options{}, "a|b\n2: the line has 1 cell, the header 2\n3:2|3"},
		"bare quote":           {"a,b\nx \"y,1\n2,3\n", Options{}, "a|b\n2: the line is no CSV: a quote stands in a cell that is not quoted\n3:2|3"},
		"after quote":          {"a,b\n\"x\"y,1\n2,3\n", Options{}, "a|b\n2: the line is no CSV: text follows the closing quote of a cell\n3:2|3"},
		"open quote":           {"a,b\n1,2\n\"x,1\n2,3\n", Options{}, "a|b\n2:1|2\n3: format.CSV: line 3: a quote is opened here and not closed: the rest of the text is within it"},
		"empty text":           {"a,b\n\"\",\n", Options{EmptyText: true}, "a|b\n2:\"\"|NULL"},
		"blank lines":          {"a\n\n1\n\n\n2\n", Options{}, "a\n3:1\n6:2"},
		"no end":               {"a,b\n1,2", Options{}, "a|b\n2:1|2"},
		"nothing":              {"", Options{}, "error: line 1: the text has no header line"},
		"mark":                 {"\ufeffa,b\n1,2\n", Options{}, "a|b\n2:1|2"},
		"utf-16":               {string(utf16le("name;ort\nMüller;Köln €\n")), Options{}, german},
		"utf-16 mark":          {"\xff\xfe" + string(utf16le("name;ort\nMüller;Köln €\n")), Options{}, german},
		"windows":              {string(latin), Options{}, german},
		"charset given":        {"name\n\xa4\n", Options{Charset: "iso-8859-15"}, "name\n2:€"},
		"charset unknown":      {"a\n", Options{Charset: "klingon"}, `error: "klingon" is no character set: use utf-8, utf-16le, utf-16be, windows-1252 or another name of the WHATWG encoding standard`},
		"ndjson":               {"{\"a\":1.50,\"b\":\"x\"}\n\n{\"b\":null,\"c\":{\"d\": [1]}}\nno\n{\"a\":1,\"a\":2}\n{\"a\":12345678901234567890}\n", Options{}, "a|b|c\n1:1.50|\"x\"|NULL\n3:NULL|NULL|{\"d\": [1]}\n4: the line is no JSON object\n5: the key \"a\" is there twice\n6:12345678901234567890|NULL|NULL"},
		"ndjson without":       {"[]\n", Options{Format: NDJSON}, "error: line 1: the text has no JSON object: each line must be one"},
		"format":               {"a", Options{Format: "xml"}, `error: "xml" is no format; there are: csv, ndjson, parquet, xlsx`},
		"parquet that is none": {"PAR1 not really", Options{}, "error: the file is no Parquet file: "},
		"xlsx that is none":    {"PK\x03\x04 not really", Options{}, "error: the file is no XLSX workbook"},
	} {
		got := read(t, []byte(c.in), c.o)
		if got != c.want && (!strings.HasSuffix(name, "none") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestLongQuoteIsBounded(t *testing.T) {
	in := "a,b\n1,\"" + strings.Repeat("x", maxRecord/2) + "\n" + strings.Repeat(strings.Repeat("y", 1000)+"\n", maxRecord/500)
	if got := read(t, []byte(in), Options{}); !strings.Contains(got, "not closed within 4 MB") {
		t.Fatalf("%.200s", got)
	}
}

func TestXLSX(t *testing.T) {
	f := excelize.NewFile()
	for cell, v := range map[string]any{"A1": "Name", "B1": "Amount", "C1": "Note", "A2": "Tea", "B2": 2.5, "A4": "Cup", "C4": "x"} {
		if err := f.SetCellValue("Sheet1", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.NewSheet("Other"); err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellValue("Other", "A1", "Only"); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	for sheet, want := range map[string]string{
		"": "Name|Amount|Note\n2:Tea|2.5|NULL\n4:Cup|NULL|x", "Other": "Only", "None": `error: the workbook has no sheet "None"; it has: Sheet1, Other`,
	} {
		if got := read(t, b.Bytes(), Options{Sheet: sheet}); got != want {
			t.Errorf("%s: %s", sheet, got)
		}
	}
}

// TestRoundTrip writes random rows in each format and reads them back: every value is what it was, NULL and empty text included.
func TestRoundTrip(t *testing.T) {
	columns := []*core.Column{
		{Name: "text", Kind: core.Text}, {Name: "n", Kind: core.Integer}, {Name: "price", Kind: core.Decimal, Precision: 38, Scale: 4},
		{Name: "ratio", Kind: core.Float}, {Name: "paid", Kind: core.Boolean}, {Name: "day", Kind: core.Date},
		{Name: "at", Kind: core.Timestamp}, {Name: "id", Kind: core.UUID}, {Name: "doc", Kind: core.JSON},
		{Name: "opens", Kind: core.DateTime}, {Name: "length", Kind: core.Duration},
	}
	samples := [][]string{
		{`""`, `"a"`, `"a,\"b\"\n'c'"`, `" x "`, `"null"`, `"1"`, `"ü€𝄞"`, `"a\r\nb"`}, {`0`, `-9223372036854775808`, `9223372036854775807`},
		{`0.0000`, `-1.5000`, `9999999999999999999999999999999999.9999`, `-9999999999999999999999999999999999.9999`}, {`0`, `1.5`, `-1e-07`, `1e+300`}, {`true`, `false`},
		{`"0001-01-01"`, `"1969-12-31"`, `"2024-02-29"`}, {`"2024-02-29T23:59:59.999999+00:00"`, `"1900-01-01T00:00:00.000001+00:00"`, `"2024-01-01T00:00:00+00:00"`},
		{`"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"`}, {`{"a":[1,null,"x"]}`, `[]`, `"text"`, `1.50`, `true`},
		{`"0001-01-01T00:00:00"`, `"2024-02-29T23:59:59.999999"`, `"9999-12-31T12:00:00"`}, {`"PT0S"`, `"-P4000000D"`, `"P1DT2H30M0.000001S"`},
	}
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]string{CSV, NDJSON, Parquet}).Draw(t, "format")
		var rows [][]json.RawMessage
		for range rapid.IntRange(1, 40).Draw(t, "rows") {
			row := make([]json.RawMessage, len(columns))
			for i := range row {
				row[i] = json.RawMessage(rapid.SampledFrom(append(samples[i], "null")).Draw(t, "cell"))
			}
			rows = append(rows, row)
		}
		var b bytes.Buffer
		w, err := Create(&b, format, columns)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := OpenAt(bytes.NewReader(b.Bytes()), int64(b.Len()), Options{Format: format, EmptyText: true, Delimiter: ",", Quote: `"`})
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range rows {
			var row Row
			if err := r.Next(&row); err != nil {
				t.Fatalf("row %d of %s: %v\n%s", n, format, err, b.String())
			}
			for i, c := range columns {
				at := slices.Index(r.Header(), c.Name)
				got := value(t, c, row.Cells[at])
				if v, err := c.Parse(want[i]); c.Kind == core.JSON && err == nil && v != nil {
					want[i] = v.(json.RawMessage)
				}
				if string(got) != string(want[i]) {
					t.Fatalf("row %d of %s, %s: wrote %s, read %s", n, format, c.Name, want[i], got)
				}
			}
		}
		if err := r.Next(&Row{}); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

// value reads a cell as a column does.
func value(t *rapid.T, c *core.Column, cell Cell) []byte {
	v, err := cell.Parse(c)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return c.AppendJSON(nil, v)
}

// TestSerialSpan reads the days of a workbook as lengths of time.
func TestSerialSpan(t *testing.T) {
	for text, want := range map[string]string{"0.0625": "PT1H30M", "1.5": "P1DT12H", "-0.25": "-PT6H", "0.000011574074": "PT1S", "0": "PT0S", "4000001": "!", "NaN": "!", "x": "!"} {
		d, ok := SerialSpan(text)
		if got := d.String(); ok != (want != "!") || ok && got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
}

// TestAmountParquet writes amounts of currencies with different digits, and reads them back.
func TestAmountParquet(t *testing.T) {
	c := &core.Column{Name: "price", Kind: core.Currency}
	amounts := []string{"12.50", "1250", "-1.125", "0.0001", "999999999999999999999999999999.9999", "null"}
	var b bytes.Buffer
	w, err := Create(&b, Parquet, []*core.Column{c})
	for _, a := range amounts {
		if err == nil {
			err = w.Write([]json.RawMessage{json.RawMessage(a)})
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenAt(bytes.NewReader(b.Bytes()), int64(b.Len()), Options{Format: Parquet})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range amounts {
		var row Row
		if err := r.Next(&row); err != nil {
			t.Fatal(err)
		}
		got, err := row.Cells[0].Parse(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := got.(decimal.Decimal); ok != (want != "null") || ok && !d.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%s is read as %v", want, got)
		}
	}
}
