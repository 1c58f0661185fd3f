package authz

import (
	"gorm.io/gorm"

	"colonnade/core"
)

// KeepAdministrator makes the change, and refuses it when after it nobody could administer the rest.
func KeepAdministrator(tx *gorm.DB, change func() error) error {
	return keepAdministrator(tx, "authz.KeepAdministrator", change)
}

// ResetRole takes from a role what it grants, includes and allows, with its tests, and gives it another description. Who holds it still does.
func ResetRole(tx *gorm.DB, name, doc string) error {
	const op = "authz.ResetRole"
	if err := needRole(tx, op, name); err != nil {
		return err
	}
	a := &adapter{tx: tx}
	for _, ptype := range []string{"p", "g"} {
		if err := a.RemoveFilteredPolicy(ptype, ptype, 0, ofRole(name)); err != nil {
			return err
		}
	}
	if err := ClearProfiles(tx, name); err != nil {
		return err
	}
	if err := SetLimits(tx, name, core.Limits{}); err != nil {
		return err
	}
	return tx.Model(&Role{}).Where("name = ?", name).Updates(map[string]any{"doc": doc, "tests": noTests}).Error
}

// SetTests gives the role its tests.
func SetTests(tx *gorm.DB, name string, tests []RoleTest) error {
	const op = "authz.SetTests"
	if err := needRole(tx, op, name); err != nil {
		return err
	}
	text, err := EncodeTests(tests)
	if err != nil {
		return err
	}
	return tx.Model(&Role{}).Where("name = ?", name).Update("tests", text).Error
}
