package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

// world is a store with a service, and a table of papers.
type world struct {
	t     testing.TB
	store *tables.Store
	disk  *Disk
	s     *Service
}

// each runs f on a new world over every database at hand.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newWorld(t, d, t.TempDir(), Options{})) })
}

func newWorld(t testing.TB, d *db.DB, folder string, o Options) *world {
	t.Helper()
	disk, err := OpenDisk(folder)
	must(t, err)
	o.Contents, o.Cache, o.Log = disk, folder+"/thumbnails", dbtest.Log(t)
	w := &world{t: t, store: tables.New(d, tables.Options{Log: o.Log}), disk: disk}
	w.s, err = New(w.store, o)
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(w.s.Close(), disk.Close())) })
	must(t, w.store.Load(t.Context()))
	if _, err := w.store.Snapshot().Schema.Table("paper"); err != nil {
		must(t, w.store.Change(w.root(), core.CreateTable{Define: core.Table{Name: "paper", Columns: []core.Column{
			{Name: "title", Kind: core.Text}, {Name: "scan", Kind: core.File}, {Name: "photo", Kind: core.Image},
		}}}))
	}
	return w
}

var (
	must     = dbtest.Must
	wantKind = dbtest.WantKind
)

func (w *world) root() context.Context { return core.WithCaller(w.t.Context(), core.System("test")) }

// person is a user with a role of his name that has the grants.
func (w *world) person(name string, grants ...authz.Grant) context.Context {
	w.t.Helper()
	var id core.ID
	must(w.t, w.store.ChangeAccess(w.root(), func(tx *db.Tx) (err error) {
		g := tx.Gorm(w.root())
		if _, err := authz.CreateRole(g, name, ""); err != nil {
			return err
		}
		for _, grant := range grants {
			grant.Role = name
			if err := authz.PutGrants(g, grant.Role, grant); err != nil {
				return err
			}
		}
		if id, err = authz.CreateUser(g, authz.NewUser{Name: name, Email: name + "@example.com", Unit: core.RootUnit}); err != nil {
			return err
		}
		return authz.AssignRole(g, authz.Assignment{User: id, Role: name})
	}))
	c, err := w.store.Snapshot().Policy.Caller(id, core.Cause{Kind: "api"})
	must(w.t, err)
	return core.WithCaller(w.t.Context(), c)
}

// clerk may do everything with papers, as far as the level and the hidden columns allow.
func (w *world) clerk(name string, level authz.Level, hidden ...string) context.Context {
	var grants []authz.Grant
	for _, p := range []authz.Privilege{authz.Create, authz.Read, authz.Update, authz.Delete} {
		g := authz.Grant{Table: "paper", Privilege: p, Level: level}
		if p != authz.Delete {
			g.Hidden = hidden
		}
		grants = append(grants, g)
	}
	return w.person(name, grants...)
}

func (w *world) upload(ctx context.Context, name, content string) core.FileInfo {
	w.t.Helper()
	f, err := w.s.Upload(ctx, name, strings.NewReader(content))
	must(w.t, err)
	return f
}

func (w *world) insert(ctx context.Context, r core.Record) (id core.ID, err error) {
	err = w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		res, err := tx.Insert(ctx, tables.Insert{Table: "paper", Rows: []core.Record{r}})
		if err == nil {
			id = res.IDs[0]
		}
		return err
	})
	return id, err
}

// read returns the content of the file, "" when there is none for the caller.
func (w *world) read(ctx context.Context, of Of) string {
	w.t.Helper()
	f, err := w.s.Open(ctx, of)
	if core.KindOf(err) == core.NotFound {
		return ""
	}
	must(w.t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(w.t, err)
	return string(b)
}

// contents are the addresses that are kept.
func (w *world) contents() map[Address]bool {
	w.t.Helper()
	out := map[Address]bool{}
	for a, err := range w.disk.All(w.t.Context()) {
		must(w.t, err)
		out[a] = true
	}
	return out
}

// sweep goes once through everything, as if a long time had passed.
func (w *world) sweep() {
	w.t.Helper()
	s := w.s.sweeper(0)
	s.Keep = 0
	for end := false; !end; {
		var err error
		end, err = w.store.SweepFiles(w.t.Context(), s)
		must(w.t, err)
	}
	must(w.t, w.s.tidy(w.t.Context(), s, farAhead()))
}

// onePicture is a PNG of that size in one colour.
func onePicture(width, height int) string {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	m.Set(0, 0, color.NRGBA{R: 200, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.String()
}

// claiming returns a PNG whose header says another size than the picture has.
func claiming(p string, width, height uint32) string {
	b := []byte(p)
	binary.BigEndian.PutUint32(b[16:], width)
	binary.BigEndian.PutUint32(b[20:], height)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return string(b)
}

// files are the rows of all files, people those of all users.
func (w *world) files() iter.Seq2[core.Record, error] {
	return w.store.Scan(w.root(), w.store.Snapshot(), tables.Query{Table: "_file"})
}

func (w *world) people() iter.Seq2[core.Record, error] {
	return w.store.Scan(w.root(), w.store.Snapshot(), tables.Query{Table: "_user"})
}
