package tables

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// Feed asks for the changes of a table's records behind a cursor, in the order of their commits.
type Feed struct {
	Table string
	Since string // a cursor of an earlier page; "" for none of what was until now, [FeedStart] for all that is kept
	Where Cond   // the records to follow; nil for every one
	Limit int    // changes at most; 0 for DefaultLimit
}

// FeedStart is the cursor in front of every change that is kept.
const FeedStart = "start"

// FeedPage is an answer to a [Feed].
type FeedPage struct {
	Changes []core.Record // see [ChangeColumns]
	Cursor  string        // behind them
	More    bool          // there may be more already
}

// ChangeColumns describes one change of a [FeedPage].
var ChangeColumns = []core.Column{
	{Name: "op", Kind: core.Text, Required: true, Doc: "What happened to what you follow: create when a record came into it, update, or delete when it went out of it."},
	{Name: "id", Kind: core.UUID, Required: true, Doc: "The record."},
	{Name: "version", Kind: core.Integer, Required: true, Doc: "Its version since."},
	{Name: "at", Kind: core.Timestamp, Required: true, Doc: "When."},
	{Name: "actor", Kind: core.UUID, Doc: "Who changed it; null where you may not see who changes records."},
	{Name: "cause", Kind: core.Text, Required: true, Doc: "Why: api, flow, import, merge, restore and the like."},
	{Name: "before", Kind: core.JSON, Doc: "The record before, as you may read it."},
	{Name: "after", Kind: core.JSON, Doc: "The record after it, as you may read it."},
}

// Changes reads a page of the feed of a table as the caller may read it now. It shows the table as if the caller could see
// only the records in reach that meet the condition: a record that comes into this view is created, one that leaves it is
// deleted. A version is shown when it is in reach, and the record as it is now too; where only the latter fails, a record
// that left the view is told by its id alone, and other changes not at all.
//
// Every change is in exactly one page, whatever commits meanwhile. A cursor is for one table; it tells nothing and cannot
// be made by others.
func (s *Store) Changes(ctx context.Context, snap *Snapshot, f Feed) (page FeedPage, err error) {
	const op = "tables.Changes"
	pair, err := s.pair(ctx, snap, f.Table)
	if err != nil {
		return page, core.E(op, err)
	}
	from, err := s.feedPlace(ctx, pair.after.table, f.Since)
	if err != nil {
		return page, core.E(op, err)
	}
	page, _, shown, err := s.follow(ctx, pair, f, from)
	if err == nil && len(shown) > 0 {
		err = s.LogAccess(ctx, shown...)
	}
	if err != nil {
		return FeedPage{}, core.E(op, err)
	}
	return page, nil
}

// FeedPlace is a place in the feed of a table, for who follows it. It can be compared.
type FeedPlace struct {
	at    Cursor
	known Cursor // the purges up to here are known
	now   bool   // behind what there is when it is asked for
}

// IsNow reports whether the place is that of no cursor: what follows it first has no changes, and the cursor of now.
func (p FeedPlace) IsNow() bool { return p.now }

// FeedPlace returns the place of a cursor of the feed of the table: see [Feed.Since].
func (s *Store) FeedPlace(ctx context.Context, snap *Snapshot, f Feed) (FeedPlace, error) {
	t, _, err := snap.decide(core.CallerFrom(ctx), f.Table, core.Read)
	if err != nil {
		return FeedPlace{}, core.E("tables.FeedPlace", err)
	}
	place, err := s.feedPlace(ctx, t, f.Since)
	return place, core.E("tables.FeedPlace", err)
}

func (s *Store) feedPlace(ctx context.Context, t *core.Table, since string) (FeedPlace, error) {
	state, err := s.feedState(ctx, t)
	if err != nil {
		return FeedPlace{}, err
	}
	switch since {
	case "":
		return FeedPlace{at: state.floor, known: state.purged, now: true}, nil
	case FeedStart:
		return FeedPlace{at: state.floor, known: state.purged}, nil
	}
	at, known, err := state.key.open(t, since)
	return FeedPlace{at: at, known: known}, err
}

// FollowFeed is [Store.Changes] from a place, in place of the cursor, for who may show the page to several callers: those for whom
// [Store.FeedSources] gives one fingerprint. The next page is behind the place next. What is to be kept in the access log, for each of them
// before he sees the page, is in shown.
func (s *Store) FollowFeed(ctx context.Context, snap *Snapshot, f Feed, from FeedPlace) (page FeedPage, next FeedPlace, shown []Access, err error) {
	pair, err := s.pair(ctx, snap, f.Table)
	if err == nil {
		page, next, shown, err = s.follow(ctx, pair, f, from)
	}
	return page, next, shown, core.E("tables.FollowFeed", err)
}

