package sqlite

import (
	"regexp"
	"sync"

	"github.com/tidwall/gjson"

	"colonnade/core/formula"
)

// compiled keeps regular expressions, which one statement uses for each of its rows.
type compiled struct {
	mu sync.RWMutex
	by map[string]*regexp.Regexp
}

// maxCompiled is how many are kept.
const maxCompiled = 200

var regexes = &compiled{by: map[string]*regexp.Regexp{}}

func (c *compiled) get(s string) (*regexp.Regexp, error) {
	c.mu.RLock()
	re, ok := c.by[s]
	c.mu.RUnlock()
	if ok {
		return re, nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.by) == maxCompiled {
		clear(c.by)
	}
	c.by[s] = re
	return re, nil
}

// hasKey reports whether the first argument, a JSON value, has the key.
func (a arguments) hasKey(key gjson.Result) bool {
	return formula.JSONHasKey(gjson.Parse(a.text(0)), key.Str)
}
