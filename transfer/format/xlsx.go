package format

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"colonnade/core"
)

// maxUnzipped is how many bytes a workbook may have unpacked: they are in memory.
const maxUnzipped = 256 << 20

// xlsxReader reads one sheet of a workbook, row by row.
type xlsxReader struct {
	rows   *excelize.Rows
	header []string
	line   int
	first  []string // of a sheet without a header
}

func newXLSX(r io.ReaderAt, size int64, o Options) (Reader, error) {
	const op = "format.XLSX"
	f, err := excelize.OpenReader(io.NewSectionReader(r, 0, size), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped})
	if err != nil {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("the file is no XLSX workbook, or has more than %d MB unpacked: %v", maxUnzipped>>20, err), err)
	}
	sheets := f.GetSheetList()
	if o.Sheet == "" && len(sheets) > 0 {
		o.Sheet = sheets[0]
	}
	if !slices.Contains(sheets, o.Sheet) {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("the workbook has no sheet %q; it has: %s", o.Sheet, strings.Join(sheets, ", ")))
	}
	x := &xlsxReader{}
	if x.rows, err = f.Rows(o.Sheet); err != nil {
		return nil, core.E(op, core.Invalid, "the sheet cannot be read: "+err.Error(), err)
	}
	names, err := x.next()
	if errors.Is(err, io.EOF) {
		return nil, core.E(op, core.Invalid, core.At{Line: 1}, fmt.Sprintf("the sheet %q is empty", o.Sheet))
	} else if err != nil {
		return nil, err
	}
	if o.Header == "no" || o.Header == "" && !looksLikeHeader(names) {
		x.header, x.first = numbered(len(names)), names
		return x, nil
	}
	x.header = distinct(names)
	return x, nil
}

// next returns the cells of the next row that has any.
func (x *xlsxReader) next() ([]string, error) {
	for x.rows.Next() {
		x.line++
		cells, err := x.rows.Columns()
		if err != nil {
			return nil, core.E("format.XLSX", core.Invalid, core.At{Line: x.line}, "the sheet cannot be read: "+err.Error(), err)
		}
		if slices.ContainsFunc(cells, func(c string) bool { return c != "" }) {
			return cells, nil
		}
	}
	if err := x.rows.Error(); err != nil {
		return nil, core.E("format.XLSX", core.Invalid, core.At{Line: x.line}, "the sheet cannot be read: "+err.Error(), err)
	}
	return nil, io.EOF
}

// Header implements Reader.
func (x *xlsxReader) Header() []string { return x.header }

// Next implements Reader. Cells at the end of a row that are empty are not in the file.
func (x *xlsxReader) Next(row *Row) (err error) {
	cells := x.first
	if x.first = nil; cells == nil {
		if cells, err = x.next(); err != nil {
			return err
		}
	}
	row.Line, row.Cells = x.line, row.Cells[:0]
	for _, text := range cells {
		row.Cells = append(row.Cells, Cell{Text: text, Null: text == ""})
	}
	for len(row.Cells) < len(x.header) {
		row.Cells = append(row.Cells, Cell{Null: true})
	}
	for len(row.Cells) > len(x.header) && row.Cells[len(row.Cells)-1].Null {
		row.Cells = row.Cells[:len(row.Cells)-1]
	}
	return width(row, x.header)
}

// Serial reads the number that a workbook has for a moment: days since 30 December 1899.
func Serial(text string) (time.Time, bool) {
	days, err := strconv.ParseFloat(text, 64)
	if err != nil || days < 1 || days > 2958466 {
		return time.Time{}, false
	}
	t, err := excelize.ExcelDateToTime(days, false)
	return t.UTC().Round(time.Millisecond), err == nil
}

// SerialSpan reads a length of time that a spreadsheet keeps as a number of days, which it shows as [h]:mm:ss.
func SerialSpan(text string) (core.Span, bool) {
	days, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(days) <= float64(core.MaxSpan/core.Day)) { // NaN neither
		return 0, false
	}
	const millisecond = core.Second / 1000 // which is as exact as the number is
	return core.Span(math.Round(days*float64(core.Day/millisecond))) * millisecond, true
}
