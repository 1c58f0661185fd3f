// Documents over a schema by chance, the same for a seed, and mistakes in them.
import {
  Kind, getNamedType, getNullableType, isEnumType, isInputObjectType, isInterfaceType, isLeafType, isListType, isNonNullType, isObjectType, isRequiredArgument,
  isRequiredInputField, isUnionType, parseType, visit,
} from 'graphql';

const name = (value) => ({ kind: Kind.NAME, value });
const leaf = (field) => ({ kind: Kind.FIELD, name: name(field), arguments: [], directives: [] });
const typeNode = (type) => parseType(String(type));
const isComposite = (type) => isObjectType(type) || isInterfaceType(type) || isUnionType(type);

export class Maker {
  constructor(schema, seed) {
    this.schema = schema;
    this.state = seed >>> 0;
    this.types = Object.values(schema.getTypeMap());
  }

  // Mulberry32: see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c.
  random() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  below(n) { return Math.floor(this.random() * n); }
  chance(p) { return this.random() < p; }
  pick(list) { return list[this.below(list.length)]; }
  some(list, most) { return [...list].sort(() => this.random() - 0.5).slice(0, 1 + this.below(most)); }

  // document returns a valid document with so many mistakes made in it, some of which make no difference.
  document(mistakes) {
    this.fragments = [];
    this.free = 60; // fields, so that no limit is met
    const definitions = [];
    for (let i = 0, n = this.chance(0.2) ? 2 : 1; i < n; i++) definitions.push(this.operation(`Operation${i}`));
    let document = { kind: Kind.DOCUMENT, definitions: [...definitions, ...this.fragments] };
    for (let i = 0; i < mistakes; i++) document = this.mistake(document);
    return document;
  }

  operation(called) {
    this.variables = new Map();
    const mutation = this.chance(0.25);
    const root = mutation ? this.schema.getMutationType() : this.schema.getQueryType();
    const selectionSet = this.set(root, 3);
    const variableDefinitions = [...this.variables.values()];
    return { kind: Kind.OPERATION_DEFINITION, operation: mutation ? 'mutation' : 'query', name: name(called), variableDefinitions, directives: [], selectionSet };
  }

  set(type, depth) {
    const selections = [];
    if (isUnionType(type) || isInterfaceType(type)) {
      for (const member of this.some(this.schema.getPossibleTypes(type), 2)) {
        selections.push({ kind: Kind.INLINE_FRAGMENT, typeCondition: { kind: Kind.NAMED_TYPE, name: name(member.name) }, directives: this.directives(), selectionSet: this.set(member, depth - 1) });
      }
    }
    if (!isUnionType(type)) {
      const fields = Object.values(type.getFields()).filter((f) => isLeafType(getNamedType(f.type)) || (depth > 0 && this.free > 0));
      const apt = fields.filter((f) => f.name === 'party' || /^(contact|call)/.test(f.name)); // so that fields meet that are alike
      for (const field of fields.length ? this.some(apt.length && this.chance(0.5) ? apt : fields, 4) : []) selections.push(this.field(field, depth));
    }
    if (selections.length === 0 || this.chance(0.15)) selections.push(leaf('__typename'));
    if (this.chance(0.1)) {
      const inner = { kind: Kind.SELECTION_SET, selections: selections.splice(this.below(selections.length)) };
      const fragment = `Fragment${this.fragments.length}`;
      this.fragments.push({ kind: Kind.FRAGMENT_DEFINITION, name: name(fragment), typeCondition: { kind: Kind.NAMED_TYPE, name: name(type.name) }, directives: [], selectionSet: inner });
      selections.push({ kind: Kind.FRAGMENT_SPREAD, name: name(fragment), directives: this.directives() });
    }
    return { kind: Kind.SELECTION_SET, selections };
  }

  field(field, depth) {
    this.free--;
    const type = getNamedType(field.type);
    const args = field.args.filter((a) => isRequiredArgument(a) || this.chance(0.3)).map((a) => ({ kind: Kind.ARGUMENT, name: name(a.name), value: this.value(a.type, 2, a.defaultValue) }));
    return {
      kind: Kind.FIELD, name: name(field.name), alias: args.length || this.chance(0.2) ? name(`a${this.free + 100}`) : undefined, arguments: args, directives: this.directives(),
      selectionSet: isComposite(type) ? this.set(type, depth - 1) : undefined,
    };
  }

  directives() {
    if (!this.chance(0.06)) return [];
    const value = this.chance(0.5) ? { kind: Kind.BOOLEAN, value: this.chance(0.5) } : this.variable(this.schema.getType('Boolean'), true);
    return [{ kind: Kind.DIRECTIVE, name: name(this.pick(['skip', 'include'])), arguments: [{ kind: Kind.ARGUMENT, name: name('if'), value }] }];
  }

