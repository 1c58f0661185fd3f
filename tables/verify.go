package tables

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Verify says what [Store.Verify] looks at; the zero value is everything.
type Verify struct {
	Table string   // only the records of this table; the seals are those of all
	Heads []string // hashes that were noted elsewhere, each of which must be that of a seal
	Since string   // the hash of a seal: only what was sealed behind it

	Progress func(done, all int64) // versions; nil for nobody who wants to know
}

// Verified is what a look at the history found.
type Verified struct {
	Seals    int64 // that were looked at
	Versions int64 // whose contents are what was sealed
	Erased   int64 // versions whose contents were purged or dropped, as the audit says
	Records  int64 // whose row is what their last version says
	Unsealed int64 // versions that are not sealed yet, for which nothing can be said
	Head     string
	Seal     int64     // the number of the last seal, which the head is of
	At       time.Time // when it was made; the zero time when there is none

	Problems []Problem // the first of them
	Count    int64     // of all problems
}

// Problem is something that is not as it was sealed.
type Problem struct {
	Kind    string  // see the constants
	Table   string  // empty when it is about no record
	ID      core.ID // of the record
	Version int64
	Seal    int64 // empty when it is about none
	Message string
}

// The kinds of problems.
const (
	ProblemEdited  = "edited"  // a version has other contents than were sealed
	ProblemRemoved = "removed" // a version that was sealed is gone
	ProblemForged  = "forged"  // a version was never sealed
	ProblemEvent   = "event"   // an event is gone, was changed, was added, or is in another place
	ProblemSeal    = "seal"    // a seal was changed, or is gone
	ProblemAudit   = "audit"   // a row of the audit was changed, or is gone
	ProblemAccess  = "access"  // entries of the access log were changed, added, or are gone; the version is the row of the audit
	ProblemCurrent = "current" // a row of a table is not what the last version of the record says
	ProblemDerived = "derived" // a stored calculated column is not what its formula makes of the records
	ProblemHead    = "head"    // a hash that was noted is that of no seal

	ProblemDefinition = "definition" // a definition, or the rights, are not what the audit says of the last change
)

const (
	maxProblems = 100
	sealPage    = 8 // seals that are read at once: some hundred kilobytes
)

// Verify compares the history with its seals: each version and its event with what was sealed, the seals with each other and
// with hashes that were noted elsewhere, the audit with its own chain, and the rows of tables with the last versions. It reads
// in pieces and keeps nothing of them, while others write. The caller must be trusted: the report names records whatever
// the rights.
func (s *Store) Verify(ctx context.Context, o Verify) (*Verified, error) {
	const op = "tables.Verify"
	v := &verifier{Store: s, o: o, snap: s.Snapshot(), start: time.Now().UnixMicro(), known: buckets{seed: maphash.MakeSeed()}}
	if err := v.run(ctx); err != nil {
		return nil, core.E(op, err)
	}
	return &v.out, nil
}

// verifier is one call of Verify.
type verifier struct {
	*Store
	o     Verify
	snap  *Snapshot
	table string // the physical name of the table to look at; empty for all
	out   Verified
	start int64 // what came later is no matter

	dropped int64 // events that were dropped: those of the first leaves
	walked  int64 // leaves that were looked at
	known   buckets
	last    seal // that was looked at
	heads   map[string]bool
	all     int64

	broken bool // there is a seal that is gone or was changed
}

func (v *verifier) problem(p Problem) {
	if v.out.Count++; len(v.out.Problems) < maxProblems {
		v.out.Problems = append(v.out.Problems, p)
	}
}

// about is a problem with a version.
func (v *verifier) about(kind string, k versionKey, seal int64, format string, args ...any) {
	v.problem(Problem{Kind: kind, Table: v.name(k.table), ID: k.id, Version: k.version, Seal: seal, Message: fmt.Sprintf(format, args...)})
}

// name returns what people call a table.
func (v *verifier) name(physical string) string {
	if t, ok := v.snap.Schema.At(physical); ok {
		return t.Name
	}
	return physical
}

func (v *verifier) run(ctx context.Context) error {
	if err := v.prepare(ctx); err != nil {
		return err
	}
	if err := v.verifyAudit(ctx); err != nil {
		return err
	}
	if err := v.verifyAccesses(ctx); err != nil {
		return err
	}
	if err := v.verifySeals(ctx); err != nil {
		return err
	}
	if v.o.Since != "" {
		return nil
	}
	if err := v.unsealed(ctx); err != nil {
		return err
	}
	if !v.broken { // otherwise nobody knows what was sealed
		if err := v.forged(ctx); err != nil {
			return err
		}
	}
	if err := v.verifyDefinitions(ctx); err != nil {
		return err
	}
	return v.rows(ctx)
}

