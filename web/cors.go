package web

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// How long a browser need not ask again whether it may send a request, in seconds.
const preflightAge = "600"

// cors lets pages of the listed origins call the API and read its answers. They send a bearer token: a cookie goes with no
// such request, since nothing here says that it may. All other origins get answers that their pages cannot read.
func (s *Server) cors(c *fiber.Ctx) error {
	if len(s.origins) == 0 || c.Path() != graphqlPath && !strings.HasPrefix(c.Path(), streamPath) {
		return c.Next()
	}
	c.Vary(fiber.HeaderOrigin)
	origin := c.Get(fiber.HeaderOrigin)
	if !s.origins[origin] {
		return c.Next()
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	if c.Method() != fiber.MethodOptions {
		c.Set(fiber.HeaderAccessControlExposeHeaders, strings.Join([]string{fiber.HeaderXRequestID, fiber.HeaderRetryAfter, headerRepeated}, ", "))
		return c.Next()
	}
	c.Set(fiber.HeaderAccessControlAllowMethods, "GET, HEAD, POST")
	c.Set(fiber.HeaderAccessControlAllowHeaders, strings.Join([]string{fiber.HeaderAuthorization, fiber.HeaderContentType, headerKey, headerExplain}, ", "))
	c.Set(fiber.HeaderAccessControlMaxAge, preflightAge)
	return c.SendStatus(fiber.StatusNoContent)
}

// CheckOrigin says what is wrong with an origin of [Options.Origins]: it is a scheme, a host and perhaps a port, as browsers
// write it. There is no origin that stands for all.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(origin, "*") || origin != strings.ToLower(u.Scheme+"://"+u.Host) {
		return core.E("web.CheckOrigin", core.Invalid, fmt.Sprintf("an origin is written like https://app.example.com, not %q", origin))
	}
	return nil
}
