package core

import (
	"fmt"
	"slices"
	"strings"
)

// FileInfo is what is known of a file that was uploaded: what a column demands of it is checked against this, never against
// what the sender said.
type FileInfo struct {
	ID        ID
	Name      string
	Size      int64  // in bytes
	MediaType string // found out from the first bytes, without parameters
	SHA256    string // of the content, in 64 hexadecimal digits
	Width     int64  // of an image, in pixels, as people see it; 0 when the file cannot be read as one
	Height    int64
}

// ThumbnailSizes are the sides of thumbnails, in pixels. They are few, so that each image has few.
var ThumbnailSizes = []int{64, Thumbnail, 256, 512, 1024}

// Thumbnail is the side of the thumbnail that an answer leads to, in pixels.
const Thumbnail = 144

// Limits of images.
const (
	DefaultPixels = 40_000_000  // of an image, where the column says nothing
	MaxPixels     = 100_000_000 // that a column can allow
)

// ImageTypes are the media types of images: what a column of the kind image takes, and what browsers show safely.
var ImageTypes = []string{"image/gif", "image/jpeg", "image/png", "image/webp"}

// Refuses says why the column does not take the file; "" when it does.
func (c *Column) Refuses(f FileInfo) string {
	if c.MaxSize > 0 && f.Size > c.MaxSize {
		return fmt.Sprintf("the file has %d bytes, and the column takes at most %d", f.Size, c.MaxSize)
	}
	if c.Kind == Image && !slices.Contains(ImageTypes, f.MediaType) {
		return fmt.Sprintf("the file is %s, and an image is one of %s", f.MediaType, strings.Join(ImageTypes, ", "))
	}
	if len(c.MediaTypes) > 0 && !slices.ContainsFunc(c.MediaTypes, func(m string) bool { return matchesMedia(m, f.MediaType) }) {
		return fmt.Sprintf("the file is %s, and the column takes %s", f.MediaType, strings.Join(c.MediaTypes, ", "))
	}
	if c.Kind != Image {
		return ""
	}
	most := c.MaxPixels
	if most == 0 {
		most = DefaultPixels
	}
	switch pixels := f.Width * f.Height; {
	case pixels == 0:
		return "the file says that it is an image and cannot be read as one: save it anew with another program"
	case pixels > most:
		return fmt.Sprintf("the image has %d by %d pixels, and the column takes at most %d pixels: make it smaller", f.Width, f.Height, most)
	}
	return ""
}

// matchesMedia reports whether a media type is the one that is allowed, or of the range, such as image/*.
func matchesMedia(allowed, have string) bool {
	if kind, ok := strings.CutSuffix(allowed, "/*"); ok {
		return strings.HasPrefix(have, kind+"/")
	}
	return allowed == have
}

// checkFile returns what is wrong with the settings of a file.
func (c *Column) checkFile() string {
	file := c.Kind == File || c.Kind == Image
	switch {
	case !file && (c.MaxSize != 0 || len(c.MediaTypes) > 0):
		return "only a file and an image have max_size and media_types"
	case c.Kind != Image && c.MaxPixels != 0:
		return "only an image has max_pixels"
	case file && c.Default != "":
		return "a file has no default: who writes the record names one that was uploaded"
	case c.MaxSize < 0:
		return "max_size is in bytes and not negative"
	case c.MaxPixels < 0 || c.MaxPixels > MaxPixels:
		return fmt.Sprintf("max_pixels is at most %d", MaxPixels)
	case len(c.MediaTypes) > 100:
		return "there are at most 100 media types"
	}
	for _, m := range c.MediaTypes {
		if problem := checkMedia(c.Kind, m); problem != "" {
			return problem
		}
	}
	return ""
}

func checkMedia(k Kind, m string) string {
	kind, of, ok := strings.Cut(m, "/")
	plain := func(s string) bool {
		return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$&-^_.+", r)
		})
	}
	if !ok || !plain(kind) || of != "*" && !plain(of) {
		return fmt.Sprintf("%q is no media type: write it like application/pdf or image/*, in lower case", m)
	}
	if k == Image && !slices.ContainsFunc(ImageTypes, func(have string) bool { return matchesMedia(m, have) }) {
		return fmt.Sprintf("%q is none of the types of an image: %s", m, strings.Join(ImageTypes, ", "))
	}
	return ""
}
