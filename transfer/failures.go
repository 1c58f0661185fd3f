package transfer

import (
	"context"
	"encoding/json"
	"io"

	"colonnade/core"
	"colonnade/transfer/format"
)

// Failures writes the rows that a batch refused as CSV: the cells as they were, and the reason in a last column. Mended, the file
// can be sent again.
func (s *Service) Failures(ctx context.Context, id core.ID, w io.Writer) error {
	const op = "transfer.Failures"
	b, err := s.readable(ctx, id)
	if err != nil {
		return core.E(op, err)
	}
	var header []string
	if err := json.Unmarshal([]byte(b.Header), &header); err != nil {
		return core.E(op, err)
	}
	out := format.AppendCSV(nil, append(header, errorColumn)...)
	line, last := int64(-1), core.ID("00000000-0000-0000-0000-000000000000")
	for {
		var rows []refused
		err := s.store.Gorm(ctx).Where("batch_id = ? AND (line > ? OR line = ? AND id > ?)", b.ID, line, line, last).Order("line, id").Limit(part).Find(&rows).Error
		if err != nil {
			return core.E(op, err)
		}
		for _, r := range rows {
			var cells []string
			if err := json.Unmarshal([]byte(r.Cells), &cells); err != nil {
				return core.E(op, err)
			}
			out = appendRefused(out, len(header), cells, r.Message)
			line, last = r.Line, r.ID
		}
		if _, err := w.Write(out); err != nil {
			return core.E(op, core.Unavailable, "the file cannot be written: "+err.Error(), err)
		}
		out = out[:0]
		if len(rows) < part {
			return nil
		}
	}
}
