package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

func farAhead() time.Time { return time.Now().Add(time.Hour) }

// TestTypeFromContent trusts neither the name nor the sender.
func TestTypeFromContent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		for content, want := range map[string]string{
			"<html><script>alert(1)</script></html>":                                           "text/html",
			`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`: "image/svg+xml",
			"GIF89a/*": "image/gif",
			"%PDF-1.7": "application/pdf",
			"":         "text/plain",
			"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00": "application/x-executable",
		} {
			f := w.upload(ben, "holiday.jpg", content)
			if !strings.HasPrefix(f.MediaType, strings.TrimSuffix(want, "executable")) {
				t.Errorf("%.20q is %s, want %s", content, f.MediaType, want)
			}
			if _, err := w.insert(ben, core.Record{"photo": string(f.ID)}); err == nil {
				t.Errorf("%.20q was taken for an image", content)
			}
		}
	})
}

// TestNames refuses names that lead somewhere or look like others.
func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", `..\x`, "/etc/passwd", "a/b", "a\x00b", "a\nb", "gpj.\u202eexe", "a\u200bb", "\xff", strings.Repeat("x", 256)} {
		if checkName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"a", "Résumé 2026.pdf", "照片.png", `a"b.txt`, "...", strings.Repeat("x", 255)} {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestDiskStaysInFolder asks for addresses that lead elsewhere, and for one behind a link that does.
func TestDiskStaysInFolder(t *testing.T) {
	folder := t.TempDir()
	d, err := OpenDisk(filepath.Join(folder, "files"))
	must(t, err)
	defer d.Close()
	secret := filepath.Join(folder, "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	a := Address(strings.Repeat("ab", 32))
	must(t, os.MkdirAll(filepath.Join(folder, "files", "ab", "ab"), 0o700))
	must(t, os.Symlink(secret, filepath.Join(folder, "files", a.path())))
	for _, a := range []Address{a, "../../secret", "", Address(strings.Repeat("AB", 32)), Address(strings.Repeat("ab", 31) + "/.")} {
		if c, err := d.Open(t.Context(), a); err == nil {
			c.Close()
			t.Errorf("%q was opened", a)
		}
	}
	must(t, d.Remove(t.Context(), a)) // the link, not what it leads to
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

// TestTooLarge stops at the limit, whatever the sender says, and leaves nothing behind.
func TestTooLarge(t *testing.T) {
	folder := t.TempDir()
	d, err := OpenDisk(folder)
	must(t, err)
	defer d.Close()
	endless := &counted{}
	_, err = d.Stage(t.Context(), endless, 100_000)
	if !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if endless.n > 200_000 {
		t.Errorf("%d bytes were read", endless.n)
	}
	if left, _ := os.ReadDir(filepath.Join(folder, stageFolder)); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	staged, err := d.Stage(t.Context(), strings.NewReader(strings.Repeat("x", 100_000)), 100_000)
	must(t, err)
	staged.Drop()
}

type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

// TestDiskFull says that the disk is full, and what to do.
func TestDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no disk that is always full")
	}
	defer full.Close()
	wantKind(t, (&stagedFile{}).fill(full, strings.NewReader("content"), 100), core.Full, "the disk of the files is full")
}

// TestStreams takes a large file in without keeping it in memory.
func TestStreams(t *testing.T) {
	d, err := OpenDisk(t.TempDir())
	must(t, err)
	defer d.Close()
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	staged, err := d.Stage(t.Context(), io.LimitReader(&counted{}, size), size)
	must(t, err)
	f := core.FileInfo{}
	must(t, look(staged, &f))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; staged.Size() != size || took > 4<<20 {
		t.Errorf("%d bytes were allocated for %d", took, staged.Size())
	}
	staged.Drop()
}

// TestCutOff leaves nothing of an upload whose sender goes away.
func TestCutOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone := errors.New("gone")
		_, err := w.s.Upload(w.clerk("ben", authz.Organization), "a.txt", io.MultiReader(strings.NewReader("half"), failing{gone}))
		if !errors.Is(err, gone) {
			t.Fatal(err)
		}
		if len(w.contents()) != 0 {
			t.Error("there is a content")
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestBombs reads the size that an image claims before anything is decoded: what claims too much is never decoded.
func TestBombs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		bomb := w.upload(ben, "bomb.png", claiming(onePicture(2, 2), 60_000, 60_000))
		_, err := w.insert(ben, core.Record{"photo": string(bomb.ID)})
		wantKind(t, err, core.Invalid, "60000 by 60000 pixels")
		var none bytes.Buffer
		err = thumbnail(t.Context(), "image/png", &memory{bytes.NewReader([]byte(claiming(onePicture(2, 2), 60_000, 60_000)))}, 64, &none)
		wantKind(t, err, core.Invalid, "too large to be decoded")
	})
}

// TestBrokenImage tries once to decode an image that is none but for its header.
func TestBrokenImage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ben := w.clerk("ben", authz.Organization)
		f := w.upload(ben, "broken.png", claiming(onePicture(2, 2), 4000, 4000))
		id, err := w.insert(ben, core.Record{"photo": string(f.ID)})
		must(t, err)
		of := Of{Table: "paper", Record: id, Column: "photo"}
		_, err = w.s.Thumbnail(ben, of, core.Thumbnail)
		wantKind(t, err, core.Invalid, "cannot be decoded")
		w.s.cache.turn <- struct{}{} // nothing is made any more
		_, err = w.s.Thumbnail(ben, of, core.Thumbnail)
		wantKind(t, err, core.Invalid, "or not in time")
	})
}

