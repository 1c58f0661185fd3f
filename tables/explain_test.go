package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// ask runs one of the actions that administer rights.
func ask(ctx context.Context, s *Store, name string, in core.Record) (core.Record, error) {
	actions := s.AccessActions(nil)
	i := slices.IndexFunc(actions, func(a core.Action) bool { return a.Name == name })
	return actions[i].Run(ctx, core.Call{In: in})
}

// puzzle is a world for questions: users whose roles have levels, conditions and hidden columns, held in many ways.
type puzzle struct {
	users   []core.ID
	records []core.ID
}

func newPuzzle(t *testing.T, s *Store, r *rand.Rand) *puzzle {
	t.Helper()
	l := newLadder(t, s, r)
	p := &puzzle{users: l.users}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	administer(t, s, func(g *gorm.DB) error {
		var names []string
		for i := range 4 {
			name := fmt.Sprintf("r%d_%x", i, r.Uint64())
			if _, err := authz.CreateRole(g, name, ""); err != nil {
				return err
			}
			for range 5 {
				grant := authz.Grant{
					Role: name, Table: "product", Privilege: authz.Privileges[r.IntN(len(authz.Privileges))], Level: authz.Level(1 + r.IntN(4)),
					Condition: one("", "", "stock < 3", "cost > 2.0", "cost <= 2.0", "parent.stock > 1", "price > 5.0 || isNull(price)"),
				}
				if r.IntN(2) == 0 {
					grant.Privilege = authz.Read
				}
				if grant.Privilege.Columns() && r.IntN(2) == 0 {
					grant.Hidden = []string{one("price", "cost", "cost", "stock", "gross", "owner_id")}
				}
				if err := authz.PutGrants(g, grant.Role, grant); err != nil {
					return err
				}
			}
			if len(names) > 0 && r.IntN(2) == 0 {
				if err := authz.InheritRole(g, name, one(names...)); err != nil {
					return err
				}
			}
			names = append(names, name)
		}
		units := slices.Collect(func(yield func(core.ID) bool) {
			for u := range l.units {
				if !yield(u) {
					return
				}
			}
		})
		slices.Sort(units)
		for i, u := range l.users {
			a := authz.Assignment{User: u, Role: one(names...)}
			if r.IntN(3) == 0 {
				a.Unit = units[r.IntN(len(units))]
			}
			if i%4 == 3 {
				a.User, a.Team, a.Apart = "", l.teams[u][len(l.teams[u])-1], r.IntN(2) == 0
			}
			if err := authz.AssignRole(g, a); err != nil {
				return err
			}
		}
		return authz.DisableUser(g, l.users[0], true)
	})
	for i := range 7 {
		row := core.Record{"title": fmt.Sprintf("%x", r.Uint64()), "stock": int64(r.IntN(5)), "owner_id": string(l.users[r.IntN(len(l.users))])}
		if r.IntN(4) > 0 {
			row["cost"] = one("1", "3")
		}
		if r.IntN(3) > 0 {
			row["price"] = one("1", "9.5")
		}
		if r.IntN(3) == 0 {
			row["owner_id"] = string(l.apart)
		}
		if i > 0 && r.IntN(2) == 0 {
			row["parent_id"] = string(p.records[r.IntN(i)])
		}
		p.records = append(p.records, mustInsert(t, root(t), s, "product", row)[0])
	}
	for i := range 8 {
		with := []core.ID{l.users[r.IntN(len(l.users))], l.apart, core.Everyone, l.unit[l.users[1]]}[i%4]
		one := share{record: p.records[r.IntN(len(p.records))], principal: with, rights: core.ShareRights(1 + r.IntN(127))}
		if r.IntN(4) == 0 {
			one.expires = time.Now().Add(-time.Hour)
		}
		shared(t, s, "product", one)
	}
	return p
}

// does tells what the engine does when the user tries it.
func (p *puzzle) does(t *testing.T, s *Store, ctx context.Context, priv authz.Privilege, id core.ID, column string) bool {
	t.Helper()
	found := false
	err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		ids, err := tx.ids(ctx, "product", core.Op(priv), ByID(id))
		found = len(ids) == 1
		return err
	})
	if err != nil {
		wantKind(t, err, core.Denied)
		return false
	}
	if !found || column == "" {
		return found
	}
	if priv == authz.Update {
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			return tx.DryRun(ctx, func() error {
				_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{column: find(t, s, "product", id)[column]}})
				return err
			})
		})
		return err == nil
	}
	raw, err := s.Query(ctx, s.Snapshot(), Query{Table: "product", Where: ByID(id), Fields: []Field{{As: "v", Column: column}}}, nil)
	if err != nil {
		wantKind(t, err, core.Invalid)
		return false
	}
	return string(raw) != `[{"v":null}]`
}

