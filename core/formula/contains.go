package formula

import (
	"slices"

	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"
)

// JSONContains reports whether one JSON value contains another, as the operator @> of PostgreSQL says of jsonb: an object has its
// members, a list its items in any order, and both all the way down. A list contains a value that is one of its items, at the top only.
func JSONContains(a, b gjson.Result) bool {
	if a.IsArray() && !b.IsArray() && !b.IsObject() {
		return slices.ContainsFunc(a.Array(), func(item gjson.Result) bool { return sameJSON(item, b) })
	}
	return jsonContains(a, b)
}

func jsonContains(a, b gjson.Result) bool {
	switch {
	case a.IsObject() && b.IsObject():
		has, want := members(a), members(b)
		for key, v := range want {
			if of, ok := has[key]; !ok || !jsonContains(of, v) {
				return false
			}
		}
		return true
	case a.IsArray() && b.IsArray():
		items := a.Array()
		return !slices.ContainsFunc(b.Array(), func(v gjson.Result) bool {
			return !slices.ContainsFunc(items, func(item gjson.Result) bool { return jsonContains(item, v) })
		})
	}
	return sameJSON(a, b)
}

// members returns the members of an object. Of several with one name the last counts, as in jsonb.
func members(object gjson.Result) map[string]gjson.Result {
	out := map[string]gjson.Result{}
	object.ForEach(func(key, v gjson.Result) bool {
		out[key.Str] = v
		return true
	})
	return out
}

// sameJSON reports whether two values that are neither objects nor lists are the same. Numbers are, whatever they are written like.
func sameJSON(a, b gjson.Result) bool {
	if a.Type != b.Type || a.Type == gjson.JSON {
		return false
	}
	if a.Type != gjson.Number || a.Raw == b.Raw {
		return a.Type == gjson.Number || a.Str == b.Str
	}
	x, err := decimal.NewFromString(a.Raw)
	y, err2 := decimal.NewFromString(b.Raw)
	return err == nil && err2 == nil && x.Equal(y)
}

// JSONHasKey reports whether a JSON value has a text as the name of a member, or as an item of a list, or is that text, as the operator
// ? of PostgreSQL says of jsonb.
func JSONHasKey(v gjson.Result, key string) (has bool) {
	switch {
	case v.IsObject():
		v.ForEach(func(name, _ gjson.Result) bool {
			has = name.Str == key
			return !has
		})
		return has
	case v.IsArray():
		return slices.ContainsFunc(v.Array(), func(item gjson.Result) bool { return item.Type == gjson.String && item.Str == key })
	}
	return v.Type == gjson.String && v.Str == key
}
