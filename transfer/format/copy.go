package format

import (
	"bufio"
	"errors"
	"io"

	"colonnade/core"
)

// Copy writes rows as NDJSON. What is no value of JSON is a text.
func Copy(w io.Writer, r Reader) error {
	const op = "format.Copy"
	out := bufio.NewWriterSize(w, head)
	header := r.Header()
	var row Row
	var line []byte
	for {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return core.E(op, out.Flush())
		}
		if err != nil && !broken(err) {
			return core.E(op, err)
		}
		line = append(line[:0], '{')
		for i := 0; i < len(header) && i < len(row.Cells); i++ {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(core.AppendString(line, header[i]), ':')
			switch c := &row.Cells[i]; {
			case c.Null:
				line = append(line, "null"...)
			case c.Value != nil:
				line = core.AppendValue(line, c.Value)
			default:
				line = core.AppendString(line, c.Text)
			}
		}
		if _, err := out.Write(append(line, '}', '\n')); err != nil {
			return core.E(op, err)
		}
	}
}
