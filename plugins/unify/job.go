package unify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Job is the definition of one unification: which tables take part, what their columns mean, when two records are the
// same thing, and how one golden record is made of many. It is a plain value, stored and exchanged as JSON.
type Job struct {
	Name       string      `json:"name"`
	Region     string      `json:"region,omitempty"`     // ISO 3166 code for phone numbers written without a country; "US" when empty
	DateOrder  DateOrder   `json:"date_order,omitempty"` // how 5/8/1986 is meant; MonthFirst in region US, DayFirst elsewhere, when empty
	Attributes []Attribute `json:"attributes"`
	Sources    []Source    `json:"sources"`
	Rules      []Rule      `json:"rules,omitempty"`
	Score      Score       `json:"score"`
	Passes     []Pass      `json:"passes,omitempty"`    // proposed from the attribute types when empty
	BlockCap   int         `json:"block_cap,omitempty"` // records that may share one key; 1000 when zero
	Budget     int         `json:"budget,omitempty"`    // proposed passes may cost this many pairs per record; 50 when zero
	Golden     Golden      `json:"golden"`
	Always     []Decision  `json:"always,omitempty"` // pairs a person declared the same; nothing but a Never parts them
	Never      []Decision  `json:"never,omitempty"`  // pairs a person declared different; nothing joins them
}

// Attribute is one property of the real thing, filled from columns of the sources.
type Attribute struct {
	Name       string `json:"name"`
	Type       Type   `json:"type"`
	Unique     bool   `json:"unique,omitempty"`      // one thing has one value: two different values are never merged
	KeepTag    bool   `json:"keep_tag,omitempty"`    // e-mail: ann+news@x.org and ann@x.org are different people
	GoldenOnly bool   `json:"golden_only,omitempty"` // carried to the golden record, never compared
}

// Source is one table that takes part.
type Source struct {
	Table     string            `json:"table"`
	Map       map[string]string `json:"map"`                  // attribute -> column
	Trust     int               `json:"trust,omitempty"`      // higher is trusted more
	Updated   string            `json:"updated,omitempty"`    // column that tells how recent a record is
	Filter    string            `json:"filter,omitempty"`     // CEL: which records take part; opaque here
	Unique    bool              `json:"unique,omitempty"`     // has no duplicates inside: link only
	DateOrder DateOrder         `json:"date_order,omitempty"` // overrides that of the job
}

// DateOrder tells how a date of three numbers is read when the numbers leave it open.
type DateOrder string

// The known date orders. A number above 31 is always the year; one above 12 is never the month.
const (
	MonthFirst DateOrder = "mdy"
	DayFirst   DateOrder = "dmy"
)

// Rule is one layer of deterministic matching: two records that meet every condition are the same thing, whatever the
// score says. Layers are tried in order and the first one met decides.
type Rule struct {
	Name   string      `json:"name"`
	Match  []Condition `json:"match"`
	Unless []string    `json:"unless,omitempty"` // attributes: the rule is off when both records have one and plainly disagree
}

// Condition asks two records to agree on an attribute. A missing value never agrees.
type Condition struct {
	Attribute string `json:"attribute"`
	How       How    `json:"how,omitempty"`
}

// How says how well two values must agree.
type How string

// Exact is equality after normalisation and the default; Fuzzy also allows small differences, as listed per [Type].
const (
	Exact How = "exact"
	Fuzzy How = "fuzzy"
)

// Score configures probabilistic matching.
type Score struct {
	Enabled    bool     `json:"enabled"`
	Threshold  *float64 `json:"threshold,omitempty"`  // bits; a pair at or above it is a match; estimated when nil
	Households bool     `json:"households,omitempty"` // a third class: different people of one address, who share name or phone too; needs an address attribute
	Gate       []string `json:"gate,omitempty"`       // attributes of which none may plainly disagree in a match
}

// Pass is one way to find candidate pairs: records that agree on all its keys are compared.
//
// A key is an attribute with an optional transform, "postcode", "date:year", "family_name:soundex", or two attributes
// in either order, "given_name|family_name". The transforms are those of the table in key.go.
type Pass struct {
	Keys []string `json:"keys"`
}

// Golden says where the outcome goes and how values are chosen.
type Golden struct {
	Table     string     `json:"table"`
	Crosswalk string     `json:"crosswalk,omitempty"`
	Lineage   string     `json:"lineage,omitempty"`
	Default   Policy     `json:"default,omitempty"` // for attributes not named in Keep; MostRecent when empty
	Keep      []Survival `json:"keep,omitempty"`
}

// Survival is the policy for one attribute, or for several that must come from the same record, such as an address.
type Survival struct {
	Attributes []string `json:"attributes"`
	Policy     Policy   `json:"policy"`
	Sources    []string `json:"sources,omitempty"` // tables, most important first; by Trust when empty
}

// Policy names a way to choose among the values of a cluster.
type Policy string

// The policies. Min and Max compare dates as dates, numbers as numbers and everything else as text.
const (
	MostRecent     Policy = "most_recent"
	LeastRecent    Policy = "least_recent"
	SourcePriority Policy = "source_priority"
	MostFrequent   Policy = "most_frequent"
	MostComplete   Policy = "most_complete"
	Longest        Policy = "longest"
	Min            Policy = "min"
	Max            Policy = "max"
)

// Ref names a record: the table it lives in and its id there.
type Ref struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// Decision is what a person decided about two records.
type Decision struct {
	A Ref `json:"a"`
	B Ref `json:"b"`
}

// ParseJob reads and validates a definition. Unknown properties are errors: a misspelt one must not be ignored.
func ParseJob(text []byte) (Job, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var j Job
	if err := dec.Decode(&j); err != nil {
		return Job{}, fmt.Errorf("unify: job: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Job{}, errors.New("unify: job: more than one JSON value")
	}
	return j, j.Validate()
}

func (j *Job) region() string {
	if j.Region == "" {
		return "US"
	}
	return j.Region
}

func (j *Job) dateOrder(s *Source) DateOrder {
	switch {
	case s != nil && s.DateOrder != "":
		return s.DateOrder
	case j.DateOrder != "":
		return j.DateOrder
	case j.region() == "US":
		return MonthFirst
	}
	return DayFirst
}

func (j *Job) blockCap() int {
	if j.BlockCap == 0 {
		return 1000
	}
	return j.BlockCap
}

func (j *Job) budget() int {
	if j.Budget == 0 {
		return 50
	}
	return j.Budget
}

// attribute answers the position of a named attribute, -1 when there is none.
func (j *Job) attribute(name string) int {
	for i := range j.Attributes {
		if j.Attributes[i].Name == name {
			return i
		}
	}
	return -1
}

func (j *Job) source(table string) int {
	for i := range j.Sources {
		if j.Sources[i].Table == table {
			return i
		}
	}
	return -1
}
