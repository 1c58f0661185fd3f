package files

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// crowd is people of all kinds of rights on papers.
func (w *world) crowd() []context.Context {
	return []context.Context{
		w.clerk("all", authz.Organization), w.clerk("own", authz.Own), w.clerk("no_scan", authz.Organization, "scan"), w.clerk("no_photo", authz.Own, "photo"),
		w.person("some", authz.Grant{Table: "paper", Privilege: authz.Read, Level: authz.Organization, Condition: `title == "1"`}, authz.Grant{Table: "paper", Privilege: authz.Create, Level: authz.Own}),
		w.person("parts", authz.Grant{Table: "paper", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"scan"}}, authz.Grant{Table: "paper", Privilege: authz.Read, Level: authz.Organization, Condition: `title == "2"`}),
		w.person("nothing"), w.t.Context(),
	}
}

// TestRightsDiffer compares who can download with who can read the column, over random records, owners and roles: a file that a
// record has by who reads the record, one that it had by who reads that version of it.
func TestRightsDiffer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := rand.New(rand.NewPCG(1, 12))
		people := w.crowd()
		type held struct {
			of      Of
			content string
		}
		var all []held
		for i := range 24 {
			who := people[r.IntN(2)]
			content := fmt.Sprint("content ", r.IntN(8))
			f := w.upload(who, "a.txt", content)
			id, err := w.insert(who, core.Record{"title": fmt.Sprint(i % 4), "scan": string(f.ID)})
			must(t, err)
			all = append(all, held{Of{Table: "paper", Record: id, Column: "scan", File: f.ID}, content})
			if r.IntN(2) == 0 {
				set := core.Record{"title": fmt.Sprint(r.IntN(4))}
				if r.IntN(2) == 0 {
					next := w.upload(people[0], "b.txt", content+" anew")
					set["scan"] = string(next.ID)
					all = append(all, held{Of{Table: "paper", Record: id, Column: "scan", File: next.ID}, content + " anew"})
				}
				must(t, w.store.Tx(people[0], tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
					_, err := tx.Update(ctx, tables.Update{Table: "paper", Where: tables.ByID(id), Set: set})
					return err
				}))
			}
			if r.IntN(6) == 0 {
				must(t, w.store.Tx(people[0], tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
					_, err := tx.Delete(ctx, tables.Remove{Table: "paper", Where: tables.ByID(id)})
					return err
				}))
			}
		}
		read, past := 0, 0
		for _, h := range all {
			for n, who := range people {
				now, then := w.sees(who, h.of)
				want := map[bool]string{true: h.content}
				if got := w.read(who, Of{Table: "paper", Record: h.of.Record, Column: "scan"}); now && got != h.content {
					t.Fatalf("person %d, record %s: downloads %q, and reads the column of %q", n, h.of.Record, got, h.content)
				}
				if got := w.read(who, h.of); got != want[now || then] {
					t.Fatalf("person %d, record %s: downloads %q; reads now %t, in a version %t", n, h.of.Record, got, now, then)
				}
				if now {
					read++
				} else if then {
					past++
				}
			}
		}
		if most := len(all) * len(people); read < 30 || past < 10 || read+past > most*2/3 {
			t.Errorf("of %d, %d could be read, and %d of the past: the test says little", most, read, past)
		}
	})
}

// sees reports whether the person reads that the record has the file, and whether it had it in a version.
func (w *world) sees(who context.Context, of Of) (now, then bool) {
	w.t.Helper()
	snap := w.store.Snapshot()
	records, err := w.store.Records(who, snap, tables.Query{Table: "paper", Where: tables.ByID(of.Record), Fields: []tables.Field{{As: "scan", Column: "scan"}}})
	now = err == nil && len(records) == 1 && records[0]["scan"] == string(of.File)
	versions, err := w.store.History(who, snap, tables.History{Table: "paper", ID: of.Record})
	for _, v := range versions {
		raw, _ := v["record"].(json.RawMessage)
		then = then || err == nil && strings.Contains(string(raw), string(of.File))
	}
	return now, then
}

// TestGuessedID refuses to attach what somebody else has uploaded, in the words for what is not there.
func TestGuessedID(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben, eve := w.clerk("ben", authz.Own), w.clerk("eve", authz.Own)
		f := w.upload(ben, "a.txt", "Ben's")
		refused := func(id core.ID) string {
			_, err := w.insert(eve, core.Record{"scan": string(id)})
			wantKind(t, err, core.Invalid, "there is no file")
			return strings.ReplaceAll(core.AsError(err).Public(), string(id), "")
		}
		unknown := refused(core.NewID())
		if refused(f.ID) != unknown {
			t.Error("a file of somebody else is told from none")
		}
		id, err := w.insert(ben, core.Record{"scan": string(f.ID)})
		must(t, err)
		if refused(f.ID) != unknown {
			t.Error("an attached file is told from none")
		}
		if w.read(eve, Of{Table: "paper", Record: id, Column: "scan", File: f.ID}) != "" {
			t.Error("she can read it")
		}
	})
}

