package unify

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// What training looks at. Samples are drawn by hashes of record keys, never by position.
const (
	randomPairs  = 200_000 // for u
	pairsPerPass = 60_000  // for m
	mostCommon   = 5_000   // values per field with a frequency of their own
	// chance is how many other things are assumed to share a value that is not known to be shared: less would make one
	// equal identifier outweigh everything else.
	chance = 0.1
)

// train learns a model from unlabelled records. b must be the blocks of the passes the model will have.
func train(ctx context.Context, d *dataset, b *blocking, workers int) (*Model, error) {
	p := d.plan
	m := &Model{Job: p.job.Name}
	for i := range b.passes {
		m.Passes = append(m.Passes, b.passes[i].model)
	}
	if !p.job.Score.Enabled {
		m.Prior = .5
		return m, m.seal()
	}
	e, stats := newEstimate(d)
	e.samples = make([]sample, len(b.passes))
	d.hashes()
	parallel(len(b.passes), workers, func(i int) {
		if ctx.Err() == nil {
			e.samples[i] = d.sample(b, i)
		}
	})
	random := d.random(workers)
	for range 8 {
		before := e.matches
		e.unmatched(stats, random)
		e.maximise()
		e.settlePrior()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if math.Abs(e.matches-before) < 1e-3*max(before, 1) {
			break
		}
	}
	e.unmatched(stats, random)
	m.Prior = clamp(e.matches/e.pairs, 1e-12, .5)
	if e.r != nil {
		m.Related = clamp(e.kin/e.pairs, 1e-12, .4)
	}
	for f := range p.fields {
		m.Fields = append(m.Fields, e.field(d, f, &stats[f]))
	}
	return m, m.seal()
}

// newEstimate starts from the guesses of the types, with one record in four having a duplicate.
func newEstimate(d *dataset) (*estimate, []fieldStats) {
	p := d.plan
	e := &estimate{plan: p, m: newOdds(p), u: newOdds(p), matches: float64(d.len()) / 4}
	for f := range e.m {
		copy(e.m[f][1:], p.fields[f].kind.prior)
	}
	if p.job.Score.Households {
		e.r = newOdds(p)
		for f := range e.r {
			copy(e.r[f][1:], householdGuess(p.fields[f].kind))
		}
		e.kin = e.matches / 4
	}
	perSource := make([]int64, len(p.job.Sources))
	for i := range d.heads {
		perSource[d.heads[i].source]++
	}
	e.pairs = max(d.askedPairs(perSource), 1)
	stats := make([]fieldStats, len(p.fields))
	for f := range stats {
		stats[f] = d.fieldStats(f)
	}
	return e, stats
}

// askedPairs counts the pairs of records, given how many there are per source, that the job asks about.
func (d *dataset) askedPairs(perSource []int64) float64 {
	var all, inside int64
	for s, n := range perSource {
		all += n
		if d.plan.job.Sources[s].Unique {
			inside += choose2(int(n))
		}
	}
	return float64(choose2(int(all)) - inside)
}

// fieldStats is what the frequencies of one field say about pairs that agree on it.
type fieldStats struct {
	records float64   // that have a value
	pairs   float64   // that both have one
	agree   float64   // that have the same
	counts  []float64 // per value: records that have it
	agrees  []float64 // per value: pairs that share it
}

func (d *dataset) fieldStats(f int) fieldStats {
	values := len(d.columns[d.plan.fields[f].attribute].values)
	s := fieldStats{counts: make([]float64, values), agrees: make([]float64, values)}
	perSource := make([]int64, len(d.plan.job.Sources))
	inSource := make([]int64, values)
	for r := 0; r < d.len(); {
		source := d.heads[r].source
		clear(inSource)
		for ; r < d.len() && d.heads[r].source == source; r++ {
			inSource[d.row(uint32(r))[f]]++
		}
		for v := 1; v < values; v++ {
			n := float64(inSource[v])
			perSource[source] += inSource[v]
			s.agrees[v] += n * s.counts[v]
			if !d.plan.job.Sources[source].Unique {
				s.agrees[v] += n * (n - 1) / 2
			}
			s.counts[v] += n
		}
	}
	for v := 1; v < values; v++ {
		s.records += s.counts[v]
		s.agree += s.agrees[v]
	}
	s.pairs = d.askedPairs(perSource)
	return s
}

// unmatched sets u: levels below equality from random pairs, equality from the frequency table, both less the matches
// expected among them. Without that last step a perfect identifier would seem to be shared by strangers.
func (e *estimate) unmatched(stats []fieldStats, random [][]int64) {
	for f := range e.u {
		u, n := e.u[f], 0.0
		for l := 1; l < len(u); l++ {
			n += float64(random[f][l])
		}
		s := &stats[f]
		u[equal] = .5
		if s.pairs > 0 {
			u[equal] = clamp(e.strangers(s, f, s.agree, s.records)/s.pairs, 1e-12, .99)
		}
		sum := 0.0
		for l := 2; l < len(u); l++ {
			u[l] = max(float64(random[f][l])-n*e.expected(f, l)/e.pairs, .5)
			sum += u[l]
		}
		for l := 2; l < len(u); l++ {
			u[l] *= (1 - u[equal]) / sum
		}
		if e.r != nil && !e.plan.fields[f].kind.shared {
			copy(e.r[f], u)
		}
	}
}

// expected answers how many pairs of one thing or of one household show a level of a field that both have.
func (e *estimate) expected(f, l int) float64 {
	n := e.matches * e.m[f][l]
	if e.r != nil && e.plan.fields[f].kind.shared {
		n += e.kin * e.r[f][l]
	}
	return n
}

