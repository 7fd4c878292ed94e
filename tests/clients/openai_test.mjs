// OpenAI's own client, unchanged, against a live cluster.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import OpenAI from 'openai';

import {base, createKey, enigma, eventually, metric} from './cluster.mjs';

const client = new OpenAI({baseURL: `${base}/v1`, apiKey: await createKey('client'), maxRetries: 0});
const messages = [{role: 'user', content: 'Tell me of a cat.'}];
const say = {model: 'chat', messages, max_tokens: 24, temperature: 0};

test('models are listed and shown', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names.sort(), ['chat', 'later', 'slow']);
  assert.equal((await client.models.retrieve('chat')).owned_by, 'enigma');
});

test('a chat, whole and streamed, is the same', async () => {
  const whole = await client.chat.completions.create(say);
  assert.equal(whole.choices[0].message.role, 'assistant');
  assert.ok(whole.choices[0].message.content.length > 0);
  const stream = await client.chat.completions.create({...say, stream: true, stream_options: {include_usage: true}});
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(usage, whole.usage);
});

test('the stream helper gathers a whole message', async () => {
  const two = {...say, n: 2, seed: 3, temperature: 0.9};
  const runner = client.chat.completions.stream({...two, stream_options: {include_usage: true}});
  const final = await runner.finalChatCompletion();
  const whole = await client.chat.completions.create(two);
  assert.deepEqual(final.choices.map((choice) => choice.message.content),
                   whole.choices.map((choice) => choice.message.content));
  assert.deepEqual(await runner.totalUsage(), whole.usage);
});

test('completions, whole and streamed', async () => {
  const ask = {model: 'chat', prompt: ['Once upon a time', 'One day'], max_tokens: 16, temperature: 0, logprobs: 2};
  const whole = await client.completions.create(ask);
  assert.equal(whole.choices.length, 2);
  const texts = ['', ''];
  for await (const chunk of await client.completions.create({...ask, stream: true})) {
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
  }
  assert.deepEqual(texts, whole.choices.map((choice) => choice.text));
});

test('embeddings, packed as the client asks for them by itself', async () => {
  const input = ['Once upon a time', 'One day'];
  const {data, usage} = await client.embeddings.create({model: 'chat', input});
  const plain = await client.embeddings.create({model: 'chat', input, encoding_format: 'float'});
  assert.deepEqual(data.map((item) => item.embedding), plain.data.map((item) => item.embedding.map(Math.fround)));
  assert.ok(usage.prompt_tokens > 2);
  await assert.rejects(client.embeddings.create({model: 'chat', input: []}), OpenAI.BadRequestError);
});

test('headers and the raw answer are within reach', async () => {
  const {data, response} = await client.chat.completions.create(say).withResponse();
  assert.equal(response.headers.get('x-enigma-model'), 'chat');
  assert.equal(data.object, 'chat.completion');
});

// A stream of `slow` takes seconds; one that is given up must not go on.
const long = {model: 'slow', prompt: 'a', max_tokens: 1900, stream: true, ignore_eos: true};
const running = () => metric('vllm:num_requests_running', 'model_name="slow"');
const generated = () => metric('vllm:generation_tokens_total', 'model_name="slow"');

for (const [name, giveUp] of [
       ['aborted', (stream) => stream.controller.abort()],
       ['left by break', () => {}],
     ]) {
  test(`a stream that is ${name} frees its place at once`, async () => {
    const before = await generated();
    const stream = await client.completions.create(long);
    for await (const chunk of stream) {
      assert.equal(await running(), 1);
      assert.ok(chunk.id);
      giveUp(stream);
      break;
    }
    await eventually('no request running', async () => (await running()) === 0, 1000);
    const spent = (await generated()) - before;
    assert.ok(spent > 0 && spent < 1000, `${spent} tokens were made of ${long.max_tokens}`);
  });
}

test('a request that is aborted before its answer frees its place', async () => {
  const controller = new AbortController();
  const asked = client.completions.create({...long, stream: false}, {signal: controller.signal});
  await eventually('a request running', async () => (await running()) === 1);
  controller.abort();
  await assert.rejects(asked, OpenAI.APIUserAbortError);
  await eventually('no request running', async () => (await running()) === 0, 1000);
});

test('errors are those of its classes', async () => {
  const other = (apiKey) => new OpenAI({baseURL: `${base}/v1`, apiKey, maxRetries: 0});
  const asked = (fields, by = client) => by.chat.completions.create({...say, ...fields});
  await assert.rejects(asked({temperature: 3}), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.status, error.param, error.type], [400, 'temperature', 'invalid_request_error']);
    return true;
  });
  await assert.rejects(asked({}, other('enk-nobody')), OpenAI.AuthenticationError);
  const elsewhere = other(await createKey('elsewhere', '--models', 'slow'));
  await assert.rejects(asked({}, elsewhere), OpenAI.PermissionDeniedError);
  await assert.rejects(asked({model: 'nobody'}), OpenAI.NotFoundError);
  const once = other(await createKey('once', '--rpm', '1'));
  await asked({}, once);
  await assert.rejects(asked({}, once), OpenAI.RateLimitError);
  await assert.rejects(client.completions.create({model: 'later', prompt: 'a'}), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError);
    assert.deepEqual([error.status, error.code], [503, 'model_not_ready']);
    return true;
  });
  await assert.rejects(client.completions.create({...long, stream: false}, {headers: {'x-request-timeout-ms': '100'}}),
                       (error) => error.status === 504);
  await assert.rejects(async () => {
    const stream = await client.completions.create(long, {headers: {'x-request-timeout-ms': '500'}});
    for await (const chunk of stream) assert.ok(chunk.id);
  }, (error) => error instanceof OpenAI.APIError && error.code === 'deadline_exceeded');
});

test('a model that is not in service yet is asked again until it is', async () => {
  const patient = new OpenAI({baseURL: `${base}/v1`, apiKey: await createKey('patient'), maxRetries: 5});
  const started = Date.now();
  const asked = patient.completions.create({model: 'later', prompt: 'Once', max_tokens: 4, temperature: 0});
  await new Promise((resolve) => setTimeout(resolve, 300));  // its first attempt is refused
  await enigma('load', 'later');
  const answer = await asked;
  assert.equal(answer.usage.completion_tokens, 4);
  assert.ok(Date.now() - started >= 4000, 'it waited for as long as it was told to');
  await enigma('unload', 'later');
});

test('nothing is left behind', async () => {
  for (const gauge of ['vllm:num_requests_running', 'vllm:num_requests_waiting']) {
    await eventually(`${gauge} is 0`, async () => (await metric(gauge)) === 0, 2000);
  }
});
