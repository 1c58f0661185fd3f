package flows

import (
	"cmp"
	"context"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// The limits of how far ahead schedules are told.
const (
	defaultFires = 10
	maxFires     = 200
)

// Next is a tick that is to come.
type Next struct {
	Flow string
	At   time.Time
}

// NextFires returns the next ticks of the schedules that the caller may read, or of the one flow that is named, the earliest first. A
// tick that is due already and has not fired counts among them.
func (s *Service) NextFires(ctx context.Context, name string, most int) ([]Next, error) {
	const op = "flows.NextFires"
	if most < 1 || most > maxFires {
		return nil, core.E(op, core.Invalid, core.At{Column: "count"}, "the count is a number from 1 to 200")
	}
	all, err := s.flows(ctx, s.db)
	if err != nil {
		return nil, core.E(op, err)
	}
	q := tables.Query{Table: "_flow_schedule", Order: []tables.Order{{Column: "next_at"}}, Limit: most} // no other has an earlier one
	if name != "" {
		i := slices.IndexFunc(all.flows, func(f *flow) bool { return f.name == name })
		if i < 0 {
			return nil, nil
		}
		q.Where = tables.Compare{Column: "flow_id", Op: tables.Eq, Value: string(all.flows[i].id)}
	}
	rows, err := s.store.Records(ctx, s.store.Snapshot(), q)
	if err != nil {
		return nil, core.E(op, err)
	}
	var out []Next
	for _, row := range rows {
		i := slices.IndexFunc(all.flows, func(f *flow) bool { return string(f.id) == row["flow_id"] })
		at, ok := row["next_at"].(time.Time)
		if i < 0 || !ok || all.flows[i].def == nil || all.flows[i].def.trigger.cron == nil {
			continue
		}
		for range most {
			if at.IsZero() {
				break
			}
			out = append(out, Next{all.flows[i].name, at})
			at = all.flows[i].def.trigger.cron.next(at)
		}
	}
	slices.SortStableFunc(out, func(a, b Next) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Flow, b.Flow)) })
	return out[:min(most, len(out))], nil
}

// nextFires tells of schedules what is to come.
func (s *Service) nextFires() core.Action {
	return core.Action{
		Name: "next_fires", Doc: "Tells when schedules fire next, the earliest first: those of all flows whose schedules you may read, or of one.",
		Input: []core.Column{
			{Name: "flow", Kind: core.Text, Doc: "The flow; all that have a schedule when left out."},
			{Name: "count", Kind: core.Integer, Doc: "How many; 10 when left out, at most 200."},
		},
		Output: []core.Column{{Name: "fires", Kind: core.Object, List: true, Required: true, Doc: "The ticks to come.", Fields: []core.Column{
			{Name: "flow", Kind: core.Text, Required: true, Doc: "The flow."},
			{Name: "at", Kind: core.Timestamp, Required: true, Doc: "When; its run may begin later, by the jitter of the schedule."},
		}}},
		Examples: []core.Example{{In: core.Record{"count": int64(3)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			next, err := s.NextFires(ctx, c.Text("flow"), int(c.Int("count", defaultFires)))
			list := []any{}
			for _, n := range next {
				list = append(list, map[string]any{"flow": n.Flow, "at": n.At})
			}
			return core.Record{"fires": list}, err
		},
	}
}
