package unify

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSurvival merges three records of one person under every policy.
func TestSurvival(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := []Row{
		{Source: "shop", ID: "1", Values: []string{"ann@x.org", "1 Oak St", "Bonn", "5/8/1986", "9"}, Updated: day.AddDate(0, 0, 3), Seen: day},
		{Source: "shop", ID: "2", Values: []string{"ANN@x.org", "2 Elm Street", "", "1986-05-08", "10"}, Updated: day.AddDate(0, 0, 9), Seen: day.AddDate(0, 0, 1)},
		{Source: "crm", ID: "3", Values: []string{"ann@x.org", "2 Elm St.", "Köln", "1985-01-01", ""}, Updated: day.AddDate(0, 0, 6), Seen: day.AddDate(0, 0, 2)},
	}
	for _, c := range []struct {
		policy Policy
		order  []string
		group  bool // street and city together
		want   string
	}{
		{MostRecent, nil, false, "2 Elm Street < 2, Köln < 3, 1986-05-08 < 2, 10 < 2"},
		{MostRecent, nil, true, "2 Elm Street < 2, , 1986-05-08 < 2, 10 < 2"},
		{LeastRecent, nil, true, "1 Oak St < 1, Bonn < 1, 1986-05-08 < 1, 9 < 1"},
		{SourcePriority, nil, true, "2 Elm St. < 3, Köln < 3, 1985-01-01 < 3, 10 < 2"}, // crm is trusted more
		{SourcePriority, []string{"shop"}, true, "2 Elm Street < 2, , 1986-05-08 < 2, 10 < 2"},
		{MostFrequent, nil, false, "2 Elm St. < 3, Köln < 3, 1986-05-08 < 2, 10 < 2"},
		{MostComplete, nil, true, "2 Elm St. < 3, Köln < 3, 1986-05-08 < 1, 9 < 1"},
		{Longest, nil, false, "2 Elm Street < 2, Köln < 3, 1985-01-01 < 3, 10 < 2"},
		{Min, nil, false, "1 Oak St < 1, Bonn < 1, 1985-01-01 < 3, 9 < 1"},
		{Max, nil, false, "2 Elm Street < 2, Köln < 3, 1986-05-08 < 2, 10 < 2"},
	} {
		m := map[string]string{"email": "e"}
		j := Job{
			Name: "survival",
			Attributes: []Attribute{{Name: "email", Type: Email}, {Name: "street", Type: Address}, {Name: "city", Type: City},
				{Name: "birth", Type: Date}, {Name: "points", Type: Text, GoldenOnly: true}},
			Sources: []Source{{Table: "shop", Map: m}, {Table: "crm", Map: m, Trust: 1}},
			Rules:   []Rule{{Name: "e-mail", Match: []Condition{{Attribute: "email"}}}},
		}
		keep := [][]string{{"street"}, {"city"}, {"birth"}, {"points"}}
		if c.group {
			keep = [][]string{{"street", "city"}, {"birth"}, {"points"}}
		}
		for _, names := range keep {
			j.Golden.Keep = append(j.Golden.Keep, Survival{Attributes: names, Policy: c.policy, Sources: c.order})
		}
		for range 2 {
			g, ok := resolve(t, j, Options{}, rows...).GoldenOf(Ref{"shop", "1"})
			if !ok || len(g.Members) != 3 {
				t.Fatalf("%+v", g)
			}
			var got []string
			for _, v := range g.Values[1:] {
				text := v.Text
				if text != "" {
					text += " < " + v.From.ID
				}
				got = append(got, text)
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%s, together %v:\n got %s\nwant %s", c.policy, c.group, text, c.want)
			}
			slices.Reverse(rows)
		}
	}
}
