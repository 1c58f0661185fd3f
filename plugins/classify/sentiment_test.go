package classify_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"colonnade/plugins/classify"
)

// Each line changes one thing of the line before it, and the feeling must follow.
func TestSentimentRules(t *testing.T) {
	stronger := [][2]string{ // the first is more positive than the second
		{"The food was very good.", "The food was good."},
		{"The food was good.", "The food was somewhat good."},
		{"The food was somewhat good.", "The food was not good."},
		{"The food was GOOD.", "The food was good."},
		{"The food was good!!!", "The food was good!"},
		{"The food was good!", "The food was good."},
		{"It was horrible.", "It was extremely horrible."},
		{"It was not horrible.", "It was horrible."},
		{"The service was bad but the food was great.", "The food was great but the service was bad."},
		{"It was never so good.", "It was never good."},
		{"At least it is good.", "It is least good."},
		{"No problem.", "Problem."},
		{"This is the shit", "This is shit"},
		{"Fine 😁", "Fine"},
		{"Fine :)", "Fine"},
		{"Fine", "Fine :("},
		{"I isn't", "I don't like it"},
		{"GREAT", "great but awful"},
	}
	for _, s := range stronger {
		a, b := classify.Sentiment(s[0]), classify.Sentiment(s[1])
		if a.Compound <= b.Compound {
			t.Errorf("%q %.3f is not above %q %.3f", s[0], a.Compound, s[1], b.Compound)
		}
	}
	for _, none := range []string{"", "   ", "The table is brown.", "???", "\xff"} {
		if f := classify.Sentiment(none); f.Label != classify.Neutral || f.Compound != 0 {
			t.Errorf("%q: %+v, want neutral 0", none, f)
		}
	}
}

// VADER's authors report r = 0.88 with the mean human rating of all 4,200 tweets; this is every fourth of them.
func TestSentimentTweets(t *testing.T) {
	var x, y []float64
	for rating, text := range rows(t, "vader_tweets.tsv.gz") {
		human, err := strconv.ParseFloat(rating, 64)
		if err != nil {
			t.Fatal(err)
		}
		x, y = append(x, human), append(y, classify.Sentiment(text).Compound)
	}
	r := correlation(x, y)
	t.Logf("r = %.4f over %d tweets", r, len(x))
	if r < 0.86 {
		t.Errorf("correlation %.3f with human ratings, floor 0.86", r)
	}
}

func correlation(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(y))
	}
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}

func FuzzSentiment(f *testing.F) {
	f.Add("never so GOOD, but sort of the shit!!! 😁 isn't least no")
	f.Fuzz(func(t *testing.T, text string) {
		if s := classify.Sentiment(text); !(s.Compound >= -1 && s.Compound <= 1) {
			t.Fatalf("%+v", s)
		}
	})
}

func BenchmarkSentiment(b *testing.B) {
	text := "The service was slow and the waiter wasn't friendly, but the food is really GREAT and we will come back!"
	b.ReportAllocs()
	for b.Loop() {
		classify.Sentiment(text)
	}
}

func ExampleSentiment() {
	for _, text := range []string{"I love it!", "It is not good.", "It arrived on Monday."} {
		f := classify.Sentiment(text)
		fmt.Printf("%s %.2f\n", f.Label, f.Compound)
	}
	// Output:
	// positive 0.67
	// negative -0.34
	// neutral 0.00
}
