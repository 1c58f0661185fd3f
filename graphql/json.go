package graphql

import (
	"encoding/json"

	"colonnade/core"
)

// half is what is wrong with a text that was escaped as \ud800, for example.
const half = "the text holds half of a surrogate pair, which is no character"

// decodeJSON reads JSON, numbers as they are written and objects in their order.
func decodeJSON(raw []byte) (any, error) {
	if !screenJSON(raw) {
		return nil, wrong("the variables are nested deeper than %d levels", maxVariablesNesting)
	}
	if !json.Valid(raw) {
		return nil, wrong("the variables are not valid JSON")
	}
	r := jsonReader{raw: raw}
	return r.value()
}

// jsonReader reads a text that is known to be valid JSON.
type jsonReader struct {
	raw []byte
	at  int
}

// next passes over white space, commas and colons and returns the byte after them.
func (r *jsonReader) next() byte {
	for {
		switch c := r.raw[r.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			r.at++
		default:
			return c
		}
	}
}

func (r *jsonReader) value() (any, error) {
	switch r.next() {
	case '{':
		o := object{}
		for r.at++; r.next() != '}'; {
			name, err := r.text()
			if err != nil {
				return nil, err
			}
			v, err := r.value()
			if err != nil {
				return nil, within("."+cut(name), err)
			}
			o = append(o, member{name, v})
		}
		r.at++
		return o, nil
	case '[':
		items := []any{}
		for r.at++; r.next() != ']'; {
			v, err := r.value()
			if err != nil {
				return nil, inList(true, len(items), err)
			}
			items = append(items, v)
		}
		r.at++
		return items, nil
	case '"':
		return r.text()
	case 't':
		r.at += len("true")
		return true, nil
	case 'f':
		r.at += len("false")
		return false, nil
	case 'n':
		r.at += len("null")
		return nil, nil
	}
	start := r.at
	for r.at < len(r.raw) && (wordByte(r.raw[r.at]) || r.raw[r.at] == '.') {
		r.at++
	}
	return json.Number(r.raw[start:r.at]), nil
}

func (r *jsonReader) text() (s string, err error) {
	start, escaped := r.at, false
	for r.at++; r.raw[r.at] != '"'; r.at++ {
		if r.raw[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	raw := r.raw[start:r.at]
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	if core.HasLoneSurrogate(raw) {
		return "", wrong(half)
	}
	return s, json.Unmarshal(raw, &s)
}
