package tables

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// hierarchyActions change who is above whom. All are for administrators: who is above others reaches what belongs to them.
func (a access) hierarchyActions() []core.Action {
	return []core.Action{a.setHierarchy(), a.setManager(), a.setPosition(), a.putPosition(), a.renamePosition(), a.dropPosition()}
}

// rank is an action that changes who is above whom.
func (a access) rank(name, doc string, input, output []core.Column, example core.Record, run func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error)) core.Action {
	return a.action(name, doc+" For administrators; preview_access tells what that changes.", input, output, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.Administers(core.CallerFrom(ctx)); err != nil {
			return nil, err
		}
		return run(tx, g, c)
	})
}

func (a access) setHierarchy() core.Action {
	columns := []core.Column{
		required(text("mode", "off; manager: who is the manager of a user, and works in his unit or in one above it; position: who has a position above that of the user, in any unit.")),
		{Name: "depth", Kind: core.Integer, Doc: fmt.Sprintf("How many steps down one may read, 1 to %d; as it is when left out.", authz.MaxHierarchyDepth)},
	}
	doc := "Chooses the hierarchy through which one reaches what belongs to those below, in tables with hierarchy: true: of direct reports to read, update, append and append to it, of those further below to read it."
	return a.rank("set_hierarchy", doc, columns, columns, core.Record{"mode": "manager", "depth": int64(3)}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		depth, ok := c.In["depth"].(int64)
		if !ok {
			depth = int64(tx.snap.access.Hierarchies[0].Depth)
		}
		return core.Record{"mode": c.Text("mode"), "depth": depth}, authz.SetHierarchy(g, c.Text("mode"), int(depth))
	})
}

func (a access) setManager() core.Action {
	input := []core.Column{required(text("user", "The e-mail address or id.")), text("manager", "The e-mail address or id of his manager; none when left out.")}
	return a.rank("set_manager", "Says whom a user reports to.", input, idOutput, core.Record{"user": "ann@example.com", "manager": "bob@example.com"}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		user, err := tx.user(c.Text("user"))
		if err != nil {
			return nil, err
		}
		var manager core.ID
		if name := c.Text("manager"); name != "" {
			if manager, err = tx.user(name); err != nil {
				return nil, err
			}
		}
		return core.Record{"id": string(user)}, authz.SetManager(g, user, manager)
	})
}

func (a access) setPosition() core.Action {
	input := []core.Column{required(text("user", "The e-mail address or id.")), text("position", "The name or id of the position; none when left out.")}
	return a.rank("set_position", "Puts a user into a position.", input, idOutput, core.Record{"user": "ann@example.com", "position": "Sales manager"}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		user, err := tx.user(c.Text("user"))
		if err != nil {
			return nil, err
		}
		position, err := tx.position(c.Text("position"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": string(user)}, authz.SetPosition(g, user, position)
	})
}

func (a access) putPosition() core.Action {
	input := []core.Column{required(text("name", "The name; a position of that name is moved, with what is under it.")), text("parent", "The name or id of the position above; none when left out.")}
	return a.rank("put_position", "Adds a position, or moves one.", input, idOutput, core.Record{"name": "Sales manager"}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		parent, err := tx.position(c.Text("parent"))
		if err != nil {
			return nil, err
		}
		id, err := authz.PutPosition(g, c.Text("name"), parent)
		return core.Record{"id": string(id)}, err
	})
}

func (a access) renamePosition() core.Action {
	input := []core.Column{required(text("position", "The name or id.")), required(text("name", "The new name."))}
	return a.rank("rename_position", "Gives a position another name.", input, idOutput, core.Record{"position": "Sales manager", "name": "Head of sales"}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		id, err := tx.position(c.Text("position"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": string(id)}, authz.RenamePosition(g, id, c.Text("name"))
	})
}

func (a access) dropPosition() core.Action {
	input := []core.Column{required(text("position", "The name or id."))}
	return a.rank("drop_position", "Removes a position that nobody is in, and under which there is none.", input, idOutput, core.Record{"position": "Sales manager"}, func(tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		id, err := tx.position(c.Text("position"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": string(id)}, authz.DropPosition(g, id)
	})
}

// position finds a position by name or id; none when name is empty.
func (tx *Tx) position(name string) (core.ID, error) {
	if name == "" {
		return "", nil
	}
	for _, q := range tx.snap.access.Positions {
		if q.Name == name || string(q.ID) == name {
			return q.ID, nil
		}
	}
	return "", core.E("tables.position", core.NotFound, core.At{Column: "position"}, fmt.Sprintf("there is no position %q", name))
}
