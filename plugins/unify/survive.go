package unify

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"colonnade/core/normal"
)

// GoldenRecord is one record made of a cluster. Values are those of the job's attributes, in their order.
type GoldenRecord struct {
	ID      string  `json:"id"`
	Values  []Value `json:"values"`
	Members []Ref   `json:"members"` // oldest first; the first one gave the id
}

// Value is one golden value and where it comes from. An empty text with no source means that no member has one.
type Value struct {
	Text   string `json:"text"`
	From   Ref    `json:"from"`
	Policy Policy `json:"policy,omitempty"`
}

// survival is a [Survival] with its attributes resolved.
type survival struct {
	attributes []int
	policy     Policy
	rank       []int // per source: 0 is the most important
}

// survivals answers the policies of the job, a default one for each attribute without.
func (j *Job) survivals() []survival {
	var out []survival
	taken := make([]bool, len(j.Attributes))
	for _, k := range j.Golden.Keep {
		s := survival{policy: k.Policy, rank: j.ranks(k.Sources)}
		for _, name := range k.Attributes {
			i := j.attribute(name)
			s.attributes = append(s.attributes, i)
			taken[i] = true
		}
		out = append(out, s)
	}
	policy := cmp.Or(j.Golden.Default, MostRecent)
	for i := range taken {
		if !taken[i] {
			out = append(out, survival{attributes: []int{i}, policy: policy, rank: j.ranks(nil)})
		}
	}
	return out
}

// ranks orders the sources: those named first, then the others by trust, then by their place in the job.
func (j *Job) ranks(named []string) []int {
	order := make([]int, len(j.Sources))
	for i := range order {
		order[i] = i
	}
	place := func(i int) int {
		if at := slices.Index(named, j.Sources[i].Table); at >= 0 {
			return at
		}
		return len(named)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(j.Sources[b].Trust, j.Sources[a].Trust))
	})
	rank := make([]int, len(order))
	for at, i := range order {
		rank[i] = at
	}
	return rank
}

// survive chooses the golden values of a cluster.
func (d *dataset) survive(members []uint32, policies []survival) []Value {
	values := make([]Value, len(d.columns))
	for i := range policies {
		s := &policies[i]
		r, ok := d.choose(members, s)
		if !ok {
			continue
		}
		for _, a := range s.attributes {
			if text := d.shown(r, a); text != "" {
				values[a] = Value{Text: text, From: d.ref(r), Policy: s.policy}
			}
		}
	}
	return values
}

// choose answers the member whose values survive: among those that have any of the attributes, the best by the policy;
// ties go to the more important source, the more recent change, the older record, and at last the canonical order, so
// that there is always exactly one answer.
func (d *dataset) choose(members []uint32, s *survival) (uint32, bool) {
	var best candidate
	found := false
	for _, r := range members {
		if d.filled(r, s.attributes) == 0 {
			continue
		}
		c := d.candidate(r, members, s)
		if !found || c.compare(&best) < 0 {
			best, found = c, true
		}
	}
	return best.record, found
}

// candidate is a member with all that decides; smaller is better.
type candidate struct {
	record  uint32
	score   int64 // by policies that count
	text    string
	kind    Type
	sign    int // of a comparison of texts: 1 prefers the smaller, -1 the greater, 0 ignores it
	rank    int
	updated int64
	seen    int64
}

func (d *dataset) candidate(r uint32, members []uint32, s *survival) candidate {
	h := &d.heads[r]
	c := candidate{record: r, rank: s.rank[h.source], updated: -h.updated, seen: age(h)}
	switch first := s.attributes[0]; s.policy {
	case MostRecent:
		c.score = -h.updated
	case LeastRecent:
		c.score = h.updated
		if h.updated == 0 { // unknown is not old
			c.score = 1<<63 - 1
		}
	case MostFrequent:
		for _, m := range members {
			if d.agree(r, m, s.attributes) {
				c.score--
			}
		}
	case MostComplete:
		c.score = -int64(d.filled(r, s.attributes))
		if len(s.attributes) == 1 {
			c.score = -int64(d.filledAll(r))
		}
	case Longest:
		for _, a := range s.attributes {
			c.score -= int64(len([]rune(d.shown(r, a))))
		}
	case Min, Max:
		c.kind = d.plan.job.Attributes[first].Type
		c.text = d.ordering(r, first)
		c.sign = 1
		if s.policy == Max {
			c.sign = -1
		}
	}
	return c
}

func (c *candidate) compare(o *candidate) int {
	byText := 0
	if c.sign != 0 && (c.text == "" || o.text == "") {
		byText = -cmp.Compare(c.text, o.text) // a member without the value is last
	} else if c.sign != 0 {
		byText = c.sign * compareTexts(c.text, o.text)
	}
	return cmp.Or(cmp.Compare(c.score, o.score), byText, cmp.Compare(c.rank, o.rank), cmp.Compare(c.updated, o.updated),
		cmp.Compare(c.seen, o.seen), cmp.Compare(c.record, o.record))
}

// compareTexts compares numbers as numbers; a number is less than any other text.
func compareTexts(a, b string) int {
	x, errX := decimal.NewFromString(a)
	y, errY := decimal.NewFromString(b)
	switch {
	case errX == nil && errY == nil:
		return cmp.Or(x.Cmp(y), cmp.Compare(a, b))
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

// ordering answers what Min and Max compare: the match form of a date, the raw text of anything else.
func (d *dataset) ordering(r uint32, attribute int) string {
	if d.plan.job.Attributes[attribute].Type == Date {
		return d.match(r, attribute)
	}
	return d.shown(r, attribute)
}

func (d *dataset) rawOf(r uint32, attribute int) rawValue {
	return d.columns[attribute].raws[d.raw[int(r)*len(d.columns)+attribute]]
}

func (d *dataset) match(r uint32, attribute int) string {
	c := d.columns[attribute]
	return c.values[d.rawOf(r, attribute).value].text
}

// shown answers the shown form of a value, "" for a missing one.
func (d *dataset) shown(r uint32, attribute int) string {
	raw := d.rawOf(r, attribute)
	if raw.text == "" {
		return ""
	}
	c := d.columns[attribute]
	return normal.Tidy(c.kind.show(c.values[raw.value].text, raw.text))
}

func (d *dataset) filled(r uint32, attributes []int) int {
	n := 0
	for _, a := range attributes {
		if d.shown(r, a) != "" {
			n++
		}
	}
	return n
}

func (d *dataset) filledAll(r uint32) int {
	n := 0
	for a := range d.columns {
		if d.rawOf(r, a).text != "" {
			n++
		}
	}
	return n
}

func (d *dataset) agree(r, m uint32, attributes []int) bool {
	for _, a := range attributes {
		if d.match(r, a) != d.match(m, a) {
			return false
		}
	}
	return true
}

// age orders records by when they were first seen; one without that time comes last.
func age(h *head) int64 {
	if h.seen == 0 {
		return 1<<63 - 1
	}
	return h.seen
}

// oldest puts the members of a cluster in the order they were first seen, then in canonical order.
func (d *dataset) oldest(members []uint32) {
	slices.SortFunc(members, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(age(&d.heads[a]), age(&d.heads[b])), cmp.Compare(a, b))
	})
}
