package authz

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"colonnade/core"
	"colonnade/rules"
)

// roleSet is what callers with the same roles share, whose roles fall apart into bases in the same way.
type roleSet struct {
	roles     []int       // inherited ones included
	basis     map[int]int // by role: see holding; none for 0
	bases     int
	manages   []bool // by basis: whether levels extend to those below the caller
	admin     bool
	actions   map[string]bool
	limits    core.Limits
	denied    map[string]bool                                       // data classes; nil for none
	columns   map[columnName]ColumnAccess                           // that profiles give
	decisions []atomic.Pointer[[privileges]atomic.Pointer[outcome]] // by table
	narrow    sync.Map                                              // by the data classes of a scope: *roleSet
}

// options are what the expressions of s may name.
func (s *roleSet) options(shares bool) rules.Options {
	return rules.Options{Bases: s.bases, Reports: slices.Contains(s.manages, true), Shares: shares}
}

type outcome struct {
	*Decision
	err error
}

// maxRoleSets bounds the memory of the caches; beyond it they start anew.
const maxRoleSets = 4096

// roleSet returns the role set of c. It allocates nothing when one was asked for before.
func (p *Policy) roleSet(c core.Caller) *roleSet {
	if c.Scope != nil && len(c.Scope.Classes) > 0 {
		classes := c.Scope.Classes
		c.Scope = nil
		return p.roleSet(c).without(classes, len(p.tables))
	}
	var bits [256]byte
	n, profiles := p.keySize(), (len(p.profiles)+7)/8
	key := bits[:]
	if size := n*(1+len(c.Bases)) + profiles; size <= len(bits) {
		key = key[:size]
	} else {
		key = make([]byte, size)
	}
	p.mark(key[:n], c.Roles)
	for i := range c.Bases {
		of := key[n*(i+1) : n*(i+2)]
		p.mark(of, c.Bases[i].Roles)
		for j := range of { // what is held elsewhere is not held here
			key[j] &^= of[j]
		}
	}
	if len(c.ReportsBelow) > 0 {
		key[n-1] = 1
		for i := range c.Bases { // who holds a role for the records of a team only has nobody below him there
			if slices.Contains(c.Bases[i].Owners, c.User) {
				key[n*(i+2)-1] = 1
			}
		}
	}
	p.markProfiles(key[len(key)-profiles:], c.Profiles)
	if s, ok := (*p.sets.Load())[string(key)]; ok {
		return s
	}
	return p.addRoleSet(string(key), len(c.Bases))
}

// without returns the role set of who holds s and is denied the data classes besides. A policy knows few of them: a plugin, whose
// callers they are, is denied the same ones until the classes change, and with them the policy.
func (s *roleSet) without(classes []string, tables int) *roleSet {
	key := strings.Join(classes, " ")
	if n, ok := s.narrow.Load(key); ok {
		return n.(*roleSet)
	}
	n := &roleSet{
		roles: s.roles, basis: s.basis, bases: s.bases, manages: s.manages, admin: s.admin, actions: s.actions, limits: s.limits, columns: s.columns,
		denied: map[string]bool{}, decisions: make([]atomic.Pointer[[privileges]atomic.Pointer[outcome]], tables),
	}
	maps.Copy(n.denied, s.denied)
	for _, name := range classes {
		n.denied[name] = true
	}
	kept, _ := s.narrow.LoadOrStore(key, n)
	return kept.(*roleSet)
}

// keySize is how many bytes of the key of a role set are about one basis: a bit for each role, and a byte for whether those below
// the caller count.
func (p *Policy) keySize() int { return (len(p.names)+7)/8 + 1 }

// mark sets the bits of the roles.
func (p *Policy) mark(bits []byte, names []string) {
	for _, name := range names {
		if i, ok := p.roles[name]; ok {
			bits[i/8] |= 1 << (i % 8)
		}
	}
}

func (p *Policy) addRoleSet(key string, bases int) *roleSet {
	p.adding.Lock()
	defer p.adding.Unlock()
	old := *p.sets.Load()
	if s, ok := old[key]; ok {
		return s
	}
	s := &roleSet{actions: map[string]bool{}, basis: map[int]int{}, bases: bases, decisions: make([]atomic.Pointer[[privileges]atomic.Pointer[outcome]], len(p.tables))}
	n := p.keySize()
	for basis := range bases + 1 {
		s.manages = append(s.manages, key[n*(basis+1)-1] == 1)
	}
	all, named := map[int]bool{}, map[int]bool{}
	each := func(do func(role, basis int)) {
		for basis := range bases + 1 {
			for i := range p.names {
				if key[n*basis+i/8]&(1<<(i%8)) != 0 {
					do(i, basis)
				}
			}
		}
	}
	each(func(role, basis int) {
		named[role] = true
		if basis > 0 {
			s.basis[role] = basis
		}
	})
	each(func(role, basis int) {
		for _, j := range p.implied[role] {
			if all[j] = true; !named[j] && basis > 0 {
				s.basis[j] = basis
			}
		}
	})
	s.roles = slices.Sorted(maps.Keys(all))
	s.admin = all[p.admin]
	for _, i := range s.roles {
		maps.Copy(s.actions, p.actions[i])
	}
	s.limits, s.denied = p.limitsOf(s), p.deniedOf(s.roles)
	s.columns = p.columnsOf(s, key[len(key)-(len(p.profiles)+7)/8:])
	next := map[string]*roleSet{}
	if len(old) < maxRoleSets {
		next = maps.Clone(old)
	}
	next[key] = s
	p.sets.Store(&next)
	return s
}
