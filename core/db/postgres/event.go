package postgres

import (
	"strconv"

	"colonnade/core/db"
)

// horizon is the oldest transaction of this database that had not ended when the statement began: no event can appear before it
// any more. Transactions have their numbers from the whole server, and a long one in another database must hold nothing up here.
// One that has ended since, or was prepared, is in no list of sessions, and counts.
const horizon = `coalesce((SELECT x FROM (SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) AS x ORDER BY x OFFSET 0) AS running
WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) AS a WHERE a.backend_xid = x::xid AND a.datid <> (SELECT oid FROM pg_database WHERE datname = current_database()) OFFSET 0)
LIMIT 1), pg_snapshot_xmax(pg_current_snapshot()))`

// own is the running transaction, if it has written: its events after a place follow there, but not those that it writes later after
// one behind them. It is in no snapshot of its own.
const own = `coalesce(pg_current_xact_id_if_assigned(), '18446744073709551615'::xid8)`

// EventsAfter implements db.Dialect. Numbers are drawn before the commit, so the order is that of the transactions, and
// only those count that are older than every running one of this database.
func (Dialect) EventsAfter(b *db.Builder, tx, seq int64, limit int) {
	b.Write(`SELECT e.tx::text::bigint, e.seq, e.table_name, e.record_id::text, e.version, e.op, e.actor::text, e.cause, e.cause_id, e.depth,
to_char(e.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), o.data::text, n.data::text
FROM "_event" AS e
LEFT JOIN "_history" AS o ON o.record_id = e.record_id AND o.version = e.version - 1 AND o.table_name = e.table_name
LEFT JOIN "_history" AS n ON n.record_id = e.record_id AND n.version = e.version AND n.table_name = e.table_name
WHERE (e.tx, e.seq) > (`).Arg(strconv.FormatInt(tx, 10)).Write("::xid8, ").Arg(seq).
		Write(") AND e.tx < ", horizon, " AND e.tx <= ", own, " ORDER BY e.tx, e.seq LIMIT ", strconv.Itoa(limit))
}

// EventsMark implements db.Dialect: what the statement sees.
func (Dialect) EventsMark() string { return "pg_current_snapshot()::text" }

// EventsUnmarked implements db.Dialect. Transactions end in another order than that of their numbers, so that a number is no
// mark: what an earlier statement has not seen is new to this one.
func (Dialect) EventsUnmarked(b *db.Builder, mark string) {
	b.Write("e.tx >= pg_snapshot_xmin(").Arg(mark).Write("::text::pg_snapshot) AND NOT pg_visible_in_snapshot(e.tx, ").Arg(mark).Write("::text::pg_snapshot)")
}

// Clock implements db.Dialect.
func (Dialect) Clock() (now, micros string) {
	return "statement_timestamp()", "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
}

// HeldEvents implements db.Dialect.
func (Dialect) HeldEvents(b *db.Builder) {
	b.Write(`SELECT count(*) FROM "_event" WHERE tx >= `, horizon, " OR tx > ", own)
}

// LastEvent implements db.Dialect.
func (Dialect) LastEvent(b *db.Builder) {
	b.Write(`SELECT tx::text::bigint, seq FROM "_event" WHERE tx < `, horizon, " AND tx <= ", own, ` ORDER BY tx DESC, seq DESC LIMIT 1`)
}

// EventTx implements db.Dialect.
func (Dialect) EventTx() string { return "e.tx::text::bigint" }

// EventsBetween implements db.Dialect.
func (Dialect) EventsBetween(b *db.Builder, tx, seq, toTx, toSeq int64) {
	b.Write("(e.tx, e.seq) > (").Arg(strconv.FormatInt(tx, 10)).Write("::xid8, ").Arg(seq).
		Write(") AND (e.tx, e.seq) <= (").Arg(strconv.FormatInt(toTx, 10)).Write("::xid8, ").Arg(toSeq).Write(")")
}

// EventOrder implements db.Dialect.
func (Dialect) EventOrder(desc bool) string {
	if desc {
		return "e.tx DESC, e.seq DESC"
	}
	return "e.tx, e.seq"
}
