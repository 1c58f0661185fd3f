package flows

import (
	"encoding/json"
	"regexp"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// value is a literal, an expression, or a list or object of values.
type value struct {
	literal any
	isExpr  bool
	source  string
	expr    *rules.Free // set by check
	list    []*value
	object  []field
	at      place
}

// fixed reports whether v holds no expression.
func (v *value) fixed() bool {
	switch {
	case v.isExpr:
		return false
	case v.list != nil:
		for _, item := range v.list {
			if !item.fixed() {
				return false
			}
		}
	case v.object != nil:
		for _, f := range v.object {
			if !f.value.fixed() {
				return false
			}
		}
	}
	return true
}

// texts are the texts that v is, or is a list of; nil when some are not known before the flow runs.
func (v *value) texts() (out []string) {
	for _, one := range append([]*value{v}, v.list...) {
		if s, ok := one.literal.(string); ok {
			out = append(out, s)
		} else if one != v || v.list == nil {
			return nil
		}
	}
	return out
}

// eval returns the value with its expressions evaluated.
func (v *value) eval(vars map[string]any, c core.Caller) (any, error) {
	switch {
	case v.isExpr:
		out, err := v.expr.Eval(vars, c)
		if err != nil {
			return nil, core.E("flows.eval", core.At{Line: v.at.line, Pos: v.at.column}, err)
		}
		return out, nil
	case v.list != nil:
		out := make([]any, len(v.list))
		for i, item := range v.list {
			var err error
			if out[i], err = item.eval(vars, c); err != nil {
				return nil, err
			}
		}
		return out, nil
	case v.object != nil:
		return evalFields(v.object, vars, c)
	}
	return v.literal, nil
}

func evalFields(fields []field, vars map[string]any, c core.Caller) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		var err error
		if out[f.name], err = f.value.eval(vars, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scope is what expressions can name at one place of a flow.
type scope struct {
	trigger []string // members of trigger
	inputs  []string // members of trigger.input; nil when there is none
	steps   []string
	vars    []string
	items   []string
}

func (s *scope) names() []string {
	return append([]string{"trigger", "steps", "vars"}, s.items...)
}

// compile makes the expressions of v.
func (v *value) compile(s *scope, path string) error {
	switch {
	case v.isExpr:
		return v.compileExpr(s, path)
	case v.list != nil:
		for _, item := range v.list {
			if err := item.compile(s, path); err != nil {
				return err
			}
		}
	}
	for _, f := range v.object {
		if err := f.value.compile(s, path); err != nil {
			return err
		}
	}
	return nil
}

func (v *value) compileExpr(s *scope, path string) (err error) {
	if v.expr, err = rules.CompileFree(s.names(), v.source); err != nil {
		e := core.AsError(err)
		return v.at.within(e.Line, e.Pos).problem(path, "%s", message(e))
	}
	return s.references(v, path)
}

// message is what the error says, without its place.
func message(e *core.Error) string {
	e = &core.Error{Kind: e.Kind, Msg: e.Msg, At: core.At{Table: e.Table, Column: e.Column, Rule: e.Rule}}
	return e.Public()
}

// within is the place of a line and character of an expression that begins at p.
func (p place) within(line, character int) place {
	switch {
	case line == 1:
		p.column += max(0, character-1)
	case line > 1:
		p = place{p.line + line - 1, max(1, character)}
	}
	return p
}

// reference is a member of one of our variables. Strings are cut out before; a name behind a dot is somebody else's.
var reference = regexp.MustCompile(`(?:^|[^.\w])(trigger\.input|trigger|steps|vars)\.([A-Za-z_]\w*)`)

var stringLiteral = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'`)

// references checks the members of trigger, steps and vars that an expression names.
func (s *scope) references(v *value, path string) error {
	bare := stringLiteral.ReplaceAllStringFunc(v.source, func(lit string) string { return strings.Repeat(" ", len(lit)) })
	for _, m := range reference.FindAllStringSubmatchIndex(bare, -1) {
		of, name := bare[m[2]:m[3]], bare[m[4]:m[5]]
		have := map[string][]string{"trigger": s.trigger, "trigger.input": s.inputs, "steps": s.steps, "vars": s.vars}[of]
		if contains(have, name) {
			continue
		}
		line := 1 + strings.Count(bare[:m[4]], "\n")
		character := m[4] - strings.LastIndexByte(bare[:m[4]], '\n')
		what := map[string]string{
			"trigger":       "the trigger of this flow has no %s%s; it has: %s",
			"trigger.input": "the flow has no input %s%s; it has: %s",
			"steps":         "no step before this one has the id %s%s; there are: %s",
			"vars":          "no step before this one sets %s%s; set are: %s",
		}[of]
		all := strings.Join(have, ", ")
		if all == "" {
			all = "none"
		}
		return v.at.within(line, character).problem(path, what, name, guess(name, have), all)
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// toJSON is v as our JSON columns keep it.
func toJSON(v any) ([]byte, error) {
	out, err := anyJSON.Parse(v)
	if err != nil {
		return nil, core.E("flows.toJSON", err)
	}
	raw, _ := out.(json.RawMessage)
	return raw, nil
}
