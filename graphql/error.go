package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"colonnade/core"
	"colonnade/tables"
)

// wireError is an error as it leaves the process: nothing else ever does.
type wireError struct {
	Message    string     `json:"message"`
	Locations  []location `json:"locations,omitempty"`
	Path       []any      `json:"path,omitempty"`
	Extensions extensions `json:"extensions"`
}

type location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// extensions are for programs. Code is Hasura's name for what is wrong, and kind ours.
type extensions struct {
	Code string       `json:"code"`
	Kind core.ErrKind `json:"kind"`
	Path string       `json:"path,omitempty"` // into the document, such as $.selectionSet.customer.args.where
	core.At
	Conflict  *tables.Moved `json:"conflict,omitempty"`   // what became of a record that has moved on
	RequestID string        `json:"request_id,omitempty"` // of an internal error: what to look for in the log
	Internal  string        `json:"internal,omitempty"`   // in development mode: everything
}

const invalid = core.Invalid

// codes are Hasura's names of the kinds.
var codes = map[core.ErrKind]string{
	core.Invalid:     "data-exception",
	core.Failed:      "validation-failed",
	core.NotFound:    "not-found",
	core.Denied:      "permission-error",
	core.Unknown:     "access-denied",
	core.Exists:      "constraint-violation",
	core.Conflict:    "conflict",
	core.Limit:       "limit-exceeded",
	core.Full:        "storage-full",
	core.Unavailable: "unavailable",
	core.Internal:    "unexpected",
}

// levels are how loud the log is about a kind.
var levels = map[core.ErrKind]slog.Level{
	core.Denied: slog.LevelInfo, core.Unknown: slog.LevelInfo, core.NotFound: slog.LevelInfo,
	core.Limit: slog.LevelWarn, core.Full: slog.LevelError, core.Unavailable: slog.LevelWarn, core.Internal: slog.LevelError,
}

// executionError logs what went wrong while a field was computed and returns the part of it that may leave. s is nil when
// no field is to blame.
func (e *Engine) executionError(ctx context.Context, s *step, err error) wireError {
	in := core.AsError(err)
	if late, ok := context.Cause(ctx).(tooLate); ok && in.Kind == core.Unavailable { //nolint:errorlint // it is the cause itself
		in = core.AsError(core.E("graphql.executionError", core.Limit, late.Error(), err))
	}
	out := wireError{Message: in.Public(), Extensions: extensions{Code: codes[in.Kind], Kind: in.Kind, At: in.At}}
	if s != nil {
		out.Path = []any{s.key}
		out.Locations = []location{s.at}
		out.Extensions.Path = "$.selectionSet." + s.key + itemPath(s.items, in.At)
	}
	errors.As(err, &out.Extensions.Conflict)
	level, ok := levels[in.Kind]
	if !ok {
		level = slog.LevelDebug
	}
	if in.Kind == core.Internal {
		out.Extensions.RequestID = e.o.RequestID(ctx)
		out.Extensions.At = core.At{}
		if e.o.Dev {
			out.Extensions.Internal = err.Error()
		}
	}
	e.o.Log.Log(ctx, level, "graphql: a field failed", "field", fieldName(s), "kind", in.Kind, "user", core.CallerFrom(ctx).User, "request_id", out.Extensions.RequestID, "err", e.store.Snapshot().Logged(err))
	return out
}

// itemPath is the path from a field to what is wrong in an argument of several items; empty when that is not known.
func itemPath(argument string, at core.At) string {
	switch {
	case argument == "":
		return ""
	case argument == "object" && at.Input != "": // a list of one
		return ".args.object" + at.Input[strings.IndexByte(at.Input, ']')+1:]
	case at.Input != "":
		return ".args." + argument + at.Input
	case at.Item > 0 && argument != "object":
		return ".args." + argument + index(at.Item-1)
	}
	return ""
}

func fieldName(s *step) string {
	if s == nil {
		return ""
	}
	return s.name
}

// plainPath leaves out of a path what only programs need.
var plainPath = strings.NewReplacer(".selectionSet.", ".", ".args.", ".")

// requestError is the error of a request that was refused before anything was done.
func requestError(err error) wireError {
	var e *inputError
	if !errors.As(err, &e) {
		return wireError{Message: core.AsError(err).Public(), Extensions: extensions{Code: codes[core.KindOf(err)], Kind: core.KindOf(err)}}
	}
	msg := e.msg + e.near
	out := wireError{Message: msg, Extensions: extensions{Code: "validation-failed", Kind: invalid}}
	if e.kind != "" {
		out.Extensions.Kind = e.kind
	}
	if e.kind == core.Limit {
		out.Extensions.Code = codes[core.Limit]
	}
	switch variable, isVariable := strings.CutPrefix(e.path, "$"); {
	case isVariable:
		out.Message = "$" + variable + ": " + msg
		out.Extensions.Path = "$.variables." + variable
	case e.path != "":
		out.Message = strings.TrimPrefix(plainPath.Replace(strings.TrimSuffix(e.path, ".args")), ".") + ": " + msg
		out.Extensions.Path = "$.selectionSet" + e.path
	}
	if e.pos != nil {
		out.Locations = []location{{e.pos.Line, e.pos.Column}}
	}
	return out
}

func limitError(msg string) wireError {
	return wireError{Message: msg, Extensions: extensions{Code: codes[core.Limit], Kind: core.Limit}}
}

func syntaxError(err error) wireError {
	out := wireError{Message: "the document is no GraphQL", Extensions: extensions{Code: "parse-failed", Kind: invalid}}
	var e *gqlerror.Error
	if errors.As(err, &e) {
		out.Message = e.Message
		out.Locations = locations(e)
	}
	return out
}

func validationErrors(errs []*gqlerror.Error) []wireError {
	out := make([]wireError, len(errs))
	for i, e := range errs {
		out[i] = wireError{Message: e.Message, Locations: locations(e), Extensions: extensions{Code: "validation-failed", Kind: invalid}}
	}
	return out
}

func locations(e *gqlerror.Error) (out []location) {
	for _, l := range e.Locations {
		out = append(out, location{l.Line, l.Column})
	}
	return out
}

// refused is the answer to a request that nothing was done for: it has no data, not even null.
func refused(errs ...wireError) Response {
	return Response{Body: append(appendErrors([]byte("{"), errs), '}'), Kind: RequestError}
}

// failed is the answer to an operation of which nothing is left.
func failed(errs []wireError) Response {
	return Response{Body: append(appendErrors([]byte(`{"data":null,`), errs), '}'), Kind: PartialError}
}

// answered completes the answer `{"data":{...}`.
func answered(out []byte, errs []wireError) Response {
	if len(errs) == 0 {
		return Response{Body: append(out, '}'), Kind: OK}
	}
	return Response{Body: append(appendErrors(append(out, ','), errs), '}'), Kind: PartialError}
}

func appendErrors(b []byte, errs []wireError) []byte {
	return append(append(b, `"errors":`...), errorList(errs)...)
}

func errorList(errs []wireError) []byte {
	var list bytes.Buffer
	enc := json.NewEncoder(&list)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(errs); err != nil {
		return []byte(`[{"message":"internal error"}]`)
	}
	return bytes.TrimSpace(list.Bytes())
}
