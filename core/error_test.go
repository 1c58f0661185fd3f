package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"colonnade/core"
)

func TestErrors(t *testing.T) {
	cause := errors.New("pq: password=secret")
	inner := core.E("db.Exec", core.Invalid, core.At{Column: "a", Line: 2}, "it is wrong", cause)
	for _, test := range []struct {
		name        string
		err         error
		kind        core.ErrKind
		public, log string
	}{
		{"alone", core.E("x.Do", core.Denied, "go away"), core.Denied, "go away", "x.Do: go away"},
		{"no message", core.E("x.Do", core.NotFound), core.NotFound, "not found", "x.Do"},
		{"foreign", core.E("x.Do", cause), core.Internal, "internal error", "x.Do: pq: password=secret"},
		{"not ours", cause, core.Internal, "internal error", "core.AsError: pq: password=secret"},
		{"wrapped", core.E("x.Do", inner), core.Invalid, "a, line 2: it is wrong", "x.Do: a, line 2: it is wrong: db.Exec: a, line 2: it is wrong: pq: password=secret"},
		{"outer place first", core.E("x.Do", core.At{Table: "t", Column: "b", Item: 3}, inner), core.Invalid, "t.b, item 3, line 2: it is wrong", ""},
		{"outer kind and message first", core.E("x.Do", core.Conflict, "it moved", inner), core.Conflict, "a, line 2: it moved", ""},
		{"internal hides the message", core.E("x.Do", core.Internal, "secret plan"), core.Internal, "internal error", "x.Do: secret plan"},
		{"through fmt", core.E("x.Do", fmt.Errorf("more: %w", inner)), core.Invalid, "a, line 2: it is wrong", ""},
		{"through Join", core.E("x.Do", errors.Join(cause, inner)), core.Invalid, "a, line 2: it is wrong", ""},
		{"cancelled", core.E("x.Do", context.Canceled), core.Unavailable, "the request took too long and was stopped", ""},
		{"deadline", core.E("x.Do", fmt.Errorf("q: %w", context.DeadlineExceeded)), core.Unavailable, "the request took too long and was stopped", ""},
		{"rule", core.E("x.Do", core.Failed, core.At{Table: "t", Rule: `a "b"`, Line: 1, Pos: 5}, "no"), core.Failed, `t, rule "a \"b\"", line 1:5: no`, ""},
	} {
		e := core.AsError(test.err)
		if e.Kind != test.kind || core.KindOf(test.err) != test.kind || e.Public() != test.public || test.log != "" && e.Error() != test.log {
			t.Errorf("%s: %s, %q, %q", test.name, e.Kind, e.Public(), e.Error())
		}
		if strings.Contains(e.Public(), "secret") || strings.Contains(e.Public(), "x.Do") {
			t.Errorf("%s: the public message %q shows what is for the log", test.name, e.Public())
		}
	}
	if err := core.E("x.Do", nil); err != nil {
		t.Errorf("of no error it makes %v", err)
	}
	if core.KindOf(nil) != "" || core.AsError(nil) != nil {
		t.Error("no error has a kind")
	}
	if !errors.Is(core.E("x.Do", inner), cause) {
		t.Error("the cause is lost")
	}
	defer func() {
		if recover() == nil {
			t.Error("a part of an unknown type is accepted")
		}
	}()
	_ = core.E("x.Do", 5)
}

func TestRetry(t *testing.T) {
	for kind, want := range map[core.ErrKind]bool{core.Invalid: false, core.Failed: false, core.NotFound: false, core.Denied: false, core.Unknown: false, core.Exists: false, core.Conflict: true, core.Limit: true, core.Full: true, core.Unavailable: true, core.Internal: true} {
		if kind.Retry() != want {
			t.Error(kind)
		}
	}
}

func TestCaller(t *testing.T) {
	ctx := t.Context()
	if c := core.CallerFrom(ctx); !c.Anonymous() || c.IsSystem() || c.HasRole("admin") {
		t.Errorf("%+v", c)
	}
	system := core.System("setup")
	c := core.CallerFrom(core.WithCaller(ctx, system))
	if !c.IsSystem() || c.Anonymous() || c.Cause.Kind != "setup" {
		t.Errorf("%+v", c)
	}
	forged := core.Caller{User: core.SystemID, Name: "system", Unit: core.RootUnit, Roles: []string{"admin"}}
	if forged.IsSystem() || !forged.HasRole("admin") {
		t.Error("a caller with the name of the system is the system")
	}
}
