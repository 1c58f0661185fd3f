package core

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNoRows = errors.New("not a list of objects with the members that were asked for")

// EachRow calls each for every object of a compact JSON list whose objects all have len(cells) members, as answers of the database
// are. The values of an object are in cells, in their order, and point into list.
func EachRow(list []byte, cells []json.RawMessage, each func() error) error {
	if len(list) < 2 || list[0] != '[' {
		return errNoRows
	}
	for at := 1; list[at] != ']'; {
		if list[at] == ',' {
			at++
		}
		for i := range cells {
			if at++; at >= len(list) { // the brace or the comma
				return errNoRows
			}
			end := skipValue(list, at) // the key
			if end <= at || end >= len(list) || list[end] != ':' {
				return errNoRows
			}
			at = end + 1
			if end = skipValue(list, at); end <= at {
				return errNoRows
			}
			cells[i], at = list[at:end], end
		}
		if at >= len(list) || list[at] != '}' {
			return errNoRows
		}
		if err := each(); err != nil {
			return err
		}
		if at++; at >= len(list) {
			return errNoRows
		}
	}
	return nil
}

// skipValue returns where the JSON value that begins at i ends, -1 when it does not.
func skipValue(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; ; i++ {
				if i >= len(b) {
					return -1
				}
				n := bytes.IndexAny(b[i:], `"\`)
				if n < 0 {
					return -1
				}
				if i += n; b[i] == '"' {
					break
				}
				i++ // what is escaped
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}
