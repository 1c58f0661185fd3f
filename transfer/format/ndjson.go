package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"colonnade/core"
)

// ndjsonReader reads one JSON object a line. Its header is the keys of the first rows.
type ndjsonReader struct {
	r      *bufio.Reader
	header []string
	place  map[string]int
	line   int
	long   []byte
	seen   []bool
}

func newNDJSON(r io.Reader) (Reader, error) {
	const op = "format.NDJSON"
	n := &ndjsonReader{r: bufio.NewReaderSize(r, head), place: map[string]int{}}
	sample, err := n.r.Peek(head)
	if err != nil && len(sample) == 0 && !isEnd(err) {
		return nil, core.E(op, err)
	}
	for line := range bytes.Lines(sample) {
		_ = members(line, func(key string, _ any) error { // a broken line is told of when it is read
			if _, ok := n.place[key]; !ok {
				n.place[key] = len(n.header)
				n.header = append(n.header, key)
			}
			return nil
		})
	}
	if len(n.header) == 0 {
		return nil, core.E(op, core.Invalid, core.At{Line: 1}, "the text has no JSON object: each line must be one")
	}
	n.seen = make([]bool, len(n.header))
	return n, nil
}

// Header implements Reader.
func (n *ndjsonReader) Header() []string { return n.header }

// Next implements Reader.
func (n *ndjsonReader) Next(row *Row) error {
	for {
		line, err := n.readLine()
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		row.Line = n.line
		row.Cells = slices.Grow(row.Cells[:0], len(n.header))[:len(n.header)]
		for i := range row.Cells {
			row.Cells[i] = Cell{Null: true}
		}
		clear(n.seen)
		err = members(line, func(key string, v any) error {
			i, ok := n.place[key]
			switch {
			case !ok:
				return &RowError{fmt.Sprintf("the key %q is not among those of the first rows: name it there, with null", key)}
			case n.seen[i]:
				return &RowError{fmt.Sprintf("the key %q is there twice", key)}
			}
			n.seen[i] = true
			row.Cells[i] = Cell{Value: v, Null: v == nil}
			return nil
		})
		if err != nil && !broken(err) {
			row.Cells = append(row.Cells[:0], Cell{Text: string(line)})
			return &RowError{"the line is no JSON object"}
		}
		return err
	}
}

// members calls each for every member of a JSON object. Numbers keep all their digits; objects and lists stay as they are.
func members(line []byte, each func(key string, v any) error) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errNoObject, err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		v, err := scalar(raw)
		if err != nil {
			return err
		}
		if err := each(key.(string), v); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errNoObject
	}
	return nil
}

var errNoObject = errors.New("no JSON object")

func scalar(raw json.RawMessage) (v any, err error) {
	switch raw[0] {
	case '{', '[':
		return raw, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func (n *ndjsonReader) readLine() ([]byte, error) {
	line, err := n.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		n.long = append(n.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(n.long) <= maxRecord {
			line, err = n.r.ReadSlice('\n')
			n.long = append(n.long, line...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, core.E("format.NDJSON", core.Invalid, core.At{Line: n.line + 1}, fmt.Sprintf("the line has more than %d MB", maxRecord>>20))
		}
		line = n.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err
	}
	n.line++
	return line, nil
}
