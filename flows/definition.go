package flows

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
)

// The limits of a definition.
const (
	maxDefinition = 256 << 10 // bytes
	maxSteps      = 500
	maxNesting    = 10
)

// definition is a flow as it is written, before anything is looked up.
type definition struct {
	name, doc string
	runAs     string
	enabled   bool
	trigger   trigger
	retry     retry
	timeout   time.Duration
	steps     []*step
	source    string
	at        place // of run_as

	traced atomic.Pointer[trace] // the last one: see trace
}

type retry struct {
	attempts int
	backoff  time.Duration
}

// trigger is what starts a flow: exactly one of them.
type trigger struct {
	event   *event
	cron    *schedule
	manual  *manual
	webhook *webhook
}

type event struct {
	table   string
	at      place
	on      []core.Op
	when    string
	whenAt  place
	batched bool
	max     int
	wait    time.Duration
}

type manual struct{ input []core.Column }

// step is one of the kinds that stepKeys names.
type step struct {
	kind   string
	id     string
	path   string // unique in the flow
	at     place
	number int   // among all steps of the flow, in the order of the text
	up     *step // that it stands in; nil for none

	action string // action; call: the flow
	values []field
	await  *await // wait, approval
	asks   *approval

	cond       *value // if; switch: what is compared; for_each: the list; terminate: the message, nil for none
	then, els  []*step
	cases      []oneOf // switch; els is what is done when none holds
	as         string  // for_each
	body       []*step // for_each, try
	keepGoing  bool
	atOnce     int    // for_each: items that are worked on at once; 0 for one
	status     string // terminate
	catch      []*step
	finally    []*step
	onError    []*step      // what is done in place of ending the run
	undo       []*step      // what is done when the run fails after the step was done
	branches   []branch     // parallel
	need       int          // how many of them must end well; 0 to wait for all, however they end
	join       *yaml.Node   // which says so
	actionSpec *core.Action // set by check
}

// oneOf is a case of a switch: the values that it stands for, and what is done then.
type oneOf struct {
	when  []*value
	steps []*step
}

// lists are the steps that stand in s, in the order of the text.
func (s *step) lists() [][]*step {
	out := [][]*step{s.then}
	for _, c := range s.cases {
		out = append(out, c.steps)
	}
	for _, b := range s.branches {
		out = append(out, b.steps)
	}
	return append(out, s.els, s.body, s.catch, s.finally, s.onError, s.undo)
}

// name is what people call the step.
func (s *step) name() string {
	switch {
	case s.id != "":
		return s.id
	case s.kind == "action":
		return s.action
	}
	return s.kind
}

type field struct {
	name  string
	value *value
}

// place is where something stands in the text.
type place struct{ line, column int }

// problem is an error at a place of the text.
func (p place) problem(path, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if path != "" {
		msg = "step " + path + ": " + msg
	}
	return core.E("flows.definition", core.Invalid, core.At{Line: p.line, Pos: p.column}, msg)
}

// parse reads the text of a definition.
func parse(source string) (*definition, error) {
	if len(source) > maxDefinition {
		return nil, core.E("flows.parse", core.Limit, "the definition is longer than 256 KB: split the flow")
	}
	dec := yaml.NewDecoder(strings.NewReader(source))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, place{1, 1}.problem("", "the definition is empty: it needs name, trigger and steps")
		}
		return nil, syntax(err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, place{max(1, more.Line), 1}.problem("", "there is a second document: put each flow by itself")
	}
	d := &definition{enabled: true, retry: retry{5, time.Second}, timeout: time.Hour, source: source}
	r := reader{d: d}
	r.flow(doc.Content[0])
	if r.err != nil {
		return nil, r.err
	}
	return d, nil
}

// syntax gives an error of the YAML library its place: it says "yaml: line 3: did not find ...".
func syntax(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	p := place{1, 1}
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if n, text, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(n); err == nil {
				p.line, msg = line, text
			}
		}
	}
	return p.problem("", "this is no YAML: %s; check the indentation, and put quotes around text with ': ', ' #', { or [", msg)
}

