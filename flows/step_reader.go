package flows

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
)

// stepKeys are the keys of each kind of step; the first names the kind.
var stepKeys = [][]string{
	{"action", "id", "with", "on_error", "undo"},
	{"if", "id", "then", "else"},
	{"switch", "id", "cases", "default"},
	{"for_each", "id", "steps"},
	{"try", "id", "catch", "finally"},
	{"parallel", "id", "join", "on_error"},
	{"set", "id"},
	{"terminate", "id"},
	{"wait", "id", "on_error"},
	{"approval", "id", "on_error"},
	{"call", "id", "with", "on_error", "undo"},
}

// undoing is in the path of a step that undoes another; no name holds it.
const undoing = ":undo"

func (r *reader) step(n *yaml.Node, parent string, number, depth int) *step {
	s := &step{at: at(n), number: r.count}
	keys := keysOf(n)
	s.path = strconv.Itoa(number)
	if id := keys["id"]; id != nil {
		s.id = r.text(id, "", "id")
		if err := core.CheckName("step", s.id); err != nil && r.err == nil {
			r.fail(id, "", "%s", core.AsError(err).Msg)
		}
		if slices.Contains(r.ids, s.id) {
			r.fail(id, "", "two steps have the id %s: choose another", s.id)
		}
		r.ids = append(r.ids, s.id)
		s.path = s.id
	}
	if parent != "" {
		s.path = parent + "." + s.path
	}
	for _, k := range stepKeys {
		if keys[k[0]] == nil {
			continue
		}
		if s.kind = k[0]; r.members(n, s.path, "a step with "+s.kind, k, func(key string, v *yaml.Node) { r.member(s, key, v, depth) }) {
			r.complete(s, n)
		}
		for _, list := range s.lists() {
			for _, inner := range list {
				inner.up = s
			}
		}
		return s
	}
	r.fail(n, s.path, "a step is one of %s: add one of these keys", strings.Join(stepKinds(), ", "))
	return s
}

func stepKinds() []string {
	out := make([]string, len(stepKeys))
	for i, k := range stepKeys {
		out[i] = k[0]
	}
	return out
}

func (r *reader) member(s *step, key string, v *yaml.Node, depth int) {
	inner := func() []*step { return r.steps(v, s.path+"."+key, key, depth+1) }
	switch key {
	case "action", "call":
		s.action = r.text(v, s.path, key)
	case "with", "set":
		s.values = r.fields(v, s.path, key)
	case "if", "switch":
		s.cond = r.expression(v, s.path, key)
	case "then":
		s.then = inner()
	case "else", "default":
		s.els = inner()
	case "steps", "try":
		s.body = inner()
	case "catch":
		s.catch = inner()
	case "finally":
		s.finally = inner()
	case "on_error":
		s.onError = inner()
	case "undo":
		s.undo = r.steps(v, s.path+undoing, key, depth+1)
	case "cases":
		r.cases(s, v, depth)
	case "parallel":
		r.parallel(s, v, depth)
	case "join":
		s.join = v
	case "for_each":
		r.forEach(s, v)
	case "terminate":
		r.terminate(s, v)
	case "wait":
		r.await(s, v)
	case "approval":
		r.approval(s, v)
	}
}

// expression reads what is always an expression.
func (r *reader) expression(n *yaml.Node, path, what string) *value {
	return &value{source: r.text(n, path, what), isExpr: true, at: inside(n)}
}

func (r *reader) forEach(s *step, n *yaml.Node) {
	s.as = "item"
	r.members(n, s.path, "for_each", []string{"in", "as", "on_error", "at_once"}, func(key string, v *yaml.Node) {
		switch key {
		case "in":
			s.cond = r.expression(v, s.path, key)
		case "as":
			s.as = r.text(v, s.path, key)
			if err := core.CheckName("item", s.as); err != nil && r.err == nil {
				r.fail(v, s.path, "%s", core.AsError(err).Msg)
			}
		case "on_error":
			s.keepGoing = r.choice(v, s.path, key, "stop", "continue") == "continue"
		case "at_once":
			s.atOnce = r.integer(v, s.path, key, 1, maxBranches)
		}
	})
}

