package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// maxReplays is how many runs are started again at once.
const maxReplays = 1000

// Replay says how a run is started again.
type Replay struct {
	Input    map[string]any // of a flow that is started by hand, in place of what the run was given; nil for the same
	Original bool           // with the version of the flow that the run had, and not the present one
}

// Replay starts a run again from its first step, with the trigger that it had, and returns the id of the new run; it joins the unit of
// work that ctx carries. The new run has the rights of the user that the flow acts as now. The caller needs the right to run flows, and
// either owns the run or has the right to manage flows. A run that has not ended is not started again, nor one whose input a data class
// has kept out of recordings, since nobody has it any more.
func (s *Service) Replay(ctx context.Context, id core.ID, o Replay) (again core.ID, err error) {
	const op = "flows.Replay"
	err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "run_flows"); err != nil {
			return err
		}
		if err := s.mayCancel(ctx, tx, id); err != nil {
			return err
		}
		n, err := s.replay(ctx, tx, id, o)
		if err != nil {
			return err
		}
		ids, err := s.insert(ctx, tx.DB(), []newRun{n})
		if err == nil {
			again = ids[0]
		}
		return err
	})
	return again, core.E(op, err)
}

// past is a run that may be started again.
type past struct {
	flow            string
	version         int64
	status, trigger string
	depth, items    int64
	input           []byte
}

func (s *Service) past(ctx context.Context, tx *db.Tx, id core.ID) (p past, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT f.name, r.version, r.status, r.trigger_kind, r.depth, r.items, CAST(r.input AS text) FROM "_flow_run" AS r JOIN "_flow" AS f ON f.id = r.flow_id WHERE r.id = `).Arg(id)
	err = tx.Query(ctx, b, func(scan func(...any) error) error {
		return scan(&p.flow, &p.version, &p.status, &p.trigger, &p.depth, &p.items, &p.input)
	})
	return p, err
}

// replay makes the new run of one that has ended.
func (s *Service) replay(ctx context.Context, tx *tables.Tx, id core.ID, o Replay) (n newRun, err error) {
	const op = "flows.replay"
	p, err := s.past(ctx, tx.DB(), id)
	if err != nil {
		return n, err
	}
	if p.status == waiting || p.status == running {
		return n, core.E(op, core.Invalid, fmt.Sprintf("the run of %s has not ended: cancel it first, or wait", p.flow))
	}
	f, err := s.enabled(ctx, tx.DB(), p.flow)
	if err != nil {
		return n, err
	}
	if o.Original && p.version != f.version {
		if f.def, err = s.version(ctx, f.id, p.version); err != nil {
			return n, err
		}
		f.version = p.version
	}
	var trigger map[string]any
	if err := unmarshal(p.input, &trigger); err != nil {
		return n, err
	}
	t := f.def.trigger
	switch {
	case isWithheld(trigger):
		return n, core.E(op, core.Invalid, fmt.Sprintf("a data class keeps what the run of %s was given out of recordings, so that it is gone: bring its cause about again", p.flow))
	case (p.trigger == "event") != (t.event != nil) || (p.trigger == "webhook") != (t.webhook != nil):
		return n, core.E(op, core.Invalid, fmt.Sprintf("the flow %s is not started by what started the run (%s) any more: replay it with original: true", p.flow, p.trigger))
	case o.Input != nil && t.manual == nil:
		return n, core.E(op, core.Invalid, core.At{Column: "input"}, fmt.Sprintf("the flow %s is not started by hand: its runs are started again with what they were given", p.flow))
	case t.event == nil && t.webhook == nil:
		if o.Input == nil && t.manual != nil {
			o.Input, _ = trigger["input"].(map[string]any)
		}
		n, err = s.byHand(ctx, tx, f, o.Input)
	default:
		n, err = s.causedBy(ctx, tx, f, p.input)
		n.kind = p.trigger
	}
	n.items = int(p.items)
	n.cause = core.Cause{Kind: "replay", ID: string(id), Depth: max(int(p.depth), n.cause.Depth)}
	return n, err
}

// isWithheld reports whether a value that a data class keeps out of recordings is missing in what a run was given.
func isWithheld(trigger map[string]any) bool {
	records, _ := trigger["records"].([]any)
	return slices.ContainsFunc(append(records, trigger["record"], trigger["old"]), func(r any) bool {
		m, _ := r.(map[string]any)
		for _, v := range m {
			if v == withheld {
				return true
			}
		}
		return false
	})
}

func (s *Service) replaying() []core.Action {
	original := core.Column{Name: "original", Kind: core.Boolean, Doc: "With the version of the flow that the run had, and not the present one."}
	rule := " It has the rights of the flow's own user of now. You need the right to run flows, and own the run or have the right to manage flows."
	return []core.Action{{
		Name: "replay_run", Doc: "Starts a run that has ended again from its first step, with what it was given." + rule, Privilege: "run_flows",
		Input: []core.Column{
			{Name: "run_id", Kind: core.UUID, Required: true, Doc: "The run."},
			{Name: "input", Kind: core.JSON, Doc: "Of a flow that is started by hand: an object with the inputs, in place of those of the run."}, original,
		},
		Output: []core.Column{{Name: "run_id", Kind: core.UUID, Required: true, Doc: "The new run; wait_run tells when it has ended."}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			o := Replay{Original: c.In["original"] == true}
			if given, ok := c.In["input"]; ok && given != nil {
				raw, err := toJSON(given)
				if err != nil || json.Unmarshal(raw, &o.Input) != nil || o.Input == nil {
					return nil, core.E("flows.replay_run", core.Invalid, core.At{Column: "input"}, "the input is an object of names and values")
				}
			}
			id, err := s.Replay(ctx, core.ID(c.Text("run_id")), o)
			return core.Record{"run_id": string(id)}, err
		},
	}, {
		Name: "replay_runs", Doc: "Starts runs that have ended again, all of them or none." + rule, Privilege: "run_flows",
		Input:  []core.Column{{Name: "run_ids", Kind: core.UUID, List: true, Required: true, Doc: fmt.Sprintf("The runs, up to %d.", maxReplays)}, original},
		Output: []core.Column{{Name: "run_ids", Kind: core.UUID, List: true, Required: true, Doc: "The new runs, in the order of the old ones."}},
		Run:    s.replayRuns,
	}}
}

func (s *Service) replayRuns(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "flows.replay_runs"
	old, _ := c.In["run_ids"].([]any)
	if len(old) > maxReplays {
		return nil, core.E(op, core.Limit, core.At{Column: "run_ids"}, fmt.Sprintf("%d runs are more than the %d that are started again at once", len(old), maxReplays))
	}
	ids := make([]any, len(old))
	err := s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, _ *tables.Tx) error {
		for i, id := range old {
			again, err := s.Replay(ctx, core.ID(id.(string)), Replay{Original: c.In["original"] == true})
			if err != nil {
				return core.E(op, err, fmt.Sprintf("the run %v: %s", id, core.AsError(err).Msg))
			}
			ids[i] = string(again)
		}
		return nil
	})
	return core.Record{"run_ids": ids}, core.E(op, err)
}
