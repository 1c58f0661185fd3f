package authz

import (
	"maps"
	"slices"

	"gorm.io/gorm"

	"colonnade/core"
)

// Follows reports whether the user holds, by himself and everywhere, the roles that are wanted, and none of those that are not.
// Roles that are not named do not count.
func Follows(g *gorm.DB, user core.ID, want map[string]bool) (bool, error) {
	for _, role := range slices.Sorted(maps.Keys(want)) {
		holds, err := holdsItself(g, user, role)
		if err != nil || holds != want[role] {
			return false, err
		}
	}
	return true, nil
}

// Follow gives and takes roles until [Follows] holds. A role that is no longer there is passed over.
func Follow(tx *gorm.DB, user core.ID, want map[string]bool) error {
	for _, role := range slices.Sorted(maps.Keys(want)) {
		holds, err := holdsItself(tx, user, role)
		if err != nil {
			return err
		}
		switch a := (Assignment{User: user, Role: role}); {
		case want[role] && !holds:
			err = AssignRole(tx, a)
		case !want[role] && holds:
			err = UnassignRole(tx, a)
		}
		if err != nil && core.KindOf(err) != core.NotFound {
			return err
		}
	}
	return nil
}

func holdsItself(g *gorm.DB, user core.ID, role string) (bool, error) {
	var n int64
	err := g.Model(&Rule{}).Where("ptype = 'g' AND v0 = ? AND v1 = ? AND v2 = ?", ofUser(user), ofRole(role), everywhere).Count(&n).Error
	return n > 0, err
}
