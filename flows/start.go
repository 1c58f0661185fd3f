package flows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// startPrefix begins the names of the mutations that start flows.
const startPrefix = "start_"

// starters returns an action for each enabled flow that is started by hand.
func (s *Service) starters(ctx context.Context, c db.Conn) (*tables.Defined, error) {
	const op = "flows.starters"
	all, sources, err := s.saved(ctx, c)
	if err != nil {
		return nil, core.E(op, err)
	}
	out, digest := &tables.Defined{}, sha256.New()
	for _, f := range all {
		d, err := s.definition(f.id, f.version, sources[f.name])
		if err != nil || !f.enabled || !d.starts() {
			continue // of one that this program cannot run, flows tells
		}
		a := s.starter(d)
		said, err := json.Marshal([]any{a.Name, a.Doc, a.Input})
		if err != nil {
			return nil, core.E(op, err)
		}
		digest.Write(said)
		out.Actions = append(out.Actions, a)
	}
	if len(out.Actions) > 0 {
		out.Digest = hex.EncodeToString(digest.Sum(nil))
	}
	return out, nil
}

// starts reports whether people can start the flow by a mutation of its own: it is started by hand, with values that have a type in the API.
func (d *definition) starts() bool {
	m := d.trigger.manual
	return d.enabled && m != nil && !slices.ContainsFunc(m.input, func(c core.Column) bool { return c.Kind == core.Object })
}

func (s *Service) starter(d *definition) core.Action {
	name, doc := d.name, d.doc
	if doc == "" {
		doc = "Starts the flow " + name + "."
	}
	input := slices.Clone(d.trigger.manual.input)
	for i := range input {
		if c := &input[i]; c.Default != "" {
			if c.Doc != "" {
				c.Doc += " "
			}
			c.Doc += c.Default + " when left out."
		}
	}
	return core.Action{
		Name: startPrefix + name, Doc: doc, Privilege: "run_flows", Input: input,
		Output: []core.Column{{Name: "run_id", Kind: core.UUID, Required: true, Doc: "The run; wait_run tells when it has ended."}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			id, err := s.Run(ctx, name, c.In)
			return core.Record{"run_id": string(id)}, err
		},
	}
}

// sameStart reports whether two definitions are started by the same mutation, or both by none. The older may be nil.
func (s *Service) sameStart(old, d *definition) bool {
	was, is := old != nil && old.starts(), d.starts()
	if !was || !is {
		return was == is
	}
	before, err := json.Marshal([]any{s.starter(old).Doc, s.starter(old).Input})
	after, bad := json.Marshal([]any{s.starter(d).Doc, s.starter(d).Input})
	return err == nil && bad == nil && string(before) == string(after)
}
