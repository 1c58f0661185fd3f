package tables

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"colonnade/core"
)

// Insert creates records, or changes those that exist already when OnConflict says so.
type Insert struct {
	Table       string
	Rows        []core.Record // values as they came from the client
	OnConflict  *OnConflict
	With        []Nest // what is inserted together with the rows
	Find        string // of what is nested: a key; the rows name by it records that exist, and nothing is inserted
	Report      bool   // rows that are refused are left out, and their errors are in the items of the result
	OnDuplicate Duplicates
	AsIs        bool // records of another system, as they are: their numbers, any status, retired options; needs the right import_data

	trusted map[any]bool // ids that the same insert created, which may be looked up unseen
}

// OnConflict says what to do with a record whose key is taken.
type OnConflict struct {
	Key    string   // "<table>_pkey", a unique column or the name of a key
	Update []string // the columns to take over, from rows that have them; none to leave the record as it is
	Where  Cond     // only records that meet it are changed
	Exists bool     // the record must exist, in reach of an update: nothing is created
}

// maxRaces is how often an insert looks again for the record that has its key, when another transaction was faster.
const maxRaces = 3

// batchRows is how many rows are prepared before they are written: what an insert needs besides its input does not grow
// with the number of rows.
const batchRows = 2500

// Insert runs an insert in a unit of work: all of its rows are written, or none unless Report is set.
func (tx *Tx) Insert(ctx context.Context, in Insert) (res Result, err error) {
	const op = "tables.Insert"
	since := len(tx.late)
	switch {
	case in.Report:
		res, err = tx.insertEach(ctx, in)
	case len(in.With) > 0:
		res, err = tx.insertNested(ctx, in)
	default:
		res, err = tx.insertFlat(ctx, in)
	}
	if err == nil {
		err = tx.verify(ctx, since)
		if len(in.With) > 0 { // of which list would the item be?
			err = unplaced(err)
		}
	}
	if err != nil {
		return Result{}, core.E(op, tx.keep(err))
	}
	return res, nil
}

// insertFlat inserts rows without anything nested.
func (tx *Tx) insertFlat(ctx context.Context, in Insert) (res Result, err error) {
	if in.OnConflict == nil || tx.db.Lock() == "" { // no other transaction is faster
		return tx.insert(ctx, in)
	}
	for try := 1; ; try++ {
		err = tx.Savepoint(ctx, func() error {
			res, err = tx.insert(ctx, in)
			return err
		})
		if err == nil || core.KindOf(err) != core.Exists || try == maxRaces {
			return res, err
		}
	}
}

func (tx *Tx) insert(ctx context.Context, in Insert) (res Result, err error) {
	w, u, err := tx.inserter(ctx, in)
	if err != nil {
		return Result{}, err
	}
	n := len(in.Rows)
	res.IDs, res.Items = make([]core.ID, 0, n), make([]Item, 0, n)
	switch {
	case w.atOnce(u):
		err = w.upsertAtOnce(ctx, u, in.Rows, &res)
	case u == nil && n >= minSlate && w.slates(u):
		err = w.insertSlates(ctx, in.Rows, &res)
	case w.aside(u):
		err = w.insertAside(ctx, u, in.Rows, &res)
	default:
		err = w.insertInTurn(ctx, u, in.Rows, &res)
	}
	if err != nil {
		return Result{}, err
	}
	res.like(w.likened)
	return res, nil
}

// parts yields what is prepared and written together: some of the rows, and the place of the first.
func (w *writer) parts(rows []core.Record) iter.Seq2[int, []core.Record] {
	return func(yield func(int, []core.Record) bool) {
		size := w.batchSize(len(rows))
		for from := 0; from < len(rows) && yield(from, rows[from:min(from+size, len(rows))]); from += size {
		}
	}
}

