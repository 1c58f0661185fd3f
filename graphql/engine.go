package graphql

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/live"
	"colonnade/tables"
)

// Options of an [Engine]; the zero value works.
type Options struct {
	Log       *slog.Logger                 // slog.Default when nil
	Timeout   time.Duration                // of one request; 30 s when 0
	RequestID func(context.Context) string // names a request in the log and in the answer to an internal error; a new id when nil
	Dev       bool                         // internal errors are shown in full
	Slow      *SlowLog                     // of what takes long; none when nil

	// Answered is told of every request but subscriptions: what it was (query, mutation, or other where that is not known) and how it ended.
	// Nobody when nil.
	Answered func(operation string, kind Kind, took time.Duration)
}

// Engine answers GraphQL requests.
type Engine struct {
	store   *tables.Store
	actions []core.Action
	o       Options
	api     func(*tables.Snapshot) *api
	plans   func(*tables.Snapshot) *cache[planKey, *plan]
	last    atomic.Pointer[api]
	hub     *live.Hub

	persisted *persisted // documents by their hashes, as clients sent them

	introspections func(*tables.Snapshot) *cache[string, []byte]
}

// Request is one GraphQL request, as it came in JSON.
type Request struct {
	Query         string          `json:"query"`
	Variables     json.RawMessage `json:"variables"`
	OperationName string          `json:"operationName"`
	DocumentID    string          `json:"documentId"` // in place of Query: the name of a registered operation, or sha256: and the hash of a document
	Extensions    json.RawMessage `json:"extensions"`

	// Explain asks for how a query is answered, beside the answer. It takes the right explain_queries.
	Explain bool `json:"-"`

	// Key names a mutation that its sender may send again, when he does not know what became of it: it is done once, and
	// the answer is that of the first time. Empty for none.
	Key string `json:"-"`
}

// MaxKey is how many bytes the key of a request has at most.
const MaxKey = tables.MaxKey

