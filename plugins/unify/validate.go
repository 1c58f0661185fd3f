package unify

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Limits of one job: a comparison pattern must fit 64 bits and a set of sources one word.
const (
	maxFields  = 20
	maxSources = 64
)

// Validate answers every mistake of the definition at once, each with its place, as in
// `sources[1].map.email: no such attribute`.
func (j *Job) Validate() error {
	c := &checker{job: j}
	c.head()
	c.attributes()
	c.sources()
	c.rules()
	c.score()
	c.passes()
	c.golden()
	c.decisions()
	if len(c.errs) == 0 {
		return nil
	}
	return fmt.Errorf("unify: job: %w", errors.Join(c.errs...))
}

type checker struct {
	job  *Job
	errs []error
}

func (c *checker) fail(place, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
}

func (c *checker) head() {
	j := c.job
	if j.Name == "" {
		c.fail("name", "is empty")
	}
	if !phonenumbers.GetSupportedRegions()[j.region()] {
		c.fail("region", "%q is no region code such as US or DE", j.Region)
	}
	c.dateOrder("date_order", j.DateOrder)
	if j.BlockCap < 0 || j.BlockCap == 1 {
		c.fail("block_cap", "must be at least 2")
	}
	if j.Budget < 0 {
		c.fail("budget", "must not be negative")
	}
}

func (c *checker) dateOrder(place string, o DateOrder) {
	if o != "" && o != MonthFirst && o != DayFirst {
		c.fail(place, "%q is neither %q nor %q", o, MonthFirst, DayFirst)
	}
}

func (c *checker) attributes() {
	compared := 0
	seen := map[string]bool{}
	for i, a := range c.job.Attributes {
		place := fmt.Sprintf("attributes[%d]", i)
		switch {
		case a.Name == "":
			c.fail(place+".name", "is empty")
		case strings.ContainsAny(a.Name, ":|"):
			c.fail(place+".name", "%q may not contain ':' or '|'", a.Name)
		case seen[a.Name]:
			c.fail(place+".name", "%q is there twice", a.Name)
		}
		seen[a.Name] = true
		if kinds[a.Type] == nil {
			c.fail(place+".type", "%q is no type; known are %s", a.Type, strings.Join(typeNames(), ", "))
		}
		if a.KeepTag && a.Type != Email {
			c.fail(place+".keep_tag", "is for e-mail only")
		}
		if a.GoldenOnly && a.Unique {
			c.fail(place+".golden_only", "a unique attribute is always compared")
		}
		if !a.GoldenOnly {
			compared++
		}
	}
	if compared == 0 {
		c.fail("attributes", "none is compared")
	}
	if compared > maxFields {
		c.fail("attributes", "%d are compared, at most %d may be; mark the others golden_only", compared, maxFields)
	}
}

func (c *checker) sources() {
	if len(c.job.Sources) == 0 {
		c.fail("sources", "is empty")
	}
	if len(c.job.Sources) > maxSources {
		c.fail("sources", "has %d entries, at most %d may be", len(c.job.Sources), maxSources)
	}
	seen := map[string]bool{}
	for i, s := range c.job.Sources {
		place := fmt.Sprintf("sources[%d]", i)
		switch {
		case s.Table == "":
			c.fail(place+".table", "is empty")
		case seen[s.Table]:
			c.fail(place+".table", "%q is there twice", s.Table)
		}
		seen[s.Table] = true
		c.dateOrder(place+".date_order", s.DateOrder)
		if len(s.Map) == 0 {
			c.fail(place+".map", "is empty")
		}
		for _, name := range sortedKeys(s.Map) {
			if c.job.attribute(name) < 0 {
				c.fail(place+".map."+name, "no such attribute")
			}
			if s.Map[name] == "" {
				c.fail(place+".map."+name, "names no column")
			}
		}
	}
	if len(c.job.Sources) == 1 && c.job.Sources[0].Unique {
		c.fail("sources[0].unique", "a single source without duplicates leaves nothing to match")
	}
}

// compared checks that a name is an attribute that takes part in comparisons.
func (c *checker) compared(place, name string) {
	switch i := c.job.attribute(name); {
	case i < 0:
		c.fail(place, "no attribute %q", name)
	case c.job.Attributes[i].GoldenOnly:
		c.fail(place, "attribute %q is golden_only", name)
	}
}

