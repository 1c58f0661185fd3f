package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"

	"colonnade/core"
	"colonnade/tables"
)

// Sum says what a table holds: two tables with the same name, columns and rows have the same.
type Sum struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Hash  string `json:"hash"` // SHA-256, of the name, the columns and all rows in order, in hexadecimal digits
}

// Sums takes a dump and sums it up. The zero value is ready.
type Sums struct {
	all []Sum
	h   hash.Hash
	buf []byte
}

var _ tables.Dumping = (*Sums)(nil)

// Part implements [tables.Dumping].
func (s *Sums) Part(p tables.Part) error {
	s.end()
	s.all = append(s.all, Sum{Table: p.Name})
	s.h = sha256.New()
	s.buf = appendValue(s.buf[:0], []byte(p.Name))
	for _, c := range p.Columns {
		s.buf = appendValue(s.buf, []byte(c.Name))
	}
	s.h.Write(s.buf)
	return nil
}

// Row implements [tables.Dumping].
func (s *Sums) Row(values [][]byte) error {
	s.buf = s.buf[:0]
	for _, v := range values {
		s.buf = appendValue(s.buf, v)
	}
	s.h.Write(s.buf)
	s.all[len(s.all)-1].Rows++
	return nil
}

func (s *Sums) end() {
	if n := len(s.all); n > 0 && s.h != nil {
		s.all[n-1].Hash = hex.EncodeToString(s.h.Sum(nil))
		s.h = nil
	}
}

// All returns the sums of what was taken, in its order.
func (s *Sums) All() []Sum {
	s.end()
	return s.all
}

// last ends the part and returns its sum.
func (s *Sums) last() Sum {
	s.end()
	return s.all[len(s.all)-1]
}

// Differ returns the first table whose sum is not the same in both; "" when there is none.
func Differ(a, b []Sum) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return b[i].Table
		case i >= len(b) || a[i] != b[i]:
			return a[i].Table
		}
	}
	return ""
}

func appendValue(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(v))+1), v...)
}

// Both gives a dump to several that take it, in order.
func Both(to ...tables.Dumping) tables.Dumping { return both(to) }

type both []tables.Dumping

func (b both) Part(p tables.Part) error {
	for _, d := range b {
		if err := d.Part(p); err != nil {
			return err
		}
	}
	return nil
}

func (b both) Row(values [][]byte) error {
	for _, d := range b {
		if err := d.Row(values); err != nil {
			return err
		}
	}
	return nil
}

// Progress calls each with the table and the number of its rows so far: at its beginning, and every so many rows.
type Progress struct {
	Each  func(table string, rows int64)
	table string
	rows  int64
}

// progressRows is how many rows pass between two calls of a [Progress].
const progressRows = 5000

// Part implements [tables.Dumping].
func (p *Progress) Part(part tables.Part) error {
	p.table, p.rows = part.Name, 0
	p.Each(p.table, 0)
	return nil
}

// Row implements [tables.Dumping].
func (p *Progress) Row([][]byte) error {
	if p.rows++; p.rows%progressRows == 0 {
		p.Each(p.table, p.rows)
	}
	return nil
}

// samePart reports whether two parts are of one table with the same columns.
func samePart(a, b tables.Part) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Columns, b.Columns, func(x, y tables.PartColumn) bool { return x.Name == y.Name })
}

func nameOf(p tables.Part, values [][]byte) string {
	if i := slices.IndexFunc(p.Columns, func(c tables.PartColumn) bool { return c.Name == "id" || c.Name == "record_id" }); i >= 0 {
		return p.Columns[i].Name + " " + string(values[i])
	}
	return core.Count(len(values), "value") + " that begin with " + string(values[0])
}
