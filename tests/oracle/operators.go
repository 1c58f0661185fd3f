package oracle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
)

// testsOf say by operator whether a value that is there meets another one.
var testsOf = map[string]func(v, x any) bool{
	"_regex":    func(v, x any) bool { return finds(v, x.(string)) },
	"_nregex":   func(v, x any) bool { return !finds(v, x.(string)) },
	"_iregex":   func(v, x any) bool { return finds(v, "(?i)"+x.(string)) },
	"_niregex":  func(v, x any) bool { return !finds(v, "(?i)"+x.(string)) },
	"_similar":  func(v, x any) bool { return finds(v, similar[x.(string)]) },
	"_nsimilar": func(v, x any) bool { return !finds(v, similar[x.(string)]) },
	"_contains": func(v, x any) bool {
		return holdsDocument(parsed(v.(json.RawMessage)), parsed(x.(json.RawMessage)), true)
	},
	"_contained_in": func(v, x any) bool {
		return holdsDocument(parsed(x.(json.RawMessage)), parsed(v.(json.RawMessage)), true)
	},
	"_has_key":      func(v, x any) bool { return hasKey(v, x) },
	"_has_keys_any": func(v, x any) bool { return slices.ContainsFunc(x.([]any), func(k any) bool { return hasKey(v, k) }) },
	"_has_keys_all": func(v, x any) bool {
		return !slices.ContainsFunc(x.([]any), func(k any) bool { return !hasKey(v, k) })
	},
	"_rel_date": func(v, x any) bool { return inRange(v, x.(during)) },
}

var regexes = []string{"a", "^a", "b$", "[ab]+", "a|z", "^$", `\\`, "%", "^.{2,}$", "(?i)B", "a.*b", `\bb`, "[^a]"}

// similar are patterns of SIMILAR TO, with what they mean.
var similar = map[string]string{
	"a%": `(?s)^a.*$`, "(a|b)": `^(?:a|b)$`, "_": `(?s)^.$`, "[ab]+": `^[ab]+$`, "%(b|!)": `(?s)^.*(?:b|!)$`, "": `^$`, "a{1,2}": `^a{1,2}$`,
}

// finds reports whether an expression finds something in a text.
func finds(v any, expression string) bool {
	return regexp.MustCompile(expression).MatchString(v.(string))
}

// documents are what JSON values are compared with.
var documents = []string{`{"a":1}`, `{}`, `[]`, `[1]`, `["x"]`, `["x",1,"x"]`, `"t"`, `"x"`, `1`, `{"a":1,"b":2}`, `{"a":"1"}`, `[[1]]`, `{"a":{}}`}

var documentKeys = []string{"a", "x", "t", "1", "b"}

// holdsDocument reports whether a JSON value has all that another one has; a list at the top has a value, too.
func holdsDocument(v, x any, top bool) bool {
	switch x := x.(type) {
	case map[string]any:
		have, ok := v.(map[string]any)
		for name, part := range x {
			of, has := have[name]
			ok = ok && has && holdsDocument(of, part, false)
		}
		return ok
	case []any:
		have, ok := v.([]any)
		for _, part := range x {
			ok = ok && slices.ContainsFunc(have, func(of any) bool { return holdsDocument(of, part, false) })
		}
		return ok
	}
	if list, ok := v.([]any); ok && top {
		return slices.ContainsFunc(list, func(of any) bool { return holdsDocument(of, x, false) })
	}
	return agree(v, x)
}

// hasKey reports whether a JSON value has a name, or is a text or a list with it.
func hasKey(v, name any) bool {
	switch v := parsed(v.(json.RawMessage)).(type) {
	case map[string]any:
		_, ok := v[name.(string)]
		return ok
	case []any:
		return slices.Contains(v, name)
	case string:
		return v == name
	}
	return false
}

// during is a range of time that is told from now; of moments, or of what calendar and clock show.
type during struct {
	text    string
	moments bool
}

// ranges makes a range of time up that may begin or end at a time of a record.
func (a asker) ranges(kind core.Kind) during {
	days := int(time.Since(time.Date(2024, 2, 27+a.IntN(4), 0, 0, 0, 0, time.UTC)).Hours() / 24)
	out := choose(a.maker, "today", "yesterday", "this_year", "last_year", "this_week", "next_month", "last_3_years", "last_40_months", "last_2_years",
		fmt.Sprintf("last_%d_days", days), fmt.Sprintf("last_%d_days", days+1), fmt.Sprintf("last_%d_days", days+2), fmt.Sprintf("last_%d_weeks", days/7+1), "last_9_quarters", "last_12_quarters")
	if kind != core.Date && a.chance(0.1) {
		out = choose(a.maker, "last_5_hours", "last_48_hours")
	}
	if a.chance(0.3) {
		out += " in " + choose(a.maker, "UTC", "America/New_York", "Asia/Kathmandu")
	}
	return during{out, kind == core.Timestamp}
}

// inRange reports whether a time is in a range.
func inRange(v any, in during) bool {
	word, name, _ := strings.Cut(in.text, " in ")
	zone, err := time.LoadLocation(name) // "" is UTC
	if err != nil {
		panic(err)
	}
	parts := strings.Split(strings.TrimSuffix(word, "s"), "_")
	n := 1
	switch {
	case len(parts) == 3:
		if n, err = strconv.Atoi(parts[1]); err != nil {
			panic(err)
		}
		parts = []string{parts[0] + " some", parts[2]}
	case len(parts) == 1:
		parts = []string{map[string]string{"today": "this", "yesterday": "last", "tomorrow": "next"}[word], "day"}
	}
	now := time.Now().In(zone)
	first := begin(now, parts[1])
	from, to := first, first
	switch parts[0] {
	case "this":
		to = later(first, parts[1], 1)
	case "last":
		from = later(first, parts[1], -1)
	case "next":
		from, to = later(first, parts[1], 1), later(first, parts[1], 2)
	case "last some":
		from, to = later(first, parts[1], 1-n), later(first, parts[1], 1)
	case "next some":
		to = later(first, parts[1], n)
	}
	if !in.moments {
		from, to = shown(from), shown(to)
	}
	at, ok := v.(time.Time)
	if !ok {
		at = v.(core.CivilTime).Time()
	}
	return !at.Before(from) && at.Before(to)
}

// shown is what calendar and clock show at a time, as a time of UTC.
func shown(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// later is when the n-th period behind one begins.
func later(t time.Time, period string, n int) time.Time {
	switch period {
	case "hour":
		return t.Add(time.Duration(n) * time.Hour)
	case "day":
		return t.AddDate(0, 0, n)
	case "week":
		return t.AddDate(0, 0, 7*n)
	case "month":
		return t.AddDate(0, n, 0)
	case "quarter":
		return t.AddDate(0, 3*n, 0)
	}
	return t.AddDate(n, 0, 0)
}
