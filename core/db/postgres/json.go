package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"colonnade/core"
	"colonnade/core/db"
)

// An encoder appends a value in PostgreSQL's binary format as JSON.
type encoder func(b, v []byte) ([]byte, error)

// encoders are the types that answers have, by OID. The formats are those of the send functions in
// src/backend/utils/adt of PostgreSQL.
var encoders = map[uint32]encoder{
	pgtype.UUIDOID:        encodeUUID,
	pgtype.TextOID:        encodeText,
	pgtype.VarcharOID:     encodeText,
	pgtype.NameOID:        encodeText,
	pgtype.UnknownOID:     encodeText,
	pgtype.BoolOID:        encodeBool,
	pgtype.Int2OID:        encodeInt,
	pgtype.Int4OID:        encodeInt,
	pgtype.Int8OID:        encodeInt,
	pgtype.Float8OID:      encodeFloat,
	pgtype.NumericOID:     encodeNumeric,
	pgtype.DateOID:        encodeDate,
	pgtype.TimestamptzOID: encodeTimestamp,
	pgtype.TimestampOID:   encodeCivilTime,
	pgtype.JSONOID:        encodeJSON,
	pgtype.JSONBOID:       encodeJSONB,
}

// row writes one row as JSON in the form of its shape.
type row struct {
	frame  *db.Frame
	encode []encoder
}

func newRow(s *db.Shape, fields []pgconn.FieldDescription) (*row, error) {
	r := &row{frame: s.Frame(), encode: make([]encoder, len(fields))}
	for i, f := range fields {
		e, ok := encoders[f.DataTypeOID]
		if !ok {
			return nil, fmt.Errorf("column %s has the type %d, which no encoder writes", f.Name, f.DataTypeOID)
		}
		r.encode[i] = e
		if i < r.frame.Values() && r.frame.Kinds()[i] == core.Duration {
			r.encode[i] = encodeSpan
		}
	}
	if r.frame.Values() != len(fields) {
		return nil, fmt.Errorf("the statement has %d columns, the answer %d", len(fields), r.frame.Values())
	}
	return r, nil
}

func (r *row) append(b []byte, values [][]byte) ([]byte, error) {
	for i, v := range values {
		b = append(b, r.frame.Before(i)...)
		if v == nil {
			b = append(b, "null"...)
			continue
		}
		var err error
		if b, err = r.encode[i](b, v); err != nil {
			return b, err
		}
	}
	return append(b, r.frame.Before(len(values))...), nil
}

func short(v []byte, n int) error {
	if len(v) < n {
		return fmt.Errorf("a value has %d bytes, not %d", len(v), n)
	}
	return nil
}

func encodeText(b, v []byte) ([]byte, error) {
	return core.AppendString(b, unsafe.String(unsafe.SliceData(v), len(v))), nil // which keeps no part of v
}

func encodeUUID(b, v []byte) ([]byte, error) {
	const hex = "0123456789abcdef"
	if err := short(v, 16); err != nil {
		return b, err
	}
	b = append(b, '"')
	for i, c := range v[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hex[c>>4], hex[c&15])
	}
	return append(b, '"'), nil
}

func encodeBool(b, v []byte) ([]byte, error) {
	return strconv.AppendBool(b, len(v) > 0 && v[0] != 0), short(v, 1)
}

func encodeInt(b, v []byte) ([]byte, error) {
	switch len(v) {
	case 8:
		return strconv.AppendInt(b, int64(binary.BigEndian.Uint64(v)), 10), nil
	case 4:
		return strconv.AppendInt(b, int64(int32(binary.BigEndian.Uint32(v))), 10), nil
	case 2:
		return strconv.AppendInt(b, int64(int16(binary.BigEndian.Uint16(v))), 10), nil
	}
	return b, fmt.Errorf("an integer has %d bytes", len(v))
}

func encodeFloat(b, v []byte) ([]byte, error) {
	if err := short(v, 8); err != nil {
		return b, err
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(v))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, fmt.Errorf("a float is %v, for which JSON has no word", f)
	}
	return core.AppendFloat(b, f), nil
}

// encodeNumeric writes a number of groups of four digits: count, weight of the first group, sign, digits after the
// point, groups.
func encodeNumeric(b, v []byte) ([]byte, error) {
	if err := short(v, 8); err != nil {
		return b, err
	}
	word := func(i int) int { return int(int16(binary.BigEndian.Uint16(v[i:]))) }
	count, weight, sign, scale := word(0), word(2), binary.BigEndian.Uint16(v[4:]), word(6)
	if err := short(v, 8+2*count); err != nil {
		return b, err
	}
	switch sign {
	case 0x4000:
		b = append(b, '-')
	case 0:
	default: // NaN and the infinities
		return append(b, "null"...), nil
	}
	group := func(i int) int {
		if i < 0 || i >= count {
			return 0
		}
		return word(8 + 2*i)
	}
	four := func(b []byte, d int) []byte {
		return append(b, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	if weight < 0 {
		b = append(b, '0')
	} else {
		b = strconv.AppendInt(b, int64(group(0)), 10)
		for i := 1; i <= weight; i++ {
			b = four(b, group(i))
		}
	}
	if scale <= 0 {
		return b, nil
	}
	b = append(b, '.')
	end := len(b) + scale
	for i := weight + 1; len(b) < end; i++ {
		b = four(b, group(i))
	}
	return b[:end], nil
}

// epoch is day 0 of PostgreSQL, which counts days and microseconds from it.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func encodeDate(b, v []byte) ([]byte, error) {
	if err := short(v, 4); err != nil {
		return b, err
	}
	day := epoch.AddDate(0, 0, int(int32(binary.BigEndian.Uint32(v))))
	return append(day.AppendFormat(append(b, '"'), time.DateOnly), '"'), nil
}

func encodeTimestamp(b, v []byte) ([]byte, error) { return encodeMicroseconds(b, v, core.TimeLayout) }

func encodeCivilTime(b, v []byte) ([]byte, error) { return encodeMicroseconds(b, v, core.CivilLayout) }

func encodeMicroseconds(b, v []byte, layout string) ([]byte, error) {
	if err := short(v, 8); err != nil {
		return b, err
	}
	us := int64(binary.BigEndian.Uint64(v))
	t := time.UnixMicro(epoch.UnixMicro() + us).UTC()
	return append(t.AppendFormat(append(b, '"'), layout), '"'), nil
}

func encodeSpan(b, v []byte) ([]byte, error) {
	if err := short(v, 8); err != nil {
		return b, err
	}
	return core.Duration.AppendJSON(b, core.Span(binary.BigEndian.Uint64(v))), nil
}

// PostgreSQL writes white space into its JSON, in a way of its own for each of its functions.
func encodeJSON(b, v []byte) ([]byte, error) { return core.CompactJSON(b, v), nil }

func encodeJSONB(b, v []byte) ([]byte, error) {
	if err := short(v, 1); err != nil {
		return b, err
	}
	return core.CompactJSON(b, v[1:]), nil // after the version byte
}
