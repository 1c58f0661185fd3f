package authz

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// A secured column is hidden from everybody but administrators until a column profile gives it. Profiles are held by roles, teams
// and users, and add up. They say which columns; which records, the grants say: who holds both reads the column in the records that
// his grants reach and do not hide it in.

// Reading says how much of a column is shown. Each value includes the ones below it.
type Reading int

// The values of [Reading].
const (
	ReadNone   Reading = iota
	ReadMasked         // what the mask of the column makes of the value
	ReadFull
)

var readings = []string{"none", "masked", "full"}

// String returns the text form.
func (r Reading) String() string { return readings[r] }

// MarshalText implements encoding.TextMarshaler.
func (r Reading) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Reading) UnmarshalText(b []byte) error {
	i := slices.Index(readings, string(b))
	if i < 0 {
		return core.E("authz.Reading", core.Invalid, fmt.Sprintf("read is %q: choose none, masked or full", b))
	}
	*r = Reading(i)
	return nil
}

// Unmasking says of how many records at a time the value may be asked for that is hidden or masked otherwise, with a reason that
// is kept in the access log. Each value includes the ones below it.
type Unmasking int

// The values of [Unmasking].
const (
	UnmaskNone Unmasking = iota
	UnmaskOne
	UnmaskMany
)

var unmaskings = []string{"none", "one", "many"}

// String returns the text form.
func (u Unmasking) String() string { return unmaskings[u] }

// MarshalText implements encoding.TextMarshaler.
func (u Unmasking) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *Unmasking) UnmarshalText(b []byte) error {
	i := slices.Index(unmaskings, string(b))
	if i < 0 {
		return core.E("authz.Unmasking", core.Invalid, fmt.Sprintf("unmask is %q: choose none, one or many", b))
	}
	*u = Unmasking(i)
	return nil
}

// ColumnAccess is what a column profile gives of a secured column.
type ColumnAccess struct {
	Read   Reading   `json:"read,omitzero"`
	Create bool      `json:"create,omitempty"`
	Update bool      `json:"update,omitempty"`
	Unmask Unmasking `json:"unmask,omitzero"`
}

// or returns what a and b give together.
func (a ColumnAccess) or(b ColumnAccess) ColumnAccess {
	return ColumnAccess{Read: max(a.Read, b.Read), Create: a.Create || b.Create, Update: a.Update || b.Update, Unmask: max(a.Unmask, b.Unmask)}
}

// to returns how much of the column the privilege extends to.
func (a ColumnAccess) to(priv Privilege) Reading {
	whole := true
	switch priv {
	case Read:
		return a.Read
	case Create:
		whole = a.Create
	case Update:
		whole = a.Update
	}
	if whole {
		return ReadFull
	}
	return ReadNone
}

// ColumnRight is what a column profile gives of one column.
type ColumnRight struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	ColumnAccess
}

// Compare orders rights by table and column.
func (r ColumnRight) Compare(o ColumnRight) int {
	return cmp.Or(strings.Compare(r.Table, o.Table), strings.Compare(r.Column, o.Column))
}

// waits reports whether the table or the column is dropped, and may come back.
func (r ColumnRight) waits() bool { return core.IsDroppedName(r.Table) || core.IsDroppedName(r.Column) }

// encodeRights writes rights as they are kept, in one order.
func encodeRights(list []ColumnRight) (string, error) {
	sorted := append([]ColumnRight{}, list...)
	slices.SortFunc(sorted, ColumnRight.Compare)
	b, err := json.Marshal(sorted)
	return string(b), err
}

// columnName is a column of a table.
type columnName struct{ table, column string }

// profile is a column profile, read.
type profile struct {
	name   string
	rights []ColumnRight // of what is there
}