// FeedSources returns where the rows of a feed come from, and a digest of all that the caller's rights to it come to.
func (s *Store) FeedSources(ctx context.Context, snap *Snapshot, f Feed) (out Sources, sum [sha256.Size]byte, err error) {
	const op = "tables.FeedSources"
	pair, err := s.pair(ctx, snap, f.Table)
	if err != nil {
		return out, sum, core.E(op, err)
	}
	sel, err := pair.feed(f, Cursor{}, Cursor{})
	if err != nil {
		return out, sum, core.E(op, err)
	}
	b := db.New(s.db.Dialect)
	sel.answer(b)
	if b.Err() != nil {
		return out, sum, core.E(op, b.Err())
	}
	out = sourcesOf(snap, b.String())
	if t := pair.after.table.SQL(); !slices.Contains(out.Tables, t) { // its rows are those of the history
		out.Tables = append(out.Tables, t)
	}
	return out, fingerprint(b), nil
}

func (s *Store) follow(ctx context.Context, pair *pair, f Feed, from FeedPlace) (page FeedPage, next FeedPlace, shown []Access, err error) {
	if f.Limit == 0 {
		f.Limit = DefaultLimit
	}
	table := pair.after.table
	if err := checkLimit(pair.after.p.snap, f.Table, f.Limit); err != nil {
		return page, next, nil, err
	}
	state, err := s.feedState(ctx, table)
	if err != nil {
		return page, next, nil, err
	}
	if err := state.reaches(table, from.at, from.known); err != nil {
		return page, next, nil, err
	}
	end, err := s.LastEvent(ctx, from.at)
	if err != nil {
		return page, next, nil, err
	}
	if from.now {
		page.Cursor, err = state.key.seal(table, end, state.purged)
		return page, FeedPlace{at: end, known: state.purged}, nil, err
	}
	sel, err := pair.feed(f, from.at, end)
	if err != nil {
		return page, next, nil, err
	}
	rows, err := pair.rows(ctx, s, sel)
	if err != nil {
		return page, next, nil, err
	}
	if state, err = s.feedState(ctx, table); err == nil { // what went meanwhile is missing in the page
		err = state.reaches(table, from.at, from.known)
	}
	if err != nil {
		return page, next, nil, err
	}
	if len(rows) > f.Limit {
		rows, page.More = rows[:f.Limit], true
		end = from.at
		if n := len(rows); n > 0 {
			end = Cursor{rows[n-1].Tx, rows[n-1].Seq}
		}
	}
	var records []string
	for i := range rows {
		page.Changes = append(page.Changes, rows[i].change())
		records = append(records, rows[i].RecordID)
	}
	page.Cursor, err = state.key.seal(table, end, state.purged)
	return page, FeedPlace{at: end, known: state.purged}, pair.after.witness.shows(AccessChanges, records), err
}

// feed plans the page: one change more than asked for.
func (p *pair) feed(f Feed, since, end Cursor) (*selection, error) {
	after, err := p.after.follows(f.Where)
	if err != nil {
		return nil, err
	}
	before, err := p.before.follows(f.Where)
	if err != nil {
		return nil, err
	}
	s := p.selection()
	s.shape.Fields = s.shape.Fields[:len(s.shape.Fields)-2]
	s.value = s.value[:len(s.value)-2]
	s.add(db.ShapeField{Key: "tx", Kind: core.Integer}, func(b *db.Builder) { b.Write(b.Dialect().EventTx()) })
	s.add(db.ShapeField{Key: "seq", Kind: core.Integer}, func(b *db.Builder) { b.Name("e", "seq") })
	s.add(db.ShapeField{Key: "left", Kind: core.Boolean}, func(b *db.Builder) { b.Write("NOT "); after.was(b) })
	for i, side := range []*followed{after, before} {
		s.add(db.ShapeField{Key: []string{"after", "before"}[i], JSON: true}, func(b *db.Builder) {
			b.Write("CASE WHEN ")
			side.is(b)
			b.Write(" THEN ")
			side.object().nest(b)
			b.Write(" END")
		})
	}
	s.from = func(b *db.Builder) {
		b.Write(` FROM "_event" AS e`)
		p.join(b)
		b.Write(" WHERE e.table_name = ").Arg(p.after.table.SQL()).Write(" AND ")
		b.Dialect().EventsBetween(b, since.Tx, since.Seq, end.Tx, end.Seq)
		b.Write(" AND (")
		after.is(b)
		b.Write(" OR ")
		before.was(b)
		b.Write(" AND NOT ")
		after.was(b)
		b.Write(") ORDER BY ", b.Dialect().EventOrder(false), " LIMIT ").Arg(int64(f.Limit) + 1)
	}
	return s, nil
}

