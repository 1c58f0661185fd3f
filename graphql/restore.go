package graphql

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/tables"
)

// compilePast compiles a mutation that works on the history of a table.
func (w *write) compilePast(kind rootKind, f *selected) (runFunc, error) {
	table := w.rows.table.Name
	switch kind {
	case writeRestore:
		ids := w.ids("ids")
		return w.respond(f, len(ids), func(ctx context.Context, tx *tables.Tx, _ func([]core.ID) error) (tables.Result, error) {
			return tx.Restore(ctx, table, ids...)
		})
	case writePurge:
		p := tables.Purge{Table: table, IDs: w.ids("ids")}
		dry, _ := w.args.get("dry_run")
		p.DryRun, _ = dry.(bool)
		return w.output(f, &purgedOutput, func(ctx context.Context, tx *tables.Tx) (core.Record, error) {
			out, err := tx.Purge(ctx, p)
			return purged(out), err
		})
	case writeRestoreVersion:
		id, _ := w.args.get("id")
		version, _ := w.args.get("version")
		_, ifVersion, _, err := w.target(without(w.args, "id", "version"))
		if err != nil {
			return nil, err
		}
		return w.respondOne(f, func(ctx context.Context, tx *tables.Tx, _ func([]core.ID) error) (tables.Result, error) {
			return tx.RestoreVersion(ctx, table, core.ID(id.(string)), version.(int64), ifVersion)
		})
	case writeMerge:
		m, err := w.merge()
		if err != nil {
			return nil, err
		}
		return w.output(f, &mergedOutput, func(ctx context.Context, tx *tables.Tx) (core.Record, error) {
			out, err := tx.Merge(ctx, m)
			return core.Record{"id": string(out.ID), "moved": int64(out.Moved)}, err
		})
	}
	id, _ := w.args.get("id")
	return w.output(f, &unmergedOutput, func(ctx context.Context, tx *tables.Tx) (core.Record, error) {
		out, err := tx.Unmerge(ctx, table, core.ID(id.(string)))
		return unmerged(out), err
	})
}

func (w *write) ids(name string) []core.ID {
	v, _ := w.args.get(name)
	var out []core.ID
	for _, id := range v.([]any) {
		out = append(out, core.ID(id.(string)))
	}
	return out
}

func (w *write) merge() (tables.Merge, error) {
	winner, _ := w.args.get("winner")
	m := tables.Merge{Table: w.rows.table.Name, Winner: core.ID(winner.(string)), Losers: w.ids("losers")}
	take, _ := w.args.get("take")
	raw, ok := take.(json.RawMessage)
	if !ok {
		return m, nil
	}
	var names map[string]string
	if err := json.Unmarshal(raw, &names); err != nil {
		return m, within(".take", wrong("take is an object of columns and ids, such as {\"phone\": \"<id>\"}"))
	}
	m.Take = make(map[string]core.ID, len(names))
	for column, id := range names {
		var err error
		if m.Take[column], err = core.ParseID(id); err != nil {
			return m, within(".take."+column, wrong("%s", core.AsError(err).Msg))
		}
	}
	return m, nil
}

func unmerged(u tables.Unmerged) core.Record {
	restored, kept, columns := []any{}, []any{}, []any{}
	for _, id := range u.Restored {
		restored = append(restored, string(id))
	}
	for _, k := range u.Kept {
		kept = append(kept, map[string]any{"table": k.Table, "column": k.Column, "id": string(k.ID)})
	}
	for _, c := range u.Columns {
		columns = append(columns, c)
	}
	return core.Record{"restored": restored, "moved": int64(u.Moved), "kept": kept, "kept_columns": columns}
}

func purged(p tables.Purged) core.Record {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(p.Tables)) {
		list = append(list, map[string]any{"table": name, "records": p.Tables[name].Records, "versions": p.Tables[name].Versions})
	}
	out := core.Record{"id": nil, "tables": list}
	if p.ID != "" {
		out["id"] = string(p.ID)
	}
	return out
}

// output answers a mutation with one object.
func (w *write) output(f *selected, o *output, do func(context.Context, *tables.Tx) (core.Record, error)) (runFunc, error) {
	picks, err := w.c.picks(o.name, o.columns, f)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		out, err := do(ctx, in.tx)
		if err != nil {
			return dst, err
		}
		return appendPicks(dst, picks, out)
	}, nil
}
