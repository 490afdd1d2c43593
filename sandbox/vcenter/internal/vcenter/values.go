package vcenter

import (
	"bytes"
	"hash/maphash"
	"reflect"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	vimxml "github.com/vmware/govmomi/vim25/xml"
)

// This file reads properties of managed objects by path and writes them as XML at once, while the object is locked:
// the library copies each object by encoding and decoding it, and encodes it again for the answer.

// managed is the vSphere object inside the library's: its properties are the fields of that struct.
func managed(obj mo.Reference) reflect.Value {
	if o, ok := obj.(interface{ Get() mo.Reference }); ok {
		obj = o.Get()
	}
	v := reflect.ValueOf(obj).Elem()
	for !strings.HasSuffix(v.Type().PkgPath(), "/mo") {
		if v.Kind() != reflect.Struct || v.NumField() == 0 {
			return reflect.Value{}
		}
		v = v.Field(0)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
	}
	return v
}

// isKind tells whether an object is of a type or of one derived from it.
func isKind(ref types.ManagedObjectReference, t reflect.Type, kind string) bool {
	if kind == "" || kind == ref.Type || kind == t.Name() || kind == "ManagedObject" {
		return true
	}
	field, ok := t.FieldByName(kind)
	return ok && field.Anonymous
}

// property is one path of a filter, prepared for a type.
type property struct {
	path    string
	steps   []string // the names of Go's fields
	key     any      // of an element such as config.hardware.device[2000]
	rest    []string // below that element
	invalid bool
}

// plan is what a filter wants of a type.
type plan struct{ properties []property }

// plans are those made already, by type.
type plans map[planKey]*plan

type planKey struct {
	kind string
	t    reflect.Type
}

func (ps plans) of(specs []types.PropertySpec, ref types.ManagedObjectReference, t reflect.Type) *plan {
	key := planKey{ref.Type, t}
	p, known := ps[key]
	if !known {
		p = planFor(specs, ref, t)
		ps[key] = p
	}
	return p
}

// planFor collects the paths that property specifications name for a type, nil when none is about it.
func planFor(specs []types.PropertySpec, ref types.ManagedObjectReference, t reflect.Type) *plan {
	var p *plan
	seen := map[string]bool{}
	for _, spec := range specs {
		if !isKind(ref, t, spec.Type) {
			continue
		}
		if p == nil {
			p = &plan{}
		}
		paths := spec.PathSet
		if spec.All != nil && *spec.All {
			paths = allPaths(t)
		}
		for _, path := range paths {
			if !seen[path] {
				seen[path] = true
				p.properties = append(p.properties, prepare(t, path))
			}
		}
	}
	return p
}

func allPaths(t reflect.Type) []string {
	var paths []string
	for i := range t.NumField() {
		field := t.Field(i)
		switch {
		case field.Anonymous:
			paths = append(paths, allPaths(field.Type)...)
		case field.Name != "Self":
			paths = append(paths, strings.ToLower(field.Name[:1])+field.Name[1:])
		}
	}
	return paths
}

func prepare(t reflect.Type, path string) property {
	p := property{path: path}
	var field mo.Field
	if !field.FromString(path) {
		p.invalid = true
		return p
	}
	p.steps, p.key = titles(field.Path), field.Key
	if field.Item != "" {
		p.rest = titles(field.Item)
	}
	for _, step := range p.steps {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Interface {
			return p // known only when there is a value
		}
		if t.Kind() != reflect.Struct {
			p.invalid = true
			return p
		}
		next, ok := t.FieldByName(step)
		if !ok {
			p.invalid = true
			return p
		}
		t = next.Type
	}
	return p
}

func titles(path string) []string {
	steps := strings.Split(path, ".")
	for i, step := range steps {
		if step != "" {
			steps[i] = strings.ToUpper(step[:1]) + step[1:]
		}
	}
	return steps
}

// value reads a property, nil when it is unset.
func (p *property) value(object reflect.Value) any {
	if p.invalid {
		return nil
	}
	v, ok := follow(object, p.steps)
	if !ok {
		return nil
	}
	if p.key == nil {
		return wrapped(v)
	}
	for v.Kind() == reflect.Slice {
		item, ok := element(v, p.key)
		if !ok {
			return nil
		}
		if len(p.rest) == 0 {
			return item.Interface()
		}
		if v, ok = follow(item, p.rest); !ok {
			return nil
		}
		return wrapped(v)
	}
	return nil
}

// follow goes along fields; it ends early where nothing is set.
func follow(v reflect.Value, steps []string) (reflect.Value, bool) {
	for _, step := range steps {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return v, false
		}
		if v = v.FieldByName(step); !v.IsValid() {
			return v, false
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v, !v.IsNil()
	case reflect.String:
		return v, v.Len() > 0
	}
	return v, true
}