// cases reads the cases of a switch, whose values are known before it runs.
func (r *reader) cases(s *step, n *yaml.Node, depth int) {
	for i, item := range r.list(n, s.path, "cases") {
		c := oneOf{}
		ok := r.members(item, s.path, "a case", []string{"when", "steps"}, func(key string, v *yaml.Node) {
			if key == "steps" {
				c.steps = r.steps(v, s.path+".cases."+strconv.Itoa(i+1), key, depth+1)
				return
			}
			one := r.value(v, s.path)
			if c.when = one.list; one.list == nil {
				c.when = []*value{one}
			}
			for _, w := range c.when {
				if !w.fixed() || w.list != nil || w.object != nil {
					r.fail(v, s.path, "when is a value, or a list of values, which no expression makes: use if for conditions")
				}
			}
		})
		switch {
		case !ok:
			return
		case len(c.when) == 0:
			r.fail(item, s.path, "the case stands for no value: add when: ...")
		case c.steps == nil:
			r.fail(item, s.path, "the case does nothing: add steps:")
		}
		for _, w := range c.when {
			if slices.ContainsFunc(s.cases, func(other oneOf) bool { return other.holds(w.literal) }) {
				r.fail(item, s.path, "an earlier case stands for %v too", w.literal)
			}
		}
		s.cases = append(s.cases, c)
	}
}

func (r *reader) parallel(s *step, n *yaml.Node, depth int) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, s.path, "parallel is an object of branches, each a name and its steps, and not %s", form(n))
		return
	}
	if count := len(n.Content) / 2; count < 2 || count > maxBranches {
		r.fail(n, s.path, "parallel has from 2 to %d branches, and not %d", maxBranches, count)
	}
	r.entries(n, s.path, func(k, v *yaml.Node) {
		if err := core.CheckName("branch", k.Value); err != nil {
			r.fail(k, s.path, "%s", core.AsError(err).Msg)
		}
		s.branches = append(s.branches, branch{k.Value, r.steps(v, s.path+branching+k.Value, "branch "+k.Value, depth+1)})
	})
}

// joined reads how many branches must end well, once they are known.
func (r *reader) joined(s *step) {
	switch {
	case s.join == nil:
		s.need = len(s.branches)
	case s.join.Tag == "!!int":
		s.need = r.integer(s.join, s.path, "join", 1, len(s.branches))
	default:
		s.need = map[string]int{"all": len(s.branches), "any": 1}[r.choice(s.join, s.path, "join", "all", "any", "settled", "a number of branches")]
	}
}

func (r *reader) terminate(s *step, n *yaml.Node) {
	s.status = succeeded
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	r.members(n, s.path, "terminate", []string{"status", "message"}, func(key string, v *yaml.Node) {
		if key == "status" {
			s.status = r.choice(v, s.path, key, succeeded, failed, cancelled)
			return
		}
		if s.cond = r.value(v, s.path); s.cond.list != nil || s.cond.object != nil {
			r.fail(v, s.path, "message is a text, and not %s", form(v))
		}
	})
}

func (r *reader) await(s *step, n *yaml.Node) {
	a := &await{at: at(n), on: []core.Op{core.Create, core.Update, core.Delete}}
	s.await = a
	ok := r.members(n, s.path, "wait", []string{"for", "until", "event", "key", "timeout"}, func(key string, v *yaml.Node) {
		switch key {
		case "for":
			a.length = r.value(v, s.path)
		case "until":
			a.until = r.value(v, s.path)
		case "key":
			a.key = r.value(v, s.path)
		case "timeout":
			a.timeout = r.value(v, s.path)
		case "event":
			r.awaited(s, v)
		}
	})
	forms := 0
	for _, is := range []bool{a.length != nil, a.until != nil, a.name != "" || a.table != ""} {
		if is {
			forms++
		}
	}
	switch {
	case !ok || r.err != nil:
	case forms != 1:
		r.fail(n, s.path, "wait is for one thing: a length of time (for), a moment (until) or an event")
	case (a.name != "" || a.table != "") && a.key == nil:
		r.fail(n, s.path, "the step waits for any event: say which with key: =trigger.record.id, or another value")
	case (a.length != nil || a.until != nil) && (a.key != nil || a.timeout != nil):
		r.fail(n, s.path, "key and timeout go with event")
	}
}

