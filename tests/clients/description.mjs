// OpenAI's description of its API, as an oracle for what a server answers.
import {readFileSync} from 'node:fs';
import {Ajv2020} from 'ajv/dist/2020.js';
import {parse} from 'yaml';

// What says nothing about whether a value is right, and what `adapted` writes in another way.
const IGNORED = ['default', 'description', 'discriminator', 'example', 'nullable'];

const PREFIX = '#/components/schemas/';

// What this server says beyond the description, by schema.
const EXTENSIONS = {Model: ['ready', 'context', 'takes_images']};

export class Description {
  constructor(path) {
    this.schemas = parse(readFileSync(path, 'utf8'), {maxAliasCount: -1}).components.schemas;
    this.compiled = new Map();
    // `format` is a hint there ("unixtime"); ranges are not in question.
    this.ajv = new Ajv2020({strict: false, allErrors: true, validateFormats: false});
  }

  // What is wrong with `value` as the named schema: sentences, none when all is well. Fields that the description does
  // not know are wrong too.
  errors(name, value) {
    if (!this.compiled.has(name)) this.compiled.set(name, this.ajv.compile(this.#document(name)));
    const validate = this.compiled.get(name);
    if (validate(value)) return [];
    return validate.errors.map(
      (error) => `${name}${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
  }

  // The names of the fields of a request.
  fields(name) {
    const names = new Set();
    const visit = (schema) => {
      if (schema.$ref) visit(this.schemas[schema.$ref.slice(PREFIX.length)]);
      for (const part of schema.allOf ?? []) visit(part);
      for (const field of Object.keys(schema.properties ?? {})) names.add(field);
    };
    visit(this.schemas[name]);
    return names;
  }

  // A document of its own with all that the schema reaches: the whole description takes seconds to compile.
  #document(name) {
    const reached = {};
    const reach = (other) => {
      if (other in reached) return;
      reached[other] = null;
      reached[other] = adapted(this.#schema(other), EXTENSIONS[other] ?? [], reach);
    };
    const [base] = name.split('+');
    reach(base);
    if (name.endsWith('+chunk')) allowUnfinished(reached[base]);
    return {$ref: PREFIX + base, components: {schemas: reached}};
  }

  #schema(name) {
    if (!(name in this.schemas)) throw new Error(`the description has no schema ${name}`);
    return this.schemas[name];
  }
}

// Chunks of a completion are said to be of the shape of the whole, where a choice has ended; in all but the last it has
// not (their example has null there).
function allowUnfinished(completion) {
  const reason = completion.properties.choices.items.properties.finish_reason;
  completion.properties.choices.items.properties.finish_reason = {anyOf: [reason, {type: 'null'}]};
  completion.properties.usage = {anyOf: [completion.properties.usage, {type: 'null'}]};
}

// As JSON Schema: `nullable` is OpenAPI's. Objects take no fields beyond those named, unless several schemas describe
// them together.
function adapted(schema, extensions, reach, joined = false) {
  if (Array.isArray(schema)) return schema.map((part) => adapted(part, [], reach, joined));
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$ref') reach(value.slice(PREFIX.length));
    if (key.startsWith('x-') || IGNORED.includes(key)) continue;
    if (key === 'properties') {
      copy.properties = {};
      for (const [name, property] of Object.entries(value)) copy.properties[name] = adapted(property, [], reach);
    } else {
      copy[key] = key === 'enum' || key === 'required' ? value : adapted(value, [], reach, joined || key === 'allOf');
    }
  }
  for (const field of extensions) copy.properties[field] = {};
  if (copy.properties && copy.additionalProperties === undefined && !joined) copy.additionalProperties = false;
  return schema.nullable ? {anyOf: [copy, {type: 'null'}]} : copy;
}
