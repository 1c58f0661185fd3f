package flows

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// mark is the memory of a step of a run: one row.
type mark struct {
	id         core.ID
	path, iter string
	name, kind string
	status     string
	attempt    int64
	input      []byte
	output     []byte
	step       *step     // of the definition, where it is known
	awaits     *expected // what it begins to wait for

	shownInput, shownOutput []byte // what people read in place of the input and the output; nil where they read those

	err      *core.Error
	started  time.Time
	finished time.Time
	stored   bool
}

// key finds a mark within its run.
type key struct{ path, iter string }

// iteration is which items of the for_each steps around it a step works on, the outermost first.
type iteration []int

func (i iteration) String() string {
	parts := make([]string, len(i))
	for n, x := range i {
		parts[n] = strconv.Itoa(x)
	}
	return strings.Join(parts, ".")
}

// marks reads what a run remembers, without the inputs and outputs; those of set steps go into vars.
func (s *Service) marks(ctx context.Context, r *run, vars map[string]any) (map[key]*mark, error) {
	out := map[key]*mark{}
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text), path, iteration, kind, status, attempt, coalesce(error, ''), coalesce(error_kind, ''), CASE kind WHEN 'set' THEN CAST(coalesce(kept_output, output) AS text) END FROM "_flow_step" WHERE run_id = `).
		Arg(r.id).Write(" ORDER BY id")
	err := s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error {
		m := &mark{stored: true}
		var set []byte
		var msg, kind string
		if err := scan(&m.id, &m.path, &m.iter, &m.kind, &m.status, &m.attempt, &msg, &kind, &set); err != nil {
			return err
		}
		if m.status == failed {
			m.err = &core.Error{Op: "flows.marks", Kind: core.ErrKind(kind), Msg: msg}
		}
		out[key{m.path, m.iter}] = m
		return unmarshal(set, &vars)
	})
	return out, core.E("flows.marks", err)
}

// column reads the input or the output of a mark.
func (s *Service) column(ctx context.Context, m *mark, name string, to any) error {
	b := db.New(s.db.Dialect).Write("SELECT CAST(coalesce(kept_", name, ", ", name, `) AS text) FROM "_flow_step" WHERE id = `).Arg(m.id)
	return s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		return unmarshal(raw, to)
	})
}

// write keeps the marks in the transaction.
func (s *Service) write(ctx context.Context, tx *db.Tx, r *run, marks []*mark) error {
	var rows []core.Record
	if len(marks) > 0 {
		t, err := r.flow.trace(s.store.Snapshot(), r.owner)
		if err != nil {
			return err
		}
		for _, m := range marks {
			if err := m.shown(t); err != nil {
				return err
			}
		}
	}
	for _, m := range marks {
		row := m.row(r)
		if !m.stored {
			rows = append(rows, row)
			continue
		}
		b := db.New(tx.Dialect).Write(`UPDATE "_flow_step" SET `)
		for i, name := range []string{"status", "attempt", "input", "output", "kept_input", "kept_output", "error", "error_kind", "finished_at"} {
			if i > 0 {
				b.Write(", ")
			}
			b.Name(name).Write(" = ").Value(stepColumn(name), row[name])
		}
		if _, err := tx.Exec(ctx, b.Write(" WHERE id = ").Arg(m.id)); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		if err := tx.InsertRows(ctx, "_flow_step", stepStored, rows); err != nil {
			return err
		}
	}
	for _, m := range marks {
		if m.awaits != nil {
			if err := s.writeWait(ctx, tx, r, m.awaits); err != nil {
				return err
			}
		}
	}
	return nil
}

func stepColumn(name string) *core.Column {
	for _, c := range stepStored {
		if c.Name == name {
			return c
		}
	}
	panic("flows: no column " + name)
}

func (m *mark) row(r *run) core.Record {
	row := core.Record{
		"id": string(m.id), "run_id": string(r.id), "path": m.path, "iteration": m.iter, "name": m.name, "kind": m.kind,
		"status": m.status, "attempt": m.attempt, "started_at": m.started, "owner_id": string(r.owner), "unit_id": string(r.unit),
	}
	keep := func(name string, raw, shown []byte) {
		switch {
		case shown != nil:
			row[name], row["kept_"+name] = json.RawMessage(shown), json.RawMessage(raw)
		case raw != nil:
			row[name] = json.RawMessage(raw)
		}
	}
	keep("input", m.input, m.shownInput)
	keep("output", m.output, m.shownOutput)
	if m.err != nil {
		row["error"], row["error_kind"] = m.err.Public(), string(m.err.Kind)
	}
	if !m.finished.IsZero() {
		row["finished_at"] = m.finished
	}
	return row
}
