package unify

// plan is a validated job made ready to run: which attributes are compared, and how they hang together.
type plan struct {
	job    Job
	fields []field
	swaps  [][2]int // fields whose values are sometimes entered in each other's place
	full   []int    // full-name fields, compared only where given and family name are not
	given  int      // field, -1 when there is none
	family int
	rules  []rule
	gate   []int // fields of which none may plainly disagree
}

// field is an attribute that is compared.
type field struct {
	attribute int
	name      string
	kind      *kind
	kindName  Type
	unique    bool
}

// rule is a [Rule] with its attributes resolved.
type rule struct {
	name   string
	match  []condition
	unless []int
}

type condition struct {
	field int
	worst level // the worst level that still agrees
}

func newPlan(j Job) (*plan, error) {
	if err := j.Validate(); err != nil {
		return nil, err
	}
	p := &plan{job: j, given: -1, family: -1}
	for i, a := range j.Attributes {
		if !a.GoldenOnly {
			p.fields = append(p.fields, field{attribute: i, name: a.Name, kind: kinds[a.Type], kindName: a.Type, unique: a.Unique})
		}
	}
	p.relate()
	for _, r := range j.Rules {
		p.rules = append(p.rules, p.compile(r))
	}
	for _, name := range j.Score.Gate {
		p.gate = append(p.gate, p.field(name))
	}
	return p, nil
}

// relate finds the fields that belong together: the first given and family name, full names, and the first two addresses.
func (p *plan) relate() {
	var addresses []int
	for i, f := range p.fields {
		switch {
		case f.kindName == GivenName && p.given < 0:
			p.given = i
		case f.kindName == FamilyName && p.family < 0:
			p.family = i
		case f.kindName == FullName:
			p.full = append(p.full, i)
		case f.kindName == Address:
			addresses = append(addresses, i)
		}
	}
	if p.given >= 0 && p.family >= 0 {
		p.swaps = append(p.swaps, [2]int{p.given, p.family})
	}
	if len(addresses) >= 2 {
		p.swaps = append(p.swaps, [2]int{addresses[0], addresses[1]})
	}
}

func (p *plan) compile(r Rule) rule {
	out := rule{name: r.Name}
	for _, m := range r.Match {
		f := p.field(m.Attribute)
		worst := equal
		if m.How == Fuzzy {
			worst = p.fields[f].kind.fuzzy
		}
		out.match = append(out.match, condition{field: f, worst: worst})
	}
	for _, name := range r.Unless {
		out.unless = append(out.unless, p.field(name))
	}
	return out
}

// field answers the position of a named field, -1 when the attribute is not compared.
func (p *plan) field(name string) int {
	for i := range p.fields {
		if p.fields[i].name == name {
			return i
		}
	}
	return -1
}
