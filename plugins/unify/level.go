package unify

// compare answers the levels of a pair, each field by itself.
func (d *dataset) compare(a, b uint32, out *pattern) {
	x, y := d.row(a), d.row(b)
	for f := range d.plan.fields {
		out[f] = d.level(f, x[f], y[f])
	}
}

func (d *dataset) level(f int, x, y uint32) level {
	switch {
	case x == 0 || y == 0:
		return missing
	case x == y:
		return equal
	}
	field := &d.plan.fields[f]
	values := d.columns[field.attribute].values
	a, b := &values[x], &values[y]
	if a.text > b.text {
		a, b = b, a
	}
	return field.kind.compare(a, b)
}

// settle turns levels of single fields into evidence that may be added up: a pair of fields filled in each other's place
// counts once, as swapped, and a full name says nothing that given and family name have not said.
func (d *dataset) settle(a, b uint32, levels *pattern) {
	p := d.plan
	for _, pair := range p.swaps {
		f, g := pair[0], pair[1]
		if levels[f] >= 4 && levels[g] >= 4 && d.swapped(a, b, f, g) {
			levels[f] = p.fields[f].kind.swapped()
			levels[g] = missing
		}
	}
	if len(p.full) > 0 && p.given >= 0 && p.family >= 0 && (levels[p.given] != missing && levels[p.family] != missing ||
		levels[p.given] == p.fields[p.given].kind.swapped()) {
		for _, f := range p.full {
			levels[f] = missing
		}
	}
}

// swapped tells whether each of two fields of one record is like the other field of the other record.
func (d *dataset) swapped(a, b uint32, f, g int) bool {
	x, y := d.row(a), d.row(b)
	return d.alike(f, x[f], g, y[g]) && d.alike(g, x[g], f, y[f])
}

func (d *dataset) alike(f int, x uint32, g int, y uint32) bool {
	if x == 0 || y == 0 {
		return false
	}
	a := d.columns[d.plan.fields[f].attribute].values[x].text
	b := d.columns[d.plan.fields[g].attribute].values[y].text
	return jaroWinkler(a, b) >= closely
}

// swapped answers the level for values found in another field: the last but one of the types that have it.
func (k *kind) swapped() level { return k.different() - 1 }

// decide answers the first rule that a pair meets, -1 for none. It looks at levels before they are settled.
func (p *plan) decide(levels *pattern) int {
	for i := range p.rules {
		if p.rules[i].met(p, levels) {
			return i
		}
	}
	return -1
}

func (r *rule) met(p *plan, levels *pattern) bool {
	for _, c := range r.match {
		if l := levels[c.field]; l == missing || l > c.worst {
			return false
		}
	}
	for _, f := range r.unless {
		if levels[f] == p.fields[f].kind.different() {
			return false
		}
	}
	return true
}

// gated tells whether a pair plainly disagrees on a field that forbids it to match by score.
func (p *plan) gated(levels *pattern) bool {
	for _, f := range p.gate {
		if levels[f] == p.fields[f].kind.different() {
			return true
		}
	}
	return false
}
