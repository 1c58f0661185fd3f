package web

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/files"
)

// Files of records: uploaded as they are, downloaded by who may read the column of the record.

const filePath = files.Path

func (s *Server) fileRoutes() []route {
	if s.o.Files == nil {
		return nil
	}
	return []route{
		{"POST", filePath, session, s.upload},
		{"GET", filePath + "/:table/:record/:column", caller, s.download},
	}
}

// fileCSP keeps a file that is opened as a page from doing anything.
const fileCSP = "default-src 'none'; sandbox"

// upload takes in the body as a file of the caller, whom a record can name from now on.
func (s *Server) upload(c *fiber.Ctx) error {
	if err := plainBody(c); err != nil {
		return err
	}
	q := &settings{c: c}
	q.known("name")
	if q.err != nil {
		return q.err
	}
	if strings.HasPrefix(c.Get(fiber.HeaderContentType), "multipart/") {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "send the file itself as the body, not as a part of a form, and its name as ?name=")
	}
	declared := int64(c.Request().Header.ContentLength())
	refused := len(c.Request().Header.Peek(tooLarge)) > 0
	if declared < 0 || declared > s.o.Files.MaxSize() || refused {
		c.Response().SetConnectionClose() // what follows is not read
	}
	if declared < 0 { // without it, a connection that breaks between two chunks looks like the end of the file
		return fiber.NewError(fiber.StatusLengthRequired, "say how long the file is: send Content-Length, and no chunks")
	}
	if refused || declared > s.o.Files.MaxSize() {
		return core.E("web.upload", files.TooLarge(s.o.Files.MaxSize()))
	}
	ctx, cancel := s.long(c)
	defer cancel()
	f, err := s.o.Files.Upload(ctx, c.Query("name"), &whole{r: s.incoming(c), declared: declared})
	if err != nil {
		c.Response().SetConnectionClose()
		return err
	}
	c.Status(fiber.StatusCreated)
	return answer(c, uploaded{f.ID, f.Name, f.Size, f.MediaType, f.SHA256, orNone(f.Width), orNone(f.Height)})
}

type uploaded struct {
	ID        core.ID `json:"id"`
	Name      string  `json:"name"`
	Size      int64   `json:"size"`
	MediaType string  `json:"media_type"`
	SHA256    string  `json:"sha256"`
	Width     *int64  `json:"width"`
	Height    *int64  `json:"height"`
}

func orNone(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// whole is a body of which nothing may be missing: the end of a connection is the end of a body for fasthttp.
type whole struct {
	r        io.Reader
	declared int64
	n        int64
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if err != nil && (!errors.Is(err, io.EOF) || w.n != w.declared) {
		return n, core.E("web.whole", core.Invalid, "the upload was cut off: send the file again", err)
	}
	return n, err
}

// download answers with the file of a record, or with its thumbnail.
func (s *Server) download(c *fiber.Ctx) error {
	q := &settings{c: c}
	q.known("id", "thumbnail")
	side := q.number("thumbnail")
	if q.err != nil {
		return q.err
	}
	of := files.Of{Table: c.Params("table"), Record: core.ID(c.Params("record")), Column: c.Params("column"), File: core.ID(c.Query("id"))}
	open := func() (*files.File, error) { return s.o.Files.Open(c.UserContext(), of) }
	tag := ""
	if side != 0 {
		open = func() (*files.File, error) { return s.o.Files.Thumbnail(c.UserContext(), of, side) }
		tag = "-" + strconv.Itoa(side)
	}
	f, err := open()
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentSecurityPolicy, fileCSP)
	c.Set(fiber.HeaderCacheControl, "private, no-cache") // every use asks again, since rights may have gone
	c.Set(fiber.HeaderContentType, safeType(f.MediaType))
	c.Set(fiber.HeaderContentDisposition, disposition(f.FileInfo))
	c.Set(fiber.HeaderETag, `"`+f.SHA256+tag+`"`)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	return s.sendFile(c, f)
}

// sendFile answers with the part of the file that is asked for.
func (s *Server) sendFile(c *fiber.Ctx, f *files.File) error {
	tag := string(c.Response().Header.Peek(fiber.HeaderETag))
	if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
		_ = f.Close()
		c.Status(fiber.StatusNotModified)
		c.Response().Header.Del(fiber.HeaderContentType)
		return nil
	}
	from, n := int64(0), f.Size
	if asked := c.Get(fiber.HeaderRange); asked != "" && c.Method() == fiber.MethodGet && whenSame(c.Get(fiber.HeaderIfRange), tag) {
		a, b, ok := byteRange(asked, f.Size)
		switch {
		case ok && b <= a:
			_ = f.Close()
			c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", f.Size))
			c.Response().Header.Del(fiber.HeaderContentDisposition)
			return fiber.NewError(fiber.StatusRequestedRangeNotSatisfiable, "the range begins behind the end of the file")
		case ok:
			from, n = a, b-a
			c.Status(fiber.StatusPartialContent)
			c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", a, b-1, f.Size))
		}
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		_ = f.Close()
		return core.E("web.sendFile", err)
	}
	s.sendStream(c, io.LimitReader(f, n), f, int(n))
	return nil
}

// matches reports whether one of the tags of If-None-Match is the file's (RFC 9110, 13.1.2).
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == tag {
			return true
		}
	}
	return false
}

// whenSame reports whether If-Range lets a range stand (RFC 9110, 13.1.5): without it, or with the very tag of the file.
func whenSame(header, tag string) bool { return header == "" || header == tag }

// byteRange reads a Range of one part as the bytes from the first to before the second (RFC 9110, 14.1.2). With one that begins behind
// the end, the second is not above the first. Of anything else, ok is false, and the whole is sent, as the specification allows.
func byteRange(header string, size int64) (from, to int64, ok bool) {
	set, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(set, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	digits := func(s string) (int64, bool) {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && s[0] >= '0' && s[0] <= '9'
	}
	if first == "" { // the last n bytes
		n, ok := digits(last)
		return max(0, size-n), size, ok && n > 0
	}
	if from, ok = digits(first); !ok {
		return 0, 0, false
	}
	if last == "" {
		return from, size, true
	}
	if to, ok = digits(last); !ok || to < from {
		return 0, 0, false
	}
	return from, min(to, size-1) + 1, true
}

// active are the types that a browser may run as a page or a part of one, wherever they come from.
var active = []string{"text/html", "text/xml", "text/css", "text/javascript", "application/javascript", "application/x-javascript", "application/xml", "application/wasm", "application/x-shockwave-flash"}

// safeType is what is said about the type of a file: of one that could run, nothing.
func safeType(mediaType string) string {
	if slices.Contains(active, mediaType) || strings.HasSuffix(mediaType, "+xml") {
		return "application/octet-stream"
	}
	return mediaType
}

// disposition has browsers save the file under its name (RFC 6266), and show only images, which run nothing.
func disposition(f core.FileInfo) string {
	kind := "attachment"
	if slices.Contains(core.ImageTypes, f.MediaType) {
		kind = "inline"
	}
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, f.Name)
	return fmt.Sprintf(`%s; filename="%s"; filename*=UTF-8''%s`, kind, ascii, strings.ReplaceAll(url.QueryEscape(f.Name), "+", "%20"))
}
