package authz

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
)

// The functions of the directory work within the transaction that they are given. They change what the database holds.
// Whoever calls them publishes the policy that follows, calls [Logins.Forget] after the commit, and checks before who
// may do it, since nobody gives what they do not hold:
//
//	CreateUser                           CheckUnit of the unit, CheckTeam of its default team
//	CreateUnit, CreateTeam               CheckUnit of the unit or the parent
//	RenameUser, DisableUser, SetPassword CheckUser
//	MoveUser                             CheckMove
//	MoveUnit                             Administers, since who works above the new place gets what is below it
//	AddMember, RemoveMember              CheckTeam and CheckUser
//	AssignRole, UnassignRole             CheckAssign, and CheckUser or CheckTeam
//	InheritRole, DisinheritRole          CheckRole of the role, CheckInclude of both
//	PutGrants, DropGrant                 CheckGrant, and CheckRole of the role
//	DropRole                             CheckRole

// lockDirectory has changes that must not cross each other wait for each other until the end of the transaction: two
// that would close a circle together, or take away the last two administrators.
func lockDirectory(tx *gorm.DB) error {
	return tx.Exec(`UPDATE "_unit" SET name = name WHERE id = ?`, core.RootUnit).Error
}

// need finds the row of that id into to, or says that there is no such thing.
func need(tx *gorm.DB, op string, to any, id core.ID, what string) error {
	if _, err := core.ParseID(string(id)); err != nil {
		return core.E(op, core.Invalid, fmt.Sprintf("the id of the %s is no uuid", what))
	}
	err := tx.Where("id = ?", id).Take(to).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return core.E(op, core.NotFound, core.At{Table: "_" + what}, fmt.Sprintf("there is no %s %s", what, id))
	}
	return err
}

func checkLabel(op, what, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 {
		return "", core.E(op, core.Invalid, core.At{Column: "name"}, fmt.Sprintf("the %s needs a name of at most 200 characters", what))
	}
	return name, nil
}

// CreateUnit adds a business unit below another.
func CreateUnit(tx *gorm.DB, name string, parent core.ID) (core.ID, error) {
	const op = "authz.CreateUnit"
	name, err := checkLabel(op, "unit", name)
	if err != nil {
		return "", err
	}
	if err := need(tx, op, &BusinessUnit{}, parent, "unit"); err != nil {
		return "", err
	}
	u := BusinessUnit{ID: core.NewID(), Name: name, ParentID: &parent}
	if err := tx.Create(&u).Error; err != nil {
		return "", err
	}
	team, err := defaultTeamName(tx, u.ID, name)
	if err != nil {
		return "", err
	}
	return u.ID, tx.Create(&Team{ID: u.ID, Name: team, UnitID: u.ID, UnitDefault: true}).Error
}

// defaultTeamName returns the name of the team of all users of a unit: that of the unit, if no other team has it.
func defaultTeamName(tx *gorm.DB, unit core.ID, name string) (string, error) {
	var n int64
	if err := tx.Model(&Team{}).Where("name = ? AND id <> ?", name, unit).Count(&n).Error; err != nil {
		return "", err
	}
	if n > 0 {
		return name + " " + string(unit), nil
	}
	return name, nil
}

// MoveUnit puts a unit, with all that is below it, under another parent. The root stays where it is.
func MoveUnit(tx *gorm.DB, id, parent core.ID) error {
	const op = "authz.MoveUnit"
	at := core.At{Table: "_unit", Column: "parent_id"}
	if id == core.RootUnit {
		return core.E(op, core.Invalid, at, "the unit at the top of the tree cannot be moved")
	}
	if err := lockDirectory(tx); err != nil {
		return err
	}
	var u BusinessUnit
	if err := need(tx, op, &u, id, "unit"); err != nil {
		return err
	}
	for above := parent; ; {
		if above == id {
			return core.E(op, core.Invalid, at, "the new parent is the unit itself, or below it: choose another one")
		}
		var a BusinessUnit
		if err := need(tx, op, &a, above, "unit"); err != nil {
			return err
		}
		if a.ParentID == nil {
			break
		}
		above = *a.ParentID
	}
	return tx.Model(&u).Update("parent_id", parent).Error
}

// RenameUnit gives a unit another name.
func RenameUnit(tx *gorm.DB, id core.ID, name string) error {
	const op = "authz.RenameUnit"
	name, err := checkLabel(op, "unit", name)
	if err != nil {
		return err
	}
	var u BusinessUnit
	if err := need(tx, op, &u, id, "unit"); err != nil {
		return err
	}
	team, err := defaultTeamName(tx, id, name)
	if err != nil {
		return err
	}
	if err := tx.Model(&Team{}).Where("id = ?", id).Update("name", team).Error; err != nil {
		return err
	}
	return tx.Model(&u).Update("name", name).Error
}

