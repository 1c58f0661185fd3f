package transfer

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"unicode"

	"colonnade/core"
	"colonnade/tables"
	"colonnade/transfer/format"
)

// Suggestion is where a column of a file could go.
type Suggestion struct {
	Header  string   `json:"header"`
	Column  string   `json:"column"` // or "lookup.key"; empty when nothing fits
	Kind    string   `json:"kind"`   // what the samples look like
	Samples []string `json:"samples"`
}

// sampled is how many rows a suggestion looks at.
const sampled = 200

// Suggest reads the beginning of a file and says where its columns could go: by their names, by what is often called alike, and
// by whether the first values fit.
func (s *Service) Suggest(ctx context.Context, table string, o format.Options, body io.Reader) ([]Suggestion, error) {
	const op = "transfer.Suggest"
	if err := s.mayImport(ctx); err != nil {
		return nil, core.E(op, err)
	}
	b := bufio.NewReaderSize(body, 64<<10)
	if o.Format == "" {
		o.Format = format.Sniff(b)
	}
	in := &input{r: &Request{File: o}}
	if err := in.read(b); err != nil {
		return nil, core.E(op, err)
	}
	samples := make([][]format.Cell, len(in.reader.Header()))
	for range sampled {
		var row format.Row
		err := in.reader.Next(&row)
		if bad := (*format.RowError)(nil); errors.As(err, &bad) {
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, core.E(op, err)
		}
		for i, c := range row.Cells {
			if !c.Null {
				samples[i] = append(samples[i], c)
			}
		}
	}
	out, err := s.suggest(ctx, s.store.Snapshot(), table, in.reader.Header(), samples)
	return out, core.E(op, err)
}

// candidate is a column that headers may mean.
type candidate struct {
	name  string // as a request names it
	words []string
	holds *core.Column
}

// suggest matches headers with columns that the caller may name. Each column is suggested once: for the first of the headers
// that fit best. samples may be nil.
func (s *Service) suggest(ctx context.Context, snap *tables.Snapshot, table string, header []string, samples [][]format.Cell) ([]Suggestion, error) {
	t, err := snap.Schema.Table(table)
	if err != nil {
		t = &core.Table{}
	}
	if _, err := s.store.ImportColumn(ctx, snap, table, "id"); core.KindOf(err) == core.Denied || core.KindOf(err) == core.NotFound {
		return nil, err
	}
	var all []candidate
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Calculated() || c.Kept() || c.System && c.Name != "id" && c.Name != "owner_id" {
			continue
		}
		if _, err := s.store.ImportColumn(ctx, snap, table, c.Name); err != nil {
			continue // hidden
		}
		if c.Kind == core.Lookup {
			all = append(all, s.lookupCandidates(ctx, snap, t, c)...)
		}
		all = append(all, candidate{c.Name, []string{plain(c.Name), plain(c.Label)}, c})
	}
	out := make([]Suggestion, len(header))
	taken := map[string]bool{}
	for i, h := range header {
		out[i].Header = h
		if samples != nil {
			out[i].Kind = string(guess(samples[i]))
			for _, c := range samples[i][:min(3, len(samples[i]))] {
				out[i].Samples = append(out[i].Samples, string(appendText(nil, &c)))
			}
		}
	}
	for _, alike := range []func(a, b string) bool{func(a, b string) bool { return a == b }, func(a, b string) bool { return synonym(a) == synonym(b) }} {
		for i, h := range header {
			if out[i].Column != "" {
				continue
			}
			for _, c := range all {
				column, _, _ := strings.Cut(c.name, ".")
				if taken[column] || samples != nil && !fits(c.holds, samples[i]) {
					continue
				}
				for _, w := range c.words {
					if w != "" && out[i].Column == "" && alike(plain(h), w) {
						out[i].Column, taken[column] = c.name, true
					}
				}
			}
		}
	}
	return out, nil
}

// lookupCandidates are the unique columns of the target of a lookup.
func (s *Service) lookupCandidates(ctx context.Context, snap *tables.Snapshot, t *core.Table, lookup *core.Column) []candidate {
	target, err := snap.Schema.Table(lookup.Target)
	if err != nil {
		return nil
	}
	var out []candidate
	for i := range target.Columns {
		c := &target.Columns[i]
		if !c.Unique {
			continue
		}
		name := lookup.Name + "." + c.Name
		if _, err := s.store.ImportColumn(ctx, snap, t.Name, name); err != nil {
			continue
		}
		relation := plain(lookup.Relation)
		out = append(out, candidate{name, []string{relation, relation + plain(c.Name), plain(lookup.Name) + plain(c.Name), plain(lookup.Label)}, c})
	}
	return out
}

// plain is a name without what people write differently: case, spaces, punctuation.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// synonyms are plain names that mean the same; the first of a row stands for all.
var synonyms = [][]string{
	{"email", "emailaddress", "mail", "emailaddress1", "emails"},
	{"telephone", "phone", "phonenumber", "tel", "telephonenumber", "mobile", "mobilephone", "cell", "telefon"},
	{"postcode", "zip", "zipcode", "postalcode", "plz"},
	{"firstname", "givenname", "forename", "vorname"},
	{"lastname", "surname", "familyname", "nachname"},
	{"fullname", "name", "displayname"},
	{"dateofbirth", "birthdate", "birthday", "dob", "geburtsdatum"},
	{"street", "streetaddress", "address", "address1", "addressline1", "strasse", "straße"},
	{"city", "town", "ort", "stadt"},
	{"country", "countryregion", "land"},
	{"company", "companyname", "organization", "organisation", "account", "accountname", "firma"},
	{"createdon", "created", "creationdate", "createdate"},
	{"number", "no", "nr", "num", "code"},
	{"quantity", "qty", "menge", "anzahl"},
	{"price", "unitprice", "preis"},
	{"description", "note", "notes", "comment", "remarks"},
}

func synonym(s string) string {
	for _, row := range synonyms {
		for _, w := range row {
			if w == s {
				return row[0]
			}
		}
	}
	return s
}

// fits reports whether most of the samples are values of the column.
func fits(c *core.Column, samples []format.Cell) bool {
	good := 0
	for i := range samples {
		if _, err := samples[i].Parse(c); err == nil {
			good++
		}
	}
	return 2*good >= len(samples)
}

// guess returns the narrowest kind that all samples have.
func guess(samples []format.Cell) core.Kind {
	if len(samples) == 0 {
		return core.Text
	}
	for _, k := range []core.Kind{core.Boolean, core.Integer, core.Decimal, core.Float, core.Date, core.Timestamp, core.DateTime, core.UUID, core.Duration} {
		c := &core.Column{Kind: k}
		all := true
		for i := range samples {
			if _, err := samples[i].Parse(c); err != nil {
				all = false
				break
			}
		}
		if all {
			return k
		}
	}
	for i := range samples {
		if samples[i].Value == nil && len(samples[i].Text) > 200 {
			return core.LongText
		}
	}
	return core.Text
}
