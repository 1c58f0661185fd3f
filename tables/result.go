package tables

import "colonnade/core"

// Result tells what a write did.
type Result struct {
	IDs      []core.ID // of the records, in the order of the input; without those that a conflict left as they were
	Items    []Item    // what became of each record of an insert or an update, in the order of the input
	Inserted int
	Updated  int // includes records that had the new values already
	Changed  int // of the updated ones, those that are different now
	Deleted  int
}

// Affected is the number of records that the write was about.
func (r Result) Affected() int { return r.Inserted + r.Updated + r.Deleted }

// Outcome is what a write did with one record.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged" // it had the new values already
	Ignored   Outcome = "ignored"   // its key was taken, and the conflict left the record as it was
	Deleted   Outcome = "deleted"
	Rejected  Outcome = "rejected" // see Err; only where errors are reported by item
)

// Item is what became of one record.
type Item struct {
	ID      core.ID // empty of one that was ignored or rejected
	Outcome Outcome
	Err     error

	Duplicates []Duplicate // records that it is like, as far as the writer may read them

	held core.ID // of an ignored one: the record that has the key, which its writer may not be able to read
}

// Outcomes returns what became of each record, also where the write keeps no items.
func (r Result) Outcomes() []Item {
	if r.Items != nil || r.Deleted == 0 {
		return r.Items
	}
	out := make([]Item, len(r.IDs))
	for i, id := range r.IDs {
		out[i] = Item{ID: id, Outcome: Deleted}
	}
	return out
}

// created notes a new record.
func (r *Result) created(id core.ID) {
	r.IDs = append(r.IDs, id)
	r.Items = append(r.Items, Item{ID: id, Outcome: Created})
	r.Inserted++
}

// like notes which records the records of the write are like.
func (r *Result) like(likened map[core.ID][]Duplicate) {
	if len(likened) == 0 {
		return
	}
	for i := range r.Items {
		if it := &r.Items[i]; it.ID != "" {
			it.Duplicates = likened[it.ID]
		}
	}
}

// updated notes a record that was found, and whether the update made it another.
func (r *Result) updated(id core.ID, changed bool) {
	item := Item{ID: id, Outcome: Unchanged}
	if changed {
		item.Outcome = Updated
		r.Changed++
	}
	r.IDs = append(r.IDs, id)
	r.Items = append(r.Items, item)
	r.Updated++
}

// ignored notes a row whose key the record has.
func (r *Result) ignored(held core.ID) {
	r.Items = append(r.Items, Item{Outcome: Ignored, held: held})
}

// sum adds the counts of another write.
func (r *Result) sum(other Result) {
	r.Inserted += other.Inserted
	r.Updated += other.Updated
	r.Changed += other.Changed
}
