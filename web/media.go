package web

import (
	"mime"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// media is a form of GraphQL answers. They look the same and differ in the statuses that go with them.
type media string

const (
	mediaJSON    media = "application/json"
	mediaGraphQL media = "application/graphql-response+json"
	mediaEvents  media = "text/event-stream" // every answer is an event, and a subscription has many
)

func (m media) contentType() string { return string(m) + "; charset=utf-8" }

// jsonBody refuses a request whose body is not JSON in UTF-8. That no page of another site can send such a body unasked
// is one half of the protection from forged requests; [sameSite] is the other. Compressed bodies are refused, because
// fiber would unpack them without a limit.
func jsonBody(c *fiber.Ctx) error {
	if e := c.Get(fiber.HeaderContentEncoding); e != "" && e != "identity" {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	kind, params, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || kind != string(mediaJSON) || !isUTF8(params["charset"]) {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the body must have the content type application/json")
	}
	return nil
}

// negotiate returns the form that an Accept header prefers: by weight, then by order. Whoever takes anything, or says
// nothing, gets plain JSON.
func negotiate(accept string) (best media, ok bool) {
	if strings.TrimSpace(accept) == "" {
		return mediaJSON, true
	}
	weight := 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil || !isUTF8(params["charset"]) {
			continue
		}
		m := media(kind)
		if kind == "*/*" || kind == "application/*" {
			m = mediaJSON
		}
		if m != mediaJSON && m != mediaGraphQL && m != mediaEvents {
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if q > weight {
			best, weight = m, q
		}
	}
	return best, weight > 0
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }
