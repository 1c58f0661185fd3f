package db

// The functions of this file are the dialects' methods for a counter that is a row of "_counter", and so part of the
// transaction.

// CreateCounterRow writes what [Dialect].CreateCounter does.
func CreateCounterRow(b *Builder, c Counter) {
	b.Write(`INSERT INTO "_counter" (name, next) VALUES (`).Arg(c.Name).Write(", ").Arg(c.Start).Write(") ON CONFLICT (name) DO NOTHING")
}

// DrawFromRow writes what [Dialect].Draw does.
func DrawFromRow(b *Builder, c Counter, n int) {
	taken := c.Step * int64(n)
	b.Write(`UPDATE "_counter" SET next = next + `).Arg(taken).Write(" WHERE name = ").Arg(c.Name).Write(" RETURNING next - ").Arg(taken)
}

// AdvanceRow writes what [Dialect].Advance does.
func AdvanceRow(b *Builder, c Counter, past int64) {
	b.Write(`UPDATE "_counter" SET next = `).Arg(past + c.Step).Write(" WHERE name = ").Arg(c.Name).Write(" AND next <= ").Arg(past)
}

// NextOfRow writes what [Copier].NextNumber does.
func NextOfRow(b *Builder, c Counter) {
	b.Write(`SELECT next FROM "_counter" WHERE name = `).Arg(c.Name)
}

// SetRow writes what [Copier].SetNumber does.
func SetRow(b *Builder, c Counter, next int64) {
	b.Write(`UPDATE "_counter" SET next = `).Arg(next).Write(" WHERE name = ").Arg(c.Name)
}
