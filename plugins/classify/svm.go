package classify

import (
	"context"
	"math"
	"math/rand/v2"
)

// Stopping rule of the descent: the largest violation of the optimality conditions, or this many rounds.
const (
	svmTolerance = 0.1
	svmRounds    = 200
)

// linear is one weight row per feature and one bias per class; weights[class][feature].
type linear struct {
	weights [][]float32
	bias    []float32
}

// fitLinear trains one machine per class, that class against all others. truth[i] is the class of rows[i].
// Each class draws from its own random stream, so the outcome does not depend on threads.
func fitLinear(ctx context.Context, rows []vector, truth []int, classes, features int, c float64, seed uint64, threads int) (*linear, error) {
	m := &linear{weights: make([][]float32, classes), bias: make([]float32, classes)}
	first := 0
	if classes == 2 {
		first = 1 // the other one is its mirror image
	}
	norms := make([]float64, len(rows))
	for i, row := range rows {
		norms[i] = 1 // the bias is a feature that is always 1
		for _, x := range row.values {
			norms[i] += float64(x) * float64(x)
		}
	}
	parallel(threads, classes-first, func(next func() (int, bool)) {
		d := newDescent(rows, norms, features, c)
		for i, ok := next(); ok && ctx.Err() == nil; i, ok = next() {
			class := first + i
			d.fit(ctx, truth, class, rand.New(rand.NewPCG(seed, uint64(class))))
			m.weights[class], m.bias[class] = d.result()
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if classes == 2 {
		m.mirror()
	}
	return m, nil
}

func (m *linear) mirror() {
	m.weights[0] = make([]float32, len(m.weights[1]))
	for id, w := range m.weights[1] {
		m.weights[0][id] = -w
	}
	m.bias[0] = -m.bias[1]
}

// descent is dual coordinate descent with shrinking for the L2-regularised, L2-loss linear SVM: algorithm 3 of
// Hsieh, Chang, Lin, Keerthi and Sundararajan, "A Dual Coordinate Descent Method for Large-scale Linear SVM", ICML 2008.
// One descent serves one goroutine, class after class.
type descent struct {
	rows     []vector
	norms    []float64 // squared length of each row, bias included
	diagonal float64   // 1/(2C)

	w     []float64 // the last one is the bias
	alpha []float64
	order []int32
}

func newDescent(rows []vector, norms []float64, features int, c float64) *descent {
	return &descent{
		rows: rows, norms: norms, diagonal: 0.5 / c,
		w: make([]float64, features+1), alpha: make([]float64, len(rows)), order: make([]int32, len(rows)),
	}
}

// fit finds the machine that tells class from the rest; the answer lies in w.
func (d *descent) fit(ctx context.Context, truth []int, class int, random *rand.Rand) {
	clear(d.w)
	clear(d.alpha)
	for i := range d.order {
		d.order[i] = int32(i)
	}
	active := len(d.order)
	ceiling := math.Inf(1)
	for range svmRounds {
		if ctx.Err() != nil {
			return
		}
		high, low := math.Inf(-1), math.Inf(1)
		for at := 0; at < active; at++ {
			other := at + random.IntN(active-at)
			d.order[at], d.order[other] = d.order[other], d.order[at]
			i := d.order[at]
			y := -1.0
			if truth[i] == class {
				y = 1
			}
			gradient := y*d.score(i) - 1 + d.diagonal*d.alpha[i]
			projected := gradient
			if d.alpha[i] == 0 {
				if gradient > ceiling {
					active--
					d.order[at], d.order[active] = d.order[active], d.order[at]
					at--
					continue
				}
				projected = min(gradient, 0)
			}
			high, low = max(high, projected), min(low, projected)
			if math.Abs(projected) > 1e-12 {
				before := d.alpha[i]
				d.alpha[i] = max(before-gradient/(d.norms[i]+d.diagonal), 0)
				d.add(i, (d.alpha[i]-before)*y)
			}
		}
		if high-low <= svmTolerance {
			if active == len(d.order) {
				return
			}
			active, ceiling = len(d.order), math.Inf(1) // look once more at what was set aside
			continue
		}
		ceiling = high
		if high <= 0 {
			ceiling = math.Inf(1)
		}
	}
}

func (d *descent) score(i int32) float64 {
	row := &d.rows[i]
	values := row.values[:len(row.ids)]
	sum := d.w[len(d.w)-1]
	for at, id := range row.ids {
		sum += d.w[id] * float64(values[at])
	}
	return sum
}

func (d *descent) add(i int32, step float64) {
	row := &d.rows[i]
	values := row.values[:len(row.ids)]
	for at, id := range row.ids {
		d.w[id] += step * float64(values[at])
	}
	d.w[len(d.w)-1] += step
}

func (d *descent) result() (weights []float32, bias float32) {
	last := len(d.w) - 1
	weights = make([]float32, last)
	for id := range weights {
		weights[id] = float32(d.w[id])
	}
	return weights, float32(d.w[last])
}