// NewUser is what [CreateUser] needs.
type NewUser struct {
	Name     string
	Email    string
	Unit     core.ID // the root when empty
	Kind     string  // a person when empty
	Password Hash    // from HashPassword; none when empty: the user cannot sign in with one
}

// CreateUser adds a user, who holds no role yet.
func CreateUser(tx *gorm.DB, n NewUser) (core.ID, error) {
	const op = "authz.CreateUser"
	a, err := newAccount(n, time.Now())
	if err != nil {
		return "", core.E(op, err)
	}
	if err := need(tx, op, &BusinessUnit{}, a.UnitID, "unit"); err != nil {
		return "", err
	}
	if err := freeEmail(tx, op, a.Email); err != nil {
		return "", err
	}
	return a.ID, tx.Create(a).Error
}

func freeEmail(tx *gorm.DB, op, email string) error {
	var n int64
	if err := tx.Model(&User{}).Where("email = ?", email).Count(&n).Error; err != nil {
		return err
	}
	if n > 0 {
		return core.E(op, core.Exists, core.At{Table: "_user", Column: "email"}, "there is a user with this e-mail address already")
	}
	return nil
}

// newAccount checks n.
func newAccount(n NewUser, now time.Time) (*account, error) {
	const op = "authz.newAccount"
	name, err := checkLabel(op, "user", n.Name)
	if err != nil {
		return nil, err
	}
	email, err := checkEmail(op, n.Email)
	if err != nil {
		return nil, err
	}
	if n.Unit == "" {
		n.Unit = core.RootUnit
	}
	switch {
	case n.Kind == "":
		n.Kind = Person
	case n.Kind != Person && n.Kind != Service:
		return nil, core.E(op, core.Invalid, core.At{Column: "kind"}, fmt.Sprintf("a user is a %s or a %s", Person, Service))
	case n.Kind == Service && n.Password != "":
		return nil, core.E(op, core.Invalid, core.At{Column: "password"}, "a service has no password: make a key for it")
	}
	a := &account{User: User{ID: core.NewID(), Name: name, Email: email, UnitID: n.Unit, Kind: n.Kind, CreatedAt: dbTime(now), ChangedAt: dbTime(now)}}
	if n.Password != "" {
		a.PasswordHash = &n.Password
	}
	return a, nil
}

func checkEmail(op, email string) (string, error) {
	email = foldEmail(email)
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > 254 || strings.ContainsAny(email, "\x00\r\n") {
		return "", core.E(op, core.Invalid, core.At{Table: "_user", Column: "email"}, "this is no e-mail address: write it like name@example.com")
	}
	return email, nil
}

// foldEmail returns the one form in which an address is kept and compared.
func foldEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// changeUser writes columns of a user.
func changeUser(tx *gorm.DB, op string, id core.ID, columns map[string]any) error {
	if err := need(tx, op, &User{}, id, "user"); err != nil {
		return err
	}
	columns["changed_at"] = dbTime(time.Now())
	return tx.Model(&account{}).Where("id = ?", id).Updates(columns).Error
}

// RenameUser gives a user another name and e-mail address.
func RenameUser(tx *gorm.DB, id core.ID, name, email string) error {
	const op = "authz.RenameUser"
	name, err := checkLabel(op, "user", name)
	if err != nil {
		return err
	}
	if email, err = checkEmail(op, email); err != nil {
		return err
	}
	var u User
	if err := need(tx, op, &u, id, "user"); err != nil {
		return err
	}
	if email != u.Email {
		if err := freeEmail(tx, op, email); err != nil {
			return err
		}
	}
	return changeUser(tx, op, id, map[string]any{"name": name, "email": email})
}

// MoveUser has the user work in another unit. Roles that count from no unit of their own count from there from now on.
func MoveUser(tx *gorm.DB, id, unit core.ID) error {
	const op = "authz.MoveUser"
	if err := need(tx, op, &BusinessUnit{}, unit, "unit"); err != nil {
		return err
	}
	return changeUser(tx, op, id, map[string]any{"unit_id": unit})
}

// DisableUser keeps a user out, and ends the user's sessions; with disabled false it lets the user in again.
func DisableUser(tx *gorm.DB, id core.ID, disabled bool) error {
	const op = "authz.DisableUser"
	return keepAdministrator(tx, op, func() error {
		if err := changeUser(tx, op, id, map[string]any{"disabled": disabled}); err != nil {
			return err
		}
		return EndSessions(tx, id)
	})
}

// SetPassword gives a user the password of the hash, and ends the user's sessions. API keys stay.
func SetPassword(tx *gorm.DB, id core.ID, hash Hash) error {
	var u User
	if err := need(tx, "authz.SetPassword", &u, id, "user"); err != nil {
		return err
	}
	if u.Kind == Service {
		return core.E("authz.SetPassword", core.Invalid, core.At{Column: "password"}, "a service has no password: make a key for it")
	}
	if err := changeUser(tx, "authz.SetPassword", id, map[string]any{"password_hash": hash}); err != nil {
		return err
	}
	return EndSessions(tx, id)
}

