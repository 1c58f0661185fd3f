package live

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reader is a subscriber of a source that answers with what it is set to.
type reader struct {
	source Source
	told   chan string
	ended  chan error
	full   atomic.Bool
}

func (r *reader) Prepare(context.Context) (Source, error)        { return r.source, nil }
func (r *reader) Ready() bool                                    { return !r.full.Load() }
func (r *reader) Witness(context.Context, []tables.Access) error { return nil }
func (r *reader) Tell(payload []byte)                            { r.told <- string(payload) }
func (r *reader) End(err error)                                  { r.ended <- err }

func newReader(s Source) *reader {
	return &reader{source: s, told: make(chan string, 100), ended: make(chan error, 1)}
}

// world is a hub over a database with a table shop.
type world struct {
	*Hub
	t     *testing.T
	store *tables.Store
	ctx   context.Context
	shop  string // its physical name
}

func eachWorld(t *testing.T, f func(w *world)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		store := tables.New(d, tables.Options{Log: dbtest.Log(t)})
		w := &world{Hub: New(store, Options{Log: dbtest.Log(t)}), t: t, store: store, ctx: core.WithCaller(t.Context(), core.System("test"))}
		w.must(store.Load(w.ctx))
		w.must(store.Change(w.ctx, core.CreateTable{Define: core.Table{Name: "shop", Columns: []core.Column{{Name: "name", Kind: core.Text}}}}))
		of, err := store.Snapshot().Schema.Table("shop")
		w.must(err)
		w.shop = of.SQL()
		w.Start(w.ctx)
		defer w.Stop()
		f(w)
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// write makes a shop.
func (w *world) write(name string) {
	w.t.Helper()
	w.must(w.store.Tx(w.ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		_, err := tx.Insert(ctx, tables.Insert{Table: "shop", Rows: []core.Record{{"name": name}}})
		return err
	}))
}

// counting is a source over the shops whose answer is a number that next returns, and which counts its turns.
func (w *world) counting(key byte, next func() int64) (s Source, turns *atomic.Int64) {
	turns = &atomic.Int64{}
	return Source{Key: Key{key}, Tables: []string{w.shop}, Timeout: time.Minute, Next: func(context.Context, Place) (Turn, error) {
		turns.Add(1)
		n := next()
		return Turn{Payload: []byte(strconv.FormatInt(n, 10)), Place: n}, nil
	}}, turns
}

// Everybody with one key is told of one turn, and nobody of an answer that he has.
func TestOneTurnForAll(t *testing.T) {
	eachWorld(t, func(w *world) {
		var answer atomic.Int64
		s, turns := w.counting(1, answer.Load)
		readers := make([]*reader, 300)
		members := make([]*Member, len(readers))
		for i := range readers {
			var err error
			readers[i] = newReader(s)
			members[i], err = w.Join(w.ctx, readers[i], nil)
			w.must(err)
		}
		for _, r := range readers {
			if got := <-r.told; got != "0" {
				t.Fatal(got)
			}
		}
		if got := w.Stats(); got.Subscribers != len(readers) || got.Groups != 1 {
			t.Errorf("%+v", got)
		}
		before := turns.Load()
		answer.Store(1)
		w.write("a")
		for _, r := range readers {
			if got := <-r.told; got != "1" {
				t.Fatal(got)
			}
		}
		if n := turns.Load() - before; n > 5 { // those who joined last may be computed for once more
			t.Errorf("%d turns for one change", n)
		}
		for _, m := range members {
			m.Leave()
		}
		if got := w.Stats(); got.Subscribers != 0 || got.Groups != 0 || len(w.byTable) != 0 {
			t.Errorf("%+v %v", got, w.byTable)
		}
	})
}

// A turn that lasts holds up nobody in another group, and who leaves meanwhile is told nothing.
func TestASlowTurn(t *testing.T) {
	eachWorld(t, func(w *world) {
		begun, end := make(chan struct{}), make(chan struct{})
		var once sync.Once
		slow, _ := w.counting(1, func() int64 {
			once.Do(func() { close(begun) })
			<-end
			return 1
		})
		quick, _ := w.counting(2, func() int64 { return 2 })
		a, b := newReader(slow), newReader(quick)
		m, err := w.Join(w.ctx, a, nil)
		w.must(err)
		<-begun
		_, err = w.Join(w.ctx, b, nil)
		w.must(err)
		if got := <-b.told; got != "2" {
			t.Error(got)
		}
		m.Leave()
		close(end)
		w.Stop()
		if len(a.told) > 0 {
			t.Error("told after leaving")
		}
	})
}

// Who is not ready is told nothing of a stream until he is, and then goes on where he was.
func TestWhoIsNotReady(t *testing.T) {
	eachWorld(t, func(w *world) {
		s := Source{Key: Key{1}, Tables: []string{w.shop}, Timeout: time.Minute, Resumes: true, Next: func(_ context.Context, from Place) (Turn, error) {
			n := from.(int) + 1
			return Turn{Payload: []byte(strconv.Itoa(n)), Place: n, More: n < 5}, nil
		}}
		r, other := newReader(s), newReader(s)
		r.full.Store(true)
		m, err := w.Join(w.ctx, r, 0)
		w.must(err)
		_, err = w.Join(w.ctx, other, 0)
		w.must(err)
		for n := 1; n <= 5; n++ {
			if got := <-other.told; got != strconv.Itoa(n) {
				t.Fatal(got)
			}
		}
		if len(r.told) > 0 {
			t.Fatal("told while he was not ready")
		}
		r.full.Store(false)
		m.Resume()
		for n := 1; n <= 5; n++ {
			if got := <-r.told; got != strconv.Itoa(n) {
				t.Fatal(got)
			}
		}
	})
}

// An error, and a panic, end those for whom it was computed.
func TestWhatFails(t *testing.T) {
	eachWorld(t, func(w *world) {
		for name, next := range map[string]func() (Turn, error){
			"an error": func() (Turn, error) { return Turn{}, core.E("test", core.Denied, "no more") },
			"a panic":  func() (Turn, error) { panic("no more") },
		} {
			r := newReader(Source{Key: Key{1}, Timeout: time.Minute, Next: func(context.Context, Place) (Turn, error) { return next() }})
			_, err := w.Join(w.ctx, r, nil)
			w.must(err)
			if err := <-r.ended; err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if got := w.Stats(); got.Subscribers != 0 {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}

// A new snapshot has everybody prepared anew before anything more is told.
func TestANewSnapshot(t *testing.T) {
	eachWorld(t, func(w *world) {
		old, _ := w.counting(1, func() int64 { return 1 })
		r := newReader(old)
		prepared := &changing{reader: r}
		prepared.set(old)
		_, err := w.Join(w.ctx, prepared, nil)
		w.must(err)
		if got := <-r.told; got != "1" {
			t.Fatal(got)
		}
		now, _ := w.counting(2, func() int64 { return 2 })
		prepared.set(now)
		w.must(w.store.ChangeAccess(w.ctx, func(*db.Tx) error { return nil }))
		if got := <-r.told; got != "2" {
			t.Error(got)
		}
	})
}

// changing is a reader whose rights change.
type changing struct {
	*reader
	mu  sync.Mutex
	now Source
}

func (c *changing) set(s Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = s
}

func (c *changing) Prepare(context.Context) (Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}