// An explanation says what happens: for everybody, every record, privilege and column, whoever asks; and who_can is the same question
// turned round.
func TestExplain(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		boss := person(t, s, "boss", core.RootUnit, authz.Administrator)
		asked, may := 0, 0
		for world := range 2 {
			p := newPuzzle(t, s, r)
			for _, id := range p.records {
				row := find(t, s, "product", id)
				for _, priv := range authz.Privileges[1:] {
					can := map[string]bool{}
					for after, more := any(nil), true; more; more = after != nil {
						in := core.Record{"action": string(priv), "table": "product", "id": string(id), "limit": int64(4)}
						if after != nil {
							in["after"] = after
						}
						out, err := ask(boss, s, "who_can", in)
						must(t, err)
						for _, u := range out["users"].([]any) {
							can[u.(map[string]any)["user"].(string)] = true
						}
						after = out["next"]
					}
					columns := []string{""}
					if priv == authz.Read {
						columns = append(columns, "stock", "gross", "title")
					} else if priv == authz.Update {
						columns = append(columns, "stock", "gross", "title")
					}
					for _, user := range p.users[1:] {
						ctx := as(t, s, user)
						for _, column := range columns {
							if row[column] == nil && column != "" && column != "gross" || column == "gross" && row["price"] == nil && priv == authz.Read {
								continue // to be hidden and to be empty look alike
							}
							want := p.does(t, s, ctx, priv, id, column)
							for _, asker := range []context.Context{boss, ctx} {
								in := core.Record{"user": string(user), "action": string(priv), "table": "product", "id": string(id)}
								if column != "" {
									in["column"] = column
								}
								out, err := ask(asker, s, "explain_access", in)
								if kind := core.KindOf(err); column != "" && asker == ctx && (kind == core.Invalid && !want || kind == core.Denied) {
									continue // hidden from him, or it would tell what is
								}
								must(t, err)
								if out["allowed"] != want || (out["missing"] == nil) != want {
									t.Fatalf("seed %d, world %d: %s %s of %s: %v, want %v\n%v", seed, world, priv, column, id, out["allowed"], want, out)
								}
								if column == "" && asker == boss {
									reached := slices.ContainsFunc(out["grants"].([]any), func(g any) bool { return g.(map[string]any)["reaches"] == true })
									if want && !reached {
										t.Fatalf("seed %d, world %d: no grant reaches what may be done: %v", seed, world, out)
									}
								}
							}
							if column == "" && can[string(user)] != want {
								t.Fatalf("seed %d, world %d: who_can %s: %v, want %v", seed, world, priv, can[string(user)], want)
							}
							asked++
							may += int(one(want))
						}
					}
					if can[string(p.users[0])] || !can[string(core.CallerFrom(boss).User)] {
						t.Fatalf("seed %d: who is disabled can, or an administrator cannot", seed)
					}
				}
			}
		}
		if may < 100 || asked-may < 100 {
			t.Errorf("%d questions, %d with yes", asked, may)
		}
	})
}

// Who asks about himself learns nothing from an explanation that he does not see otherwise: when only what is hidden from him changes,
// and all that he can do stays the same, the answers stay the same to the letter.
func TestExplainTwin(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		asked := []core.Record{}
		for _, priv := range authz.Privileges[1:] {
			asked = append(asked, core.Record{"action": string(priv), "table": "product"})
		}
		for _, column := range []string{"title", "price", "cost", "gross", "owner_id"} {
			asked = append(asked, core.Record{"action": "read", "table": "product", "column": column}, core.Record{"action": "update", "table": "product", "column": column})
		}
		twins := 0
		for world := range 2 {
			p := newPuzzle(t, s, r)
			hidden := []string{"cost", "owner_id"}[world%2]
			administer(t, s, func(g *gorm.DB) error {
				for _, grants := range s.Snapshot().access.Grants() {
					for _, grant := range grants {
						if grant.Privilege != authz.Read {
							continue
						}
						grant.Hidden = append(grant.Hidden, hidden)
						if err := authz.PutGrants(g, grant.Role, grant); err != nil {
							return err
						}
					}
				}
				return nil
			})
			see := func(ctx context.Context, id core.ID) (does, told string) {
				for _, priv := range authz.Privileges[1:] {
					does += fmt.Sprint(p.does(t, s, ctx, priv, id, ""))
				}
				for _, column := range []string{"title", "price", "cost", "gross", "owner_id"} {
					raw, err := s.Query(ctx, s.Snapshot(), Query{Table: "product", Where: ByID(id), Fields: []Field{{As: "v", Column: column}}}, nil)
					does += fmt.Sprint(string(raw), core.KindOf(err), p.does(t, s, ctx, authz.Update, id, column))
				}
				for _, in := range asked {
					in["id"] = string(id)
					out, err := ask(ctx, s, "explain_access", in)
					told += fmt.Sprint(out, err, "\n")
				}
				return does, told
			}
			for _, user := range p.users[1:] {
				ctx := as(t, s, user)
				may, err := s.Snapshot().Policy.Decide(core.CallerFrom(ctx), "product", authz.Read)
				if err != nil {
					continue
				}
				if visible, _ := may.Column(hidden); visible {
					continue // through update, which shows it
				}
				values := map[string][]any{"cost": {"1", "3", nil}, "owner_id": {string(p.users[1]), string(user)}}[hidden]
				for _, id := range p.records[:3] {
					set := core.Record{"unit_id": find(t, s, "product", id)["unit_id"]}
					does, told := see(ctx, id)
					for _, v := range values {
						set[hidden] = v
						must(t, write(root(t), s, func(tx *Tx) error {
							_, err := tx.Update(root(t), Update{Table: "product", Where: ByID(id), Set: set})
							return err
						}))
						other, answer := see(ctx, id)
						if other == does {
							if twins++; answer != told {
								t.Fatalf("seed %d, world %d: %s of %s became %v, which %s does not see, and an answer changed:\n%s\n%s", seed, world, hidden, id, v, user, told, answer)
							}
						}
						does, told = other, answer
					}
				}
			}
		}
		if twins < 20 {
			t.Errorf("only %d twins were compared", twins)
		}
	})
}
