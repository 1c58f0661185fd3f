// Package coffee carries the demo data: what a coffee chain knows about its
// customers, in five extracts of four systems that do not agree with each other.
// It only hands the extracts out; reading them into tables is the demo's work.
// README.md tells where the data comes from and under which licence.
package coffee

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
)

//go:embed *.csv.gz
var files embed.FS

// File names one extract. Rows does not count the header line.
type File struct {
	Name string // what Open takes
	Rows int
}

// Files lists the extracts, people before what they did.
var Files = []File{
	{"contacts", 5000},          // web shop accounts
	{"loyalty", 5002},           // loyalty card holders, 5,000 of them also web shop accounts
	{"online_purchases", 12369}, // by ContactId
	{"pos_purchases", 20024},    // by LoyaltyId
	{"reviews", 20020},          // web site reviews, by ContactId in the column UserId
}

// Open returns an extract as CSV text (UTF-8, LF, the first line names the
// columns) and its number of rows, which lets an import show its progress.
// The caller closes the reader. The only mistake possible is a name that is not in Files.
func Open(name string) (io.ReadCloser, int, error) {
	for _, f := range Files {
		if f.Name == name {
			r, err := open(name)
			return r, f.Rows, err
		}
	}
	return nil, 0, fmt.Errorf("coffee.Open: no extract is named %q", name)
}

func open(name string) (io.ReadCloser, error) {
	packed, err := files.ReadFile(name + ".csv.gz")
	if err != nil {
		return nil, fmt.Errorf("coffee.Open: %w", err)
	}
	return gzip.NewReader(bytes.NewReader(packed))
}
