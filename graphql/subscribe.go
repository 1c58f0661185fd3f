package graphql

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/live"
	"colonnade/tables"
)

// Listener is who is told the answers of a subscription. Ready, Next and End wait for nothing, and call nothing of this package.
type Listener interface {
	// Caller returns as whom the subscription is held, with the rights of now; an error ends it.
	Caller() (core.Caller, error)

	// Ready reports whether the next batch of a stream can be passed on. A listener who was not ready calls
	// [Subscription.Resume] once he is.
	Ready() bool

	// Next takes an answer: an execution result in JSON, which many share. Of a live query only the newest counts.
	Next(result []byte)

	// End takes the reason why the subscription has ended, as a list of GraphQL errors in JSON.
	End(errors []byte, kind core.ErrKind)
}

// Subscription is a subscription that has begun.
type Subscription struct {
	engine  *Engine
	request Request // with its document
	origin  core.Origin
	to      Listener
	member  *live.Member

	mu     sync.Mutex
	caller core.Caller // by whose rights it was prepared last
}

// Subscribe begins a subscription for the listener. It returns nil and the answer where the request asks for something that is answered once,
// for the caller of ctx, or is refused. With readOnly, a mutation is not executed.
func (e *Engine) Subscribe(ctx context.Context, r Request, readOnly bool, to Listener) (*Subscription, Response) {
	caller := core.CallerFrom(ctx)
	snap := e.store.Snapshot()
	text := r
	src, problem := e.resolve(snap, caller, &text)
	if problem != nil {
		return nil, refused(*problem)
	}
	who := readerOf(snap, caller)
	doc, errs := e.api(snap).parse(text.Query, snap.Policy.Limits(caller), who)
	if errs != nil {
		return nil, refused(errs...)
	}
	if op, problem := doc.operation(r.OperationName); problem != "" || op.Operation != ast.Subscription {
		return nil, e.Do(ctx, r, readOnly)
	}
	if src.keep != "" && !who.stranger {
		e.persisted.put(caller, src.keep, text.Query)
	}
	text.DocumentID, text.Extensions = "", nil
	s := &Subscription{engine: e, request: text, origin: core.OriginFrom(ctx), to: to}
	from, err := s.begin(ctx, snap, caller)
	if err == nil {
		s.member, err = e.hub.Join(ctx, s, from)
	}
	if err != nil {
		return nil, refused(e.refusal(ctx, err)...)
	}
	return s, Response{}
}

// Leave ends the subscription: the listener is told nothing any more when it returns.
func (s *Subscription) Leave() { s.member.Leave() }

// Resume tells that the listener is ready again.
func (s *Subscription) Resume() { s.member.Resume() }

// Renew has the rights of the listener's caller looked at anew. Until that is done, he is told nothing.
func (s *Subscription) Renew() { s.member.Renew() }

// errRefused carries errors of a request that was refused.
type errRefused []wireError

func (e errRefused) Error() string { return e[0].Message }

// refusal is what a subscription that cannot be, or be any longer, is answered.
func (e *Engine) refusal(ctx context.Context, err error) []wireError {
	var many errRefused
	if errors.As(err, &many) {
		return many
	}
	var input *inputError
	if errors.As(err, &input) {
		return []wireError{requestError(err)}
	}
	return []wireError{e.executionError(ctx, nil, err)}
}

// asked is a subscription as it is compiled for a caller.
type asked struct {
	api    *api
	snap   *tables.Snapshot
	op     *operation
	vars   variables
	limits core.Limits
	field  *selected
	root   *root
}

// ask parses and checks the request for a caller. Everything that bounds a query bounds it too.
func (s *Subscription) ask(ctx context.Context, snap *tables.Snapshot) (*asked, error) {
	caller := core.CallerFrom(ctx)
	a := &asked{api: s.engine.api(snap), snap: snap, limits: snap.Policy.Limits(caller)}
	r, who := s.request, readerOf(snap, caller)
	if _, refused := s.engine.resolve(snap, caller, &r); refused != nil { // such as one that is not registered any more
		return nil, errRefused{*refused}
	}
	doc, errs := a.api.parse(r.Query, a.limits, who)
	if errs != nil {
		return nil, errRefused(errs)
	}
	var problem string
	if a.op, problem = doc.operation(s.request.OperationName); problem != "" {
		return nil, errRefused{requestError(wrong("%s", problem))}
	}
	var err error
	if a.vars, err = a.api.coerceVariables(a.op, s.request.Variables); err != nil {
		return nil, errRefused{requestError(who.told(err))}
	}
	fields, err := a.compiler().collect([]ast.SelectionSet{a.op.SelectionSet})
	if err != nil {
		return nil, err
	}
	if len(fields) != 1 {
		return nil, wrong("a subscription has one root field, which is not left out: send several as several subscriptions")
	}
	a.field = fields[0]
	if a.root = a.api.subscription[a.field.name]; a.root == nil {
		return nil, wrong("there is no subscription %s", a.field.name)
	}
	return a, nil
}

func (a *asked) compiler() *compiler { return &compiler{api: a.api, vars: a.vars, limits: a.limits} }

// begin returns the place where the subscription begins.
func (s *Subscription) begin(ctx context.Context, snap *tables.Snapshot, caller core.Caller) (live.Place, error) {
	a, err := s.ask(ctx, snap)
	if err != nil {
		return nil, err
	}
	switch a.root.kind {
	case readStream:
		st, err := a.stream()
		if err != nil {
			return nil, err
		}
		return st.from, nil
	case followChanges:
		f, err := a.feed()
		if err != nil {
			return nil, err
		}
		return s.engine.store.FeedPlace(core.WithCaller(ctx, caller), snap, f.Feed)
	}
	return nil, nil
}

