package authz

import (
	"errors"
	"fmt"
	"slices"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/persist"
	defaultrolemanager "github.com/casbin/casbin/v2/rbac/default-role-manager"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"colonnade/core"
)

// casbinModel is the policy. A request is about a user, a domain, a table (or "*") and a privilege (or an action). The domain
// of an assignment says where a role counts from, not whether it is held: see placed.
const casbinModel = `
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, obj, act, level, condition, hidden
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, "role:administrator", r.dom) || r.obj == p.obj && r.act == p.act && g(r.sub, p.sub, r.dom)
`

// maxRoleDepth bounds how long a chain of roles casbin follows; inherit refuses longer ones.
const maxRoleDepth = 32

// newEnforcer returns an enforcer over the rules of the adapter. in reports whether an assignment with the domain is one of those
// that a request is about; nil when all are.
func newEnforcer(a persist.Adapter, in func(requested, domain string) bool, filter any) (*casbin.Enforcer, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return nil, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	e.SetRoleManager(defaultrolemanager.NewRoleManager(maxRoleDepth + 2)) // a user, a team, then roles
	e.AddNamedDomainMatchingFunc("g", "domain", func(requested, domain string) bool {
		return in == nil || domain == everywhere || in(requested, domain)
	})
	e.SetAdapter(a)
	if filter != nil {
		err = e.LoadFilteredPolicy(filter)
	} else {
		err = e.LoadPolicy()
	}
	return e, err
}

// adapter keeps the rules of casbin in a table, within the transaction that it was made with.
type adapter struct {
	tx       *gorm.DB
	filtered bool
}

var (
	_ persist.BatchAdapter    = (*adapter)(nil)
	_ persist.FilteredAdapter = (*adapter)(nil)
)

// LoadPolicy implements persist.Adapter.
func (a *adapter) LoadPolicy(m model.Model) error {
	a.filtered = false
	return a.load(m, a.tx)
}

// LoadFilteredPolicy implements persist.FilteredAdapter. The filter is a [Rule]; its empty fields match everything.
func (a *adapter) LoadFilteredPolicy(m model.Model, filter any) error {
	f, ok := filter.(Rule)
	if !ok {
		return fmt.Errorf("authz: a filter is a Rule, not a %T", filter)
	}
	a.filtered = true
	return a.load(m, a.tx.Where(&f))
}

// IsFiltered implements persist.FilteredAdapter.
func (a *adapter) IsFiltered() bool { return a.filtered }

func (a *adapter) load(m model.Model, q *gorm.DB) error {
	var rules []Rule
	if err := q.Order("id").Find(&rules).Error; err != nil {
		return err
	}
	return fill(m, rules)
}

// fill adds the rules to a model.
func fill(m model.Model, rules []Rule) error {
	for i := range rules {
		r := &rules[i]
		if err := persist.LoadPolicyArray(append([]string{r.Ptype}, r.values()...), m); err != nil {
			return err
		}
	}
	return nil
}

// SavePolicy implements persist.Adapter.
func (a *adapter) SavePolicy(m model.Model) error {
	if a.filtered {
		return errors.New("authz: a part of the policy cannot be saved in place of all of it")
	}
	if err := a.tx.Where("1 = 1").Delete(&Rule{}).Error; err != nil {
		return err
	}
	for _, section := range []string{"p", "g"} {
		for ptype, assertion := range m[section] {
			if err := a.AddPolicies(section, ptype, assertion.Policy); err != nil {
				return err
			}
		}
	}
	return nil
}

// AddPolicy implements persist.Adapter.
func (a *adapter) AddPolicy(section, ptype string, rule []string) error {
	return a.AddPolicies(section, ptype, [][]string{rule})
}

// AddPolicies implements persist.BatchAdapter.
func (a *adapter) AddPolicies(_, ptype string, rules [][]string) error {
	rows := make([]Rule, len(rules))
	for i, r := range rules {
		rows[i] = newRule(ptype, r)
	}
	if len(rows) == 0 {
		return nil
	}
	return a.tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, 500).Error
}

// RemovePolicy implements persist.Adapter.
func (a *adapter) RemovePolicy(section, ptype string, rule []string) error {
	return a.RemovePolicies(section, ptype, [][]string{rule})
}

// RemovePolicies implements persist.BatchAdapter.
func (a *adapter) RemovePolicies(_, ptype string, rules [][]string) error {
	for chunk := range slices.Chunk(rules, 500) {
		ids := make([]core.ID, len(chunk))
		for i, r := range chunk {
			ids[i] = newRule(ptype, r).ID
		}
		if err := a.tx.Where("id IN ?", ids).Delete(&Rule{}).Error; err != nil {
			return err
		}
	}
	return nil
}

// RemoveFilteredPolicy implements persist.Adapter; empty values match everything.
func (a *adapter) RemoveFilteredPolicy(_, ptype string, from int, values ...string) error {
	f := Rule{Ptype: ptype}
	for i, v := range values {
		if from+i >= 6 {
			return fmt.Errorf("authz: a rule has no field %d", from+i)
		}
		*f.fields()[from+i] = v
	}
	return a.tx.Where(&f).Delete(&Rule{}).Error
}

// memory is the adapter of rules that are loaded already.
type memory struct {
	persist.Adapter // what is not there is not called
	rules           []Rule
}

// LoadPolicy implements persist.Adapter.
func (a memory) LoadPolicy(m model.Model) error { return fill(m, a.rules) }
