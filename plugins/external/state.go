package external

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// state is whether a plugin is enabled, and in which form: with another manifest or another module it is not.
type state struct {
	ID        core.ID `gorm:"primaryKey"`
	Name      string
	Digest    string
	Enabled   bool
	ChangedBy core.ID
	ChangedAt db.Time
}

// TableName implements gorm's Tabler.
func (state) TableName() string { return "_plugin" }

// stateOf returns the state of a plugin; nil when nobody has enabled it yet.
func stateOf(g *gorm.DB, name string) (*state, error) {
	var st state
	err := g.Where("name = ?", name).Take(&st).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	return &st, err
}

// The ways in which a plugin is in use.
const (
	isEnabled  = "enabled"
	isDisabled = "disabled"
	isChanged  = "changed" // it was enabled, and its files are others now
)

func (st *state) of(p *Plugin) string {
	switch {
	case st == nil || !st.Enabled:
		return isDisabled
	case st.Digest != p.Digest:
		return isChanged
	}
	return isEnabled
}

// enabled returns nil when the plugin may run as it is.
func (s *Service) enabled(ctx context.Context, p *Plugin) error {
	const op = "external.enabled"
	st, err := stateOf(s.db.Gorm(ctx), p.Name)
	if err != nil {
		return core.E(op, s.db.Classify(err))
	}
	switch st.of(p) {
	case isChanged:
		return core.E(op, core.Denied, fmt.Sprintf("the files of the plugin %s have changed since it was enabled: have somebody who manages plugins look at it and enable it again", p.Name))
	case isDisabled:
		return core.E(op, core.Denied, fmt.Sprintf("the plugin %s is not enabled: ask somebody who manages plugins", p.Name))
	}
	return nil
}

// kindOf is the kind of a secret of plugins, as sealed secrets are named.
func kindOf(name string) string { return "plugin/" + name }

// readSecret returns a secret of a plugin.
func (s *Service) readSecret(ctx context.Context, plugin, name string) (string, error) {
	const op = "external.readSecret"
	st, err := stateOf(s.db.Gorm(ctx), plugin)
	if err != nil {
		return "", core.E(op, s.db.Classify(err))
	}
	var plain []byte
	err = core.E(op, core.NotFound, "there is none")
	if st != nil {
		plain, err = s.secrets.Get(s.db.Gorm(ctx), kindOf(name), st.ID)
	}
	if core.KindOf(err) == core.NotFound {
		return "", core.E(op, core.Denied, fmt.Sprintf("the plugin %s has no secret %s yet: set it with put_plugin_secret", plugin, name))
	}
	return string(plain), core.E(op, err)
}
