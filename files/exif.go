package files

import (
	"bytes"
	"encoding/binary"
	"io"
	"iter"
)

// maxHeader is how much of an image is looked at besides its size: what is said about it stands in one of the first segments.
const maxHeader = 256 << 10

func headOf(c Content) ([]byte, error) {
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(c, maxHeader))
}

// orientationOf reads the orientation of a JPEG; images of other types are upright.
func orientationOf(mediaType string, head []byte) orientation {
	if mediaType != "image/jpeg" {
		return 1
	}
	return jpegOrientation(head)
}

// segments yields the segments of a JPEG up to the picture, by their markers (ITU T.81, annex B).
func segments(b []byte) iter.Seq2[byte, []byte] {
	const startOfScan = 0xDA
	return func(yield func(byte, []byte) bool) {
		for i := 2; i+4 <= len(b) && b[i] == 0xFF && b[i+1] != startOfScan; {
			n := int(binary.BigEndian.Uint16(b[i+2:]))
			if n < 2 || i+2+n > len(b) || !yield(b[i+1], b[i+4:i+2+n]) {
				return
			}
			i += 2 + n
		}
	}
}

// jpegOrientation finds the segment of EXIF (CIPA DC-008, 4.5.4 and 4.6.4). What is not there, or not well-formed, is upright.
func jpegOrientation(b []byte) orientation {
	const app1 = 0xE1
	for marker, data := range segments(b) {
		if tiff, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok && marker == app1 {
			return tiffOrientation(tiff)
		}
	}
	return 1
}

// jpegWeight is what Go's decoder takes for a pixel, in bytes: one for each component, as far as it is sampled, and of a progressive
// picture its coefficients of four bytes beside it. Where the frame is not found, it is the most that there is.
func jpegWeight(b []byte) float64 {
	const baseline, extended, progressive = 0xC0, 0xC1, 0xC2
	const most = 4 * 5
	for marker, data := range segments(b) {
		if marker != baseline && marker != extended && marker != progressive {
			continue
		}
		if len(data) < 6 || len(data) < 6+3*int(data[5]) {
			return most
		}
		var sum, wide, high float64
		for c := data[6:]; len(c) >= 3; c = c[3:] {
			h, v := float64(c[1]>>4), float64(c[1]&15)
			sum, wide, high = sum+h*v, max(wide, h), max(high, v)
		}
		if sum == 0 {
			return most
		}
		weight := sum / (wide * high)
		if marker == progressive {
			weight *= 5
		}
		return weight
	}
	return most
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
