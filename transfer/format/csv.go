package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"colonnade/core"
)

// maxRecord is how many bytes a row of a text file may have: a quote that is never closed must not take the rest of the file
// into memory.
const maxRecord = 4 << 20

// csvReader reads CSV as RFC 4180 has it, with any ASCII delimiter and quote. A line end within quotes belongs to the cell,
// a doubled quote within quotes is one. Empty lines are left out.
type csvReader struct {
	r         *bufio.Reader
	delimiter byte
	quote     byte
	emptyText bool
	header    []string
	line      int // of the file, read so far
	text      []byte
	ends      []end
	long      []byte
	first     *Row // of a file without a header: what was read to find that out
}

// end is where a cell ends in the text of its row.
type end struct {
	at     int
	quoted bool
}

func newCSV(r io.Reader, o Options) (Reader, error) {
	const op = "format.CSV"
	c := &csvReader{r: bufio.NewReaderSize(r, head), emptyText: o.EmptyText}
	sample, err := c.r.Peek(head)
	if err != nil && len(sample) == 0 && !isEnd(err) {
		return nil, core.E(op, err)
	}
	if c.delimiter, err = one("delimiter", o.Delimiter); err != nil {
		return nil, err
	}
	if c.quote, err = one("quote", o.Quote); err != nil {
		return nil, err
	}
	guess(sample, &c.delimiter, &c.quote)
	var row Row
	switch err := c.Next(&row); {
	case errors.Is(err, io.EOF):
		return nil, core.E(op, core.Invalid, core.At{Line: 1}, "the text has no header line")
	case err != nil:
		return nil, core.E(op, core.Invalid, core.At{Line: max(row.Line, 1)}, "the header cannot be read: "+err.Error())
	}
	names := make([]string, len(row.Cells))
	for i := range row.Cells {
		names[i] = row.Cells[i].Text
	}
	if o.Header == "no" || o.Header == "" && !looksLikeHeader(names) {
		c.header = numbered(len(names))
		row.Cells = slices.Clone(row.Cells)
		c.first = &row
		return c, nil
	}
	c.header = distinct(names)
	return c, nil
}

// one returns the only byte of an option, 0 when it is empty.
func one(what, s string) (byte, error) {
	switch {
	case s == "":
		return 0, nil
	case s == `\t` || s == "tab":
		return '\t', nil
	case len(s) != 1 || s[0] >= utf8.RuneSelf || s == "\n" || s == "\r":
		return 0, core.E("format.CSV", core.Invalid, core.At{Column: what}, fmt.Sprintf("the %s is one ASCII character, or tab", what))
	}
	return s[0], nil
}

// guess finds delimiter and quote where they are 0: those with which the first rows have the most cells, all equally many.
func guess(sample []byte, delimiter, quote *byte) {
	quotes := []byte{'"', '\''}
	delimiters := []byte{',', ';', '\t', '|'}
	if *quote != 0 {
		quotes = []byte{*quote}
	}
	if *delimiter != 0 {
		delimiters = []byte{*delimiter}
	}
	best := -1
	for _, q := range quotes {
		for _, d := range delimiters {
			if s := score(sample, d, q); s > best {
				best, *delimiter, *quote = s, d, q
			}
		}
	}
}

// score rates a delimiter and a quote by the first rows of a sample.
func score(sample []byte, delimiter, quote byte) int {
	const rows = 50
	c := &csvReader{r: bufio.NewReader(bytes.NewReader(sample)), delimiter: delimiter, quote: quote}
	var row Row
	first, same, n := 0, 0, 0
	for n < rows && c.Next(&row) == nil {
		if n++; n == 1 {
			first = len(row.Cells)
		}
		if len(row.Cells) == first {
			same++
		}
	}
	if n == 0 || first < 2 {
		return 0
	}
	s := same * 1000 / n * min(first, 100)
	if quote == '"' {
		s++ // of two that serve alike
	}
	return s
}

// looksLikeHeader reports whether the cells of a first row can be names: none empty, twice, or a number.
func looksLikeHeader(cells []string) bool {
	seen := map[string]bool{}
	for _, c := range cells {
		c = strings.TrimSpace(c)
		if _, err := strconv.ParseFloat(c, 64); err == nil || c == "" {
			return slices.ContainsFunc(cells, func(c string) bool { return letters(c) }) && !slices.ContainsFunc(cells, isNumber)
		}
		seen[c] = true
	}
	return len(seen) > 0
}

