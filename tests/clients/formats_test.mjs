// Answers that are held to a schema, and calls of tools, by OpenAI's client; and schemas that no decent program sends.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Ajv2020} from 'ajv/dist/2020.js';
import OpenAI from 'openai';

import {base, createKey, eventually, metric} from './cluster.mjs';
import {Description} from './description.mjs';

const description = new Description(process.env.ENIGMA_API_DESCRIPTION);
const client = new OpenAI({baseURL: `${base}/v1`, apiKey: await createKey('formats'), maxRetries: 0});
const ajv = new Ajv2020({strict: false, formats: {date: /^\d{4}-[01]\d-[0-3]\d$/}});
const messages = [{role: 'user', content: 'Tell me of a cat.'}];
const say = {model: 'chat', messages, max_tokens: 200, temperature: 1, seed: 5};

const record = {
  type: 'object',
  properties: {
    name: {type: 'string', minLength: 1, maxLength: 12},
    age: {type: 'integer', minimum: 0, maximum: 99},
    moods: {type: 'array', items: {enum: ['happy', 'sad']}, maxItems: 3},
    born: {type: 'string', format: 'date'},
    code: {type: 'string', pattern: '^[A-Z]{2}-[0-9]{3}$'},
    alive: {type: 'boolean'},
  },
  required: ['name', 'age', 'moods', 'born', 'code', 'alive'],
  additionalProperties: false,
};
const held = (schema) => ({type: 'json_schema', json_schema: {name: 'record', strict: true, schema}});

function assertIs(schema, value) {
  assert.deepEqual(description.errors(schema, value), [], JSON.stringify(value));
}

async function streamed(body) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({...body, stream: true})) {
    assertIs('CreateChatCompletionStreamResponse', chunk);
    chunks.push(chunk);
  }
  return chunks;
}

test('an answer by schema is valid JSON of it, whole and streamed', async () => {
  const body = {...say, n: 3, response_format: held(record)};
  const answer = await client.chat.completions.create(body);
  assertIs('CreateChatCompletionResponse', answer);
  const chunks = (await streamed(body)).flatMap((chunk) => chunk.choices);
  for (const choice of answer.choices) {
    assert.equal(choice.finish_reason, 'stop');
    assert.ok(ajv.validate(record, JSON.parse(choice.message.content)), choice.message.content);
    const pieces = chunks.filter((piece) => piece.index === choice.index);
    assert.equal(pieces.map((piece) => piece.delta.content ?? '').join(''), choice.message.content);
  }
});

test('json_object is an object', async () => {
  const answer = await client.chat.completions.create({...say, temperature: 0, response_format: {type: 'json_object'}});
  const {message, finish_reason: reason} = answer.choices[0];
  assert.match(message.content, /^\s?\{/);
  if (reason === 'stop') assert.equal(typeof JSON.parse(message.content), 'object');
});

// The description of tools is long for a vocabulary of 512 tokens.
const call = {...say, model: 'slow'};
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: {
      type: 'object',
      properties: {city: {type: 'string', maxLength: 10}, days: {type: 'integer', minimum: 1, maximum: 7}},
      required: ['city', 'days'],
      additionalProperties: false,
    },
  },
};
const clock = {
  type: 'function',
  function: {name: 'clock', parameters: {type: 'object', properties: {}, additionalProperties: false}},
};
const parametersOf = {weather: weather.function.parameters, clock: clock.function.parameters};

function assertCalls(choice) {
  assert.equal(choice.finish_reason, 'tool_calls');
  assert.ok(choice.message.tool_calls.length > 0);
  for (const made of choice.message.tool_calls) {
    assert.equal(made.type, 'function');
    assert.ok(made.id.length > 0);
    const {name, arguments: given} = made.function;
    assert.ok(ajv.validate(parametersOf[name], JSON.parse(given)), JSON.stringify(made));
  }
}

for (const [name, choice] of [
       ['required', 'required'],
       ['of a name', {type: 'function', function: {name: 'weather'}}],
     ]) {
  test(`calls that are ${name} are valid, whole and streamed`, async () => {
    const body = {...call, tools: [weather, clock], tool_choice: choice, parallel_tool_calls: false};
    const answer = await client.chat.completions.create(body);
    assertIs('CreateChatCompletionResponse', answer);
    assertCalls(answer.choices[0]);
    assert.equal(answer.choices[0].message.tool_calls.length, 1);
    if (choice !== 'required') assert.equal(answer.choices[0].message.tool_calls[0].function.name, 'weather');
    await streamed(body);
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    assertCalls(final.choices[0]);
    const [whole] = answer.choices[0].message.tool_calls;
    const [gathered] = final.choices[0].message.tool_calls;
    assert.deepEqual([gathered.function.name, gathered.function.arguments],
                     [whole.function.name, whole.function.arguments]);
  });
}