func (c *checker) rules() {
	seen := map[string]bool{}
	for i, r := range c.job.Rules {
		place := fmt.Sprintf("rules[%d]", i)
		if r.Name == "" {
			c.fail(place+".name", "is empty")
		} else if seen[r.Name] {
			c.fail(place+".name", "%q is there twice", r.Name)
		}
		seen[r.Name] = true
		exact := false
		for k, m := range r.Match {
			at := fmt.Sprintf("%s.match[%d]", place, k)
			c.compared(at+".attribute", m.Attribute)
			switch m.How {
			case "", Exact:
				exact = true
			case Fuzzy:
			default:
				c.fail(at+".how", "%q is neither %q nor %q", m.How, Exact, Fuzzy)
			}
		}
		if !exact {
			c.fail(place+".match", "needs at least one exact condition, or every pair would be compared")
		}
		for k, name := range r.Unless {
			c.compared(fmt.Sprintf("%s.unless[%d]", place, k), name)
		}
	}
}

func (c *checker) score() {
	s := c.job.Score
	if !s.Enabled && len(c.job.Rules) == 0 && len(c.job.Always) == 0 {
		c.fail("score.enabled", "is off and there are no rules: nothing would match")
	}
	if s.Threshold != nil && (math.IsNaN(*s.Threshold) || math.Abs(*s.Threshold) > 100) {
		c.fail("score.threshold", "must be between -100 and 100 bits")
	}
	if s.Households && !slices.ContainsFunc(c.job.Attributes, func(a Attribute) bool { return a.Type == Address && !a.GoldenOnly }) {
		c.fail("score.households", "needs an attribute of type address to know a household by")
	}
	for i, name := range s.Gate {
		c.compared(fmt.Sprintf("score.gate[%d]", i), name)
	}
}

func (c *checker) passes() {
	for i, p := range c.job.Passes {
		place := fmt.Sprintf("passes[%d].keys", i)
		if len(p.Keys) == 0 {
			c.fail(place, "is empty")
		}
		for k, text := range p.Keys {
			if _, err := parsePart(c.job, text); err != nil {
				c.fail(fmt.Sprintf("%s[%d]", place, k), "%s", err)
			}
		}
	}
}

func (c *checker) golden() {
	g := c.job.Golden
	if g.Default != "" {
		c.policy("golden.default", g.Default)
	}
	taken := map[string]bool{}
	for i, k := range g.Keep {
		place := fmt.Sprintf("golden.keep[%d]", i)
		if len(k.Attributes) == 0 {
			c.fail(place+".attributes", "is empty")
		}
		for n, name := range k.Attributes {
			at := fmt.Sprintf("%s.attributes[%d]", place, n)
			if c.job.attribute(name) < 0 {
				c.fail(at, "no attribute %q", name)
			} else if taken[name] {
				c.fail(at, "%q has a policy already", name)
			}
			taken[name] = true
		}
		c.policy(place+".policy", k.Policy)
		for n, table := range k.Sources {
			if c.job.source(table) < 0 {
				c.fail(fmt.Sprintf("%s.sources[%d]", place, n), "no source %q", table)
			}
		}
	}
}

func (c *checker) policy(place string, p Policy) {
	known := []Policy{MostRecent, LeastRecent, SourcePriority, MostFrequent, MostComplete, Longest, Min, Max}
	if !slices.Contains(known, p) {
		c.fail(place, "%q is no policy; known are %v", p, known)
	}
}

func (c *checker) decisions() {
	always := map[Decision]bool{}
	for i, d := range c.job.Always {
		c.decision(fmt.Sprintf("always[%d]", i), d)
		always[d.ordered()] = true
	}
	for i, d := range c.job.Never {
		place := fmt.Sprintf("never[%d]", i)
		c.decision(place, d)
		if always[d.ordered()] {
			c.fail(place, "the same pair is in always")
		}
	}
}

func (c *checker) decision(place string, d Decision) {
	for _, r := range []Ref{d.A, d.B} {
		if c.job.source(r.Source) < 0 {
			c.fail(place, "no source %q", r.Source)
		}
	}
	if d.A == d.B {
		c.fail(place, "a record with itself")
	}
}

// ordered puts the smaller reference first, so that both spellings of a pair are the same value.
func (d Decision) ordered() Decision {
	if d.B.Source < d.A.Source || d.B.Source == d.A.Source && d.B.ID < d.A.ID {
		return Decision{A: d.B, B: d.A}
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
