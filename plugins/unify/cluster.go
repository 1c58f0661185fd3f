package unify

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// clusters is a partition of the records. Each cluster is a ring through next; a record alone is its own ring.
type clusters struct {
	data    *dataset
	scorer  *scorer
	parent  []uint32
	next    []uint32
	size    []uint32
	sources []uint64         // per root: the sources without duplicates that have a member
	unique  map[int][]uint32 // per unique field and root: the one value the cluster may have, 0 for none yet
	never   map[uint32][]uint32
	refused map[uint64]uint32 // pairs of roots the guard refused, with their sizes together at that time
	joined  int
	vetoed  int // merges that a decision, a unique value or a source without duplicates forbade
	guarded int // merges that the guard refused
}

func newClusters(d *dataset, s *scorer) *clusters {
	n := d.len()
	c := &clusters{
		data: d, scorer: s, parent: make([]uint32, n), next: make([]uint32, n), size: make([]uint32, n), sources: make([]uint64, n),
		unique: map[int][]uint32{}, never: map[uint32][]uint32{}, refused: map[uint64]uint32{},
	}
	for i := range n {
		c.parent[i], c.next[i], c.size[i] = uint32(i), uint32(i), 1
		if src := d.heads[i].source; d.plan.job.Sources[src].Unique {
			c.sources[i] = 1 << src
		}
	}
	for f := range d.plan.fields {
		if d.plan.fields[f].unique {
			c.unique[f] = make([]uint32, n)
			for i := range n {
				c.unique[f][i] = d.row(uint32(i))[f]
			}
		}
	}
	return c
}

// build joins records in this order: what people decided; pairs the score takes for matches, those that also meet a rule
// first, in the order of the rules, then by weight, as far as the guard agrees; at last the other pairs that meet a
// rule, without the guard. Rules come late because a shared identifier would glue strangers together before the guard
// has seen them apart. Vetoes hold everywhere.
func (c *clusters) build(ctx context.Context, edges []edge, threshold float64, always, never [][2]uint32) error {
	for _, p := range never {
		c.never[p[0]] = append(c.never[p[0]], p[1])
		c.never[p[1]] = append(c.never[p[1]], p[0])
	}
	for _, p := range always {
		if a, b := c.root(p[0]), c.root(p[1]); a != b {
			if c.forbidden(a, b) {
				c.vetoed++
			} else {
				c.join(a, b)
			}
		}
	}
	scored, ruled := c.split(edges, threshold)
	for i, e := range scored {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c.offer(e, c.guard)
	}
	for _, e := range ruled {
		c.offer(e, nil)
	}
	return ctx.Err()
}

// split answers the edges that match by score and those that match by rule, each in the order they are offered.
func (c *clusters) split(edges []edge, threshold float64) (scored, ruled []edge) {
	for _, e := range edges {
		if c.data.plan.job.Score.Enabled && !e.gated && float64(e.weight) >= threshold {
			scored = append(scored, e)
		}
		if e.rule >= 0 {
			ruled = append(ruled, e)
		}
	}
	layer := func(e edge) uint16 { return uint16(e.rule) } // none comes last
	order := func(x, y edge) int {
		return cmp.Or(cmp.Compare(layer(x), layer(y)), cmp.Compare(y.weight, x.weight), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	}
	slices.SortFunc(scored, order)
	slices.SortFunc(ruled, order)
	return scored, ruled
}

// offer joins the clusters of two records unless a veto or the guard is against it.
func (c *clusters) offer(e edge, guard func(a, b uint32) bool) {
	a, b := c.root(e.a), c.root(e.b)
	switch {
	case a == b:
	case c.forbidden(a, b) || c.conflict(a, b):
		c.vetoed++
	case guard != nil && !guard(a, b):
		c.guarded++
	default:
		c.join(a, b)
	}
}

func (c *clusters) root(r uint32) uint32 {
	for c.parent[r] != r {
		c.parent[r] = c.parent[c.parent[r]]
		r = c.parent[r]
	}
	return r
}

// join makes one cluster of two. The root with the smaller number stays when sizes are equal.
func (c *clusters) join(a, b uint32) {
	if c.size[a] < c.size[b] || c.size[a] == c.size[b] && b < a {
		a, b = b, a
	}
	c.parent[b] = a
	c.next[a], c.next[b] = c.next[b], c.next[a]
	c.size[a] += c.size[b]
	c.sources[a] |= c.sources[b]
	for _, value := range c.unique {
		if value[a] == 0 {
			value[a] = value[b]
		}
	}
	if others := c.never[b]; others != nil {
		c.never[a] = append(c.never[a], others...)
		delete(c.never, b)
	}
	c.joined++
}

// forbidden tells whether a person has parted two members.
func (c *clusters) forbidden(a, b uint32) bool {
	if len(c.never[b]) < len(c.never[a]) {
		a, b = b, a
	}
	return slices.ContainsFunc(c.never[a], func(r uint32) bool { return c.root(r) == b })
}

// conflict tells whether the data forbid two clusters to be one: two records of a source without duplicates, or two
// values of a unique attribute.
func (c *clusters) conflict(a, b uint32) bool {
	if c.sources[a]&c.sources[b] != 0 {
		return true
	}
	for _, value := range c.unique {
		if value[a] != 0 && value[b] != 0 && value[a] != value[b] {
			return true
		}
	}
	return false
}

// The guard keeps chains of plausible pairs from growing into clusters that are not one thing. Clusters merge when
//
//	(i)  the best agreement of any cross pair, field by field, less spread·log2 of the number of pairs tried because the
//	     best of many is good by chance, adds up with the prior to more than entityFloor, and
//	(ii) cross pairs, also those never compared before, weigh more than meanFloor on average, each clipped to ±clip.
const (
	crossPairs  = 64 // cross pairs looked at, at most
	spread      = 0.7
	entityFloor = -3
	meanFloor   = -6
	clip        = 15
)

func (c *clusters) guard(a, b uint32) bool {
	key := uint64(min(a, b))<<32 | uint64(max(a, b))
	size := c.size[a] + c.size[b]
	if c.refused[key] == size {
		return false
	}
	if c.oneThing(a, b) {
		return true
	}
	c.refused[key] = size
	return false
}

func (c *clusters) oneThing(a, b uint32) bool {
	d, s := c.data, c.scorer
	na, nb := crossing(int(c.size[a]), int(c.size[b]))
	var best, parts [maxFields]float64
	var seen [maxFields]bool
	sum := 0.0
	x := a
	for range na {
		y := b
		for range nb {
			var levels pattern
			p, q := min(x, y), max(x, y)
			d.compare(p, q, &levels)
			d.settle(p, q, &levels)
			sum += clamp(s.weigh(p, q, &levels, &parts)+s.prior, -clip, clip)
			for f := range d.plan.fields {
				if levels[f] != missing && (!seen[f] || parts[f] > best[f]) {
					best[f], seen[f] = parts[f], true
				}
			}
			y = c.next[y]
		}
		x = c.next[x]
	}
	tried := float64(na * nb)
	entity := s.prior
	for f := range d.plan.fields {
		if seen[f] {
			entity += best[f] - spread*math.Log2(tried)
		}
	}
	return entity > entityFloor && sum/tried > meanFloor
}

// crossing answers how many members of each of two clusters to look at, so that the pairs are crossPairs at most.
func crossing(a, b int) (int, int) {
	if a*b <= crossPairs {
		return a, b
	}
	if a > b {
		b, a = crossing(b, a)
		return a, b
	}
	a = min(a, 8)
	return a, min(b, crossPairs/a)
}