  variable(type, required) {
    const called = `v${this.variables.size}`;
    let written = String(type);
    if (required && !written.endsWith('!')) written += '!';
    this.variables.set(called, { kind: Kind.VARIABLE_DEFINITION, variable: { kind: Kind.VARIABLE, name: name(called) }, type: typeNode(written), directives: [] });
    return { kind: Kind.VARIABLE, name: name(called) };
  }

  // value is a literal, or a variable, for an input of the type.
  value(type, depth) {
    if (this.chance(0.2)) return this.variable(type, false);
    if (isNonNullType(type)) return this.value(type.ofType, depth);
    if (this.chance(0.03) && depth < 2) return { kind: Kind.NULL };
    if (isListType(type)) {
      if (this.chance(0.2)) return this.literal(getNullableType(type.ofType), depth);
      return { kind: Kind.LIST, values: Array.from({ length: this.below(3) }, () => this.value(getNullableType(type.ofType), depth)).filter((v) => v.kind !== Kind.NULL && v.kind !== Kind.VARIABLE) };
    }
    return this.literal(type, depth);
  }

  literal(type, depth) {
    if (isListType(type)) return { kind: Kind.LIST, values: [] };
    if (isEnumType(type)) return { kind: Kind.ENUM, value: this.pick(type.getValues()).name };
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((f) => isRequiredInputField(f) || (depth > 0 && this.chance(0.15)));
      return { kind: Kind.OBJECT, fields: fields.map((f) => ({ kind: Kind.OBJECT_FIELD, name: name(f.name), value: this.value(f.type, depth - 1) })) };
    }
    return this.scalar(type.name);
  }

  scalar(type) {
    switch (type) {
      case 'Int': return { kind: Kind.INT, value: String(this.below(100)) };
      case 'Float': return { kind: Kind.FLOAT, value: `${this.below(100)}.5` };
      case 'Boolean': return { kind: Kind.BOOLEAN, value: this.chance(0.5) };
    }
    return { kind: Kind.STRING, value: this.pick(['', 'text', 'ünï', '"quoted"', 'a\nb']) };
  }

  // mistake returns the document with something changed at one place.
  mistake(document) {
    const places = [];
    visit(document, { enter(node, key, parent, path) { places.push({ node, path: [...path] }); } });
    for (let tries = 0; tries < 20; tries++) {
      const { node, path } = this.pick(places);
      const changed = this.change(node, document);
      if (changed !== undefined) return replaced(document, path, changed);
    }
    return document;
  }

  change(node, document) {
    switch (node.kind) {
      case Kind.FIELD:
        return this.pick([
          () => ({ ...node, name: name(this.pick(['nothing', '__typename', 'id', 'email', '__schema', 'contact', 'aggregate', 'count'])) }),
          () => ({ ...node, arguments: node.arguments.slice(1) }),
          () => ({ ...node, arguments: [...node.arguments, { kind: Kind.ARGUMENT, name: name(this.pick(['where', 'limit', 'nothing', 'id', 'if'])), value: this.scalar(this.pick(['Int', 'String'])) }] }),
          () => ({ ...node, arguments: [...node.arguments, ...node.arguments.slice(0, 1)] }),
          () => ({ ...node, alias: name(this.pick(['same', 'id', 'contact'])) }),
          () => ({ ...node, alias: name('same') }),
          () => ({ ...node, alias: name('same') }),
          () => ({ ...node, selectionSet: undefined }),
          () => ({ ...node, selectionSet: { kind: Kind.SELECTION_SET, selections: [leaf(this.pick(['id', '__typename', 'count']))] } }),
          () => ({ ...node, directives: [...(node.directives ?? []), this.directive()] }),
        ])();
      case Kind.ARGUMENT: case Kind.OBJECT_FIELD:
        return this.pick([
          () => ({ ...node, name: name(this.pick(['nothing', 'where', '_eq', '_and', 'id', 'email', 'objects', 'object'])) }),
          () => ({ ...node, value: this.anything() }),
          () => ({ ...node, value: this.anything() }),
        ])();
      case Kind.INT: case Kind.FLOAT: case Kind.STRING: case Kind.BOOLEAN: case Kind.ENUM: case Kind.NULL: case Kind.LIST: case Kind.OBJECT: case Kind.VARIABLE:
        return node.kind === Kind.VARIABLE && this.chance(0.5) ? { ...node, name: name(this.pick(['v0', 'v1', 'v2', 'unknown'])) } : undefined;
      case Kind.VARIABLE_DEFINITION:
        return this.pick([
          () => ({ ...node, type: typeNode(this.pick(['Int', 'Int!', 'String', '[String!]', 'uuid', 'uuid!', 'contact_bool_exp', 'contact_bool_exp!', '[contact_order_by]', 'contact', 'nothing', 'order_by', '[[Int]]', 'Boolean'])) }),
          () => ({ ...node, defaultValue: this.pick([{ kind: Kind.NULL }, this.scalar('Int'), this.scalar('String'), { kind: Kind.BOOLEAN, value: true }, { kind: Kind.OBJECT, fields: [] }, { kind: Kind.LIST, values: [] }]) }),
          () => ({ ...node, variable: { kind: Kind.VARIABLE, name: name(this.pick(['v0', 'v1', 'unused'])) } }),
          () => ({ ...node, directives: [this.directive()] }),
        ])();
      case Kind.FRAGMENT_SPREAD:
        return { ...node, name: name(this.pick(['Fragment0', 'Fragment1', 'Nowhere'])) };
      case Kind.INLINE_FRAGMENT:
        return this.pick([
          () => ({ ...node, typeCondition: this.named() }),
          () => ({ ...node, typeCondition: undefined }),
          () => ({ ...node, directives: [this.directive(), this.directive()] }),
        ])();
      case Kind.FRAGMENT_DEFINITION:
        return this.pick([
          () => ({ ...node, typeCondition: this.named() }),
          () => ({ ...node, name: name(this.pick(['Fragment0', 'Fragment1', 'Unused'])) }),
          () => ({ ...node, directives: [this.directive()] }),
          () => ({ ...node, selectionSet: { ...node.selectionSet, selections: [...node.selectionSet.selections, { kind: Kind.FRAGMENT_SPREAD, name: name(this.pick(['Fragment0', 'Fragment1'])), directives: [] }] } }),
        ])();
      case Kind.SELECTION_SET:
        return this.pick([
          () => ({ ...node, selections: [...node.selections, { kind: Kind.INLINE_FRAGMENT, typeCondition: this.named(), directives: [], selectionSet: { kind: Kind.SELECTION_SET, selections: [leaf(this.pick(['__typename', 'id', 'email']))] } }] }),
          () => ({ ...node, selections: [...node.selections, this.pick(node.selections)] }),
          () => ({ ...node, selections: [...node.selections, { kind: Kind.FRAGMENT_SPREAD, name: name(this.pick(['Fragment0', 'Nowhere'])), directives: [] }] }),
          () => ({ ...node, selections: [...node.selections, { ...leaf(this.pick(['email', 'version', '__typename'])), alias: name('id') }] }),
        ])();
      case Kind.OPERATION_DEFINITION:
        return this.pick([
          () => ({ ...node, name: this.pick([undefined, name('Operation0')]) }),
          () => ({ ...node, operation: this.pick(['query', 'mutation', 'subscription']) }),
          () => ({ ...node, directives: [this.directive()] }),
          () => ({ ...node, variableDefinitions: node.variableDefinitions.slice(1) }),
          () => ({ ...node, variableDefinitions: [...node.variableDefinitions, ...node.variableDefinitions.slice(0, 1)] }),
        ])();
      case Kind.DOCUMENT:
        return { ...node, definitions: [...document.definitions, this.pick(document.definitions)] };
    }
  }

  named() { return { kind: Kind.NAMED_TYPE, name: name(this.pick(['contact', 'query_root', 'String', 'contact_bool_exp', 'Nothing', 'call_party', 'online_purchase', this.pick(this.types).name])) }; }

  directive() {
    const flag = { kind: Kind.ARGUMENT, name: name('if'), value: this.pick([{ kind: Kind.BOOLEAN, value: true }, { kind: Kind.NULL }, this.scalar('Int'), this.scalar('String')]) };
    return { kind: Kind.DIRECTIVE, name: name(this.pick(['skip', 'include', 'include', 'deprecated', 'nothing', 'specifiedBy'])), arguments: this.pick([[flag], [flag], [], [flag, flag]]) };
  }

  anything() {
    return this.pick([
      () => ({ kind: Kind.NULL }),
      () => this.scalar(this.pick(['Int', 'Float', 'String', 'Boolean'])),
      () => ({ kind: Kind.INT, value: this.pick(['99999999999', '-2147483648', '2147483648', '123456789012345678901234567890']) }),
      () => ({ kind: Kind.ENUM, value: this.pick(['asc', 'nothing', 'id']) }),
      () => ({ kind: Kind.LIST, values: [this.scalar('Int'), this.scalar('String')] }),
      () => ({ kind: Kind.LIST, values: [{ kind: Kind.NULL }] }),
      () => ({ kind: Kind.OBJECT, fields: [] }),
      () => ({ kind: Kind.OBJECT, fields: [{ kind: Kind.OBJECT_FIELD, name: name(this.pick(['id', '_eq', 'nothing'])), value: this.scalar('String') }] }),
      () => ({ kind: Kind.OBJECT, fields: ['id', 'id'].map((f) => ({ kind: Kind.OBJECT_FIELD, name: name(f), value: this.scalar('Int') })) }),
      () => ({ kind: Kind.VARIABLE, name: name(this.pick(['v0', 'v1', 'unknown'])) }),
    ])();
  }
}

// replaced returns the document with another node at a path.
function replaced(document, path, node) {
  if (path.length === 0) return node;
  const [key, ...rest] = path;
  const copy = Array.isArray(document) ? [...document] : { ...document };
  copy[key] = replaced(document[key], rest, node);
  return copy;
}
