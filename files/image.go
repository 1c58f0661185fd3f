package files

import (
	"bufio"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"colonnade/core"
)

// format is how images of a media type are read. The size is told by the header alone, before anything is decoded.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	weight func(c image.Config, head []byte) float64 // bytes of memory that decoding takes for a pixel, at most
}

var formats = map[string]format{
	"image/gif":  {gif.DecodeConfig, gif.Decode, func(image.Config, []byte) float64 { return 2 }}, // the first picture
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, func(_ image.Config, head []byte) float64 { return jpegWeight(head) }},
	"image/png":  {png.DecodeConfig, png.Decode, func(c image.Config, _ []byte) float64 { return 1.5 * pngWeight(c.ColorModel) }}, // passes are read beside the picture
	"image/webp": {webp.DecodeConfig, webp.Decode, func(image.Config, []byte) float64 { return 8 }},
}

func pngWeight(m color.Model) float64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	return 4
}

// size returns the width and the height of an image as people see it; zeros when the content is not read as one.
func size(mediaType string, c Content) (width, height int64, err error) {
	f, ok := formats[mediaType]
	if !ok {
		return 0, 0, nil
	}
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	header, bad := f.config(bufio.NewReader(c))
	if bad != nil || header.Width <= 0 || header.Height <= 0 {
		return 0, 0, nil
	}
	head, err := headOf(c)
	if err != nil {
		return 0, 0, err
	}
	if orientationOf(mediaType, head).turned() {
		return int64(header.Height), int64(header.Width), nil
	}
	return int64(header.Width), int64(header.Height), nil
}

// What decoding may take: a small file can hold much work.
const (
	maxDecode = 10 * time.Second
	maxMemory = 192 << 20 // bytes
)

// thumbnail makes the square picture of that side: the middle of the image, upright.
func thumbnail(ctx context.Context, mediaType string, c Content, side int, w io.Writer) error {
	const op = "files.thumbnail"
	broken := core.E(op, core.Invalid, "the image cannot be decoded, so it has no thumbnail")
	f, ok := formats[mediaType]
	if !ok {
		return broken
	}
	head, err := headOf(c)
	if err != nil {
		return core.E(op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, maxDecode)
	defer cancel()
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return core.E(op, err)
	}
	header, err := f.config(bufio.NewReader(&patient{ctx, c}))
	if err != nil {
		return broken
	}
	if float64(header.Width)*float64(header.Height)*f.weight(header, head) > maxMemory {
		return core.E(op, core.Invalid, "the image is too large to be decoded, so it has no thumbnail")
	}
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		return core.E(op, err)
	}
	img, err := f.decode(bufio.NewReader(&patient{ctx, c}))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return core.E(op, core.Invalid, "the image takes too long to be decoded, so it has no thumbnail", err)
	case err != nil && ctx.Err() != nil:
		return core.E(op, ctx.Err())
	case err != nil:
		return broken
	}
	return core.E(op, encode(orientationOf(mediaType, head).upright(square(img, side)), w))
}

// patient ends the reading, and with it the decoding, when ctx ends.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// square scales the largest square in the middle of the image to that side.
func square(img image.Image, side int) *image.NRGBA {
	b := img.Bounds()
	n := min(b.Dx(), b.Dy())
	from := image.Rect(0, 0, n, n).Add(b.Min).Add(image.Pt((b.Dx()-n)/2, (b.Dy()-n)/2))
	if n > 2*side { // in two steps: the exact scaler takes 32 bytes for each row of the source and column of the picture
		half := image.NewNRGBA(image.Rect(0, 0, 2*side, 2*side))
		draw.ApproxBiLinear.Scale(half, half.Bounds(), img, from, draw.Src, nil)
		img, from = half, half.Bounds()
	}
	out := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(out, out.Bounds(), img, from, draw.Src, nil)
	return out
}

// quality of thumbnails, in the scale of JPEG.
const quality = 85

// encode writes a JPEG, or a PNG where something shines through.
func encode(img *image.NRGBA, w io.Writer) error {
	if img.Opaque() {
		return jpeg.Encode(w, img, &jpeg.Options{Quality: quality})
	}
	return png.Encode(w, img)
}

// orientation is how a camera was held, as EXIF has it: 1 is upright, 2 to 8 are turned or mirrored.
type orientation int

// turned reports whether width and height are exchanged.
func (o orientation) turned() bool { return o >= 5 && o <= 8 }

// upright returns the square picture as people see it.
func (o orientation) upright(in *image.NRGBA) *image.NRGBA {
	if o < 2 || o > 8 {
		return in
	}
	n := in.Bounds().Dx() - 1
	from := map[orientation]func(x, y int) (int, int){
		2: func(x, y int) (int, int) { return n - x, y },
		3: func(x, y int) (int, int) { return n - x, n - y },
		4: func(x, y int) (int, int) { return x, n - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, n - x },
		7: func(x, y int) (int, int) { return n - y, n - x },
		8: func(x, y int) (int, int) { return n - y, x },
	}[o]
	out := image.NewNRGBA(in.Bounds())
	for y := 0; y <= n; y++ {
		for x := 0; x <= n; x++ {
			var c color.NRGBA = in.NRGBAAt(from(x, y))
			out.SetNRGBA(x, y, c)
		}
	}
	return out
}
