package flows

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// doneStep is a step that was done, of an item or of none.
type doneStep struct {
	step *step
	it   iteration
}

// compensate undoes what the steps of a run that fails have done, the last first, and returns the failure. What was undone is
// remembered like any step: a run that resumes fails in the same way again, and goes on undoing. The time of the run does not matter here.
func (in *interpreter) compensate(ctx context.Context, f *failure) error {
	done, err := in.undoable(ctx)
	if err != nil {
		return err
	}
	var bad []string
	for _, d := range done {
		err := in.undo(ctx, d)
		if broken := catchable(err); broken != nil {
			bad = append(bad, broken.step)
		} else if err != nil {
			return err
		}
	}
	f.dirty = in.dirty
	if len(bad) == 0 || f.err.Kind == core.Internal {
		return f
	}
	e := *f.err
	e.Msg += "; what it had done could not all be undone, since these steps failed: " + strings.Join(bad, ", ")
	return &failure{err: &e, step: f.step, said: f.said, dirty: in.dirty, final: f.final}
}

// undoable returns the steps that were done and say how they are undone, the last first. Their order is that of the text and of the items,
// and not of the clocks of those who worked on the run.
func (in *interpreter) undoable(ctx context.Context) ([]doneStep, error) {
	by := map[string]*step{}
	in.flow.each(func(st *step) {
		if st.undo != nil {
			by[st.path] = st
		}
	})
	if len(by) == 0 {
		return nil, nil
	}
	var out []doneStep
	err := in.succeeded(ctx, slices.Sorted(maps.Keys(by)), func(path string, it iteration, _ []byte) error {
		out = append(out, doneStep{by[path], it})
		return nil
	})
	slices.SortFunc(out, func(a, b doneStep) int { return slices.Compare(b.order(), a.order()) })
	return out, err
}

// succeeded calls each for the marks of these paths that are done, with their outputs.
func (in *interpreter) succeeded(ctx context.Context, paths []string, each func(path string, it iteration, output []byte) error) error {
	list := make([]any, len(paths))
	for i, p := range paths {
		list[i] = p
	}
	b := db.New(in.s.db.Dialect).Write(`SELECT path, iteration, CAST(coalesce(kept_output, output) AS text) FROM "_flow_step" WHERE status = 'succeeded' AND run_id = `).
		Arg(in.r.id).Write(" AND ")
	in.s.db.AnyOf(b, &core.Column{Kind: core.Text}, func() { b.Write("path") }, list)
	return in.s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error {
		var path, iter string
		var output []byte
		if err := scan(&path, &iter, &output); err != nil {
			return err
		}
		it, err := parseIteration(iter)
		if err != nil {
			return err
		}
		return each(path, it, output)
	})
}

func parseIteration(s string) (out iteration, err error) {
	if s == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("the iteration %q: %w", s, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// order is where the step comes among all: the numbers of the steps around it, each for_each with its item, and its own.
func (d doneStep) order() []int {
	var out []int
	depth := len(d.it)
	for st := d.step; st != nil; st = st.up {
		if st.kind == "for_each" && st != d.step {
			depth--
			out = append(out, d.it[depth])
		}
		out = append(out, st.number)
	}
	slices.Reverse(out)
	return out
}

// undo runs the steps that undo one, which see what they would have seen right behind it.
func (in *interpreter) undo(ctx context.Context, d doneStep) error {
	scope, steps := in.scope, in.steps
	defer func() { in.scope, in.steps = scope, steps }()
	in.scope, in.steps = maps.Clone(scope), maps.Clone(steps)
	in.scope["steps"] = in.steps
	if len(d.it) > 0 {
		if err := in.within(ctx, d); err != nil {
			return core.E("flows.undo", err)
		}
	}
	return in.list(ctx, d.step.undo, d.it, false)
}

// within puts into scope the items that the step worked on, and what other steps returned of them.
func (in *interpreter) within(ctx context.Context, d doneStep) error {
	depth := len(d.it)
	for st := d.step.up; st != nil; st = st.up {
		if st.kind != "for_each" {
			continue
		}
		depth--
		m := in.marks[key{st.path, d.it[:depth].String()}]
		var saved itemList
		if err := in.items(ctx, st, d.it[:depth], m, &saved); err != nil {
			return err
		}
		in.scope[st.as] = saved.Items[d.it[depth]]
	}
	ids := map[string]string{}
	in.flow.each(func(st *step) {
		if st.id != "" && st.returns() {
			ids[st.path] = st.id
		}
	})
	return in.succeeded(ctx, slices.Sorted(maps.Keys(ids)), func(path string, it iteration, output []byte) error {
		if len(it) == 0 || len(it) > len(d.it) || !slices.Equal(it, d.it[:len(it)]) {
			return nil
		}
		var v any
		err := unmarshal(output, &v)
		in.steps[ids[path]] = v
		return err
	})
}

// items reads the list of a for_each that has begun.
func (in *interpreter) items(ctx context.Context, st *step, it iteration, m *mark, to *itemList) error {
	if m != nil {
		return in.s.column(ctx, m, "input", to)
	}
	b := db.New(in.s.db.Dialect).Write(`SELECT CAST(coalesce(kept_input, input) AS text) FROM "_flow_step" WHERE run_id = `).Arg(in.r.id).
		Write(" AND path = ").Arg(st.path).Write(" AND iteration = ").Arg(it.String())
	return in.s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		return unmarshal(raw, to)
	})
}

// each calls f for every step of the flow, in the order of the text.
func (d *definition) each(f func(*step)) { eachOf(d.steps, f) }

func eachOf(steps []*step, f func(*step)) {
	for _, st := range steps {
		f(st)
		for _, list := range st.lists() {
			eachOf(list, f)
		}
	}
}

// waits reports whether runs of the flow may leave rows of what they wait for.
func (d *definition) waits() (yes bool) {
	d.each(func(st *step) {
		yes = yes || st.kind == "wait" || st.kind == "call" || st.kind == "approval" || st.kind == "parallel" || st.atOnce > 1
	})
	return yes
}

// returns reports whether other steps can name what the step returns.
func (s *step) returns() bool {
	switch s.kind {
	case "if", "switch", "set", "terminate":
		return false
	}
	return true
}
