package classify

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// Limits of a model, so that bytes from outside cannot ask for any amount of memory.
const (
	maxClasses  = 10_000
	maxFeatures = 2_000_000
)

// Model is a trained classifier. It does not change; any number of goroutines may use it at once.
type Model struct {
	version     string
	labels      []string // ascending
	docs        int      // training texts
	temperature float64
	report      Report

	keys    []key     // ascending; a feature's number is its place
	df      []int32   // texts that have the feature
	idf     []float32 // of df and docs
	scale   []float32 // weight of a feature for a class = scale[feature] * weights[feature*classes+class]
	weights []int8
	bias    []float32

	places  map[key]int32
	scratch sync.Pool
}

// Prediction is a model's answer for one text.
type Prediction struct {
	Label        string
	P            float64       // calibrated probability of Label
	Alternatives []Alternative // the next labels, at most 3, by falling probability
	Abstain      bool          // P is below the threshold, or nothing in the text is known: ask a person
	Why          []Contribution
}

// Alternative is another label that the text might have.
type Alternative struct {
	Label string
	P     float64
}

// Contribution is what one word of the text added to the score of the answer, with its character n-grams and its
// share of word pairs; negative speaks against. The strongest are listed, at most 5. All words and the bias of the
// label make up the score exactly.
type Contribution struct {
	Word   string  `json:"word"`
	Weight float64 `json:"weight"`
}

const (
	alternatives  = 3
	contributions = 5
)

// Version is a hash of the training texts, the settings and the revision of the algorithm: equal versions, equal models.
func (m *Model) Version() string { return m.version }

// Labels are the labels that the model can answer, ascending.
func (m *Model) Labels() []string { return slices.Clone(m.labels) }

// Report tells how good the model is on texts that it has not seen. The caller must not change it.
func (m *Model) Report() Report { return m.report }

// Predict classifies one text. It takes time and memory proportional to the text, which should be limited by the caller.
func (m *Model) Predict(text string) Prediction {
	s := m.borrow()
	defer m.giveBack(s)
	s.text.reset(text)
	known := s.weigh(m)
	copy(s.scores, m.bias)
	m.addScores(known, s.scores)
	best := argmax(s.scores)
	p := softmax(s.scores, m.temperature, s.p)

	answer := Prediction{
		Label: m.labels[best], P: p[best],
		Abstain:      len(known.ids) == 0 || p[best] < m.report.Threshold,
		Alternatives: make([]Alternative, 0, min(alternatives, len(p)-1)),
		Why:          s.explain(m, best),
	}
	p[best] = -1
	for range cap(answer.Alternatives) {
		next := 0
		for class := range p {
			if p[class] > p[next] {
				next = class
			}
		}
		answer.Alternatives = append(answer.Alternatives, Alternative{m.labels[next], p[next]})
		p[next] = -1
	}
	return answer
}

// addScores adds each class' weights times the row.
func (m *Model) addScores(row vector, scores []float32) {
	classes := len(scores)
	for at, id := range row.ids {
		x := row.values[at] * m.scale[id]
		weights := m.weights[int(id)*classes:][:classes]
		for class, w := range weights {
			scores[class] += x * float32(w)
		}
	}
}

// quantise stores weights[class][feature] in 8 bits with one scale per feature.
func (m *Model) quantise(weights [][]float32) {
	classes := len(weights)
	m.scale = make([]float32, len(m.keys))
	m.weights = make([]int8, len(m.keys)*classes)
	for id := range m.keys {
		var largest float32
		for class := range weights {
			largest = max(largest, float32(math.Abs(float64(weights[class][id]))))
		}
		if largest == 0 {
			continue
		}
		m.scale[id] = largest / math.MaxInt8
		for class := range weights {
			m.weights[id*classes+class] = int8(math.RoundToEven(float64(weights[class][id] / m.scale[id])))
		}
	}
}

// index prepares for Predict; the last step of making a model.
func (m *Model) index() {
	m.places = make(map[key]int32, len(m.keys))
	for id, k := range m.keys {
		m.places[k] = int32(id)
	}
}

// occurrence is a known feature at a place in the text; first and last are words.
type occurrence struct {
	at          int32 // place in scratch.ids
	first, last int32
}

// scratch is the working memory of one Predict.
type scratch struct {
	text   normalText
	seen   []int32 // by feature: its place in ids, plus 1
	ids    []int32
	counts []float32 // by place: how often; then what one occurrence is worth
	values []float32 // by place
	found  []occurrence
	scores []float32
	p      []float64
	words  []float64 // by word: its contribution
}

func (m *Model) borrow() *scratch {
	if s, ok := m.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{
		seen: make([]int32, len(m.keys)), scores: make([]float32, len(m.labels)), p: make([]float64, len(m.labels)),
	}
}

// giveBack keeps the memory for the next call, but not that of an unusually long text.
func (m *Model) giveBack(s *scratch) {
	const usual = 1 << 16
	if cap(s.text.runes) <= usual {
		m.scratch.Put(s)
	}
}

// weigh counts the known features of the text and weighs them as in training. The vector lives until the next call;
// its features are in order of appearance.
func (s *scratch) weigh(m *Model) vector {
	s.ids, s.counts, s.values, s.found = s.ids[:0], s.counts[:0], s.values[:0], s.found[:0]
	s.text.features(func(k key, first, last int) {
		id, ok := m.places[k]
		if !ok {
			return
		}
		at := s.seen[id] - 1
		if at < 0 {
			at = int32(len(s.ids))
			s.seen[id] = at + 1
			s.ids, s.counts = append(s.ids, id), append(s.counts, 0)
		}
		s.counts[at]++
		s.found = append(s.found, occurrence{at, int32(first), int32(last)})
	})
	var square [blocks]float64
	for at, id := range s.ids {
		s.seen[id] = 0
		x := sublinear(int(s.counts[at])) * m.idf[id]
		square[m.keys[id].block()] += float64(x) * float64(x)
		s.values = append(s.values, x)
	}
	scale := unit(square)
	for at, id := range s.ids {
		s.values[at] *= scale[m.keys[id].block()]
	}
	return vector{s.ids, s.values}
}

// explain shares the score of a class among the words of the text.
func (s *scratch) explain(m *Model, class int) []Contribution {
	s.words = append(s.words[:0], make([]float64, len(s.text.words))...)
	for at, id := range s.ids {
		w := s.values[at] * m.scale[id] * float32(m.weights[int(id)*len(m.labels)+class])
		s.counts[at] = w / s.counts[at]
	}
	for _, o := range s.found {
		half := float64(s.counts[o.at]) / 2
		s.words[o.first] += half
		s.words[o.last] += half
	}

	why := make([]Contribution, 0, contributions)
	var word []byte
	for i, weight := range s.words {
		if weight == 0 {
			continue
		}
		if len(why) == contributions && math.Abs(weight) <= math.Abs(why[contributions-1].Weight) {
			continue
		}
		word = s.text.appendWord(word[:0], i)
		why = insert(why, string(word), weight)
	}
	return why
}

// insert keeps the strongest contributions, by falling strength; ties stay in order of the text.
func insert(why []Contribution, word string, weight float64) []Contribution {
	place, _ := slices.BinarySearchFunc(why, math.Abs(weight), func(c Contribution, strength float64) int {
		if math.Abs(c.Weight) >= strength {
			return -1
		}
		return cmp.Compare(strength, math.Abs(c.Weight))
	})
	if len(why) == contributions {
		why = why[:contributions-1]
	}
	return slices.Insert(why, place, Contribution{word, weight})
}
