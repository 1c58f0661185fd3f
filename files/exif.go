package files

import (
	"bytes"
	"encoding/binary"
	"io"
)

// maxHeader is how much of an image is looked at for its orientation: EXIF stands in one of the first segments.
const maxHeader = 256 << 10

// orientationOf reads the orientation of a JPEG; images of other types are upright.
func orientationOf(mediaType string, c Content) (orientation, error) {
	if mediaType != "image/jpeg" {
		return 1, nil
	}
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return 1, err
	}
	head, err := io.ReadAll(io.LimitReader(c, maxHeader))
	if err != nil {
		return 1, err
	}
	return jpegOrientation(head), nil
}

// jpegOrientation walks the segments of a JPEG (ITU T.81, annex B) to the one of EXIF (CIPA DC-008, 4.5.4 and 4.6.4). What is
// not there, or not well-formed, is upright.
func jpegOrientation(b []byte) orientation {
	const app1, startOfScan = 0xE1, 0xDA
	for i := 2; i+4 <= len(b) && b[i] == 0xFF && b[i+1] != startOfScan; {
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			return 1
		}
		data := b[i+4 : i+2+n]
		if tiff, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok && b[i+1] == app1 {
			return tiffOrientation(tiff)
		}
		i += 2 + n
	}
	return 1
}

// tiffOrientation finds the tag in the first directory.
func tiffOrientation(b []byte) orientation {
	const tag, short = 0x0112, 3
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	for entries := b[at+2:]; len(entries) >= 12; entries = entries[12:] {
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if o := orientation(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}
