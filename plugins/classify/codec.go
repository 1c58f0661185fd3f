package classify

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// The format of a model in bytes, little-endian:
//
//	magic       8 bytes  "CLNCLSFY"
//	format      4        1
//	header      4 + n    length, then JSON: version, labels, docs, temperature, report
//	features    4        F; with K labels follow:
//	keys        8 F      ascending
//	df          4 F      texts that have the feature, 1..docs
//	scale       4 F      float32, not negative
//	bias        4 K      float32
//	weights     F K      int8, feature by feature
//	checksum    4        CRC-32C of all before
const (
	modelMagic  = "CLNCLSFY"
	modelFormat = 1
)

// ErrModel marks bytes that are no usable model.
var ErrModel = errors.New("classify: not a usable model")

var (
	_ encoding.BinaryMarshaler   = (*Model)(nil)
	_ encoding.BinaryUnmarshaler = (*Model)(nil)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the readable part of a model.
type header struct {
	Version     string   `json:"version"`
	Labels      []string `json:"labels"`
	Docs        int      `json:"docs"`
	Temperature float64  `json:"temperature"`
	Report      Report   `json:"report"`
}

// MarshalBinary writes the model. Equal models give equal bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	if len(m.labels) == 0 {
		return nil, fmt.Errorf("%w: it was never trained", ErrModel)
	}
	head, err := json.Marshal(header{m.version, m.labels, m.docs, m.temperature, m.report})
	if err != nil {
		return nil, fmt.Errorf("classify: writing a model: %w", err)
	}
	b := make([]byte, 0, len(modelMagic)+16+len(head)+len(m.keys)*16+len(m.bias)*4+len(m.weights))
	b = append(b, modelMagic...)
	b = binary.LittleEndian.AppendUint32(b, modelFormat)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	b = append(b, head...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.keys)))
	for _, k := range m.keys {
		b = binary.LittleEndian.AppendUint64(b, uint64(k))
	}
	for _, n := range m.df {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, x := range m.scale {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	for _, x := range m.bias {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	for _, w := range m.weights {
		b = append(b, byte(w))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// UnmarshalBinary reads a model; m must be new. It allocates in proportion to the bytes given, whatever they claim.
// Errors are [ErrModel] and leave m as it was.
func (m *Model) UnmarshalBinary(data []byte) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrModel, fmt.Sprintf(format, args...))
	}
	if len(m.labels) > 0 {
		return refuse("a model never changes; read into a new one")
	}
	if len(data) < len(modelMagic)+4 || string(data[:len(modelMagic)]) != modelMagic {
		return refuse("it does not begin with %q", modelMagic)
	}
	r := reader{data: data[len(modelMagic):]}
	if format := r.uint32(); format != modelFormat {
		return refuse("format %d is unknown to this release, which reads %d; train anew or upgrade", format, modelFormat)
	}
	body := len(data) - 4
	if body < len(modelMagic)+4 || crc32.Checksum(data[:body], castagnoli) != binary.LittleEndian.Uint32(data[body:]) {
		return refuse("the checksum is wrong: the bytes were cut or changed; restore or train anew")
	}
	r.data = r.data[:len(r.data)-4]

	var head header
	decoder := json.NewDecoder(bytes.NewReader(r.bytes(int(r.uint32()))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&head); err != nil {
		return refuse("its header: %v", err)
	}
	if err := head.validate(); err != nil {
		return refuse("its header: %v", err)
	}
	features, classes := int(r.uint32()), len(head.Labels)
	if features == 0 || features > maxFeatures {
		return refuse("%d features; 1 to %d are possible", features, maxFeatures)
	}
	if want := features*(16+classes) + 4*classes; len(r.data) != want {
		return refuse("%d bytes of weights where %d features and %d labels need %d", len(r.data), features, classes, want)
	}

	read := Model{version: head.Version, labels: head.Labels, docs: head.Docs, temperature: head.Temperature, report: head.Report}
	read.keys = make([]key, features)
	for i := range read.keys {
		read.keys[i] = key(r.uint64())
		if i > 0 && read.keys[i] <= read.keys[i-1] {
			return refuse("its features are out of order")
		}
	}
	read.df = make([]int32, features)
	for i := range read.df {
		n := r.uint32()
		if n == 0 || uint64(n) > uint64(head.Docs) {
			return refuse("a feature in %d of %d texts", n, head.Docs)
		}
		read.df[i] = int32(n)
	}
	read.scale = r.floats(features)
	read.bias = r.floats(classes)
	if slices.ContainsFunc(read.scale, func(x float32) bool { return !(x >= 0 && x < largestWeight) }) ||
		slices.ContainsFunc(read.bias, func(x float32) bool { return !(x > -largestWeight && x < largestWeight) }) {
		return refuse("a weight is no number of a sensible size")
	}
	read.weights = make([]int8, features*classes)
	for i, w := range r.bytes(features * classes) {
		read.weights[i] = int8(w)
	}
	read.idf = idf(read.df, read.docs)
	read.index()

	m.version, m.labels, m.docs, m.temperature, m.report = read.version, read.labels, read.docs, read.temperature, read.report
	m.keys, m.df, m.idf, m.scale, m.weights, m.bias, m.places = read.keys, read.df, read.idf, read.scale, read.weights, read.bias, read.places
	return nil
}

// largestWeight bounds what is read, so that no sum over a text can overflow.
const largestWeight = 1e6

func (h *header) validate() error {
	switch {
	case h.Version == "":
		return errors.New("no version")
	case len(h.Labels) < 2 || len(h.Labels) > maxClasses:
		return fmt.Errorf("%d labels; 2 to %d are possible", len(h.Labels), maxClasses)
	case h.Docs < 1 || h.Docs > math.MaxInt32:
		return fmt.Errorf("%d training texts", h.Docs)
	case !(h.Temperature >= coldest/2 && h.Temperature <= hottest*2):
		return fmt.Errorf("temperature %v; %v to %v are possible", h.Temperature, coldest, hottest)
	}
	for i, label := range h.Labels {
		if label == "" || i > 0 && label <= h.Labels[i-1] {
			return errors.New("empty, repeated or unsorted labels")
		}
	}
	return nil
}

// reader takes values off the front; past the end it gives zeros and nothing.
type reader struct{ data []byte }

func (r *reader) bytes(n int) []byte {
	n = min(max(n, 0), len(r.data))
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); len(b) == 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) floats(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(r.uint32())
	}
	return values
}
