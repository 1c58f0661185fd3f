package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Count is what games have compared.
type Count struct {
	Answers  Tally // with what the evaluator says
	Refusals Tally // of what cannot be named, with the words for what is not there
	Twins    Tally // bodies before and after a change of what is out of sight
	TooMuch  Tally // questions that the program found too large
}

// Tally is a number for each path that was asked, such as a list or an export.
type Tally map[string]int

func (t *Tally) add(path string, n int) {
	if *t == nil {
		*t = Tally{}
	}
	(*t)[path] += n
}

func (t Tally) sum() (n int) {
	for _, of := range t {
		n += of
	}
	return n
}

// Cases is the number of comparisons.
func (c Count) Cases() int { return c.Answers.sum() + c.Refusals.sum() + c.Twins.sum() }

// Add adds what another game has compared.
func (c *Count) Add(other Count) {
	to, from := c.tallies(), other.tallies()
	for i := range to {
		for path, n := range *from[i] {
			to[i].add(path, n)
		}
	}
}

func (c *Count) tallies() []*Tally { return []*Tally{&c.Answers, &c.Refusals, &c.Twins, &c.TooMuch} }

// String is a table of the paths.
func (c Count) String() string {
	paths := Tally{}
	for _, t := range c.tallies() {
		maps.Copy(paths, *t)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(path string, of func(t Tally) int) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", path, of(c.Answers), of(c.Refusals), of(c.Twins), of(c.TooMuch))
	}
	_, _ = fmt.Fprintln(w, "path\tanswers\trefusals\ttwins\ttoo large\t")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		line(path, func(t Tally) int { return t[path] })
	}
	line("all", Tally.sum)
	_ = w.Flush() // into memory
	return b.String()
}
