package web

import (
	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

const healthPath = "/health/"

// home sends people to where they can work.
func (s *Server) home(c *fiber.Ctx) error { return c.Redirect("/graphiql", fiber.StatusFound) }

// live says that the process answers.
func (s *Server) live(c *fiber.Ctx) error { return answer(c, map[string]string{"status": "ok"}) }

// ready says whether requests can be served now.
func (s *Server) ready(c *fiber.Ctx) error {
	if err := s.o.Ping(c.UserContext()); err != nil {
		return core.E("web.ready", core.Unavailable, "the database does not answer", err)
	}
	return answer(c, map[string]string{"status": "ok"})
}