// Prepare implements [live.Subscriber].
func (s *Subscription) Prepare(ctx context.Context) (live.Source, error) {
	caller, err := s.to.Caller()
	if err != nil {
		return live.Source{}, err
	}
	ctx = core.WithCaller(core.WithOrigin(ctx, s.origin), caller)
	snap := s.engine.store.Snapshot()
	a, err := s.ask(ctx, snap)
	if err != nil {
		return live.Source{}, err
	}
	var out live.Source
	var key hash.Hash
	switch a.root.kind {
	case readStream:
		out, key, err = s.streamSource(ctx, a)
	case followChanges:
		out, key, err = s.feedSource(ctx, a)
	default:
		out, key, err = s.querySource(ctx, a)
	}
	if err != nil {
		return live.Source{}, err
	}
	for _, part := range []string{s.request.Query, s.request.OperationName, string(s.request.Variables)} {
		_, _ = fmt.Fprintf(key, "%d:%s", len(part), part)
	}
	out.Key = live.Key(key.Sum(nil))
	out.Payer, out.Timeout = caller.User, time.Duration(a.limits.Seconds)*time.Second
	next := out.Next
	out.Next = func(ctx context.Context, from live.Place) (live.Turn, error) {
		ctx, cancel := context.WithTimeoutCause(core.WithCaller(core.WithOrigin(ctx, s.origin), caller), out.Timeout, tooLate(a.limits.Seconds))
		defer cancel()
		return next(ctx, from)
	}
	s.mu.Lock()
	s.caller = caller
	s.mu.Unlock()
	return out, nil
}

// querySource is the source of a live query.
func (s *Subscription) querySource(ctx context.Context, a *asked) (live.Source, hash.Hash, error) {
	e := s.engine
	p, at, err := e.prepareLive(ctx, a)
	if err != nil {
		return live.Source{}, nil, err
	}
	key, err := e.fingerprint(ctx, p)
	if err != nil {
		return live.Source{}, nil, err
	}
	from := p.Sources(a.snap)
	return live.Source{
		Tables: from.Tables, Timed: from.Silent || !p.Lasting(),
		Next: func(ctx context.Context, _ live.Place) (live.Turn, error) {
			if !p.Lasting() || !p.Until().IsZero() && time.Now().After(p.Until()) {
				if p, at, err = e.prepareLive(ctx, a); err != nil {
					return live.Turn{}, err
				}
			}
			out := append(core.AppendString(append(at.room(), `{"data":{`...), a.field.key), ':')
			seen, err := e.store.Look(ctx, p, nil, out)
			if err != nil {
				return live.Turn{}, err
			}
			at.bytes.Store(int64(len(seen.Answer)))
			return live.Turn{Payload: append(seen.Answer, "}}"...), Place: seen.Digest, Shown: seen.Shown}, nil
		},
	}, key, nil
}

// prepareLive prepares the query of a subscription, or finds it prepared.
func (e *Engine) prepareLive(ctx context.Context, a *asked) (*tables.Prepared, *plan, error) {
	p, err := e.plan(ctx, a.api, a.snap, a.op, a.vars, a.limits)
	if err != nil {
		return nil, nil, err
	}
	st := p.steps[0]
	if st.prepared == nil { // what is wrong with it, is found again
		if st.query == nil {
			return nil, nil, wrong("%s cannot be subscribed to", st.name)
		}
		_, err := e.store.Prepare(ctx, a.snap, *st.query)
		return nil, nil, err
	}
	return st.prepared, p, nil
}

// fingerprint begins the key of a source: all that the rights of its caller come to. What depends on the time is bound to the statement as
// the time of its preparation, so that it is the caller himself who stands in the key there.
func (e *Engine) fingerprint(ctx context.Context, p *tables.Prepared) (hash.Hash, error) {
	key := sha256.New()
	if !p.Lasting() {
		writeCaller(key, core.CallerFrom(ctx))
		return key, nil
	}
	sum, err := e.store.Fingerprint(p, nil)
	_, _ = key.Write(sum[:])
	return key, err
}

// writeCaller writes all by which one caller may have other rights than another.
func writeCaller(to hash.Hash, c core.Caller) {
	scope := c.Scope
	c.Scope, c.Login, c.Cause, c.Name, c.Behalf = nil, nil, core.Cause{}, "", ""
	_, _ = fmt.Fprintf(to, "caller %#v", c)
	if scope != nil {
		_, _ = fmt.Fprintf(to, "%#v", *scope)
	}
}

// Ready implements [live.Subscriber].
func (s *Subscription) Ready() bool { return s.to.Ready() }

// Tell implements [live.Subscriber].
func (s *Subscription) Tell(payload []byte) { s.to.Next(payload) }

// Witness implements [live.Subscriber].
func (s *Subscription) Witness(ctx context.Context, shown []tables.Access) error {
	s.mu.Lock()
	caller := s.caller
	s.mu.Unlock()
	return s.engine.store.LogAccess(core.WithCaller(core.WithOrigin(ctx, s.origin), caller), shown...)
}

// End implements [live.Subscriber].
func (s *Subscription) End(err error) {
	s.mu.Lock()
	ctx := core.WithCaller(core.WithOrigin(context.Background(), s.origin), s.caller)
	s.mu.Unlock()
	s.to.End(errorList(s.engine.refusal(ctx, err)), core.KindOf(err))
}
