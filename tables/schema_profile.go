package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// profileFile is a column profile in a file.
type profileFile struct {
	Profile string              `json:"profile"`
	Doc     string              `json:"doc,omitempty"`
	Columns []authz.ColumnRight `json:"columns,omitempty"`

	isNew bool
}

// line says what becomes of the profile.
func (p profileFile) line() string {
	if p.isNew {
		return "create column profile " + p.Profile
	}
	return "change column profile " + p.Profile
}

func readProfile(f File) (p profileFile, err error) {
	m, err := decodeFile(f)
	if err == nil {
		err = strictly(f, m, &p)
	}
	if err != nil {
		return p, err
	}
	if want := profileFolder + p.Profile + ".yaml"; f.Path != want {
		return p, core.E("tables.readProfile", core.Invalid, fmt.Sprintf("%s: the column profile is named %q: call the file %s", f.Path, p.Profile, want))
	}
	return p, nil
}

// profilesOf returns the column profiles of the policy, by name, as files have them.
func profilesOf(s *core.Schema, d *authz.Data) (map[string]profileFile, error) {
	out := map[string]profileFile{}
	for i := range d.Profiles {
		of := &d.Profiles[i]
		columns, err := of.Present(s)
		if err != nil {
			return nil, core.E("tables.profilesOf", err)
		}
		out[of.Name] = profileFile{Profile: of.Name, Doc: of.Doc, Columns: columns}
	}
	return out, nil
}

func exportProfiles(s *core.Schema, d *authz.Data) (out []File, err error) {
	all, err := profilesOf(s, d)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		text, err := encodeFile(p)
		if err != nil {
			return nil, core.E("tables.exportProfiles", err)
		}
		out = append(out, File{profileFolder + p.Profile + ".yaml", text})
	}
	return out, nil
}

// otherProfiles returns the column profiles of the files that are not what the policy has.
func (b *codeFiles) otherProfiles(n *Snapshot) (out []profileFile, err error) {
	have, err := profilesOf(n.Schema, n.access)
	if err != nil {
		return nil, err
	}
	for _, p := range b.profiles {
		was, ok := have[p.Profile]
		slices.SortFunc(p.Columns, authz.ColumnRight.Compare)
		x, err := json.Marshal(was)
		if err != nil {
			return nil, core.E("tables.otherProfiles", err)
		}
		y, err := json.Marshal(p)
		if err != nil {
			return nil, core.E("tables.otherProfiles", err)
		}
		if p.isNew = !ok; p.isNew || string(x) != string(y) {
			out = append(out, p)
		}
	}
	return out, nil
}

// droppedProfiles returns the column profiles that are to be dropped and are there.
func (b *codeFiles) droppedProfiles(n *Snapshot) []string {
	return slices.DeleteFunc(slices.Clone(b.drop.Profiles), func(name string) bool {
		return !slices.ContainsFunc(n.access.Profiles, func(p authz.ColumnProfile) bool { return p.Name == name })
	})
}

// applyProfiles makes the column profiles those of the files.
func (a access) applyProfiles(ctx context.Context, tx *Tx, b *codeFiles, out *codePlan) error {
	profiles, err := b.otherProfiles(tx.snap)
	if err != nil {
		return err
	}
	for _, p := range profiles {
		out.lines = append(out.lines, p.line())
		err := a.inPolicy(ctx, tx, func(g *gorm.DB) error { return a.putProfileSpec(ctx, tx, g, p.Profile, p.Doc, p.Columns) })
		if err != nil {
			return core.E("tables.applyProfiles", err, fmt.Sprintf("%s%s.yaml: %s", profileFolder, p.Profile, core.AsError(err).Msg))
		}
	}
	return nil
}
