package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// Reader yields the rows of a file, in their order.
type Reader interface {
	// Header returns the names of the columns, none empty and none twice.
	Header() []string

	// Next reads the next row. It returns io.EOF after the last, and a [*RowError] for a row that is broken, behind which
	// reading goes on. What row holds is valid until the next call.
	Next(row *Row) error
}

// Row is one row of a file.
type Row struct {
	Line  int    // counted from 1; of Parquet the number of the row
	Cells []Cell // by place in the header; of a broken row, as far as it was read
}

// Cell is one value: a text as people write it, or a value that the file gives a type.
type Cell struct {
	Text  string
	Value any // not nil when typed: bool, int64, float64, decimal.Decimal, time.Time, json.RawMessage, string
	Null  bool
}

// RowError says what is wrong with a row.
type RowError struct{ Msg string }

// Error implements error.
func (e *RowError) Error() string { return e.Msg }

// The formats.
const (
	CSV     = "csv"
	NDJSON  = "ndjson"
	Parquet = "parquet"
	XLSX    = "xlsx"
)

// Options of a file to read; the zero value has everything found out.
type Options struct {
	Format    string // CSV, NDJSON, Parquet or XLSX; by the content when empty
	Charset   string // of text, such as windows-1252; by the content when empty
	Delimiter string // of CSV: one character; by the content when empty
	Quote     string // of CSV: one character; by the content when empty
	Header    string // of CSV and XLSX: "yes", "no"; by the content when empty
	Sheet     string // of XLSX; the first when empty
	Serial    bool   // dates may be numbers of days, as in XLSX, which is always so
	EmptyText bool   // of CSV: a quoted empty cell is an empty text, as our own export writes it; otherwise every empty cell is NULL
}

// head is how much of a file is looked at to find out what it is.
const head = 64 << 10 // bytes

// Open reads CSV or NDJSON from a stream. The other formats need [OpenAt].
func Open(r io.Reader, o Options) (Reader, error) {
	const op = "format.Open"
	b := bufio.NewReaderSize(r, head)
	if o.Format == "" {
		o.Format = Sniff(b)
	}
	if o.Format == Parquet || o.Format == XLSX {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("%s keeps its directory at the end and cannot be read from a stream", o.Format))
	}
	text, err := decode(b, o.Charset)
	if err != nil {
		return nil, core.E(op, err)
	}
	switch o.Format {
	case CSV:
		return newCSV(text, o)
	case NDJSON:
		return newNDJSON(text)
	}
	return nil, core.E(op, core.Invalid, fmt.Sprintf("%q is no format; there are: csv, ndjson, parquet, xlsx", o.Format))
}

// OpenAt reads any format from a file or from memory.
func OpenAt(r io.ReaderAt, size int64, o Options) (Reader, error) {
	if o.Format == "" {
		o.Format = Sniff(bufio.NewReaderSize(io.NewSectionReader(r, 0, size), head))
	}
	switch o.Format {
	case Parquet:
		return newParquet(r, size)
	case XLSX:
		return newXLSX(r, size, o)
	}
	return Open(io.NewSectionReader(r, 0, size), o)
}

// Sniff finds out the format of what b is about to read.
func Sniff(b *bufio.Reader) string {
	start, _ := b.Peek(4)
	switch {
	case bytes.Equal(start, []byte("PAR1")):
		return Parquet
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return XLSX
	}
	sample, _ := b.Peek(head) // shorter when the file is
	if sample = bytes.TrimLeft(bytes.TrimPrefix(sample, bomUTF8), " \t\r\n"); len(sample) > 0 && sample[0] == '{' {
		return NDJSON
	}
	return CSV
}

// ByName returns the format that the ending of a file name tells, "" for another.
func ByName(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".csv", ".tsv", ".txt":
		return CSV
	case ".ndjson", ".jsonl":
		return NDJSON
	case ".parquet":
		return Parquet
	case ".xlsx", ".xlsm":
		return XLSX
	}
	return ""
}

// distinct names the columns that have no name, and makes equal names differ.
func distinct(header []string) []string {
	seen := make(map[string]bool, len(header))
	out := make([]string, len(header))
	for i, h := range header {
		name := strings.TrimSpace(h)
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		base := name
		for n := 2; seen[name]; n++ {
			name = fmt.Sprintf("%s (%d)", base, n)
		}
		seen[name] = true
		out[i] = name
	}
	return out
}

// numbered returns the names of n columns of a file without a header.
func numbered(n int) []string { return distinct(make([]string, n)) }

// width refuses a row of another number of cells than the header has.
func width(row *Row, header []string) error {
	if len(row.Cells) == len(header) {
		return nil
	}
	return &RowError{fmt.Sprintf("the line has %s, the header %d", core.Count(len(row.Cells), "cell"), len(header))}
}

// broken reports whether err is about one row only.
func broken(err error) bool {
	var e *RowError
	return errors.As(err, &e)
}

// Parse brings the cell into the Go form of the column's kind.
func (c *Cell) Parse(to *core.Column) (any, error) {
	switch v := c.Value.(type) {
	case nil:
		if c.Null {
			return nil, nil
		}
		return to.ParseText(c.Text)
	case json.RawMessage:
		if to.Kind == core.Text || to.Kind == core.LongText {
			return to.Parse(string(v))
		}
		var text string
		if to.Kind != core.JSON && json.Unmarshal(v, &text) == nil { // of a kind without a type of its own in the file
			return to.ParseText(text)
		}
		return to.Parse(v)
	case string:
		switch to.Kind {
		case core.Text, core.LongText, core.JSON:
			return to.Parse(v)
		}
		return to.ParseText(v)
	case json.Number:
		switch to.Kind {
		case core.Text, core.LongText, core.Choice:
			return to.Parse(string(v))
		}
	case int64, float64, decimal.Decimal:
		switch to.Kind {
		case core.Text, core.LongText, core.Choice:
			return to.Parse(fmt.Sprint(v))
		}
	case time.Time:
		if to.Kind == core.Text || to.Kind == core.LongText {
			return to.Parse(v.Format(time.RFC3339Nano))
		}
	}
	return to.Parse(c.Value)
}