// SetSecondFactor notes whether a user has a second factor, without which no session of his is good from then on.
func SetSecondFactor(tx *gorm.DB, id core.ID, has bool) error {
	return changeUser(tx, "authz.SetSecondFactor", id, map[string]any{"second_factor": has})
}

// EndSessions signs a user out everywhere. API keys stay.
func EndSessions(tx *gorm.DB, user core.ID) error {
	return tx.Where("user_id = ?", user).Delete(&session{}).Error
}

// CreateTeam adds a team of the unit; the root when it is empty.
func CreateTeam(tx *gorm.DB, name string, unit core.ID) (core.ID, error) {
	const op = "authz.CreateTeam"
	name, err := checkLabel(op, "team", name)
	if err != nil {
		return "", err
	}
	if unit == "" {
		unit = core.RootUnit
	}
	if err := need(tx, op, &BusinessUnit{}, unit, "unit"); err != nil {
		return "", err
	}
	var n int64
	if err := tx.Model(&Team{}).Where("name = ?", name).Count(&n).Error; err != nil {
		return "", err
	}
	if n > 0 {
		return "", core.E(op, core.Exists, core.At{Table: "_team", Column: "name"}, "there is a team of this name already")
	}
	t := Team{ID: core.NewID(), Name: name, UnitID: unit}
	return t.ID, tx.Create(&t).Error
}

// AddMember puts the user in the team. To be in it already is no error.
func AddMember(tx *gorm.DB, team, user core.ID) error {
	const op = "authz.AddMember"
	var t Team
	if err := need(tx, op, &t, team, "team"); err != nil {
		return err
	}
	if t.UnitDefault {
		return core.E(op, core.Invalid, core.At{Table: "_team"}, "the members of this team are the users of its unit: choose another team")
	}
	if err := need(tx, op, &User{}, user, "user"); err != nil {
		return err
	}
	var have []Member
	if err := tx.Where("team_id = ? AND user_id = ?", team, user).Find(&have).Error; err != nil || len(have) > 0 {
		return err
	}
	return tx.Create(&Member{ID: core.NewID(), TeamID: team, UserID: user}).Error
}

// RemoveMember takes the user out of the team.
func RemoveMember(tx *gorm.DB, team, user core.ID) error {
	const op = "authz.RemoveMember"
	return keepAdministrator(tx, op, func() error {
		done := tx.Where("team_id = ? AND user_id = ?", team, user).Delete(&Member{})
		if done.Error == nil && done.RowsAffected == 0 {
			return core.E(op, core.NotFound, core.At{Table: "_team_member"}, "the user is not in the team")
		}
		return done.Error
	})
}

// keepAdministrator makes the change, and refuses it when after it nobody could administer the rest.
func keepAdministrator(tx *gorm.DB, op string, change func() error) error {
	if err := lockDirectory(tx); err != nil {
		return err
	}
	before, err := administrators(tx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := administrators(tx)
	if err != nil {
		return err
	}
	if before > 0 && after == 0 {
		return core.E(op, core.Invalid, "nobody would be an administrator any more: make somebody else one first")
	}
	return nil
}

// administrators counts the users who can sign in and hold the role.
func administrators(tx *gorm.DB) (int64, error) {
	var graph []Rule
	if err := tx.Where("ptype = 'g' AND v0 LIKE 'role:%'").Find(&graph).Error; err != nil {
		return 0, err
	}
	include := []string{ofRole(Administrator)} // the roles that include it
	for i := 0; i < len(include); i++ {
		for _, r := range graph {
			if r.V1 == include[i] && !slices.Contains(include, r.V0) {
				include = append(include, r.V0)
			}
		}
	}
	var n int64
	err := tx.Raw(`SELECT count(*) FROM "_user" u WHERE NOT u.disabled AND (
		EXISTS (SELECT 1 FROM "_policy" p WHERE p.ptype = 'g' AND p.v0 = 'user:' || CAST(u.id AS TEXT) AND p.v1 IN ?) OR
		EXISTS (SELECT 1 FROM "_team_member" m JOIN "_policy" p ON p.ptype = 'g' AND p.v0 = 'team:' || CAST(m.team_id AS TEXT)
			WHERE m.user_id = u.id AND p.v1 IN ?) OR
		EXISTS (SELECT 1 FROM "_team" t JOIN "_policy" p ON p.ptype = 'g' AND p.v0 = 'team:' || CAST(t.id AS TEXT)
			WHERE t.unit_default AND t.unit_id = u.unit_id AND p.v1 IN ?))`, include, include, include).Scan(&n).Error
	return n, err
}
