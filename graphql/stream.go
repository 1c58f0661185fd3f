package graphql

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"strings"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/live"
	"colonnade/tables"
)

// stream is a subscription to records along a column.
type stream struct {
	query tables.Query
	from  streamPlace
}

// streamPlace is how far a stream has come: to a record, of those with one value in the order of their ids.
type streamPlace struct {
	value string // in JSON
	id    string
}

// lastID is behind every id, so that a stream begins behind all records that have the first value.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// The keys of what a stream has to know of the last record of a batch. Nobody outside knows them, so that no value can look
// like one. They stand last in each record, until they are taken out.
var (
	streamKey   = "~" + string(core.NewID())
	streamValue = streamKey + ".v"
	streamID    = streamKey + ".i"
)

func (a *asked) stream() (*stream, error) {
	c := a.compiler()
	args, err := c.api.coerceArguments(a.root.def, a.field.field.Arguments, c.vars)
	if err != nil {
		return nil, inField(a.field, err)
	}
	st := &stream{query: tables.Query{Table: a.root.rows.table.Name}}
	q := &st.query
	if err := c.list(q, a.root.rows, without(args, "batch_size", "cursor")); err != nil {
		return nil, inField(a.field, err)
	}
	size, _ := args.get("batch_size")
	if q.Limit = int(size.(int64)); q.Limit < 1 {
		return nil, inField(a.field, within(".batch_size", wrong("a batch has 1 record or more")))
	}
	cursor, _ := args.get("cursor")
	if err := st.along(cursor.([]any)); err != nil {
		return nil, inField(a.field, within(".cursor", err))
	}
	if err := c.selectRecord(q, a.root.rows, a.field); err != nil {
		return nil, inField(a.field, err)
	}
	if c.rows = rowsOf(q, 1); c.rows > a.limits.Rows {
		return nil, c.tooManyRows()
	}
	q.Fields = append(q.Fields, tables.Field{As: streamValue, Column: q.Order[0].Column}, tables.Field{As: streamID, Column: "id"})
	return st, nil
}

// along has the stream go along a column.
func (st *stream) along(cursor []any) error {
	if len(cursor) != 1 || cursor[0] == nil {
		return wrong("a stream goes along one column: give one cursor")
	}
	given := cursor[0].(object)
	initial, _ := given.get("initial_value")
	values := initial.(object)
	if len(values) != 1 {
		return within("[0].initial_value", wrong("a stream goes along one column: name one"))
	}
	column, value := values[0].name, values[0].value
	if value == nil {
		return within("[0].initial_value."+column, wrong("a stream begins behind a value: null is none"))
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return within("[0].initial_value."+column, err)
	}
	st.from = streamPlace{string(raw), lastID}
	ordering, _ := given.get("ordering")
	op := tables.Gt
	if ordering == "DESC" {
		op = tables.Lt
	}
	q := &st.query
	q.Order = []tables.Order{{Column: column, Desc: op == tables.Lt}}
	behind := tables.Or{
		tables.Compare{Column: column, Op: op, Value: tables.Param(1)},
		tables.And{tables.Compare{Column: column, Op: tables.Eq, Value: tables.Param(1)}, tables.Compare{Column: "id", Op: tables.Gt, Value: tables.Param(2)}},
	}
	if q.Where == nil {
		q.Where = behind
	} else {
		q.Where = tables.And{q.Where, behind}
	}
	return nil
}

// streamSource is the source of a stream: batches of records, none of them empty.
func (s *Subscription) streamSource(ctx context.Context, a *asked) (live.Source, hash.Hash, error) {
	e := s.engine
	st, err := a.stream()
	if err != nil {
		return live.Source{}, nil, err
	}
	p, err := e.store.Prepare(ctx, a.snap, st.query)
	if err != nil {
		return live.Source{}, nil, err
	}
	key := sha256.New()
	if p.Lasting() {
		sum, err := e.store.Fingerprint(p, st.from.values())
		if err != nil {
			return live.Source{}, nil, err
		}
		_, _ = key.Write(sum[:])
	} else {
		writeCaller(key, core.CallerFrom(ctx))
	}
	from := p.Sources(a.snap)
	return live.Source{
		Tables: from.Tables, Timed: from.Silent || !p.Lasting(), Resumes: true,
		Next: func(ctx context.Context, place live.Place) (live.Turn, error) {
			if !p.Lasting() {
				if p, err = e.store.Prepare(ctx, a.snap, st.query); err != nil {
					return live.Turn{}, err
				}
			}
			at := place.(streamPlace)
			seen, err := e.store.Look(ctx, p, at.values(), nil)
			if err != nil {
				return live.Turn{}, err
			}
			out := append(core.AppendString([]byte(`{"data":{`), a.field.key), ':')
			out, next, n := withoutPlaces(out, seen.Answer, at)
			if n == 0 {
				return live.Turn{Place: at}, nil
			}
			return live.Turn{Payload: append(out, "}}"...), Place: next, More: n == st.query.Limit, Shown: seen.Shown}, nil
		},
	}, key, nil
}

// values are what the parameters of the query are bound to.
func (p streamPlace) values() []any {
	v, _ := decodeJSON([]byte(p.value)) // we wrote it
	return []any{v, p.id}
}

// withoutPlaces appends a list of records without what the stream has to know of them, and returns the place of the last one, and how
// many there are.
func withoutPlaces(dst, raw []byte, at streamPlace) ([]byte, streamPlace, int) {
	n := 0
	dst = append(dst, '[')
	begin := `,"` + streamValue + `":`
	between := `,"` + streamID + `":"`
	gjson.ParseBytes(raw).ForEach(func(_, record gjson.Result) bool {
		if n > 0 {
			dst = append(dst, ',')
		}
		n++
		shown, place, _ := strings.Cut(record.Raw, begin)
		dst = append(append(dst, shown...), '}')
		value, id, _ := strings.Cut(place, between)
		at = streamPlace{value, strings.TrimRight(id, `"}`)}
		return true
	})
	return append(dst, ']'), at, n
}
