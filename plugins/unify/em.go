package unify

import "math"

// The mixture that is estimated: a pair found by pass p is a match with probability share[p], a pair of one household
// with related[p], and unrelated otherwise; given its class, the levels of its fields are independent. What the pass has
// made equal is no evidence and is masked. m and r are common to all passes, u is known and fixed. See Winkler, "Using
// the EM Algorithm for Weight Computation in the Fellegi-Sunter Model" (1988); one joint estimate over several blocking
// passes lets every field be free in some of them.

// odds hold a probability per field and level; level 0, a missing value, is 1 in all of them.
type odds [][]float64

func newOdds(p *plan) odds {
	t := make(odds, len(p.fields))
	for f := range t {
		t[f] = make([]float64, len(p.fields[f].kind.levels)+1)
		t[f][missing] = 1
	}
	return t
}

// sample is the pairs of one pass that training looks at.
type sample struct {
	mask     []bool
	place    bool // a place is part of its key: neighbours abound, who are no household
	patterns []counted
	scale    float64 // pairs each sampled one stands for
	share    float64
	related  float64
}

// counted is a pattern of levels with how many sampled pairs show it, and how many of them met in no earlier pass.
type counted struct {
	levels pattern
	all    int64
	first  int64
}

// estimate is the state of the mixture.
type estimate struct {
	plan    *plan
	m, r, u odds
	samples []sample
	matches float64 // expected number of matches among the pairs compared
	kin     float64 // the same for pairs of one household
	pairs   float64 // pairs the job asks about
}

const (
	emRounds    = 200
	emTolerance = 1e-5
	// pseudoPairs is the weight of the first guess of m, in pairs: enough to decide where there is no data, too little to
	// matter where there is.
	pseudoPairs = 5
)

// maximise runs EM until no m moves.
func (e *estimate) maximise() {
	for range emRounds {
		if e.round() < emTolerance {
			return
		}
	}
}

// round is one expectation and one maximisation; it answers the largest change of an m.
func (e *estimate) round() float64 {
	matched, kin := newOdds(e.plan), newOdds(e.plan)
	gain, gainKin := e.ratios(e.m), e.ratios(e.r)
	for i := range e.samples {
		s := &e.samples[i]
		var n, nm, nr float64
		for k := range s.patterns {
			c := &s.patterns[k]
			pm, pr := posterior(c, s.mask, gain, gainKin, s.share, s.related)
			w := float64(c.all)
			n, nm, nr = n+w, nm+w*pm, nr+w*pr
			for f := range matched {
				if !s.mask[f] {
					matched[f][c.levels[f]] += w * pm
					if !s.place {
						kin[f][c.levels[f]] += w * pr
					}
				}
			}
		}
		if n > 0 {
			s.share = clamp((nm+.5)/(n+1), 1e-9, 1-1e-6)
			if e.r != nil {
				s.related = clamp((nr+.5)/(n+1), 1e-9, 1-1e-6-s.share)
			}
		}
	}
	change := 0.0
	for f := range e.m {
		k := e.plan.fields[f].kind
		change = max(change, renew(e.m[f], matched[f], k.prior))
		if e.r != nil && k.shared && k != kinds[Address] {
			renew(e.r[f], kin[f], householdGuess(k))
		}
	}
	return change
}

// ratios answers p/u per field and level, nil for nil.
func (e *estimate) ratios(p odds) odds {
	if p == nil {
		return nil
	}
	out := newOdds(e.plan)
	for f := range out {
		for l := 1; l < len(out[f]); l++ {
			out[f][l] = p[f][l] / e.u[f][l]
		}
	}
	return out
}

// posterior answers the probabilities that a pattern is of a match and of a household. A nil mask hides nothing.
func posterior(c *counted, mask []bool, gain, gainKin odds, share, related float64) (match, kin float64) {
	match, kin = share, related
	for f := range gain {
		if mask == nil || !mask[f] {
			match *= gain[f][c.levels[f]]
			if gainKin != nil {
				kin *= gainKin[f][c.levels[f]]
			}
		}
	}
	all := match + kin + (1 - share - related)
	return match / all, kin / all
}

// renew replaces the probabilities of a field by the expected counts, and answers the largest change.
func renew(p, counts, guess []float64) float64 {
	sum := float64(pseudoPairs)
	for l := 1; l < len(p); l++ {
		sum += counts[l]
	}
	change := 0.0
	for l := 1; l < len(p); l++ {
		v := (counts[l] + pseudoPairs*guess[l-1]) / sum
		change = max(change, math.Abs(v-p[l]))
		p[l] = v
	}
	return change
}

// settlePrior finds how many of the pairs compared are matches: the fix-point of the sum of their posteriors, no field
// masked, each pair counted once.
func (e *estimate) settlePrior() {
	gain, gainKin := e.ratios(e.m), e.ratios(e.r)
	for range 30 {
		share := clamp(e.matches/e.pairs, 1e-12, .5)
		related := 0.0
		if e.r != nil {
			related = clamp(e.kin/e.pairs, 1e-12, .4)
		}
		var matches, kin float64
		for i := range e.samples {
			s := &e.samples[i]
			for k := range s.patterns {
				c := &s.patterns[k]
				pm, pr := posterior(c, nil, gain, gainKin, share, related)
				matches += float64(c.first) * s.scale * pm
				kin += float64(c.first) * s.scale * pr
			}
		}
		done := math.Abs(matches-e.matches) < 1e-3*max(e.matches, 1)
		e.matches, e.kin = matches, kin
		if done {
			return
		}
	}
}

// householdGuess starts r of a shared field. A household is, by definition, of one address, so of addresses r is not
// estimated at all: left free, the class would drift to people of one town, who are many more.
func householdGuess(k *kind) []float64 {
	guess := make([]float64, len(k.levels))
	for l := range guess {
		guess[l] = .02 / float64(max(len(guess)-2, 1))
	}
	guess[0], guess[len(guess)-1] = .93, .05
	if k == kinds[Address] {
		copy(guess, []float64{.92, .07, .003, .003, .003, .001})
	}
	if len(guess) == 2 {
		copy(guess, []float64{.95, .05})
	}
	return guess
}

func clamp(x, low, high float64) float64 { return min(max(x, low), high) }