// TestTwoSizes refuses a WebP whose canvas is small and whose picture is large.
func TestTwoSizes(t *testing.T) {
	lossless := []byte{0x2f}
	lossless = binary.LittleEndian.AppendUint32(lossless, 16383|16383<<14) // 16384 by 16384
	extended := append([]byte{0, 0, 0, 0}, 1, 0, 0, 1, 0, 0)               // a canvas of 2 by 2
	file := riff(chunk("VP8X", extended), chunk("VP8L", append(lossless, make([]byte, 64)...)))
	var none bytes.Buffer
	wantKind(t, thumbnail(t.Context(), "image/webp", &memory{bytes.NewReader(file)}, 64, &none), core.Invalid, "cannot be decoded")
}

func chunk(id string, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data))), append(data, make([]byte, len(data)%2)...)...)
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// memory is a content that is no file.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// TestMemory refuses images that take more memory than a thumbnail is worth, by what their headers say, and decodes others in
// what was foreseen.
func TestMemory(t *testing.T) {
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio420), nil))
	frame := bytes.Index(b.Bytes(), []byte{0xFF, 0xC0})
	sized := func(marker byte, side uint16) []byte {
		out := bytes.Clone(b.Bytes())
		out[frame+1] = marker
		binary.BigEndian.PutUint16(out[frame+5:], side)
		binary.BigEndian.PutUint16(out[frame+7:], side)
		return out
	}
	for _, x := range []struct {
		file     []byte
		weight   float64
		tooLarge bool
	}{
		{sized(0xC0, 6000), 1.5, false}, {sized(0xC2, 6000), 7.5, true}, {sized(0xC2, 4000), 7.5, false}, {sized(0xC0, 60000), 1.5, true},
		{[]byte("\xff\xd8\xff\xc0\x00\x02"), 20, false}, {nil, 20, false},
	} {
		if got := jpegWeight(x.file); got != x.weight {
			t.Errorf("weight %v, want %v", got, x.weight)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := thumbnail(t.Context(), "image/jpeg", &memory{bytes.NewReader(x.file)}, 64, io.Discard)
		runtime.ReadMemStats(&after)
		if got := err != nil && strings.Contains(err.Error(), "too large"); got != x.tooLarge {
			t.Errorf("%v, too large %t", err, x.tooLarge)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > maxMemory+8<<20 {
			t.Errorf("%d bytes were allocated", took)
		}
	}
}

// TestSlowImage ends a decoding whose caller is gone.
func TestSlowImage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var none bytes.Buffer
	if err := thumbnail(ctx, "image/png", &memory{bytes.NewReader([]byte(onePicture(100, 100)))}, 64, &none); err == nil {
		t.Error("it was decoded")
	}
}

// TestUpright turns thumbnails as the camera was held, and tells the size as people see it.
func TestUpright(t *testing.T) {
	// A picture of 40 by 20, red on its left half: turned clockwise (6), red is on top.
	m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			c := color.NRGBA{B: 255, A: 255}
			if x < 20 {
				c = color.NRGBA{R: 255, A: 255}
			}
			m.Set(x, y, c)
		}
	}
	var plain bytes.Buffer
	must(t, jpeg.Encode(&plain, m, &jpeg.Options{Quality: 100}))
	for o, red := range map[int]image.Point{1: {2, 32}, 2: {62, 32}, 3: {62, 32}, 4: {2, 32}, 5: {32, 2}, 6: {32, 2}, 7: {32, 62}, 8: {32, 62}} {
		file := &memory{bytes.NewReader(held(plain.Bytes(), uint16(o)))}
		width, height, err := size("image/jpeg", file)
		must(t, err)
		if turned := o >= 5; turned != (width == 20 && height == 40) || !turned && width != 40 {
			t.Errorf("orientation %d: %d by %d", o, width, height)
		}
		var out bytes.Buffer
		must(t, thumbnail(t.Context(), "image/jpeg", file, 64, &out))
		got, err := jpeg.Decode(&out)
		must(t, err)
		if r, _, b, _ := got.At(red.X, red.Y).RGBA(); got.Bounds().Dx() != 64 || got.Bounds().Dy() != 64 || r < b {
			t.Errorf("orientation %d: the picture is not upright", o)
		}
	}
}

// held adds EXIF with the orientation to a JPEG.
func held(file []byte, o uint16) []byte {
	tiff := append([]byte("MM\x00*"), 0, 0, 0, 8, 0, 1)
	tiff = binary.BigEndian.AppendUint16(tiff, 0x0112)
	tiff = append(tiff, 0, 3, 0, 0, 0, 1)
	tiff = append(binary.BigEndian.AppendUint16(tiff, o), 0, 0, 0, 0, 0, 0)
	data := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xE1}, uint16(len(data)+2))
	return bytes.Join([][]byte{file[:2], segment, data, file[2:]}, nil)
}

// FuzzOrientation reads any bytes as a JPEG without a panic.
func FuzzOrientation(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(held(b.Bytes(), 6))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := jpegOrientation(b); o < 1 || o > 8 {
			t.Errorf("%d", o)
		}
	})
}

// TestAnimation takes the first picture of several.
func TestAnimation(t *testing.T) {
	one := func(c color.Color) *image.Paletted {
		m := image.NewPaletted(image.Rect(0, 0, 10, 10), color.Palette{c})
		return m
	}
	var b, out bytes.Buffer
	must(t, gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{one(color.White), one(color.Black)}, Delay: []int{1, 1}}))
	must(t, thumbnail(t.Context(), "image/gif", &memory{bytes.NewReader(b.Bytes())}, 64, &out))
	m, err := jpeg.Decode(&out)
	must(t, err)
	if r, _, _, _ := m.At(5, 5).RGBA(); r < 0xf000 {
		t.Error("it is not the first picture")
	}
}
