package classify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"colonnade/core"
)

// ErrData marks training data or options that cannot give a model; the message says what to change.
var ErrData = errors.New("classify: cannot train")

// Example is one text with its label.
type Example struct {
	Text  string
	Label string
}

// Options of [Train]. The zero value is a good choice.
type Options struct {
	Folds       int     // parts of the cross-validation, 2 to 50; 0 means 5
	C           float64 // how hard the machine tries to fit each example, above 0; 0 means 1
	MinDF       int     // texts that a feature must occur in; 0 means 2, or 1 below 1,000 texts
	MaxFeatures int     // the most frequent features kept; 0 means 100,000
	Target      float64 // precision to hold by abstaining, above 0 to 1; 0 means 0.95
	Repeats     bool    // the texts to come repeat those trained on word for word, as form letters do: copies need not share a fold
	Seed        uint64  // of folds and training order
	Threads     int     // goroutines; 0 means all processors. Does not change the model
}

// The size from which on a feature must occur twice. In small sets single occurrences help: on BANKING77 with 5, 10, 30
// and 60 texts a label they gain 1.4, 0.8, 0.3 and 0.3 points, and nearly double the model.
const minDFTexts = 1000

// revision names the algorithm in a model's version: a change that gives other models must raise it.
const revision = "classify 1"

func (o Options) validate(texts int) (Options, error) {
	o.Folds = cmp.Or(o.Folds, 5)
	o.C = cmp.Or(o.C, 1)
	o.MaxFeatures = cmp.Or(o.MaxFeatures, 100_000)
	o.Target = cmp.Or(o.Target, 0.95)
	o.Threads = cmp.Or(o.Threads, runtime.GOMAXPROCS(0))
	if o.MinDF == 0 {
		o.MinDF = 1
		if texts >= minDFTexts {
			o.MinDF = 2
		}
	}
	switch {
	case o.Folds < 2 || o.Folds > 50:
		return o, fmt.Errorf("%w: Folds is %d; choose 2 to 50", ErrData, o.Folds)
	case !(o.C > 0) || math.IsInf(o.C, 1):
		return o, fmt.Errorf("%w: C is %v; choose a number above 0", ErrData, o.C)
	case o.MinDF < 1:
		return o, fmt.Errorf("%w: MinDF is %d; choose 1 or more", ErrData, o.MinDF)
	case o.MaxFeatures < 1 || o.MaxFeatures > maxFeatures:
		return o, fmt.Errorf("%w: MaxFeatures is %d; choose 1 to %d", ErrData, o.MaxFeatures, maxFeatures)
	case !(o.Target > 0 && o.Target <= 1):
		return o, fmt.Errorf("%w: Target is %v; choose a precision above 0 and up to 1", ErrData, o.Target)
	case o.Threads < 1:
		return o, fmt.Errorf("%w: Threads is %d; choose 1 or more", ErrData, o.Threads)
	}
	return o, nil
}

// dataset is the checked examples in an order of their own, so that the order of the input does not matter.
type dataset struct {
	labels []string // ascending
	texts  []string // normalised
	truth  []int
	hash   string
}

// Train learns a model from examples and measures it by stratified cross-validation. Errors about the data are
// [ErrData]; a cancelled ctx ends it within one round of the descent.
func Train(ctx context.Context, examples []Example, options Options) (*Model, error) {
	options, err := options.validate(len(examples))
	if err != nil {
		return nil, err
	}
	data, err := newDataset(examples, options)
	if err != nil {
		return nil, err
	}
	counted := newCorpus(data.texts, options.MinDF, options.MaxFeatures, options.Threads)
	if len(counted.keys) == 0 {
		return nil, fmt.Errorf("%w: the texts have no features in common; set MinDF to 1 or add texts", ErrData)
	}

	fold, parts := folds(apart(data.texts, options.Repeats), data.truth, len(data.labels), options.Folds, options.Seed)
	held := make([]scored, len(data.texts))
	for part := range parts {
		train, test := split(fold, part)
		m, err := fit(ctx, counted, data, train, options)
		if err != nil {
			return nil, fmt.Errorf("classify: training fold %d of %d: %w", part+1, parts, err)
		}
		rows := counted.vectors(test, m.idf)
		parallel(options.Threads, len(test), func(next func() (int, bool)) {
			for i, ok := next(); ok; i, ok = next() {
				scores := slices.Clone(m.bias)
				m.addScores(rows[i], scores)
				held[test[i]] = scored{scores, data.truth[test[i]], part}
			}
		})
	}

	all := make([]int, len(data.texts))
	for i := range all {
		all[i] = i
	}
	m, err := fit(ctx, counted, data, all, options)
	if err != nil {
		return nil, fmt.Errorf("classify: training: %w", err)
	}
	m.version = data.hash
	m.report = report(data.labels, held, parts, options.Target)
	m.temperature = fitTemperature(held)
	m.report.Threshold = fitThreshold(judge(held, m.temperature), options.Target)
	data.describe(&m.report, options.Repeats)
	m.index()
	return m, nil
}