func letters(s string) bool {
	return strings.ContainsAny(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz")
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

// Header implements Reader.
func (c *csvReader) Header() []string { return c.header }

// Next implements Reader.
func (c *csvReader) Next(row *Row) error {
	if c.first != nil {
		*row, c.first = *c.first, nil
		return nil
	}
	for {
		err := c.record(row)
		if err == nil && len(row.Cells) == 1 && row.Cells[0].Text == "" && !c.ends[0].quoted {
			continue // an empty line
		}
		if err == nil && c.header != nil {
			err = width(row, c.header)
		}
		return err
	}
}

// record reads one row, whatever its width.
func (c *csvReader) record(row *Row) error {
	c.text, c.ends = c.text[:0], c.ends[:0]
	row.Cells = row.Cells[:0]
	line, err := c.readLine()
	if err != nil {
		return err
	}
	row.Line = c.line
	for {
		if len(line) == 0 || line[0] != c.quote { // a bare cell
			cell, rest, more := bytes.Cut(line, []byte{c.delimiter})
			if !more {
				cell = bytes.TrimSuffix(cell, []byte{'\r'})
			}
			c.text = append(c.text, cell...)
			c.ends = append(c.ends, end{len(c.text), false})
			if bytes.IndexByte(cell, c.quote) >= 0 && c.quote == '"' {
				c.cells(row)
				return &RowError{"the line is no CSV: a quote stands in a cell that is not quoted"}
			}
			if line = rest; !more {
				c.cells(row)
				return nil
			}
			continue
		}
		rest, more, err := c.quoted(line[1:])
		if err != nil {
			c.cells(row)
			return err
		}
		if line = rest; !more {
			c.cells(row)
			return nil
		}
	}
}

// quoted reads a cell behind its opening quote, over lines when need be. It returns what follows, and whether a delimiter did.
func (c *csvReader) quoted(line []byte) (rest []byte, more bool, err error) {
	opened, start := c.line, len(c.text)
	for {
		i := bytes.IndexByte(line, c.quote)
		switch {
		case i < 0: // the cell goes on in the next line
			c.text = append(append(c.text, line...), '\n')
			if len(c.text)-start > maxRecord {
				return nil, false, core.E("format.CSV", core.Invalid, core.At{Line: opened}, fmt.Sprintf("a quote is opened here and not closed within %d MB: the rest of the text is within it", maxRecord>>20))
			}
			if line, err = c.readLine(); errors.Is(err, io.EOF) {
				return nil, false, core.E("format.CSV", core.Invalid, core.At{Line: opened}, "a quote is opened here and not closed: the rest of the text is within it")
			} else if err != nil {
				return nil, false, err
			}
		case i+1 < len(line) && line[i+1] == c.quote:
			c.text = append(c.text, line[:i+1]...)
			line = line[i+2:]
		default:
			c.text = append(c.text, line[:i]...)
			c.ends = append(c.ends, end{len(c.text), true})
			switch line = line[i+1:]; {
			case len(line) == 0, string(line) == "\r":
				return nil, false, nil
			case line[0] == c.delimiter:
				return line[1:], true, nil
			}
			return nil, false, &RowError{"the line is no CSV: text follows the closing quote of a cell"}
		}
	}
}

// cells makes cells of the text, all in one string.
func (c *csvReader) cells(row *Row) {
	text, from := string(c.text), 0
	for _, e := range c.ends {
		cell := Cell{Text: text[from:e.at]}
		if cell.Text == "" {
			if c.emptyText && e.quoted {
				cell.Value = ""
			} else {
				cell.Null = true
			}
		}
		row.Cells = append(row.Cells, cell)
		from = e.at
	}
}

// readLine returns the next line without its line feed; it is valid until the next call.
func (c *csvReader) readLine() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		c.long = append(c.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(c.long) <= maxRecord {
			line, err = c.r.ReadSlice('\n')
			c.long = append(c.long, line...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, core.E("format.CSV", core.Invalid, core.At{Line: c.line + 1}, fmt.Sprintf("the line has more than %d MB", maxRecord>>20))
		}
		line = c.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err
	}
	c.line++
	return bytes.TrimSuffix(line, []byte{'\n'}), nil
}
