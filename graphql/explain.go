package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

// mayExplain says why the operation is not explained to the caller, if it is not.
func (e *Engine) mayExplain(snap *tables.Snapshot, caller core.Caller, op *operation) error {
	if op.Operation != ast.Query {
		return wrong("only queries are explained: leave X-Explain out")
	}
	return snap.Policy.May(caller, explainQueries)
}

// explained is how one root field was answered.
type explained struct {
	Field string `json:"field"`
	*tables.Explanation
}

// explain adds to the answer of a query how each of its root fields was answered, those that are statements.
func (e *Engine) explain(ctx context.Context, a *api, snap *tables.Snapshot, op *operation, vars variables, l core.Limits, res Response) Response {
	if res.Kind == RequestError {
		return res
	}
	steps, err := e.compileQuery(a, op, vars, l)
	if err != nil {
		return refused(requestError(err))
	}
	list := []explained{}
	for _, s := range steps {
		if s.query == nil {
			continue
		}
		x, err := e.store.ExplainQuery(ctx, snap, *s.query)
		if err != nil {
			return failed([]wireError{e.executionError(ctx, s, err)})
		}
		list = append(list, explained{s.key, x})
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(list); err != nil {
		return failed([]wireError{e.executionError(ctx, nil, core.E("graphql.explain", err))})
	}
	body := slices.Clip(res.Body[:len(res.Body)-1]) // others may have the same bytes
	body = append(body, `,"extensions":{"explain":`...)
	res.Body = append(append(body, bytes.TrimSpace(text.Bytes())...), "}}"...)
	return res
}
