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
	first, bad := in.resume(st, it)
	before, hadItem := in.scope[st.as]
	for i := first; i < count; i++ {
		in.scope[st.as] = saved.Items[i]
		err := in.list(ctx, st.body, append(it[:len(it):len(it)], i), false)
		var f *failure
		if errors.As(err, &f) && !f.final {
			if st.keepGoing {
				bad++
				err = nil
			} else {
				m.status, m.err, m.finished = failed, f.err, in.s.now()
				m.input, _ = toJSON(saved)
				in.wait(m)
			}
		}
		if err != nil {
			return err
		}
		in.forget(st, it, i)
	}
	delete(in.scope, st.as)
	if hadItem {
		in.scope[st.as] = before
	}
	for _, id := range idsOf(st.body, nil) {
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

// resume returns the item with which a for_each goes on, and how many before it failed: items before the last that was begun
// are done.
func (in *interpreter) resume(st *step, it iteration) (first, bad int) {
	for k, m := range in.marks {
		if n, ok := m.item(k, st, it); ok {
			first = max(first, n)
		}
	}
	failures := map[int]bool{}
	for k, m := range in.marks {
		n, ok := m.item(k, st, it)
		if !ok || n >= first {
			continue
		}
		if m.status == failed && strings.Count(k.iter, ".") == len(it) { // and not of an item of a for_each inside
			failures[n] = true
		}
		if m.stored {
			delete(in.marks, k)
		}
	}
	return first, len(failures)
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
	if !strings.HasPrefix(k.path, st.path+".steps.") {
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
		if m.stored && (k.iter == iter || strings.HasPrefix(k.iter, iter+".")) && strings.HasPrefix(k.path, st.path+".") {
			delete(in.marks, k)
		}
	}
}

func idsOf(steps []*step, out []string) []string {
	for _, st := range steps {
		if st.id != "" {
			out = append(out, st.id)
		}
		for _, list := range [][]*step{st.then, st.els, st.body} {
			out = idsOf(list, out)
		}
	}
	return out
}
