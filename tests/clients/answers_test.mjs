// Every answer and every chunk of a broad set of requests is as OpenAI's description of its API says.
import assert from 'node:assert/strict';
import {before, test} from 'node:test';

import {base, createKey, enigma} from './cluster.mjs';
import {Description} from './description.mjs';

const description = new Description(process.env.ENIGMA_API_DESCRIPTION);

function assertIs(schema, value) {
  assert.deepEqual(description.errors(schema, value), [], JSON.stringify(value));
}

function post(path, body, headers = {}) {
  return fetch(base + path, {
    method: 'POST',
    headers: {'content-type': 'application/json', ...headers},
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

async function whole(path, schema, body) {
  const response = await post(path, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(response.headers.get('content-type'), /^application\/json/);
  const value = JSON.parse(text);
  assertIs(schema, value);
  return value;
}

// The events of a stream, each checked; what is in it beside `data:` lines and comments is an error.
async function streamed(path, schema, body) {
  const response = await post(path, {...body, stream: true});
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  assert.ok(text.endsWith('\n\n'));
  const events = text.slice(0, -2).split('\n\n').filter((event) => !event.startsWith(':'));
  assert.ok(events.every((event) => event.startsWith('data: ') && !event.includes('\n')), text);
  const data = events.map((event) => event.slice('data: '.length));
  assert.equal(data.pop(), '[DONE]');
  const chunks = data.map((event) => JSON.parse(event));
  for (const chunk of chunks) {
    assertIs(schema, chunk);
    assert.equal(chunk.id, chunks[0].id);
    assert.equal(chunk.created, chunks[0].created);
    assert.equal(chunk.model, body.model);
  }
  return chunks;
}

async function refused(response, status, param) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  const value = JSON.parse(text);
  assertIs('ErrorResponse', value);
  if (param !== undefined) assert.equal(value.error.param, param, text);
  return value.error;
}

const EMBEDDINGS = '/v1/embeddings';
const CHAT = '/v1/chat/completions';
const COMPLETIONS = '/v1/completions';
const say = {model: 'chat', messages: [{role: 'user', content: 'Tell me of a cat.'}], max_tokens: 12};
const ask = {model: 'chat', prompt: 'Once upon a time', max_tokens: 12};

const shared = {
  nothing: {},
  greedy: {temperature: 0},
  sampling: {temperature: 0.8, top_p: 0.9, seed: 7, frequency_penalty: 0.2, presence_penalty: -0.1},
  others: {top_k: 40, min_p: 0.05, repetition_penalty: 1.1, seed: 3},
  stops: {stop: [' the', '.'], seed: 1},
  'one stop': {stop: ' a', temperature: 0},
  bias: {logit_bias: {300: -100, 17: 1.5}},
  choices: {n: 3, seed: 11, temperature: 1},
  user: {user: 'somebody'},
  nulls: {temperature: 0, top_p: null, stop: null, logit_bias: null, n: null, seed: null, stream_options: null},
};

function textOf(chunks, index, piece) {
  return chunks.map((chunk) => chunk.choices.filter((choice) => choice.index === index).map(piece).join('')).join('');
}

const chatFields = {
  ...shared,
  logprobs: {logprobs: true, temperature: 0},
  alternatives: {logprobs: true, top_logprobs: 5, n: 2, seed: 5},
  'a budget by its new name': {max_tokens: undefined, max_completion_tokens: 5},
  'plain text asked for': {response_format: {type: 'text'}},
  conversation: {
    messages: [
      {role: 'system', content: 'You tell stories.'},
      {role: 'developer', content: 'Short ones.'},
      {role: 'user', content: [{type: 'text', text: 'Of a '}, {type: 'text', text: 'cat.'}], name: 'ann'},
      {role: 'assistant', content: 'Tom was a cat.'},
      {role: 'user', content: 'Go on.'},
    ],
  },
};

for (const [name, fields] of Object.entries(chatFields)) {
  test(`chat: ${name}`, async () => {
    const body = {...say, seed: 9, ...fields};
    const answer = await whole(CHAT, 'CreateChatCompletionResponse', body);
    const count = body.n ?? 1;
    assert.deepEqual(answer.choices.map((choice) => choice.index), [...Array(count).keys()]);
    const chunks = await streamed(CHAT, 'CreateChatCompletionStreamResponse', body);
    for (let i = 0; i < count; ++i) {
      const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === i);
      assert.equal(mine[0].delta.role, 'assistant');
      assert.ok(mine.slice(1).every((choice) => choice.delta.role === undefined));
      assert.equal(mine.filter((choice) => choice.finish_reason !== null).length, 1);
      assert.equal(mine.at(-1).finish_reason, answer.choices[i].finish_reason);
      assert.equal(textOf(chunks, i, (choice) => choice.delta.content ?? ''), answer.choices[i].message.content);
      const probabilities = mine.flatMap((choice) => choice.logprobs?.content ?? []);
      assert.deepEqual(probabilities, answer.choices[i].logprobs?.content ?? []);
      if (!body.logprobs) continue;
      assert.ok(probabilities.every((token) => token.top_logprobs.length === (body.top_logprobs ?? 0)));
    }
  });
}

const completionFields = {
  ...shared,
  logprobs: {logprobs: 3, temperature: 0},
  'log probabilities of what is chosen': {logprobs: 0, temperature: 0},
  echo: {echo: true, temperature: 0},
  'log probabilities of characters': {logprobs: 1, temperature: 0, prompt: 'Caf\u00e9: once'},
  prompts: {prompt: ['One day', 'Two days', 'Three'], n: 2, seed: 4},
  ids: {prompt: [1, 403, 407, 261, 378]},
  'ids and their echo': {prompt: [1, 403, 407, 261, 378], echo: true},
  'lists of ids': {prompt: [[1, 403], [1, 407, 261]]},
};

for (const [name, fields] of Object.entries(completionFields)) {
  test(`completion: ${name}`, async () => {
    const body = {...ask, seed: 9, ...fields};
    const answer = await whole(COMPLETIONS, 'CreateCompletionResponse', body);
    const chunks = await streamed(COMPLETIONS, 'CreateCompletionResponse+chunk', body);
    for (const choice of answer.choices) {
      assert.equal(textOf(chunks, choice.index, (piece) => piece.text), choice.text);
      const mine = chunks.flatMap((chunk) => chunk.choices).filter((piece) => piece.index === choice.index);
      assert.equal(mine.at(-1).finish_reason, choice.finish_reason);
      if (!choice.logprobs) continue;
      const {tokens, text_offset: offsets, top_logprobs: alternatives} = choice.logprobs;
      assert.ok(tokens.every((token, i) => choice.text.startsWith(token, offsets[i])), 'offsets count characters');
      assert.ok(tokens.every((token, i) => token in alternatives[i]), 'the token itself is among them');
      assert.ok(alternatives.every((some) => Object.keys(some).length <= body.logprobs + 1));
      for (const field of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset']) {
        assert.deepEqual(mine.flatMap((piece) => piece.logprobs?.[field] ?? []), choice.logprobs[field], field);
      }
    }
  });
}

for (const [path, schema, body] of [[CHAT, 'CreateChatCompletionStreamResponse', say],
                                    [COMPLETIONS, 'CreateCompletionResponse+chunk', ask]]) {
  test(`${path}: usage comes last, and null before`, async () => {
    const two = {...body, n: 2, seed: 2};
    const answer = await whole(path, schema.replace('StreamResponse', 'Response').replace('+chunk', ''), two);
    const chunks = await streamed(path, schema, {...two, stream_options: {include_usage: true}});
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.deepEqual(last.usage, answer.usage);
    assert.ok(chunks.every((chunk) => chunk.usage === null && chunk.choices.length > 0));
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    const without = await streamed(path, schema, body);
    assert.ok(without.every((chunk) => chunk.usage === undefined));
  });
}

const lengthOf = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

for (const [name, input, count] of [
       ['a text', 'Once upon a time', 1],
       ['texts', ['Once', 'Twice upon a time', 'Once'], 3],
       ['ids', [1, 403, 407], 1],
       ['lists of ids', [[1, 403], [1, 407, 261]], 2],
     ]) {
  test(`embeddings: ${name}`, async () => {
    const answer = await whole(EMBEDDINGS, 'CreateEmbeddingResponse', {model: 'chat', input});
    assert.deepEqual(answer.data.map((item) => item.index), [...Array(count).keys()]);
    for (const {embedding} of answer.data) assert.ok(Math.abs(lengthOf(embedding) - 1) < 1e-5);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens);
    if (count === 3) assert.deepEqual(answer.data[0].embedding, answer.data[2].embedding);
    const short = await whole(EMBEDDINGS, 'CreateEmbeddingResponse', {model: 'chat', input, dimensions: 8});
    assert.ok(short.data.every((item) => item.embedding.length === 8 && Math.abs(lengthOf(item.embedding) - 1) < 1e-5));
    // In base64 it is a text, which the description leaves out and OpenAI's client asks for.
    const packed = await (await post(EMBEDDINGS, {model: 'chat', input, encoding_format: 'base64'})).json();
    for (let i = 0; i < count; ++i) {
      const bytes = Buffer.from(packed.data[i].embedding, 'base64');
      const floats = Array.from({length: bytes.length / 4}, (_, at) => bytes.readFloatLE(4 * at));
      assert.deepEqual(floats, answer.data[i].embedding.map(Math.fround));
    }
  });
}

test('models', async () => {
  const list = await (await fetch(`${base}/v1/models`)).json();
  assertIs('ListModelsResponse', list);
  assert.deepEqual(list.data.map((model) => model.id).sort(), ['chat', 'later', 'slow']);
  assertIs('Model', await (await fetch(`${base}/v1/models/chat`)).json());
});

// A field of the description is honoured, or refused by name; never left out of the answer in silence.
const examples = {
  dimensions: 4,
  encoding_format: 'base64',
  input: ['a', 'b'],
  audio: {voice: 'alloy', format: 'mp3'},
  best_of: 2,
  echo: true,
  frequency_penalty: 0.5,
  function_call: 'auto',
  functions: [{name: 'f'}],
  logit_bias: {5: 1},
  logprobs: true,
  max_completion_tokens: 12,
  max_tokens: 12,
  messages: say.messages,
  metadata: {a: 'b'},
  modalities: ['text', 'audio'],
  model: 'chat',
  moderation: {},
  n: 2,
  parallel_tool_calls: true,
  prediction: {type: 'content', content: 'a'},
  presence_penalty: 0.5,
  prompt: 'a',
  prompt_cache_key: 'a',
  prompt_cache_options: {},
  prompt_cache_retention: '24h',
  reasoning_effort: 'low',
  response_format: {type: 'json_object'},
  safety_identifier: 'a',
  seed: 1,
  service_tier: 'flex',
  stop: ['a'],
  store: true,
  stream: false,
  stream_options: {include_usage: true},
  suffix: 'end',
  temperature: 0.5,
  tool_choice: 'required',
  tools: [{type: 'function', function: {name: 'f'}}],
  top_logprobs: 3,
  top_p: 0.5,
  user: 'a',
  verbosity: 'low',
  web_search_options: {},
};
// What changes nothing about an answer is taken; what goes with another field is refused alone.
const honoured = new Set(['dimensions', 'echo', 'encoding_format', 'frequency_penalty', 'input', 'logit_bias',
  'logprobs', 'max_completion_tokens', 'max_tokens', 'messages', 'metadata', 'model', 'n', 'parallel_tool_calls',
  'presence_penalty', 'prompt', 'prompt_cache_key', 'response_format', 'safety_identifier', 'seed', 'stop', 'stream',
  'temperature', 'tools', 'top_p', 'user']);

for (const [path, schema, body] of [[CHAT, 'CreateChatCompletionRequest', say],
                                    [COMPLETIONS, 'CreateCompletionRequest', ask],
                                    [EMBEDDINGS, 'CreateEmbeddingRequest', {model: 'chat', input: 'a'}]]) {
  test(`${path}: every field of the description is honoured or refused by name`, async () => {
    for (const field of description.fields(schema)) {
      assert.ok(field in examples, `the test has no value for ${field}`);
      const value = field === 'logprobs' && path === COMPLETIONS ? 2 : examples[field];
      const response = await post(path, {...body, [field]: value});
      if (honoured.has(field)) {
        const text = await response.text();
        assert.equal(response.status, 200, `${field}: ${text}`);
      } else {
        const error = await refused(response, 400);
        assert.equal(error.param?.split('.')[0], field, error.message);
      }
    }
  });
}

let limited;
let confined;
before(async () => {
  limited = await createKey('limited', '--rpm', '1');
  confined = await createKey('confined', '--models', 'slow');
});
const bearer = (key) => ({authorization: `Bearer ${key}`});

test('400: what is wrong is named', async () => {
  const wrong = [
    [{temperature: 3}, 'temperature'],
    [{temperature: 'hot'}, 'temperature'],
    [{n: 0}, 'n'],
    [{max_tokens: 0}, 'max_tokens'],
    [{stop: [1]}, 'stop'],
    [{logit_bias: {x: 1}}, 'logit_bias'],
    [{top_logprobs: 2}, 'top_logprobs'],
    [{no_such_field: 1}, 'no_such_field'],
    [{messages: []}, 'messages'],
    [{messages: [{role: 'user'}]}, 'messages[0].content'],
    [{messages: [{role: 'user', content: 'a '.repeat(3000)}]}, 'prompt'],
  ];
  for (const [fields, param] of wrong) await refused(await post(CHAT, {...say, ...fields}), 400, param);
  for (const body of ['', '{', '[]', '"a"', '{"model": }', '{"model": "\\ud800"}', '[['.repeat(50_000)]) {
    await refused(await post(CHAT, body), 400);
  }
  await refused(await post(CHAT, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 400);
  await refused(await post(CHAT, say, {'x-request-timeout-ms': 'soon'}), 400);
  for (const [fields, param] of [[{input: []}, 'input'], [{input: ''}, 'input[0]'], [{input: [1.5]}, 'input'],
                                 [{dimensions: 0}, 'dimensions'], [{encoding_format: 'hex'}, 'encoding_format']]) {
    await refused(await post(EMBEDDINGS, {model: 'chat', input: 'a', ...fields}), 400, param);
  }
});

test('401, 403: keys', async () => {
  const error = await refused(await post(CHAT, say, bearer('enk-nobody')), 401);
  assert.equal(error.code, 'invalid_api_key');
  await refused(await post(CHAT, say, bearer('sk-somebody-elses')), 401);
  await refused(await post(CHAT, say, {authorization: 'Basic YTpi'}), 401);
  await refused(await fetch(`${base}/v1/models`, {headers: bearer('enk-nobody')}), 401);
  await refused(await post(CHAT, say, bearer(confined)), 403, 'model');
  await refused(await fetch(`${base}/v1/models/chat`, {headers: bearer(confined)}), 403, 'model');
});

test('404, 405: models and paths', async () => {
  for (const [path, body] of [[CHAT, say], [COMPLETIONS, ask], [EMBEDDINGS, {input: 'a'}]]) {
    const error = await refused(await post(path, {...body, model: 'nobody'}), 404, 'model');
    assert.equal(error.code, 'model_not_found');
  }
  await refused(await fetch(`${base}/v1/models/nobody`), 404, 'model');
  await refused(await fetch(`${base}/v1/nothing`), 404);
  await refused(await fetch(base + CHAT), 405);
  await refused(await fetch(`${base}/v1/models`, {method: 'DELETE'}), 405);
});

test('413: a body beyond all limits', async () => {
  await refused(await post(CHAT, `{"model": "${'a'.repeat(40_000_000)}"}`), 413);
});

test('429: a key at its limit', async () => {
  assert.equal((await post(CHAT, say, bearer(limited))).status, 200);
  const response = await post(CHAT, say, bearer(limited));
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.ok(Number(response.headers.get('retry-after-ms')) > 0);
  const error = await refused(response, 429);
  assert.equal(error.code, 'rate_limit_exceeded');
});

test('503: a model that is not in service', async () => {
  for (const stream of [false, true]) {
    const response = await post(COMPLETIONS, {...ask, model: 'later', stream});
    assert.ok(Number(response.headers.get('retry-after')) > 0);
    const error = await refused(response, 503);
    assert.equal(error.code, 'model_not_ready');
  }
});

test('504: a deadline, before the answer and inside a stream', async () => {
  const long = {model: 'slow', prompt: 'a', max_tokens: 1000, ignore_eos: true};
  await refused(await post(COMPLETIONS, long, {'x-request-timeout-ms': '100'}), 504);
  const response = await post(COMPLETIONS, {...long, stream: true}, {'x-request-timeout-ms': '500'});
  const text = await response.text();
  const events = text.trimEnd().split('\n\n').map((event) => event.slice('data: '.length));
  const last = JSON.parse(events.pop());
  assertIs('ErrorResponse', last);
  assert.equal(last.error.code, 'deadline_exceeded');
  assert.ok(events.length > 1, 'it had begun');
  for (const event of events) assertIs('CreateCompletionResponse+chunk', JSON.parse(event));
});

test('what the description does not have answers too', async () => {
  const plain = await (await post('/generate', {model: 'chat', prompt: 'Once', max_gen: 3, temperature: 0})).json();
  assert.equal(plain.completion_tokens, 3);
  const {tokens} = await (await post('/tokenize', {model: 'chat', prompt: 'Once upon a time'})).json();
  assert.deepEqual(tokens, [1, 403, 407, 261, 378]);
  const back = await (await post('/detokenize', {model: 'chat', tokens: tokens.slice(1)})).json();
  assert.equal(back.prompt, 'Once upon a time');
  for (const path of ['/health', '/health/ready', '/metrics']) assert.equal((await fetch(base + path)).status, 200);
  assert.match(await enigma('keys'), /limited/);
});
