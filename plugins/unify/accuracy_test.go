package unify

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A labelled set: rows with, per record, the entity it truly belongs to ("" when unlabelled).
type labelled struct {
	job   Job
	rows  []Row
	truth map[Ref]string
}

// quality is what pairs of records in one cluster are worth against the truth.
type quality struct{ Precision, Recall, F1 float64 }

type floor struct {
	name  string
	set   func(testing.TB) labelled
	least quality
}

// TestAccuracy holds the engine to floors on labelled sets, without labels for training. Sets too large to ship are
// read from the folder COLONNADE_DATA when it is given.
func TestAccuracy(t *testing.T) {
	floors := []floor{
		{"febrl3", febrl3, quality{.999, .999, .999}},
		{"fake_1000", fake1000, quality{.97, .96, .97}},
		{"historical_dev20", historical, quality{.98, .90, .95}},
		{"households", households, quality{.92, .97, .95}},
		{"contoso with e-mail", func(t testing.TB) labelled { return contoso(t, "FullName", "EMail") }, quality{.99, .99, .995}},
		{"contoso without e-mail", func(t testing.TB) labelled { return contoso(t, "FullName", "") }, quality{.99, .99, .995}},
		{"contoso with names apart", func(t testing.TB) labelled { return contoso(t, "apart", "") }, quality{.99, .99, .995}},
	}
	if folder := os.Getenv("COLONNADE_DATA"); folder != "" {
		floors = append(floors,
			floor{"febrl1", func(t testing.TB) labelled { return febrl(t, folder+"/febrl/dataset1.csv") }, quality{.999, .999, .999}},
			floor{"febrl2", func(t testing.TB) labelled { return febrl(t, folder+"/febrl/dataset2.csv") }, quality{.999, .999, .999}},
			floor{"households 20k", func(t testing.TB) labelled { return householdsIn(t, folder+"/households_dev/dev_20k_seed7.csv") }, quality{.92, .95, .94}},
		)
	}
	for _, c := range floors {
		t.Run(c.name, func(t *testing.T) {
			set := c.set(t)
			start := time.Now()
			r, err := Resolve(context.Background(), set.job, Rows(set.rows), Options{})
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			q := set.measure(r)
			t.Logf("%+v; %d records, %d passes, %d pairs, %d lost, prior %.2g, threshold %.2f, guarded %d, vetoed %d, %v",
				q, r.Stats.Records, len(r.Stats.Passes), r.Stats.Pairs, r.Stats.Lost, r.Stats.Prior, r.Stats.Threshold, r.Stats.Guarded, r.Stats.Vetoed, took.Round(time.Millisecond))
			if testing.Verbose() {
				for _, p := range r.Stats.Passes {
					t.Logf("%-60s %+v", p.Name, p)
				}
			}
			if q.Precision < c.least.Precision || q.Recall < c.least.Recall || q.F1 < c.least.F1 {
				t.Errorf("got %+v, want at least %+v", q, c.least)
			}
		})
	}
}

// measure compares clusters with the truth, pair by pair, over labelled records.
func (s *labelled) measure(r *Result) quality {
	truth := map[string]float64{}
	var found, right, all float64
	unique := map[string]bool{}
	for _, src := range s.job.Sources {
		unique[src.Table] = src.Unique
	}
	for c := range r.Clusters() {
		for i, a := range c.Members {
			for _, b := range c.Members[i+1:] {
				if s.truth[a] == "" || s.truth[b] == "" || a.Source == b.Source && unique[a.Source] {
					continue
				}
				found++
				if s.truth[a] == s.truth[b] {
					right++
				}
			}
		}
	}
	type group struct{ entity, source string }
	perSource := map[group]float64{}
	for ref, e := range s.truth {
		if e != "" {
			truth[e]++
			perSource[group{e, ref.Source}]++
		}
	}
	for _, n := range truth {
		all += n * (n - 1) / 2
	}
	for g, n := range perSource {
		if unique[g.source] {
			all -= n * (n - 1) / 2
		}
	}
	q := quality{Precision: right / found, Recall: right / all}
	q.F1 = 2 * q.Precision * q.Recall / (q.Precision + q.Recall)
	return q
}

func febrl3(t testing.TB) labelled { return febrl(t, "testdata/febrl3.csv.gz") }

func febrl(t testing.TB, file string) labelled {
	return single(t, file, "rec_id", func(id string) string { return strings.Split(id, "-")[1] }, "rec_id", []Attribute{
		{Name: "given_name", Type: GivenName}, {Name: "surname", Type: FamilyName}, {Name: "street_number", Type: Text},
		{Name: "address_1", Type: Address}, {Name: "address_2", Type: Address}, {Name: "suburb", Type: City},
		{Name: "postcode", Type: Postcode}, {Name: "state", Type: State}, {Name: "date_of_birth", Type: Date}, {Name: "soc_sec_id", Type: Identifier},
	})
}