// element finds the element of an array by its key.
func element(array reflect.Value, key any) (reflect.Value, bool) {
	for i := range array.Len() {
		item := array.Index(i)
		for item.Kind() == reflect.Interface || item.Kind() == reflect.Pointer {
			item = item.Elem()
		}
		if item.Kind() != reflect.Struct {
			return item, false
		}
		if field := item.FieldByName("Key"); field.IsValid() && field.Interface() == key {
			return item, true
		}
	}
	return array, false
}

// wrapped puts an array into the ArrayOf type that carries it over the wire.
func wrapped(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Slice {
		return v.Interface()
	}
	switch list := v.Interface().(type) {
	case []string:
		return types.ArrayOfString{String: list}
	case []uint8:
		return types.ArrayOfByte{Byte: list}
	case types.ByteSlice:
		return types.ArrayOfByte{Byte: list}
	case []int16:
		return types.ArrayOfShort{Short: list}
	case []int32:
		return types.ArrayOfInt{Int: list}
	case []int64:
		return types.ArrayOfLong{Long: list}
	}
	name := strings.TrimPrefix(v.Type().Elem().Name(), "Base")
	kind, ok := types.TypeFunc()("ArrayOf" + name)
	if !ok {
		return nil
	}
	array := reflect.New(kind).Elem()
	array.FieldByName(name).Set(v)
	return array.Interface()
}

// valueXML writes <val xsi:type="...">, nothing for an unset one.
func valueXML(value any) []byte {
	if value == nil {
		return nil
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buffer)
	buffer.Reset()
	if err := vimxml.NewEncoder(buffer).Encode(&valueElement{Val: value}); err != nil {
		return nil
	}
	text := bytes.TrimSuffix(bytes.TrimPrefix(buffer.Bytes(), []byte("<v>")), []byte("</v>"))
	// a text could not hold these quotation marks
	return bytes.ReplaceAll(bytes.ReplaceAll(text, declaration, nil), longType, shortType)
}

type valueElement struct {
	XMLName struct{}      `xml:"v"`
	Val     types.AnyType `xml:"val,typeattr"`
}

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	// the encoder declares a prefix of its own in each value; the envelope declares xsi
	declaration = []byte(` xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance"`)
	longType    = []byte(` _XMLSchema-instance:type="`)
	shortType   = []byte(` xsi:type="`)
)

// fingerprint tells values apart; 0 is an unset one.
func fingerprint(value []byte) uint64 {
	if value == nil {
		return 0
	}
	return maphash.Bytes(fingerprints, value) | 1
}

var fingerprints = maphash.MakeSeed()

// read writes all values of a plan for an object, under its lock; false when the object is gone.
func (vc *VCenter) read(ctx *simulator.Context, ref types.ManagedObjectReference, known plans, specs []types.PropertySpec) (*plan, [][]byte, bool) {
	obj := vc.object(ctx, ref)
	if obj == nil {
		return nil, nil, false
	}
	var p *plan
	var values [][]byte
	if manager, ok := obj.(*simulator.EventManager); ok {
		vc.showLatest(ctx, manager)
	}
	ctx.WithLock(obj, func() {
		v := managed(obj)
		if !v.IsValid() {
			return
		}
		if p = known.of(specs, ref, v.Type()); p == nil {
			return
		}
		values = make([][]byte, len(p.properties))
		for i := range p.properties {
			values[i] = valueXML(p.properties[i].value(v))
		}
	})
	return p, values, p != nil
}

func writeRef(out *bytes.Buffer, element string, ref types.ManagedObjectReference) {
	out.WriteString("<" + element + ` type="`)
	writeText(out, ref.Type)
	out.WriteString(`">`)
	writeText(out, ref.Value)
	out.WriteString("</" + element + ">")
}

func writeText(out *bytes.Buffer, text string) { _ = vimxml.EscapeText(out, []byte(text)) }

// writeMissing tells of a path that the type does not have.
func writeMissing(out *bytes.Buffer, path string) {
	out.WriteString("<missingSet><path>")
	writeText(out, path)
	out.WriteString(`</path><fault><fault xsi:type="InvalidProperty"><name>`)
	writeText(out, path)
	out.WriteString(`</name></fault><localizedMessage></localizedMessage></fault></missingSet>`)
}

// rawResponse is an answer whose contents are XML already.
type rawResponse struct {
	method string
	inner  []byte
}

// MarshalXML writes <METHODResponse> with the contents as they are.
func (r *rawResponse) MarshalXML(e *vimxml.Encoder, start vimxml.StartElement) error {
	start.Name.Local = r.method + "Response"
	return e.EncodeElement(&struct {
		Inner []byte `xml:",innerxml"`
	}{r.inner}, start)
}

type rawBody struct {
	Res    *rawResponse
	Fault_ *soap.Fault
}

func (b *rawBody) Fault() *soap.Fault { return b.Fault_ }
