package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// table is a part with its rows.
type table struct {
	part tables.Part
	rows [][][]byte
}

// dumpOf gives the tables.
func dumpOf(all []table) Dump {
	return func(to tables.Dumping) error {
		for _, t := range all {
			if err := to.Part(t.part); err != nil {
				return err
			}
			for _, r := range t.rows {
				if err := to.Row(r); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// sample is two tables, of which the second takes several blocks, and an empty one.
func sample(rows int) []table {
	id := tables.PartColumn{Name: "id", Form: db.FormText}
	notes := table{part: tables.Part{Name: "note", Columns: []tables.PartColumn{{Name: "blob", Form: db.FormBytes}, id, {Name: "n", Form: db.FormInteger}}}}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		blob := make([]byte, random.IntN(200))
		for j := range blob {
			blob[j] = byte(random.Uint32())
		}
		row := [][]byte{blob, fmt.Append(nil, "id", i), nil}
		if i%3 == 0 {
			row[2] = []byte{}
		}
		notes.rows = append(notes.rows, row)
	}
	return []table{
		{tables.Part{Name: "_meta", Columns: []tables.PartColumn{id}}, [][][]byte{{[]byte("x")}}}, notes,
		{part: tables.Part{Name: "zero", Columns: []tables.PartColumn{id}}},
	}
}

func write(t *testing.T, all []table) ([]byte, *Manifest) {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, Head{Made: time.Unix(1, 0).UTC(), Program: "test", Migration: 3, Database: "sqlite"})
	if err == nil {
		err = dumpOf(all)(w)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), m
}

func archived(file []byte) Dump {
	return func(to tables.Dumping) error {
		_, err := Read(bytes.NewReader(file), to, nil)
		return err
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	all := sample(3000)
	file, written := write(t, all)
	if err := Compare(dumpOf(all), archived(file)); err != nil {
		t.Fatal(err)
	}
	read, err := Read(bytes.NewReader(file), &Sums{}, func(h Head) error {
		if h != written.Head {
			t.Errorf("the head is %v, want %v", h, written.Head)
		}
		return nil
	})
	if err != nil || Differ(read.Tables, written.Tables) != "" || read.Rows() != 3001 {
		t.Errorf("%v %v, want %v", err, read, written)
	}
}

// TestDamage changes each byte, cuts the file off at each, and adds to it: each is refused, with the place.
func TestDamage(t *testing.T) {
	t.Parallel()
	file, _ := write(t, sample(40))
	refused := func(what string, file []byte) {
		t.Helper()
		err := archived(file)(&Sums{})
		if core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), "backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range file {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(file)
			changed[i] ^= bit
			refused(fmt.Sprintf("byte %d of %d, bit %d", i, len(file), bit), changed)
		}
		refused(fmt.Sprintf("cut off at %d of %d", i, len(file)), file[:i])
	}
	refused("longer by one byte", append(bytes.Clone(file), 0))
	refused("twice", append(bytes.Clone(file), file...))
	refused("a part is missing", append(bytes.Clone(file[:100]), file[101:]...))
	file, _ = write(t, sample(20_000))
	err := archived(file[:len(file)/2])(&Sums{})
	if msg := core.AsError(err).Public(); !strings.Contains(msg, "cut off in the table note, after ") || !strings.Contains(msg, "near byte ") {
		t.Errorf("%q names no place", msg)
	}
}

// TestCompare names the first record that differs.
func TestCompare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(all []table) []table
		want   string
	}{
		"same":         {func(all []table) []table { return all }, ""},
		"value":        {func(all []table) []table { all[1].rows[7][2] = []byte("1"); return all }, "note.n: the record id id7 differs"},
		"null":         {func(all []table) []table { all[1].rows[6][2] = nil; return all }, "note.n: the record id id6 differs"},
		"record gone":  {func(all []table) []table { all[1].rows = all[1].rows[:9]; return all }, "note: the copy does not have the record id id9"},
		"record more":  {func(all []table) []table { all[2].rows = [][][]byte{{[]byte("new")}}; return all }, "zero: the copy has more than the original: id new"},
		"table gone":   {func(all []table) []table { return all[:2] }, "zero: the copy does not have this table"},
		"column named": {func(all []table) []table { all[0].part.Columns = []tables.PartColumn{{Name: "key"}}; return all }, "_meta: the copy has the table"},
	} {
		all := sample(10)
		err := Compare(dumpOf(sample(10)), dumpOf(c.change(all)))
		if c.want == "" && err != nil || c.want != "" && !strings.Contains(core.AsError(err).Public(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		var was, is Sums
		if err := dumpOf(sample(10))(&was); err != nil {
			t.Fatal(err)
		}
		if err := dumpOf(all)(&is); err != nil {
			t.Fatal(err)
		}
		if name != "table gone" && (Differ(was.All(), is.All()) == "") != (c.want == "") {
			t.Errorf("%s: the sums are %v and %v", name, was.All(), is.All())
		}
	}
}

// TestSums: values that run into each other, NULL and the empty text are not the same.
func TestSums(t *testing.T) {
	t.Parallel()
	two := tables.Part{Name: "t", Columns: []tables.PartColumn{{Name: "a"}, {Name: "b"}}}
	seen := map[string]string{}
	for name, rows := range map[string][][][]byte{
		"none": nil, "ab,c": {{[]byte("ab"), []byte("c")}}, "a,bc": {{[]byte("a"), []byte("bc")}}, "null": {{nil, nil}}, "empty": {{{}, {}}}, "null,empty": {{nil, {}}},
		"one,two": {{[]byte("1"), nil}, {[]byte("2"), nil}}, "two,one": {{[]byte("2"), nil}, {[]byte("1"), nil}},
	} {
		var s Sums
		if err := dumpOf([]table{{two, rows}})(&s); err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.All()[0].Hash]; ok {
			t.Errorf("%s is like %s", name, other)
		}
		seen[s.All()[0].Hash] = name
	}
}