func fake1000(t testing.TB) labelled {
	return single(t, "testdata/fake_1000.csv.gz", "unique_id", nil, "cluster", []Attribute{
		{Name: "first_name", Type: GivenName}, {Name: "surname", Type: FamilyName}, {Name: "dob", Type: Date}, {Name: "city", Type: City}, {Name: "email", Type: Email},
	})
}

func historical(t testing.TB) labelled {
	return single(t, "testdata/historical_dev20.csv.gz", "unique_id", nil, "cluster", []Attribute{
		{Name: "full_name", Type: FullName}, {Name: "first_name", Type: GivenName}, {Name: "surname", Type: FamilyName}, {Name: "dob", Type: Date},
		{Name: "birth_place", Type: City}, {Name: "postcode_fake", Type: Postcode}, {Name: "gender", Type: Gender}, {Name: "occupation", Type: Text},
	})
}

func households(t testing.TB) labelled { return householdsIn(t, "testdata/households_5k.csv.gz") }

func householdsIn(t testing.TB, file string) labelled {
	s := single(t, file, "rec_id", nil, "entity", []Attribute{
		{Name: "given", Type: GivenName}, {Name: "surname", Type: FamilyName}, {Name: "dob", Type: Date}, {Name: "email", Type: Email},
		{Name: "phone", Type: Phone}, {Name: "addr", Type: Address}, {Name: "city", Type: City}, {Name: "pc", Type: Postcode},
	})
	s.job.Score.Households = true
	return s
}

// single is a set of one table with an attribute per column.
func single(t testing.TB, file, id string, entity func(string) string, label string, attributes []Attribute) labelled {
	s := labelled{job: Job{Name: file, Attributes: attributes, Score: Score{Enabled: true}}, truth: map[Ref]string{}}
	source := Source{Table: "t", Map: map[string]string{}}
	for _, a := range attributes {
		source.Map[a.Name] = a.Name
	}
	s.job.Sources = []Source{source}
	s.read(t, file, source, id, func(row map[string]string) string {
		if entity == nil {
			return row[label]
		}
		return entity(row[label])
	})
	return s
}

// contoso links the contacts of a shop to its loyalty members: full names in either order with typos, or given and
// family name apart; phone numbers in many spellings; dates in two formats.
func contoso(t testing.TB, names, email string) labelled {
	s := labelled{job: Job{Name: "contoso", Score: Score{Enabled: true}}, truth: map[Ref]string{}}
	columns := map[string]string{"birth": "DateOfBirth", "phone": "Telephone"}
	s.job.Attributes = []Attribute{{Name: "birth", Type: Date}, {Name: "phone", Type: Phone}}
	if names == "apart" {
		s.job.Attributes = append(s.job.Attributes, Attribute{Name: "given", Type: GivenName}, Attribute{Name: "family", Type: FamilyName})
		columns["given"], columns["family"] = "FirstName", "LastName"
	} else {
		s.job.Attributes = append(s.job.Attributes, Attribute{Name: "name", Type: FullName})
		columns["name"] = names
	}
	if email != "" {
		s.job.Attributes = append(s.job.Attributes, Attribute{Name: "email", Type: Email})
		columns["email"] = email
	}
	s.job.Sources = []Source{{Table: "contact", Map: columns, Unique: true}, {Table: "loyalty", Map: columns, Unique: true}}
	entity := func(row map[string]string) string { return row["ContactId"] }
	s.read(t, "testdata/contoso_contact.csv.gz", s.job.Sources[0], "ContactId", entity)
	s.read(t, "testdata/contoso_loyalty.csv.gz", s.job.Sources[1], "LoyaltyId", entity)
	return s
}

func (s *labelled) read(t testing.TB, file string, source Source, id string, entity func(map[string]string) string) {
	t.Helper()
	for _, cells := range table(t, file) {
		row := Row{Source: source.Table, ID: cells[id], Values: make([]string, len(s.job.Attributes))}
		for i, a := range s.job.Attributes {
			row.Values[i] = cells[source.Map[a.Name]]
		}
		s.rows = append(s.rows, row)
		s.truth[Ref{source.Table, row.ID}] = entity(cells)
	}
}

// table reads a CSV file, compressed or not.
func table(t testing.TB, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if text, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(file, err)
	}
	var out []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[strings.TrimSpace(name)] = strings.TrimSpace(line[i])
		}
		out = append(out, row)
	}
	return out
}
