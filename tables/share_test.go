package tables

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// shared gives records of the table to somebody, past the rights of who gives.
func shared(t testing.TB, s *Store, table string, list ...share) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
		for i := range list {
			sh := &list[i]
			sh.table, _ = tx.snap.Schema.Table(table)
			sh.cause, sh.by, sh.at = sharedByHand, core.SystemID, tx.now
			sh.identify()
		}
		return tx.putShares(ctx, list)
	}))
}

func userOf(ctx context.Context) core.ID { return core.CallerFrom(ctx).User }

// sharesModel says in plain Go what a caller reaches by his grants and by shares.
type sharesModel struct {
	grants  map[string][]authz.Grant // by role
	holds   map[string]func(core.Record) bool
	records []core.Record
	shares  []share
	now     time.Time
	inherit bool // along parent_id
}

// shared walks up from the record, in circles too.
func (m *sharesModel) shared(c core.Caller, r core.Record, right authz.Privilege) bool {
	for range 1 + core.ShareSteps {
		if r == nil || m.itself(c, r, right) {
			return r != nil
		}
		if !m.inherit {
			return false
		}
		i := slices.IndexFunc(m.records, func(o core.Record) bool { return o["id"] == r["parent_id"] })
		if i < 0 {
			return false
		}
		r = m.records[i]
	}
	return false
}

func (m *sharesModel) itself(c core.Caller, r core.Record, right authz.Privilege) bool {
	return slices.ContainsFunc(m.shares, func(s share) bool {
		with := s.principal == c.User || s.principal == core.Everyone || slices.Contains(c.Teams, s.principal)
		return string(s.record) == r["id"] && with && s.rights.Has(core.Op(right)) && (s.expires.IsZero() || s.expires.After(m.now))
	})
}

// reaches returns the grants by which the privilege of the caller reaches the record.
func (m *sharesModel) reaches(c core.Caller, r core.Record, priv authz.Privilege) (out []authz.Grant) {
	owner := core.ID(r["owner_id"].(string))
	for _, role := range c.Roles {
		for _, g := range m.grants[role] {
			own := owner == c.User || slices.Contains(c.Teams, owner)
			within := map[authz.Level]bool{
				authz.Own: own, authz.Unit: own || r["unit_id"] == string(c.Unit), authz.UnitBelow: own || slices.Contains(c.Below, core.ID(r["unit_id"].(string))), authz.Organization: true,
			}[g.Level]
			if g.Privilege == priv && (within || g.Level != authz.Organization && m.shared(c, r, priv)) && m.holds[g.Condition](r) {
				out = append(out, g)
			}
		}
	}
	return out
}

