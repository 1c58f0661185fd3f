package core

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrKind classifies an error; behaviour follows the kind (what a client is told, whether a flow retries).
type ErrKind string

// The closed list of kinds.
const (
	Invalid     ErrKind = "INVALID"     // the input breaks a type or a constraint
	Failed      ErrKind = "RULE_FAILED" // a business rule refused the change
	NotFound    ErrKind = "NOT_FOUND"   // or out of reach, where existence itself is secret
	Denied      ErrKind = "DENIED"      // no privilege
	Unknown     ErrKind = "UNAUTHENTICATED"
	Exists      ErrKind = "EXISTS"   // a key is taken
	Conflict    ErrKind = "CONFLICT" // the record or the schema moved on
	Limit       ErrKind = "LIMIT"
	Full        ErrKind = "STORAGE_FULL"
	Unavailable ErrKind = "UNAVAILABLE" // try later
	Internal    ErrKind = "INTERNAL"
)

// Retry reports whether the same call may succeed later without a change of its input.
func (k ErrKind) Retry() bool {
	return k == Conflict || k == Limit || k == Full || k == Unavailable || k == Internal
}

// At says where an error arose. Empty fields say nothing.
type At struct {
	Table  string `json:"table,omitempty"`
	Column string `json:"column,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Item   int    `json:"item,omitempty"`      // 1-based position in a list of inputs
	Line   int    `json:"line,omitempty"`      // 1-based, in an expression, a file or a document
	Pos    int    `json:"character,omitempty"` // 1-based, in that line
	Input  string `json:"-"`                   // inside of a nested input, such as [3].lines.data[0]

	// Excerpt is the line of an expression that Line and Pos are in, and below it a caret at the place.
	Excerpt string `json:"excerpt,omitempty"`
}

// Error is the one error type that crosses the borders of packages.
// Kind, At and Msg may be shown to the caller; Op and Err are for the log only.
type Error struct {
	At
	Op   string // package.Function
	Kind ErrKind
	Msg  string // a sentence for people: what is wrong and what to do; written by us, never by a driver
	Err  error
}

// E builds an [Error] from its arguments, whose types say what they are: ErrKind, At, string (the message), error
// (the cause). What E is not told it takes from a wrapped *Error; without a kind anywhere the kind is Internal.
// E returns nil when its only argument is a nil error.
func E(op string, args ...any) error {
	if len(args) == 1 && args[0] == nil {
		return nil
	}
	return newError(op, args)
}

func newError(op string, args []any) *Error {
	e := &Error{Op: op}
	for _, a := range args {
		switch a := a.(type) {
		case ErrKind:
			e.Kind = a
		case At:
			e.At = a
		case string:
			e.Msg = a
		case error:
			e.Err = a
		case nil:
		default:
			panic(fmt.Sprintf("core.E: %T is no part of an error", a))
		}
	}
	var in *Error
	if errors.As(e.Err, &in) {
		e.Kind = first(e.Kind, in.Kind)
		e.Msg = first(e.Msg, in.Msg)
		e.At = e.At.or(in.At)
	} else if errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) {
		e.Kind = first(e.Kind, Unavailable)
		e.Msg = first(e.Msg, "the request took too long and was stopped")
	}
	e.Kind = first(e.Kind, Internal)
	return e
}

func (a At) or(b At) At {
	return At{
		Table: first(a.Table, b.Table), Column: first(a.Column, b.Column), Rule: first(a.Rule, b.Rule),
		Item: first(a.Item, b.Item), Line: first(a.Line, b.Line), Pos: first(a.Pos, b.Pos), Input: first(a.Input, b.Input),
		Excerpt: first(a.Excerpt, b.Excerpt),
	}
}

// String renders a as "table.column, rule r, item 3, line 2:7".
func (a At) String() string {
	var parts []string
	if name := strings.Trim(a.Table+"."+a.Column, "."); name != "" {
		parts = append(parts, name)
	}
	if a.Rule != "" {
		parts = append(parts, "rule "+strconv.Quote(a.Rule))
	}
	if a.Item > 0 {
		parts = append(parts, "item "+strconv.Itoa(a.Item))
	}
	if a.Line > 0 {
		pos := "line " + strconv.Itoa(a.Line)
		if a.Pos > 0 {
			pos += ":" + strconv.Itoa(a.Pos)
		}
		parts = append(parts, pos)
	}
	return strings.Join(parts, ", ")
}

// Error returns everything, for the log.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	for _, s := range []string{e.At.String(), e.Msg} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Public returns the sentence for the caller, place first; "internal error" when the kind is Internal.
func (e *Error) Public() string {
	if e.Kind == Internal {
		return "internal error"
	}
	msg := e.Msg
	if msg == "" {
		msg = strings.ToLower(strings.ReplaceAll(string(e.Kind), "_", " "))
	}
	if at := e.At.String(); at != "" {
		return at + ": " + msg
	}
	return msg
}

// Wait is the cause of an error that ends by itself: when so long has passed, the same call may succeed.
type Wait time.Duration

func (w Wait) Error() string { return "the wait is " + time.Duration(w).String() }

// Seconds returns w in whole seconds, rounded up.
func (w Wait) Seconds() int64 { return int64((time.Duration(w) + time.Second - 1) / time.Second) }

// AsError returns err as an *Error, nil for nil; a foreign error becomes one of kind Internal.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return newError("core.AsError", []any{err})
}

// Discreet returns err without the name that it suggests, for callers who may not know of every name.
func Discreet(err error) error {
	if err == nil {
		return nil
	}
	e := AsError(err)
	msg, _, found := strings.Cut(e.Msg, "; did you mean ")
	if !found {
		return err
	}
	return E(e.Op, e.Kind, e.At, msg)
}

// KindOf returns the kind of err, Internal where it has none, and "" for nil.
func KindOf(err error) ErrKind {
	if err == nil {
		return ""
	}
	return AsError(err).Kind
}

func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}
