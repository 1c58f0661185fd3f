// Package transfer moves data in and out: files into tables and tables into files, a whole database into a backup and back, and
// one database into another.
//
// It reads and writes records through package tables alone, under the rights of the caller. Only a backup, which is for
// administrators, is taken from everything.
//
// An import is a batch. Its rows are written in parts; each part commits with the position up to which the file has been read, so
// that a batch that was cut off goes on where it stopped when the same file is sent again.
package transfer