// once is what the store needs to know the request again.
func (r *Request) once() tables.Once {
	h := sha256.New()
	for _, part := range []string{r.Query, r.OperationName, string(r.Variables)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return tables.Once{Key: r.Key, Hash: [32]byte(h.Sum(nil))}
}

// Response is the answer to a request.
type Response struct {
	Body []byte // the complete JSON, which may be shared: do not change it
	Kind Kind

	Repeated bool // it is the answer of an earlier time: see [Request.Key]
	Named    bool // the request named its document and did not send it
	MaxAge   int  // of a registered operation: for how many seconds the answer may be taken for that of a later request

	operation string // query or mutation; empty before that is known
}

// Kind says how a request ended, from which the status of HTTP follows.
type Kind int

// The kinds of an answer.
const (
	OK           Kind = iota
	PartialError      // it was executed, and fields failed: there is data, if only null
	RequestError      // it was refused as it is: there is no data
	NotAllowed        // it would write, where only reading is allowed: there is no data
)

// New returns an engine over the store, for which it must be called before the store is loaded. From then on a schema
// that GraphQL cannot express is refused before the database keeps it. The actions have different names.
func New(store *tables.Store, actions []core.Action, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.RequestID == nil {
		o.RequestID = func(context.Context) string { return string(core.NewID()) }
	}
	e := &Engine{store: store, actions: actions, o: o, persisted: newPersisted(), hub: live.New(store, live.Options{Log: o.Log})}
	e.actions = append(slices.Clip(actions), e.printSDL())
	e.api = tables.Derive(store, e.derive)
	e.plans = tables.Derive(store, func(*tables.Snapshot) (*cache[planKey, *plan], error) {
		return newCache[planKey, *plan](planCacheBytes), nil
	})
	e.introspections = tables.Derive(store, func(*tables.Snapshot) (*cache[string, []byte], error) {
		return newCache[string, []byte](introspectionCacheBytes), nil
	})
	return e
}

// Start begins to keep the answers of subscriptions current; requests of other kinds are answered without it.
func (e *Engine) Start(ctx context.Context) { e.hub.Start(ctx) }

// Stop ends what [Engine.Start] has begun. Who listens is told nothing more.
func (e *Engine) Stop() { e.hub.Stop() }

// Live returns how much there is to do for subscriptions.
func (e *Engine) Live() live.Stats { return e.hub.Stats() }

// derive returns the API of a snapshot. Snapshots of one schema, which differ in their policies, share one.
func (e *Engine) derive(snap *tables.Snapshot) (*api, error) {
	defined := snap.Defined()
	if a := e.last.Load(); a != nil && a.schema == snap.Schema && a.digest == defined.Digest {
		return a, nil
	}
	a, err := build(snap.Schema, e.actions, defined)
	if err != nil && e.last.Load() == nil && len(defined.Actions) > 0 {
		e.o.Log.Warn("graphql: what people have defined cannot be called, such as after an upgrade", "err", err)
		a, err = build(snap.Schema, e.actions, &tables.Defined{})
	}
	if err != nil {
		return nil, err
	}
	if err := a.register(); err != nil {
		if e.last.Load() != nil {
			return nil, err
		}
		e.o.Log.Warn("graphql: a registered operation is not valid any more, which the next change of the schema will be refused for", "err", err) // such as after an upgrade
	}
	e.last.Store(a)
	return a, nil
}

// retries is how often a mutation is compiled anew because the schema has just changed.
const retries = 3

// Do answers a request for the caller of ctx. With readOnly, a mutation is not executed.
func (e *Engine) Do(ctx context.Context, r Request, readOnly bool) (res Response) {
	if e.o.Answered != nil {
		defer func(begin time.Time) { e.o.Answered(cmp.Or(res.operation, "other"), res.Kind, time.Since(begin)) }(time.Now())
	}
	defer func() {
		if p := recover(); p != nil {
			err := core.E("graphql.Do", core.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			res = failed([]wireError{e.executionError(ctx, nil, err)})
		}
	}()
	cancel := func() {}
	if endsAfter(ctx, e.o.Timeout) {
		ctx, cancel = context.WithTimeout(ctx, e.o.Timeout)
	}
	defer cancel()
	for i := 0; ; i++ {
		res, err := e.do(ctx, r, readOnly)
		if err == nil {
			return res
		}
		if !errors.Is(err, errMoved) || i == retries {
			return failed([]wireError{e.executionError(ctx, nil, core.E("graphql.Do", core.Conflict, "the schema has just changed: try again", err))})
		}
	}
}

// endsAfter reports whether ctx has no deadline, or one that is further away.
func endsAfter(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > d
}

func (e *Engine) do(ctx context.Context, r Request, readOnly bool) (Response, error) {
	snap, caller := e.store.Snapshot(), core.CallerFrom(ctx)
	src, problem := e.resolve(snap, caller, &r)
	if problem != nil {
		return refused(*problem), nil
	}
	if r.Key != "" && !readOnly { // before anything that may have changed since
		answer, done, err := e.store.Answered(ctx, r.once())
		if err != nil {
			return refused(e.executionError(ctx, nil, err)), nil
		}
		if done {
			return Response{Body: answer, Repeated: true}, nil
		}
	}
	a := e.api(snap)
	limits := snap.Policy.Limits(caller)
	if most := time.Duration(limits.Seconds) * time.Second; endsAfter(ctx, most) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, most, tooLate(limits.Seconds))
		defer cancel()
	}
	who := readerOf(snap, caller)
	doc, errs := a.parse(r.Query, limits, who)
	if errs != nil {
		return refused(errs...), nil
	}
	if src.keep != "" && !who.stranger {
		e.persisted.put(caller, src.keep, r.Query)
	}
	op, none := doc.operation(r.OperationName)
	if none != "" {
		return refused(requestError(wrong("%s", none))), nil
	}
	if doc.size.introspection > 0 && caller.Anonymous() {
		return refused(signIn()), nil
	}
	if op.Operation == ast.Subscription {
		return refused(requestError(wrong("a subscription has many answers: send it over a WebSocket, or with the header Accept: text/event-stream"))), nil
	}
	if r.Explain {
		if err := e.mayExplain(snap, caller, op); err != nil {
			return refused(requestError(err)), nil
		}
	}
	if op.Operation == ast.Mutation && readOnly {
		res := refused(requestError(wrong("a mutation cannot be sent this way: use POST")))
		res.Kind = NotAllowed
		return res, nil
	}
	if doc.size.introspection > 0 && onlyIntrospection(op.OperationDefinition) {
		return e.introspect(ctx, a, snap, op, r, limits)
	}
	vars, err := a.coerceVariables(op, r.Variables)
	if err != nil {
		return refused(requestError(who.told(err))), nil
	}
	if op.Operation == ast.Mutation {
		defer e.o.Slow.begin(caller, op)()
		res, err := e.mutation(ctx, a, snap, op.OperationDefinition, vars, limits, r)
		res.operation = "mutation"
		return res, err
	}
	res := e.query(ctx, a, snap, op, vars, limits)
	res.operation = "query"
	if r.Explain {
		res = e.explain(ctx, a, snap, op, vars, limits, res)
	}
	res.Named = src.named
	if src.registered != nil {
		res.MaxAge = src.registered.Cache
	}
	return res, nil
}

// byRight stands in front of a right, in place of a table, for what only those may know of who hold it.
const byRight = "right "

// readerOf returns what the caller may learn from mistakes. Who defines tables knows of all.
func readerOf(snap *tables.Snapshot, caller core.Caller) reader {
	r := reader{stranger: caller.Anonymous() && len(caller.Roles) == 0}
	if snap.Policy.May(caller, "define_tables") != nil {
		of := caller // which the function keeps in the heap
		r.sees = func(table string) bool {
			if right, ok := strings.CutPrefix(table, byRight); ok {
				return snap.Policy.May(of, right) == nil
			}
			return snap.Policy.Sees(of, table)
		}
	}
	return r
}

// introspect answers a request for types, which has one answer for who holds the same roles, as long as schema and policy
// stay.
func (e *Engine) introspect(ctx context.Context, a *api, snap *tables.Snapshot, op *operation, r Request, l core.Limits) (Response, error) {
	caller := core.CallerFrom(ctx)
	parts := append([]string{strconv.FormatBool(caller.IsSystem()), r.OperationName, string(r.Variables), r.Query}, caller.Roles...)
	var key strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&key, "%d:%s", len(part), part) // with its length, so that no two lists are one key
	}
	kept := e.introspections(snap)
	if body, ok := kept.get(key.String()); ok {
		return Response{Body: body, Kind: OK}, nil
	}
	vars, err := a.coerceVariables(op, r.Variables)
	if err != nil {
		return refused(requestError(err)), nil
	}
	res := e.query(ctx, a, snap, op, vars, l)
	if res.Kind == OK {
		kept.put(key.String(), res.Body, key.Len()+cap(res.Body))
	}
	return res, nil
}

func signIn() wireError {
	return wireError{Message: "sign in first", Extensions: extensions{Code: codes[core.Unknown], Kind: core.Unknown}}
}
