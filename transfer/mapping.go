package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/tables"
	"colonnade/transfer/format"
)

// field is where the cells of one column of the file go; without a column, nowhere.
type field struct {
	tables.ImportColumn
	header    string
	otherwise any // of an empty cell
	serial    bool
}

func (f *field) value(c *format.Cell) (any, error) {
	if c.Null {
		return f.otherwise, nil
	}
	if f.serial {
		text := string(appendText(nil, c))
		if f.Holds().Kind == core.Duration {
			if d, ok := format.SerialSpan(text); ok {
				return f.Holds().Parse(d)
			}
		} else if t, ok := format.Serial(text); ok {
			return f.Holds().Parse(t)
		}
	}
	return c.Parse(f.Holds())
}

// extra is a column of which every row has the same value.
type extra struct {
	tables.ImportColumn
	value any
}

// match finds where the columns of the file go.
func (s *Service) match(ctx context.Context, in *input) error {
	const op = "transfer.match"
	snap := s.store.Snapshot()
	header := in.reader.Header()
	for h := range in.r.Columns {
		if !slices.Contains(header, h) {
			return core.E(op, core.Invalid, core.At{Line: 1}, fmt.Sprintf("the file has no column %q; it has: %s", h, strings.Join(header, ", ")))
		}
	}
	var sure map[string]string
	if in.r.Match {
		found, err := s.suggest(ctx, snap, in.r.Table, header, nil)
		if err != nil {
			return err
		}
		sure = map[string]string{}
		for _, f := range found {
			sure[f.Header] = f.Column
		}
	}
	from := map[string]string{}
	add := func(name, source string) (tables.ImportColumn, error) {
		c, err := s.store.ImportColumn(ctx, snap, in.r.Table, name)
		if err != nil {
			return c, err
		}
		if other, twice := from[c.Name]; twice {
			return c, core.E(op, core.Invalid, core.At{Table: in.r.Table, Column: c.Name, Line: 1}, fmt.Sprintf("%s and %s go to the same column: leave one out", other, source))
		}
		from[c.Name] = source
		in.how.Columns = append(in.how.Columns, c)
		return c, nil
	}
	for _, h := range header {
		to, named := in.r.Columns[h]
		if !named {
			if to = h; in.r.Match {
				to = sure[h]
			}
		}
		f := field{header: h, serial: in.r.File.Serial || in.r.File.Format == format.XLSX}
		if to != "" {
			var err error
			if f.ImportColumn, err = add(to, fmt.Sprintf("the column %q", h)); err != nil {
				if !named && core.KindOf(err) == core.Invalid {
					return core.E(op, core.Invalid, core.At{Table: in.r.Table, Line: 1}, fmt.Sprintf("the column %q of the file goes to no column: say where with columns, or \"\" to leave it out (%s)", h, core.AsError(err).Msg), err)
				}
				return core.E(op, core.At{Line: 1}, err)
			}
			f.serial = f.serial && slices.Contains([]core.Kind{core.Date, core.Timestamp, core.DateTime, core.Duration}, f.Holds().Kind)
		}
		in.fields = append(in.fields, f)
	}
	for _, name := range sortedKeys(in.r.Constants) {
		c, err := add(name, "a constant")
		if err != nil {
			return core.E(op, err)
		}
		v, err := given(&c, in.r.Constants[name])
		if err != nil {
			return err
		}
		in.extra = append(in.extra, extra{c, v})
	}
	for _, name := range sortedKeys(in.r.Defaults) {
		i := slices.IndexFunc(in.fields, func(f field) bool { return f.Column != nil && f.Name == name })
		if i < 0 {
			return core.E(op, core.Invalid, core.At{Table: in.r.Table, Column: name}, "there is a default for it, and no column of the file goes to it: make it a constant")
		}
		v, err := given(&in.fields[i].ImportColumn, in.r.Defaults[name])
		if err != nil {
			return err
		}
		in.fields[i].otherwise = v
	}
	in.how.Table, in.how.Mode, in.how.Key, in.how.AsIs, in.how.OnDuplicate = in.r.Table, in.r.Mode, in.r.Key, in.r.AsIs, in.r.OnDuplicate
	return nil
}

// given brings a value of the request into the Go form of the column.
func given(c *tables.ImportColumn, v any) (any, error) {
	if n, ok := v.(float64); ok {
		v = json.Number(core.AppendFloat(nil, n))
	}
	cell := format.Cell{Value: v, Null: v == nil}
	out, err := cell.Parse(c.Holds())
	if err != nil {
		return nil, core.E("transfer.given", core.At{Column: c.Name}, err)
	}
	return out, nil
}

func sortedKeys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// texts returns cells as people write them.
func texts(cells []format.Cell) []string {
	out := make([]string, len(cells))
	for i := range cells {
		out[i] = string(appendText(nil, &cells[i]))
	}
	return out
}

func appendText(b []byte, c *format.Cell) []byte {
	switch v := c.Value.(type) {
	case nil:
		return append(b, c.Text...)
	case string:
		return append(b, v...)
	case json.RawMessage:
		return append(b, v...)
	default:
		return []byte(strings.Trim(string(core.AppendValue(b, v)), `"`))
	}
}
