package graphql

import (
	"context"
	"crypto/sha256"
	"hash"

	"colonnade/core"
	"colonnade/live"
	"colonnade/tables"
)

// feed is a subscription to the changes of a table.
type feed struct {
	tables.Feed
	picks []pick
}

func (a *asked) feed() (*feed, error) {
	c := a.compiler()
	args, err := c.api.coerceArguments(a.root.def, a.field.field.Arguments, c.vars)
	if err == nil {
		err = somewhat(args)
	}
	q := tables.Query{Table: a.root.rows.table.Name}
	if err == nil {
		err = c.list(&q, a.root.rows, without(args, "since"))
	}
	if err != nil {
		return nil, inField(a.field, err)
	}
	since, _ := args.get("since")
	f := &feed{Feed: tables.Feed{Table: q.Table, Where: q.Where, Limit: q.Limit}}
	f.Since, _ = since.(string)
	if f.picks, err = c.picks(changesOutput.name, changesOutput.columns, a.field); err != nil {
		return nil, err
	}
	if c.rows = rowsOf(&q, 1); c.rows > a.limits.Rows {
		return nil, c.tooManyRows()
	}
	return f, nil
}

// feedSource is the source of changes: pages of the feed, those without a change left out but for the first, which tells the cursor
// of now.
func (s *Subscription) feedSource(ctx context.Context, a *asked) (live.Source, hash.Hash, error) {
	f, err := a.feed()
	if err != nil {
		return live.Source{}, nil, err
	}
	store := s.engine.store
	from, sum, err := store.FeedSources(ctx, a.snap, f.Feed)
	if err != nil {
		return live.Source{}, nil, err
	}
	key := sha256.New()
	_, _ = key.Write(sum[:])
	writeCaller(key, core.CallerFrom(ctx))
	return live.Source{
		Tables: from.Tables, Late: true, Resumes: true,
		Next: func(ctx context.Context, place live.Place) (live.Turn, error) {
			at := place.(tables.FeedPlace)
			page, next, shown, err := store.FollowFeed(ctx, a.snap, f.Feed, at)
			if err != nil {
				return live.Turn{}, err
			}
			t := live.Turn{Place: next, More: page.More}
			if len(page.Changes) == 0 && !at.IsNow() {
				return t, nil
			}
			out := append(core.AppendString([]byte(`{"data":{`), a.field.key), ':')
			out, err = appendPicks(out, f.picks, core.Record{"changes": objects(page.Changes), "cursor": page.Cursor, "more": page.More})
			if err != nil {
				return live.Turn{}, err
			}
			t.Payload, t.Shown = append(out, "}}"...), shown
			return t, nil
		},
	}, key, nil
}
