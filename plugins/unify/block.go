package unify

import (
	"context"
	"slices"
	"strconv"
)

// PassModel is a pass as a model keeps it, with the keys too common to be compared in full. They are frozen with the
// model: whether two records are compared depends on nothing but the two and the model.
type PassModel struct {
	Name string   `json:"name"`
	Rule string   `json:"rule,omitempty"` // the rule it serves
	Keys []string `json:"keys"`
	Then string   `json:"then,omitempty"` // the further key that splits blocks of stop-keys
	Stop []Key    `json:"stop,omitempty"` // keys above the cap, ascending
	Drop []Key    `json:"drop,omitempty"` // keys above the cap even with Then, ascending; not compared
}

// Key is the hash of the values records share, written in hexadecimal because JSON numbers end at 2^53.
type Key uint64

// MarshalText writes the key.
func (k Key) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(k), 16), nil }

// UnmarshalText reads a key.
func (k *Key) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*k = Key(n)
	return err
}

// blocking is the outcome: per pass the records in order of their blocks, and per record its block in every pass.
type blocking struct {
	passes []pass
	ids    []uint32 // [record*len(passes)+pass]: block number from 1, 0 for none
}

// pass is one pass with its blocks.
type pass struct {
	model   PassModel
	rule    int      // rule it serves, -1 for none
	mask    []bool   // per field: part of the key, so agreement is no evidence among the pairs of this pass
	records []uint32 // grouped by block, ascending inside
	ends    []uint32 // where each block ends in records
	stats   PassStats
}

// PassStats tells what a pass did. Candidates counts the pairs in its blocks; Pairs those that no earlier pass had; Lost
// those of dropped keys, of which other passes may have found some.
type PassStats struct {
	Name       string `json:"name"`
	Blocks     int    `json:"blocks"`
	Candidates int64  `json:"candidates"`
	Pairs      int64  `json:"pairs"`
	Kept       int64  `json:"kept"`
	StopKeys   int    `json:"stop_keys"`
	Lost       int64  `json:"lost"`
}

func (p *pass) block(i int) []uint32 {
	start := uint32(0)
	if i > 0 {
		start = p.ends[i-1]
	}
	return p.records[start:p.ends[i]]
}

// first tells whether p is the first pass in which two records meet.
func (b *blocking) first(p int, x, y uint32) bool {
	n := len(b.passes)
	xs, ys := b.ids[int(x)*n:int(x)*n+p], b.ids[int(y)*n:int(y)*n+p]
	for i, id := range xs {
		if id != 0 && id == ys[i] {
			return false
		}
	}
	return true
}

// meet answers the first pass in which two records share a block, -1 when there is none.
func (b *blocking) meet(x, y uint32) int {
	n := len(b.passes)
	for p := range n {
		if id := b.ids[int(x)*n+p]; id != 0 && id == b.ids[int(y)*n+p] {
			return p
		}
	}
	return -1
}

// blocker builds blocks and remembers the keys of parts that several passes use.
type blocker struct {
	data  *dataset
	cap   int
	parts map[string][]uint64
}

func newBlocker(d *dataset) *blocker {
	return &blocker{data: d, cap: d.plan.job.blockCap(), parts: map[string][]uint64{}}
}

// part answers the keys of one part; the text was checked with the job.
func (b *blocker) part(text string) []uint64 {
	keys, ok := b.parts[text]
	if !ok {
		p, err := parsePart(&b.data.plan.job, text)
		if err != nil {
			return make([]uint64, b.data.len())
		}
		keys = b.data.keysOf(p)
		b.parts[text] = keys
	}
	return keys
}

// sorted answers the records that have all keys of a pass, in order of key and record.
func (b *blocker) sorted(keys []string) []keyed {
	all := slices.Clone(b.part(keys[0]))
	for _, k := range keys[1:] {
		combine(all, b.part(k))
	}
	list := make([]keyed, 0, len(all))
	for r, k := range all {
		if k != 0 {
			list = append(list, keyed{k, uint32(r)})
		}
	}
	return radixSort(list)
}

// cost answers the pairs a pass would compare, and whether that is all it has: blocks above the cap are left out.
func (b *blocker) cost(m PassModel) (pairs int64, whole bool) {
	whole = true
	for _, block := range groups(b.sorted(m.Keys)) {
		if len(block) > b.cap {
			whole = false
			continue
		}
		pairs += b.data.pairs(block)
	}
	return pairs, whole
}