test('runTools calls the function with what was asked', async () => {
  const asked = [];
  const runnable = {
    type: 'function',
    function: {...weather.function, parse: JSON.parse, function: (args) => (asked.push(args), 'sunny')},
  };
  const runner = client.chat.completions.runTools(
    {...call, tools: [runnable], tool_choice: {type: 'function', function: {name: 'weather'}}});
  await runner.done();
  assert.ok(asked.length > 0 && asked.every((args) => ajv.validate(parametersOf.weather, args)), JSON.stringify(asked));
});

test('a conversation goes on behind the result of a call', async () => {
  const made = {id: 'call_1', type: 'function', function: {name: 'weather', arguments: '{"city":"Rome","days":1}'}};
  const answer = await client.chat.completions.create({
    ...call,
    tools: [weather],
    messages: [...messages, {role: 'assistant', content: null, tool_calls: [made]},
               {role: 'tool', tool_call_id: 'call_1', content: 'sunny'}],
  });
  assertIs('CreateChatCompletionResponse', answer);
});

test('no calls where none are wanted', async () => {
  const answer = await client.chat.completions.create({...call, max_tokens: 20, tools: [weather], tool_choice: 'none'});
  assert.equal(answer.choices[0].message.tool_calls, undefined);
});

async function refused(body, param) {
  await assert.rejects(client.chat.completions.create({...say, ...body}), (error) => {
    assert.equal(error.status, 400, error.message);
    assertIs('ErrorResponse', {error: error.error});
    assert.ok(error.param?.startsWith(param), `${error.param}: ${error.message}`);
    return true;
  });
}

test('formats and tools that are wrong are named', async () => {
  await refused({response_format: {type: 'xml'}}, 'response_format');
  await refused({response_format: {type: 'json_schema'}}, 'response_format.json_schema');
  await refused({response_format: held({type: 'king'})}, 'response_format');
  await refused({response_format: held({not: {}})}, 'response_format');
  await refused({tools: [{type: 'function'}]}, 'tools');
  await refused({tools: [weather], tool_choice: {type: 'function', function: {name: 'nobody'}}}, 'tool_choice');
});

const times = (count, make) => Array.from({length: count}, (_, i) => make(i));

// Each is answered or refused, soon, and others are served meanwhile.
const hostile = {
  'a pattern of exponential states': {type: 'string', pattern: '^(a|b)*a(a|b){30}$'},
  'a pattern that backtracks': {type: 'string', pattern: '^(a+)+b$'},
  'counts within counts': {type: 'string', pattern: '^((a{1,200}){1,200}){1,200}$'},
  'a long count': {type: 'string', pattern: '^.{1000000}$'},
  'a reference to itself': {$ref: '#'},
  'references in a ring': {$ref: '#/$defs/a', $defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}},
  'alternatives multiplied': {allOf: times(20, () => ({anyOf: [{minimum: 1}, {maximum: 2}, {type: 'string'}]}))},
  'a wide choice': {enum: times(20_000, (i) => `value ${i}`)},
  'many items': {type: 'array', minItems: 1_000_000, items: {type: 'integer'}},
  'many properties': {type: 'object', properties: Object.fromEntries(times(1000, (i) => [`p${i}`, {}]))},
};
for (const [name, schema] of Object.entries(hostile)) {
  test(`schema: ${name}`, async () => {
    const started = Date.now();
    let healthy = 0;
    const asked = client.chat.completions.create({...say, max_tokens: 4, response_format: held(schema)});
    const settled = asked.then(() => 200, (error) => error.status);
    while ((await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, 20, 0))])) === 0) {
      assert.equal((await fetch(`${base}/health`)).status, 200);
      ++healthy;
    }
    assert.ok([200, 400].includes(await settled), `${await settled}`);
    assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms, ${healthy} looks`);
  });
}

test('a thousand schemas', async () => {
  const ask = async (i) => {
    const name = `field${i}`;
    const schema = {type: 'object', properties: {[name]: {type: 'integer', maximum: i}}, required: [name]};
    const answer = await client.chat.completions.create({...say, max_tokens: 40, response_format: held(schema)});
    const {message, finish_reason: reason} = answer.choices[0];
    if (reason === 'stop') assert.ok(ajv.validate(schema, JSON.parse(message.content)), message.content);
  };
  for (let i = 0; i < 1000; i += 20) await Promise.all(times(20, (at) => ask(i + at)));
  await eventually('no request running', async () => (await metric('vllm:num_requests_running')) === 0);
});
