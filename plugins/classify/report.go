package classify

import (
	"fmt"
	"math"

	"colonnade/core"
)

// Report is what cross-validation found: every figure is over texts that the judging machine had not seen,
// calibrated and cut off by the other folds.
type Report struct {
	N        int `json:"n"`        // training texts
	Distinct int `json:"distinct"` // of these, different ones after normalisation
	Folds    int `json:"folds"`

	Accuracy float64 `json:"accuracy"`
	Low      float64 `json:"low"`  // Wilson's 95 % interval of the accuracy, over distinct texts
	High     float64 `json:"high"` //
	MacroF1  float64 `json:"macro_f1"`
	Majority string  `json:"majority"`  // the most frequent label
	BaseRate float64 `json:"base_rate"` // accuracy of always answering it
	ECE      float64 `json:"ece"`       // expected calibration error, 15 bins; 0 is best

	Target    float64 `json:"target"`    // the precision asked for
	Threshold float64 `json:"threshold"` // probability below which the model abstains; above 1: always
	Coverage  float64 `json:"coverage"`  // share of texts that it then still answers
	Precision float64 `json:"precision"` // and how many of those answers were right

	Classes   []ClassReport `json:"classes"`   // in order of label
	Confusion [][]int       `json:"confusion"` // [true class][predicted class], without abstention
	Warnings  []string      `json:"warnings,omitempty"`
}

// ClassReport is the part of one label, without abstention.
type ClassReport struct {
	Label     string  `json:"label"`
	Support   int     `json:"support"` // texts that have it
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// report measures the held-out scores. Each fold is judged with the temperature and threshold of the others.
func report(labels []string, held []scored, parts int, target float64) Report {
	r := Report{N: len(held), Folds: parts, Target: target}
	var verdicts []verdict
	answered, answeredRight := 0, 0
	r.Confusion = make([][]int, len(labels))
	for class := range r.Confusion {
		r.Confusion[class] = make([]int, len(labels))
	}
	right := 0
	for part := range parts {
		var in, out []scored
		for _, h := range held {
			if h.fold == part {
				in = append(in, h)
			} else {
				out = append(out, h)
			}
		}
		temperature := fitTemperature(out)
		threshold := fitThreshold(judge(out, temperature), target)
		for i, v := range judge(in, temperature) {
			verdicts = append(verdicts, v)
			r.Confusion[in[i].truth][v.label]++
			if v.right {
				right++
			}
			if v.p >= threshold {
				answered++
				if v.right {
					answeredRight++
				}
			}
		}
	}
	r.Accuracy = ratio(right, r.N)
	r.ECE = expectedCalibrationError(verdicts)
	r.Coverage, r.Precision = ratio(answered, r.N), ratio(answeredRight, answered)
	r.perClass(labels)
	return r
}

// perClass derives the per-class figures from the confusion matrix.
func (r *Report) perClass(labels []string) {
	most := 0
	for class, label := range labels {
		c := ClassReport{Label: label}
		predicted := 0
		for other := range labels {
			c.Support += r.Confusion[class][other]
			predicted += r.Confusion[other][class]
		}
		hits := r.Confusion[class][class]
		c.Precision, c.Recall = ratio(hits, predicted), ratio(hits, c.Support)
		c.F1 = ratio(2*hits, c.Support+predicted)
		r.MacroF1 += c.F1 / float64(len(labels))
		r.Classes = append(r.Classes, c)
		if c.Support > most {
			most, r.Majority = c.Support, label
		}
	}
	r.BaseRate = ratio(most, r.N)
}

// warn adds what a reader of the figures must know. distinct counts each label's different texts, contradictory
// the texts that carry more than one label; repeats whether copies were spread over the folds.
func (r *Report) warn(distinct map[string]int, contradictory int, repeats bool) {
	say := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	switch copies := r.N - r.Distinct; {
	case copies > 0 && repeats:
		say("%d of %d texts repeat another one, and were tested on models that had seen it: the figures hold for texts "+
			"that repeat these, not for new ones", copies, r.N)
	case copies > 0:
		say("%d of %d texts repeat another one; copies share a fold, so that none was tested on its own copy, "+
			"but near-copies may still make the figures optimistic", copies, r.N)
	}
	if contradictory > 0 {
		say("more than one label on %s: decide for one", core.Count(contradictory, "text"))
	}
	var single, few []string
	for _, c := range r.Classes {
		switch {
		case distinct[c.Label] == 1:
			single = append(single, c.Label)
		case distinct[c.Label] < fewTexts:
			few = append(few, c.Label)
		}
	}
	if len(single) > 0 {
		say("one distinct text only, so its recall cannot be measured: %s; add different texts", some(single))
	}
	if len(few) > 0 {
		say("fewer than %d distinct texts, so the figures per class are rough: %s", fewTexts, some(few))
	}
	if r.Low <= r.BaseRate {
		say("not shown to be better than always answering %q (%.1f %%): add texts, or check the labels",
			r.Majority, 100*r.BaseRate)
	}
	if r.Threshold > 1 {
		say("no threshold reaches a precision of %.0f %%: the model abstains always and only suggests", 100*r.Target)
	}
}

const fewTexts = 10

// some lists the first of many names.
func some(names []string) string {
	const shown = 5
	text := ""
	for i, name := range names {
		if i == shown {
			return text + fmt.Sprintf(" and %d more", len(names)-shown)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", name)
	}
	return text
}

// wilson is the 95 % score interval of a share p seen over n trials (Wilson 1927).
func wilson(p float64, n int) (low, high float64) {
	const z = 1.959964
	if n == 0 {
		return 0, 1
	}
	size := float64(n)
	centre := p + z*z/(2*size)
	spread := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	return max(0, (centre-spread)/scale), min(1, (centre+spread)/scale)
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
