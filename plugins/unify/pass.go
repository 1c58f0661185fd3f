package unify

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxPasses bounds the memory for block numbers, four bytes per record and pass.
const maxPasses = 24

// templates are the passes worth trying, written with types in place of attributes. A key of a template that is met by
// several attributes makes several passes.
var templates = [][]string{
	{"identifier"}, {"email"}, {"email:local"}, {"phone"}, {"phone:last7"},
	{"date", "family_name:soundex"}, {"date", "given_name:2"}, {"date", "given_name|family_name:1"}, {"date", "postcode"},
	{"date", "city"}, {"date", "full_name:longest"}, {"date", "full_name:initials"}, {"date"},
	{"given_name|family_name"}, {"given_name|family_name", "city"}, {"given_name|family_name", "date:year"},
	{"given_name|family_name", "date:monthday"}, {"given_name|family_name:soundex", "date:year"},
	{"given_name|family_name:soundex", "city"}, {"given_name|family_name:soundex", "postcode"}, {"given_name|family_name:soundex"},
	{"family_name:soundex", "given_name:1", "postcode"}, {"given_name:3", "family_name:4"}, {"given_name:1", "family_name", "date:year"},
	{"family_name", "postcode"}, {"family_name", "postcode:area"}, {"family_name", "city"}, {"family_name", "date:monthday"},
	{"given_name", "postcode"}, {"given_name", "date:monthday"}, {"given_name", "date:year", "city"}, {"given_name", "phone:last4"},
	{"full_name"}, {"full_name:sounds"}, {"full_name:sounds", "date:year"}, {"full_name:longest", "date:year"},
	{"full_name:longest", "postcode"}, {"full_name:longest", "city"}, {"full_name:longest", "phone:last4"},
	{"address", "postcode"}, {"address", "city"}, {"address", "given_name:3"}, {"address", "full_name:initials"},
	{"address:digits", "postcode", "family_name:1"}, {"postcode"}, {"postcode", "date:year"},
	{"organisation"}, {"organisation:first", "postcode"}, {"organisation:first", "city"}, {"organisation:longest"},
	{"text"}, {"text:longest"},
	// Wide ones, affordable for small sets only.
	{"given_name"}, {"family_name"}, {"family_name:soundex"}, {"city"}, {"city", "given_name:1"}, {"city", "family_name:1"},
	{"date:year", "city"}, {"date:year", "given_name:1"}, {"date:year", "family_name:1"}, {"date:monthday"}, {"email:4"}, {"full_name:longest"},
}

// substitutes are the keys that split a block grown too big, the first one that is not part of the pass already.
var substitutes = []string{
	"date", "family_name:soundex", "given_name:1", "full_name:longest", "postcode", "city", "organisation:first", "address:digits", "phone",
	"email", "identifier", "text:longest",
}

// candidates instantiates the templates for the attributes of the plan.
func (p *plan) candidates() []PassModel {
	var out []PassModel
	for _, t := range templates {
		for _, keys := range p.instances(t) {
			out = append(out, p.passOf(keys))
		}
	}
	return out
}

// instances answers every way to fill the types of a template with attributes.
func (p *plan) instances(template []string) [][]string {
	out := [][]string{nil}
	for _, key := range template {
		var longer [][]string
		for _, fill := range p.fill(key) {
			for _, keys := range out {
				longer = append(longer, append(slices.Clone(keys), fill))
			}
		}
		out = longer
	}
	return out
}

// fill answers a template key with attributes for its types: two types mean the plan's given and family name.
func (p *plan) fill(key string) []string {
	types, transform, found := strings.Cut(key, ":")
	if found {
		transform = ":" + transform
	}
	if strings.Contains(types, "|") {
		if p.given < 0 || p.family < 0 {
			return nil
		}
		return []string{p.fields[p.given].name + "|" + p.fields[p.family].name + transform}
	}
	var out []string
	for _, f := range p.fields {
		if string(f.kindName) == types {
			out = append(out, f.name+transform)
		}
	}
	return out
}

// passOf makes a pass of its keys and chooses the key that splits its big blocks.
func (p *plan) passOf(keys []string) PassModel {
	m := PassModel{Name: strings.Join(keys, " + "), Keys: keys}
	for _, s := range substitutes {
		for _, key := range p.fill(s) {
			name, _, _ := strings.Cut(key, ":")
			if m.Then == "" && !slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(partNames(k), name) }) {
				m.Then = key
			}
		}
	}
	return m
}

// partNames answers the attributes of a key.
func partNames(key string) []string {
	names, _, _ := strings.Cut(key, ":")
	return strings.Split(names, "|")
}

// rulePasses answers one pass per rule: its exact conditions are the key. A key shared by more records than the cap is a
// hub, such as the address of a help desk, and decides nothing.
func (p *plan) rulePasses() []PassModel {
	var out []PassModel
	for _, r := range p.rules {
		m := PassModel{Name: "rule " + r.name, Rule: r.name}
		for _, c := range r.match {
			if c.worst == equal {
				m.Keys = append(m.Keys, p.fields[c.field].name)
			}
		}
		out = append(out, m)
	}
	return out
}

// passes answers the passes of a new model: one per rule, then the job's own or, when it has none, proposed ones.
func (b *blocker) passes() []PassModel {
	p := b.data.plan
	out := p.rulePasses()
	if !p.job.Score.Enabled {
		return out
	}
	for _, own := range p.job.Passes {
		out = append(out, p.passOf(own.Keys))
	}
	if len(p.job.Passes) == 0 {
		out = append(out, b.propose()...)
	}
	return out
}

// propose answers the passes of the templates that together stay within the budget, cheapest first, without those that
// find nothing but pairs of another.
func (b *blocker) propose() []PassModel {
	type offer struct {
		pass  PassModel
		cost  int64
		whole bool // no block is above the cap
	}
	var offers []offer
	for _, m := range b.data.plan.candidates() {
		if cost, whole := b.cost(m); cost > 0 {
			offers = append(offers, offer{m, cost, whole})
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return cmp.Compare(a.cost, b.cost) })
	left := int64(b.data.plan.job.budget()) * int64(b.data.len())
	var chosen []offer
	for _, o := range offers {
		rest, refund := make([]offer, 0, len(chosen)+1), int64(0)
		for _, c := range chosen {
			if o.whole && o.pass.covers(c.pass) {
				refund += c.cost
			} else {
				rest = append(rest, c)
			}
		}
		if len(chosen) > 0 && (o.cost > left+refund || len(rest) == maxPasses) {
			continue
		}
		left += refund - o.cost
		chosen = append(rest, o)
	}
	var out []PassModel
	for _, c := range chosen {
		out = append(out, c.pass)
	}
	return out
}

// covers tells whether every pair of pass o is one of m: each key of m follows from one of o.
func (m *PassModel) covers(o PassModel) bool {
	for _, wide := range m.Keys {
		if !slices.ContainsFunc(o.Keys, func(narrow string) bool { return follows(wide, narrow) }) {
			return false
		}
	}
	return true
}

// follows tells whether records that agree on the narrow key agree on the wide one.
func follows(wide, narrow string) bool {
	w, wideHow, _ := strings.Cut(wide, ":")
	n, narrowHow, _ := strings.Cut(narrow, ":")
	if w != n {
		return false
	}
	shorter, err := strconv.Atoi(wideHow)
	longer, err2 := strconv.Atoi(narrowHow)
	return narrowHow == "" || wideHow == narrowHow || err == nil && err2 == nil && shorter <= longer
}
