// This program is a plugin of Colonnade, which gives customers points for what they spend. Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -ldflags=-s -o plugin.wasm .
package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
)

func main() {
	exit(serve(os.Stdin, os.Stdout, map[string]func(json.RawMessage) (any, error){"tier": action(tier), "award": action(award)}))
}

type tierIn struct {
	Points int64 `json:"points"`
}

type tierOut struct {
	Tier string `json:"tier"`
}

func tier(in tierIn) (tierOut, error) {
	switch {
	case in.Points < 0:
		return tierOut{}, &failure{"INVALID", "points are not negative"}
	case in.Points < 250:
		return tierOut{"bronze"}, nil
	case in.Points < 1000:
		return tierOut{"silver"}, nil
	}
	return tierOut{"gold"}, nil
}

type awardIn struct {
	Customer string      `json:"customer"`
	Amount   json.Number `json:"amount"`
}

type awardOut struct {
	Points int64  `json:"points"`
	Tier   string `json:"tier"`
}

// award adds to the points in one statement, so that two purchases at once both count. The host knows the request again when the step of a flow is tried again.
func award(in awardIn) (out awardOut, err error) {
	points, err := whole(in.Amount)
	if err != nil {
		return out, err
	}
	var data struct {
		Customer *struct{ Points int64 } `json:"update_customer_by_pk"`
	}
	err = graphql(`mutation($id: uuid!, $points: bigint!) { update_customer_by_pk(pk_columns: {id: $id}, _inc: {points: $points}) { points } }`,
		map[string]any{"id": in.Customer, "points": points}, &data)
	if err != nil {
		return out, err
	}
	if data.Customer == nil {
		return out, &failure{"NOT_FOUND", "there is no such customer"}
	}
	t, err := tier(tierIn{data.Customer.Points})
	if err != nil {
		return out, err
	}
	return awardOut{data.Customer.Points, t.Tier}, say("info", fmt.Sprintf("%d points more", points))
}

// whole returns the whole units of an amount, which is exact and not a float.
func whole(amount json.Number) (int64, error) {
	r, ok := new(big.Rat).SetString(amount.String())
	if !ok || r.Sign() < 0 {
		return 0, &failure{"INVALID", "an amount is not negative"}
	}
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return 0, &failure{"INVALID", "nobody spends so much"}
	}
	return n.Int64(), nil
}
