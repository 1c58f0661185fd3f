package tables

import (
	"context"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// limitFields describe [core.Limits] as an input.
func limitFields() []core.Column {
	var out []core.Column
	for _, f := range core.LimitFields {
		out = append(out, core.Column{Name: f.Name, Kind: core.Integer, Doc: f.Doc})
	}
	return out
}

func limitsInput(doc string) core.Column {
	return core.Column{Name: "limits", Kind: core.Object, Fields: limitFields(), Doc: doc}
}

func (a access) setLimits() core.Action {
	input := []core.Column{
		text("role", "The role; everybody who signed in when left out, which is for administrators."),
		required(limitsInput("What a request may ask for at most. What is left out is as if nobody had set it.")),
	}
	return a.action("set_limits", "Sets how much one request may ask for. Limits add up like rights: the most of what everybody may and what each role allows counts.",
		input, roleOutput, core.Record{"role": "analyst", "limits": map[string]any{"rows": 500_000, "seconds": 30}},
		func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
			var spec struct {
				Role   string      `json:"role"`
				Limits core.Limits `json:"limits"`
			}
			if err := decodeInput(c.In, &spec); err != nil {
				return nil, err
			}
			caller := core.CallerFrom(ctx)
			switch {
			case spec.Role != "":
				if err := tx.snap.Policy.CheckRole(caller, spec.Role); err != nil {
					return nil, err
				}
			case !caller.IsSystem() && !caller.HasRole(authz.Administrator):
				return nil, core.E("tables.set_limits", core.Denied, core.At{Column: "role"}, "what everybody may ask for is for administrators to say: name a role")
			}
			return core.Record{"role": spec.Role}, a.allow(ctx, tx, g, spec.Role, spec.Limits)
		})
}

// allow sets the limits of a role, or of everybody when it is empty.
func (a access) allow(ctx context.Context, tx *Tx, g *gorm.DB, role string, l core.Limits) error {
	if err := tx.snap.Policy.CheckLimits(core.CallerFrom(ctx), l); err != nil {
		return err
	}
	return authz.SetLimits(g, role, l)
}
