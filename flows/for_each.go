package flows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"colonnade/core"
)

// maxItems is how long a list of for_each may be.
const maxItems = 100_000

func (in *interpreter) forEach(ctx context.Context, st *step, m *mark, it iteration) error {
	var saved itemList
	if m.status == succeeded {
		return in.remember(ctx, st, m)
	}
	if m.stored {
		if err := in.s.column(ctx, m, "input", &saved); err != nil {
			return err
		}
	} else if err := in.begin(ctx, st, m, &saved.Items); err != nil {
		return err
	}
	count := len(saved.Items)
	first, begun := in.resume(st, it)
	if m.status == failed && !begun { // before the first item
		return m.failure(m.err)
	}
	bad, counted, err := in.failures(ctx, m)
	if err != nil {
		return err
	}
	before, hadItem := in.scope[st.as]
	for i := first; i < count; i++ {
		in.scope[st.as] = saved.Items[i]
		err := in.list(ctx, st.body, append(it[:len(it):len(it)], i), false)
		f := catchable(err)
		switch {
		case f != nil && !st.keepGoing:
			m.input, _ = toJSON(saved)
			return in.passOn(m, f)
		case f == nil && err != nil:
			return err
		case f != nil && i >= counted:
			bad, counted = bad+1, i+1
			m.input, _ = toJSON(saved)
			m.output, _ = toJSON(failures{bad, counted})
			in.wait(m)
		}
		in.forget(st, it, i)
	}
	delete(in.scope, st.as)
	if hadItem {
		in.scope[st.as] = before
	}
	for _, id := range idsOf(st.body) {
		delete(in.steps, id)
	}
	out := map[string]any{"count": int64(count), "failed": int64(bad)}
	m.input, _ = toJSON(saved)
	if err := in.pure(ctx, m, nil, out); err != nil {
		return err
	}
	return in.known(st, out)
}

// itemList is what the mark of a for_each keeps.
type itemList struct {
	Items []any `json:"items"`
}

// failures is what the mark of a for_each that is at work keeps of the items that failed.
type failures struct {
	Failed  int `json:"failed"`
	Counted int `json:"counted"` // the items before this one are counted
}

func (in *interpreter) failures(ctx context.Context, m *mark) (bad, counted int, err error) {
	var was failures
	switch {
	case m.output != nil:
		err = unmarshal(m.output, &was)
	case m.stored:
		err = in.s.column(ctx, m, "output", &was)
	}
	return was.Failed, was.Counted, err
}

// resume returns the item with which a for_each goes on, the last that was begun: items before it are done.
func (in *interpreter) resume(st *step, it iteration) (first int, begun bool) {
	for k, m := range in.marks {
		if n, ok := m.item(k, st, it); ok {
			first, begun = max(first, n), true
		}
	}
	for k, m := range in.marks {
		if n, ok := m.item(k, st, it); ok && n < first && m.stored {
			delete(in.marks, k)
		}
	}
	return first, begun
}

// begin evaluates the list, which the mark keeps: what a run that resumes goes through is what it began with.
func (in *interpreter) begin(ctx context.Context, st *step, m *mark, items *[]any) error {
	v, err := in.eval(st.cond)
	if err == nil {
		list, ok := v.([]any)
		switch {
		case v == nil:
		case !ok:
			err = core.E("flows.for_each", core.Invalid, "in is no list")
		case len(list) > maxItems:
			err = core.E("flows.for_each", core.Limit, fmt.Sprintf("the list has %d items, and at most %d are allowed", len(list), maxItems))
		}
		if list == nil {
			list = []any{}
		}
		if err == nil {
			m.input, err = toJSON(itemList{list})
		}
		var saved itemList
		if err == nil {
			err = unmarshal(m.input, &saved)
		}
		*items = saved.Items
	}
	if err != nil {
		var e *core.Error
		if errors.As(err, &e) && e.Kind == core.Limit {
			err = core.E("flows.for_each", core.Failed, e.Msg) // trying again does not make it shorter
		}
		return in.stop(ctx, st, m, err)
	}
	m.status, m.attempt, m.started = running, 1, in.s.now()
	return in.later(ctx, m)
}

// item reports the item of the for_each step, in the iteration around it, that the mark belongs to.
func (m *mark) item(k key, st *step, it iteration) (n int, ok bool) {
	if !strings.HasPrefix(k.path, st.path+".steps.") || strings.Contains(k.path, undoing) {
		return 0, false
	}
	rest := k.iter
	if len(it) > 0 {
		if rest, ok = strings.CutPrefix(k.iter, it.String()+"."); !ok {
			return 0, false
		}
	}
	_, err := fmt.Sscanf(rest, "%d", &n)
	return n, err == nil && m.status != ""
}

// forget drops the marks of an item that is done, but for those still to be written.
func (in *interpreter) forget(st *step, it iteration, i int) {
	iter := append(it[:len(it):len(it)], i).String()
	for k, m := range in.marks {
		if m.stored && (k.iter == iter || strings.HasPrefix(k.iter, iter+".")) && strings.HasPrefix(k.path, st.path+".") && !strings.Contains(k.path, undoing) {
			delete(in.marks, k)
		}
	}
}

func idsOf(steps []*step) (out []string) {
	eachOf(steps, func(st *step) {
		if st.id != "" {
			out = append(out, st.id)
		}
	})
	return out
}
