package tables

import (
	"context"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

func (a access) createUnit() core.Action {
	input := []core.Column{required(text("name", "The name.")), text("parent", "The name or id of the unit above; the root when left out.")}
	return a.action("create_unit", "Creates a business unit.", input, idOutput, core.Record{"name": "West"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		parent, err := tx.unit(c.Text("parent"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), parent); err != nil {
			return nil, err
		}
		id, err := authz.CreateUnit(g, c.Text("name"), parent)
		return core.Record{"id": string(id)}, err
	})
}

func (a access) moveUnit() core.Action {
	input := []core.Column{required(text("unit", "The name or id of the unit.")), required(text("parent", "The name or id of the unit that it comes under."))}
	doc := "Puts a business unit, with everything below it, under another one, for administrators: preview_access tells what that changes."
	return a.action("move_unit", doc, input, idOutput, core.Record{"unit": "West", "parent": "Sales"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.Administers(core.CallerFrom(ctx)); err != nil {
			return nil, err // who works above the new place gets what is below it
		}
		unit, err := tx.unit(c.Text("unit"))
		if err != nil {
			return nil, err
		}
		parent, err := tx.unit(c.Text("parent"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": string(unit)}, authz.MoveUnit(g, unit, parent)
	})
}

func (a access) renameUnit() core.Action {
	input := []core.Column{required(text("unit", "The name or id of the unit.")), required(text("name", "The new name."))}
	return a.action("rename_unit", "Gives a business unit another name.", input, idOutput, core.Record{"unit": "West", "name": "Pacific"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		unit, err := tx.unit(c.Text("unit"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), unit); err != nil {
			return nil, err
		}
		return core.Record{"id": string(unit)}, authz.RenameUnit(g, unit, c.Text("name"))
	})
}

func (a access) moveUser() core.Action {
	input := []core.Column{required(text("user", "The e-mail address or id.")), required(text("unit", "The name or id of the business unit."))}
	return a.action("move_user", "Has a user work in another business unit. What the user owns stays where it is.", input, idOutput, core.Record{"user": "ann@example.com", "unit": "West"},
		func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
			user, err := tx.user(c.Text("user"))
			if err != nil {
				return nil, err
			}
			unit, err := tx.unit(c.Text("unit"))
			if err != nil {
				return nil, err
			}
			if err := tx.snap.Policy.CheckMove(core.CallerFrom(ctx), user, unit); err != nil {
				return nil, err
			}
			return core.Record{"id": string(user)}, authz.MoveUser(g, user, unit)
		})
}