// addProfiles reads the column profiles, and who holds them.
func (p *Policy) addProfiles(d *Data) error {
	p.profileByName, p.profilesHeld = map[string]int{}, map[string][]int{}
	byID := map[core.ID]int{}
	for i := range d.Profiles {
		of := &d.Profiles[i]
		rights, err := of.ColumnRights()
		if err != nil {
			return err
		}
		rights = slices.DeleteFunc(rights, ColumnRight.waits)
		for _, r := range rights {
			if err := p.checkColumn(r); err != nil {
				return core.E("authz.addProfiles", err, fmt.Sprintf("column profile %q: %s", of.Name, core.AsError(err).Msg))
			}
		}
		byID[of.ID] = i
		p.profileByName[of.Name] = i
		p.profiles = append(p.profiles, &profile{of.Name, rights})
	}
	roles := map[core.ID]string{}
	for _, r := range d.Roles {
		roles[r.ID] = r.Name
	}
	for _, h := range d.Holders {
		who := ""
		switch {
		case h.RoleID != nil:
			who = ofRole(roles[*h.RoleID])
		case h.TeamID != nil:
			who = ofTeam(*h.TeamID)
		case h.UserID != nil:
			who = ofUser(*h.UserID)
		}
		p.profilesHeld[who] = append(p.profilesHeld[who], byID[h.ProfileID])
	}
	return nil
}

// checkColumn returns an error when there is no such column.
func (p *Policy) checkColumn(r ColumnRight) error {
	t, ok := p.tables[r.Table]
	if !ok {
		return core.E("authz.checkColumn", core.NotFound, core.At{Table: r.Table}, "there is no such table")
	}
	_, err := t.Need(r.Column)
	return err
}

