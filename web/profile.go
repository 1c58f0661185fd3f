package web

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/pprof"

	"colonnade/authz"
	"colonnade/core"
)

const profilesPath = "/debug/pprof"

var profiles = pprof.New()

// profile serves the profiles of the Go runtime to an administrator of a server under development.
func (s *Server) profile(c *fiber.Ctx) error {
	who := core.CallerFrom(c.UserContext())
	if !who.HasRole(authz.Administrator) || who.Scope != nil {
		return core.E("web.profile", core.Denied, "profiles are for administrators")
	}
	return profiles(c)
}