// followed is one side of a change.
type followed struct {
	*node
	where writeFunc
}

func (n *node) follows(where Cond) (*followed, error) {
	w, err := n.where(where)
	return &followed{n, w}, err
}

// was writes that the version belongs to the view by itself. It is never NULL.
func (f *followed) was(b *db.Builder) {
	b.Write("coalesce(").Name(f.alias, "id").Write(" IS NOT NULL")
	if f.may.Rows != nil {
		b.Write(" AND ")
		f.expr(b, f.may.Rows)
	}
	f.meets(b)
	b.Write(", FALSE)")
}

// is writes that the version belongs to the view, and may be shown. It is never NULL.
func (f *followed) is(b *db.Builder) {
	b.Write("coalesce(").Name(f.alias, "id").Write(" IS NOT NULL")
	f.scope(b)
	f.meets(b)
	b.Write(", FALSE)")
}

func (f *followed) meets(b *db.Builder) {
	if f.where != nil {
		b.Write(" AND ")
		f.where(b)
	}
}

// change is what a reader of the feed is told.
func (v *seenVersion) change() core.Record {
	out := core.Record{
		"op": string(core.Update), "id": v.RecordID, "version": v.Version, "at": v.At, "actor": v.Actor, "cause": v.Cause,
		"before": present(v.Before), "after": present(v.After),
	}
	switch {
	case v.Left:
		out["op"] = string(core.Delete)
	case out["before"] == nil:
		out["op"] = string(core.Create)
	}
	return out
}

// before reports whether c is in front of other.
func (c Cursor) before(other Cursor) bool {
	return c.Tx < other.Tx || c.Tx == other.Tx && c.Seq < other.Seq
}

// feedState is what a feed of a table depends on, besides events.
type feedState struct {
	floor  Cursor // events up to here were dropped
	purged Cursor // records were purged that events up to here tell of
	key    cursorKey
}

// reaches returns an error when the feed does not have everything behind the place any more, for a reader who knows of the
// purges up to known.
func (f *feedState) reaches(t *core.Table, since, known Cursor) error {
	if since.before(f.floor) || since.before(f.purged) && known != f.purged {
		return core.E("tables.reaches", core.Invalid, core.At{Table: t.Name}, "the feed does not reach back to this cursor any more: read the table anew, and go on from a new cursor")
	}
	return nil
}

func (s *Store) feedState(ctx context.Context, t *core.Table) (f feedState, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT key, value FROM "_meta" WHERE key IN ('cursor_key', `).Arg(feedFloor).Write(", ").Arg(feedFloor + ":" + t.SQL()).Write(")")
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var name, value string
		if err := scan(&name, &value); err != nil {
			return err
		}
		switch name {
		case "cursor_key":
			raw, err := hex.DecodeString(value)
			if err != nil {
				return err
			}
			f.key, err = newCursorKey(raw)
			return err
		case feedFloor:
			return f.floor.parse(value)
		}
		return f.purged.parse(value)
	})
	return f, err
}

func (c *Cursor) parse(s string) error {
	_, err := fmt.Sscanf(s, "%d %d", &c.Tx, &c.Seq)
	return err
}

// cursorKey seals cursors: AES-GCM, with the table as associated data.
type cursorKey struct{ cipher.AEAD }

func newCursorKey(raw []byte) (cursorKey, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return cursorKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	return cursorKey{aead}, err
}

// seal makes a cursor of a place and of the purges that its reader knows of.
func (k cursorKey) seal(t *core.Table, c, purged Cursor) (string, error) {
	nonce := make([]byte, k.NonceSize(), k.NonceSize()+32+k.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	var place []byte
	for _, n := range []int64{c.Tx, c.Seq, purged.Tx, purged.Seq} {
		place = binary.BigEndian.AppendUint64(place, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(k.Seal(nonce, nonce, place, []byte(t.SQL()))), nil
}

func (k cursorKey) open(t *core.Table, cursor string) (c, purged Cursor, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(raw) > k.NonceSize() {
		var place []byte
		if place, err = k.Open(nil, raw[:k.NonceSize()], raw[k.NonceSize():], []byte(t.SQL())); err == nil && len(place) == 32 {
			at := func(i int) int64 { return int64(binary.BigEndian.Uint64(place[8*i:])) }
			return Cursor{at(0), at(1)}, Cursor{at(2), at(3)}, nil
		}
	}
	return c, purged, core.E("tables.cursor", core.Invalid, core.At{Table: t.Name}, "this is no cursor of the changes of this table: take it from an earlier answer, or leave it out")
}
