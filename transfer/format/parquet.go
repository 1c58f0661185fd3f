package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	thrift "github.com/parquet-go/parquet-go/format"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// parquetReader reads a Parquet file row by row, one row group after the other. Columns that are lists or groups are left out.
type parquetReader struct {
	groups  []parquet.RowGroup
	rows    parquet.Rows
	header  []string
	columns []parquetColumn // by leaf; those without a place are left out
	buf     []parquet.Row
	have    int
	next    int
	line    int
}

type parquetColumn struct {
	place int // in the header, -1 for none
	value func(parquet.Value) (any, error)
}

// parquetBatch is how many rows are decoded together.
const parquetBatch = 64

func newParquet(r io.ReaderAt, size int64) (_ Reader, err error) {
	const op = "format.Parquet"
	defer func() {
		if p := recover(); p != nil { // the library trusts what the file says of itself
			err = core.E(op, core.Invalid, "the file is no Parquet file", fmt.Errorf("panic: %v", p))
		}
	}()
	f, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, core.E(op, core.Invalid, "the file is no Parquet file: "+err.Error(), err)
	}
	p := &parquetReader{groups: f.RowGroups(), buf: make([]parquet.Row, parquetBatch)}
	leaf := 0
	for _, field := range f.Schema().Fields() {
		if !field.Leaf() || field.Repeated() {
			for range leaves(field) {
				p.columns = append(p.columns, parquetColumn{place: -1})
				leaf++
			}
			continue
		}
		p.columns = append(p.columns, parquetColumn{place: len(p.header), value: decoder(field.Type())})
		p.header = append(p.header, field.Name())
		leaf++
	}
	if len(p.header) == 0 {
		return nil, core.E(op, core.Invalid, "the file has no column of single values")
	}
	p.header = distinct(p.header)
	return p, nil
}

// leaves returns how many columns a field of the schema has.
func leaves(n parquet.Node) int {
	if n.Leaf() {
		return 1
	}
	sum := 0
	for _, f := range n.Fields() {
		sum += leaves(f)
	}
	return sum
}

// decoder returns what makes a value of the type a value of ours.
func decoder(t parquet.Type) func(parquet.Value) (any, error) {
	var logical thrift.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *thrift.DecimalType:
		return func(v parquet.Value) (any, error) { return decodeDecimal(v, l.Scale) }
	case *thrift.DateType:
		return func(v parquet.Value) (any, error) { return time.Unix(int64(v.Int32())*86400, 0).UTC(), nil }
	case *thrift.TimestampType:
		unit := timeUnit(l)
		return func(v parquet.Value) (any, error) {
			n := v.Int64()
			per := int64(time.Second / unit)
			return time.Unix(floorDiv(n, per), (n-floorDiv(n, per)*per)*int64(unit)).UTC(), nil
		}
	case *thrift.UUIDType:
		return func(v parquet.Value) (any, error) {
			id, err := uuid.FromBytes(v.ByteArray())
			return id.String(), err
		}
	case *thrift.JsonType:
		return func(v parquet.Value) (any, error) { return json.RawMessage(strings.Clone(string(v.ByteArray()))), nil }
	}
	return decodePlain
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func timeUnit(l *thrift.TimestampType) time.Duration {
	switch l.Unit.Value.(type) {
	case *thrift.MilliSeconds:
		return time.Millisecond
	case *thrift.NanoSeconds:
		return time.Nanosecond
	}
	return time.Microsecond
}

func decodeDecimal(v parquet.Value, scale int32) (any, error) {
	switch v.Kind() {
	case parquet.Int32:
		return decimal.New(int64(v.Int32()), -scale), nil
	case parquet.Int64:
		return decimal.New(v.Int64(), -scale), nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		b := v.ByteArray()
		n := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 { // two's complement
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		return decimal.NewFromBigInt(n, -scale), nil
	}
	return nil, fmt.Errorf("a decimal is a %s", v.Kind())
}

func decodePlain(v parquet.Value) (any, error) {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean(), nil
	case parquet.Int32:
		return int64(v.Int32()), nil
	case parquet.Int64:
		return v.Int64(), nil
	case parquet.Float:
		return float64(v.Float()), nil
	case parquet.Double:
		return v.Double(), nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray()), nil
	}
	return nil, fmt.Errorf("a %s has no form here", v.Kind())
}

// Header implements Reader.
func (p *parquetReader) Header() []string { return p.header }

// Next implements Reader.
func (p *parquetReader) Next(row *Row) (err error) {
	const op = "format.Parquet"
	defer func() {
		if e := recover(); e != nil {
			err = core.E(op, core.Invalid, core.At{Line: p.line + 1}, "the file is damaged", fmt.Errorf("panic: %v", e))
		}
	}()
	for p.next == p.have {
		if err := p.fill(); err != nil {
			return err
		}
	}
	values := p.buf[p.next]
	p.next++
	p.line++
	row.Line = p.line
	row.Cells = row.Cells[:0]
	for range p.header {
		row.Cells = append(row.Cells, Cell{Null: true})
	}
	for _, v := range values {
		if v.Column() >= len(p.columns) {
			continue
		}
		c := p.columns[v.Column()]
		if c.place < 0 || v.IsNull() {
			continue
		}
		value, err := c.value(v)
		if err != nil {
			return &RowError{fmt.Sprintf("the column %s cannot be read: %v", p.header[c.place], err)}
		}
		row.Cells[c.place] = Cell{Value: value}
	}
	return nil
}

// fill decodes the next rows.
func (p *parquetReader) fill() error {
	for {
		if p.rows == nil {
			if len(p.groups) == 0 {
				return io.EOF
			}
			p.rows, p.groups = p.groups[0].Rows(), p.groups[1:]
		}
		n, err := p.rows.ReadRows(p.buf)
		p.have, p.next = n, 0
		if err != nil && !errors.Is(err, io.EOF) {
			return core.E("format.Parquet", core.Invalid, core.At{Line: p.line + 1}, "the file is damaged: "+err.Error(), err)
		}
		if n > 0 {
			return nil
		}
		if err := p.rows.Close(); err != nil {
			return core.E("format.Parquet", err)
		}
		p.rows = nil
	}
}
