package graphql

import (
	"context"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// plan is a query operation, compiled and prepared for one caller and all requests of one structure. It holds nothing of
// the request that it was made for.
type plan struct {
	caller core.Caller
	steps  []*step
	until  time.Time    // when it is to be made anew; zero for never
	bytes  atomic.Int64 // of the last answer
}

// Room for an answer is made as large as the last one of the plan was, in these bounds.
const (
	minRoom = 512
	maxRoom = 1 << 20
)

// room returns a buffer for the answer.
func (p *plan) room() []byte {
	return make([]byte, 0, min(max(int(p.bytes.Load()), minRoom), maxRoom))
}

// planKey finds a plan among those of a snapshot.
type planKey struct {
	operation uint64
	user      core.ID
	structure string
}

// maxStructure is how many bytes of structure are worth keeping a plan for: what is longer does not come again.
const maxStructure = 4 << 10

// plan returns the plan of a query: that of an earlier request, when only open values differ.
func (e *Engine) plan(ctx context.Context, a *api, snap *tables.Snapshot, op *operation, vars variables, l core.Limits) (*plan, error) {
	caller, plans := core.CallerFrom(ctx), e.plans(snap)
	key := planKey{op.id, caller.User, vars.structure}
	if p, ok := plans.get(key); ok && p.caller.Alike(caller) && (p.until.IsZero() || time.Now().Before(p.until)) {
		return p, nil
	}
	steps, err := e.compileQuery(a, op, vars.open(), l)
	if err != nil {
		return nil, err
	}
	made := &plan{caller: caller, steps: steps}
	weight, lasting := len(key.structure)+op.bytes+500, len(key.structure) <= maxStructure
	for _, s := range steps {
		if s.twin > 0 {
			continue
		}
		if s.query == nil {
			lasting = lasting && !s.once
			e.o.Slow.watch(op.Name, "", s)
			continue
		}
		p, err := e.store.Prepare(ctx, snap, *s.query)
		if err != nil { // the values decide which mistake is the first
			steps, err = e.compileQuery(a, op, vars, l)
			return &plan{steps: steps}, err
		}
		s.answer(e.store, p)
		e.o.Slow.watch(op.Name, p.SQL(), s)
		weight += p.Size()
		lasting = lasting && p.Lasting()
		if at := p.Until(); made.until.IsZero() || !at.IsZero() && at.Before(made.until) {
			made.until = at
		}
	}
	if lasting {
		plans.put(key, made, weight)
	}
	return made, nil
}

// compileQuery compiles the root fields of a query.
func (e *Engine) compileQuery(a *api, op *operation, vars variables, l core.Limits) ([]*step, error) {
	c := &compiler{api: a, vars: vars, limits: l}
	steps, err := c.compile(op.OperationDefinition, func(f *selected) (*step, error) { return c.compileRead(e.store, f) })
	if err == nil && c.rows > l.Rows {
		err = c.tooManyRows()
	}
	pair(steps)
	return steps, err
}

// pair has root fields that ask for the same answered once.
func pair(steps []*step) {
	for i, s := range steps {
		if s.query == nil {
			continue
		}
		s.twin = 1 + slices.IndexFunc(steps[:i], func(o *step) bool {
			return o.query != nil && o.twin == 0 && o.query.Table == s.query.Table && reflect.DeepEqual(o.query, s.query)
		})
	}
}

// answer has the step answer its prepared query.
func (s *step) answer(store *tables.Store, p *tables.Prepared) {
	s.query, s.prepared = nil, p
	s.run = func(ctx context.Context, in scope, dst []byte) ([]byte, error) {
		return store.Answer(ctx, p, in.values, dst)
	}
}
