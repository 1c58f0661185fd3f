package core

import "fmt"

// Retention says how long what is past of a table is kept. What is 0 is kept for good.
type Retention struct {
	HistoryDays     int `json:"history_days,omitempty"`     // a version is kept for so many days after the next one has replaced it
	HistoryVersions int `json:"history_versions,omitempty"` // so many versions of a record are kept, the last among them
	BinDays         int `json:"bin_days,omitempty"`         // a deleted record can be restored for so many days
}

// maxRetention is the most that a retention can say: days of a century.
const maxRetention = 36525

func (t *Table) checkRetention() error {
	if t.Retention == nil {
		return nil
	}
	for name, n := range map[string]int{"history_days": t.Retention.HistoryDays, "history_versions": t.Retention.HistoryVersions, "bin_days": t.Retention.BinDays} {
		if n < 0 || n > maxRetention {
			return E("core.Table", Invalid, At{Table: t.Name}, fmt.Sprintf("%s of retention is 1 to %d, or left out to keep everything", name, maxRetention))
		}
	}
	return nil
}
