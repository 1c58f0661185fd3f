package classify

import (
	"cmp"
	"math"
	"slices"
)

// document is a text as counted features: ids into the corpus' keys, ascending, with their counts.
type document struct {
	ids    []int32
	counts []uint16
}

// corpus is the training texts, counted once; folds and the final model weight it anew.
type corpus struct {
	keys []key // ascending; the id of a feature is its place
	docs []document
}

// newCorpus counts the texts and keeps the features that occur in at least minDF of them; of these at most
// limit, the most frequent.
func newCorpus(texts []string, minDF, limit, threads int) *corpus {
	type counted struct {
		key   key
		count uint16
	}
	raw := make([][]counted, len(texts))
	parallel(threads, len(texts), func(next func() (int, bool)) {
		var t normalText
		var found []key
		for i, ok := next(); ok; i, ok = next() {
			t.reset(texts[i])
			found = found[:0]
			t.features(func(k key, _, _ int) { found = append(found, k) })
			slices.Sort(found)
			for at := 0; at < len(found); {
				end := at + 1
				for end < len(found) && found[end] == found[at] {
					end++
				}
				raw[i] = append(raw[i], counted{found[at], uint16(min(end-at, math.MaxUint16))})
				at = end
			}
		}
	})

	df := make(map[key]int32)
	for _, features := range raw {
		for _, f := range features {
			df[f.key]++
		}
	}
	c := &corpus{docs: make([]document, len(texts))}
	for k, n := range df {
		if int(n) >= minDF {
			c.keys = append(c.keys, k)
		}
	}
	if len(c.keys) > limit {
		slices.SortFunc(c.keys, func(a, b key) int { return cmp.Or(cmp.Compare(df[b], df[a]), cmp.Compare(a, b)) })
		c.keys = c.keys[:limit]
	}
	slices.Sort(c.keys)

	ids := make(map[key]int32, len(c.keys))
	for id, k := range c.keys {
		ids[k] = int32(id)
	}
	for i, features := range raw {
		d := &c.docs[i]
		for _, f := range features {
			if id, ok := ids[f.key]; ok {
				d.ids = append(d.ids, id)
				d.counts = append(d.counts, f.count)
			}
		}
		raw[i] = nil
	}
	return c
}

// frequencies counts, for each feature, the chosen documents that have it; less than minDF counts as none.
func (c *corpus) frequencies(chosen []int, minDF int) []int32 {
	df := make([]int32, len(c.keys))
	for _, i := range chosen {
		for _, id := range c.docs[i].ids {
			df[id]++
		}
	}
	for id, n := range df {
		if int(n) < minDF {
			df[id] = 0
		}
	}
	return df
}

// idf is the smoothed inverse document frequency ln((1+n)/(1+df))+1, and 0 for a feature that no document has.
func idf(df []int32, n int) []float32 {
	weights := make([]float32, len(df))
	for id, d := range df {
		if d > 0 {
			weights[id] = float32(math.Log(float64(1+n)/float64(1+d)) + 1)
		}
	}
	return weights
}

// vector is a sparse row: ids ascending, with their values.
type vector struct {
	ids    []int32
	values []float32
}

// vectors weighs the chosen documents.
func (c *corpus) vectors(chosen []int, idf []float32) []vector {
	rows := make([]vector, len(chosen))
	for row, i := range chosen {
		d := &c.docs[i]
		v := vector{make([]int32, 0, len(d.ids)), make([]float32, 0, len(d.ids))}
		var square [blocks]float64
		for at, id := range d.ids {
			if idf[id] == 0 {
				continue
			}
			x := sublinear(int(d.counts[at])) * idf[id]
			square[c.keys[id].block()] += float64(x) * float64(x)
			v.ids, v.values = append(v.ids, id), append(v.values, x)
		}
		scale := unit(square)
		for at, id := range v.ids {
			v.values[at] *= scale[c.keys[id].block()]
		}
		rows[row] = v
	}
	return rows
}

// sublinear damps a count: 1 + ln(count).
func sublinear(count int) float32 {
	if count < len(dampedCount) {
		return dampedCount[count]
	}
	return float32(1 + math.Log(float64(count)))
}

var dampedCount = func() (table [16]float32) {
	for n := 1; n < len(table); n++ {
		table[n] = float32(1 + math.Log(float64(n)))
	}
	return table
}()

// unit gives the factors that bring each block to length 1; an empty block stays empty.
func unit(square [blocks]float64) (scale [blocks]float32) {
	for b, sum := range square {
		if sum > 0 {
			scale[b] = float32(1 / math.Sqrt(sum))
		}
	}
	return scale
}
