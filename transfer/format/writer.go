package format

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// Writer writes rows as a file.
type Writer interface {
	// Write writes one row: JSON values in the order of the columns, as the API has them. It keeps none of them.
	Write(cells []json.RawMessage) error
	// Close writes what is left. The file is not complete before.
	Close() error
}

// Create begins a file of the format with the columns.
func Create(w io.Writer, format string, columns []*core.Column) (Writer, error) {
	switch format {
	case CSV:
		return createCSV(w, columns)
	case NDJSON:
		return &ndjsonWriter{w: bufio.NewWriterSize(w, head), columns: columns}, nil
	case Parquet:
		return createParquet(w, columns)
	}
	return nil, core.E("format.Create", core.Invalid, core.At{Column: "format"}, fmt.Sprintf("%q is no format to write; there are: csv, ndjson, parquet", format))
}

// ContentType returns the media type of a format.
func ContentType(format string) string {
	switch format {
	case CSV:
		return "text/csv; charset=utf-8"
	case NDJSON:
		return "application/x-ndjson"
	case Parquet:
		return "application/vnd.apache.parquet"
	}
	return "application/octet-stream"
}

// csvWriter writes RFC 4180 with a header. NULL is an empty cell and an empty text a quoted one, which a reader with
// [Options.EmptyText] tells apart.
type csvWriter struct {
	w       *bufio.Writer
	columns []*core.Column
	line    []byte
}

func createCSV(w io.Writer, columns []*core.Column) (Writer, error) {
	c := &csvWriter{w: bufio.NewWriterSize(w, head), columns: columns}
	for i, column := range columns {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		c.line = appendCSV(c.line, column.Name)
	}
	_, err := c.w.Write(append(c.line, '\n'))
	return c, core.E("format.CSV", err)
}

func (c *csvWriter) Write(cells []json.RawMessage) error {
	b := c.line[:0]
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case string(cell) == "null":
		case cell[0] == '"' && c.columns[i].Kind != core.JSON:
			var s string
			if err := json.Unmarshal(cell, &s); err != nil {
				return core.E("format.CSV", err)
			}
			b = appendCSV(b, s)
		default:
			b = appendCSV(b, string(cell))
		}
	}
	if len(b) == 0 { // a row of one NULL is no empty line
		b = append(b, `""`...)
	}
	c.line = append(b, '\n')
	_, err := c.w.Write(c.line)
	return core.E("format.CSV", err)
}

func (c *csvWriter) Close() error { return core.E("format.CSV", c.w.Flush()) }

func appendCSV(b []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n;\t|'") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// AppendCSV appends the cells as a line of CSV.
func AppendCSV(b []byte, cells ...string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if c != "" {
			b = appendCSV(b, c)
		}
	}
	return append(b, '\n')
}

type ndjsonWriter struct {
	w       *bufio.Writer
	columns []*core.Column
	line    []byte
}

func (n *ndjsonWriter) Write(cells []json.RawMessage) error {
	b := append(n.line[:0], '{')
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(core.AppendString(b, n.columns[i].Name), ':')
		b = append(b, cell...)
	}
	n.line = append(b, '}', '\n')
	_, err := n.w.Write(n.line)
	return core.E("format.NDJSON", err)
}

func (n *ndjsonWriter) Close() error { return core.E("format.NDJSON", n.w.Flush()) }

// parquetGroup is how many rows a row group has: one is in memory.
const parquetGroup = 20_000

type parquetWriter struct {
	w      *parquet.Writer //nolint:staticcheck // the one that is preferred wants a Go type, and the columns are known when it runs only
	encode []func(json.RawMessage) (parquet.Value, error)
	place  []int // of each column among those of the file, which are sorted by name
	row    parquet.Row
	n      int
}

func createParquet(w io.Writer, columns []*core.Column) (Writer, error) {
	group := parquet.Group{}
	p := &parquetWriter{row: make(parquet.Row, len(columns))}
	for _, c := range columns {
		node, encode := encoder(c)
		group[c.Name] = parquet.Compressed(parquet.Optional(node), &parquet.Snappy)
		p.encode = append(p.encode, encode)
	}
	schema := parquet.NewSchema("row", group)
	place := map[string]int{}
	for i, f := range schema.Fields() {
		place[f.Name()] = i
	}
	for _, c := range columns {
		p.place = append(p.place, place[c.Name])
	}
	p.w = parquet.NewWriter(w, schema, parquet.CreatedBy("colonnade", "", ""))
	return p, nil
}

