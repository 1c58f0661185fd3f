package tables

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"colonnade/core"
)

// Plan tells what a change of the schema does.
type Plan struct {
	Version    int64 // of the schema that it changes
	Steps      []Step
	Statements []string
	Dependants []Dependant
	Rules      []Broken // what rules make of the records that are there
}

// The locks of a step: who waits while it is done.
const (
	LockNone   = "none"   // nobody
	LockBrief  = "brief"  // readers and writers of the table, for a moment that does not depend on its size
	LockWrites = "writes" // writers, as long as it takes
)

// Step is a part of a plan that looks at the data or changes it.
type Step struct {
	What   string // for people
	Table  string
	Column string
	Lock   string
	Rows   int64 // that are written
	Lost   int64 // values that the change cannot keep

	Conflicts int64  // records that stand in the way of the change
	Examples  []Lost // the first values that are lost, or records that stand in the way
}

// Lost is a value that a change cannot keep, or one that stands in the way of a key.
type Lost struct {
	ID     core.ID
	Value  string // empty when the caller may not read it
	Reason string
}

// maxExamples is how many lost values a plan shows.
const maxExamples = 10

// PlanChange tells what the changes would do, and does nothing. Who plans needs the right to define tables, and reads
// examples of values as far as his rights go.
func (s *Store) PlanChange(ctx context.Context, changes ...core.Change) (p *Plan, err error) {
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		p, err = tx.planChange(ctx, changes)
		return err
	})
	return p, core.E("tables.PlanChange", err)
}

func (tx *Tx) planChange(ctx context.Context, changes []core.Change) (*Plan, error) {
	a, err := tx.alterDry(ctx, changes)
	if err != nil {
		return nil, err
	}
	p := a.plan()
	p.Rules, err = a.broken(ctx)
	return p, err
}

// alterDry takes the steps of a change without doing anything.
func (tx *Tx) alterDry(ctx context.Context, changes []core.Change) (*alteration, error) {
	c, err := tx.candidate(ctx, changes)
	if err != nil {
		return nil, err
	}
	a := &alteration{candidate: c, o: ChangeOptions{MayBlock: true}, dry: true}
	return a, a.apply(ctx)
}

// asPlanned refuses changes that would do something else than the plan says whose hash is given.
func (tx *Tx) asPlanned(ctx context.Context, hash string, changes []core.Change) error {
	if hash == "" {
		return nil
	}
	a, err := tx.alterDry(ctx, changes)
	if err == nil && a.plan().Hash() != hash {
		err = errOtherPlan
	}
	return err
}

func (a *alteration) plan() *Plan {
	return &Plan{Version: a.from.Schema.Version(), Steps: a.steps, Statements: a.done, Dependants: a.dependants}
}

// Hash stands for the plan: the same when the change does the same.
func (p *Plan) Hash() string {
	raw, err := json.Marshal(struct {
		Version    int64
		Statements []string
		Dependants []Dependant
	}{p.Version, p.Statements, p.Dependants})
	if err != nil {
		panic(fmt.Sprintf("tables: a plan has no JSON: %v", err)) // it is made of texts and numbers
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// Record is the plan as the output of an action.
func (p *Plan) Record() core.Record {
	steps, dependants, statements, broken := []any{}, []any{}, []any{}, []any{}
	for _, s := range p.Steps {
		examples := []any{}
		for _, e := range s.Examples {
			examples = append(examples, map[string]any{"id": string(e.ID), "value": orNull(e.Value), "reason": e.Reason})
		}
		steps = append(steps, map[string]any{
			"what": s.What, "table": s.Table, "column": orNull(s.Column), "lock": s.Lock, "rows": s.Rows, "lost": s.Lost, "conflicts": s.Conflicts, "examples": examples,
		})
	}
	for _, d := range p.Dependants {
		dependants = append(dependants, map[string]any{"kind": d.Kind, "name": d.Name, "table": d.Table, "column": orNull(d.Column), "effect": d.Effect})
	}
	for _, s := range p.Statements {
		statements = append(statements, s)
	}
	for _, b := range p.Rules {
		out := b.record()
		out["table"], out["rule"] = b.Table, b.Rule
		broken = append(broken, map[string]any(out))
	}
	return core.Record{"version": p.Version, "plan": p.Hash(), "steps": steps, "statements": statements, "dependants": dependants, "rules": broken}
}

// planOutput describes [Plan.Record].
var planOutput = []core.Column{
	{Name: "version", Kind: core.Integer, Doc: "The version of the schema that the plan changes."},
	text("plan", "Stands for the plan: apply_change takes it, and refuses when the change would do something else by then."),
	{Name: "steps", Kind: core.Object, List: true, Doc: "What looks at the data or changes it.", Fields: []core.Column{
		text("what", "For people."), text("table", "The table."), text("column", "The column."),
		text("lock", "Who waits while it is done: none; brief: readers and writers of the table for a moment that does not depend on its size; writes: writers, as long as it takes."),
		{Name: "rows", Kind: core.Integer, Doc: "Records that are written."},
		{Name: "lost", Kind: core.Integer, Doc: "Values that the change cannot keep."},
		{Name: "conflicts", Kind: core.Integer, Doc: "Records that stand in the way of a key, and refuse the change."},
		{Name: "examples", Kind: core.Object, List: true, Doc: "The first of them, those that you may read.", Fields: []core.Column{
			text("id", "The record."), text("value", "The value, or the values of a key as JSON, when you may read them."), text("reason", "Why it cannot be kept, or stands in the way."),
		}},
	}},
	{Name: "statements", Kind: core.Text, List: true, Doc: "What runs in the database."},
	{Name: "dependants", Kind: core.Object, List: true, Doc: "What names the tables and columns that are renamed or taken away.", Fields: []core.Column{
		text("kind", "lookup, rule, formula, default, key, index, role, flow, ..."), text("name", "Its name."), text("table", "The table that it is about."), text("column", "The column that it is about."),
		text("effect", "What the change does to it."),
	}},
	{Name: "rules", Kind: core.Object, List: true, Doc: "What rules make of the records that are there, as they are after the change: rules that it puts, and those that read what it fills. Nothing is refused for it.", Fields: append(
		[]core.Column{text("table", "The table."), text("rule", "The rule.")}, breakingsOutput...,
	)},
}
