package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// crowd is an organization in which each of many callers reaches some of the records of a table by another way.
type crowd struct {
	callers map[string]context.Context // by way, see crowdWays
	table   map[string]string          // that it is about
}

// crowdWays are the ways by which the callers of a crowd reach records, each beside the ten that are shared with him.
var crowdWays = []string{"own", "unit", "below_few", "below_half", "below_all", "organization", "shares_many", "team", "reports", "inherited"}

// newCrowd fills the tables item and visit with rows records each: of some 1,000 units and users at full size, with a share for each
// record. A visit inherits the shares of its account.
func newCrowd(tb testing.TB, s *Store, rows int) *crowd {
	tb.Helper()
	c := &crowd{callers: map[string]context.Context{}, table: map[string]string{}}
	columns := func(more ...core.Column) []core.Column {
		return append([]core.Column{{Name: "title", Kind: core.Text}, {Name: "stage", Kind: core.Text}, {Name: "amount", Kind: core.Integer}, {Name: "at", Kind: core.Timestamp, Required: true}}, more...)
	}
	latest := []core.Index{{Name: "latest", Columns: []core.IndexColumn{{Column: "at", Desc: true}}}}
	define(tb, s, core.CreateTable{Define: core.Table{Name: "account"}},
		core.CreateTable{Define: core.Table{Name: "item", Hierarchy: true, Columns: columns(), Indexes: latest}},
		core.CreateTable{Define: core.Table{Name: "visit", Columns: columns(core.Column{Name: "account_id", Kind: core.Lookup, Target: "account", InheritShares: true}), Indexes: latest}})
	for _, level := range []authz.Level{authz.Own, authz.Unit, authz.UnitBelow, authz.Organization} {
		var all []authz.Grant
		for _, table := range []string{"account", "item", "visit"} {
			all = append(all, grant(table, level, nil, authz.Read, authz.Share)...)
		}
		role(tb, s, level.String(), all...)
	}
	n := max(20, rows/100) // units and users
	random := rand.New(rand.NewPCG(1, 1))
	units, users, teams := []core.ID{core.RootUnit}, []core.ID(nil), []core.ID(nil)
	ids := map[string]core.ID{}
	administer(tb, s, func(g *gorm.DB) error {
		add := func(name string, parent core.ID) core.ID {
			u, err := authz.CreateUnit(g, name, parent)
			must(tb, err)
			units = append(units, u)
			return u
		}
		half, few := add("half", core.RootUnit), add("few", core.RootUnit)
		for i := len(units); i < n; i++ {
			parent := core.RootUnit
			switch {
			case i < n/2:
				parent = half
			case i < n/2+9:
				parent = few
			}
			add(fmt.Sprint("unit ", i), parent)
		}
		must(tb, authz.SetHierarchy(g, authz.Managers, 1))
		user := func(name string, unit core.ID, role string) core.ID {
			u, err := authz.CreateUser(g, authz.NewUser{Name: name, Email: fmt.Sprintf("u%d@example.com", len(ids)+len(users)), Unit: unit})
			must(tb, err)
			if role != "" {
				must(tb, authz.AssignRole(g, authz.Assignment{User: u, Role: role}))
			}
			return u
		}
		for i := range n {
			users = append(users, user(fmt.Sprint("user ", i), units[i], ""))
		}
		for i := range n / 10 {
			t, err := authz.CreateTeam(g, fmt.Sprint("team ", i), units[i])
			must(tb, err)
			teams = append(teams, t)
		}
		for way, at := range map[string]struct {
			unit core.ID
			role string
		}{
			"own": {units[n-1], "own"}, "unit": {units[n-2], "unit"}, "below_few": {few, "unit_and_below"}, "below_half": {half, "unit_and_below"}, "below_all": {core.RootUnit, "unit_and_below"},
			"organization": {core.RootUnit, "organization"}, "shares_many": {units[n-3], "own"}, "team": {units[n-4], "own"}, "reports": {core.RootUnit, "own"}, "inherited": {units[n-5], "own"},
		} {
			ids[way] = user(way, at.unit, at.role)
		}
		for _, t := range teams[:2] {
			must(tb, authz.AddMember(g, t, ids["team"]))
		}
		for _, u := range users[:n/20] {
			must(tb, authz.SetManager(g, u, ids["reports"]))
		}
		return nil
	})
	owners := append([]core.ID{ids["own"], ids["shares_many"], ids["inherited"], ids["unit"], ids["reports"]}, users...)
	accounts := make([]core.Record, rows/10)
	for i := range accounts {
		accounts[i] = core.Record{"owner_id": string(owners[random.IntN(len(owners))])}
	}
	accountIDs := mustInsert(tb, root(tb), s, "account", accounts...)
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	fill := func(table string) []core.ID {
		list := make([]core.Record, rows)
		for i := range list {
			owner := owners[random.IntN(len(owners))]
			if i%10 == 0 {
				owner = teams[random.IntN(len(teams))]
			}
			list[i] = core.Record{"title": fmt.Sprintf("A title of some length %d", i), "stage": []string{"open", "won", "lost", "idle"}[random.IntN(4)], "amount": i, "at": start.Add(time.Duration(random.IntN(1e9)) * 100 * time.Millisecond), "owner_id": string(owner)}
			if table == "visit" {
				list[i]["account_id"] = string(accountIDs[random.IntN(len(accountIDs))])
			}
		}
		return mustInsert(tb, root(tb), s, table, list...)
	}
	items := fill("item")
	fill("visit")
	given := map[core.ID]map[core.ID]bool{}
	shareOut := func(table string, n int, from []core.ID, to func() core.ID) {
		var list []share
		for range n {
			sh := share{record: from[random.IntN(len(from))], principal: to(), rights: core.ShareRight(core.Read)}
			if given[sh.principal] == nil {
				given[sh.principal] = map[core.ID]bool{}
			}
			if !given[sh.principal][sh.record] {
				given[sh.principal][sh.record] = true
				list = append(list, sh)
			}
		}
		shared(tb, s, table, list...)
	}
	anybody := func() core.ID { return users[random.IntN(len(users))] }
	shareOut("account", rows/10, accountIDs, anybody)
	shareOut("item", rows*8/10, items, anybody)
	shareOut("item", rows/10, items, func() core.ID { return ids["shares_many"] })
	for _, way := range crowdWays {
		shareOut("item", 10, items, func() core.ID { return ids[way] })
		shareOut("account", 10, accountIDs, func() core.ID { return ids[way] })
		c.callers[way], c.table[way] = as(tb, s, ids[way]), "item"
	}
	c.table["inherited"] = "visit"
	return c
}
