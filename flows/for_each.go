package flows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	first, begun := in.resume(st, it)
	if m.status == failed && !begun { // before the first item
		return m.failure(m.err)
	}
	w := &walk{interpreter: in, st: st, m: m, it: it, items: saved.Items}
	var err error
	if w.failures, err = in.failures(ctx, m); err != nil {
		return err
	}
	if st.atOnce > 1 {
		err = w.atOnce(ctx, first)
	} else {
		err = w.inTurn(ctx, first)
	}
	if err != nil {
		return err
	}
	out := map[string]any{"count": int64(len(saved.Items)), "failed": int64(w.Failed)}
	m.input, _ = toJSON(saved)
	if err := in.pure(ctx, m, nil, out); err != nil {
		return err
	}
	return in.known(st, out)
}

// walk goes through the items of a for_each.
type walk struct {
	*interpreter
	st    *step
	m     *mark
	it    iteration
	items []any
	failures
}

// inTurn works on one item after the other.
func (w *walk) inTurn(ctx context.Context, first int) error {
	before, had := w.scope[w.st.as]
	for i := first; i < len(w.items); i++ {
		w.scope[w.st.as] = w.items[i]
		err := w.list(ctx, w.st.body, w.item(i), false)
		if f := catchable(err); f != nil && !w.st.keepGoing {
			return w.failed(f)
		} else if f == nil && err != nil {
			return err
		}
		w.done(i, err != nil)
	}
	if delete(w.scope, w.st.as); had {
		w.scope[w.st.as] = before
	}
	for _, id := range idsOf(w.st.body) {
		delete(w.steps, id)
	}
	return nil
}

// atOnce works on several items: no item begins before the one is done that comes as many before it as are worked on at once. So a run that
// resumes knows by the last item that has begun which ones may not be done.
func (w *walk) atOnce(ctx context.Context, first int) error {
	g := &group{up: w.group, of: len(w.items), over: w.m.status == failed}
	if !w.st.keepGoing {
		g.need = g.of
	}
	left := map[int]error{} // how items have ended that are not done with
	tell := make(chan struct{}, 1)
	next, open, i := first, 0, first
	for i < len(w.items) {
		for ; next < len(w.items) && next-i < w.st.atOnce; next++ {
			n := next
			open++
			w.beside(g, func(one *interpreter) error {
				one.scope[w.st.as] = w.items[n]
				return one.guarded(ctx, w.st.body, w.item(n))
			}, func(err error) {
				left[n] = err
				open--
				select {
				case tell <- struct{}{}:
				default:
				}
			})
		}
		if err, ended := left[i]; ended && (err == nil || w.st.keepGoing && catchable(err) != nil) {
			delete(left, i)
			w.done(i, err != nil)
			i++
			continue
		}
		if open == 0 {
			return w.broken(ctx, g, left)
		}
		w.outside(func() { <-tell })
	}
	return nil
}

// broken ends the step, or leaves it to go on later, where the items have ended so and no further one is begun.
func (w *walk) broken(ctx context.Context, g *group, left map[int]error) error {
	decided := w.m.status == failed
	var errs []error
	var first *failure
	for _, i := range slices.Sorted(maps.Keys(left)) {
		errs = append(errs, left[i])
		if f := catchable(left[i]); f != nil && first == nil {
			first = f
		}
	}
	giveUp := func() error {
		if decided || g.up != nil && w.over() {
			return nil
		}
		return w.giveUp(ctx, w.st, w.it)
	}
	if err := foremost(errs); err != nil {
		if end := (*ending)(nil); errors.As(err, &end) {
			if bad := giveUp(); bad != nil {
				return bad
			}
		}
		return err
	}
	if first != nil && !w.st.keepGoing {
		failed := w.failed(first)
		if bad := giveUp(); bad != nil {
			return bad
		}
		return failed
	}
	if w.over() {
		return errGivenUp
	}
	return errSuspended
}

// item is the iteration of an item.
func (w *walk) item(i int) iteration { return append(w.it[:len(w.it):len(w.it)], i) }

// failed marks the step as one that has failed by an item.
func (w *walk) failed(f *failure) error {
	w.m.input, _ = toJSON(itemList{w.items})
	return w.passOn(w.m, f)
}

// done counts an item that failed, and forgets what is known of its steps. Items are done in their order.
func (w *walk) done(i int, failed bool) {
	if failed && i >= w.Counted {
		w.Failed, w.Counted = w.Failed+1, i+1
		w.m.input, _ = toJSON(itemList{w.items})
		w.m.output, _ = toJSON(w.failures)
		w.wait(w.m)
	}
	w.forget(w.st, w.it, i)
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

func (in *interpreter) failures(ctx context.Context, m *mark) (was failures, err error) {
	switch {
	case m.output != nil:
		err = unmarshal(m.output, &was)
	case m.stored:
		err = in.s.column(ctx, m, "output", &was)
	}
	return was, err
}

// resume returns the item with which a for_each goes on. The items before it are done: it is the last that was begun, or as many before that
// as are worked on at once.
func (in *interpreter) resume(st *step, it iteration) (first int, begun bool) {
	for k, m := range in.marks {
		if n, ok := m.item(k, st, it); ok {
			first, begun = max(first, n), true
		}
	}
	first = max(0, first-max(st.atOnce, 1)+1)
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
