package web

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/flows"
)

// Deliveries that start flows. Who sends them has no account here, but the secret of the flow: what is not signed with it counts as
// of a stranger, and what is, as of the flow.

func (s *Server) hookRoutes() []route {
	if s.o.Flows == nil {
		return nil
	}
	return []route{{"POST", flows.HookPath + ":flow", signed, s.hook}}
}

// maxTogether is how many deliveries to one flow are served at a time. Those that wait for the end of their runs are many of them.
const maxTogether = 50

// received is what is told of a delivery that a flow has taken. Why a run failed is for those who may read it here.
type received struct {
	Run    core.ID         `json:"run_id"`
	Status string          `json:"status,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
}

// hook starts the run of a delivery.
func (s *Server) hook(c *fiber.Ctx) error {
	now := time.Now()
	from := "hook " + place(s.peer(c)) // apart from other strangers, who may come by the same proxy as the senders
	if err := s.strangers.full(from, now); err != nil {
		return err // who sent too much that nobody signed gets no more looked at
	}
	h, err := s.delivered(c)
	if err != nil {
		from, tooMany := s.strangers.enter(from, now)
		if tooMany != nil {
			return tooMany
		}
		s.strangers.leave(from)
		return err
	}
	key, err := s.hooks.admit(h.Flow, Rate{PerMinute: h.Rate, Together: maxTogether}, now)
	if err != nil {
		return err
	}
	defer s.hooks.leave(key)
	if n := len(c.Request().Body()); n > h.MaxBody {
		return errTooLarge(int64(h.MaxBody), "send less, or have the flow take more with max_body")
	}
	ctx, stop := context.WithCancel(c.UserContext())
	defer stop()
	defer context.AfterFunc(s.leaving, stop)() // the run goes on without us
	r, err := h.Start(ctx)
	if err != nil {
		return err
	}
	if !r.Ended {
		c.Status(fiber.StatusAccepted)
	}
	return answer(c, received{r.Run, r.Status, r.Output})
}

// delivered returns the delivery of the request, which was signed.
func (s *Server) delivered(c *fiber.Ctx) (*flows.Hook, error) {
	if err := plainBody(c); err != nil {
		return nil, err
	}
	for _, name := range []string{headerDelivery, headerSigned, headerSignature} {
		if n := len(c.GetReqHeaders()[name]); n > 1 {
			return nil, core.E("web.delivered", core.Invalid, fmt.Sprintf("the header %s is there %d times: send it once", name, n))
		}
	}
	return s.o.Flows.Receive(c.UserContext(), flows.Delivery{
		Flow: c.Params("flow"), Body: c.Request().Body(), ID: c.Get(headerDelivery), Timestamp: c.Get(headerSigned), Signature: c.Get(headerSignature),
	})
}

// The headers of Standard Webhooks.
const (
	headerDelivery  = "Webhook-Id"
	headerSigned    = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)