// build makes the blocks of all passes. With frozen false it also finds the stop-keys, and writes them to the models.
func (b *blocker) build(ctx context.Context, models []PassModel, frozen bool) (*blocking, error) {
	out := &blocking{ids: make([]uint32, b.data.len()*len(models))}
	for i, m := range models {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p := b.pass(m, frozen)
		for block := range p.ends {
			for _, r := range p.block(block) {
				out.ids[int(r)*len(models)+i] = uint32(block + 1)
			}
		}
		out.passes = append(out.passes, p)
	}
	return out, nil
}

func (b *blocker) pass(m PassModel, frozen bool) pass {
	p := pass{model: m, rule: -1, mask: make([]bool, len(b.data.plan.fields))}
	for i, r := range b.data.plan.rules {
		if r.name == m.Rule {
			p.rule = i
		}
	}
	for _, key := range m.Keys {
		for _, name := range partNames(key) {
			if f := b.data.plan.field(name); f >= 0 {
				p.mask[f] = true
			}
		}
	}
	var split []keyed
	for _, block := range groups(b.sorted(m.Keys)) {
		if !b.stopped(&p.model.Stop, block, frozen) {
			p.add(b.data, block)
			continue
		}
		p.stats.StopKeys++
		if m.Then == "" {
			p.stats.Lost += b.data.pairs(block)
			continue
		}
		then := b.part(m.Then)
		for _, k := range block {
			if t := then[k.record]; t != 0 {
				split = append(split, keyed{mix(k.key, t), k.record})
			}
		}
		p.stats.Lost += b.data.pairs(block)
	}
	for _, block := range groups(radixSort(split)) {
		if !b.stopped(&p.model.Drop, block, frozen) {
			p.add(b.data, block)
			p.stats.Lost -= b.data.pairs(block)
		}
	}
	slices.Sort(p.model.Stop)
	slices.Sort(p.model.Drop)
	p.stats.Name = m.Name
	p.stats.Blocks = len(p.ends)
	return p
}

// stopped tells whether the key of a block is on a stop list. The list grows unless it is frozen.
func (b *blocker) stopped(list *[]Key, block []keyed, frozen bool) bool {
	key := Key(block[0].key)
	if frozen {
		_, found := slices.BinarySearch(*list, key)
		return found
	}
	if len(block) > b.cap {
		*list = append(*list, key)
		return true
	}
	return false
}

// add appends a block unless it holds no pair to compare.
func (p *pass) add(d *dataset, block []keyed) {
	n := d.pairs(block)
	if n == 0 {
		return
	}
	p.stats.Candidates += n
	for _, k := range block {
		p.records = append(p.records, k.record)
	}
	p.ends = append(p.ends, uint32(len(p.records)))
}

// pairs counts the pairs of a block that the job asks about. Records are in canonical order, so those of one source are
// neighbours.
func (d *dataset) pairs(block []keyed) int64 {
	all := choose2(len(block))
	for i := 0; i < len(block); {
		k := i
		s := d.heads[block[i].record].source
		for k < len(block) && d.heads[block[k].record].source == s {
			k++
		}
		if d.plan.job.Sources[s].Unique {
			all -= choose2(k - i)
		}
		i = k
	}
	return all
}

func choose2(n int) int64 { return int64(n) * int64(n-1) / 2 }

// keyed is a record with its key in one pass.
type keyed struct {
	key    uint64
	record uint32
}

// groups cuts a sorted list into runs of two or more records with one key.
func groups(list []keyed) [][]keyed {
	var out [][]keyed
	for i := 0; i < len(list); {
		k := i + 1
		for k < len(list) && list[k].key == list[i].key {
			k++
		}
		if k-i > 1 {
			out = append(out, list[i:k])
		}
		i = k
	}
	return out
}

// radixSort sorts by key, least significant byte first, and keeps the order of equal keys. Bytes that are the same in
// all keys cost one count.
func radixSort(list []keyed) []keyed {
	other := make([]keyed, len(list))
	for shift := 0; shift < 64; shift += 8 {
		var at [257]int
		for _, k := range list {
			at[int(byte(k.key>>shift))+1]++
		}
		if slices.Contains(at[:], len(list)) {
			continue
		}
		for i := 1; i < len(at); i++ {
			at[i] += at[i-1]
		}
		for _, k := range list {
			digit := byte(k.key >> shift)
			other[at[digit]] = k
			at[digit]++
		}
		list, other = other, list
	}
	return list
}