// profilesOf returns the names of the profiles that a user holds by himself and through his teams.
func (p *Policy) profilesOf(user core.ID) (out []string) {
	for _, who := range append([]string{ofUser(user)}, teamKeys(p.teams[user])...) {
		for _, i := range p.profilesHeld[who] {
			out = append(out, p.profiles[i].name)
		}
	}
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

func teamKeys(teams []core.ID) []string {
	out := make([]string, len(teams))
	for i, id := range teams {
		out[i] = ofTeam(id)
	}
	return out
}

// markProfiles sets the bits of the profiles.
func (p *Policy) markProfiles(bits []byte, names []string) {
	for _, name := range names {
		if i, ok := p.profileByName[name]; ok {
			bits[i/8] |= 1 << (i % 8)
		}
	}
}

// columnsOf returns what the profiles of the roles give, and those whose bits are set.
func (p *Policy) columnsOf(s *roleSet, bits string) map[columnName]ColumnAccess {
	out := map[columnName]ColumnAccess{}
	add := func(i int) {
		for _, r := range p.profiles[i].rights {
			k := columnName{r.Table, r.Column}
			out[k] = out[k].or(r.ColumnAccess)
		}
	}
	for i := range p.profiles {
		if bits[i/8]&(1<<(i%8)) != 0 {
			add(i)
		}
	}
	for _, role := range s.roles {
		for _, i := range p.profilesHeld[ofRole(p.names[role])] {
			add(i)
		}
	}
	return out
}

// given returns how much of the column the privilege extends to, as far as it is secured.
func (s *roleSet) given(t *core.Table, c *core.Column, priv Privilege) Reading {
	if c == nil {
		return ReadNone
	}
	if t.SecuredBy(c) == nil || s.admin {
		return ReadFull
	}
	return s.access(t, c).to(priv)
}

// access returns what the profiles of s give of the column, or of the one that it is a part of.
func (s *roleSet) access(t *core.Table, c *core.Column) ColumnAccess {
	if by := t.SecuredBy(c); by != nil {
		return s.columns[columnName{t.Name, by.Name}]
	}
	return ColumnAccess{}
}

// CheckColumns returns an error when the rights are not those of secured columns, or give more than c holds: who gives a column holds
// it himself in every record of the table, since which records its new reader reaches is for others to say.
func (p *Policy) CheckColumns(c core.Caller, rights []ColumnRight) error {
	const op = "authz.CheckColumns"
	for i, r := range rights {
		at := core.At{Table: r.Table, Column: r.Column}
		if !p.Sees(c, r.Table) {
			return core.E(op, core.Denied, core.At{Table: r.Table}, "you cannot give a column that you do not hold")
		}
		if err := p.checkColumn(r); err != nil {
			if p.May(c, "define_tables") != nil {
				err = core.Discreet(err)
			}
			return core.E(op, err)
		}
		t := p.tables[r.Table]
		of, _ := t.Column(r.Column)
		switch {
		case of.Of != "":
			return core.E(op, core.Invalid, at, "the column is a part of "+of.Of+": name that one")
		case t.SecuredBy(of) == nil:
			return core.E(op, core.Invalid, at, "the column is not secured, so that everybody reads it who reads its record: set secured first")
		case r.ColumnAccess == ColumnAccess{}:
			return core.E(op, core.Invalid, at, "the profile gives nothing of the column: say read, create, update or unmask, or leave it out")
		case r.Read == ReadMasked && p.set.Mask(t.Name, of.Name) == nil:
			return core.E(op, core.Invalid, at, "the column has no mask: set its mask first, or leave read out")
		case slices.ContainsFunc(rights[:i], func(o ColumnRight) bool { return o.Table == r.Table && o.Column == r.Column }):
			return core.E(op, core.Invalid, at, "the profile names the column twice")
		}
		if err := p.holds(c, r); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// holds returns an error when c does not hold what the right gives in every record of the table.
func (p *Policy) holds(c core.Caller, r ColumnRight) error {
	for _, n := range []struct {
		priv Privilege
		ask  bool
		has  func(d *Decision) bool // besides the whole column
	}{
		{Read, r.Read > ReadNone, func(d *Decision) bool {
			mask, guard := d.Mask(r.Column)
			return r.Read == ReadMasked && mask != nil && guard == nil
		}},
		{Read, r.Unmask > UnmaskNone, func(d *Decision) bool {
			u, guard := d.Unmask(r.Column)
			return u >= r.Unmask && guard == nil
		}},
		{Create, r.Create, nil},
		{Update, r.Update, nil},
	} {
		if !n.ask {
			continue
		}
		d, err := p.Decide(c, r.Table, n.priv)
		if err == nil && d.Rows == nil {
			if visible, guard := d.Column(r.Column); visible && guard == nil || n.has != nil && n.has(d) {
				continue
			}
		}
		return core.E("authz.holds", core.Denied, core.At{Table: r.Table, Column: r.Column}, fmt.Sprintf("to give this you must yourself %s the column in every record of the table", n.priv))
	}
	return nil
}

// HoldsColumn reports whether c creates, reads and updates the column in every record of the table.
func (p *Policy) HoldsColumn(c core.Caller, table, column string) bool {
	return p.holds(c, ColumnRight{Table: table, Column: column, ColumnAccess: ColumnAccess{Read: ReadFull, Create: true, Update: true}}) == nil
}

// ReadsColumn reports whether c reads the column in full in every record of the table.
func (p *Policy) ReadsColumn(c core.Caller, table, column string) bool {
	return p.holds(c, ColumnRight{Table: table, Column: column, ColumnAccess: ColumnAccess{Read: ReadFull}}) == nil
}

// CheckProfile returns an error when there is no such profile, or c must not hand it out, change it or take it away: it gives what c
// does not hold.
func (p *Policy) CheckProfile(c core.Caller, name string) error {
	i, ok := p.profileByName[name]
	if !ok {
		return core.E("authz.CheckProfile", errNoProfile(name, p.profileByName))
	}
	if c.IsSystem() || p.roleSet(c).admin {
		return nil
	}
	for _, r := range p.profiles[i].rights {
		if err := p.holds(c, r); err != nil {
			return core.E("authz.CheckProfile", core.Denied, fmt.Sprintf("column profile %q: it gives what you do not hold", name))
		}
	}
	return nil
}

// checkProfiles is CheckProfile of all that a role, a team or a user is given.
func (p *Policy) checkProfiles(c core.Caller, who string) error {
	for _, i := range p.profilesHeld[who] {
		if err := p.CheckProfile(c, p.profiles[i].name); err != nil {
			return err
		}
	}
	return nil
}
