package transfer

import (
	"encoding/json"

	"colonnade/core"
	"colonnade/transfer/format"
)

// Report tells what an import did or, of a plan, would do.
type Report struct {
	Batch      core.ID           `json:"batch,omitempty"` // empty when nothing was written
	Status     string            `json:"status"`
	Format     string            `json:"format"`
	Rows       int64             `json:"rows"`
	Created    int64             `json:"created"`
	Changed    int64             `json:"changed"`
	Unchanged  int64             `json:"unchanged"`
	Duplicates int64             `json:"duplicates,omitempty"` // records that are like others by a duplicate rule, of those created and changed
	Refused    int64             `json:"refused"`
	Columns    map[string]string `json:"columns"` // where each column of the file went; nowhere when empty
	Reasons    []*Reason         `json:"reasons,omitempty"`
	Error      string            `json:"error,omitempty"`

	header   []string
	failures []failure // the first of them
	reasons  map[reasonKey]*Reason
}

// Reason is why rows were refused: the same kind of error in the same place.
type Reason struct {
	Kind     core.ErrKind `json:"kind"`
	Column   string       `json:"column,omitempty"`
	Rule     string       `json:"rule,omitempty"`
	Rows     int          `json:"rows"`
	Examples []Refused    `json:"examples"` // the first
}

// Refused is one row that was refused.
type Refused struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Message string `json:"message"`
}

type reasonKey struct {
	kind         core.ErrKind
	column, rule string
}

const (
	maxShown    = 100 // failures that a report has one by one
	maxReasons  = 50
	maxExamples = 3
)

func newReport() *Report {
	return &Report{Columns: map[string]string{}, reasons: map[reasonKey]*Reason{}}
}

// add takes refused rows into the report.
func (r *Report) add(failed []failure) {
	for _, f := range failed {
		r.Refused++
		if len(r.failures) < maxFailures {
			r.failures = append(r.failures, f)
		}
		k := reasonKey{f.err.Kind, f.err.Column, f.err.Rule}
		why := r.reasons[k]
		if why == nil {
			if len(r.Reasons) == maxReasons {
				continue
			}
			why = &Reason{Kind: k.kind, Column: k.column, Rule: k.rule}
			r.reasons[k] = why
			r.Reasons = append(r.Reasons, why)
		}
		why.Rows++
		if len(why.Examples) < maxExamples {
			why.Examples = append(why.Examples, Refused{f.line, f.err.Column, f.err.Msg})
		}
	}
}

// refusal is the error of an import that is all or nothing.
func (r *Report) refusal() error {
	first := r.failures[0].err
	more := ""
	if n := int(r.Refused) - 1; n > 0 {
		more = " (and " + core.Count(n, "more row") + ")"
	}
	return core.E("transfer.Import", first.Kind, first.At, first.Msg+more+"; nothing was imported: mend the file, or import the rest with on_error: skip", first)
}

// take completes the report from the batch.
func (r *Report) take(b *Batch, in *input) {
	r.Batch, r.Status, r.Format = b.ID, b.Status, in.r.File.Format
	r.Rows, r.Created, r.Changed, r.Unchanged, r.Refused, r.Duplicates = b.Rows, b.Created, b.Changed, b.Unchanged, b.Refused, b.Duplicates
	r.header = in.reader.Header()
	for _, f := range in.fields {
		to := ""
		if f.Column != nil {
			to = f.Name
			if f.By != nil {
				to += "." + f.By.Name
			}
		}
		r.Columns[f.header] = to
	}
}

// failCSV returns the refused rows as a file to mend and send again, with the reason in a last column.
func (r *Report) failCSV() string {
	if len(r.failures) == 0 {
		return ""
	}
	out := format.AppendCSV(nil, append(append([]string{}, r.header...), errorColumn)...)
	for _, f := range r.failures {
		out = appendRefused(out, len(r.header), texts(f.cells), f.err.Public())
	}
	return string(out)
}

// errorColumn is the last column of the file of refused rows.
const errorColumn = "error"

func appendRefused(b []byte, width int, cells []string, message string) []byte {
	for len(cells) < width {
		cells = append(cells, "")
	}
	return format.AppendCSV(b, append(cells, message)...)
}

// record is the report as the output of the action import_csv.
func (r *Report) record() core.Record {
	failures := []any{}
	for _, f := range r.failures[:min(len(r.failures), maxShown)] {
		var column any
		if f.err.Column != "" {
			column = f.err.Column
		}
		failures = append(failures, map[string]any{"line": int64(f.line), "column": column, "message": f.err.Msg})
	}
	var failed, batch any
	if text := r.failCSV(); text != "" {
		failed = text
	}
	if r.Batch != "" {
		batch = string(r.Batch)
	}
	return core.Record{
		"batch": batch, "rows": r.Rows, "inserted": r.Created, "updated": r.Changed + r.Unchanged, "failed": r.Refused, "duplicates": r.Duplicates,
		"failures": failures, "fail_csv": failed,
	}
}

// maxFailures is how many refused rows the report of one request keeps whole; the batch has them all.
const maxFailures = 10_000

// JSON returns the report, with the sentence about the error that ended the import.
func (r *Report) JSON(failed error) ([]byte, error) {
	if failed != nil {
		r.Error = core.AsError(failed).Public()
	}
	out, err := json.Marshal(r)
	return out, core.E("transfer.Report", err)
}
