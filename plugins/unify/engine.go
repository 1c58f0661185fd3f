package unify

import (
	"cmp"
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Options of one run. The zero value trains a model on all cores.
type Options struct {
	Model    *Model         // frozen: not trained again; nil trains one
	Workers  int            // goroutines; as many as there are cores when 0
	Progress func(Progress) // called now and then, never twice at once; may be nil
}

// Progress is how far a run is.
type Progress struct {
	Step string // "read", "block", "train", "score", "cluster"
	Done int
	All  int // 0 when unknown
}

// Result is the outcome of a run.
type Result struct {
	Model *Model
	Stats Stats

	data     *dataset
	scorer   *scorer
	blocks   *blocking
	edges    []edge
	members  []uint32 // cluster after cluster, oldest member first
	ends     []uint32 // where each cluster ends in members
	of       []uint32 // per record, its cluster
	policies []survival
}

// Resolve finds the records that mean the same thing. The rows may come in any order.
func Resolve(ctx context.Context, job Job, rows iter.Seq2[Row, error], o Options) (*Result, error) {
	p, err := newPlan(job)
	if err != nil {
		return nil, err
	}
	if o.Model != nil {
		if err := o.Model.fits(p); err != nil {
			return nil, err
		}
	}
	run := &run{plan: p, options: o, workers: cmp.Or(o.Workers, runtime.GOMAXPROCS(0))}
	return run.resolve(ctx, rows)
}

type run struct {
	plan    *plan
	options Options
	workers int
	mu      sync.Mutex
}

func (r *run) resolve(ctx context.Context, rows iter.Seq2[Row, error]) (*Result, error) {
	r.progress("read", 0, 0)
	d, err := load(ctx, r.plan, rows, r.workers)
	if err != nil {
		return nil, err
	}
	blocks, model, err := r.prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	s := newScorer(d, model)
	edges, weights, err := s.scan(ctx, blocks, r.workers, func(done, all int) { r.progress("score", done, all) })
	if err != nil {
		return nil, err
	}
	if r.options.Model == nil {
		if err := model.finish(d, weights); err != nil {
			return nil, err
		}
		s = newScorer(d, model)
	}
	threshold := r.plan.threshold(model)
	edges = prune(edges, s.prior, threshold-keepBelow)
	r.progress("cluster", 0, len(edges))
	c := newClusters(d, s)
	always, never := d.decisions(r.plan.job.Always), d.decisions(r.plan.job.Never)
	if err := c.build(ctx, edges, threshold, always, never); err != nil {
		return nil, err
	}
	out := &Result{Model: model, data: d, scorer: s, blocks: blocks, edges: edges, policies: r.plan.job.survivals()}
	out.collect(c)
	out.count(c, weights)
	return out, nil
}

// prepare answers the blocks and the model: the frozen one, or one trained now.
func (r *run) prepare(ctx context.Context, d *dataset) (*blocking, *Model, error) {
	r.progress("block", 0, 0)
	b := newBlocker(d)
	if m := r.options.Model; m != nil {
		blocks, err := b.build(ctx, m.Passes, true)
		return blocks, m, err
	}
	blocks, err := b.build(ctx, b.passes(), false)
	if err != nil {
		return nil, nil, err
	}
	b.parts = nil
	r.progress("train", 0, 0)
	m, err := train(ctx, d, blocks, r.workers)
	return blocks, m, err
}

func (r *run) progress(step string, done, all int) {
	if r.options.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Progress(Progress{Step: step, Done: done, All: all})
}

// threshold answers that of the job or else that of the model.
func (p *plan) threshold(m *Model) float64 {
	if t := p.job.Score.Threshold; t != nil {
		return *t
	}
	return m.Threshold
}

// find answers the number of a record.
func (d *dataset) find(r Ref) (uint32, bool) {
	s := d.plan.job.source(r.Source)
	if s < 0 {
		return 0, false
	}
	i, ok := slices.BinarySearchFunc(d.heads, head{source: uint16(s), id: r.ID}, func(a, b head) int { return compareHeads(&a, &b) })
	return uint32(i), ok
}

// decisions resolves pairs of people, in the order of the records; one about a record that is not there is kept for the
// day it comes back.
func (d *dataset) decisions(list []Decision) [][2]uint32 {
	var out [][2]uint32
	for _, p := range list {
		a, okA := d.find(p.A)
		b, okB := d.find(p.B)
		if okA && okB {
			out = append(out, [2]uint32{min(a, b), max(a, b)})
		}
	}
	slices.SortFunc(out, func(x, y [2]uint32) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	return out
}

// goldenID is the birth id of a record: the one it came with or, for the same job and record always the same, a version
// 5 UUID of both.
func (d *dataset) goldenID(r uint32) string {
	if birth := d.heads[r].birth; birth != "" {
		return birth
	}
	ref := d.ref(r)
	return uuid.NewSHA1(namespace, []byte(d.plan.job.Name+"\x00"+ref.Source+"\x00"+ref.ID)).String()
}

// namespace of golden ids, a random constant.
var namespace = uuid.MustParse("5f0c8b1e-6d0a-4b5e-9a57-3c1d2e7f9b40")
