package tables

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/core/search"
)

func (s *Store) putSearch() core.Action {
	input := []core.Column{
		required(text("table", "The table.")),
		required(core.Column{Name: "columns", Kind: core.Object, List: true, Doc: "The columns that are searched, at most 8; the first names a record in search results. None ends the search.", Fields: []core.Column{
			required(text("column", "A text, long text or choice.")),
			{Name: "weight", Kind: core.Integer, Doc: "How much a word in it counts, 1 (the default) to 10."},
		}}),
	}
	return s.define("put_search", "Sets the columns that full-text search of a table looks at, and indexes its records. The list of the table then takes "+
		"where: {_search: \"words\"} and order_by: {_rank: desc}.", input, func(in core.Record) (core.Change, error) {
		var p struct {
			Table   string
			Columns []core.SearchColumn
		}
		err := decodeInput(in, &p)
		return core.PutSearch{On: p.Table, Columns: p.Columns}, err
	}, core.Example{In: core.Record{"table": "product", "columns": []any{map[string]any{"column": "title", "weight": int64(4)}}}})
}

const (
	defaultHits = 20
	maxHits     = 100
)

// hit is a record that a search over several tables has found.
type hit struct {
	table string
	id    string
	title any
	rank  int64
}

func (s *Store) search() core.Action {
	return core.Action{
		Name: "search", Reads: "tables", Doc: "Searches several tables at once, as far as the caller may read them, the best first.",
		Input: []core.Column{
			required(text("text", `The words: coffee, coff*, "iced coffee", -milk.`)),
			{Name: "tables", Kind: core.Text, List: true, Doc: "The tables; all that are searched when left out."},
			{Name: "limit", Kind: core.Integer, Doc: "How many records at most, 1 to 100; 20 when left out."},
		},
		Output: []core.Column{{Name: "hits", Kind: core.Object, List: true, Required: true, Doc: "The records found.", Fields: []core.Column{
			text("table", "The table."), {Name: "id", Kind: core.UUID, Doc: "The record."},
			text("title", "The first of its searched columns that the caller may read."), {Name: "rank", Kind: core.Integer, Doc: "How well it answers."},
		}}},
		Examples: []core.Example{{In: core.Record{"text": "iced coff*"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.hits(ctx, c)
			if err != nil {
				return nil, core.E("tables.search", err)
			}
			return core.Record{"hits": out}, nil
		},
	}
}

func (s *Store) hits(ctx context.Context, c core.Call) ([]any, error) {
	snap := s.Snapshot()
	if tx := s.txFrom(ctx); tx != nil {
		snap = tx.snap
	}
	limit := c.Int("limit", defaultHits)
	if limit < 1 || limit > maxHits {
		return nil, core.E("tables.hits", core.Invalid, core.At{Column: "limit"}, fmt.Sprintf("limit is 1 to %d", maxHits))
	}
	if _, err := search.Parse(c.Text("text")); err != nil { // also when there is nothing to search
		return nil, err
	}
	names, err := snap.searchedTables(core.CallerFrom(ctx), c)
	if err != nil {
		return nil, err
	}
	var all []hit
	for _, name := range names {
		found, err := s.hitsIn(ctx, snap, name, c.Text("text"), int(limit))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b hit) int { return cmp.Compare(b.rank, a.rank) })
	out := []any{}
	for _, h := range all[:min(len(all), int(limit))] {
		out = append(out, map[string]any{"table": h.table, "id": h.id, "title": h.title, "rank": h.rank})
	}
	return out, nil
}

// searchedTables returns the tables that an action names, or all that the caller may search.
func (n *Snapshot) searchedTables(caller core.Caller, c core.Call) ([]string, error) {
	var out []string
	if list, ok := c.In["tables"].([]any); ok {
		for _, v := range list {
			if _, err := n.searchNode(caller, v.(string)); err != nil {
				return nil, err
			}
			out = append(out, v.(string))
		}
		return slices.Compact(slices.Sorted(slices.Values(out))), nil
	}
	for _, t := range n.Schema.Tables() {
		if len(t.Search) == 0 {
			continue
		}
		if _, err := n.searchNode(caller, t.Name); err == nil {
			out = append(out, t.Name)
		}
	}
	return out, nil
}

// searchNode returns the columns of the table that the caller may search.
func (n *Snapshot) searchNode(caller core.Caller, table string) ([]searched, error) {
	p := &planner{snap: n, caller: caller}
	at, err := p.node(table, core.Read)
	if err != nil {
		return nil, err
	}
	return at.searched()
}

// maxTitle is how many characters of a text name a record.
const maxTitle = 200

func shorten(s string) string {
	if r := []rune(s); len(r) > maxTitle {
		return string(r[:maxTitle-1]) + "…"
	}
	return s
}

func (s *Store) hitsIn(ctx context.Context, snap *Snapshot, table, words string, limit int) ([]hit, error) {
	columns, err := snap.searchNode(core.CallerFrom(ctx), table)
	if err != nil {
		return nil, err
	}
	raw, err := s.Query(ctx, snap, Query{
		Table: table, Where: Search{words}, Order: []Order{{Rank: true, Desc: true}}, Limit: limit,
		Fields: []Field{{As: "id", Column: "id"}, {As: "title", Column: columns[0].column.Name}, {As: "rank", Rank: true}},
	}, nil)
	if err != nil {
		return nil, err
	}
	var found []struct {
		ID    string
		Title string
		Rank  int64
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return nil, err
	}
	out := make([]hit, len(found))
	for i, f := range found {
		out[i] = hit{table: table, id: f.ID, title: orNull(shorten(f.Title)), rank: f.Rank}
	}
	return out, nil
}
