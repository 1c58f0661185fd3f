package classify_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"colonnade/plugins/classify"

	"pgregory.net/rapid"
)

// examples reads a packed file of "label TAB text" lines.
func examples(tb testing.TB, name string) []classify.Example {
	tb.Helper()
	var all []classify.Example
	for label, text := range rows(tb, name) {
		all = append(all, classify.Example{Text: text, Label: label})
	}
	return all
}

func rows(tb testing.TB, name string) func(yield func(string, string) bool) {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	return func(yield func(string, string) bool) {
		lines := bufio.NewScanner(unpacked)
		for lines.Scan() {
			first, second, _ := strings.Cut(lines.Text(), "\t")
			if !yield(first, second) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			tb.Fatal(err)
		}
	}
}

func train(tb testing.TB, data []classify.Example, options classify.Options) *classify.Model {
	tb.Helper()
	m, err := classify.Train(context.Background(), data, options)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// banking is trained once for the tests that only read it.
var banking = sync.OnceValues(func() (*classify.Model, error) {
	var data []classify.Example
	f, err := os.Open("testdata/banking77_train10.tsv.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(unpacked)
	for lines.Scan() {
		label, text, _ := strings.Cut(lines.Text(), "\t")
		data = append(data, classify.Example{Text: text, Label: label})
	}
	return classify.Train(context.Background(), data, classify.Options{})
})

func bankingModel(tb testing.TB) *classify.Model {
	tb.Helper()
	m, err := banking()
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// The floor is the 72.3 % that a prototype had on random 10-shot samples and the official, balanced test split, less a
// point; here, on unbalanced rows, 71.6 % were measured. With so few texts a label one temperature calibrates roughly:
// ECE 0.089 measured here and 0.05 on larger held-out parts, where 0.03 is the goal; with all 10,003 texts it is 0.017.
func TestBankingTenShot(t *testing.T) {
	m := bankingModel(t)
	test := examples(t, "banking77_test1000.tsv.gz")
	var right, answered, answeredRight int
	type bin struct{ promised, kept float64 }
	var bins [15]bin
	for _, e := range test {
		p := m.Predict(e.Text)
		b := &bins[min(int(p.P*15), 14)]
		b.promised += p.P
		if p.Label == e.Label {
			right++
			b.kept++
		}
		if !p.Abstain {
			answered++
			if p.Label == e.Label {
				answeredRight++
			}
		}
	}
	accuracy := float64(right) / float64(len(test))
	precision := float64(answeredRight) / float64(answered)
	ece := 0.0
	for _, b := range bins {
		ece += math.Abs(b.promised-b.kept) / float64(len(test))
	}
	r := m.Report()
	t.Logf("held out: accuracy %.3f, ECE %.3f, answers %d at precision %.3f", accuracy, ece, answered, precision)
	t.Logf("promised: accuracy %.3f (%.3f-%.3f), macro F1 %.3f, ECE %.3f, coverage %.3f at precision %.3f, base rate %.3f, %v",
		r.Accuracy, r.Low, r.High, r.MacroF1, r.ECE, r.Coverage, r.Precision, r.BaseRate, r.Warnings)
	if accuracy < 0.713 {
		t.Errorf("accuracy %.3f on held-out texts, floor 0.713", accuracy)
	}
	if math.Abs(accuracy-r.Accuracy) > 0.06 {
		t.Errorf("accuracy %.3f on held-out texts, the report promised %.3f", accuracy, r.Accuracy)
	}
	if ece > 0.10 {
		t.Errorf("ECE %.3f on held-out texts, ceiling 0.10", ece)
	}
	if precision < 0.92 || answered < 200 {
		t.Errorf("%d answers at precision %.3f; target 0.95", answered, precision)
	}
}

func TestEqualBytes(t *testing.T) {
	data := examples(t, "banking77_train10.tsv.gz")[:400]
	bytesOf := func(data []classify.Example, threads int) []byte {
		b, err := train(t, data, classify.Options{Threads: threads, Folds: 3}).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := bytesOf(data, 1)
	shuffled := slices.Clone(data)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	for name, got := range map[string][]byte{
		"1 thread again": bytesOf(data, 1),
		"5 threads":      bytesOf(data, 5),
		"other order":    bytesOf(shuffled, 2),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: another model", name)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	m := bankingModel(t)
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d labels, %d bytes", len(m.Labels()), len(b))
	var again classify.Model
	if err := again.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if again.Version() != m.Version() || fmt.Sprint(again.Report()) != fmt.Sprint(m.Report()) {
		t.Error("another version or report after the round trip")
	}
	for _, e := range examples(t, "banking77_test1000.tsv.gz")[:100] {
		if got, want := fmt.Sprint(again.Predict(e.Text)), fmt.Sprint(m.Predict(e.Text)); got != want {
			t.Fatalf("%q: %s after the round trip, %s before", e.Text, got, want)
		}
	}
	b2, err := again.MarshalBinary()
	if err != nil || !slices.Equal(b, b2) {
		t.Error("other bytes after the round trip", err)
	}
	if err := again.UnmarshalBinary(b); !errors.Is(err, classify.ErrModel) {
		t.Error("a model was read over another one:", err)
	}
}

func TestDamagedModel(t *testing.T) {
	b, err := train(t, pets(), classify.Options{}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		damaged := slices.Clone(b)
		if rapid.Bool().Draw(t, "cut") {
			damaged = damaged[:rapid.IntRange(0, len(b)-1).Draw(t, "length")]
		} else {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			damaged[at] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		}
		var m classify.Model
		if err := m.UnmarshalBinary(damaged); !errors.Is(err, classify.ErrModel) {
			t.Fatalf("accepted, or another error: %v", err)
		}
	})
}

// pets is a small set in which the words decide.
func pets() []classify.Example {
	var all []classify.Example
	for _, s := range []string{"my dog barks", "the dog likes bones", "a barking dog at night", "walk the dog", "bones for the dog"} {
		all = append(all, classify.Example{Text: s, Label: "dog"})
	}
	for _, s := range []string{"my cat purrs", "the cat likes milk", "a purring cat at night", "feed the cat", "milk for the cat"} {
		all = append(all, classify.Example{Text: s, Label: "cat"})
	}
	return all
}

func TestExplanation(t *testing.T) {
	m := train(t, pets(), classify.Options{})
	p := m.Predict("Where is the DOG?")
	if p.Label != "dog" || p.Why[0].Word != "dog?" || p.Why[0].Weight <= 0 {
		t.Errorf("%+v", p)
	}
	if len(p.Alternatives) != 1 || math.Abs(p.P+p.Alternatives[0].P-1) > 1e-9 {
		t.Errorf("probabilities do not add up to 1: %+v", p)
	}
	for _, unknown := range []string{"", " \n", "日本語"} {
		if p := m.Predict(unknown); !p.Abstain || len(p.Why) != 0 {
			t.Errorf("%q: %+v, want to abstain", unknown, p)
		}
	}
}

func TestRefusals(t *testing.T) {
	with := func(more ...classify.Example) []classify.Example { return append(pets(), more...) }
	tests := []struct {
		name    string
		data    []classify.Example
		options classify.Options
		says    string
	}{
		{"nothing", nil, classify.Options{}, "at least 2 different labels"},
		{"one class", pets()[:5], classify.Options{}, "at least 2 different labels"},
		{"no text", with(classify.Example{Text: " \t", Label: "dog"}), classify.Options{}, "example 11 (label \"dog\") has no text"},
		{"no label", with(classify.Example{Text: "a bird"}), classify.Options{}, "example 11 has no label"},
		{"lonely", with(classify.Example{Text: "a bird", Label: "bird"}), classify.Options{}, `only 1 example for "bird"`},
		{"folds", pets(), classify.Options{Folds: 1}, "choose 2 to 50"},
		{"target", pets(), classify.Options{Target: math.NaN()}, "choose a precision"},
		{"C", pets(), classify.Options{C: -1}, "choose a number above 0"},
		{"rare", pets(), classify.Options{MinDF: 100}, "set MinDF to 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := classify.Train(context.Background(), test.data, test.options)
			if !errors.Is(err, classify.ErrData) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want ErrData with %q", err, test.says)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	twice := append(pets(), pets()...)
	twice = append(twice, classify.Example{Text: "My  DOG barks", Label: "cat"},
		classify.Example{Text: "a fish", Label: "fish"}, classify.Example{Text: "A fish", Label: "fish"})
	r := train(t, twice, classify.Options{}).Report()
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{"repeat another one", "more than one label on 1 text: decide", `cannot be measured: "fish"`, "fewer than 10"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning %q in\n%s", want, all)
		}
	}
	if r.N != 23 || r.Distinct != 11 {
		t.Errorf("%d texts, %d distinct; want 23 and 11", r.N, r.Distinct)
	}
	noise := rand.New(rand.NewPCG(3, 4))
	var random []classify.Example
	for i := range 60 {
		random = append(random, classify.Example{Text: fmt.Sprint("word", noise.IntN(1000), " word", noise.IntN(1000)), Label: fmt.Sprint(i % 2)})
	}
	if r := train(t, random, classify.Options{}).Report(); !strings.Contains(strings.Join(r.Warnings, "\n"), "not shown to be better") {
		t.Errorf("no warning about noise: %+v", r)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := classify.Train(ctx, pets(), classify.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, err := train(f, pets(), classify.Options{}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:40])
	f.Fuzz(func(t *testing.T, data []byte) {
		var m classify.Model
		if err := m.UnmarshalBinary(classify.Sealed(data)); err != nil {
			if !errors.Is(err, classify.ErrModel) {
				t.Fatal(err)
			}
			return
		}
		p := m.Predict("my dog barks")
		if !(p.P >= 0 && p.P <= 1) {
			t.Fatalf("probability %v", p.P)
		}
		if _, err := m.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzPredict(f *testing.F) {
	m := train(f, pets(), classify.Options{})
	f.Add("my dog\xff barks ﬁne ＤＯＧ İ")
	f.Fuzz(func(t *testing.T, text string) {
		if p := m.Predict(text); !(p.P > 0 && p.P <= 1) {
			t.Fatalf("probability %v", p.P)
		}
	})
}

func BenchmarkTrain(b *testing.B) {
	data := examples(b, "banking77_train10.tsv.gz")
	for b.Loop() {
		train(b, data, classify.Options{})
	}
}

func BenchmarkPredict(b *testing.B) {
	m := bankingModel(b)
	test := examples(b, "banking77_test1000.tsv.gz")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Predict(test[i%len(test)].Text)
		i++
	}
}

func ExampleTrain() {
	m, err := classify.Train(context.Background(), []classify.Example{
		{Text: "I cannot log in", Label: "account"},
		{Text: "Please reset my password", Label: "account"},
		{Text: "My password does not work", Label: "account"},
		{Text: "You charged me twice", Label: "billing"},
		{Text: "Where is my invoice?", Label: "billing"},
		{Text: "The invoice charged too much", Label: "billing"},
	}, classify.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := m.Predict("I forgot the password")
	fmt.Println(p.Label, p.Why[0].Word)
	// Output: account password
}