func guess(word string, have []string) string {
	if near := core.Suggest(word, have); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

var flowKeys = []string{"name", "doc", "run_as", "enabled", "trigger", "retry", "timeout", "steps"}

func (r *reader) flow(n *yaml.Node) {
	d := r.d
	var hasTrigger, hasSteps bool
	ok := r.members(n, "", "a flow", flowKeys, func(key string, v *yaml.Node) {
		switch key {
		case "name":
			d.name = r.text(v, "", key)
			if err := core.CheckName("flow", d.name); err != nil && r.err == nil {
				r.fail(v, "", "%s", core.AsError(err).Msg)
			}
		case "doc":
			d.doc = r.text(v, "", key)
		case "run_as":
			d.runAs, d.at = r.text(v, "", key), at(v)
		case "enabled":
			d.enabled = r.boolean(v, "", key)
		case "trigger":
			hasTrigger = true
			r.trigger(v)
		case "retry":
			r.retry(v)
		case "timeout":
			d.timeout = r.duration(v, "", key, time.Second, 24*time.Hour)
		case "steps":
			hasSteps = true
			d.steps = r.steps(v, "", "steps", 0)
		}
	})
	switch {
	case !ok:
	case d.name == "":
		r.fail(n, "", "the flow has no name: add name: my_flow")
	case !hasTrigger:
		r.fail(n, "", "the flow has no trigger: add trigger: {manual: {}}, or event, cron or webhook")
	case !hasSteps:
		r.fail(n, "", "the flow has no steps: add steps: with at least one")
	}
}

func (r *reader) trigger(n *yaml.Node) {
	t := &r.d.trigger
	kinds := []string{"event", "cron", "manual", "webhook"}
	ok := r.members(n, "", "trigger", kinds, func(key string, v *yaml.Node) {
		switch key {
		case "event":
			t.event = r.event(v)
		case "cron":
			t.cron = r.cron(v)
		case "manual":
			t.manual = r.manual(v)
		case "webhook":
			t.webhook = r.webhook(v)
		}
	})
	if ok && len(n.Content) != 2 {
		r.fail(n, "", "trigger names %d things: name one of %s", len(n.Content)/2, strings.Join(kinds, ", "))
	}
}

func (r *reader) event(n *yaml.Node) *event {
	e := &event{}
	ok := r.members(n, "", "event", []string{"table", "on", "when", "batch"}, func(key string, v *yaml.Node) {
		switch key {
		case "table":
			e.table, e.at = r.text(v, "", key), at(v)
		case "on":
			for _, op := range r.list(v, "", key) {
				o := core.Op(r.choice(op, "", key, string(core.Create), string(core.Update), string(core.Delete)))
				if slices.Contains(e.on, o) {
					r.fail(op, "", "on names %s twice", o)
				}
				e.on = append(e.on, o)
			}
			if len(v.Content) == 0 {
				r.fail(v, "", "on is empty: name create, update or delete")
			}
		case "when":
			e.when, e.whenAt = r.text(v, "", key), inside(v)
		case "batch":
			e.batched, e.max, e.wait = true, 500, 200*time.Millisecond
			r.members(v, "", "batch", []string{"max", "wait"}, func(key string, v *yaml.Node) {
				if key == "max" {
					e.max = r.integer(v, "", key, 1, 1000)
				} else {
					e.wait = r.duration(v, "", key, 0, time.Minute)
				}
			})
		}
	})
	if ok && e.table == "" {
		r.fail(n, "", "event names no table: add table: ...")
	}
	if e.on == nil {
		e.on = []core.Op{core.Create, core.Update, core.Delete}
	}
	return e
}

func (r *reader) cron(n *yaml.Node) *schedule {
	var spec, zone, overlap *yaml.Node
	s := &schedule{}
	ok := r.members(n, "", "cron", []string{"spec", "zone", "overlap", "catch_up", "jitter"}, func(key string, v *yaml.Node) {
		switch key {
		case "spec":
			spec = v
			r.text(v, "", key)
		case "zone":
			zone = v
			r.text(v, "", key)
		case "overlap":
			overlap = v
			policy := r.choice(v, "", key, "skip", "queue", "cancel")
			s.queue, s.replace = policy == "queue", policy == "cancel"
		case "catch_up":
			policy := r.choice(v, "", key, "skip", "once", "all")
			s.catchUp, s.all = policy == "once", policy == "all"
		case "jitter":
			s.jitter = r.duration(v, "", key, time.Second, 24*time.Hour)
		}
	})
	if !ok {
		return nil
	}
	if s.all && overlap == nil {
		s.queue = true
	}
	if s.all && !s.queue {
		r.fail(overlap, "", "catch_up: all has every tick run, which overlap: %s would not: leave overlap out, or write queue", overlap.Value)
	}
	if spec == nil {
		r.fail(n, "", "cron has no spec: add spec: \"30 2 * * *\"")
		return nil
	}
	name, zoneAt := "UTC", spec
	if zone != nil {
		name, zoneAt = zone.Value, zone
	}
	if err := s.parse(spec.Value, name); err != nil {
		p := spec
		if errors.Is(err, errZone) {
			p = zoneAt
		}
		r.fail(p, "", "%s", core.AsError(err).Msg)
	}
	return s
}

var inputKeys = []string{"name", "kind", "doc", "required", "list", "options", "default"}

func (r *reader) manual(n *yaml.Node) *manual {
	m := &manual{}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return m
	}
	r.members(n, "", "manual", []string{"input"}, func(_ string, v *yaml.Node) { m.input = r.inputs(v) })
	return m
}

