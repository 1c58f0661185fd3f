package classify

import (
	"math"
	"slices"
)

// scored is one held-out text: its scores by a machine that has not seen it, and its true class.
type scored struct {
	scores []float32
	truth  int
	fold   int
}

// softmax turns scores into probabilities at a temperature; out may be the scores' own length or longer.
func softmax(scores []float32, temperature float64, out []float64) []float64 {
	out = out[:len(scores)]
	top := float64(slices.Max(scores))
	sum := 0.0
	for i, s := range scores {
		out[i] = math.Exp((float64(s) - top) / temperature)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Bounds of the temperature. SVM margins are of the order of 1, so that useful values lie well within.
const (
	coldest = 0.01
	hottest = 100
)

// fitTemperature minimises the negative log likelihood of the truth by golden-section search over the logarithm of
// the temperature, where the loss has one valley (Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural
// Networks", ICML 2017, section 4.2).
func fitTemperature(held []scored) float64 {
	if len(held) == 0 {
		return 1
	}
	p := make([]float64, len(held[0].scores))
	loss := func(log float64) float64 {
		sum := 0.0
		for _, h := range held {
			sum -= math.Log(max(softmax(h.scores, math.Exp(log), p)[h.truth], 1e-300))
		}
		return sum
	}
	const golden = 0.6180339887498949
	low, high := math.Log(coldest), math.Log(hottest)
	left, right := high-golden*(high-low), low+golden*(high-low)
	atLeft, atRight := loss(left), loss(right)
	for high-low > 1e-4 {
		if atLeft <= atRight {
			high, right, atRight = right, left, atLeft
			left = high - golden*(high-low)
			atLeft = loss(left)
		} else {
			low, left, atLeft = left, right, atRight
			right = low + golden*(high-low)
			atRight = loss(right)
		}
	}
	return math.Exp((low + high) / 2)
}

// verdict is what a calibrated model says of one text.
type verdict struct {
	label int
	p     float64
	right bool
	fold  int
}

func judge(held []scored, temperature float64) []verdict {
	verdicts := make([]verdict, len(held))
	var p []float64
	for i, h := range held {
		p = softmax(h.scores, temperature, slices.Grow(p[:0], len(h.scores)))
		best := argmax(h.scores)
		verdicts[i] = verdict{best, p[best], best == h.truth, h.fold}
	}
	return verdicts
}

func argmax(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}

// never is a threshold that no probability reaches.
const never = 2

// fitThreshold gives the lowest probability from which on the share of right answers is at least target, or never.
func fitThreshold(verdicts []verdict, target float64) float64 {
	sorted := slices.Clone(verdicts)
	slices.SortStableFunc(sorted, func(a, b verdict) int {
		switch {
		case a.p > b.p:
			return -1
		case a.p < b.p:
			return 1
		}
		return 0
	})
	threshold, right := float64(never), 0
	for i, v := range sorted {
		if v.right {
			right++
		}
		tie := i+1 < len(sorted) && sorted[i+1].p == v.p
		if !tie && float64(right) >= target*float64(i+1) {
			threshold = v.p
		}
	}
	return threshold
}

// expectedCalibrationError is the mean distance between what was promised and what was kept, over 15 equal bins
// of probability (Naeini, Cooper, Hauskrecht, AAAI 2015). 0 is best.
func expectedCalibrationError(verdicts []verdict) float64 {
	const bins = 15
	var promised, kept [bins]float64
	for _, v := range verdicts {
		b := min(int(v.p*bins), bins-1)
		promised[b] += v.p
		if v.right {
			kept[b]++
		}
	}
	sum := 0.0
	for b := range promised {
		sum += math.Abs(promised[b] - kept[b])
	}
	return sum / float64(max(len(verdicts), 1))
}
