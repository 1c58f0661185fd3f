package plugins

import (
	"colonnade/core"
	"colonnade/plugins/classify"
	"colonnade/plugins/enrich"
	"colonnade/plugins/unify"
	"colonnade/tables"
)

// Builtin returns the actions of every plugin that ships, over the store that they work on.
func Builtin(store *tables.Store) []core.Action {
	var out []core.Action
	out = append(out, unify.Actions(store)...)
	out = append(out, enrich.Actions(store)...)
	out = append(out, classify.Actions(store)...)
	return out
}

// Tables returns the tables that the plugins keep for themselves.
func Tables() []core.Table { return classify.Tables() }
