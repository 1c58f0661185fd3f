package main

import (
	"context"
	"os"

	"colonnade/core"
	"colonnade/identity"
)

// declareProviders sets up the identity providers that the operator names.
func (c *config) declareProviders(ctx context.Context, s *identity.Service) error {
	const op = "main.declareProviders"
	document := []byte(os.Getenv("COLONNADE_PROVIDERS"))
	switch {
	case c.Providers != "" && len(document) > 0:
		return core.E(op, core.Invalid, "name the identity providers once: --providers and COLONNADE_PROVIDERS_FILE take a file, COLONNADE_PROVIDERS takes what it would hold")
	case c.Providers != "":
		var err error
		if document, err = os.ReadFile(c.Providers); err != nil {
			return core.E(op, core.Invalid, "the file of --providers cannot be read: "+err.Error())
		}
	}
	if len(document) == 0 {
		return nil
	}
	all, err := identity.ReadProviders(document)
	if err != nil {
		return core.E(op, err)
	}
	return core.E(op, s.Declare(ctx, all))
}
