package authz

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"colonnade/core"
)

// ColumnProfile gives secured columns to those who hold it.
type ColumnProfile struct {
	ID     core.ID `gorm:"primaryKey"`
	Name   string
	Doc    string
	Rights string // a JSON list of [ColumnRight]
}

// ProfileHolder gives a column profile to a role, a team or a user.
type ProfileHolder struct {
	ID        core.ID `gorm:"primaryKey"`
	ProfileID core.ID
	RoleID    *core.ID // one of the three
	TeamID    *core.ID
	UserID    *core.ID
}

// TableName implements gorm's Tabler.
func (ColumnProfile) TableName() string { return "_column_profile" }

// TableName implements gorm's Tabler.
func (ProfileHolder) TableName() string { return "_column_profile_holder" }

// ColumnRights returns what the profile gives, that of dropped tables and columns too.
func (p *ColumnProfile) ColumnRights() (out []ColumnRight, err error) {
	if err := json.Unmarshal([]byte(p.Rights), &out); err != nil {
		return nil, core.E("authz.ColumnRights", fmt.Errorf("the column profile %s cannot be read: %w", p.Name, err))
	}
	return out, nil
}

// Present returns what the profile gives of columns that are there and secured.
func (p *ColumnProfile) Present(s *core.Schema) ([]ColumnRight, error) {
	all, err := p.ColumnRights()
	return slices.DeleteFunc(all, func(r ColumnRight) bool {
		t, err := s.Table(r.Table)
		if err != nil {
			return true
		}
		c, ok := t.Column(r.Column)
		return !ok || t.SecuredBy(c) == nil
	}), err
}

// PutProfile creates or replaces a column profile. Who holds it still does, and what it gives of dropped tables and columns stays.
// [Policy.CheckColumns] and [Policy.CheckProfile] have let it pass.
func PutProfile(tx *gorm.DB, name, doc string, rights []ColumnRight) error {
	const op = "authz.PutProfile"
	if err := core.CheckName("column profile", name); err != nil {
		return core.E(op, core.At{Column: "name"}, err)
	}
	var have []ColumnProfile
	if err := tx.Where("name = ?", name).Find(&have).Error; err != nil {
		return err
	}
	all := slices.Clone(rights)
	for i := range have {
		was, err := have[i].ColumnRights()
		if err != nil {
			return err
		}
		all = append(all, slices.DeleteFunc(was, func(r ColumnRight) bool { return !r.waits() })...)
	}
	text, err := encodeRights(all)
	if err != nil {
		return core.E(op, err)
	}
	if len(have) == 0 {
		return tx.Create(&ColumnProfile{ID: core.NewID(), Name: name, Doc: doc, Rights: text}).Error
	}
	return tx.Model(&ColumnProfile{}).Where("name = ?", name).Updates(map[string]any{"doc": doc, "rights": text}).Error
}

// DropProfile deletes a column profile; who held it holds it no longer.
func DropProfile(tx *gorm.DB, name string) error {
	p, err := needProfile(tx, name)
	if err != nil {
		return core.E("authz.DropProfile", err)
	}
	return tx.Where("id = ?", p.ID).Delete(&ColumnProfile{}).Error
}

func needProfile(tx *gorm.DB, name string) (*ColumnProfile, error) {
	var all []ColumnProfile
	if err := tx.Order("name").Find(&all).Error; err != nil {
		return nil, err
	}
	byName := map[string]int{}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
		byName[all[i].Name] = i
	}
	return nil, errNoProfile(name, byName)
}

func errNoProfile(name string, have map[string]int) error {
	msg := fmt.Sprintf("there is no column profile %q", name)
	if near := core.Suggest(name, slices.Sorted(maps.Keys(have))); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return core.E("authz.needProfile", core.NotFound, msg)
}

// ProfileTo says who is given a column profile: one of the three.
type ProfileTo struct {
	Role string
	Team core.ID
	User core.ID
}

// row checks that there is such a holder and returns its row.
func (to ProfileTo) row(tx *gorm.DB, op string, profile core.ID) (h ProfileHolder, err error) {
	h = ProfileHolder{ID: core.NewID(), ProfileID: profile}
	switch {
	case to.Role == Administrator:
		return h, core.E(op, core.Invalid, "the role administrator holds every column already")
	case to.Role != "" && to.Team == "" && to.User == "":
		var r Role
		if err := needRole(tx, op, to.Role); err != nil {
			return h, err
		}
		err = tx.Where("name = ?", to.Role).Take(&r).Error
		h.RoleID = &r.ID
	case to.Role == "" && to.Team != "" && to.User == "":
		err = need(tx, op, &Team{}, to.Team, "team")
		h.TeamID = &to.Team
	case to.Role == "" && to.Team == "" && to.User != "":
		err = need(tx, op, &User{}, to.User, "user")
		h.UserID = &to.User
	default:
		return h, core.E(op, core.Invalid, "name either a role, a team or a user")
	}
	return h, err
}

