package graphql

import (
	"context"
	"strconv"

	"colonnade/core"
	"colonnade/tables"
)

func inserter(in tables.Insert) doFunc {
	return func(ctx context.Context, tx *tables.Tx, _ func([]core.ID) error) (tables.Result, error) {
		return tx.Insert(ctx, in)
	}
}

// insert compiles new records with what is nested in them; args says what to do with those that exist, and place where
// the i-th is in them.
func (w *write) insert(r *rows, args object, objects []any, place func(i int) string) (tables.Insert, error) {
	in := tables.Insert{Table: r.table.Name, OnDuplicate: w.onDuplicate, Rows: make([]core.Record, len(objects))}
	if len(objects) > 0 {
		if w.nesting++; w.nesting > w.c.limits.Depth {
			return in, &inputError{kind: core.Limit, msg: "records are nested in more than " + strconv.Itoa(w.c.limits.Depth) + " others"}
		}
		defer func() { w.nesting-- }()
	}
	for i, o := range objects {
		values := make(core.Record, len(o.(object)))
		for _, m := range o.(object) {
			f := r.fields[m.name]
			if f.column != nil {
				values[m.name] = m.value
				continue
			}
			if m.value == nil {
				continue // nothing is nested
			}
			inner, err := w.nest(f, m.value.(object))
			if err != nil {
				return in, within(place(i)+"."+m.name, err)
			}
			in.With = append(in.With, tables.Nest{Row: i, Relation: f.relation, Insert: inner})
		}
		in.Rows[i] = values
	}
	var err error
	in.OnConflict, err = w.onConflict(r, args)
	return in, err
}

// nest compiles what is nested in a new record by a relation.
func (w *write) nest(f field, o object) (tables.Insert, error) {
	data, _ := o.get("data")
	if key, _ := o.get("key"); key != nil {
		if len(o) > 1 {
			return tables.Insert{}, wrong("give the key of a record that exists, or data for a new one")
		}
		return w.connect(f.to, key.(object))
	}
	if data == nil {
		return tables.Insert{}, wrong("give data for a new record, or the key of one that exists")
	}
	if f.many {
		return w.insert(f.to, o, data.([]any), func(i int) string { return ".data" + index(i) })
	}
	return w.insert(f.to, o, []any{data}, func(int) string { return ".data" })
}

// onConflict compiles what to do with records that exist; nil when that is an error.
func (w *write) onConflict(r *rows, args object) (*tables.OnConflict, error) {
	v, _ := args.get("on_conflict")
	conflict, ok := v.(object)
	if !ok {
		return nil, nil
	}
	out := &tables.OnConflict{}
	mode := ""
	for _, m := range conflict {
		switch m.name {
		case "constraint":
			out.Key = m.value.(string)
		case "update_columns":
			for _, c := range m.value.([]any) {
				out.Update = append(out.Update, c.(string))
			}
		case "where":
			if m.value == nil {
				continue
			}
			var err error
			if out.Where, err = w.c.condition(r, m.value.(object)); err != nil {
				return nil, within(".on_conflict.where", err)
			}
		case "mode":
			mode, _ = m.value.(string)
		}
	}
	switch mode {
	case modeUpdateOnly:
		out.Exists = true
	case modeCreateOnly:
		if len(out.Update) > 0 || out.Where != nil {
			return nil, within(".on_conflict", wrong("with create_only nothing is changed: leave out update_columns and where"))
		}
		return nil, nil
	}
	return out, nil
}

// resultFields returns the fields that are wanted of each mutation_result, those of its error merged into them.
func (c *compiler) resultFields(f *selected) ([]*selected, error) {
	fields, err := c.collect(f.sets)
	if err != nil {
		return nil, err
	}
	for _, s := range fields {
		if s.name == "error" || s.name == "duplicates" {
			if s.inner, err = c.collect(s.sets); err != nil {
				return nil, err
			}
		}
	}
	return fields, nil
}

// appendResults appends the list of results; path leads to the input.
func appendResults(dst []byte, fields []*selected, items []tables.Item, path string) []byte {
	dst = append(dst, '[')
	for i, it := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendResult(dst, fields, i, it, path)
	}
	return append(dst, ']')
}

func appendResult(dst []byte, fields []*selected, i int, it tables.Item, path string) []byte {
	dst = append(dst, '{')
	for n, s := range fields {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(core.AppendString(dst, s.key), ':')
		switch s.name {
		case typename:
			dst = core.AppendString(dst, "mutation_result")
		case "index":
			dst = strconv.AppendInt(dst, int64(i), 10)
		case "id":
			dst = appendText(dst, string(it.ID))
		case "action":
			dst = core.AppendString(dst, string(it.Outcome))
		case "duplicates":
			dst = appendDuplicates(dst, s.inner, it.Duplicates)
		case "error":
			dst = appendFailure(dst, s.inner, it.Err, path)
		}
	}
	return append(dst, '}')
}

// appendDuplicates appends the mutation_duplicates of a record.
func appendDuplicates(dst []byte, fields []*selected, list []tables.Duplicate) []byte {
	dst = append(dst, '[')
	for i, d := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		values := map[string]string{typename: "mutation_duplicate", "rule": d.Rule, "record": string(d.Record)}
		dst = append(dst, '{')
		for n, s := range fields {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = core.AppendString(append(core.AppendString(dst, s.key), ':'), values[s.name])
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendFailure appends the mutation_error of a record that was refused, null for one that was not.
func appendFailure(dst []byte, fields []*selected, err error, path string) []byte {
	if err == nil {
		return append(dst, "null"...)
	}
	e := core.AsError(err)
	at := e.Input
	if at == "" {
		at = index(e.Item - 1)
	}
	texts := map[string]string{
		typename: "mutation_error", "message": e.Public(), "code": codes[e.Kind], "kind": string(e.Kind), "path": path + at,
		"table": e.Table, "column": e.Column, "rule": e.Rule,
	}
	dst = append(dst, '{')
	for n, s := range fields {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(core.AppendString(dst, s.key), ':'), texts[s.name])
	}
	return append(dst, '}')
}

// appendText appends a text, null for an empty one.
func appendText(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return core.AppendString(dst, s)
}
