package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"colonnade/core"
	"colonnade/tables"
	"colonnade/transfer/format"
)

// input is a file under way.
type input struct {
	r      *Request
	body   *counter
	reader format.Reader
	fields []field
	extra  []extra       // columns that the file does not have
	how    tables.Import // what all rows have in common
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// open finds out what the file is and where its columns go.
func (s *Service) open(ctx context.Context, in *input) (err error) {
	if err := s.mayImport(ctx); err != nil {
		return err
	}
	if err := in.read(in.body); err != nil {
		return err
	}
	return s.match(ctx, in)
}

// read begins to read the file.
func (in *input) read(r io.Reader) (err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if in.r.File.Format == "" {
		in.r.File.Format = format.Sniff(b)
	}
	switch in.r.File.Format {
	case format.Parquet, format.XLSX: // whose directory is at the end
		data, err := all(b, maxHeld, "a Parquet or XLSX file that is sent; colonnade import reads larger ones")
		if err != nil {
			return err
		}
		in.reader, err = format.OpenAt(bytes.NewReader(data), int64(len(data)), in.r.File)
		return err
	}
	in.reader, err = format.Open(b, in.r.File)
	return err
}

// all reads everything, when it is not too much.
func all(r io.Reader, most int, of string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return nil, received(err)
	case len(data) > most:
		return nil, core.E("transfer.all", core.Limit, fmt.Sprintf("the file has more than %d MB, which is the most for %s", most>>20, of))
	}
	return data, nil
}

// received says that the file was cut off, unless err is of ours.
func received(err error) error {
	var own *core.Error
	if errors.As(err, &own) || errors.Is(err, io.EOF) {
		return err
	}
	return core.E("transfer.received", core.Unavailable, "the file did not arrive whole: send it again", err)
}
