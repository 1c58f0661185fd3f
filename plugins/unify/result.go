package unify

import (
	"cmp"
	"iter"
	"slices"
)

// Cluster is the records that mean one thing.
type Cluster struct {
	ID      string // birth id of the oldest member; see GoldenRecord
	Members []Ref  // oldest first
}

// Pair is two records that matched or nearly did.
type Pair struct {
	A, B        Ref
	Weight      float64 // bits; 0 when the job does not score
	Probability float64
	Rule        string // the first rule met, empty for none
	Pass        string // the pass that found it
	Match       bool   // by rule or by weight
	Joined      bool   // both records are in one cluster
}

// Stats describes a run.
type Stats struct {
	Records   int            `json:"records"`
	Passes    []PassStats    `json:"passes"`
	Pairs     int64          `json:"pairs"` // compared
	Kept      int            `json:"kept"`  // matched or nearly so
	Lost      int64          `json:"lost"`  // not compared because a key was too common; passes may have lost the same pair
	Prior     float64        `json:"prior"`
	Related   float64        `json:"related,omitempty"`
	Threshold float64        `json:"threshold"`
	Expected  float64        `json:"expected"` // matches the model expects among the pairs compared; not a measure of quality
	Clusters  int            `json:"clusters"`
	Sizes     map[int]int    `json:"sizes"` // clusters by number of members
	Largest   int            `json:"largest"`
	Vetoed    int            `json:"vetoed"`  // matches not followed because of a decision, a unique value or a source without duplicates
	Guarded   int            `json:"guarded"` // matches not followed because the clusters as wholes do not fit
	Rules     map[string]int `json:"rules"`   // pairs by the rule that decided them
}

// collect lists the clusters in canonical order of their oldest members.
func (r *Result) collect(c *clusters) {
	n := r.data.len()
	var all [][]uint32
	for i := range n {
		if c.root(uint32(i)) != uint32(i) {
			continue
		}
		members := []uint32{uint32(i)}
		for m := c.next[i]; m != uint32(i); m = c.next[m] {
			members = append(members, m)
		}
		r.data.oldest(members)
		all = append(all, members)
	}
	slices.SortFunc(all, func(a, b []uint32) int { return cmp.Compare(a[0], b[0]) })
	r.members = make([]uint32, 0, n)
	r.of = make([]uint32, n)
	for i, members := range all {
		for _, m := range members {
			r.of[m] = uint32(i)
		}
		r.members = append(r.members, members...)
		r.ends = append(r.ends, uint32(len(r.members)))
	}
}

func (r *Result) count(c *clusters, w *weights) {
	s := &r.Stats
	*s = Stats{
		Records: r.data.len(), Kept: len(r.edges), Prior: r.Model.Prior, Related: r.Model.Related, Threshold: r.data.plan.threshold(r.Model),
		Clusters: len(r.ends), Sizes: map[int]int{}, Vetoed: c.vetoed, Guarded: c.guarded, Rules: map[string]int{},
	}
	for _, e := range r.edges {
		r.blocks.passes[e.pass].stats.Kept++
		if e.rule >= 0 {
			s.Rules[r.data.plan.rules[e.rule].name]++
		}
	}
	for i := range r.blocks.passes {
		p := r.blocks.passes[i].stats
		s.Passes = append(s.Passes, p)
		s.Pairs += p.Pairs
		s.Lost += p.Lost
	}
	for i := range r.ends {
		n := len(r.cluster(i))
		s.Sizes[n]++
		s.Largest = max(s.Largest, n)
	}
	prior := log2Odds(r.Model.Prior)
	for i, n := range w {
		if n > 0 {
			s.Expected += float64(n) * probability(weightOf(i)+prior)
		}
	}
}

func (r *Result) cluster(i int) []uint32 {
	start := uint32(0)
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.members[start:r.ends[i]]
}

func (r *Result) refs(records []uint32) []Ref {
	out := make([]Ref, len(records))
	for i, m := range records {
		out[i] = r.data.ref(m)
	}
	return out
}

// Clusters iterates over all clusters, those of one record included.
func (r *Result) Clusters() iter.Seq[Cluster] {
	return func(yield func(Cluster) bool) {
		for i := range r.ends {
			members := r.cluster(i)
			if !yield(Cluster{ID: r.data.goldenID(members[0]), Members: r.refs(members)}) {
				return
			}
		}
	}
}

// Golden iterates over the golden records, one per cluster and in the same order.
func (r *Result) Golden() iter.Seq[GoldenRecord] {
	return func(yield func(GoldenRecord) bool) {
		for i := range r.ends {
			if !yield(r.golden(i)) {
				return
			}
		}
	}
}

func (r *Result) golden(i int) GoldenRecord {
	members := r.cluster(i)
	return GoldenRecord{ID: r.data.goldenID(members[0]), Values: r.data.survive(members, r.policies), Members: r.refs(members)}
}

// GoldenOf answers the golden record that a source record belongs to.
func (r *Result) GoldenOf(ref Ref) (GoldenRecord, bool) {
	i, ok := r.data.find(ref)
	if !ok {
		return GoldenRecord{}, false
	}
	return r.golden(int(r.of[i])), true
}

// Pairs iterates over the pairs that matched or came within a few bits of it, strongest first. The uncertain middle, for
// a person to look at, is where Weight is near the threshold.
func (r *Result) Pairs() iter.Seq[Pair] {
	p := r.data.plan
	threshold := p.threshold(r.Model)
	return func(yield func(Pair) bool) {
		for _, e := range r.edges {
			pair := Pair{
				A: r.data.ref(e.a), B: r.data.ref(e.b), Weight: float64(e.weight), Pass: r.blocks.passes[e.pass].model.Name,
				Match: e.rule >= 0 || p.job.Score.Enabled && !e.gated && float64(e.weight) >= threshold, Joined: r.of[e.a] == r.of[e.b],
			}
			if p.job.Score.Enabled {
				pair.Probability = probability(pair.Weight)
			}
			if e.rule >= 0 {
				pair.Rule = p.rules[e.rule].name
			}
			if !yield(pair) {
				return
			}
		}
	}
}
