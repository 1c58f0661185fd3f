package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"colonnade/core"
)

// maxSpoolMemory is how many bytes of a file are kept in memory until all of it is there.
const maxSpoolMemory = 1 << 20

// spool reads everything, when it is not more than most bytes, and lets it be read again: from memory, or from a file in the
// folder for temporary files that has lost its name already. Whoever gets it closes it.
func spool(r io.Reader, most int64, of string) (io.ReadCloser, error) {
	const op = "transfer.spool"
	tooLong := core.E(op, core.Limit, fmt.Sprintf("the file has more than %d MB, which is the most for %s", most>>20, of))
	r = io.LimitReader(r, most+1)
	var start bytes.Buffer
	switch _, err := io.CopyN(&start, r, maxSpoolMemory); {
	case int64(start.Len()) > most:
		return nil, tooLong
	case errors.Is(err, io.EOF):
		return io.NopCloser(&start), nil
	case err != nil:
		return nil, received(err)
	}
	f, err := os.CreateTemp("", "colonnade-import-*")
	if err != nil {
		return nil, core.E(op, err)
	}
	size, err := fill(f, io.MultiReader(&start, r))
	if err == nil && size > most {
		err = tooLong
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// fill writes r to a new file, takes its name away, and goes back to its start.
func fill(f *os.File, r io.Reader) (size int64, err error) {
	const op = "transfer.fill"
	if err := os.Remove(f.Name()); err != nil {
		return 0, core.E(op, err)
	}
	body := &receiving{r: r}
	if size, err = io.Copy(f, body); err != nil && body.err == nil {
		return size, core.E(op, core.Full, "there is no room for the file where temporary files are kept", err)
	} else if err != nil {
		return size, received(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return size, core.E(op, err)
	}
	return size, nil
}

// receiving remembers that it was the sender who failed.
type receiving struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (b *receiving) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
