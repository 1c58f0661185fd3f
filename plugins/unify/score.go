package unify

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"
)

// edge is a pair worth keeping: a candidate for a match or for a second look.
type edge struct {
	a, b   uint32  // a < b
	weight float32 // bits, without the prior until add
	rule   int16   // rule met, -1 for none
	pass   uint16  // where the pair was compared
	gated  bool    // too different on a gate field to match by score
}

const (
	// keepBelow is how far below the threshold pairs are kept for a person to look at, in bits.
	keepBelow = 4
	// scoreFloor is the weight below which a pair is dropped while the prior and the threshold are still rough.
	scoreFloor = -12
)

// weights counts the pairs compared by weight without the prior, in steps of 1/weightSteps bit. Whole numbers add up to
// the same in any order, so what is derived from them does not depend on the number of workers.
type weights [2 * weightRange * weightSteps]int64

const (
	weightSteps = 32
	weightRange = 256 // bits to either side
)

func (w *weights) add(bits float64) {
	i := int(math.Round((bits + weightRange) * weightSteps))
	w[min(max(i, 0), len(w)-1)]++
}

func weightOf(i int) float64 { return float64(i)/weightSteps - weightRange }

// chunkPairs is how many candidate pairs one piece of work has, roughly.
const chunkPairs = 20_000

// chunk is a range of blocks of one pass.
type chunk struct {
	pass, from, to int
}

// scan compares every pair once, in the first pass that has it, and answers the edges in the order of passes and blocks,
// with the counts of all weights.
func (s *scorer) scan(ctx context.Context, b *blocking, workers int, progress func(done, all int)) ([]edge, *weights, error) {
	chunks := b.chunks()
	edges := make([][]edge, len(chunks))
	pairs := make([]int64, len(chunks))
	counts := make([]*weights, max(workers, 1))
	var done atomic.Int32
	pool := make(chan *weights, len(counts))
	for i := range counts {
		counts[i] = new(weights)
		pool <- counts[i]
	}
	parallel(len(chunks), workers, func(i int) {
		if ctx.Err() != nil {
			return
		}
		w := <-pool
		edges[i], pairs[i] = s.chunk(b, chunks[i], w)
		pool <- w
		progress(int(done.Add(1)), len(chunks))
	})
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	for _, w := range counts[1:] {
		for i, n := range w {
			counts[0][i] += n
		}
	}
	for i, c := range chunks {
		b.passes[c.pass].stats.Pairs += pairs[i]
	}
	return slices.Concat(edges...), counts[0], nil
}

func (b *blocking) chunks() []chunk {
	var out []chunk
	for p := range b.passes {
		from, n := 0, int64(0)
		for i := range b.passes[p].ends {
			if n += choose2(len(b.passes[p].block(i))); n >= chunkPairs || i == len(b.passes[p].ends)-1 {
				out = append(out, chunk{p, from, i + 1})
				from, n = i+1, 0
			}
		}
	}
	return out
}

func (s *scorer) chunk(b *blocking, c chunk, w *weights) (edges []edge, pairs int64) {
	d := s.data
	score := d.plan.job.Score.Enabled
	p := &b.passes[c.pass]
	for i := c.from; i < c.to; i++ {
		records := p.block(i)
		for x, r := range records {
			for _, q := range records[x+1:] {
				if !d.mayMatch(r, q) || !b.first(c.pass, r, q) {
					continue
				}
				pairs++
				e := edge{a: r, b: q, pass: uint16(c.pass)}
				bits := s.edge(&e)
				if score {
					w.add(bits)
				}
				if e.rule >= 0 || score && bits+s.prior >= scoreFloor {
					edges = append(edges, e)
				}
			}
		}
	}
	return edges, pairs
}

// edge fills in what is known about a pair, and answers its weight without the prior.
func (s *scorer) edge(e *edge) float64 {
	var levels pattern
	d := s.data
	d.compare(e.a, e.b, &levels)
	e.rule = int16(d.plan.decide(&levels))
	if !d.plan.job.Score.Enabled {
		return 0
	}
	e.gated = d.plan.gated(&levels)
	d.settle(e.a, e.b, &levels)
	bits := s.weigh(e.a, e.b, &levels, nil)
	e.weight = float32(bits)
	return bits
}

// matches answers the expected number of matches among all pairs counted, the fix-point of the sum of posteriors, given
// how many pairs there are and a first guess of the prior.
func (w *weights) matches(pairs, guess float64) float64 {
	n := guess * pairs
	for range 50 {
		prior, sum := log2Odds(clamp(n/pairs, 1e-12, .5)), 0.0
		for i, count := range w {
			if count > 0 {
				sum += float64(count) * probability(weightOf(i)+prior)
			}
		}
		if math.Abs(sum-n) < 1e-4*max(n, 1) {
			return sum
		}
		n = sum
	}
	return n
}

// threshold answers the weight, prior included, from which on taking pairs for matches has the highest expected F1: the
// posteriors say how many of the pairs taken are matches and how many are left. Where a range of thresholds takes the
// same pairs, it is the one nearest to half that F1 as a probability, which is where the optimum lies when weights are
// dense (Lipton, Elkan and Naryanaswamy 2014). Only the place of the maximum is of use; its height ignores what blocking
// has lost and says nothing about accuracy.
func (w *weights) threshold(prior float64) float64 {
	total := 0.0
	for i, count := range w {
		total += float64(count) * probability(weightOf(i)+prior)
	}
	best, last, below := -1.0, -1, -1 // highest F1, the lowest step it takes and the next one that has pairs
	hits, taken := 0.0, 0.0
	for i := len(w) - 1; i >= 0; i-- {
		if w[i] == 0 {
			continue
		}
		if last >= 0 && below < 0 {
			below = i
		}
		hits += float64(w[i]) * probability(weightOf(i)+prior)
		taken += float64(w[i])
		if f1 := 2 * hits / (taken + total); f1 > best {
			best, last, below = f1, i, -1
		}
	}
	if last < 0 {
		return 0
	}
	low := math.Inf(-1)
	if below >= 0 {
		low = weightOf(below) + prior + .5/weightSteps
	}
	return clamp(log2Odds(clamp(best/2, 1e-9, .5)), low, weightOf(last)+prior-.5/weightSteps)
}

// finish settles prior and threshold of a new model by the weights of all pairs.
func (m *Model) finish(d *dataset, w *weights) error {
	if d.plan.job.Score.Enabled {
		perSource := make([]int64, len(d.plan.job.Sources))
		for i := range d.heads {
			perSource[d.heads[i].source]++
		}
		pairs := max(d.askedPairs(perSource), 1)
		m.Prior = clamp(w.matches(pairs, m.Prior)/pairs, 1e-12, .5)
		m.Threshold = w.threshold(log2Odds(m.Prior))
	}
	return m.seal()
}

// prune adds the prior, drops edges too weak to be looked at and sorts the rest: strongest first, then by the records.
func prune(edges []edge, prior, floor float64) []edge {
	for i := range edges {
		edges[i].weight = float32(float64(edges[i].weight) + prior)
	}
	edges = slices.DeleteFunc(edges, func(e edge) bool { return e.rule < 0 && float64(e.weight) < floor })
	slices.SortFunc(edges, func(x, y edge) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	return edges
}
