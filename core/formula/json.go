package formula

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Path leads to a value within a JSON value: the key of an object, or the number of an item of a list.
type Path []string

// maxPath is how many steps a path has at most.
const maxPath = 20

var (
	plainStep  = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$-]*`)
	numberStep = regexp.MustCompile(`^\[(0|[1-9][0-9]{0,5})\]`)
	likeNumber = regexp.MustCompile(`^\s*[+-]?\d+\s*$`)
)

// ParsePath reads a path such as 'address.city', 'lines[0].price' or 'headers["content-type"]'. A number in brackets is the item of a
// list, from 0, or the key of an object.
func ParsePath(s string) (out Path, ok bool) {
	for first := true; s != ""; first = false {
		if m := numberStep.FindString(s); m != "" {
			out, s = append(out, m[1:len(m)-1]), s[len(m):]
			continue
		}
		if strings.HasPrefix(s, `["`) {
			d := json.NewDecoder(strings.NewReader(s[1:]))
			var key string
			if d.Decode(&key) != nil || likeNumber.MatchString(key) || strings.ContainsRune(key, 0) {
				return nil, false
			}
			rest := s[1+d.InputOffset():]
			if !strings.HasPrefix(rest, "]") {
				return nil, false
			}
			out, s = append(out, key), rest[1:]
			continue
		}
		if !first {
			if s[0] != '.' {
				return nil, false
			}
			s = s[1:]
		}
		m := plainStep.FindString(s)
		if m == "" {
			return nil, false
		}
		out, s = append(out, m), s[len(m):]
	}
	return out, len(out) > 0 && len(out) <= maxPath
}

// At returns the value at the path, nil where there is none: the raw JSON of it.
func (p Path) At(raw []byte) json.RawMessage {
	for _, step := range p {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			return nil
		}
		switch raw[0] {
		case '{':
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) != nil {
				return nil
			}
			raw = object[step]
		case '[':
			var list []json.RawMessage
			n, err := strconv.Atoi(step)
			if err != nil || json.Unmarshal(raw, &list) != nil || n >= len(list) {
				return nil
			}
			raw = list[n]
		default:
			return nil
		}
	}
	return raw
}

// TextAt returns the text at the path, of a JSON text only.
func TextAt(raw []byte, p Path) (out string, ok bool) {
	raw = p.At(raw)
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return out, json.Unmarshal(raw, &out) == nil
}

// maxDigits is how many digits a number of a JSON value may have on each side of the point.
const maxDigits = 30

var numberBound = decimal.New(1, maxDigits)

// NumberAt returns the number at the path, of a JSON number only.
func NumberAt(raw []byte, p Path) (decimal.Decimal, bool) {
	raw = p.At(raw)
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(string(raw))
	if err != nil {
		return d, false
	}
	d = d.Round(maxDigits)
	return d, d.Abs().Cmp(numberBound) < 0
}

// BoolAt returns the truth value at the path.
func BoolAt(raw []byte, p Path) (out, ok bool) {
	switch string(p.At(raw)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// SizeAt returns how many items a list, or members an object, at the path has.
func SizeAt(raw []byte, p Path) (int64, bool) {
	raw = p.At(raw)
	if len(raw) == 0 {
		return 0, false
	}
	switch raw[0] {
	case '{':
		var object map[string]json.RawMessage
		err := json.Unmarshal(raw, &object)
		return int64(len(object)), err == nil
	case '[':
		var list []json.RawMessage
		err := json.Unmarshal(raw, &list)
		return int64(len(list)), err == nil
	}
	return 0, false
}

// HasAt reports whether there is a value at the path, null included.
func HasAt(raw []byte, p Path) bool { return len(p.At(raw)) > 0 }