// strangers answers how many of the pairs that agree on some values of a field are of different things, given the number
// of records that have those values: at least a fraction of a pair per record.
func (e *estimate) strangers(s *fieldStats, f int, agree, records float64) float64 {
	if s.pairs == 0 || s.records == 0 {
		return records
	}
	known := e.expected(f, int(equal)) * s.pairs / e.pairs * records / s.records
	return max(agree-known, chance*records/2)
}

// field writes down what was learned about a field, with the values so frequent that their own chance matters.
func (e *estimate) field(d *dataset, f int, s *fieldStats) FieldModel {
	pf := &d.plan.fields[f]
	out := FieldModel{Attribute: pf.name, Type: pf.kindName, Common: map[string]float64{}}
	for l, name := range pf.kind.levels {
		level := LevelModel{Name: name, M: e.m[f][l+1], U: e.u[f][l+1]}
		if e.r != nil {
			level.R = e.r[f][l+1]
		}
		out.Levels = append(out.Levels, level)
	}
	out.Rest = e.u[f][equal]
	if s.pairs == 0 {
		return out
	}
	values := d.columns[pf.attribute].values
	partners := 2 * (e.matches + e.kin) * s.pairs / e.pairs / s.records // matches per record, households included
	perRecord := 2 * s.pairs / s.records                                // other records one is compared with
	common := []int{}
	for v := 1; v < len(values); v++ {
		if 2*s.agrees[v]/s.counts[v] >= 2*partners+3 {
			common = append(common, v)
		}
	}
	slices.SortFunc(common, func(a, b int) int {
		return cmp.Or(cmp.Compare(s.agrees[b], s.agrees[a]), cmp.Compare(values[a].text, values[b].text))
	})
	rest, restRecords := s.agree, s.records
	for _, v := range common[:min(len(common), mostCommon)] {
		chance := 2 * e.strangers(s, f, s.agrees[v], s.counts[v]) / s.counts[v] / perRecord
		out.Common[values[v].text] = clamp(chance, 1e-12, .99)
		rest -= s.agrees[v]
		restRecords -= s.counts[v]
	}
	if restRecords > 0 {
		out.Rest = clamp(2*e.strangers(s, f, rest, restRecords)/restRecords/perRecord, 1e-12, .99)
	}
	return out
}

// sample counts the patterns of a pass, all its pairs or, if there are too many, a share chosen by hash.
func (d *dataset) sample(b *blocking, i int) sample {
	p := &b.passes[i]
	s := sample{mask: p.mask, scale: 1, share: .3}
	for f, masked := range p.mask {
		switch d.plan.fields[f].kindName {
		case City, Postcode, State, Country:
			s.place = s.place || masked
		}
	}
	limit := uint64(math.MaxUint64)
	if p.stats.Candidates > pairsPerPass {
		s.scale = float64(p.stats.Candidates) / pairsPerPass
		limit = uint64(float64(math.MaxUint64) / s.scale)
	}
	if d.plan.job.Score.Households {
		s.related = .01
	}
	keys := d.hashes()
	counts := map[pattern]*counted{}
	for block := range p.ends {
		records := p.block(block)
		for x, r := range records {
			for _, q := range records[x+1:] {
				if !d.mayMatch(r, q) || s.scale > 1 && mix(keys[r], keys[q]) > limit {
					continue
				}
				var levels pattern
				d.compare(r, q, &levels)
				d.settle(r, q, &levels)
				c := counts[levels]
				if c == nil {
					c = &counted{levels: levels}
					counts[levels] = c
				}
				c.all++
				if b.first(i, r, q) {
					c.first++
				}
			}
		}
	}
	for _, c := range counts {
		s.patterns = append(s.patterns, *c)
	}
	slices.SortFunc(s.patterns, func(a, b counted) int { return slices.Compare(a.levels[:], b.levels[:]) })
	return s
}

// random counts the levels of random pairs per field.
func (d *dataset) random(workers int) [][]int64 {
	pairs := d.randomPairs()
	const share = 10_000
	counts := make([][maxFields][maxLevels]int64, (len(pairs)+share-1)/share)
	parallel(len(counts), workers, func(i int) {
		for _, p := range pairs[i*share : min((i+1)*share, len(pairs))] {
			var levels pattern
			d.compare(p[0], p[1], &levels)
			d.settle(p[0], p[1], &levels)
			for f := range d.plan.fields {
				counts[i][f][levels[f]]++
			}
		}
	})
	out := make([][]int64, len(d.plan.fields))
	for f := range out {
		out[f] = make([]int64, maxLevels)
		for i := range counts {
			for l, n := range counts[i][f] {
				out[f][l] += n
			}
		}
	}
	return out
}

// randomPairs draws pairs the job asks about: all of a small set, otherwise each record with those that follow it at
// fixed distances in the order of their hashes.
func (d *dataset) randomPairs() [][2]uint32 {
	keys := d.hashes()
	order := make([]uint32, d.len())
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(a, b)) })
	var out [][2]uint32
	n := len(order)
	for step := 1; step <= n/2; step++ {
		for i := range order {
			if 2*step == n && i >= step { // the other half of the circle has been there
				break
			}
			if a, b := order[i], order[(i+step)%n]; d.mayMatch(a, b) {
				out = append(out, [2]uint32{min(a, b), max(a, b)})
			}
			if len(out) == randomPairs {
				return out
			}
		}
	}
	return out
}

// hashes answers one hash per record that depends on its source and id only. The first call is not for several goroutines.
func (d *dataset) hashes() []uint64 {
	if d.keys == nil {
		d.keys = make([]uint64, d.len())
		for i := range d.heads {
			d.keys[i] = mix(hash(d.plan.job.Sources[d.heads[i].source].Table), hash(d.heads[i].id))
		}
	}
	return d.keys
}
