package web

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/identity"
)

// siteOf is this server as the browser knows it, for which passkeys are made.
func (s *Server) siteOf(c *fiber.Ctx) identity.Site {
	return identity.Site{Host: hostOnly(string(c.Request().Header.Host())), Origin: s.origin(c)}
}

// askPasskey answers with what a browser needs to sign in with a passkey.
func (s *Server) askPasskey(c *fiber.Ctx) error {
	const op = "web.askPasskey"
	if err := decode(c, &struct{}{}); err != nil {
		return err
	}
	if err := s.o.Logins.AttemptFrom(c.UserContext(), s.peer(c).String()); err != nil {
		return core.E(op, err)
	}
	out, err := s.o.Identity.AskPasskey(c.UserContext(), s.siteOf(c))
	if err != nil {
		return core.E(op, err)
	}
	return answer(c, out)
}

// passkey signs in with what a passkey has signed, or proves the second factor of the session that is there.
func (s *Server) passkey(c *fiber.Ctx) error {
	const op = "web.passkey"
	var in struct {
		Credential json.RawMessage `json:"credential"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := sameSite(c, true); err != nil {
		return err
	}
	token, cookie := s.token(c)
	session, err := s.o.Identity.SignInByPasskey(c.UserContext(), s.siteOf(c), in.Credential, token, s.from(c))
	if err != nil {
		return core.E(op, err)
	}
	if cookie && token != "" { // the session that the browser had, of somebody else; that of the user is gone already
		if err := s.o.Logins.Logout(c.UserContext(), token); err != nil {
			return core.E(op, err)
		}
	}
	return s.entered(c, identity.In{Session: session}, false)
}

// askNewPasskey answers with what a browser needs to make a passkey.
func (s *Server) askNewPasskey(c *fiber.Ctx) error {
	if err := decode(c, &struct{}{}); err != nil {
		return err
	}
	out, err := s.o.Identity.AskNewPasskey(c.UserContext(), core.CallerFrom(c.UserContext()), s.siteOf(c))
	if err != nil {
		return core.E("web.askNewPasskey", err)
	}
	return answer(c, out)
}

// newPasskey keeps the passkey that a browser has made. The answer has recovery codes when it is the first second factor.
func (s *Server) newPasskey(c *fiber.Ctx) error {
	var in struct {
		Name       string          `json:"name"`
		Credential json.RawMessage `json:"credential"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	codes, err := s.o.Identity.AddPasskey(c.UserContext(), core.CallerFrom(c.UserContext()), s.siteOf(c), in.Name, in.Credential)
	if err != nil {
		return core.E("web.newPasskey", err)
	}
	return answer(c, map[string][]string{"recovery_codes": codes})
}