// TestEqualContents are kept once, and the uploads are told apart by nothing that the other has.
func TestEqualContents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben, eve := w.clerk("ben", authz.Own), w.clerk("eve", authz.Own)
		a, b := w.upload(ben, "a.txt", "same"), w.upload(eve, "b.txt", "same")
		if a.ID == b.ID || a.SHA256 != b.SHA256 || len(w.contents()) != 1 {
			t.Errorf("%v %v %v", a, b, w.contents())
		}
		id, err := w.insert(eve, core.Record{"scan": string(b.ID)})
		must(t, err)
		w.sweep() // Ben's goes
		if got := w.read(eve, Of{Table: "paper", Record: id, Column: "scan"}); got != "same" {
			t.Errorf("%q", got)
		}
	})
}

// TestSweep deletes what nobody names, and keeps what a version of the history names.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		w.upload(ben, "waits.txt", "waits")
		kept := w.upload(ben, "kept.txt", "kept")
		id, err := w.insert(ben, core.Record{"scan": string(kept.ID)})
		must(t, err)
		of := Of{Table: "paper", Record: id, Column: "scan", File: kept.ID}
		must(t, w.store.Tx(ben, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
			_, err := tx.Delete(ctx, tables.Remove{Table: "paper", Where: tables.ByID(id)})
			return err
		}))
		w.sweep()
		if got := w.read(ben, of); got != "kept" || len(w.contents()) != 1 {
			t.Fatalf("the old version has %q, and %d contents are kept", got, len(w.contents()))
		}
		w.forget(id)
		w.sweep()
		if len(w.contents()) != 0 {
			t.Error("the content outlives the history")
		}
		if _, err := w.insert(ben, core.Record{"scan": string(kept.ID)}); err == nil {
			t.Error("a file that is gone was attached")
		}
	})
}

// TestPurge deletes the files of records that were purged, and keeps those that other records have too.
func TestPurge(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		own, shared := w.upload(ben, "own.txt", "own"), w.upload(ben, "shared.txt", "shared")
		id, err := w.insert(ben, core.Record{"scan": string(own.ID)})
		must(t, err)
		other, err := w.insert(ben, core.Record{"scan": string(shared.ID)})
		must(t, err)
		do := func(f func(context.Context, *tables.Tx) error) {
			t.Helper()
			must(t, w.store.Tx(w.root(), tables.TxOptions{}, f))
		}
		do(func(ctx context.Context, tx *tables.Tx) error {
			_, err := tx.Update(ctx, tables.Update{Table: "paper", Where: tables.ByID(id), Set: core.Record{"scan": string(shared.ID)}})
			return err
		})
		do(func(ctx context.Context, tx *tables.Tx) error {
			_, err := tx.Delete(ctx, tables.Remove{Table: "paper", Where: tables.ByID(id)})
			return err
		})
		for { // other tests have transactions on the same server, before which the last change is not sealed
			err := w.store.Tx(w.root(), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				_, err := tx.Purge(ctx, tables.Purge{Table: "paper", IDs: []core.ID{id}})
				return err
			})
			if core.KindOf(err) != core.Conflict {
				must(t, err)
				break
			}
		}
		s := w.s.sweeper(sweepGrace) // nothing is old but what was let go
		s.Keep = 0
		_, err = w.store.SweepFiles(t.Context(), s)
		must(t, err)
		if have := w.contents(); len(have) != 1 || !have[Address(shared.SHA256)] {
			t.Errorf("%v is kept", have)
		}
		if got := w.read(ben, Of{Table: "paper", Record: other, Column: "scan"}); got != "shared" {
			t.Errorf("%q", got)
		}
	})
}

// forget deletes the history of a record past the table layer.
func (w *world) forget(id core.ID) {
	w.t.Helper()
	must(w.t, w.store.Tx(w.root(), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		_, err := tx.DB().Exec(ctx, db.New(tx.DB().Dialect).Write(`DELETE FROM "_history" WHERE record_id = `).Arg(id))
		return err
	}))
}

// TestSweepShortHistory keeps what a record names whose history is kept for a shorter time.
func TestSweepShortHistory(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		f := w.upload(ben, "a.txt", "now")
		id, err := w.insert(ben, core.Record{"scan": string(f.ID)})
		must(t, err)
		w.forget(id)
		w.sweep()
		if got := w.read(ben, Of{Table: "paper", Record: id, Column: "scan"}); got != "now" {
			t.Errorf("%q", got)
		}
	})
}