func (r *reader) approval(s *step, n *yaml.Node) {
	s.asks, s.await = &approval{quorum: 1}, &await{at: at(n)}
	ok := r.members(n, s.path, "approval", []string{"title", "details", "by", "role", "quorum", "timeout", "not_starter"}, func(key string, v *yaml.Node) {
		switch key {
		case "title", "details", "by":
			s.values = append(s.values, field{key, r.value(v, s.path)})
		case "role":
			s.asks.role = r.text(v, s.path, key)
		case "quorum":
			if s.asks.quorum = 0; v.Value != "all" {
				s.asks.quorum = r.integer(v, s.path, "quorum (or all)", 1, maxAssignees)
			}
		case "timeout":
			s.await.timeout = r.value(v, s.path)
		case "not_starter":
			s.asks.notStarter = r.boolean(v, s.path, key)
		}
	})
	has := func(name string) bool {
		return slices.ContainsFunc(s.values, func(f field) bool { return f.name == name })
	}
	switch {
	case !ok:
	case !has("title"):
		r.fail(n, s.path, "approval has no title: say what is to be approved")
	case !has("by") && s.asks.role == "":
		r.fail(n, s.path, "approval asks nobody: add by: [ann@example.com], or role: manager")
	}
}

// awaited reads the event that a step waits for: the name of one that is emitted, or changes of records.
func (r *reader) awaited(s *step, n *yaml.Node) {
	a := s.await
	if n.Kind == yaml.ScalarNode {
		a.name = r.text(n, s.path, "event")
		if err := core.CheckName("kind of event", a.name); err != nil && r.err == nil {
			r.fail(n, s.path, "%s", core.AsError(err).Msg)
		}
		return
	}
	ok := r.members(n, s.path, "event", []string{"table", "match", "on", "when"}, func(key string, v *yaml.Node) {
		switch key {
		case "table":
			a.table, a.at = r.text(v, s.path, key), at(v)
		case "match":
			a.match = r.text(v, s.path, key)
		case "when":
			a.when = r.expression(v, s.path, key)
		case "on":
			a.on = nil
			for _, op := range r.list(v, s.path, key) {
				a.on = append(a.on, core.Op(r.choice(op, s.path, key, string(core.Create), string(core.Update), string(core.Delete))))
			}
			if len(a.on) == 0 {
				r.fail(v, s.path, "on is empty: name create, update or delete")
			}
		}
	})
	switch {
	case !ok:
	case a.table == "":
		r.fail(n, s.path, "event names no table: add table: ...")
	case a.match == "":
		r.fail(n, s.path, "event does not say which column holds the key: add match: order_id")
	}
}

func (r *reader) complete(s *step, n *yaml.Node) {
	switch {
	case s.kind == "if" && s.then == nil && s.els == nil:
		r.fail(n, s.path, "the step does nothing: add then: or else:")
	case s.kind == "switch" && s.cases == nil:
		r.fail(n, s.path, "the step knows no case: add cases: [{when: ..., steps: [...]}]")
	case s.kind == "for_each" && s.cond == nil:
		r.fail(n, s.path, "for_each names no list: add in: trigger.records")
	case s.kind == "for_each" && s.body == nil:
		r.fail(n, s.path, "for_each does nothing: add steps:")
	case s.kind == "try" && s.catch == nil && s.finally == nil:
		r.fail(n, s.path, "the step does not say what is done about errors: add catch: or finally:")
	case s.kind == "parallel":
		r.joined(s)
	case s.kind == "set" && len(s.values) == 0:
		r.fail(n, s.path, "set sets nothing: add name: value")
	}
}