// insertInTurn prepares a batch and writes it before it looks at the next.
func (w *writer) insertInTurn(ctx context.Context, u *upsert, rows []core.Record, res *Result) error {
	for from, part := range w.parts(rows) {
		if u != nil {
			if err := w.find(ctx, u, part, from, len(rows)); err != nil {
				return err
			}
		}
		if err := w.number(ctx, u, part); err != nil {
			return err
		}
		if err := w.foresee(u, part); err != nil {
			return err
		}
		if err := w.prepare(u, part, from, len(rows), res); err != nil {
			return err
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare prepares some of n rows, the first of which is at the place from.
func (w *writer) prepare(u *upsert, rows []core.Record, from, n int, res *Result) error {
	w.batch = slices.Grow(w.batch[:0], len(rows))
	for i, values := range rows {
		at := item(n, from+i)
		if err := w.put(u, values, i, at, res); err != nil {
			return core.E("tables.insert", core.At{Item: at}, err)
		}
	}
	return nil
}

// inserter returns the write that an insert is, and what it does with records that exist.
func (tx *Tx) inserter(ctx context.Context, in Insert) (w *writer, u *upsert, err error) {
	priv := core.Create
	if in.OnConflict != nil && in.OnConflict.Exists {
		priv = core.Update
	}
	if w, err = tx.writer(ctx, in.Table, priv); err != nil {
		return nil, nil, err
	}
	w.trusted, w.asIs, w.onDuplicate = in.trusted, in.AsIs, in.OnDuplicate
	if w.asIs {
		if err := tx.snap.Policy.May(w.caller, "import_data"); err != nil {
			return nil, nil, err
		}
	}
	var where Cond
	if in.OnConflict != nil {
		if u, err = w.upsert(ctx, in); err != nil {
			return nil, nil, err
		}
		where = in.OnConflict.Where
	}
	return w, u, tx.settleFor(ctx, in.Table, u != nil, where, w.create, w.update)
}

// batchSize is how many of n rows are written together: all where one may look up another, whatever their order.
func (w *writer) batchSize(n int) int {
	for _, c := range w.stored {
		if c.Kind == core.Lookup && c.Target == w.table.Name {
			return max(n, 1)
		}
	}
	return max(min(n, batchRows), 1)
}

// put prepares the i-th row of a batch: to be created, or to be merged into the record that it collides with.
func (w *writer) put(u *upsert, values core.Record, i, at int, res *Result) error {
	if u != nil && u.existing[i] != nil {
		return w.merge(u, values, u.existing[i], res, at)
	}
	if u != nil && u.Exists {
		return core.E("tables.put", core.NotFound, core.At{Table: w.table.Name}, "there is no record with this key in your reach, and nothing is created")
	}
	id, err := w.add(values, at)
	if err == nil {
		res.created(id)
	}
	return err
}

// upsert is what an insert with OnConflict knows of the records that exist.
type upsert struct {
	*OnConflict
	key      *uniqueKey
	seen     map[string]int   // by key: the row that had it
	existing []core.Record    // by row of the batch: the record that has its key, nil where there is none
	reach    map[core.ID]bool // those of them that the caller may change
	all      bool             // the caller may change all of them
}

// upsert checks what the caller wants to be done with records that exist.
func (w *writer) upsert(ctx context.Context, in Insert) (u *upsert, err error) {
	u = &upsert{OnConflict: in.OnConflict, seen: make(map[string]int, len(in.Rows))}
	if u.key, err = keyOf(w.table, u.Key); err != nil {
		return nil, err
	}
	if u.Where != nil { // whether its columns are refused must not tell that a record is there
		if _, err := w.tx.reach(ctx, in.Table, core.Read, u.Where); err != nil {
			return nil, err
		}
	}
	if u.Exists || len(u.Update) > 0 {
		if err := w.findsBy(u.key); err != nil {
			return nil, err
		}
	}
	if u.Exists {
		u.all = u.Where == nil && w.tx.reachesAll(ctx, in.Table, core.Update)
		return u, w.mustUpdate(u, in.Rows)
	}
	for _, c := range u.key.columns { // what may not be written must not be asked for either
		if _, err := w.parse(core.Create, core.Record{c.Name: nil}); err != nil {
			return nil, err
		}
	}
	if len(u.Update) == 0 {
		return u, nil
	}
	if _, w.update, err = w.tx.snap.decide(w.caller, in.Table, core.Update); err != nil {
		return nil, err
	}
	u.all = u.Where == nil && w.tx.reachesAll(ctx, in.Table, core.Update)
	return u, w.mayTake(u)
}

// mayTake checks that the caller may take over the columns, also when no row needs it.
func (w *writer) mayTake(u *upsert) error {
	for _, name := range u.Update {
		if _, err := w.parse(core.Update, core.Record{name: nil}); err != nil {
			return err
		}
	}
	return nil
}

// mustUpdate checks rows that must not create anything: what they hold is the key or to be taken over.
func (w *writer) mustUpdate(u *upsert, rows []core.Record) error {
	if len(u.Update) == 0 {
		return core.E("tables.mustUpdate", core.Invalid, core.At{Table: w.table.Name}, "nothing would be changed or created: name the columns to take over")
	}
	for i, r := range rows {
		for _, name := range slices.Sorted(maps.Keys(r)) {
			if !slices.Contains(u.Update, name) && !slices.ContainsFunc(u.key.columns, func(c *core.Column) bool { return c.Name == name }) {
				return core.E("tables.mustUpdate", core.Invalid, core.At{Table: w.table.Name, Column: name, Item: item(len(rows), i)}, "the column is neither of the key nor to be taken over: leave it out, or name it")
			}
		}
	}
	return w.mayTake(u)
}

// find looks for the records that a batch of n rows collides with; the batch begins at the row from.
func (w *writer) find(ctx context.Context, u *upsert, rows []core.Record, from, n int) error {
	f, err := w.look(ctx, u, rows, from, n, nil)
	if err == nil {
		err = u.read(f)
	}
	if err != nil || len(u.Update) == 0 || u.all {
		return err
	}
	var ids []core.ID
	for _, r := range u.existing {
		if r != nil {
			ids = append(ids, core.ID(r["id"].(string)))
		}
	}
	u.reach = make(map[core.ID]bool, len(ids))
	if len(ids) == 0 {
		return nil
	}
	reach, err := w.tx.ids(ctx, w.table.Name, core.Update, And{ByID(ids...), orTrue(u.Where)})
	for _, id := range reach {
		u.reach[id] = true
	}
	return err
}

// maxOr is how many keys of several columns one statement looks for.
const maxOr = 200

// found is what the database has of the records that the rows of a batch collide with.
type found struct {
	batchKeys
	raw  []byte // the records as lists of JSON,
	ends []int  // which end there
}

// batchKeys are those of the rows of a batch.
type batchKeys struct {
	n       int
	at      map[string]int // by key: the row of the batch
	single  []any          // the values, of a key of one column
	several []Cond         // the others
}

// keys reads the keys of rows, of which two must not have the same.
func (u *upsert) keys(rows []core.Record, from, n int) (k batchKeys, err error) {
	const op = "tables.existing"
	k = batchKeys{n: len(rows), at: make(map[string]int, len(rows))}
	values := make(core.Record, len(u.key.columns))
	for i, r := range rows {
		place := core.At{Table: u.key.table.Name, Item: item(n, from+i)}
		if err := u.key.parse(r, values); err != nil {
			return k, core.E(op, place, err)
		}
		key, ok := u.key.of(values)
		if !ok {
			continue
		}
		if err := u.meet(key, from+i, n); err != nil {
			return k, err
		}
		k.at[key] = i
		k.add(u.key, values)
	}
	return k, nil
}

// add notes that the record with these values is looked for.
func (k *batchKeys) add(key *uniqueKey, values core.Record) {
	if v := values[key.columns[0].Name]; len(key.columns) == 1 && v != nil {
		k.single = append(k.single, v)
	} else {
		k.several = append(k.several, key.is(values))
	}
}

// meet notes the key of the i-th of n rows, which no row before must have.
func (u *upsert) meet(key string, i, n int) error {
	if j, ok := u.seen[key]; ok {
		at := core.At{Table: u.key.table.Name, Item: item(n, i)}
		return core.E("tables.existing", core.Invalid, at, fmt.Sprintf("the row has the same key as row %d: send one of them", j+1))
	}
	u.seen[key] = i
	return nil
}

// look finds the record that each of the rows collides with, and locks it. It writes what it finds over raw.
func (w *writer) look(ctx context.Context, u *upsert, rows []core.Record, from, n int, raw []byte) (*found, error) {
	k, err := u.keys(rows, from, n)
	if err != nil {
		return nil, err
	}
	return w.lookFor(ctx, u, k, raw)
}

// lookFor is look for keys that were read.
func (w *writer) lookFor(ctx context.Context, u *upsert, k batchKeys, raw []byte) (*found, error) {
	f := &found{batchKeys: k, raw: raw[:0]}
	var parts []Cond
	if len(k.single) > 0 {
		parts = append(parts, Compare{Column: u.key.columns[0].Name, Op: In, Value: k.single})
	}
	for part := range slices.Chunk(k.several, maxOr) {
		parts = append(parts, Or(part))
	}
	priv := core.Op("")
	if u.Exists { // what is out of reach is not there
		priv = core.Update
	}
	for _, part := range parts {
		r, err := w.tx.reach(ctx, w.table.Name, priv, part)
		if err == nil {
			r.any = true
			f.raw, err = w.tx.fetch(ctx, r, r.table.Stored, w.tx.db.Lock(), f.raw)
		}
		if err != nil {
			return nil, err
		}
		f.ends = append(f.ends, len(f.raw))
	}
	return f, nil
}

// read takes over what was found.
func (u *upsert) read(f *found) error {
	u.existing = make([]core.Record, f.n)
	from := 0
	for _, end := range f.ends {
		records, err := decode(u.key.table, f.raw[from:end])
		if err != nil {
			return err
		}
		from = end
		for _, r := range records {
			key, _ := u.key.of(r)
			if i, ok := f.at[key]; ok {
				u.existing[i] = r
			}
		}
	}
	return nil
}

// merge changes the record that an inserted row collides with. The caller needs the right to update it.
func (w *writer) merge(u *upsert, values, old core.Record, res *Result, item int) error {
	id := core.ID(old["id"].(string))
	if len(u.Update) == 0 {
		res.ignored(id)
		return nil
	}
	if !u.all && !u.reach[id] {
		if u.Where != nil {
			res.ignored(id)
			return nil
		}
		return core.E("tables.merge", core.Denied, core.At{Table: w.table.Name}, "a record with this key exists, and you may not change it")
	}
	if hidden, err := w.hides(u.key, old); err != nil || hidden {
		return core.E("tables.merge", core.Denied, core.At{Table: w.table.Name}, "a record with this key exists, and you may not read its key, so you cannot change it by that", err)
	}
	in, err := w.parseSome(core.Update, values, u.Update)
	if err != nil {
		return err
	}
	changed, err := w.change(in, old, item)
	if err == nil {
		res.updated(id, changed)
	}
	return err
}

func orTrue(c Cond) Cond {
	if c == nil {
		return And{}
	}
	return c
}