// TestSharesAgainstModel compares what statements and records in memory say of shared records with plain Go, over random roles,
// records and shares.
func TestSharesAgainstModel(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		m := &sharesModel{grants: map[string][]authz.Grant{}, now: time.Now(), holds: map[string]func(core.Record) bool{
			"": func(core.Record) bool { return true }, "stock > 2": func(r core.Record) bool { return r["stock"].(int64) > 2 },
		}}
		conditions := slices.Sorted(maps.Keys(m.holds))
		for i := range 5 {
			name := fmt.Sprintf("role%d", i)
			for _, op := range core.Shareable {
				if rnd.IntN(4) == 0 && op != core.Read {
					continue
				}
				g := authz.Grant{Table: "product", Privilege: authz.Privilege(op), Level: authz.Level(1 + rnd.IntN(3+i/4)), Condition: conditions[rnd.IntN(2)]}
				if g.Privilege.Columns() && rnd.IntN(2) == 0 {
					g.Hidden = []string{"cost"}
				}
				m.grants[name] = append(m.grants[name], g)
			}
			role(t, s, name, m.grants[name]...)
		}
		west := unit(t, s, "West", core.RootUnit)
		var people []context.Context
		for i := range 5 {
			roles := []string{fmt.Sprintf("role%d", i)}
			if i > 0 && rnd.IntN(2) == 0 {
				roles = append(roles, "role0")
			}
			people = append(people, person(t, s, fmt.Sprintf("p%d", i), []core.ID{core.RootUnit, west}[i%2], roles...))
		}
		var team core.ID
		administer(t, s, func(g *gorm.DB) (err error) {
			if team, err = authz.CreateTeam(g, "team", west); err != nil {
				return err
			}
			return authz.AddMember(g, team, userOf(people[1]))
		})
		principals := []core.ID{team, core.Everyone, west}
		for i := range people {
			people[i] = as(t, s, userOf(people[i]))
			principals = append(principals, userOf(people[i]))
		}
		for i := range 12 {
			owner := principals[rnd.IntN(len(principals))]
			if owner == core.Everyone {
				owner = team
			}
			id := mustInsert(t, root(t), s, "product", core.Record{"title": fmt.Sprint("t", i), "stock": int64(rnd.IntN(6)), "cost": "3", "owner_id": string(owner)})[0]
			m.records = append(m.records, find(t, s, "product", id))
		}
		if m.inherit = rnd.IntN(4) > 0; m.inherit {
			define(t, s, core.AlterColumn{Of: "product", Column: "parent_id", Set: map[string]any{"inherit_shares": true}})
		}
		for i := range m.records {
			if rnd.IntN(5) == 0 {
				continue
			}
			id, parent := core.ID(m.records[i]["id"].(string)), m.records[rnd.IntN(12)]["id"]
			if i%3 > 0 {
				parent = m.records[i-1]["id"] // chains
			}
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{"parent_id": parent}})
				return err
			}))
			m.records[i] = find(t, s, "product", id)
		}
		for range 30 {
			sh := share{record: core.ID(m.records[rnd.IntN(12)]["id"].(string)), principal: principals[rnd.IntN(len(principals))], rights: core.ShareRights(1 + rnd.IntN(127))}
			sh.expires = []time.Time{{}, m.now.Add(time.Hour), m.now.Add(-time.Hour)}[rnd.IntN(3)]
			m.shares = slices.DeleteFunc(m.shares, func(o share) bool { return o.record == sh.record && o.principal == sh.principal })
			m.shares = append(m.shares, sh)
			shared(t, s, "product", sh)
		}
		for _, ctx := range people {
			m.compare(t, ctx, s)
		}
	})
}

func (m *sharesModel) compare(t *testing.T, ctx context.Context, s *Store) {
	t.Helper()
	c := core.CallerFrom(ctx)
	must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		for _, op := range core.Shareable {
			priv := authz.Privilege(op)
			may, denied := tx.snap.Policy.Decide(c, "product", priv)
			if denied != nil {
				continue
			}
			found, err := tx.ids(ctx, "product", op, nil)
			must(t, err)
			for _, r := range m.records {
				id := core.ID(r["id"].(string))
				want := len(m.reaches(c, r, priv)) > 0
				if got, wanted := slices.Contains(found, id), want && len(m.reaches(c, r, authz.Read)) > 0; got != wanted {
					t.Errorf("%s: %s of %v by a statement is %v, and should be %v", c.Name, op, r["title"], got, wanted)
				}
				w, err := authority{tx, c, ""}.writer("product")
				must(t, err)
				held := true
				if may.Rows != nil {
					held, err = w.holds(may.Rows, r)
					must(t, err)
				}
				if held != want {
					t.Errorf("%s: %s of %v in memory is %v, and should be %v", c.Name, op, r["title"], held, want)
				}
			}
		}
		return nil
	}))
	for r, err := range s.Scan(ctx, s.Snapshot(), Query{Table: "product"}) {
		if core.KindOf(err) == core.Denied {
			break
		}
		must(t, err)
		i := slices.IndexFunc(m.records, func(o core.Record) bool { return o["id"] == r["id"] })
		shows := slices.ContainsFunc(m.reaches(c, m.records[i], authz.Read), func(g authz.Grant) bool { return len(g.Hidden) == 0 })
		if (r["cost"] != nil) != shows {
			t.Errorf("%s: cost of %v is %v, shown should be %v", c.Name, r["title"], r["cost"], shows)
		}
	}
}

