package coffee

import (
	"encoding/csv"
	"testing"
)

func TestOpen(t *testing.T) {
	for _, f := range Files {
		t.Run(f.Name, func(t *testing.T) {
			r, rows, err := Open(f.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			all, err := csv.NewReader(r).ReadAll() // also refuses a row of another width
			if err != nil {
				t.Fatal(err)
			}
			if len(all)-1 != rows {
				t.Errorf("read %d rows, Files says %d", len(all)-1, rows)
			}
		})
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, name := range []string{"", "customers", "../coffee", "contacts.csv.gz"} {
		if _, _, err := Open(name); err == nil {
			t.Errorf("Open(%q) found something", name)
		}
	}
}