// same returns the rows of the holder of h.
func (h ProfileHolder) same(tx *gorm.DB) *gorm.DB {
	q := tx.Where("profile_id = ?", h.ProfileID)
	switch {
	case h.RoleID != nil:
		return q.Where("role_id = ?", *h.RoleID)
	case h.TeamID != nil:
		return q.Where("team_id = ?", *h.TeamID)
	}
	return q.Where("user_id = ?", *h.UserID)
}

// AssignProfile gives a column profile to a role, a team or a user. To hold it already is no error. The caller checks before:
// [Policy.CheckProfile], and CheckRole, CheckTeam or CheckUser.
func AssignProfile(tx *gorm.DB, profile string, to ProfileTo) error {
	const op = "authz.AssignProfile"
	p, err := needProfile(tx, profile)
	if err != nil {
		return core.E(op, err)
	}
	h, err := to.row(tx, op, p.ID)
	if err != nil {
		return err
	}
	var n int64
	if err := h.same(tx.Model(&ProfileHolder{})).Count(&n).Error; err != nil || n > 0 {
		return err
	}
	return tx.Create(&h).Error
}

// UnassignProfile takes it away.
func UnassignProfile(tx *gorm.DB, profile string, to ProfileTo) error {
	const op = "authz.UnassignProfile"
	p, err := needProfile(tx, profile)
	if err != nil {
		return core.E(op, err)
	}
	h, err := to.row(tx, op, p.ID)
	if err != nil {
		return err
	}
	done := h.same(tx).Delete(&ProfileHolder{})
	if done.Error == nil && done.RowsAffected == 0 {
		return core.E(op, core.NotFound, fmt.Sprintf("the column profile %q is not assigned like this", profile))
	}
	return done.Error
}

// ClearProfiles takes all column profiles from a role.
func ClearProfiles(tx *gorm.DB, role string) error {
	return tx.Where(`role_id IN (SELECT id FROM "_role" WHERE name = ?)`, role).Delete(&ProfileHolder{}).Error
}

// ProfilesOf returns the names of the column profiles that a role is given, sorted.
func (d *Data) ProfilesOf(role string) (out []string) {
	for _, h := range d.Holders {
		for _, r := range d.Roles {
			if h.RoleID == nil || r.ID != *h.RoleID || r.Name != role {
				continue
			}
			for i := range d.Profiles {
				if d.Profiles[i].ID == h.ProfileID {
					out = append(out, d.Profiles[i].Name)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// HoldersOf returns who is given the column profile, each sorted.
func (d *Data) HoldersOf(profile core.ID) (roles, teams, users []string) {
	for _, h := range d.Holders {
		switch {
		case h.ProfileID != profile:
		case h.TeamID != nil:
			teams = append(teams, string(*h.TeamID))
		case h.UserID != nil:
			users = append(users, string(*h.UserID))
		default:
			for _, r := range d.Roles {
				if r.ID == *h.RoleID {
					roles = append(roles, r.Name)
				}
			}
		}
	}
	slices.Sort(roles)
	slices.Sort(teams)
	slices.Sort(users)
	return roles, teams, users
}

// followProfiles returns the profiles with the names after the moves, and those that differ.
func (d *Data) followProfiles(m core.Moves) (next []ColumnProfile, moved []Moved, err error) {
	next = slices.Clone(d.Profiles)
	for i := range next {
		rights, err := next[i].ColumnRights()
		if err != nil {
			return nil, nil, err
		}
		var kept []ColumnRight
		for _, r := range rights {
			was := r.Table
			r.Table, r.Column = m.Table(was), m.Column(was, r.Column)
			if r.Table != "" && r.Column != "" {
				kept = append(kept, r)
			}
		}
		text, err := encodeRights(kept)
		if err != nil {
			return nil, nil, err
		}
		if text != next[i].Rights {
			next[i].Rights = text
			moved = append(moved, Moved{Profile: &next[i]})
		}
	}
	return next, moved, nil
}

// columnFacts adds the rows of column profiles to what the audit tells of.
func (d *Data) columnFacts(out map[factKey]any) {
	id := func(p *core.ID) core.ID {
		if p == nil {
			return ""
		}
		return *p
	}
	for _, p := range d.Profiles {
		out[factKey{p.TableName(), p.ID}] = map[string]any{"name": p.Name, "doc": p.Doc, "rights": p.Rights}
	}
	for _, h := range d.Holders {
		out[factKey{h.TableName(), h.ID}] = map[string]any{"profile": h.ProfileID, "role": id(h.RoleID), "team": id(h.TeamID), "user": id(h.UserID)}
	}
}

// ColumnDigest stands for what column profiles give, and to which roles.
func (d *Data) ColumnDigest() []byte {
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, part := range []any{d.Profiles, d.Holders} {
		if err := e.Encode(part); err != nil {
			panic(err) // texts have a JSON form, and a hash takes everything
		}
	}
	return h.Sum(nil)
}