// TestShareIsNoCondition has somebody name in a condition of his own what a policy says of shares, after it was compiled for the policy.
func TestShareIsNoCondition(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "rep", grant("product", authz.Own, nil, authz.Read, authz.Share)...)
		ann := person(t, s, "ann", core.RootUnit, "rep")
		_, err := s.Count(ann, s.Snapshot(), "product", nil)
		must(t, err)
		may, err := s.Snapshot().Policy.Decide(core.CallerFrom(ann), "product", authz.Read)
		must(t, err)
		for _, source := range []string{"caller.shared_read", may.Rows.Source} {
			err := s.Snapshot().Policy.CheckGrant(core.System("test"), authz.Grant{Role: "rep", Table: "product", Privilege: authz.Read, Level: authz.Organization, Condition: source})
			wantKind(t, err, core.Invalid, "caller.shared_read")
		}
	})
}

// TestSharesFollowTheirRecords looks what becomes of shares when records are merged, deleted, restored and purged.
func TestSharesFollowTheirRecords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, shop()...)
		role(t, s, "rep", grant("product", authz.Own, nil, authz.Read, authz.Share)...)
		ann := person(t, s, "ann", core.RootUnit, "rep")
		ids := mustInsert(t, root(t), s, "product", core.Record{"title": "winner", "stock": 1}, core.Record{"title": "loser", "stock": 2})
		shared(t, s, "product", share{record: ids[1], principal: userOf(ann), rights: core.ShareRight(core.Read)})
		sees := func(want ...string) {
			t.Helper()
			got := []string{}
			for r, err := range s.Scan(ann, s.Snapshot(), Query{Table: "product"}) {
				must(t, err)
				got = append(got, r["title"].(string))
			}
			if slices.Sort(got); !slices.Equal(got, append([]string{}, want...)) {
				t.Fatalf("she sees %v, and should see %v", got, want)
			}
		}
		sees("loser")
		var merged Merged
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
			merged, err = tx.Merge(ctx, Merge{Table: "product", Winner: ids[0], Losers: ids[1:]})
			return err
		}))
		sees("winner")
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Unmerge(ctx, "product", merged.ID)
			return err
		}))
		sees("loser")
		removeAll(t, root(t), s, "product", ids[1])
		sees()
		sealTo(t, s)
		_, err := purge(root(t), s, Purge{Table: "product", IDs: ids[1:]})
		must(t, err)
		if n := rowsOf(t, s, "_share"); n != 0 {
			t.Errorf("%d shares are left of a record that was purged", n)
		}
	})
}

// TestShareExpires lets the time of a share come while a snapshot, a prepared query and a unit of work are in use.
func TestShareExpires(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "rep", grant("product", authz.Own, nil, authz.Read, authz.Update, authz.Share)...)
		ann := person(t, s, "ann", core.RootUnit, "rep")
		id := mustInsert(t, root(t), s, "product", core.Record{"title": "a", "stock": 1})[0]
		shared(t, s, "product", share{record: id, principal: userOf(ann), rights: core.ShareRight(core.Read) | core.ShareRight(core.Update), expires: time.Now().Add(time.Hour)})
		p, err := s.Prepare(ann, s.Snapshot(), Query{Table: "product", Fields: []Field{{As: "title", Column: "title"}}})
		must(t, err)
		sees := func(want string) {
			t.Helper()
			got, err := s.Answer(ann, p, nil, nil)
			must(t, err)
			if string(got) != want {
				t.Fatalf("the prepared query gives %s, and should give %s", got, want)
			}
		}
		sees(`[{"title":"a"}]`)
		must(t, s.Tx(ann, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			set := func(title string) int {
				res, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{"title": title}})
				must(t, err)
				return len(res.IDs)
			}
			if n := set("b"); n != 1 {
				t.Errorf("%d records were changed while the share is in force", n)
			}
			return nil
		}))
		exec := func(statement string) {
			t.Helper()
			_, err := s.db.Exec(t.Context(), newBuilder(s).Write(statement))
			must(t, err)
		}
		exec(`CREATE TABLE kept AS SELECT expires_at FROM "_share"`) // the audit knows when the share ends
		exec(`UPDATE "_share" SET expires_at = granted_at`)
		must(t, s.Tx(ann, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			res, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{"title": "c"}})
			if len(res.IDs) != 0 {
				t.Errorf("%d records were changed after the share has ended", len(res.IDs))
			}
			return err
		}))
		sees(`[]`)
		exec(`UPDATE "_share" SET expires_at = (SELECT expires_at FROM kept)`)
	})
}