// inputs reads the inputs that a trigger declares.
func (r *reader) inputs(n *yaml.Node) (out []core.Column) {
	for _, item := range r.list(n, "", "input") {
		c := core.Column{}
		ok := r.members(item, "", "an input", inputKeys, func(key string, v *yaml.Node) { r.input(&c, key, v) })
		switch {
		case !ok:
		case c.Name == "":
			r.fail(item, "", "the input has no name")
		case c.Kind == "":
			r.fail(item, "", "input %s has no kind: add kind: text", c.Name)
		case (c.Kind == core.Choice || c.Kind == core.Choices) && len(c.Options) == 0:
			r.fail(item, "", "input %s is a choice without options: add options: [a, b]", c.Name)
		case c.Default != "" && c.Required:
			r.fail(item, "", "input %s is required and has a default: leave one of them out", c.Name)
		case !r.defaultFits(item, &c):
		case slices.ContainsFunc(out, func(x core.Column) bool { return x.Name == c.Name }):
			r.fail(item, "", "input %s is there twice", c.Name)
		}
		out = append(out, c)
	}
	return out
}

func (r *reader) input(c *core.Column, key string, v *yaml.Node) {
	switch key {
	case "name":
		c.Name = r.text(v, "", key)
		if err := core.CheckName("input", c.Name); err != nil && r.err == nil {
			r.fail(v, "", "%s", core.AsError(err).Msg)
		}
	case "kind":
		var kinds []string
		for _, k := range core.Kinds() {
			if !k.Info().Table {
				kinds = append(kinds, string(k))
			}
		}
		c.Kind = core.Kind(r.choice(v, "", key, kinds...))
	case "doc":
		c.Doc = r.text(v, "", key)
	case "required":
		c.Required = r.boolean(v, "", key)
	case "list":
		c.List = r.boolean(v, "", key)
	case "default":
		r.inputDefault(c, v)
	case "options":
		for _, o := range r.list(v, "", key) {
			c.Options = append(c.Options, core.Option{Value: r.text(o, "", key)})
		}
	}
}

// inputDefault keeps the default of an input as JSON.
func (r *reader) inputDefault(c *core.Column, v *yaml.Node) {
	d := r.value(v, "")
	if r.err != nil {
		return
	}
	if !d.fixed() {
		r.fail(v, "", "a default is a value, and no expression")
		return
	}
	plain, err := d.eval(nil, core.Caller{})
	if err == nil && plain == nil {
		r.fail(v, "", "a default is a value: leave it out for none")
		return
	}
	raw, bad := toJSON(plain)
	if err != nil || bad != nil {
		r.fail(v, "", "the default is no JSON")
	}
	c.Default = string(raw)
}

// defaultFits reports whether the default of an input is one of its values.
func (r *reader) defaultFits(n *yaml.Node, c *core.Column) bool {
	if c.Default == "" {
		return true
	}
	v, err := defaultOf(c)
	if err == nil {
		_, err = c.Parse(v)
	}
	if err != nil {
		r.fail(n, "", "the default of input %s: %s", c.Name, core.AsError(err).Msg)
	}
	return err == nil
}

// defaultOf is the value of an input that is left out.
func defaultOf(c *core.Column) (v any, err error) {
	err = unmarshal([]byte(c.Default), &v)
	return v, err
}

func (r *reader) retry(n *yaml.Node) {
	r.members(n, "", "retry", []string{"attempts", "backoff"}, func(key string, v *yaml.Node) {
		if key == "attempts" {
			r.d.retry.attempts = r.integer(v, "", key, 1, 100)
		} else {
			r.d.retry.backoff = r.duration(v, "", key, 10*time.Millisecond, time.Hour)
		}
	})
}

func (r *reader) steps(n *yaml.Node, path, what string, depth int) []*step {
	items := r.list(n, path, what)
	if r.err == nil && len(items) == 0 {
		r.fail(n, path, "%s is empty: add a step", what)
	}
	if r.err == nil && depth > maxNesting {
		r.fail(n, path, "steps are nested deeper than %d levels: split the flow", maxNesting)
	}
	var out []*step
	for i, item := range items {
		if r.err != nil {
			return nil
		}
		if r.count++; r.count > maxSteps {
			r.fail(item, path, "the flow has more than %d steps: split it", maxSteps)
			return nil
		}
		out = append(out, r.step(item, path, i+1, depth))
	}
	return out
}
