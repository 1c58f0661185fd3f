// Package archive is the file that a whole database is kept in: what is in it, how it is written, read and checked. It also
// sums up dumps, so that databases can be compared.
//
// A file is the line "colonnade backup 1", a zstd stream (https://www.rfc-editor.org/rfc/rfc8878), and the SHA-256 of both, so
// that no bit of it can change unseen. The stream is a sequence of blocks: a letter, the length of the rest as an unsigned
// varint, and the rest.
//
//	H  a [Head], as JSON: the first block
//	P  a part: a table with its columns, as JSON
//	R  rows of the part: for each value 0 for NULL, or its length + 1 as an unsigned varint and its bytes
//	S  the [Sum] of the part, as JSON: it ends the part
//	E  all sums again, as JSON: the last block
//
// Texts are UTF-8, numbers are decimal, JSON is canonical: the bytes of a value are the same whatever database it came from.
//
// The package never opens a database or a file.
package archive
