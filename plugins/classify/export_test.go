package classify

import (
	"encoding/binary"
	"hash/crc32"
)

// Sealed gives the bytes the checksum that they need, so that fuzzing reaches what lies behind it.
func Sealed(data []byte) []byte {
	if len(data) < 4 {
		return data
	}
	body := data[: len(data)-4 : len(data)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}
