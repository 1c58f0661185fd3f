package unify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// people is a small job by rules: name, e-mail and a tax number, from a shop and a CRM.
func people(change func(*Job)) Job {
	m := map[string]string{"name": "n", "email": "e", "tax": "t"}
	j := Job{
		Name:       "people",
		Attributes: []Attribute{{Name: "name", Type: FullName}, {Name: "email", Type: Email}, {Name: "tax", Type: Identifier}},
		Sources:    []Source{{Table: "shop", Map: m}, {Table: "crm", Map: m, Trust: 5}},
		Rules:      []Rule{{Name: "e-mail", Match: []Condition{{Attribute: "email"}}}},
	}
	if change != nil {
		change(&j)
	}
	return j
}

// row is "source id name|email|tax".
func row(text string) Row {
	source, rest, _ := strings.Cut(text, " ")
	id, rest, _ := strings.Cut(rest, " ")
	return Row{Source: source, ID: id, Values: strings.Split(rest, "|")}
}

func resolve(t testing.TB, j Job, o Options, rows ...Row) *Result {
	t.Helper()
	r, err := Resolve(context.Background(), j, Rows(rows), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// partition writes clusters of two and more as "shop/1 crm/2, …", in the order of the result.
func partition(r *Result) string {
	var out []string
	for c := range r.Clusters() {
		var members []string
		for _, m := range c.Members {
			members = append(members, m.Source+"/"+m.ID)
		}
		if len(members) > 1 {
			out = append(out, strings.Join(members, " "))
		}
	}
	return strings.Join(out, ", ")
}

func TestRulesAndDecisions(t *testing.T) {
	same := func(a, b string) Decision {
		x, y, _ := strings.Cut(a, "/")
		z, w, _ := strings.Cut(b, "/")
		return Decision{A: Ref{x, y}, B: Ref{z, w}}
	}
	rows := []string{"shop 1 Ann Lee|ann@x.org|111", "shop 2 Ann Lee|ann+shop@x.org|", "crm 3 Lee, Anne|ANN@x.org|222", "crm 4 Bob Ray|bob@x.org|"}
	for _, c := range []struct {
		name   string
		change func(*Job)
		want   string
	}{
		{"rule", nil, "shop/1 shop/2 crm/3"},
		{"keep tag", func(j *Job) { j.Attributes[1].KeepTag = true }, "shop/1 crm/3"},
		{"unless", func(j *Job) { j.Rules[0].Unless = []string{"tax"} }, "shop/1 shop/2 crm/3"}, // by way of shop/2, which has no tax number
		{"unique", func(j *Job) { j.Attributes[2].Unique = true }, "shop/1 shop/2"},
		{"fuzzy", func(j *Job) {
			j.Rules[0].Match = []Condition{{Attribute: "name", How: Fuzzy}, {Attribute: "email", How: Exact}}
		}, "shop/1 shop/2 crm/3"},
		{"link only", func(j *Job) { j.Sources[0].Unique = true }, "shop/1 crm/3"},
		{"always", func(j *Job) { j.Always = []Decision{same("crm/4", "shop/2")} }, "shop/1 shop/2 crm/3 crm/4"},
		{"never", func(j *Job) { j.Never = []Decision{same("shop/1", "crm/3")} }, "shop/1 shop/2"},
		{"never is inherited", func(j *Job) {
			j.Always = []Decision{same("shop/1", "shop/2")}
			j.Never = []Decision{same("shop/2", "crm/3")}
		}, "shop/1 shop/2"},
		{"never beats always in a chain", func(j *Job) {
			j.Rules[0].Match[0].Attribute = "tax"
			j.Always = []Decision{same("shop/1", "shop/2"), same("shop/2", "crm/4")}
			j.Never = []Decision{same("shop/1", "crm/4")}
		}, "shop/1 shop/2"},
		{"decisions about absent records", func(j *Job) { j.Always = []Decision{same("shop/9", "crm/4")} }, "shop/1 shop/2 crm/3"},
		{"hub", func(j *Job) { j.BlockCap = 2 }, ""},
	} {
		var in []Row
		for _, text := range rows {
			in = append(in, row(text))
		}
		if got := partition(resolve(t, people(c.change), Options{}, in...)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHubIsReported(t *testing.T) {
	var rows []Row
	for i := range 5 {
		rows = append(rows, row(fmt.Sprintf("shop %d Ann Lee|help@x.org|", i)))
	}
	r := resolve(t, people(func(j *Job) { j.BlockCap = 4 }), Options{}, rows...)
	if r.Stats.Lost != 10 || r.Stats.Passes[0].StopKeys != 1 || r.Stats.Pairs != 0 {
		t.Errorf("%+v", r.Stats)
	}
}

func TestStableIDs(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(text string, days int) Row { r := row(text); r.Seen = day.AddDate(0, 0, days); return r }
	a, b, c := at("shop 7 Ann|ann@x.org|", 1), at("shop 1 Ann|ann@x.org|", 2), at("crm 3 Ann|ann@x.org|", 3)
	id := func(rows ...Row) string {
		g, ok := resolve(t, people(nil), Options{}, rows...).GoldenOf(Ref{rows[0].Source, rows[0].ID})
		if !ok {
			t.Fatal("no golden record")
		}
		return g.ID
	}
	if id(a) != id(a, b, c) || id(c, b, a) != id(a) || id(b, c) != id(b) || id(a) == id(b) {
		t.Error("the oldest member does not name the cluster")
	}
	b.Birth, b.Seen = "given", day
	if got := id(a, b); got != "given" {
		t.Errorf("got %s, want the birth id of the oldest member", got)
	}
}

func TestRefusedRows(t *testing.T) {
	broken := errors.New("broken")
	for name, rows := range map[string][]Row{
		"came twice": {row("shop 1 A|a@x.org|"), row("shop 1 B|b@x.org|")}, "no source": {row("erp 1 A|a@x.org|")}, "2 values for 3": {row("shop 1 A|a@x.org")},
	} {
		if _, err := Resolve(t.Context(), people(nil), Rows(rows), Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	failing := func(yield func(Row, error) bool) { yield(Row{}, broken) }
	if _, err := Resolve(t.Context(), people(nil), failing, Options{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Resolve(ctx, people(nil), Rows(nil), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSmallInputs(t *testing.T) {
	scored := func(j *Job) { j.Score.Enabled = true; j.Rules = nil }
	rows := []Row{row("shop 1 Ann Lee|ann@x.org|"), row("crm 2 Ann Lee|ann@x.org|111222"), row("crm 3 ||")}
	for n := range len(rows) + 1 {
		r := resolve(t, people(scored), Options{}, rows[:n]...)
		if r.Stats.Records != n || math.IsNaN(r.Model.Threshold) || math.IsNaN(r.Model.Prior) {
			t.Errorf("%d rows: %+v", n, r.Stats)
		}
	}
}

// outcome is all a run answers, written as text.
func outcome(t testing.TB, r *Result) string {
	var b strings.Builder
	for g := range r.Golden() {
		fmt.Fprintln(&b, g)
	}
	for p := range r.Pairs() {
		fmt.Fprintln(&b, p)
	}
	model, err := json.Marshal(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	stats, _ := json.Marshal(r.Stats)
	return b.String() + string(model) + string(stats)
}

// TestOrderAndWorkers resolves the same rows in several orders and on several workers; every byte of the outcome stays.
func TestOrderAndWorkers(t *testing.T) {
	for name, set := range map[string]labelled{"fake_1000": fake1000(t), "households": households(t)} {
		want := outcome(t, resolve(t, set.job, Options{Workers: 1}, set.rows...))
		for seed := range uint64(2) {
			rows := slices.Clone(set.rows)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(rows), func(i, k int) { rows[i], rows[k] = rows[k], rows[i] })
			if got := outcome(t, resolve(t, set.job, Options{Workers: int(seed) + 2}, rows...)); got != want {
				t.Errorf("%s: another outcome in order %d", name, seed)
			}
		}
	}
}

// TestFrozenModel runs again with the model read back from JSON: the same outcome, but for the pairs no longer counted
// while training.
func TestFrozenModel(t *testing.T) {
	set := historical(t)
	first := resolve(t, set.job, Options{}, set.rows...)
	text, err := json.Marshal(first.Model)
	if err != nil {
		t.Fatal(err)
	}
	var m Model
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	second := resolve(t, set.job, Options{Model: &m}, set.rows...)
	if outcome(t, first) != outcome(t, second) {
		t.Error("a frozen model answers differently")
	}
	if version := m.Version; m.seal() != nil || m.Version != version {
		t.Errorf("version %s became %s", version, m.Version)
	}
	t.Logf("model of %d bytes", len(text))
	if _, err := Resolve(t.Context(), fake1000(t).job, Rows(nil), Options{Model: &m}); err == nil {
		t.Error("a model of another job was taken")
	}
}

// TestFrozenPairsDependOnThePairAlone takes away half of the records: what is left weighs what it weighed.
func TestFrozenPairsDependOnThePairAlone(t *testing.T) {
	set := fake1000(t)
	all := resolve(t, set.job, Options{}, set.rows...)
	half := resolve(t, set.job, Options{Model: all.Model}, set.rows[:len(set.rows)/2]...)
	want := map[[2]Ref]float64{}
	for p := range all.Pairs() {
		want[[2]Ref{p.A, p.B}] = p.Weight
	}
	n := 0
	for p := range half.Pairs() {
		if n++; want[[2]Ref{p.A, p.B}] != p.Weight {
			t.Fatalf("%v: %v, was %v", p, p.Weight, want[[2]Ref{p.A, p.B}])
		}
	}
	if n == 0 {
		t.Error("no pairs")
	}
}

// TestVetoesHold draws random little worlds and checks what must never appear.
func TestVetoesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := people(func(j *Job) {
			j.Score.Enabled = rapid.Bool().Draw(t, "score")
			j.Attributes[2].Unique = true
			j.Sources[1].Unique = true
		})
		var rows []Row
		for i := range rapid.IntRange(2, 25).Draw(t, "n") {
			values := rapid.SampledFrom([]string{"Ann Lee|ann@x.org|", "Anne Lee|ann@x.org|11111", "Bob Ray|bob@x.org|22222", "Ray Bob||22222", "|ann@x.org|33333", "||"}).Draw(t, "values")
			rows = append(rows, row(fmt.Sprintf("%s %d %s", rapid.SampledFrom([]string{"shop", "crm"}).Draw(t, "source"), i, values)))
		}
		for k := range rapid.IntRange(0, 4).Draw(t, "decisions") {
			d := Decision{A: ref(rows[k%len(rows)]), B: ref(rows[rapid.IntRange(0, len(rows)-1).Draw(t, "other")])}
			if d.A != d.B {
				job.Never = append(job.Never, d)
			}
		}
		r, err := Resolve(context.Background(), job, Rows(rows), Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkSound(t, job, rows, r)
		slices.Reverse(rows)
		again, err := Resolve(context.Background(), job, Rows(rows), Options{Workers: 3})
		if err != nil || partition(again) != partition(r) {
			t.Fatalf("%q in reverse order, was %q, %v", partition(again), partition(r), err)
		}
	})
}

func ref(r Row) Ref { return Ref{r.Source, r.ID} }

// checkSound checks that clusters are a partition and keep every veto.
func checkSound(t *rapid.T, job Job, rows []Row, r *Result) {
	tax := map[Ref]string{}
	for _, row := range rows {
		tax[ref(row)] = row.Values[2]
	}
	of := map[Ref]string{}
	ids := map[string]bool{}
	for c := range r.Clusters() {
		if ids[c.ID] {
			t.Fatalf("id %s twice", c.ID)
		}
		ids[c.ID] = true
		crm, number := 0, ""
		for _, m := range c.Members {
			if of[m] != "" {
				t.Fatalf("%v in two clusters", m)
			}
			of[m] = c.ID
			if m.Source == "crm" {
				crm++
			}
			if n := tax[m]; n != "" && number != "" && n != number || crm > 1 {
				t.Fatalf("%v must not be one", c.Members)
			}
			number = max(number, tax[m])
		}
	}
	if len(of) != len(rows) {
		t.Fatalf("%d of %d records in clusters", len(of), len(rows))
	}
	for _, d := range job.Never {
		if of[d.A] == of[d.B] {
			t.Fatalf("%v are in one cluster", d)
		}
	}
}

func TestExplain(t *testing.T) {
	for name, set := range map[string]labelled{"fake_1000": fake1000(t), "households": households(t)} {
		r := resolve(t, set.job, Options{}, set.rows...)
		byRef := map[Ref]Row{}
		for _, row := range set.rows {
			byRef[ref(row)] = row
		}
		n := 0
		for p := range r.Pairs() {
			if n++; n%50 != 0 {
				continue
			}
			e, err := r.Explain(p.B, p.A)
			if err != nil {
				t.Fatal(err)
			}
			sum := e.Prior + e.Related
			for _, s := range e.Steps {
				sum += s.Weight
			}
			if math.Abs(sum-e.Weight) > 1e-9 || math.Abs(e.Weight-p.Weight) > 1e-4 || e.Match != p.Match || e.Pass != p.Pass {
				t.Fatalf("%s: %+v does not explain %+v", name, e, p)
			}
			alone, err := Explain(set.job, r.Model, byRef[p.A], byRef[p.B])
			if err != nil || !reflect.DeepEqual(alone, e) {
				t.Fatalf("%s: %+v alone, %+v in the run, %v", name, alone, e, err)
			}
		}
	}
}

func TestProgress(t *testing.T) {
	var steps []string
	set := fake1000(t)
	resolve(t, set.job, Options{Progress: func(p Progress) {
		if len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	}}, set.rows...)
	if want := []string{"read", "block", "train", "score", "cluster"}; !slices.Equal(steps, want) {
		t.Errorf("got %v, want %v", steps, want)
	}
}
