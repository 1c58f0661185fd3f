package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"colonnade/core"
	"colonnade/tables"
)

// magic begins every file.
const magic = "colonnade backup 1\n"

// The letters of blocks.
const (
	blockHead = 'H'
	blockPart = 'P'
	blockRows = 'R'
	blockSum  = 'S'
	blockEnd  = 'E'
)

// Head says where an archive comes from.
type Head struct {
	Made      time.Time `json:"made"`
	Program   string    `json:"program"`   // the version of Colonnade
	Migration int       `json:"migration"` // the newest of its system tables
	Database  string    `json:"database"`  // sqlite or postgres
}

// Manifest is what a whole archive holds.
type Manifest struct {
	Head
	Tables []Sum `json:"tables"`
}

// Rows is how many rows the archive holds.
func (m *Manifest) Rows() (n int64) {
	for _, s := range m.Tables {
		n += s.Rows
	}
	return n
}

// maxBlock is the size of rows that are kept together.
const maxBlock = 64 << 10

// Writer writes an archive. It takes a dump.
type Writer struct {
	out  io.Writer // the file
	sum  hash.Hash // of all that was written to it
	zip  *zstd.Encoder
	head Head
	sums Sums
	open bool // a part has begun
	rows bytes.Buffer
	buf  []byte
}

var _ tables.Dumping = (*Writer)(nil)

// NewWriter begins an archive on w. Without [Writer.Close] it is none.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	const op = "archive.NewWriter"
	a := &Writer{sum: sha256.New(), head: h}
	a.out = io.MultiWriter(w, a.sum)
	if _, err := io.WriteString(a.out, magic); err != nil {
		return nil, core.E(op, err)
	}
	var err error
	if a.zip, err = zstd.NewWriter(a.out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)); err != nil {
		return nil, core.E(op, err)
	}
	return a, core.E(op, a.json(blockHead, h))
}

// Part implements [tables.Dumping].
func (a *Writer) Part(p tables.Part) error {
	if err := a.end(); err != nil {
		return core.E("archive.Part", err)
	}
	a.open = true
	_ = a.sums.Part(p) // which never fails, like Row
	return core.E("archive.Part", a.json(blockPart, p))
}

// Row implements [tables.Dumping].
func (a *Writer) Row(values [][]byte) error {
	_ = a.sums.Row(values)
	a.rows.Write(a.sums.buf)
	if a.rows.Len() < maxBlock {
		return nil
	}
	return core.E("archive.Row", a.flush())
}

func (a *Writer) flush() error {
	if a.rows.Len() == 0 {
		return nil
	}
	err := a.block(blockRows, a.rows.Bytes())
	a.rows.Reset()
	return err
}

// end ends the part.
func (a *Writer) end() error {
	if !a.open {
		return nil
	}
	a.open = false
	if err := a.flush(); err != nil {
		return err
	}
	return a.json(blockSum, a.sums.last())
}

// Close ends the archive and says what is in it. It does not close what it was written to.
func (a *Writer) Close() (*Manifest, error) {
	const op = "archive.Close"
	m := &Manifest{a.head, a.sums.All()}
	err := a.end()
	if err == nil {
		err = a.json(blockEnd, m.Tables)
	}
	if bad := a.zip.Close(); err == nil {
		err = bad
	}
	if err == nil {
		_, err = a.out.Write(a.sum.Sum(nil))
	}
	return m, core.E(op, err)
}

// Abandon frees what the writer holds. What it has written is no archive.
func (a *Writer) Abandon() { a.zip.Reset(nil) }

func (a *Writer) json(letter byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.block(letter, text)
}

func (a *Writer) block(letter byte, body []byte) error {
	a.buf = binary.AppendUvarint(append(a.buf[:0], letter), uint64(len(body)))
	if _, err := a.zip.Write(a.buf); err != nil {
		return err
	}
	_, err := a.zip.Write(body)
	return err
}
