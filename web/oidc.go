package web

import (
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/identity"
)

// Who is away at an identity provider keeps in a cookie what proves that it is he who comes back. It travels with the
// way back, which begins on another site, and so is Lax.
const (
	leaveSecure = "__Host-leave"
	leaveLocal  = "leave"
)

func (s *Server) leaveName(c *fiber.Ctx) string {
	if s.local(c) {
		return leaveLocal
	}
	return leaveSecure
}

// origin returns the address of this server as the browser knows it.
func (s *Server) origin(c *fiber.Ctx) string {
	scheme := "https://"
	if s.local(c) || !s.secure(c) && !s.behindTLS(c) {
		scheme = "http://"
	}
	return scheme + string(c.Request().Header.Host())
}

// behindTLS reports whether a proxy on this machine says that the browser came over HTTPS.
func (s *Server) behindTLS(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderXForwardedProto) == "https" && s.connected(c).IsLoopback()
}

func (s *Server) callback(c *fiber.Ctx, provider string) string {
	return s.origin(c) + "/auth/oidc/" + url.PathEscape(provider) + "/callback"
}

// leave tells the browser where the provider is, to sign in or, with connect, to connect a log-in with the account of who is
// signed in. It is a POST, so that no page elsewhere begins it.
func (s *Server) leave(c *fiber.Ctx) error {
	const op = "web.leave"
	var in struct {
		Next    string `json:"next"`
		Connect string `json:"connect"` // "1"
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := sameSite(c, true); err != nil {
		return err
	}
	if err := s.o.Logins.AttemptFrom(c.UserContext(), s.peer(c).String()); err != nil {
		return core.E(op, err)
	}
	var connect core.ID
	if in.Connect != "" {
		who, err := s.signedInHere(c)
		if err != nil {
			return core.E(op, err)
		}
		if who.Login.Stale {
			return core.E(op, core.Denied, "prove your second factor again first")
		}
		connect = who.User
	}
	name := c.Params("provider")
	l, err := s.o.Identity.Leave(c.UserContext(), name, s.callback(c, name), ownPath(in.Next), connect)
	if err != nil {
		return core.E(op, err)
	}
	s.keepLeave(c, l.Kept, l.Ends)
	return answer(c, map[string]string{"location": l.Location})
}

func (s *Server) keepLeave(c *fiber.Ctx, kept string, ends time.Time) {
	c.Cookie(&fiber.Cookie{Name: s.leaveName(c), Value: kept, Path: "/", Expires: ends, Secure: !s.local(c), HTTPOnly: true, SameSite: "Lax"})
}

// signedInHere returns who has the session of the browser.
func (s *Server) signedInHere(c *fiber.Ctx) (core.Caller, error) {
	token, cookie := s.token(c)
	if !cookie {
		return core.Caller{}, core.E("web.signedInHere", core.Unknown, "sign in first")
	}
	who, _, err := s.o.Identity.Caller(c.UserContext(), token, core.Cause{Kind: "api"}, false)
	return who, err
}

// arrive is where the browser comes back from a provider. What went wrong is shown on the page to sign in.
func (s *Server) arrive(c *fiber.Ctx) error {
	const op = "web.arrive"
	kept, name := strings.Clone(c.Cookies(s.leaveName(c))), c.Params("provider")
	s.keepLeave(c, "", time.Unix(1, 0))
	r := identity.Return{
		Provider: name, Callback: s.callback(c, name), Kept: kept, From: s.from(c),
		State: c.Query("state"), Code: c.Query("code"), Issuer: c.Query("iss"), Problem: c.Query("error"),
	}
	if who, err := s.signedInHere(c); err == nil {
		r.Who = who.User
	}
	got, err := s.o.Identity.Arrive(c.UserContext(), r)
	if err != nil {
		s.o.Log.InfoContext(c.UserContext(), "web: a log-in at a provider failed", "provider", name, "err", err, "request_id", RequestID(c.UserContext()))
		return s.showLogin(c, core.E(op, err))
	}
	if got.Connected {
		return c.Redirect(ownPath(got.Next), fiber.StatusFound)
	}
	if old, cookie := s.token(c); cookie && old != "" {
		if err := s.o.Logins.Logout(c.UserContext(), old); err != nil {
			return core.E(op, err)
		}
	}
	s.setCookie(c, authz.Session{Token: got.Token, User: got.User, Ends: got.Ends})
	if got.Pending {
		return c.Redirect("/login?second&redirect="+url.QueryEscape(ownPath(got.Next)), fiber.StatusFound)
	}
	return c.Redirect(ownPath(got.Next), fiber.StatusFound)
}
