package unify

import (
	"context"
	"fmt"
	"math"
)

// Explanation is the way from what is usual to what a pair weighs: Prior and the steps add up to Weight.
type Explanation struct {
	A           Ref     `json:"a"`
	B           Ref     `json:"b"`
	Rule        string  `json:"rule,omitempty"` // the first rule met: the pair matches whatever it weighs
	Pass        string  `json:"pass,omitempty"` // the pass that finds the pair; empty when none does
	Gated       bool    `json:"gated,omitempty"`
	Asked       bool    `json:"asked"` // false inside a source without duplicates
	Prior       float64 `json:"prior"` // bits
	Steps       []Step  `json:"steps"`
	Related     float64 `json:"related,omitempty"` // bits taken off because people of one household may look like this
	Weight      float64 `json:"weight"`            // bits
	Probability float64 `json:"probability"`
	Threshold   float64 `json:"threshold"`
	Match       bool    `json:"match"` // by rule or by weight; the clusters may have vetoed it
}

// Step is what one attribute contributes. Weight is log2(M/U) plus Frequency.
type Step struct {
	Attribute string  `json:"attribute"`
	A         string  `json:"a"` // match forms
	B         string  `json:"b"`
	Level     string  `json:"level"` // empty when it says nothing: a value is missing, or another attribute speaks for it
	M         float64 `json:"m"`
	U         float64 `json:"u"`
	Frequency float64 `json:"frequency"` // for a value rarer or more common than usual
	Weight    float64 `json:"weight"`
}

// Explain tells how a model weighs two rows, whether or not they were part of any run.
func Explain(job Job, m *Model, a, b Row) (Explanation, error) {
	p, err := newPlan(job)
	if err != nil {
		return Explanation{}, err
	}
	if err := m.fits(p); err != nil {
		return Explanation{}, err
	}
	ctx := context.Background()
	d, err := load(ctx, p, Rows([]Row{a, b}), 1)
	if err != nil {
		return Explanation{}, err
	}
	blocks, err := newBlocker(d).build(ctx, m.Passes, true)
	if err != nil {
		return Explanation{}, err
	}
	return newScorer(d, m).explain(m, blocks, 0, 1), nil
}

// Explain tells how two records of the run were weighed.
func (r *Result) Explain(a, b Ref) (Explanation, error) {
	x, ok := r.data.find(a)
	if !ok {
		return Explanation{}, fmt.Errorf("unify: no record %s %q", a.Source, a.ID)
	}
	y, ok := r.data.find(b)
	if !ok {
		return Explanation{}, fmt.Errorf("unify: no record %s %q", b.Source, b.ID)
	}
	return r.scorer.explain(r.Model, r.blocks, min(x, y), max(x, y)), nil
}

func (s *scorer) explain(m *Model, b *blocking, x, y uint32) Explanation {
	d := s.data
	e := Explanation{A: d.ref(x), B: d.ref(y), Asked: d.mayMatch(x, y), Threshold: d.plan.threshold(m)}
	if pass := b.meet(x, y); pass >= 0 {
		e.Pass = b.passes[pass].model.Name
	}
	var levels pattern
	d.compare(x, y, &levels)
	if rule := d.plan.decide(&levels); rule >= 0 {
		e.Rule = d.plan.rules[rule].name
	}
	if !d.plan.job.Score.Enabled {
		e.Match = e.Asked && e.Rule != ""
		return e
	}
	e.Gated = d.plan.gated(&levels)
	d.settle(x, y, &levels)
	var parts [maxFields]float64
	e.Prior = s.prior
	e.Weight = s.weigh(x, y, &levels, &parts) + s.prior
	e.Related = e.Weight - e.Prior
	for f := range d.plan.fields {
		step := d.step(f, x, y, levels[f], &m.Fields[f])
		step.Weight = parts[f]
		if step.Level != "" {
			step.Frequency = parts[f] - math.Log2(step.M/step.U)
		}
		e.Related -= parts[f]
		e.Steps = append(e.Steps, step)
	}
	if m.Related == 0 {
		e.Related = 0
	}
	e.Probability = probability(e.Weight)
	e.Match = e.Asked && (e.Rule != "" || !e.Gated && e.Weight >= e.Threshold)
	return e
}

func (d *dataset) step(f int, x, y uint32, l level, fm *FieldModel) Step {
	field := &d.plan.fields[f]
	s := Step{Attribute: field.name, A: d.match(x, field.attribute), B: d.match(y, field.attribute)}
	if l != missing {
		s.Level, s.M, s.U = fm.Levels[l-1].Name, fm.Levels[l-1].M, fm.Levels[l-1].U
	}
	return s
}
