package unify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
)

// Model is all that was learned from the data: given it, the weight of a pair depends on the two records alone. It is a
// value, stored as JSON; one that was read back answers exactly as the one written.
type Model struct {
	Version   string       `json:"version"` // hash of the rest
	Job       string       `json:"job"`
	Fields    []FieldModel `json:"fields"`
	Passes    []PassModel  `json:"passes"`
	Prior     float64      `json:"prior"`             // probability that a pair the job asks about is a match
	Related   float64      `json:"related,omitempty"` // the same for different people of one household; 0 without that class
	Threshold float64      `json:"threshold"`         // bits; a pair at or above it is a match
}

// FieldModel is what was learned about one attribute.
type FieldModel struct {
	Attribute string             `json:"attribute"`
	Type      Type               `json:"type"`
	Levels    []LevelModel       `json:"levels"`
	Rest      float64            `json:"rest"`             // chance that two different things agree on a value not in Common
	Common    map[string]float64 `json:"common,omitempty"` // the same for each frequent value
}

// LevelModel holds the probability of a level of agreement among matches, among pairs of one household, and among the
// others. They add up to 1 over the levels: pairs with a missing value are not counted.
type LevelModel struct {
	Name string  `json:"name"`
	M    float64 `json:"m"`
	R    float64 `json:"r,omitempty"`
	U    float64 `json:"u"`
}

// seal writes the version: the model is what it says from here on.
func (m *Model) seal() error {
	m.Version = ""
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("unify: model: %w", err)
	}
	sum := sha256.Sum256(text)
	m.Version = hex.EncodeToString(sum[:8])
	return nil
}

// fits checks that a model is one of this plan's shape, so that it can stand in for training.
func (m *Model) fits(p *plan) error {
	if p.job.Score.Enabled && len(m.Fields) != len(p.fields) {
		return fmt.Errorf("unify: model %s knows %d attributes, the job compares %d", m.Version, len(m.Fields), len(p.fields))
	}
	for i, f := range m.Fields {
		if i >= len(p.fields) || f.Attribute != p.fields[i].name || f.Type != p.fields[i].kindName || len(f.Levels) != len(p.fields[i].kind.levels) {
			return fmt.Errorf("unify: model %s does not fit the job at attribute %q", m.Version, f.Attribute)
		}
	}
	rules := 0
	for _, pass := range m.Passes {
		for _, key := range append(pass.Keys[:len(pass.Keys):len(pass.Keys)], pass.Then) {
			if key == "" {
				continue
			}
			if _, err := parsePart(&p.job, key); err != nil {
				return fmt.Errorf("unify: model %s: pass %q: %w", m.Version, pass.Name, err)
			}
		}
		if pass.Rule != "" {
			rules++
		}
	}
	if rules != len(p.rules) {
		return fmt.Errorf("unify: model %s was made for other rules", m.Version)
	}
	return nil
}

// maxLevels is above the number of levels of any type, the missing one included.
const maxLevels = 8

// pattern is the level of every field for one pair.
type pattern [maxFields]level

// scorer is a model compiled for one dataset: weights in bits by level and, for equal values, by value.
type scorer struct {
	data    *dataset
	prior   float64
	match   [][]float64 // [field][level]: log2 m/u
	related [][]float64 // [field][level]: log2 r/u; nil without that class
	equal   [][]float64 // [field][value]: what the frequency of an equal value adds to both
	odds    float64     // log2 of the odds of the related class
}

func newScorer(d *dataset, m *Model) *scorer {
	s := &scorer{data: d, prior: log2Odds(m.Prior)}
	for f, fm := range m.Fields {
		weights := make([]float64, len(fm.Levels)+1)
		others := make([]float64, len(fm.Levels)+1)
		for l, lm := range fm.Levels {
			weights[l+1] = math.Log2(lm.M / lm.U)
			others[l+1] = math.Log2(lm.R / lm.U)
		}
		s.match = append(s.match, weights)
		if m.Related > 0 {
			s.related = append(s.related, others)
		}
		s.equal = append(s.equal, d.frequency(f, &fm))
	}
	if m.Related > 0 {
		s.odds = log2Odds(m.Related)
	}
	return s
}

// frequency answers, per value, how much more or less agreement on it says than agreement on an average one.
func (d *dataset) frequency(f int, fm *FieldModel) []float64 {
	values := d.columns[d.plan.fields[f].attribute].values
	out := make([]float64, len(values))
	for i := 1; i < len(values); i++ {
		u, ok := fm.Common[values[i].text]
		if !ok {
			u = fm.Rest
		}
		out[i] = math.Log2(fm.Levels[0].U / u)
	}
	return out
}

// weigh answers the weight of a pair in bits without the prior. parts, when not nil, receives the weight of each field.
func (s *scorer) weigh(a, b uint32, levels *pattern, parts *[maxFields]float64) float64 {
	row := s.data.row(a)
	sum, other := 0.0, s.odds
	for f, weights := range s.match {
		l := levels[f]
		w, extra := weights[l], 0.0
		if l == equal {
			extra = s.equal[f][row[f]]
		}
		sum += w + extra
		if parts != nil {
			parts[f] = w + extra
		}
		if s.related != nil {
			if other += s.related[f][l]; s.data.plan.fields[f].kind.shared {
				other += extra
			}
		}
	}
	if s.related != nil {
		sum -= math.Log2(1 + math.Exp2(other))
	}
	return sum
}

func log2Odds(p float64) float64 { return math.Log2(p / (1 - p)) }

// probability turns log2 odds into a probability.
func probability(bits float64) float64 { return 1 / (1 + math.Exp2(-bits)) }