// fit trains on the chosen texts. The model shares the corpus' numbering; features unseen in them weigh nothing.
func fit(ctx context.Context, counted *corpus, data *dataset, chosen []int, options Options) (*Model, error) {
	df := counted.frequencies(chosen, options.MinDF)
	weights := idf(df, len(chosen))
	truth := make([]int, len(chosen))
	for row, i := range chosen {
		truth[row] = data.truth[i]
	}
	machine, err := fitLinear(ctx, counted.vectors(chosen, weights), truth, len(data.labels), len(df),
		options.C, options.Seed, options.Threads)
	if err != nil {
		return nil, err
	}
	m := &Model{labels: data.labels, docs: len(chosen), keys: counted.keys, df: df, idf: weights, bias: machine.bias}
	m.quantise(machine.weights)
	return m, nil
}

func newDataset(examples []Example, options Options) (*dataset, error) {
	type pair struct{ label, text string }
	var t normalText
	pairs := make([]pair, len(examples))
	support := map[string]int{}
	for i, e := range examples {
		t.reset(e.Text)
		label := strings.TrimSpace(e.Label)
		switch {
		case len(t.words) == 0:
			return nil, fmt.Errorf("%w: example %d (label %q) has no text; leave it out", ErrData, i+1, label)
		case label == "":
			return nil, fmt.Errorf("%w: example %d has no label; give it one or leave it out", ErrData, i+1)
		}
		pairs[i] = pair{label, t.String()}
		support[label]++
	}
	if len(support) < 2 {
		return nil, fmt.Errorf("%w: %s with %s; at least 2 different labels are needed",
			ErrData, core.Count(len(examples), "example"), core.Count(len(support), "label"))
	}
	if len(support) > maxClasses {
		return nil, fmt.Errorf("%w: %d different labels, at most %d; is the label column the right one?",
			ErrData, len(support), maxClasses)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.label, b.label), strings.Compare(a.text, b.text))
	})

	d := &dataset{}
	var lonely []string
	h := sha256.New()
	fmt.Fprintf(h, "%s folds=%d c=%v mindf=%d features=%d target=%v seed=%d repeats=%t\n",
		revision, options.Folds, options.C, options.MinDF, options.MaxFeatures, options.Target, options.Seed, options.Repeats)
	write := func(s string) {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(s)))
		h.Write([]byte(s))
	}
	for _, p := range pairs {
		if len(d.labels) == 0 || d.labels[len(d.labels)-1] != p.label {
			d.labels = append(d.labels, p.label)
			if support[p.label] == 1 {
				lonely = append(lonely, p.label)
			}
		}
		d.texts = append(d.texts, p.text)
		d.truth = append(d.truth, len(d.labels)-1)
		write(p.label)
		write(p.text)
	}
	if len(lonely) > 0 {
		return nil, fmt.Errorf("%w: only 1 example for %s; add another one, or merge or leave out the label",
			ErrData, some(lonely))
	}
	d.hash = hex.EncodeToString(h.Sum(nil))[:32]
	return d, nil
}

// describe completes a report with what the texts themselves show.
func (d *dataset) describe(r *Report, repeats bool) {
	labelOf := map[string]int{}
	distinct := map[string]int{} // by label
	contradictory := map[string]bool{}
	for i, text := range d.texts {
		known, seen := labelOf[text]
		switch {
		case !seen:
			labelOf[text] = d.truth[i]
		case known != d.truth[i]:
			contradictory[text] = true
		}
		if i == 0 || d.texts[i-1] != text || d.truth[i-1] != d.truth[i] { // sorted by label, then text
			distinct[d.labels[d.truth[i]]]++
		}
	}
	r.Distinct = len(labelOf)
	r.Low, r.High = wilson(r.Accuracy, r.Distinct)
	r.warn(distinct, len(contradictory), repeats)
}
