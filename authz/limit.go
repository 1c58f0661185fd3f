package authz

import (
	"fmt"

	"gorm.io/gorm"

	"colonnade/core"
)

// QueryLimit is one number of how much a request may ask for: of who holds the role, or of everybody who signed in.
type QueryLimit struct {
	ID     core.ID `gorm:"primaryKey"`
	RoleID *core.ID
	Name   string // in core.LimitFields
	Value  int64
}

// TableName implements gorm's Tabler.
func (QueryLimit) TableName() string { return "_query_limit" }

// SetLimits stores what requests of the role may ask for, or of everybody when the role is empty; fields that are zero are
// as if nobody had said anything. [Policy.CheckLimits] has let them pass.
func SetLimits(tx *gorm.DB, role string, l core.Limits) error {
	const op = "authz.SetLimits"
	var of *core.ID
	where := tx.Where("role_id IS NULL")
	if role != "" {
		if err := needRole(tx, op, role); err != nil {
			return err
		}
		var r Role
		if err := tx.Where("name = ?", role).Take(&r).Error; err != nil {
			return err
		}
		of, where = &r.ID, tx.Where("role_id = ?", r.ID)
	}
	if err := where.Delete(&QueryLimit{}).Error; err != nil {
		return err
	}
	for _, f := range core.LimitFields {
		if n := *f.Of(&l); n > 0 {
			if err := tx.Create(&QueryLimit{ID: core.NewID(), RoleID: of, Name: f.Name, Value: int64(n)}).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// LimitsOf returns what is stored of a role, or of everybody when the role is empty.
func (d *Data) LimitsOf(role string) (l core.Limits) {
	var of core.ID
	for _, r := range d.Roles {
		if r.Name == role && role != "" {
			of = r.ID
		}
	}
	for i := range d.Limits {
		q := &d.Limits[i]
		if (q.RoleID == nil) != (role == "") || q.RoleID != nil && *q.RoleID != of {
			continue
		}
		for _, f := range core.LimitFields {
			if f.Name == q.Name {
				*f.Of(&l) = int(q.Value)
			}
		}
	}
	return l
}

// addLimits reads what requests may ask for.
func (p *Policy) addLimits(d *Data) {
	p.everybody = d.LimitsOf("").Or(core.UserLimits)
	p.limits = make([]core.Limits, len(p.names))
	for i, name := range p.names {
		p.limits[i] = d.LimitsOf(name)
	}
}

// limitsOf returns what requests of who has these roles may ask for: the most of what everybody may and what each of the
// roles allows, so that a role never takes anything away.
func (p *Policy) limitsOf(s *roleSet) core.Limits {
	l := p.everybody
	if s.admin || s.actions["define_tables"] {
		l = l.Most(core.BuilderLimits)
	}
	for _, i := range s.roles {
		l = l.Most(p.limits[i])
	}
	return l
}

// Limits returns what one request of the caller may ask for.
func (p *Policy) Limits(c core.Caller) core.Limits {
	switch {
	case c.IsSystem():
		return core.BuilderLimits
	case c.Anonymous():
		l := core.AnonymousLimits
		for _, i := range p.roleSet(c).roles {
			l = l.Most(p.limits[i])
		}
		return l
	}
	return p.roleSet(c).limits
}

// CheckLimits returns nil when the caller may allow so much: it can be set, and nobody allows more than he has himself.
func (p *Policy) CheckLimits(c core.Caller, l core.Limits) error {
	const op = "authz.CheckLimits"
	own := p.Limits(c)
	for _, f := range core.LimitFields {
		switch n, have := *f.Of(&l), *f.Of(&own); {
		case n < 0 || n > f.Most:
			return core.E(op, core.Invalid, core.At{Column: f.Name}, fmt.Sprintf("the limit is a number from 1 to %d", f.Most))
		case n > have && !c.IsSystem() && !p.roleSet(c).admin:
			return core.E(op, core.Denied, core.At{Column: f.Name}, fmt.Sprintf("you may have %d yourself, and cannot allow more", have))
		}
	}
	return nil
}