// TestLeftOver removes contents that no row has, thumbnails of contents that are gone, and staged parts.
func TestLeftOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		f := w.upload(ben, "a.png", onePicture(30, 20))
		id, err := w.insert(ben, core.Record{"photo": string(f.ID)})
		must(t, err)
		c, err := w.s.Thumbnail(ben, Of{Table: "paper", Record: id, Column: "photo"}, core.Thumbnail)
		must(t, err)
		must(t, c.Close())
		staged, err := w.disk.Stage(t.Context(), strings.NewReader("a crash came"), 100)
		must(t, err)
		must(t, staged.Keep(t.Context()))
		_, err = w.disk.Stage(t.Context(), strings.NewReader("another"), 100)
		must(t, err)
		w.sweep()
		if len(w.contents()) != 1 || !w.contents()[Address(f.SHA256)] || !w.s.cache.has(Address(f.SHA256), core.Thumbnail) {
			t.Errorf("%v", w.contents())
		}
		must(t, w.disk.Remove(t.Context(), Address(f.SHA256)))
		w.sweep()
		if w.s.cache.has(Address(f.SHA256), core.Thumbnail) {
			t.Error("the thumbnail outlives the image")
		}
	})
}

// TestWaiting bounds what a user may upload without a record that names it.
func TestWaiting(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		w.s.o.MaxSize = 10
		for i := range waitingFactor {
			w.upload(ben, "a.txt", fmt.Sprintf("number %03d", i))
		}
		_, err := w.s.Upload(ben, "a.txt", strings.NewReader("one more"))
		wantKind(t, err, core.Limit, "10 files of yours with 100 bytes")
	})
}

// TestMissingContent tells who may read a file that its content is not there, and gives it when it is back.
func TestMissingContent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		f := w.upload(ben, "a.txt", "content")
		id, err := w.insert(ben, core.Record{"scan": string(f.ID)})
		must(t, err)
		of := Of{Table: "paper", Record: id, Column: "scan"}
		must(t, w.disk.Remove(t.Context(), Address(f.SHA256)))
		_, err = w.s.Open(ben, of)
		wantKind(t, err, core.Unavailable, "restore the folder of the files")
		staged, err := w.disk.Stage(t.Context(), strings.NewReader("content"), 100)
		must(t, err)
		must(t, staged.Keep(t.Context()))
		must(t, staged.Keep(t.Context())) // twice is once
		staged.Drop()
		if got := w.read(ben, of); got != "content" {
			t.Errorf("%q", got)
		}
	})
}

// TestRace uploads, attaches and sweeps the same few contents at once: what a record names is never missing.
func TestRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		var work sync.WaitGroup
		stop := make(chan struct{})
		sweeping := w.s.sweeper(0)
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := w.store.SweepFiles(w.root(), sweeping); err != nil && !core.KindOf(err).Retry() {
					t.Error(err)
					return
				}
			}
		})
		var writers sync.WaitGroup
		for n := range 3 {
			writers.Go(func() {
				for i := range 40 {
					f, err := w.s.Upload(ben, "a.txt", strings.NewReader(fmt.Sprint("content ", (n+i)%4)))
					if err != nil {
						t.Error(err)
						return
					}
					id, err := w.insert(ben, core.Record{"scan": string(f.ID)})
					if err != nil {
						t.Error(err)
						return
					}
					if w.read(ben, Of{Table: "paper", Record: id, Column: "scan"}) == "" {
						t.Errorf("the file of %s is missing", id)
					}
					w.unname(t, ben, id)
				}
			})
		}
		writers.Wait()
		close(stop)
		work.Wait()
		w.mustBeSound()
	})
}

// unname takes the file out of the record, and the record out of the history, so that the file can be swept.
func (w *world) unname(t *testing.T, ctx context.Context, id core.ID) {
	err := w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if _, err := tx.Update(ctx, tables.Update{Table: "paper", Where: tables.ByID(id), Set: core.Record{"scan": nil}}); err != nil {
			return err
		}
		_, err := tx.DB().Exec(ctx, db.New(tx.DB().Dialect).Write(`DELETE FROM "_history" WHERE record_id = `).Arg(id))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// mustBeSound checks that every file has its content, and every record its file.
func (w *world) mustBeSound() {
	w.t.Helper()
	snap := w.store.Snapshot()
	for r, err := range w.store.Scan(w.root(), snap, tables.Query{Table: "_file"}) {
		must(w.t, err)
		c, err := w.disk.Open(w.t.Context(), Address(r["sha256"].(string)))
		must(w.t, err)
		must(w.t, c.Close())
	}
	for r, err := range w.store.Scan(w.root(), snap, tables.Query{Table: "paper"}) {
		must(w.t, err)
		if r["scan"] != nil && w.read(w.root(), Of{Table: "paper", Record: core.ID(r["id"].(string)), Column: "scan"}) == "" {
			w.t.Fatalf("the file of the record %v is missing", r["id"])
		}
	}
}