func (p *parquetWriter) Write(cells []json.RawMessage) error {
	const op = "format.Parquet"
	for i, cell := range cells {
		at := p.place[i]
		if string(cell) == "null" {
			p.row[at] = parquet.NullValue().Level(0, 0, at)
			continue
		}
		v, err := p.encode[i](cell)
		if err != nil {
			return core.E(op, err)
		}
		p.row[at] = v.Level(0, 1, at)
	}
	if _, err := p.w.WriteRows([]parquet.Row{p.row}); err != nil {
		return core.E(op, err)
	}
	if p.n++; p.n%parquetGroup == 0 {
		return core.E(op, p.w.Flush())
	}
	return nil
}

func (p *parquetWriter) Close() error { return core.E("format.Parquet", p.w.Close()) }

// encoder returns the type of a column in a Parquet file, and what makes a JSON value one of it. A kind without a type of its
// own is JSON.
func encoder(c *core.Column) (parquet.Node, func(json.RawMessage) (parquet.Value, error)) {
	text := func(raw json.RawMessage, f func(string) (parquet.Value, error)) (parquet.Value, error) {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return parquet.Value{}, err
		}
		return f(s)
	}
	switch c.Kind {
	case core.Text, core.LongText, core.Choice, core.Duration: // the INTERVAL of Parquet ends at milliseconds
		return parquet.String(), func(raw json.RawMessage) (parquet.Value, error) {
			return text(raw, func(s string) (parquet.Value, error) { return parquet.ByteArrayValue([]byte(s)), nil })
		}
	case core.Integer:
		return parquet.Int(64), func(raw json.RawMessage) (parquet.Value, error) {
			n, err := strconv.ParseInt(string(raw), 10, 64)
			return parquet.Int64Value(n), err
		}
	case core.Float:
		return parquet.Leaf(parquet.DoubleType), func(raw json.RawMessage) (parquet.Value, error) {
			f, err := strconv.ParseFloat(string(raw), 64)
			return parquet.DoubleValue(f), err
		}
	case core.Boolean:
		return parquet.Leaf(parquet.BooleanType), func(raw json.RawMessage) (parquet.Value, error) {
			return parquet.BooleanValue(string(raw) == "true"), nil
		}
	case core.Date:
		return parquet.Date(), func(raw json.RawMessage) (parquet.Value, error) {
			return text(raw, func(s string) (parquet.Value, error) {
				t, err := time.Parse(time.DateOnly, s)
				return parquet.Int32Value(int32(floorDiv(t.Unix(), 86400))), err
			})
		}
	case core.Timestamp:
		return parquet.Timestamp(parquet.Microsecond), func(raw json.RawMessage) (parquet.Value, error) {
			return text(raw, func(s string) (parquet.Value, error) {
				t, err := time.Parse(time.RFC3339Nano, s)
				return parquet.Int64Value(t.UnixMicro()), err
			})
		}
	case core.DateTime:
		return parquet.TimestampAdjusted(parquet.Microsecond, false), func(raw json.RawMessage) (parquet.Value, error) {
			return text(raw, func(s string) (parquet.Value, error) {
				t, err := time.Parse(core.CivilLayout, s)
				return parquet.Int64Value(t.UnixMicro()), err
			})
		}
	case core.UUID, core.Lookup, core.File, core.Image:
		return parquet.UUID(), func(raw json.RawMessage) (parquet.Value, error) {
			return text(raw, func(s string) (parquet.Value, error) {
				id, err := uuid.Parse(s)
				return parquet.FixedLenByteArrayValue(id[:]), err
			})
		}
	case core.Currency:
		return parquet.Decimal(4, 38, parquet.FixedLenByteArrayType(16)), func(raw json.RawMessage) (parquet.Value, error) {
			return encodeDecimal(string(raw), 4) // no currency has more digits
		}
	case core.Decimal:
		if c.Precision > 0 && c.Precision <= 38 {
			return parquet.Decimal(c.Scale, c.Precision, parquet.FixedLenByteArrayType(16)), func(raw json.RawMessage) (parquet.Value, error) {
				return encodeDecimal(string(raw), int32(c.Scale))
			}
		}
	}
	return parquet.JSON(), func(raw json.RawMessage) (parquet.Value, error) {
		return parquet.ByteArrayValue([]byte(raw)), nil
	}
}

// encodeDecimal writes a number of at most 38 digits as two's complement of 16 bytes.
func encodeDecimal(s string, scale int32) (parquet.Value, error) {
	d, err := decimal.NewFromString(s)
	if err != nil {
		return parquet.Value{}, err
	}
	n := d.Shift(scale).BigInt()
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, 16))), nil
}
