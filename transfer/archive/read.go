package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"colonnade/core"
	"colonnade/tables"
)

// Read gives the dump that an archive holds. It returns without an error only when the archive is whole and no bit of it has
// changed; until then what it gave may be a part of it. first, which may be nil, looks at the head before anything is given.
func Read(r io.Reader, to tables.Dumping, first func(Head) error) (*Manifest, error) {
	const op = "archive.Read"
	a := &reader{file: &sealed{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}, to: to, first: first}
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(a.file, begin); err != nil || string(begin) != magic {
		if failed := a.file.err; failed != nil {
			return nil, core.E(op, failed)
		}
		return nil, core.E(op, core.Invalid, "the file is no backup of Colonnade")
	}
	zip, err := zstd.NewReader(a.file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, core.E(op, err)
	}
	defer zip.Close()
	a.in = bufio.NewReaderSize(zip, 64<<10)
	if err := a.run(); err != nil {
		return nil, core.E(op, a.explain(err))
	}
	return &a.manifest, nil
}

// sealed reads a file whose last bytes are the sum of the others.
type sealed struct {
	r    *bufio.Reader
	sum  hash.Hash
	read int64
	err  error // of the file
}

// Read implements io.Reader: it ends before the sum.
func (s *sealed) Read(p []byte) (int, error) {
	ahead, err := s.r.Peek(min(len(p)+sha256.Size, s.r.Size()))
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
		return 0, err
	}
	n := len(ahead) - sha256.Size
	if n <= 0 {
		return 0, io.EOF
	}
	n = copy(p, ahead[:n])
	s.sum.Write(p[:n])
	s.read += int64(n)
	_, err = s.r.Discard(n)
	return n, err
}

// check compares the sum, at the end.
func (s *sealed) check() error {
	want, err := io.ReadAll(s.r)
	if err != nil {
		s.err = err
		return err
	}
	if !bytes.Equal(want, s.sum.Sum(nil)) {
		return damaged("its checksum is not that of its bytes")
	}
	return nil
}

// damaged is an error of the archive, and not of whoever takes the dump.
type damaged string

func (d damaged) Error() string { return string(d) }

// reader reads one archive.
type reader struct {
	file     *sealed
	in       *bufio.Reader
	to       tables.Dumping
	first    func(Head) error
	manifest Manifest
	sums     Sums
	part     *tables.Part
	body     bytes.Buffer
	values   [][]byte
	taken    error // by whoever takes the dump
}

// explain says where the archive is damaged.
func (a *reader) explain(err error) error {
	const op = "archive.Read"
	switch {
	case a.taken != nil:
		return a.taken
	case a.file.err != nil:
		return core.E(op, core.Unavailable, "the backup cannot be read: "+a.file.err.Error(), a.file.err)
	}
	what := "damaged"
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		what = "cut off"
	}
	where := "before its first table"
	if n := len(a.sums.all); n > 0 {
		where = fmt.Sprintf("in the table %s, after %s", a.sums.all[n-1].Table, core.Count(a.sums.all[n-1].Rows, "row"))
	}
	var d damaged
	if why := ""; errors.As(err, &d) {
		why = ": " + string(d)
		return core.E(op, core.Invalid, fmt.Sprintf("the backup is %s %s, near byte %d%s; use another one", what, where, a.file.read, why))
	}
	return core.E(op, core.Invalid, fmt.Sprintf("the backup is %s %s, near byte %d; use another one", what, where, a.file.read), err)
}

func (a *reader) run() error {
	for {
		letter, body, err := a.block()
		if err != nil {
			return err
		}
		if (letter == blockHead) != (a.manifest.Program == "") {
			return damaged("its head is not at its beginning")
		}
		switch letter {
		case blockHead:
			err = a.head(body)
		case blockPart:
			err = a.begin(body)
		case blockRows:
			err = a.rows(body)
		case blockSum:
			err = a.end(body)
		case blockEnd:
			return a.finish(body)
		default:
			err = damaged("it has something in it that is nothing")
		}
		if err != nil {
			return err
		}
	}
}

// block reads one block, which is good until the next. A length that is wrong takes no more memory than there are bytes.
func (a *reader) block() (letter byte, body []byte, err error) {
	if letter, err = a.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(a.in)
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<40 {
		return 0, nil, damaged("a length in it is impossible")
	}
	a.body.Reset()
	if _, err := io.CopyN(&a.body, a.in, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return letter, a.body.Bytes(), nil
}

func (a *reader) head(body []byte) error {
	if err := json.Unmarshal(body, &a.manifest.Head); err != nil || a.manifest.Program == "" {
		return damaged("its head cannot be read")
	}
	if a.first != nil {
		a.taken = a.first(a.manifest.Head)
	}
	return a.taken
}

func (a *reader) begin(body []byte) error {
	var p tables.Part
	if err := json.Unmarshal(body, &p); err != nil || a.part != nil || len(p.Columns) == 0 {
		return damaged("a table cannot be read")
	}
	a.part = &p
	a.values = make([][]byte, len(p.Columns))
	_ = a.sums.Part(p)
	a.taken = a.to.Part(p)
	return a.taken
}

func (a *reader) rows(body []byte) error {
	if a.part == nil {
		return damaged("it has rows of no table")
	}
	for len(body) > 0 {
		for i := range a.values {
			n, size := binary.Uvarint(body)
			if size <= 0 || n > uint64(len(body)-size)+1 {
				return damaged("a row cannot be read")
			}
			body = body[size:]
			a.values[i] = nil
			if n > 0 {
				a.values[i], body = body[:n-1:n-1], body[n-1:]
			}
		}
		_ = a.sums.Row(a.values)
		if a.taken = a.to.Row(a.values); a.taken != nil {
			return a.taken
		}
	}
	return nil
}

func (a *reader) end(body []byte) error {
	var want Sum
	if err := json.Unmarshal(body, &want); err != nil || a.part == nil {
		return damaged("a sum cannot be read")
	}
	if a.sums.last() != want {
		return damaged("the rows are not those that were written")
	}
	a.part = nil
	return nil
}

// finish checks that all is there, and nothing else.
func (a *reader) finish(body []byte) error {
	if err := json.Unmarshal(body, &a.manifest.Tables); err != nil || a.part != nil || !slices.Equal(a.manifest.Tables, a.sums.All()) {
		return damaged("it does not hold what it says")
	}
	if _, err := a.in.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged("something follows its end")
	}
	if _, err := io.Copy(io.Discard, a.file); err != nil {
		return err
	}
	return a.file.check()
}