// prepare finds out what there is to look at.
func (v *verifier) prepare(ctx context.Context) error {
	const op = "tables.Verify"
	if v.o.Table != "" {
		t, err := v.snap.Schema.Table(v.o.Table)
		if err != nil {
			return err
		}
		if t.Builtin {
			return core.E(op, core.Invalid, core.At{Table: t.Name}, "a table of Colonnade itself has no history")
		}
		v.table = t.SQL()
	}
	v.heads = map[string]bool{}
	for _, h := range append(slices.Clone(v.o.Heads), v.o.Since) {
		if h == "" {
			continue
		}
		if len(h) != 2*len(digest{}) || strings.Trim(h, "0123456789abcdef") != "" {
			return core.E(op, core.Invalid, fmt.Sprintf("%q is no head: it has %d digits and letters from a to f", h, 2*len(digest{})))
		}
		v.heads[h] = false
	}
	return v.db.Query(ctx, db.New(v.db.Dialect).Write(`SELECT CAST(coalesce(sum(leaf_count), 0) AS bigint) FROM "_seal"`), func(scan func(...any) error) error { return scan(&v.all) })
}

// verifySeals walks the seals.
func (v *verifier) verifySeals(ctx context.Context) error {
	if v.o.Since != "" {
		if err := v.since(ctx); err != nil {
			return err
		}
	}
	for {
		page, err := v.nextSeals(ctx)
		if err != nil {
			return err
		}
		if err := v.anchor(ctx, page); err != nil {
			return err
		}
		for _, s := range page {
			if !v.link(s) {
				v.broken = true // and says nothing of versions
			} else if err := v.versions(ctx, s); err != nil {
				return err
			}
			v.walked += int64(len(s.leaves))
			v.last = *s
			v.last.leaves, v.last.packed, v.last.salts = nil, nil, nil
			v.out.Seals++
			if v.o.Progress != nil {
				v.o.Progress(v.out.Versions+v.out.Erased, v.all)
			}
		}
		if len(page) == 0 {
			return v.end(ctx)
		}
	}
}

// nextSeals returns some of the seals behind the last one that was looked at, none at the end.
func (v *verifier) nextSeals(ctx context.Context) (page []*seal, err error) {
	err = v.db.Query(ctx, v.seals(v.db, v.last.number, sealPage), func(scan func(...any) error) error {
		page = append(page, &seal{})
		return page[len(page)-1].scan(scan)
	})
	return page, err
}

// since begins behind the seal that was noted.
func (v *verifier) since(ctx context.Context) error {
	b := db.New(v.db.Dialect).Write("SELECT ", sealColumns, ` FROM "_seal" ORDER BY number DESC`)
	found := false
	err := v.db.Query(ctx, b, func(scan func(...any) error) error {
		var s seal
		if err := s.scan(scan); err != nil || found || s.head.String() != v.o.Since {
			return err
		}
		v.last, found = s, true
		return nil
	})
	if err == nil && found {
		v.heads[v.o.Since] = true
		v.last.leaves, v.last.packed, v.last.salts = nil, nil, nil
		b = db.New(v.db.Dialect).Write(`SELECT CAST(sum(leaf_count) AS bigint) FROM "_seal" WHERE number <= `).Arg(v.last.number)
		err = v.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&v.walked) })
	}
	return err
}

// link compares a seal with the one before it, and reports whether it is what it was.
func (v *verifier) link(s *seal) (ok bool) {
	ok = true
	say := func(format string, args ...any) {
		ok = false
		v.problem(Problem{Kind: ProblemSeal, Seal: s.number, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.number != v.last.number+1:
		say("the seals %d to %d are gone", v.last.number+1, s.number-1)
		v.broken, ok = true, true
	case s.from != v.last.to:
		say("seals in front of it are gone")
		v.broken, ok = true, true
	}
	switch {
	case s.unreadable != nil:
		say("the seal was changed: it cannot be read")
	case s.number == v.last.number+1 && s.sum(v.last.head) != s.head:
		say("the seal was changed, or the one in front of it")
	case s.count != int64(len(s.leaves)):
		say("the seal was changed: it says that it is about %d versions, and holds %d", s.count, len(s.leaves))
	}
	if _, noted := v.heads[s.head.String()]; noted {
		v.heads[s.head.String()] = true
	}
	return ok
}

// end looks at the end of the seals, and at what was noted of them.
func (v *verifier) end(ctx context.Context) error {
	place, err := v.ReadCursor(ctx, sealer)
	if err != nil {
		return err
	}
	if last, err := lastSeal(ctx, v.db, v.db.Dialect); err != nil {
		return err
	} else if last.number == v.last.number && place != v.last.to { // and not one that was made just now
		v.problem(Problem{Kind: ProblemSeal, Seal: v.last.number + 1, Message: "the last seals are gone: there were more than there are"})
	}
	for _, h := range append(slices.Clone(v.o.Heads), v.o.Since) {
		if h != "" && !v.heads[h] {
			v.problem(Problem{Kind: ProblemHead, Message: "the head " + h + " that was noted is that of no seal: what it stood for was cut off, or history and seals were written anew"})
		}
	}
	v.out.Seal = v.last.number
	if v.last.number > 0 {
		v.out.Head, v.out.At = v.last.head.String(), time.UnixMicro(v.last.at).UTC()
	}
	return nil
}
