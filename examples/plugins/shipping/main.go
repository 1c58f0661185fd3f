// This program is a plugin of Colonnade that is called over HTTP: it knows what it costs to send a parcel.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	key, err := os.ReadFile(os.Getenv("PLUGIN_KEY_FILE"))
	if err != nil {
		log.Fatal("PLUGIN_KEY_FILE names the file of the key that requests are signed with: ", err)
	}
	s := &http.Server{Addr: cmp.Or(os.Getenv("PLUGIN_ADDR"), "127.0.0.1:8090"), Handler: newService(strings.TrimSpace(string(key)), actions), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(s.ListenAndServe())
}

var actions = map[string]func(json.RawMessage) (any, error){"quote": action(quote)}

type quoteIn struct {
	Country string `json:"country"`
	Grams   int64  `json:"grams"`
}

type quoteOut struct {
	Price json.Number `json:"price"`
	Days  int         `json:"days"`
}

// tariff is what a parcel costs, in cents: at all, and for each kilogram that is begun beyond the first.
type tariff struct {
	base, more int64
	days       int
}

var tariffs = map[string]tariff{"DE": {490, 100, 2}, "FR": {890, 150, 4}, "US": {1900, 400, 8}}

const maxGrams = 30_000

func quote(in quoteIn) (quoteOut, error) {
	t, ok := tariffs[strings.ToUpper(in.Country)]
	switch {
	case !ok:
		return quoteOut{}, &failure{"NOT_FOUND", "no parcels go to " + in.Country}
	case in.Grams <= 0 || in.Grams > maxGrams:
		return quoteOut{}, &failure{"INVALID", "a parcel weighs up to 30 kg"}
	}
	cents := t.base + (in.Grams-1)/1000*t.more
	return quoteOut{json.Number(fmt.Sprintf("%d.%02d", cents/100, cents%100)), t.days}, nil
}
